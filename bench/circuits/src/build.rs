//! How long circuits take to build.

use core::time::Duration;

use crate::random::Random;

/// Quantiles of 131,762 build times of 2019, in seconds: the OnionPerf archives of Tor Metrics, CC0.
/// The ends are extended by hand; nothing is known beyond p5 and p99.
const QUANTILES: [(f64, f64); 10] = [
    (0.0, 0.10),
    (0.05, 0.20),
    (0.10, 0.25),
    (0.25, 0.45),
    (0.50, 1.08),
    (0.75, 1.60),
    (0.90, 2.06),
    (0.95, 2.31),
    (0.99, 2.73),
    (1.0, 4.0),
];

/// Draws the build time of one circuit.
pub fn build_time(random: &mut Random) -> Duration {
    let p = random.unit();
    let above = QUANTILES
        .iter()
        .position(|(q, _)| *q >= p)
        .unwrap_or(9)
        .max(1);
    let ((p0, low), (p1, high)) = (QUANTILES[above - 1], QUANTILES[above]);
    Duration::from_secs_f64(low + (high - low) * (p - p0) / (p1 - p0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn build_times_have_the_published_quantiles() {
        let mut random = Random::new(1);
        let times: Vec<f64> = (0..20_000)
            .map(|_| build_time(&mut random).as_secs_f64())
            .collect();
        let [p10, p50, p90] = crate::fit::summary::quantiles(times, [0.1, 0.5, 0.9]);
        assert!(
            (p10 - 0.25).abs() < 0.03 && (p50 - 1.08).abs() < 0.05 && (p90 - 2.06).abs() < 0.05
        );
    }
}
