//! The ring of frames: those to come and the memory of those gone.

use tacit_types::{FramePayload, Reach};

use crate::limits::{AHEAD, RING};

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
    /// There is a later frame, or was one, whose DRED restores it.
    restorable: bool,
    /// There as long as the frame is buffered.
    content: Option<(FramePayload, Reach)>,
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
            restorable: false,
            content: None,
        };
        Self {
            places: vec![empty; RING],
        }
    }

    pub(crate) fn clear(&mut self) {
        for place in &mut self.places {
            place.state = State::Missing;
            place.restorable = false;
            place.content = None;
        }
    }

    pub(crate) fn state(&self, frame: u32) -> State {
        let place = &self.places[index(frame)];
        if place.frame == frame {
            place.state
        } else {
            State::Missing
        }
    }

    /// Marks a missing frame as one that can be restored; false if it is not missing or was marked
    /// before, or if its place belongs to something else that is still needed.
    pub(crate) fn mark_restorable(&mut self, frame: u32) -> bool {
        let place = &mut self.places[index(frame)];
        let known = place.frame == frame;
        if known && (place.state != State::Missing || place.restorable) {
            return false;
        }
        // An old frame is not to wipe out a newer one, nor what is known of it.
        if !known && place.frame > frame && (place.state != State::Missing || place.restorable) {
            return false;
        }
        *place = Place {
            frame,
            state: State::Missing,
            restorable: true,
            content: None,
        };
        true
    }

    /// Whether a missing frame was marked as one that can be restored.
    pub(crate) fn is_restorable(&self, frame: u32) -> bool {
        let place = &self.places[index(frame)];
        place.frame == frame && place.state == State::Missing && place.restorable
    }

    /// Marks a frame as buffered.
    pub(crate) fn put(&mut self, frame: u32, payload: &FramePayload, reach: Reach) {
        self.places[index(frame)] = Place {
            frame,
            state: State::Buffered,
            restorable: true,
            content: Some((*payload, reach)),
        };
    }

    /// Marks a frame as seen and not wanted any more.
    pub(crate) fn put_gone(&mut self, frame: u32) {
        self.places[index(frame)] = Place {
            frame,
            state: State::Gone,
            restorable: true,
            content: None,
        };
    }

    /// Takes a further copy of a buffered frame in the first one's stead, if it can repair and the
    /// first one cannot.
    pub(crate) fn improve(&mut self, frame: u32, payload: &FramePayload, reach: Reach) {
        let place = &self.places[index(frame)];
        let poor = matches!(place.content, Some((_, Reach::NONE)));
        if place.frame == frame && poor && reach != Reach::NONE {
            self.put(frame, payload, reach);
        }
    }

    /// Takes a buffered frame out; it stays remembered.
    pub(crate) fn take(&mut self, frame: u32) -> Option<FramePayload> {
        if self.state(frame) != State::Buffered {
            return None;
        }
        let place = &mut self.places[index(frame)];
        place.state = State::Gone;
        let (payload, _) = place.content.take()?;
        Some(payload)
    }

    /// The nearest buffered frame after a missing one whose DRED restores it, and how much later it
    /// is.
    pub(crate) fn repairer(&self, missing: u32) -> Option<(u32, FramePayload)> {
        if self.state(missing) == State::Buffered {
            return None;
        }
        (1..AHEAD).find_map(|back| {
            let later = missing.checked_add(back)?;
            let place = &self.places[index(later)];
            let (payload, reach) = place.content.as_ref().filter(|_| place.frame == later)?;
            reach.covers(back).then_some((back, *payload))
        })
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
