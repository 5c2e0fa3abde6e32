//! How sure a share of calls is.

/// Wilson's 95 % interval of the share `count` out of `of`; of none it can be anything.
#[must_use]
#[expect(clippy::cast_precision_loss, reason = "few calls")]
pub fn wilson(count: usize, of: usize) -> [f64; 2] {
    const Z: f64 = 1.959_964;
    if of == 0 {
        return [0.0, 1.0];
    }
    let (n, p) = (of as f64, count as f64 / of as f64);
    let scale = 1.0 / (1.0 + Z * Z / n);
    let centre = scale * (p + Z * Z / (2.0 * n));
    let half = scale * Z * (p * (1.0 - p) / n + Z * Z / (4.0 * n * n)).sqrt();
    [(centre - half).max(0.0), (centre + half).min(1.0)]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn intervals_are_those_of_the_tables() {
        let [low, high] = wilson(86, 100);
        assert!((low - 0.779).abs() < 2e-3, "{low}");
        assert!((high - 0.915).abs() < 2e-3, "{high}");
        let [low, high] = wilson(0, 20);
        assert!(low < 1e-9 && (high - 0.161).abs() < 2e-3, "{high}");
    }
}
