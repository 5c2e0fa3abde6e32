//! How long and how loud sound is.

use std::time::Duration;

use tacit_codec::FrameSamples;
use tacit_types::limits::FRAME_SAMPLES;

/// Root mean square below which a frame may be left out unnoticed, −50 dBFS.
pub(crate) const QUIET_RMS: f32 = 0.003;

/// How long so many samples last.
pub(crate) fn duration_of(samples: usize) -> Duration {
    Duration::from_micros(samples as u64 * 1_000 / 48)
}

/// Root mean square.
pub(crate) fn rms(samples: &FrameSamples) -> f32 {
    #[expect(clippy::cast_precision_loss, reason = "960")]
    let mean = samples.iter().map(|s| s * s).sum::<f32>() / FRAME_SAMPLES as f32;
    mean.sqrt()
}
