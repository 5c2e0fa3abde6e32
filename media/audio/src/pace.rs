//! One block every 10 ms of the caller's clock, for a sink that has no clock of its own.

use core::time::Duration;
use tacit_types::Timestamp;

const BLOCK_MICROS: u64 = 10_000;

/// Behind by more than this (a stopped process), the pace starts anew instead of rushing.
const MAX_BEHIND: Duration = Duration::from_millis(500);

/// Counts blocks against the clock.
#[derive(Debug, Default)]
pub(crate) struct Pace {
    next: Option<Timestamp>,
}

impl Pace {
    /// Whether a block is due; at once the first time.
    pub(crate) fn due(&mut self, now: Timestamp) -> bool {
        let next = *self.next.get_or_insert(now);
        if now.saturating_since(next) > MAX_BEHIND {
            self.next = Some(now);
        }
        now >= next
    }

    /// A block was handed over.
    pub(crate) fn took(&mut self) {
        if let Some(next) = &mut self.next {
            *next += Duration::from_micros(BLOCK_MICROS);
        }
    }

    /// Forgets the clock: the next block is due at once.
    pub(crate) const fn reset(&mut self) {
        self.next = None;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn blocks(pace: &mut Pace, now: Timestamp) -> usize {
        core::iter::from_fn(|| pace.due(now).then(|| pace.took()))
            .take(1_000)
            .count()
    }

    #[test]
    fn one_block_every_ten_milliseconds_however_often_it_is_asked() {
        let mut pace = Pace::default();
        let mut total = 0;
        for ms in 0..1_000 {
            total += blocks(&mut pace, Timestamp::from_micros(ms * 1_000));
        }
        assert_eq!(total, 100);
    }

    #[test]
    fn a_long_pause_is_not_made_up_for() {
        let mut pace = Pace::default();
        assert_eq!(blocks(&mut pace, Timestamp::ZERO), 1);
        assert_eq!(blocks(&mut pace, Timestamp::from_micros(60_000_000)), 1);
        assert_eq!(blocks(&mut pace, Timestamp::from_micros(60_030_000)), 3);
    }
}
