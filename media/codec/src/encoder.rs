//! The encoder: bounded size, no DTX, deterministic, DRED.

use crate::decoder::within_full_scale;
use crate::dred::Dred;
use crate::raw::{RawEncoder, Setting};
use crate::{BIT_RATE, CodecError, FrameSamples};
use opusic_sys as sys;
use tacit_types::limits::FRAME_MAX_BYTES;
use tacit_types::{EncodedFrame, FramePayload};

/// What the encoder is told. Measured in docs/decisions/0015-codec-and-repair.md, together: the
/// bit rate is for speech and DRED, the loss says how they share it, the duration how much DRED may
/// take at the most.
const SETTINGS: [(Setting, i32); 9] = [
    (Setting::BitRate, BIT_RATE),
    // Speech and DRED take what they need; CBR leaves DRED whatever speech leaves over, which is
    // least when somebody speaks.
    (Setting::Vbr, 1),
    (Setting::Dtx, 0),
    // The packet layer repeats whole frames.
    (Setting::InbandFec, 0),
    (Setting::PacketLoss, 20),
    (Setting::Signal, sys::OPUS_SIGNAL_VOICE),
    // 12 kHz of audio: PESQ hears nothing above 8 kHz, people do.
    (Setting::MaxBandwidth, sys::OPUS_BANDWIDTH_SUPERWIDEBAND),
    // Of 0 to 10: 8, 9 and 10 give the same bytes, 7 loses up to 0.06 PESQ-WB.
    (Setting::Complexity, 8),
    // Units of 10 ms: 480 ms, 24 frames.
    (Setting::DredDuration, 48),
];

/// Encodes 20 ms frames of mono speech.
pub struct Encoder {
    inner: RawEncoder,
    dred: Dred,
}

impl Encoder {
    /// An encoder at the start of its stream.
    ///
    /// # Errors
    /// [`CodecError::Library`] when libopus cannot allocate its state.
    pub fn new() -> Result<Self, CodecError> {
        let mut inner = RawEncoder::new()?;
        for (setting, value) in SETTINGS {
            inner.set(setting, value)?;
        }
        Ok(Self {
            inner,
            dred: Dred::new()?,
        })
    }

    /// Encodes one frame. Samples beyond full scale are clipped, not-a-number counts as silence.
    ///
    /// # Errors
    /// [`CodecError::Library`]; not expected for any input.
    pub fn encode(&mut self, samples: &FrameSamples) -> Result<EncodedFrame, CodecError> {
        let clean = samples.map(within_full_scale);
        let mut room = [0; FRAME_MAX_BYTES];
        let written = self.inner.encode(&clean, &mut room)?;
        let full = payload(&room, written)?;
        let reach = self.dred.load(&full)?;
        // In place: DRED lies in the padding.
        let unpadded = opus::packet::unpad(&mut room[..usize::from(full.length())])?;
        Ok(EncodedFrame {
            full,
            short: payload(&room, unpadded)?,
            reach,
        })
    }
}

fn payload(room: &[u8; FRAME_MAX_BYTES], length: usize) -> Result<FramePayload, CodecError> {
    room.get(..length)
        .and_then(FramePayload::new)
        .ok_or(CodecError::Size(length))
}
