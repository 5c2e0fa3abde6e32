//! Medians and shares over calls, and how sure they are.

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
    const Z: f64 = 1.959_964;
    if of == 0 {
        return (0.0, [0.0, 1.0]);
    }
    let (n, p) = (of as f64, count as f64 / of as f64);
    let scale = 1.0 / (1.0 + Z * Z / n);
    let centre = scale * (p + Z * Z / (2.0 * n));
    let half = scale * Z * (p * (1.0 - p) / n + Z * Z / (4.0 * n * n)).sqrt();
    (p, [(centre - half).max(0.0), (centre + half).min(1.0)])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_have_wilsons_interval() {
        let (p, [low, high]) = share(86, 100);
        assert!((p - 0.86).abs() < 1e-9);
        assert!(
            (low - 0.779).abs() < 2e-3 && (high - 0.915).abs() < 2e-3,
            "{low} {high}"
        );
        let (_, [_, high]) = share(0, 20);
        assert!((high - 0.161).abs() < 2e-3);
    }

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
}
