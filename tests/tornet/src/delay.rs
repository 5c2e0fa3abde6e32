//! When what arrives now is due: a constant, an exponentially distributed extra, and order kept.
use std::time::{Duration, Instant};

/// The exponential jitter is cut at so many times its mean.
const JITTER_CUT: f64 = 10.0;

/// One direction's delay.
#[derive(Debug)]
pub(crate) struct Delay {
    one_way: Duration,
    jitter: Duration,
    seed: u64,
    last: Option<Instant>,
}

impl Delay {
    pub(crate) const fn new(one_way: Duration, jitter: Duration, seed: u64) -> Self {
        Self {
            one_way,
            jitter,
            seed,
            last: None,
        }
    }

    /// Never earlier than what came before: TCP keeps order.
    pub(crate) fn due(&mut self, now: Instant) -> Instant {
        let due = now + self.one_way + self.jitter.mul_f64(self.exponential());
        let due = self.last.map_or(due, |last| due.max(last));
        self.last = Some(due);
        due
    }

    /// Exponentially distributed with mean 1, from a SplitMix64 step.
    fn exponential(&mut self) -> f64 {
        self.seed = self.seed.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut bits = self.seed;
        bits = (bits ^ (bits >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        bits = (bits ^ (bits >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        bits ^= bits >> 31;
        let uniform = (bits >> 11) as f64 / (1_u64 << 53) as f64;
        (-(1.0 - uniform).ln()).min(JITTER_CUT)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn jitter_keeps_order_its_mean_and_its_cut() {
        let (one_way, jitter) = (Duration::from_millis(15), Duration::from_millis(2));
        let mut delay = Delay::new(one_way, jitter, 7);
        let now = Instant::now();
        let mut sum = 0.0;
        for _ in 0..10_000 {
            let factor = delay.exponential();
            assert!((0.0..=JITTER_CUT).contains(&factor));
            sum += factor;
        }
        assert!((0.95..1.05).contains(&(sum / 10_000.0)));
        let first = delay.due(now);
        let second = delay.due(now);
        assert!(first >= now + one_way && second >= first);
        assert!(second <= now + one_way + jitter.mul_f64(JITTER_CUT));
    }
}
