//! The E-model of ITU-T G.107 (06/2015), as far as delay and loss go, on the narrowband scale.
//!
//! Delay sensitivity is the default one (sT = 1, mT = 100 ms). There is no published equipment
//! impairment for Opus; until one is fitted to our own recordings, losses count like those of G.711
//! with concealment (Ie 0, Bpl 25.1), so R is for comparing strategies, not a promise.

/// R of a connection without delay and loss, all other parameters at their defaults.
const R_BEST: f64 = 93.2;
const IE: f64 = 0.0;
const BPL: f64 = 25.1;
/// Delay that nobody minds, ms.
const MT: f64 = 100.0;

/// Impairment by one-way delay from mouth to ear, in ms: Idd of G.107.
#[must_use]
pub fn delay_impairment(delay: f64) -> f64 {
    if delay <= MT {
        return 0.0;
    }
    let x = (delay / MT).log2();
    25.0 * ((1.0 + x.powi(6)).powf(1.0 / 6.0) - 3.0 * (1.0 + (x / 3.0).powi(6)).powf(1.0 / 6.0)
        + 2.0)
}

/// Impairment by lost media: `lost` is a share of 1, `burst` G.107's BurstR (1 for independent losses).
#[must_use]
pub fn loss_impairment(lost: f64, burst: f64) -> f64 {
    let percent = 100.0 * lost.clamp(0.0, 1.0);
    IE + (95.0 - IE) * percent / (percent / burst.max(1.0) + BPL)
}

/// Mean opinion score of G.107's R.
#[must_use]
pub fn mos(rating: f64) -> f64 {
    if rating <= 0.0 {
        1.0
    } else if rating >= 100.0 {
        4.5
    } else {
        1.0 + 0.035 * rating + 7e-6 * rating * (rating - 60.0) * (100.0 - rating)
    }
}

/// R for a delay in ms and losses.
#[must_use]
pub fn rating(delay: f64, lost: f64, burst: f64) -> f64 {
    R_BEST - delay_impairment(delay) - loss_impairment(lost, burst)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn delays_cost_what_g107_says() {
        for (delay, impairment) in [
            (100.0, 0.0),
            (200.0, 3.0),
            (300.0, 14.8),
            (400.0, 24.1),
            (600.0, 35.2),
        ] {
            let found = delay_impairment(delay);
            assert!((found - impairment).abs() < 0.1, "{delay}: {found}");
        }
    }

    #[test]
    fn scores_are_those_of_g107() {
        for (rating, score) in [
            (93.0, 4.41),
            (72.5, 3.71),
            (58.0, 2.99),
            (-5.0, 1.0),
            (120.0, 4.5),
        ] {
            assert!((mos(rating) - score).abs() < 0.02, "{rating}");
        }
        assert!(rating(200.0, 0.02, 1.0) < rating(200.0, 0.0, 1.0));
    }
}
