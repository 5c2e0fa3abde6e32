//! The encoder: bounded size, no DTX, deterministic, DRED.

use crate::decoder::within_full_scale;
use crate::dred::Dred;
use crate::raw::{RawEncoder, Setting};
use crate::{BIT_RATE, CodecError, FrameSamples};
use opusic_sys as sys;
use tacit_types::limits::FRAME_MAX_BYTES;
use tacit_types::{EncodedFrame, FramePayload};

/// How speech and DRED share a frame. The default is what calls use, and what was measured in
/// docs/decisions/0015-codec-and-repair.md; others are for measuring again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Settings {
    /// Bits a second, for speech and DRED together.
    pub bit_rate: i32,
    /// Whether speech and DRED take what they need. If not, every frame has the same size, and DRED
    /// has what speech leaves over, which is least when somebody speaks.
    pub variable: bool,
    /// The share of packets that libopus is told will be lost, percent: how much of the rate DRED
    /// gets.
    pub loss: i32,
    /// How much DRED may cover, in units of 10 ms; 0 for none.
    pub dred: i32,
    /// How much of the sound is encoded.
    pub bandwidth: Bandwidth,
}

/// The highest frequency that is encoded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Bandwidth {
    /// 8 kHz.
    Wide,
    /// 12 kHz: PESQ-WB hears nothing above 8 kHz, people do.
    SuperWide,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            bit_rate: BIT_RATE,
            variable: true,
            loss: 20,
            dred: 48,
            bandwidth: Bandwidth::SuperWide,
        }
    }
}

impl Settings {
    const fn list(self) -> [(Setting, i32); 9] {
        [
            (Setting::BitRate, self.bit_rate),
            (Setting::Vbr, self.variable as i32),
            (Setting::Dtx, 0),
            // The packet layer repeats whole frames.
            (Setting::InbandFec, 0),
            (Setting::PacketLoss, self.loss),
            (Setting::Signal, sys::OPUS_SIGNAL_VOICE),
            (
                Setting::MaxBandwidth,
                match self.bandwidth {
                    Bandwidth::Wide => sys::OPUS_BANDWIDTH_WIDEBAND,
                    Bandwidth::SuperWide => sys::OPUS_BANDWIDTH_SUPERWIDEBAND,
                },
            ),
            // Of 0 to 10: 8, 9 and 10 give the same bytes, 7 loses up to 0.06 PESQ-WB.
            (Setting::Complexity, 8),
            (Setting::DredDuration, self.dred),
        ]
    }
}

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
        Self::with(Settings::default())
    }

    /// An encoder at the start of its stream, with other settings than calls use.
    ///
    /// # Errors
    /// [`CodecError::Library`] when libopus cannot allocate its state or refuses a setting.
    pub fn with(settings: Settings) -> Result<Self, CodecError> {
        let mut inner = RawEncoder::new()?;
        for (setting, value) in settings.list() {
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
