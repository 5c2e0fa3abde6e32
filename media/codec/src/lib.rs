//! Opus with deep redundancy: 20 ms of mono speech at 48 kHz, at most 140 bytes.
//!
//! ```text
//!   [f32; 960]  --Encoder-->  full   ~ ~ ~ ~>  Decoder.decode   ->  [f32; 960]
//!                          \  short  ~ ~ ~ ~>  Decoder.decode   ->  [f32; 960]
//!                             (missing, a later full one is there)
//!                                              Decoder.repair   ->  [f32; 960]
//!                             (missing)        Decoder.conceal  ->  [f32; 960]
//! ```
//!
//! A frame in full carries DRED, a coarse description of about the last half second, from which a
//! neural network speaks again what was lost. Repeats go without it: the frame's short form.
//!
//! **Sizes differ with what is said.** They must never show on the wire: frames travel inside
//! packets of one size only (tacit-packet). No frame is longer than
//! [`FRAME_MAX_BYTES`](tacit_types::limits::FRAME_MAX_BYTES), which libopus is given as its room.
//! The same samples given to a new encoder give the same bytes.
//!
//! Payloads reach the decoder only after authentication, yet a hostile contact may send anything:
//! a payload that is not one mono 20 ms frame is [`CodecError::Damaged`], DRED that is not there is
//! [`CodecError::OutOfReach`], and what is well-formed but nonsense decodes to noise within full
//! scale. No input panics.
//!
//! Nothing allocates after construction: libopus works in its state and on the stack.
//!
//! **Not in this crate:** which frame to play when (playout), packets and repeats (packet).
#![deny(unsafe_code)]

mod decoder;
mod dred;
mod encoder;
mod error;
mod raw;

pub use decoder::{Decoder, Enhancement};
pub use encoder::{Bandwidth, Encoder, Settings};
pub use error::CodecError;

use tacit_types::limits::FRAME_SAMPLES;

/// One 20 ms frame of samples within -1.0 ..= 1.0.
pub type FrameSamples = [f32; FRAME_SAMPLES];

/// Bits per second that the encoder aims at, speech and DRED together: 100 bytes every 20 ms.
pub const BIT_RATE: i32 = 40_000;

/// Samples by which the decoder's output lags behind the encoder's input: 6.5 ms, the encoder's
/// look-ahead for `Application::Voip` at 48 kHz (asserted by a test against libopus).
#[must_use]
pub const fn lookahead() -> usize {
    312
}
