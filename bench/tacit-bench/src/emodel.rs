//! The E-model of ITU-T G.107 (06/2015), as far as delay, echo and loss go, on the narrowband scale.
//!
//! What delay costs and the fitted constants are the playout's own. There is no published equipment
//! impairment for Opus, so it is fitted here, separately for frames that deep PLC conceals and for
//! those that DRED repairs: `bench/data/impairment.csv` has the data, which the example `impairment`
//! of tacit-quality measures; [`fit`] is the fit, and a test of this module repeats it.

pub use tacit_playout::impairment::{BPL_DRED, BPL_PLC, IE, IE_MAX, delay_impairment};

/// R of a connection without delay and loss, all other parameters at their defaults.
const R_BEST: f64 = 93.2;

/// Frames that were not played as they were spoken.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Losses {
    /// Share of all, of 1.
    pub share: f64,
    /// G.107's BurstR: mean length of a run over that of independent losses; at least 1.
    pub burst: f64,
}

/// Impairment by the talker's own echo, which comes back after twice `delay` ms and `telr` dB
/// weaker: Idte of G.107, other parameters at their defaults.
#[must_use]
pub fn echo_impairment(delay: f64, telr: f64) -> f64 {
    /// −1.5 (No − RLR).
    const ROE: f64 = 94.77;
    let masked = 40.0 * ((1.0 + delay / 10.0) / (1.0 + delay / 150.0)).log10();
    let terv = telr - masked + 6.0 * (-0.3 * delay * delay).exp();
    let re = 80.0 + 2.5 * (terv - 14.0);
    let half = (ROE - re) / 2.0;
    (half + (half * half + 100.0).sqrt() - 1.0) * (1.0 - (-delay).exp())
}

/// Impairment by equipment: Ie,eff of G.107.
fn effective(ie: f64, bpl: f64, losses: Losses) -> f64 {
    let percent = 100.0 * losses.share.clamp(0.0, 1.0);
    ie + (IE_MAX - ie) * percent / (percent / losses.burst.max(1.0) + bpl)
}

/// Impairment by the codec, by what is concealed and by what is repaired; the two add up.
#[must_use]
pub fn equipment_impairment(concealed: Losses, repaired: Losses) -> f64 {
    let plc = effective(IE, BPL_PLC, concealed);
    let dred = effective(IE, BPL_DRED, repaired) - IE;
    (plc + dred).min(IE_MAX)
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

/// R for a delay in ms, and for what was lost and what was done about it.
#[must_use]
pub fn rating(delay: f64, concealed: Losses, repaired: Losses) -> f64 {
    R_BEST - delay_impairment(delay) - equipment_impairment(concealed, repaired)
}

/// R of a mean opinion score, where [`mos`] rises.
#[must_use]
fn rating_of(score: f64) -> f64 {
    let (mut low, mut high) = (6.5, R_BEST);
    for _ in 0..60 {
        let middle = f64::midpoint(low, high);
        if mos(middle) < score {
            low = middle;
        } else {
            high = middle;
        }
    }
    low
}

/// One measurement: a score on the narrowband scale (P.862.1) with such losses.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Measured {
    /// What was lost.
    pub losses: Losses,
    /// How it was scored.
    pub score: f64,
}

impl Measured {
    /// Equipment impairment that explains the score.
    #[must_use]
    pub fn impairment(&self) -> f64 {
        R_BEST - rating_of(self.score)
    }
}

/// Ie, which is the clean codec's, and the Bpl with the least squares, in steps of a tenth; with the
/// root mean square of what remains, in R.
#[must_use]
pub fn fit(clean: f64, measured: &[Measured]) -> (f64, f64, f64) {
    let ie = R_BEST - rating_of(clean);
    let error = |bpl: f64| {
        let square = |m: &Measured| (effective(ie, bpl, m.losses) - m.impairment()).powi(2);
        measured.iter().map(square).sum::<f64>()
    };
    let best = (1..=2_000)
        .map(|tenths| f64::from(tenths) / 10.0)
        .min_by(|a, b| error(*a).total_cmp(&error(*b)))
        .unwrap_or(1.0);
    #[expect(clippy::cast_precision_loss, reason = "few measurements")]
    let count = measured.len().max(1) as f64;
    (ie, best, (error(best) / count).sqrt())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Calls that lose more are beyond hope, and the formula bends otherwise there.
    const MOST: f64 = 0.1;
    const DATA: &str = include_str!("../../data/impairment.csv");

    /// The measurements of one kind: `none`, `plc` or `dred`.
    fn measured(means: &str) -> Vec<Measured> {
        let lines = DATA.lines().skip(1);
        let rows = lines.map(|line| line.split(',').collect::<Vec<_>>());
        rows.filter(|fields| fields[0] == means)
            .map(|fields| Measured {
                losses: Losses {
                    share: fields[2].parse::<f64>().unwrap() / 100.0,
                    burst: fields[3].parse().unwrap(),
                },
                score: fields[4].parse().unwrap(),
            })
            .collect()
    }

    #[test]
    fn the_constants_are_the_fit_of_the_published_data() {
        let clean = measured("none")[0].score;
        for (means, bpl) in [("plc", BPL_PLC), ("dred", BPL_DRED)] {
            let data: Vec<Measured> = measured(means)
                .into_iter()
                .filter(|m| m.losses.share <= MOST)
                .collect();
            let (ie, found, left) = fit(clean, &data);
            println!(
                "{means}: Ie {ie:.1}, Bpl {found:.1}, rms {left:.1} of {} points",
                data.len()
            );
            assert!(data.len() >= 12);
            assert!((ie - IE).abs() < 0.06, "{means}: Ie {ie}");
            assert!((found - bpl).abs() < 0.06, "{means}: Bpl {found}");
        }
    }

    #[test]
    fn repair_costs_less_than_concealment() {
        let losses = Losses {
            share: 0.02,
            burst: 2.0,
        };
        let none = Losses::default();
        let clean = rating(200.0, none, none);
        let repaired = rating(200.0, none, losses);
        let concealed = rating(200.0, losses, none);
        assert!(clean > repaired && repaired > concealed);
        assert!(rating(200.0, losses, losses) < concealed);
    }

    #[test]
    fn echoes_cost_more_the_later_and_the_louder() {
        // By hand from the formulas: 4.8 and 18 at 300 ms.
        assert!((echo_impairment(300.0, 65.0) - 4.8).abs() < 0.1);
        assert!((echo_impairment(300.0, 55.0) - 18.0).abs() < 0.5);
        assert!(echo_impairment(0.0, 65.0) < 0.1);
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
        assert!((rating_of(mos(70.0)) - 70.0).abs() < 0.01);
    }
}
