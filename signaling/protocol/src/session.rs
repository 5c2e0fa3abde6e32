//! An answered ring, at either end: sealed PIPE messages, the end of ringing, the delayed close.

use crate::dropped::{DropCounts, DropReason};
use crate::frame::{Frame, FrameBytes, Handle, Opaque, Pipe};
use crate::payload::PipeMessage;
use core::time::Duration;
use std::collections::VecDeque;
use tacit_crypto::pipe::{PipeOpener, PipeSealer};
use tacit_crypto::session::SessionKeys;
use tacit_types::Timestamp;

/// What happens in a session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum SessionEvent {
    /// An authentic message from the peer.
    Message(PipeMessage),
    /// Nobody took the call in time.
    RingEnded,
    /// The delay is over: the handle may close now.
    Close,
}

/// Messages that one drain leaves behind at most; more in one step is a peer gone wild.
const MAX_QUEUED: usize = 64;

/// One end of an answered ring.
#[derive(Debug)]
pub(crate) struct PipeSession {
    handle: Handle,
    sealer: PipeSealer,
    opener: PipeOpener,
    ring_until: Option<Timestamp>,
    close_at: Option<Timestamp>,
    transmits: VecDeque<FrameBytes>,
    events: VecDeque<SessionEvent>,
    drops: DropCounts,
}

impl PipeSession {
    /// `ring_until`: when ringing ends unless somebody accepts; none for silent purposes.
    pub(crate) fn new(handle: Handle, keys: &SessionKeys, ring_until: Option<Timestamp>) -> Self {
        let pipe = keys.pipe();
        Self {
            handle,
            sealer: PipeSealer::new(&pipe),
            opener: PipeOpener::new(&pipe),
            ring_until,
            close_at: None,
            transmits: VecDeque::new(),
            events: VecDeque::new(),
            drops: DropCounts::default(),
        }
    }

    /// Seals a message. Accept and Bye end this side's ringing.
    pub(crate) fn send(&mut self, message: &PipeMessage) {
        self.note(message);
        match self.sealer.seal(&message.encode()) {
            Ok(sealed) if self.transmits.len() < MAX_QUEUED => {
                let pipe = Pipe {
                    handle: self.handle,
                    ciphertext: Opaque(sealed),
                };
                self.transmits.push_back(Frame::Pipe(pipe).encode());
            }
            _ => self.drops.count(DropReason::RateLimited),
        }
    }

    /// A PIPE frame has arrived. Nothing moves unless it is authentic.
    pub(crate) fn handle_input(&mut self, pipe: &Pipe, _now: Timestamp) {
        if pipe.handle != self.handle {
            return self.drops.count(DropReason::UnknownHandle);
        }
        let Ok(plaintext) = self.opener.open(&pipe.ciphertext.0) else {
            return self.drops.count(DropReason::NotAuthentic);
        };
        match PipeMessage::decode(&plaintext) {
            Ok(message) if self.events.len() < MAX_QUEUED => {
                self.note(&message);
                self.events.push_back(SessionEvent::Message(message));
            }
            Ok(_) => self.drops.count(DropReason::RateLimited),
            Err(_) => self.drops.count(DropReason::Malformed),
        }
    }

    /// The call was accepted or refused by other means (the media control lane): ringing is over.
    pub(crate) const fn ring_over(&mut self) {
        self.ring_until = None;
    }

    /// Closes the handle after `delay`, unless an earlier close is set already.
    pub(crate) fn close_after(&mut self, delay: Duration, now: Timestamp) {
        self.ring_until = None;
        self.close_at.get_or_insert(now + delay);
    }

    /// Looks at the clock.
    pub(crate) fn handle_timeout(&mut self, now: Timestamp) {
        if self.ring_until.is_some_and(|at| at <= now) {
            self.ring_until = None;
            self.events.push_back(SessionEvent::RingEnded);
        }
        if self.close_at.is_some_and(|at| at <= now) {
            self.close_at = None;
            self.events.push_back(SessionEvent::Close);
        }
    }

    /// The next frame for the server.
    pub(crate) fn poll_transmit(&mut self) -> Option<FrameBytes> {
        self.transmits.pop_front()
    }

    /// The next event.
    pub(crate) fn poll_event(&mut self) -> Option<SessionEvent> {
        self.events.pop_front()
    }

    /// When to call [`Self::handle_timeout`], and why.
    #[must_use]
    pub(crate) fn poll_timeout(&self) -> Option<(Timestamp, ClientWake)> {
        let ring = self.ring_until.map(|at| (at, ClientWake::RingEnd));
        let close = self.close_at.map(|at| (at, ClientWake::Close));
        [ring, close]
            .into_iter()
            .flatten()
            .min_by_key(|(at, _)| *at)
    }

    pub(crate) fn take_drops(&mut self) -> DropCounts {
        core::mem::take(&mut self.drops)
    }

    const fn note(&mut self, message: &PipeMessage) {
        if matches!(message, PipeMessage::Accept | PipeMessage::Bye) {
            self.ring_until = None;
        }
    }
}

/// Why a caller's or callee's machine wants to be woken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ClientWake {
    /// HELLO or ATTACHED is late.
    ServerLate,
    /// A ping is due, or its echo late.
    Ping,
    /// Nobody has answered or taken the call.
    RingEnd,
    /// A handle's closing delay ends.
    Close,
}
