//! Signals in memory: WAV files, the factor of three between 48 and 16 kHz, levels.

use crate::RATE;
use core::f64::consts::PI;
use std::path::Path;
use tacit_audio::{AudioError, Block, SILENCE, WavReader, WavWriter};

/// Between 48 kHz and PESQ's and G.722's 16 kHz.
const FACTOR: usize = 3;

/// Half the taps of the linear-phase filter, at 48 kHz.
const HALF_TAPS: usize = 96;

/// Reads a WAV file as 48 kHz mono. The last block is filled up with silence.
///
/// # Errors
/// [`AudioError`] when it is not a WAV file that Tacit reads.
pub fn read_wav(path: &Path) -> Result<Vec<f32>, AudioError> {
    let mut reader = WavReader::open(path)?;
    let (mut samples, mut block) = (Vec::new(), SILENCE);
    while reader.next_block(&mut block) {
        samples.extend_from_slice(&block);
    }
    Ok(samples)
}

/// Writes 48 kHz mono, 16 bits. The last block is filled up with silence.
///
/// # Errors
/// [`AudioError`] when the file cannot be written.
pub fn write_wav(path: &Path, samples: &[f32]) -> Result<(), AudioError> {
    let mut writer = WavWriter::create(path)?;
    for chunk in samples.chunks(SILENCE.len()) {
        let mut block: Block = SILENCE;
        block[..chunk.len()].copy_from_slice(chunk);
        writer.write(&block)?;
    }
    Ok(writer.finalize()?)
}

/// 48 kHz to 16 kHz through a linear-phase low-pass at 8 kHz, without delay.
#[must_use]
pub fn to_16k(samples: &[f32]) -> Vec<f32> {
    let taps = low_pass();
    (0..samples.len() / FACTOR)
        .map(|i| filtered(samples, &taps, i * FACTOR))
        .collect()
}

/// 16 kHz to 48 kHz through the same filter, without delay.
#[must_use]
pub fn from_16k(samples: &[f32]) -> Vec<f32> {
    let taps = low_pass();
    let mut sparse = vec![0.0; samples.len() * FACTOR];
    for (i, sample) in samples.iter().enumerate() {
        sparse[i * FACTOR] = sample * FACTOR as f32;
    }
    (0..sparse.len())
        .map(|i| filtered(&sparse, &taps, i))
        .collect()
}

fn filtered(samples: &[f32], taps: &[f32], centre: usize) -> f32 {
    let first = centre.saturating_sub(HALF_TAPS);
    let last = (centre + HALF_TAPS).min(samples.len() - 1);
    let skipped = first + HALF_TAPS - centre;
    samples[first..=last]
        .iter()
        .zip(&taps[skipped..])
        .map(|(s, t)| s * t)
        .sum()
}

/// A sinc with a Blackman window, cut off at 7.7 of 8 kHz.
fn low_pass() -> Vec<f32> {
    let cutoff = 7_700.0 / RATE as f64;
    let taps: Vec<f64> = (0..=2 * HALF_TAPS)
        .map(|i| {
            let t = i as f64 - HALF_TAPS as f64;
            let x = 2.0 * PI * cutoff * t;
            let sinc = if t == 0.0 { 1.0 } else { x.sin() / x };
            let phase = PI * i as f64 / HALF_TAPS as f64;
            sinc * (0.42 - 0.5 * phase.cos() + 0.08 * (2.0 * phase).cos())
        })
        .collect();
    let sum: f64 = taps.iter().sum();
    taps.iter().map(|t| (t / sum) as f32).collect()
}

/// Root mean square of each 10 ms, in decibels below full scale, at least -120.
#[must_use]
pub fn levels_10ms(samples: &[f32]) -> Vec<f32> {
    samples
        .chunks(RATE / 100)
        .map(|c| tacit_audio::Level::of(c).dbfs())
        .collect()
}

/// How strong one frequency is in a signal: the amplitude of a sine of that frequency.
#[must_use]
pub fn amplitude_at(samples: &[f32], hertz: f64) -> f64 {
    let (mut re, mut im) = (0.0, 0.0);
    for (i, sample) in samples.iter().enumerate() {
        let phase = 2.0 * PI * hertz * i as f64 / RATE as f64;
        re += f64::from(*sample) * phase.cos();
        im += f64::from(*sample) * phase.sin();
    }
    2.0 * re.hypot(im) / samples.len().max(1) as f64
}

/// The median over tenths of a second of [`amplitude_at`]: a click or a gap does not spoil it.
#[must_use]
pub fn usual_amplitude_at(samples: &[f32], hertz: f64) -> f64 {
    let mut windows: Vec<f64> = samples
        .chunks_exact(RATE / 10)
        .map(|w| amplitude_at(w, hertz))
        .collect();
    windows.sort_by(f64::total_cmp);
    windows.get(windows.len() / 2).copied().unwrap_or(0.0)
}

/// A sine, for tests of devices.
#[must_use]
pub fn tone(hertz: f64, amplitude: f32, samples: usize) -> Vec<f32> {
    (0..samples)
        .map(|i| amplitude * (2.0 * PI * hertz * i as f64 / RATE as f64).sin() as f32)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn down_and_up_again_keeps_what_is_below_eight_kilohertz() {
        let low = tone(1_000.0, 0.5, RATE);
        let back = from_16k(&to_16k(&low));
        let middle = 4_800..40_000;
        let error = low[middle.clone()]
            .iter()
            .zip(&back[middle])
            .map(|(a, b)| (a - b).abs())
            .fold(0.0, f32::max);
        assert!(error < 0.002, "{error}");
        let high = to_16k(&tone(9_000.0, 0.5, RATE));
        assert!(high[1_000..15_000].iter().all(|s| s.abs() < 0.001));
    }

    #[test]
    fn a_tone_is_found_at_its_frequency_alone() {
        let samples = tone(440.0, 0.25, RATE);
        assert!((amplitude_at(&samples, 440.0) - 0.25).abs() < 1e-3);
        assert!(amplitude_at(&samples, 550.0) < 1e-3);
    }
}
