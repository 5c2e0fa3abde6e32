//! How long packets took: a histogram of whole milliseconds.

use core::time::Duration;

/// Longest delay that is told apart, ms. What took longer, or never came, counts as that.
pub const LONGEST: usize = 20_000;

/// A histogram.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Delays {
    counts: Vec<u32>,
    total: u64,
}

impl Default for Delays {
    fn default() -> Self {
        Self {
            counts: vec![0; LONGEST + 1],
            total: 0,
        }
    }
}

impl Delays {
    /// Counts one delay; `None` if it never came.
    pub fn record(&mut self, delay: Option<Duration>) {
        let ms = delay.map_or(LONGEST, |delay| {
            usize::try_from(delay.as_millis()).map_or(LONGEST, |ms| ms.min(LONGEST))
        });
        self.counts[ms] = self.counts[ms].saturating_add(1);
        self.total += 1;
    }

    /// Adds what another histogram has counted.
    pub fn merge(&mut self, other: &Self) {
        for (count, more) in self.counts.iter_mut().zip(&other.counts) {
            *count = count.saturating_add(*more);
        }
        self.total += other.total;
    }

    /// How many were counted.
    #[must_use]
    pub const fn total(&self) -> u64 {
        self.total
    }

    /// The delay that a share `p` does not exceed, in ms; `None` of none.
    #[must_use]
    pub fn quantile(&self, p: f64) -> Option<usize> {
        #[expect(clippy::cast_precision_loss, reason = "counts of at most millions")]
        let wanted = p.clamp(0.0, 1.0) * self.total as f64;
        let mut seen = 0.0;
        self.counts.iter().position(|count| {
            seen += f64::from(*count);
            seen > 0.0 && seen >= wanted
        })
    }

    /// How many took longer than this.
    #[must_use]
    pub fn above(&self, limit: Duration) -> u64 {
        let first = usize::try_from(limit.as_millis()).unwrap_or(LONGEST) + 1;
        let longer = self.counts.iter().skip(first);
        longer.map(|count| u64::from(*count)).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_are_exact() {
        let mut delays = Delays::default();
        assert_eq!(delays.quantile(0.5), None);
        for ms in 1..=100 {
            delays.record(Some(Duration::from_millis(ms)));
        }
        assert_eq!(delays.quantile(0.5), Some(50));
        assert_eq!(delays.quantile(0.99), Some(99));
        assert_eq!(delays.quantile(0.0), Some(1));
        assert_eq!(delays.above(Duration::from_millis(90)), 10);
        delays.record(None);
        assert_eq!(delays.quantile(1.0), Some(LONGEST));
    }
}
