//! The decoder: any 60 bytes in, 20 ms within full scale or an error out.

use crate::raw::RawDecoder;
use crate::{CodecError, FramePayload, FrameSamples};
use opus::Channels;
use tacit_types::limits::{FRAME_SAMPLES, SAMPLE_RATE};

/// From 5 on libopus conceals with its neural network ("deep PLC", 0.15 ms a frame), from 6 on it
/// also improves decoded speech by a small one (LACE: up to 0.08 PESQ-WB for 0.03 ms a frame, 0.08
/// in all). 7 would take the large one (NoLACE: 0.02 PESQ-WB more for 0.06 ms more).
const COMPLEXITY: i32 = 6;

/// Decodes 20 ms frames and fills in for missing ones.
pub struct Decoder {
    inner: RawDecoder,
}

impl Decoder {
    /// A decoder at the start of a stream.
    ///
    /// # Errors
    /// [`CodecError::Library`] when libopus cannot allocate its state.
    pub fn new() -> Result<Self, CodecError> {
        let mut inner = RawDecoder::new()?;
        inner.set_complexity(COMPLEXITY)?;
        Ok(Self { inner })
    }

    /// Decodes the frame that follows the one decoded or concealed before.
    ///
    /// # Errors
    /// [`CodecError::Damaged`] when the payload is not one mono 20 ms frame: `out` is then
    /// unspecified, and the caller conceals instead.
    pub fn decode(
        &mut self,
        payload: &FramePayload,
        out: &mut FrameSamples,
    ) -> Result<(), CodecError> {
        if !is_one_frame(payload) {
            return Err(CodecError::Damaged);
        }
        match self.inner.decode(Some(payload), out) {
            Ok(FRAME_SAMPLES) => {
                keep_within_full_scale(out);
                Ok(())
            }
            _ => Err(CodecError::Damaged),
        }
    }

    /// Fills in for a missing frame from what came before it, fading out over a long gap.
    ///
    /// # Errors
    /// [`CodecError::Library`]; not expected.
    pub fn conceal(&mut self, out: &mut FrameSamples) -> Result<(), CodecError> {
        self.inner.decode(None, out)?;
        keep_within_full_scale(out);
        Ok(())
    }
}

fn keep_within_full_scale(out: &mut FrameSamples) {
    for sample in out.iter_mut() {
        *sample = within_full_scale(*sample);
    }
}

/// Checked before libopus decodes, so that a refused payload leaves its state alone. What passes
/// here and does not parse is refused by libopus itself before it touches its state.
fn is_one_frame(payload: &FramePayload) -> bool {
    matches!(opus::packet::get_nb_channels(payload), Ok(Channels::Mono))
        && matches!(
            opus::packet::get_nb_samples(payload, SAMPLE_RATE),
            Ok(FRAME_SAMPLES)
        )
}

/// Clips to ±1; not-a-number becomes silence.
pub(crate) fn within_full_scale(sample: f32) -> f32 {
    if sample.is_nan() {
        0.0
    } else {
        sample.clamp(-1.0, 1.0)
    }
}
