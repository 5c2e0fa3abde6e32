//! The part of the E-model of ITU-T G.107 (06/2015) that both the playout and whoever scores it need,
//! on the narrowband scale: what delay costs, and how our codec takes losses.
//!
//! Delay sensitivity is the default one (sT = 1, mT = 100 ms). There is no published equipment
//! impairment for Opus: the constants are fitted to recorded speech (`docs/benchmarks.md`; a test of
//! tacit-bench repeats the fit).

/// What the codec costs without any loss.
pub const IE: f64 = 6.1;
/// How robust it is when lost frames are concealed.
pub const BPL_PLC: f64 = 18.5;
/// How robust it is when lost frames are repaired.
pub const BPL_DRED: f64 = 39.0;
/// The largest impairment by equipment.
pub const IE_MAX: f64 = 95.0;
/// Delay that nobody minds, ms.
const MT: f64 = 100.0;

/// Impairment by one-way delay from mouth to ear, in ms: Idd of G.107.
#[must_use]
pub fn delay_impairment(delay: f64) -> f64 {
    if delay <= MT {
        return 0.0;
    }
    let x = (delay / MT).log2();
    let root = |value: f64| (1.0 + value.powi(6)).powf(1.0 / 6.0);
    25.0 * (root(x) - 3.0 * root(x / 3.0) + 2.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn impairments_are_g107s() {
        for (millis, impairment) in [
            (90.0, 0.0),
            (100.0, 0.0),
            (200.0, 3.0),
            (300.0, 14.8),
            (400.0, 24.1),
            (600.0, 35.2),
        ] {
            let found = delay_impairment(millis);
            assert!((found - impairment).abs() < 0.1, "{millis}: {found}");
        }
    }
}
