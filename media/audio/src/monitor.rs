//! The part for whoever watches a call: events, counters, level meters.

use crate::Direction;
use crate::limits::MAX_EVENTS;
use crate::meter::{Counters, Level, SharedCounters, SharedLevel};
use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};
use tacit_types::Reason;

/// Something happened to the sound. None of these ends a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum AudioEvent {
    /// The device is gone; it, or the new default, is opened as soon as there is one.
    Lost {
        /// Which half.
        direction: Direction,
        /// `audio.no_input`, `audio.no_output` or `audio.denied`.
        reason: Reason,
    },
    /// Sound flows again, perhaps through another device (`audio.switched`).
    Switched {
        /// Which half.
        direction: Direction,
    },
    /// The device that was asked for is not there or cannot be opened; the one before goes on
    /// (`audio.unavailable`).
    Unavailable {
        /// Which half.
        direction: Direction,
    },
    /// The WAV file can no longer be written; what follows is discarded (`audio.bad_file`).
    FileFailed,
}

impl AudioEvent {
    /// The stable reason for programs and people.
    #[must_use]
    pub const fn reason(self) -> Reason {
        match self {
            Self::Lost { reason, .. } => reason,
            Self::Unavailable { .. } => Reason::AudioUnavailable,
            Self::Switched { .. } => Reason::AudioSwitched,
            Self::FileFailed => Reason::AudioBadFile,
        }
    }
}

/// What all parts of one [`AudioIo`](crate::AudioIo) share. The callbacks use `counters` alone.
#[derive(Debug, Default)]
pub(crate) struct Shared {
    pub(crate) counters: SharedCounters,
    pub(crate) input_level: SharedLevel,
    pub(crate) output_level: SharedLevel,
    events: Mutex<VecDeque<AudioEvent>>,
}

impl Shared {
    /// Never called from a device callback: it takes a lock.
    pub(crate) fn report(&self, event: AudioEvent) {
        let mut events = self.events.lock().unwrap_or_else(PoisonError::into_inner);
        if events.len() == MAX_EVENTS {
            events.pop_front();
        }
        events.push_back(event);
    }
}

/// Watches an open source and sink. May outlive them.
#[derive(Clone, Debug)]
pub struct Monitor {
    shared: Arc<Shared>,
}

impl Monitor {
    pub(crate) const fn new(shared: Arc<Shared>) -> Self {
        Self { shared }
    }

    /// The oldest event not yet taken.
    #[must_use]
    pub fn poll_event(&self) -> Option<AudioEvent> {
        self.shared
            .events
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .pop_front()
    }

    /// What was lost or made up so far.
    #[must_use]
    pub fn counters(&self) -> Counters {
        self.shared.counters.snapshot()
    }

    /// Loudness of the last block popped.
    #[must_use]
    pub fn input_level(&self) -> Level {
        self.shared.input_level.get()
    }

    /// Loudness of the last block pushed.
    #[must_use]
    pub fn output_level(&self) -> Level {
        self.shared.output_level.get()
    }
}
