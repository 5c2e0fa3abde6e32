//! What the peer's packets tell by arriving, or by not arriving: at once, without a round trip.
//!
//! The peer sends one packet a slot, whatever happens. When fewer come, some circuit is held up; and
//! as a stall most often holds both directions of a circuit, what we send on it is held up too. A leg
//! over which packets still come works, and of TURN legs so does the peer's, which they came from.

use core::time::Duration;

use tacit_types::Timestamp;

/// Arrivals remembered: this many in [`WINDOW`], or something is wrong.
const ENOUGH: usize = 4;
/// See [`ENOUGH`]. The peer sends one in 20 ms.
const WINDOW: Duration = Duration::from_millis(100);
/// Without any arrival for this long, no leg is known to work.
const SILENCE: Duration = Duration::from_millis(80);
/// Arrivals that came up to this long before they were found to be short count already.
const SEEN_WITHIN: Duration = Duration::from_millis(50);
/// Caution lasts this long after arrivals were last short: then acknowledgements tell more.
const CAUTION: Duration = Duration::from_millis(600);

#[derive(Clone, Debug, Default)]
pub(crate) struct Arrivals {
    /// The last few, by count modulo [`ENOUGH`].
    recent: [Option<Timestamp>; ENOUGH],
    count: usize,
    /// When they were last found to be short.
    short: Option<Timestamp>,
}

/// How far arrivals are to be trusted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Caution {
    /// They come as they should.
    None,
    /// They do not, or did not lately: legs seen since this time are known to work.
    SeenSince(Timestamp),
    /// None comes.
    Silence,
}

impl Arrivals {
    pub(crate) fn record(&mut self, now: Timestamp) {
        self.recent[self.count % ENOUGH] = Some(now);
        self.count = self.count.wrapping_add(1);
    }

    /// To be asked once a slot.
    pub(crate) fn caution(&mut self, now: Timestamp) -> Caution {
        let oldest = self.recent[self.count % ENOUGH];
        let newest = self.recent[self.count.wrapping_sub(1) % ENOUGH];
        let (Some(oldest), Some(newest)) = (oldest, newest) else {
            return Caution::None;
        };
        if now.saturating_since(oldest) > WINDOW {
            self.short = Some(now);
        }
        match self.short {
            Some(_) if now.saturating_since(newest) > SILENCE => Caution::Silence,
            Some(short) if now.saturating_since(short) < CAUTION => {
                let earlier = u64::try_from(SEEN_WITHIN.as_micros()).unwrap_or(u64::MAX);
                let since = short.as_micros().saturating_sub(earlier);
                Caution::SeenSince(Timestamp::from_micros(since))
            }
            _ => Caution::None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(millis: u64) -> Timestamp {
        Timestamp::from_micros(millis * 1000)
    }

    #[test]
    fn caution_begins_with_missing_arrivals_and_ends_with_time() {
        let mut arrivals = Arrivals::default();
        assert_eq!(arrivals.caution(at(900)), Caution::None, "nothing came yet");
        for slot in 50..=60 {
            arrivals.record(at(slot * 20));
            assert_eq!(arrivals.caution(at(slot * 20 + 5)), Caution::None);
        }
        // From here on every other packet is missing.
        arrivals.record(at(1240));
        assert_eq!(arrivals.caution(at(1245)), Caution::None);
        arrivals.record(at(1280));
        let seen = Caution::SeenSince(at(1251));
        assert_eq!(arrivals.caution(at(1301)), seen);
        assert_eq!(arrivals.caution(at(1365)), Caution::Silence);
        for slot in 69..=100 {
            arrivals.record(at(slot * 20));
        }
        assert_eq!(arrivals.caution(at(2001)), Caution::None);
    }
}
