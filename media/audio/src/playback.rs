//! The producer's end of a sink.

use crate::capture::samples_at;
use crate::device::OutputStream;
use crate::limits::MAX_PLAYBACK_BACKLOG;
use crate::meter::{Level, count};
use crate::monitor::{AudioEvent, Shared};
use crate::pace::Pace;
use crate::{AudioError, Block, DeviceChoice, Sink, WavWriter};
use core::time::Duration;
use ringbuf::HeapProd;
use ringbuf::traits::{Observer, Producer};
use std::sync::Arc;
use tacit_types::Timestamp;
use tacit_types::limits::{BLOCK_SAMPLES, SAMPLE_RATE};

/// Takes the sound for a [`Sink`], 10 ms at a time.
#[derive(Debug)]
pub struct Playback {
    inner: Inner,
    pace: Pace,
    shared: Arc<Shared>,
}

enum Inner {
    Device(Box<OutputStream>),
    Wav(WavWriter),
    Host(HeapProd<f32>),
    Discard,
}

impl Playback {
    pub(crate) fn open(sink: Sink, shared: Arc<Shared>) -> Result<Self, AudioError> {
        let inner = match sink {
            Sink::Device(choice) => {
                Inner::Device(Box::new(OutputStream::open(choice, Arc::clone(&shared))?))
            }
            Sink::Wav(path) => Inner::Wav(WavWriter::create(&path)?),
            Sink::Host(host) => Inner::Host(host.0),
            Sink::Discard => Inner::Discard,
        };
        Ok(Self {
            inner,
            pace: Pace::default(),
            shared,
        })
    }

    /// Whether the sink wants a block now. A running device asks as its ring empties; everything
    /// else (a file, a host, a device that is lost at the moment) by `now`, one block every 10 ms.
    pub fn ready(&mut self, now: Timestamp) -> bool {
        match &mut self.inner {
            Inner::Device(stream) if !stream.is_lost() => {
                self.pace.reset();
                stream.wants_block()
            }
            _ => self.pace.due(now),
        }
    }

    /// Hands over 10 ms. False when there is no room; the block is then dropped and counted.
    ///
    /// Never blocks, except for a file's page cache.
    pub fn push(&mut self, block: &Block) -> bool {
        self.pace.took();
        self.shared.output_level.set(Level::of(block));
        let taken = match &mut self.inner {
            Inner::Device(stream) => stream.push(block),
            Inner::Wav(writer) => match writer.write(block) {
                Ok(()) => true,
                Err(error) => {
                    tracing::warn!(%error, "the sound file can no longer be written");
                    self.shared.report(AudioEvent::FileFailed);
                    self.inner = Inner::Discard;
                    false
                }
            },
            Inner::Host(ring) => push_whole(ring, block, SAMPLE_RATE),
            Inner::Discard => true,
        };
        if !taken {
            count(&self.shared.counters.playback_overrun, 1);
        }
        taken
    }

    /// Goes over to another loudspeaker, as soon as it runs; one that cannot be used is told by
    /// [`AudioEvent::Unavailable`](crate::AudioEvent::Unavailable). False, and nothing changes, unless this
    /// is a loudspeaker.
    pub fn choose(&self, choice: DeviceChoice) -> bool {
        match &self.inner {
            Inner::Device(stream) => {
                stream.choose(choice);
                true
            }
            _ => false,
        }
    }

    /// When the next pushed block's first sample will be heard, from now: what waits in the ring
    /// and what the device reports of itself. Zero for a file.
    #[must_use]
    pub fn delay(&self) -> Duration {
        match &self.inner {
            Inner::Device(stream) => stream.delay(),
            Inner::Host(ring) => samples_at(ring.occupied_len(), SAMPLE_RATE),
            Inner::Wav(_) | Inner::Discard => Duration::ZERO,
        }
    }

    /// Completes a file and tells whether that worked; closes a device.
    ///
    /// # Errors
    /// [`AudioError::BadFile`].
    pub fn close(self) -> Result<(), AudioError> {
        match self.inner {
            Inner::Wav(writer) => Ok(writer.finalize()?),
            _ => Ok(()),
        }
    }
}

/// All samples or none, and never more than [`MAX_PLAYBACK_BACKLOG`].
pub(crate) fn push_whole(ring: &mut impl Producer<Item = f32>, samples: &[f32], rate: u32) -> bool {
    let most = MAX_PLAYBACK_BACKLOG.as_millis() as usize * rate as usize / 1_000;
    let room = most
        .min(ring.capacity().get())
        .saturating_sub(ring.occupied_len());
    room >= samples.len() && ring.push_slice(samples) == samples.len()
}

/// One block at a rate, rounded up.
pub(crate) fn block_at(rate: u32) -> usize {
    (BLOCK_SAMPLES * rate as usize).div_ceil(SAMPLE_RATE as usize)
}

impl core::fmt::Debug for Inner {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str(match self {
            Self::Device(_) => "Device",
            Self::Wav(_) => "Wav",
            Self::Host(_) => "Host",
            Self::Discard => "Discard",
        })
    }
}
