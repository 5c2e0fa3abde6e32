//! Opus at one constant size: 20 ms of mono speech at 48 kHz, always 60 bytes.
//!
//! ```text
//!   [f32; 960]  --Encoder-->  [u8; 60]  ~ ~ ~ ~>  Decoder.decode  ->  [f32; 960]
//!                                       (missing)  Decoder.conceal ->  [f32; 960]
//! ```
//!
//! Hard constant bit rate and no discontinuous transmission: speech, silence and mute give frames
//! of the same size, so the size says nothing about what is said. The same samples given to a new
//! encoder give the same bytes.
//!
//! Payloads reach the decoder only after authentication, yet a hostile contact may send anything:
//! a payload that is not one mono 20 ms frame is [`CodecError::Damaged`], one that is but holds
//! nonsense decodes to noise within full scale. No input panics.
//!
//! Nothing allocates after construction: libopus works in its state and on the stack.
//!
//! **Not in this crate:** which frame to play when (playout), packets and repeats (packet), DRED.
#![deny(unsafe_code)]

mod decoder;
mod encoder;
mod error;
mod raw;

pub use decoder::Decoder;
pub use encoder::Encoder;
pub use error::CodecError;

use tacit_types::limits::{FRAME_SAMPLES, OPUS_FRAME_BYTES};

/// One 20 ms frame of samples within -1.0 ..= 1.0.
pub type FrameSamples = [f32; FRAME_SAMPLES];

/// One encoded frame.
pub type FramePayload = [u8; OPUS_FRAME_BYTES];

/// Bits per second of the encoder: 60 bytes every 20 ms.
pub const BIT_RATE: i32 = 24_000;

/// Samples by which the decoder's output lags behind the encoder's input: 6.5 ms, the encoder's
/// look-ahead for `Application::Voip` at 48 kHz (asserted by a test against libopus).
#[must_use]
pub const fn lookahead() -> usize {
    312
}
