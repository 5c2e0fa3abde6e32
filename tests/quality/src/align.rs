//! Where in the heard signal the spoken one is: envelopes first, then the signal itself.

use crate::{RATE, signal};

/// Samples of 16 kHz in 10 ms.
const COARSE_STEP: usize = 160;

/// The fine search looks this many coarse steps to either side.
const FINE_STEPS: usize = 2;

/// How far the heard signal lags behind the spoken one.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Alignment {
    /// Lag in samples of 48 kHz; negative when the heard file starts later than the spoken one.
    pub delay: i64,
    /// Correlation at that lag, 1 for the same signal.
    pub similarity: f32,
}

impl Alignment {
    /// The lag in milliseconds.
    #[must_use]
    pub fn delay_ms(self) -> f64 {
        self.delay as f64 * 1_000.0 / RATE as f64
    }
}

/// Lags that are looked at, in samples of 48 kHz.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Search {
    /// Smallest lag.
    pub least: i64,
    /// Largest lag.
    pub most: i64,
}

impl Search {
    /// Up to `seconds` to either side.
    #[must_use]
    pub fn within(seconds: f64) -> Self {
        let most = (seconds * RATE as f64) as i64;
        Self { least: -most, most }
    }

    /// Up to `seconds` around a lag that is known roughly.
    #[must_use]
    pub fn around(delay: i64, seconds: f64) -> Self {
        let half = (seconds * RATE as f64) as i64;
        Self {
            least: delay - half,
            most: delay + half,
        }
    }
}

/// Finds `spoken[from..to]` in `heard`. `None` where either is silent.
#[must_use]
pub fn align(
    spoken: &[f32],
    heard: &[f32],
    range: core::ops::Range<usize>,
    search: Search,
) -> Option<Alignment> {
    let part = signal::to_16k(spoken.get(range.clone())?);
    let heard = signal::to_16k(heard);
    let start = (range.start / 3) as i64;
    let (least, most) = (search.least / 3, search.most / 3);
    let coarse = coarse_lag(&part, &heard, start, least, most)?;
    let near = (FINE_STEPS * COARSE_STEP) as i64;
    best_lag(&part, &heard, start, coarse - near..=coarse + near, 1).map(|(lag, similarity)| {
        Alignment {
            delay: lag * 3,
            similarity,
        }
    })
}

fn coarse_lag(part: &[f32], heard: &[f32], start: i64, least: i64, most: i64) -> Option<i64> {
    let step = COARSE_STEP as i64;
    // Envelopes on one grid: the part's begins where the part does.
    let offset = start.rem_euclid(step) as usize;
    let (a, b) = (envelope(part), envelope(heard.get(offset..)?));
    let lags = least.div_euclid(step)..=most.div_euclid(step) + 1;
    best_lag(&a, &b, start / step, lags, 1).map(|(lag, _)| lag * step)
}

/// Loudness of each 10 ms, less its mean: what correlates is how it rises and falls.
fn envelope(samples: &[f32]) -> Vec<f32> {
    let levels: Vec<f32> = samples
        .chunks_exact(COARSE_STEP)
        .map(|c| tacit_audio::Level::of(c).dbfs().max(-60.0))
        .collect();
    let mean = levels.iter().sum::<f32>() / levels.len().max(1) as f32;
    levels.iter().map(|l| l - mean).collect()
}

/// The lag at which `heard[start + lag ..]` resembles `part` most, by normalised correlation.
fn best_lag(
    part: &[f32],
    heard: &[f32],
    start: i64,
    lags: core::ops::RangeInclusive<i64>,
    step: usize,
) -> Option<(i64, f32)> {
    lags.step_by(step)
        .filter_map(|lag| Some((lag, correlation(part, heard, start + lag)?)))
        .max_by(|a, b| a.1.total_cmp(&b.1))
}

/// Normalised correlation of `part` with `heard` from `at`; what lies outside counts as zero.
fn correlation(part: &[f32], heard: &[f32], at: i64) -> Option<f32> {
    let skip = usize::try_from(-at).unwrap_or(0);
    let heard = heard.get(usize::try_from(at).unwrap_or(0)..)?;
    let (mut dot, mut power) = (0.0_f64, 0.0_f64);
    for (a, b) in part.get(skip..)?.iter().zip(heard) {
        dot += f64::from(a * b);
        power += f64::from(b * b);
    }
    let own: f64 = part.iter().map(|a| f64::from(a * a)).sum();
    (own > 0.0 && power > 0.0).then(|| (dot / (own * power).sqrt()) as f32)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Noise whose loudness changes every 40 to 200 ms, as speech's does.
    fn babble(samples: usize) -> Vec<f32> {
        let mut state = 12_345_u32;
        let mut next = move || {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            f64::from(state >> 8) / f64::from(1 << 24)
        };
        let mut out = Vec::with_capacity(samples);
        while out.len() < samples {
            let (loudness, length) = (next().powi(3), (2_000.0 + next() * 8_000.0) as usize);
            out.extend((0..length).map(|_| (loudness * (next() - 0.5)) as f32));
        }
        out.truncate(samples);
        out
    }

    #[test]
    fn delays_of_either_sign_are_found_within_a_sample_of_16_khz() {
        let spoken = babble(12 * RATE);
        for delay in [0_i64, 3, 31_234, 95_000, -20_001] {
            let mut heard: Vec<f32> = vec![0.0; usize::try_from(delay).unwrap_or(0)];
            heard.extend(&spoken[usize::try_from(-delay).unwrap_or(0)..]);
            let found = align(&spoken, &heard, RATE..11 * RATE, Search::within(2.0)).unwrap();
            assert!((found.delay - delay).abs() <= 3, "{delay}: {found:?}");
            assert!(found.similarity > 0.8, "{found:?}");
        }
    }

    #[test]
    fn silence_is_not_aligned() {
        let spoken = babble(4 * RATE);
        let silence = vec![0.0; 4 * RATE];
        assert_eq!(
            align(&spoken, &silence, 0..spoken.len(), Search::within(1.0)),
            None
        );
    }
}
