//! Quantiles and shares.

/// Quantile `p` of sorted values, between neighbours; 0 of none.
#[must_use]
#[expect(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "an index"
)]
pub fn quantile(sorted: &[f64], p: f64) -> f64 {
    let Some(last) = sorted.len().checked_sub(1) else {
        return 0.0;
    };
    let place = p.clamp(0.0, 1.0) * last as f64;
    let below = place.floor() as usize;
    let above = (below + 1).min(last);
    sorted[below] + (sorted[above] - sorted[below]) * (place - place.floor())
}

/// Several quantiles of values in any order.
#[must_use]
pub fn quantiles<const N: usize>(mut values: Vec<f64>, ps: [f64; N]) -> [f64; N] {
    values.sort_unstable_by(f64::total_cmp);
    ps.map(|p| quantile(&values, p))
}

/// Percent of the values for which it is true; 0 of none.
#[must_use]
#[expect(clippy::cast_precision_loss, reason = "counts of at most millions")]
pub fn percent<T>(values: &[T], is: impl Fn(&T) -> bool) -> f64 {
    let count = values.iter().filter(|value| is(value)).count();
    100.0 * count as f64 / values.len().max(1) as f64
}

/// Arithmetic mean; 0 of none.
#[must_use]
#[expect(clippy::cast_precision_loss, reason = "counts of at most millions")]
pub fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len().max(1) as f64
}
