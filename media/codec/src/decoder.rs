//! The decoder: any bytes in, 20 ms within full scale or an error out.

use crate::dred::{self, Dred};
use crate::raw::RawDecoder;
use crate::{CodecError, FrameSamples};
use opus::Channels;
use tacit_types::limits::{FRAME_SAMPLES, SAMPLE_RATE};
use tacit_types::{FramePayload, Reach};

/// How the decoder improves decoded speech. Both conceal with libopus's neural network ("deep
/// PLC"). Measured in docs/decisions/0015-codec-and-repair.md.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Enhancement {
    /// A small neural network.
    #[default]
    Lace,
    /// A large one: 0.03 PESQ-WB more, for twice the time.
    NoLace,
}

impl Enhancement {
    /// Of libopus's scale of 0 to 10; 5 would be deep PLC alone.
    const fn complexity(self) -> i32 {
        match self {
            Self::Lace => 6,
            Self::NoLace => 7,
        }
    }
}

/// Decodes 20 ms frames, restores missing ones from DRED and fills in for the others.
pub struct Decoder {
    inner: RawDecoder,
    dred: Dred,
}

impl Decoder {
    /// A decoder at the start of a stream.
    ///
    /// # Errors
    /// [`CodecError::Library`] when libopus cannot allocate its state.
    pub fn new() -> Result<Self, CodecError> {
        Self::with(Enhancement::default())
    }

    /// A decoder at the start of a stream, with an enhancement of choice.
    ///
    /// # Errors
    /// [`CodecError::Library`] when libopus cannot allocate its state.
    pub fn with(enhancement: Enhancement) -> Result<Self, CodecError> {
        let mut inner = RawDecoder::new()?;
        inner.set_complexity(enhancement.complexity())?;
        Ok(Self {
            inner,
            dred: Dred::new()?,
        })
    }

    /// Decodes the frame that follows the one decoded, repaired or concealed before; in full or
    /// short, which sound the same.
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

    /// Restores a missing frame from the DRED of a frame that comes `back` frames later. Frames are
    /// restored in their order, each from whichever later frame has it.
    ///
    /// # Errors
    /// [`CodecError::Damaged`] or [`CodecError::OutOfReach`] when the later frame cannot do that:
    /// `out` is then unspecified, and the caller conceals instead.
    pub fn repair(
        &mut self,
        later: &FramePayload,
        back: u32,
        out: &mut FrameSamples,
    ) -> Result<(), CodecError> {
        if !is_one_frame(later) {
            return Err(CodecError::Damaged);
        }
        dred::decode(&mut self.inner, &mut self.dred, later, back, out)?;
        keep_within_full_scale(out);
        Ok(())
    }

    /// Which frames before its own a payload's DRED restores.
    ///
    /// # Errors
    /// [`CodecError::Damaged`] when the payload is not one mono 20 ms frame.
    pub fn reach(&mut self, payload: &FramePayload) -> Result<Reach, CodecError> {
        if !is_one_frame(payload) {
            return Err(CodecError::Damaged);
        }
        self.dred.load(payload)
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
    let bytes = payload.as_slice();
    matches!(opus::packet::get_nb_channels(bytes), Ok(Channels::Mono))
        && matches!(
            opus::packet::get_nb_samples(bytes, SAMPLE_RATE),
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
