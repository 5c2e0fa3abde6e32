//! Gaussian noise over time, with unit variance at every moment.
//!
//! Values at the knots of a grid come from a hash of the knot's number, so the noise at a moment does
//! not depend on which moments were asked for before: strategies that send at other times see the
//! same circuit.

use crate::random::{derive, gauss};

/// Knots that are remembered: who looks ahead asks for the same ones again and again.
const KNOTS: usize = 8;

/// Where between two knots a moment is.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Moment {
    knot: i64,
    before: f64,
    after: f64,
    /// Between knots the variance of a plain mean would fall to a half.
    norm: f64,
}

impl Moment {
    pub(crate) fn new(at: f64, period: f64) -> Self {
        let place = at / period;
        let knot = whole_below(place);
        let after = place - knot as f64;
        let before = 1.0 - after;
        Self {
            knot,
            before,
            after,
            norm: (before * before + after * after).sqrt(),
        }
    }
}

/// One scale of noise.
#[derive(Clone, Debug)]
pub(crate) struct Noise {
    seed: u64,
    /// Time between knots, ms.
    period: f64,
    /// The first knot that is remembered, and the values there and at those that follow, so many of
    /// which are known.
    first: i64,
    values: [f64; KNOTS],
    known: usize,
}

impl Noise {
    /// Noise whose values are independent after about `period` ms.
    #[must_use]
    pub(crate) const fn new(seed: u64, period: f64) -> Self {
        Self {
            seed,
            period,
            first: 0,
            values: [0.0; KNOTS],
            known: 0,
        }
    }

    fn value(&self, knot: i64) -> f64 {
        gauss(derive(self.seed, knot.cast_unsigned()))
    }

    /// Values at this knot and the next one.
    fn ends(&mut self, knot: i64) -> [f64; 2] {
        let place = usize::try_from(knot - self.first).unwrap_or(KNOTS);
        if place + 1 >= KNOTS {
            return [knot, knot + 1].map(|knot| self.value(knot));
        }
        while self.known < place + 2 {
            self.values[self.known] = self.value(self.first + self.known as i64);
            self.known += 1;
        }
        [self.values[place], self.values[place + 1]]
    }

    /// The noise at `at` ms. It is found fastest at moments not long after the one that was
    /// [settled](Self::settle) for.
    pub(crate) fn at(&mut self, at: f64) -> f64 {
        self.between(Moment::new(at, self.period))
    }

    /// The same, for who asks several noises of one period.
    pub(crate) fn between(&mut self, moment: Moment) -> f64 {
        let [first, second] = self.ends(moment.knot);
        (first * moment.before + second * moment.after) / moment.norm
    }

    /// Between this knot and the next it is nowhere below this.
    pub(crate) fn least_after(&mut self, knot: i64) -> f64 {
        let [first, second] = self.ends(knot);
        if first < 0.0 && second < 0.0 {
            dip(first, second)
        } else {
            first.min(second)
        }
    }

    /// From one moment to another it is nowhere below this.
    pub(crate) fn least(&mut self, from: f64, to: f64) -> f64 {
        let [from, to] = [from, to].map(|at| at / self.period);
        let mut least = f64::INFINITY;
        for knot in whole_below(from)..=whole_below(to) {
            let within = |place: f64| (place - knot as f64).clamp(0.0, 1.0);
            let part = least_between(self.ends(knot), [from, to].map(within));
            least = least.min(part);
        }
        least
    }

    /// Forgets what comes before `at`.
    pub(crate) fn settle(&mut self, at: f64) {
        if at < self.period * (self.first + 1) as f64 {
            return;
        }
        let knot = whole_below(at / self.period);
        if knot > self.first {
            let gone = usize::try_from(knot - self.first).map_or(self.known, |n| n.min(self.known));
            self.values.copy_within(gone..self.known, 0);
            self.known -= gone;
            self.first = knot;
        }
    }
}

/// The noise between two knots, in a part of the way from the first to the second, is nowhere below this.
fn least_between([first, second]: [f64; 2], [from, to]: [f64; 2]) -> f64 {
    let value = |after: f64| {
        let before = 1.0 - after;
        (first * before + second * after) / (before * before + after * after).sqrt()
    };
    let lowest = second / (first + second);
    if first < 0.0 && second < 0.0 && from < lowest && lowest < to {
        return dip(first, second);
    }
    value(from).min(value(to))
}

/// Between two knots below zero the noise dips, to where both count as much as they can.
fn dip(first: f64, second: f64) -> f64 {
    -(first * first + second * second).sqrt()
}

/// The largest whole number that is not above it. On processors without an instruction for that,
/// [`f64::floor`] would be a call.
#[expect(clippy::cast_possible_truncation, reason = "saturates beyond any call")]
pub(crate) fn whole_below(value: f64) -> i64 {
    let towards_zero = value as i64;
    towards_zero - i64::from(towards_zero as f64 > value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_moments_asked_for_before_do_not_matter() {
        let mut often = Noise::new(7, 100.0);
        for step in 0..1000 {
            let at = f64::from(step) * 3.7;
            often.settle(at);
            for ahead in [300.0, 0.0, 2_000.0, 50.0, 650.0] {
                let new = Noise::new(7, 100.0).at(at + ahead);
                assert_eq!(often.at(at + ahead).to_bits(), new.to_bits());
            }
        }
    }

    #[test]
    fn nothing_is_below_the_least() {
        let mut noise = Noise::new(11, 45.0);
        for knot in 0..500 {
            let from = 45.0 * knot as f64;
            let least = noise.least_after(knot);
            let all = (0..90).map(|step| from + 0.5 * f64::from(step));
            let values: Vec<f64> = all.map(|at| noise.at(at)).collect();
            assert!(values.iter().all(|value| *value >= least - 1e-12), "{knot}");
            for [since, until] in [[10.0, 20.0], [30.0, 60.0], [0.0, 200.0]] {
                let least = noise.least(from + since, from + until);
                let step = (until - since) / 100.0;
                let all = (0..=100).map(|k| noise.at(from + since + step * f64::from(k)));
                let lowest = all.fold(f64::INFINITY, f64::min);
                assert!((least - 1e-9..least + 0.2).contains(&lowest), "{knot}");
            }
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
