//! What the peer's packets tell by arriving, or by not arriving: at once, without a round trip.
//!
//! The peer sends one packet a slot, whatever happens. When fewer come than usual, some circuit is
//! held up; and as a stall most often holds both directions of a circuit, what we send on it is held
//! up too. A leg over which packets still come works, and of TURN legs so does the peer's, which they
//! came from.
//!
//! What is usual is learnt: over Tor, packets come in batches, and gaps that would be a stall on a
//! quiet network mean nothing.

use core::time::Duration;

use tacit_types::Timestamp;

/// Arrivals that are looked at together.
const ENOUGH: usize = 4;
/// How long so many take at first, 20 ms apart, microseconds.
const USUAL_FIRST: f64 = 80_000.0;
/// Share of what the last ones took in what is usual, and how much they can count for at most.
const GAIN: f64 = 0.02;
const SPAN_MAX: f64 = 400_000.0;
/// So many usual deviations beyond what is usual are unusual.
const DEVIATIONS: f64 = 3.0;
/// Arrivals are short when so many take longer than that by this, microseconds.
const MARGIN: f64 = 10_000.0;
/// Arrivals that came up to this long before they were found to be short count already.
const SEEN_WITHIN: Duration = Duration::from_millis(50);
/// Caution lasts this long after arrivals were last short: then acknowledgements tell more.
const CAUTION: Duration = Duration::from_millis(600);

#[derive(Clone, Debug)]
pub(crate) struct Arrivals {
    /// The last few, by count modulo [`ENOUGH`].
    recent: [Option<Timestamp>; ENOUGH],
    count: usize,
    /// How long so many usually take, and how far they are from that, microseconds.
    usual: f64,
    deviation: f64,
    /// When they were first and last found to be short.
    short: Option<[Timestamp; 2]>,
}

impl Default for Arrivals {
    fn default() -> Self {
        Self {
            recent: [None; ENOUGH],
            count: 0,
            usual: USUAL_FIRST,
            deviation: 0.0,
            short: None,
        }
    }
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
        if let Some(oldest) = self.recent[self.count % ENOUGH] {
            let span = micros(oldest, now).min(SPAN_MAX);
            let off = (span - self.usual).abs();
            self.usual += GAIN * (span - self.usual);
            self.deviation += GAIN * (off - self.deviation);
        }
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
        let longest = self.usual + DEVIATIONS * self.deviation;
        let cautious = |[_, last]: &[Timestamp; 2]| now.saturating_since(*last) < CAUTION;
        let mut short = self.short.filter(cautious);
        if micros(oldest, now) > longest + MARGIN {
            let [first, _] = short.unwrap_or([now; 2]);
            short = Some([first, now]);
        }
        self.short = short;
        match short {
            Some([first, _]) if newest < first && micros(newest, now) > self.usual => {
                Caution::Silence
            }
            Some([first, _]) => {
                let back = |from: Timestamp, by: Duration| {
                    let by = u64::try_from(by.as_micros()).unwrap_or(u64::MAX);
                    Timestamp::from_micros(from.as_micros().saturating_sub(by))
                };
                Caution::SeenSince(back(first, SEEN_WITHIN).max(back(now, CAUTION)))
            }
            None => Caution::None,
        }
    }
}

fn micros(earlier: Timestamp, now: Timestamp) -> f64 {
    now.saturating_since(earlier).as_secs_f64() * 1e6
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
        assert!(matches!(arrivals.caution(at(1310)), Caution::SeenSince(_)));
        assert_eq!(arrivals.caution(at(1390)), Caution::Silence);
        for slot in 70..=110 {
            arrivals.record(at(slot * 20));
        }
        assert_eq!(arrivals.caution(at(2201)), Caution::None);
    }

    #[test]
    fn batches_are_usual_where_they_are_usual() {
        let mut arrivals = Arrivals::default();
        let mut careful = 0;
        for batch in 1..400 {
            // Three packets at once, a little irregularly.
            let now = batch * 60 + batch * 7 % 13;
            for _ in 0..3 {
                arrivals.record(at(now));
            }
            for slot in 0..3 {
                let caution = arrivals.caution(at(now + slot * 20));
                careful += u32::from(batch > 50 && caution != Caution::None);
            }
        }
        assert_eq!(careful, 0);
    }
}
