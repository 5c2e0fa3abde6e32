//! Medians and shares over calls, and how sure they are.

use tacit_circuits::random::Random;
use tacit_circuits::wilson;

/// Quantile `p` of values in any order, the nearest one; 0 of none.
#[must_use]
pub fn quantile(values: &mut [f64], p: f64) -> f64 {
    values.sort_unstable_by(f64::total_cmp);
    let Some(last) = values.len().checked_sub(1) else {
        return 0.0;
    };
    #[expect(
        clippy::cast_precision_loss,
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "an index"
    )]
    let place = (p.clamp(0.0, 1.0) * last as f64).round() as usize;
    values[place]
}

/// 95 % interval of a median: the order statistics between which it lies, by the normal approximation
/// of the binomial distribution.
#[must_use]
pub fn median_interval(values: &mut [f64]) -> [f64; 2] {
    values.sort_unstable_by(f64::total_cmp);
    let count = values.len();
    if count == 0 {
        return [0.0; 2];
    }
    #[expect(clippy::cast_precision_loss, reason = "few calls")]
    let n = count as f64;
    let half = 0.98 * n.sqrt();
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "an index"
    )]
    let place = |at: f64| (at.max(0.0) as usize).min(count - 1);
    [
        values[place((n / 2.0 - half).floor())],
        values[place((n / 2.0 + half).ceil())],
    ]
}

/// Share of the calls for which it is true, and Wilson's 95 % interval.
#[must_use]
#[expect(clippy::cast_precision_loss, reason = "few calls")]
pub fn share(count: usize, of: usize) -> (f64, [f64; 2]) {
    let value = if of == 0 {
        0.0
    } else {
        count as f64 / of as f64
    };
    (value, wilson(count, of))
}

/// How often calls are drawn again for an interval.
pub const DRAWS: usize = 1_000;

/// A value over calls, by drawing calls with replacement.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Resampled {
    /// Over all calls.
    pub value: f64,
    /// 95 % interval.
    pub interval: [f64; 2],
    /// Of [`DRAWS`], those in which the value was not a number: the interval is of the others.
    pub left_out: usize,
}

/// A value over calls and its 95 % interval; `None` of no calls, and if it is not a number over all of
/// them. `value` gets the numbers of the calls, so that what is compared over them stays paired. The
/// draws are always the same.
#[must_use]
pub fn paired_interval(calls: usize, value: impl Fn(&[usize]) -> f64) -> Option<Resampled> {
    if calls == 0 {
        return None;
    }
    let mut random = Random::new(0xb007);
    let mut values: Vec<f64> = (0..DRAWS)
        .map(|_| {
            let drawn: Vec<usize> = (0..calls).map(|_| random.below(calls)).collect();
            value(&drawn)
        })
        .collect();
    values.retain(|value| value.is_finite());
    let all: Vec<usize> = (0..calls).collect();
    Some(Resampled {
        value: Some(value(&all)).filter(|value| value.is_finite())?,
        interval: [0.025, 0.975].map(|p| quantile(&mut values, p)),
        left_out: DRAWS - values.len(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn medians_lie_between_their_order_statistics() {
        let mut values: Vec<f64> = (1..=100).map(f64::from).collect();
        assert!((quantile(&mut values, 0.5) - 51.0).abs() < 1.0);
        let [low, high] = median_interval(&mut values);
        assert!(
            (low - 41.0).abs() < 1.5 && (high - 61.0).abs() < 1.5,
            "{low} {high}"
        );
        assert!(quantile(&mut [], 0.5).abs() < f64::EPSILON);
    }

    #[test]
    fn drawing_again_gives_the_interval_of_a_mean() {
        let numbers: Vec<f64> = (0..400).map(|n| f64::from(n % 20)).collect();
        let mean = |drawn: &[usize]| drawn.iter().map(|n| numbers[*n]).sum::<f64>() / 400.0;
        let drawn = paired_interval(400, mean).unwrap();
        let [low, high] = drawn.interval;
        // The standard deviation is 5.77.
        assert!((drawn.value - 9.5).abs() < 1e-9 && drawn.left_out == 0);
        assert!(
            (drawn.value - low - 0.565).abs() < 0.1 && (high - drawn.value - 0.565).abs() < 0.1
        );
        assert_eq!(paired_interval(0, mean), None);
    }

    #[test]
    fn draws_without_a_value_are_counted() {
        // Two calls are drawn in four ways, one of which has the first one only.
        let without = |drawn: &[usize]| match drawn {
            [0, 0] => f64::NAN,
            _ => 1.0,
        };
        let drawn = paired_interval(2, without).unwrap();
        assert!(drawn.left_out.abs_diff(DRAWS / 4) < 60, "{drawn:?}");
        assert_eq!(paired_interval(2, |_| f64::NAN), None);
    }
}
