//! Leaky bucket in one word: the generic cell rate algorithm (ITU-T I.371, annex A) keeps only the
//! time at which the bucket will be empty again.

use core::time::Duration;
use tacit_types::Timestamp;

/// How fast and how bursty something may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rate {
    /// How many at once; 0 admits nothing.
    pub burst: u16,
    /// Time until one more is allowed.
    pub interval: Duration,
}

/// A leaky bucket; the rate is given with each use, so that the bucket is one word.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Bucket {
    empty_at: Timestamp,
}

impl Bucket {
    /// Takes one, if the rate allows.
    #[must_use]
    pub(crate) fn take(&mut self, rate: Rate, now: Timestamp) -> bool {
        let depth = rate.interval * u32::from(rate.burst);
        let filled = self.empty_at.max(now) + rate.interval;
        let admitted = filled.saturating_since(now) <= depth && rate.burst > 0;
        if admitted {
            self.empty_at = filled;
        }
        admitted
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn admits_a_burst_then_one_an_interval() {
        let rate = Rate {
            burst: 3,
            interval: Duration::from_secs(10),
        };
        let mut bucket = Bucket::default();
        let now = Timestamp::from_micros(7);
        let admitted = (0..10).filter(|_| bucket.take(rate, now)).count();
        assert_eq!(admitted, 3);
        assert!(!bucket.take(rate, now + Duration::from_secs(9)));
        assert!(bucket.take(rate, now + Duration::from_secs(10)));
        assert!(!bucket.take(rate, now + Duration::from_secs(10)));
        let later = now + Duration::from_secs(1000);
        assert_eq!((0..10).filter(|_| bucket.take(rate, later)).count(), 3);
    }

    #[test]
    fn no_burst_admits_nothing() {
        let rate = Rate {
            burst: 0,
            interval: Duration::from_secs(1),
        };
        assert!(!Bucket::default().take(rate, Timestamp::from_micros(5)));
    }
}
