//! Tones, and how much of one is in a recording.

use std::f32::consts::TAU;
use std::path::Path;

/// Writes a tone.
pub(crate) fn tone(path: &Path, hertz: f32, seconds: u32) {
    let spec = hound::WavSpec {
        channels: 1,
        sample_rate: 48_000,
        bits_per_sample: 16,
        sample_format: hound::SampleFormat::Int,
    };
    let mut wav = hound::WavWriter::create(path, spec).unwrap();
    for n in 0..48_000 * seconds {
        #[expect(clippy::cast_precision_loss, clippy::cast_possible_truncation)]
        wav.write_sample(((n as f32 * hertz * TAU / 48_000.0).sin() * 8000.0) as i16)
            .unwrap();
    }
    wav.finalize().unwrap();
}

/// Energy of a frequency in a recording, relative to all of it.
pub(crate) fn share_of(path: &Path, hertz: f32) -> f32 {
    let samples: Vec<f32> = hound::WavReader::open(path)
        .unwrap()
        .samples::<i16>()
        .map(|s| f32::from(s.unwrap()))
        .collect();
    let (mut re, mut im, mut all) = (0.0_f64, 0.0_f64, 0.0_f64);
    for (n, s) in samples.iter().enumerate() {
        #[expect(clippy::cast_precision_loss)]
        let angle = f64::from(hertz) * std::f64::consts::TAU * n as f64 / 48_000.0;
        re += f64::from(*s) * angle.cos();
        im += f64::from(*s) * angle.sin();
        all += f64::from(*s) * f64::from(*s);
    }
    #[expect(clippy::cast_precision_loss, clippy::cast_possible_truncation)]
    let share = (2.0 * (re * re + im * im) / (samples.len() as f64 * all.max(1.0))) as f32;
    share
}
