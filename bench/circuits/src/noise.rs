//! Gaussian noise over time, with unit variance at every moment.
//!
//! Values at the knots of a grid come from a hash of the knot's number, so the noise at a moment does
//! not depend on which moments were asked for before: strategies that send at other times see the
//! same circuit.

use crate::random::{derive, gauss};

/// One scale of noise.
#[derive(Clone, Debug)]
pub(crate) struct Noise {
    seed: u64,
    /// Time between knots, ms.
    period: f64,
    knot: i64,
    /// Values at `knot` and the next one.
    ends: [f64; 2],
}

impl Noise {
    /// Noise whose values are independent after about `period` ms.
    #[must_use]
    pub(crate) fn new(seed: u64, period: f64) -> Self {
        let mut noise = Self {
            seed,
            period,
            knot: 0,
            ends: [0.0; 2],
        };
        noise.ends = [noise.value(0), noise.value(1)];
        noise
    }

    fn value(&self, knot: i64) -> f64 {
        gauss(derive(self.seed, knot.cast_unsigned()))
    }

    /// The noise at `at` ms. Only the knots beside the last moment are kept, so moments should come
    /// roughly in order.
    pub(crate) fn at(&mut self, at: f64) -> f64 {
        self.settle(at);
        let place = at / self.period;
        let after = place - place.floor();
        let before = 1.0 - after;
        // Between knots the variance of a plain mean would fall to a half.
        (self.ends[0] * before + self.ends[1] * after) / (before * before + after * after).sqrt()
    }

    /// Gets ready for moments near `at`.
    #[expect(clippy::cast_possible_truncation, reason = "saturates beyond any call")]
    pub(crate) fn settle(&mut self, at: f64) {
        let knot = (at / self.period).floor() as i64;
        if knot != self.knot {
            let first = if knot == self.knot + 1 {
                self.ends[1]
            } else {
                self.value(knot)
            };
            self.ends = [first, self.value(knot + 1)];
            self.knot = knot;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_moments_asked_for_before_do_not_matter() {
        let mut often = Noise::new(7, 100.0);
        for step in 0..1000 {
            let at = f64::from(step) * 3.7;
            assert_eq!(
                often.at(at).to_bits(),
                Noise::new(7, 100.0).at(at).to_bits()
            );
        }
    }

    #[test]
    fn the_variance_is_one_at_knots_and_between() {
        for phase in [0.0, 0.5] {
            let mut noise = Noise::new(3, 1.0);
            let square = (0..20_000)
                .map(|k| noise.at(f64::from(k) + phase).powi(2))
                .sum::<f64>();
            assert!((square / 20_000.0 - 1.0).abs() < 0.04, "{phase}");
        }
    }
}
