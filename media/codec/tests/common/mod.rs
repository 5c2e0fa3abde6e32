//! Sounds and chance for the codec's tests.
#![allow(dead_code, reason = "each test uses its part")]

use tacit_codec::{Encoder, FrameSamples};
use tacit_types::EncodedFrame;

pub(crate) const SILENCE: FrameSamples = [0.0; 960];

/// A small generator, so that a failure is repeatable.
pub(crate) struct Dice(pub(crate) u64);

impl Dice {
    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        self.0 >> 33
    }

    pub(crate) fn below(&mut self, limit: usize) -> usize {
        usize::try_from(self.next()).unwrap_or(0) % limit
    }

    pub(crate) fn noise(&mut self) -> f32 {
        self.next() as f32 / (1_u64 << 30) as f32 - 1.0
    }
}

/// A buzz with a moving pitch and the first harmonics of a vowel.
pub(crate) fn voice(frame: usize) -> FrameSamples {
    let mut out = SILENCE;
    for (i, sample) in out.iter_mut().enumerate() {
        let t = (frame * 960 + i) as f64 / 48_000.0;
        let pitch = 120.0 + 8.0 * (2.0 * std::f64::consts::PI * 3.0 * t).sin();
        let harmonic = |n: f64| (2.0 * std::f64::consts::PI * n * pitch * t).sin() / n;
        *sample = (1..12).map(|n| harmonic(f64::from(n))).sum::<f64>() as f32 * 0.2;
    }
    out
}

pub(crate) fn power(samples: &[f32]) -> f32 {
    samples.iter().map(|s| s * s).sum::<f32>() / samples.len() as f32
}

pub(crate) fn encode_all(frames: &[FrameSamples]) -> Vec<EncodedFrame> {
    let mut encoder = Encoder::new().expect("libopus starts");
    frames
        .iter()
        .map(|frame| encoder.encode(frame).expect("any sound encodes"))
        .collect()
}
