//! The ring of frames: those to come and the memory of those gone.

use tacit_types::limits::OPUS_FRAME_BYTES;

use crate::limits::RING;

/// What is known of a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum State {
    /// Never seen.
    Missing,
    /// Waiting to be played.
    Buffered,
    /// Seen, and played, skipped or too late.
    Gone,
}

#[derive(Clone, Copy, Debug)]
struct Place {
    frame: u32,
    state: State,
    payload: [u8; OPUS_FRAME_BYTES],
}

#[derive(Clone, Debug)]
pub(crate) struct Frames {
    places: Vec<Place>,
}

impl Frames {
    pub(crate) fn new() -> Self {
        let empty = Place {
            frame: 0,
            state: State::Missing,
            payload: [0; OPUS_FRAME_BYTES],
        };
        Self {
            places: vec![empty; RING],
        }
    }

    pub(crate) fn clear(&mut self) {
        self.places
            .iter_mut()
            .for_each(|place| place.state = State::Missing);
    }

    pub(crate) fn state(&self, frame: u32) -> State {
        let place = &self.places[index(frame)];
        if place.frame == frame {
            place.state
        } else {
            State::Missing
        }
    }

    pub(crate) fn put(&mut self, frame: u32, state: State, payload: &[u8; OPUS_FRAME_BYTES]) {
        self.places[index(frame)] = Place {
            frame,
            state,
            payload: *payload,
        };
    }

    /// Takes a buffered frame out; it stays remembered.
    pub(crate) fn take(&mut self, frame: u32) -> Option<[u8; OPUS_FRAME_BYTES]> {
        if self.state(frame) != State::Buffered {
            return None;
        }
        let place = &mut self.places[index(frame)];
        place.state = State::Gone;
        Some(place.payload)
    }

    /// Buffered frames.
    pub(crate) fn buffered(&self) -> usize {
        self.places
            .iter()
            .filter(|place| place.state == State::Buffered)
            .count()
    }

    /// The oldest buffered frame.
    pub(crate) fn oldest(&self) -> Option<u32> {
        let buffered = self
            .places
            .iter()
            .filter(|place| place.state == State::Buffered);
        buffered.map(|place| place.frame).min()
    }
}

const fn index(frame: u32) -> usize {
    frame as usize % RING
}
