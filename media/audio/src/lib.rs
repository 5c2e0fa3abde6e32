//! Sound in and out as 10 ms blocks of 48 kHz mono: devices, WAV files, or the host's own rings.
//!
//! ```text
//!   microphone -> callback -> ring ->+                          +-> ring -> callback -> loudspeaker
//!   WAV file   ------> resample ---->+-> Capture    Playback ->-+-> WAV file
//!   host's ring -------------------->+                          +-> host's ring
//! ```
//!
//! [`open`] takes a [`Source`] and a [`Sink`] and gives an [`AudioIo`] of three parts that may go to
//! three threads: [`Capture`] (pop blocks), [`Playback`] (push blocks), [`Monitor`] (events, counters
//! and level meters). Nothing here blocks for longer than a file's page cache does.
//!
//! The device callbacks touch a lock-free ring and atomic counters and nothing else: no lock, no
//! allocation, no file. On Linux they run under PulseAudio or PipeWire where there is one, else ALSA. A
//! process has at most one device input and one device output open. A device
//! that vanishes, or a default that changes, is an [`AudioEvent`]: the stream is reopened as soon as
//! there is a device again, and the call goes on meanwhile.
//!
//! ```no_run
//! use tacit_audio::{AudioIo, DeviceChoice, SILENCE, Sink, Source};
//! # fn main() -> Result<(), tacit_audio::AudioError> {
//! let AudioIo { mut capture, mut playback, .. } =
//!     tacit_audio::open(Source::Wav("question.wav".into()), Sink::Device(DeviceChoice::Default))?;
//! let mut block = SILENCE;
//! while !capture.ended() {
//!     if capture.pop(&mut block) {
//!         playback.push(&block);
//!     }
//! }
//! # Ok(())
//! # }
//! ```
//!
//! **Not in this crate:** the codec, the playout buffer, echo cancellation, any clock (time is an
//! argument where it is needed).
#![forbid(unsafe_code)]

mod capture;
mod device;
mod error;
mod host;
pub mod limits;
mod meter;
mod monitor;
mod pace;
mod playback;
mod resample;
mod wav;

pub use capture::Capture;
pub use device::{DeviceInfo, Direction, list_devices};
pub use error::{AudioError, BadFile};
pub use host::{HostMicrophone, HostSink, HostSource, HostSpeaker, host_sink, host_source};
pub use meter::{Counters, Level};
pub use monitor::{AudioEvent, Monitor};
pub use playback::Playback;
pub use wav::{WavReader, WavWriter};

use std::path::PathBuf;
use std::sync::Arc;
use tacit_types::limits::BLOCK_SAMPLES;

/// 10 ms of 48 kHz mono, each sample within -1.0 ..= 1.0.
pub type Block = [f32; BLOCK_SAMPLES];

/// A block of silence.
pub const SILENCE: Block = [0.0; BLOCK_SAMPLES];

/// Which sound device.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum DeviceChoice {
    /// The system's default, followed when it changes.
    #[default]
    Default,
    /// The device of this id or name, as [`list_devices`] gives them.
    Named(String),
}

/// Where the speaker's own voice comes from.
#[derive(Debug)]
#[non_exhaustive]
pub enum Source {
    /// A microphone.
    Device(DeviceChoice),
    /// A WAV file, one block a pop; silence after its end.
    Wav(PathBuf),
    /// A ring that the host program fills, made by [`host_source`].
    Host(HostSource),
    /// Silence for ever.
    Silence,
}

/// Where the other person's voice goes to.
#[derive(Debug)]
#[non_exhaustive]
pub enum Sink {
    /// A loudspeaker.
    Device(DeviceChoice),
    /// A WAV file: 48 kHz mono, 16 bits, replaced if it exists.
    Wav(PathBuf),
    /// A ring that the host program empties, made by [`host_sink`].
    Host(HostSink),
    /// Nowhere.
    Discard,
}

/// An open source and an open sink.
#[derive(Debug)]
pub struct AudioIo {
    /// Blocks in.
    pub capture: Capture,
    /// Blocks out.
    pub playback: Playback,
    /// Events, counters, level meters.
    pub monitor: Monitor,
}

/// Opens a source and a sink. Blocks until the devices are running, at most
/// [`limits::OPEN_TIMEOUT`] each.
///
/// # Errors
/// [`AudioError`], whose [`reason`](AudioError::reason) is one of `audio.no_input`,
/// `audio.no_output`, `audio.denied` and `audio.bad_file`.
pub fn open(source: Source, sink: Sink) -> Result<AudioIo, AudioError> {
    if let (Source::Wav(spoken), Sink::Wav(heard)) = (&source, &sink) {
        wav::require_different(spoken, heard)?;
    }
    let shared = Arc::new(monitor::Shared::default());
    let capture = Capture::open(source, Arc::clone(&shared))?;
    let playback = Playback::open(sink, Arc::clone(&shared))?;
    Ok(AudioIo {
        capture,
        playback,
        monitor: Monitor::new(shared),
    })
}
