//! The consumer's end of a source.

use crate::device::InputStream;
use crate::limits::MAX_CAPTURE_BACKLOG;
use crate::meter::{Level, count};
use crate::monitor::Shared;
use crate::{AudioError, Block, DeviceChoice, SILENCE, Source, WavReader};
use core::time::Duration;
use ringbuf::HeapCons;
use ringbuf::traits::{Consumer, Observer};
use std::sync::Arc;
use tacit_types::limits::{BLOCK_SAMPLES, SAMPLE_RATE};

/// Gives the sound of a [`Source`], 10 ms at a time.
#[derive(Debug)]
pub struct Capture {
    inner: Inner,
    shared: Arc<Shared>,
}

enum Inner {
    Device(InputStream),
    Wav { reader: WavReader, ended: bool },
    Host(HeapCons<f32>),
    Silence,
}

impl Capture {
    pub(crate) fn open(source: Source, shared: Arc<Shared>) -> Result<Self, AudioError> {
        let inner = match source {
            Source::Device(choice) => {
                Inner::Device(InputStream::open(choice, Arc::clone(&shared))?)
            }
            Source::Wav(path) => Inner::Wav {
                reader: WavReader::open(&path)?,
                ended: false,
            },
            Source::Host(host) => Inner::Host(host.0),
            Source::Silence => Inner::Silence,
        };
        Ok(Self { inner, shared })
    }

    /// The next 10 ms. False, and silence in `block`, when a device or host has not delivered them
    /// yet; a file always delivers (silence after its end), so the caller sets its pace.
    ///
    /// Never blocks. Of a device or host that was not popped for a while only the newest
    /// [`MAX_CAPTURE_BACKLOG`] are kept.
    pub fn pop(&mut self, block: &mut Block) -> bool {
        let popped = match &mut self.inner {
            Inner::Device(stream) => stream.pop(block),
            Inner::Wav { reader, ended } => {
                *ended |= !reader.next_block(block);
                true
            }
            Inner::Host(ring) => {
                let dropped = drop_backlog(ring, SAMPLE_RATE);
                count(&self.shared.counters.capture_overrun, dropped);
                ring.occupied_len() >= BLOCK_SAMPLES && ring.pop_slice(block) == BLOCK_SAMPLES
            }
            Inner::Silence => {
                *block = SILENCE;
                true
            }
        };
        if popped {
            for sample in block.iter_mut() {
                *sample = within_full_scale(*sample);
            }
            self.shared.input_level.set(Level::of(block));
        } else {
            *block = SILENCE;
        }
        popped
    }

    /// Goes over to another microphone, as soon as it runs; one that cannot be used is told by
    /// [`AudioEvent::Unavailable`](crate::AudioEvent::Unavailable). False, and nothing changes, unless this
    /// is a microphone.
    pub fn choose(&self, choice: DeviceChoice) -> bool {
        match &self.inner {
            Inner::Device(stream) => {
                stream.choose(choice);
                true
            }
            _ => false,
        }
    }

    /// Whether a file has been played to its end. Never true for anything else.
    #[must_use]
    pub const fn ended(&self) -> bool {
        matches!(self.inner, Inner::Wav { ended: true, .. })
    }

    /// How much can be popped at once, about: what waits in the ring. Zero for a file.
    #[must_use]
    pub fn waiting(&self) -> Duration {
        match &self.inner {
            Inner::Device(stream) => stream.waiting(),
            Inner::Host(ring) => samples_at(ring.occupied_len(), SAMPLE_RATE),
            Inner::Wav { .. } | Inner::Silence => Duration::ZERO,
        }
    }

    /// How old the next popped block's first sample is: what waits in the ring and what the device
    /// reports of itself. Zero for a file.
    #[must_use]
    pub fn delay(&self) -> Duration {
        match &self.inner {
            Inner::Device(stream) => stream.delay(),
            Inner::Host(_) | Inner::Wav { .. } | Inner::Silence => self.waiting(),
        }
    }
}

/// Drops the oldest samples beyond [`MAX_CAPTURE_BACKLOG`]; returns how many.
pub(crate) fn drop_backlog(ring: &mut impl Consumer<Item = f32>, rate: u32) -> usize {
    let most = MAX_CAPTURE_BACKLOG.as_millis() as usize * rate as usize / 1_000;
    let excess = ring.occupied_len().saturating_sub(most);
    ring.skip(excess)
}

/// How long `samples` last.
pub(crate) fn samples_at(samples: usize, rate: u32) -> Duration {
    Duration::from_micros(samples as u64 * 1_000_000 / u64::from(rate.max(1)))
}

/// Clips to ±1; not-a-number becomes silence.
pub(crate) fn within_full_scale(sample: f32) -> f32 {
    if sample.is_nan() {
        0.0
    } else {
        sample.clamp(-1.0, 1.0)
    }
}

impl core::fmt::Debug for Inner {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str(match self {
            Self::Device(_) => "Device",
            Self::Wav { .. } => "Wav",
            Self::Host(_) => "Host",
            Self::Silence => "Silence",
        })
    }
}
