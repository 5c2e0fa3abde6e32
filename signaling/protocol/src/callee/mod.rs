//! The callee's machine: waits at a mailbox for rings and answers them.
//!
//! ```text
//!   AwaitHello ─▶ Attaching ─▶ Attached ── RING-IN ──▶ IncomingRing
//!                                 │        .authenticate() ─▶ AuthenticatedRing
//!   (embedded: starts here) ──────┘        Callee::answer() ─▶ pipe: messages, ring end, close
//! ```
//!
//! The same machine sits on a stream to an operated server and, without greeting and pings, on the
//! handle of the embedded server in the same process.

mod incoming;

pub use incoming::{AuthenticatedRing, Authority, IncomingRing};

use crate::dropped::{DropCounts, DropReason};
use crate::frame::{
    Answer, Attach, AttachStatus, Attached, Frame, FrameBytes, Handle, Hello, Opaque, Pipe,
};
use crate::limits::{ATTACH_TIMEOUT, CLOSE_SECONDS, HELLO_TIMEOUT, MAX_HANDLES};
use crate::payload::{Opening, PipeMessage, Response};
use crate::pings::{PingDue, Pings, seconds_between};
use crate::session::{ClientWake, PipeSession, SessionEvent};
use rand_chacha::ChaCha20Rng;
use rand_core::SeedableRng;
use std::collections::{BTreeMap, VecDeque};
use tacit_crypto::session::SessionKeys;
use tacit_crypto::token::Generation;
use tacit_types::Timestamp;
use tacit_types::limits::RING_TIMEOUT;

/// What happens at the callee's.
#[derive(Debug)]
#[non_exhaustive]
pub enum CalleeEvent {
    /// Rings of this generation arrive from now on.
    Attached(Generation),
    /// The server does not take this generation.
    AttachRefused(Generation),
    /// Another connection has attached the mailbox: another device, or somebody with our secret.
    Replaced,
    /// A ring, to be authenticated.
    Ring(IncomingRing),
    /// An authentic message from an answered caller.
    Message {
        /// Which ring.
        handle: Handle,
        /// What it says.
        message: PipeMessage,
    },
    /// Nobody took the call in time. The handle closes by itself after its delay.
    RingEnded(Handle),
    /// The handle is closed.
    Closed(Handle),
    /// The server does not greet, attach or echo, or speaks no version of ours.
    ServerLost,
}

/// An answer that cannot be given.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("this response does not answer this ring's purpose")]
pub struct WrongResponse;

enum State {
    AwaitHello {
        since: Timestamp,
        attaches: Vec<Attach>,
    },
    Attaching {
        since: Timestamp,
        left: usize,
    },
    Attached,
    Lost,
}

/// One mailbox, seen from its owner.
pub struct Callee {
    state: State,
    rng: ChaCha20Rng,
    /// None when embedded.
    pings: Option<Pings>,
    /// The server's greeting said that it mints TURN credentials.
    mints: bool,
    sessions: BTreeMap<Handle, PipeSession>,
    transmits: VecDeque<FrameBytes>,
    events: VecDeque<CalleeEvent>,
    drops: DropCounts,
}

impl core::fmt::Debug for Callee {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Callee")
            .field("sessions", &self.sessions.len())
            .field("drops", &self.drops)
            .finish_non_exhaustive()
    }
}

impl Callee {
    /// A stream to an operated server that has just opened: attaches the generations once greeted.
    /// `seed` must be fresh entropy: ephemeral keys come from it.
    #[must_use]
    pub fn operated(attaches: Vec<Attach>, seed: [u8; 32], now: Timestamp) -> Self {
        let mut rng = ChaCha20Rng::from_seed(seed);
        let pings = Some(Pings::new(&mut rng, now));
        Self::new(
            State::AwaitHello {
                since: now,
                attaches,
            },
            rng,
            pings,
        )
    }

    /// The owner's end of an embedded server, attached by other means.
    #[must_use]
    pub fn embedded(seed: [u8; 32]) -> Self {
        Self::new(State::Attached, ChaCha20Rng::from_seed(seed), None)
    }

    fn new(state: State, rng: ChaCha20Rng, pings: Option<Pings>) -> Self {
        Self {
            state,
            rng,
            pings,
            mints: false,
            sessions: BTreeMap::new(),
            transmits: VecDeque::new(),
            events: VecDeque::new(),
            drops: DropCounts::default(),
        }
    }

    /// Attaches a further generation on an attached stream. Its ATTACHED comes as an event.
    pub fn attach(&mut self, attach: &Attach) {
        self.transmits
            .push_back(Frame::Attach(attach.clone()).encode());
    }

    /// Writes message 2: from here on the caller has ringback, and both have keys.
    ///
    /// # Errors
    /// When `response` is not what the ring's purpose calls for.
    pub fn answer(
        &mut self,
        ring: AuthenticatedRing,
        response: &Response,
        now: Timestamp,
    ) -> Result<SessionKeys, WrongResponse> {
        let purpose = ring.opening().purpose();
        if !response.answers(purpose) {
            return Err(WrongResponse);
        }
        let rings = matches!(ring.opening(), Opening::Call(_));
        let (message_2, keys) = ring
            .answer
            .write(&response.encode(), &mut self.rng)
            .expect("message 1 was read and payloads have the room of their frame");
        let message_2 = message_2
            .try_into()
            .expect("payload and overhead fill message 2");
        let answer = Answer {
            handle: ring.handle,
            message_2: Opaque(message_2),
        };
        self.transmits.push_back(Frame::Answer(answer).encode());
        let until = rings.then_some((ring.arrived + RING_TIMEOUT).max(now));
        self.open(ring.handle, PipeSession::new(ring.handle, &keys, until));
        Ok(keys)
    }

    /// Sends a message to an answered caller; says whether there is such a one.
    pub fn send(&mut self, handle: Handle, message: &PipeMessage) -> bool {
        let Some(session) = self.sessions.get_mut(&handle) else {
            return false;
        };
        session.send(message);
        while let Some(frame) = session.poll_transmit() {
            self.transmits.push_back(frame);
        }
        true
    }

    /// The call was accepted over the media control lane: ringing is over.
    pub fn ring_over(&mut self, handle: Handle) {
        if let Some(session) = self.sessions.get_mut(&handle) {
            session.ring_over();
        }
    }

    /// Closes a handle after a random delay, so that nobody can read off what became of the ring.
    pub fn close_later(&mut self, handle: Handle, now: Timestamp) {
        let delay = seconds_between(&mut self.rng, CLOSE_SECONDS);
        if let Some(session) = self.sessions.get_mut(&handle) {
            session.close_after(delay, now);
        }
    }

    /// A frame has arrived from the server.
    pub fn handle_input(&mut self, frame: &FrameBytes, now: Timestamp) {
        match Frame::decode(frame) {
            Ok(Frame::RingIn(ring)) if !matches!(self.state, State::Lost) => {
                self.events
                    .push_back(CalleeEvent::Ring(IncomingRing::new(ring, now)));
            }
            Ok(Frame::Pipe(pipe)) => self.pipe(&pipe, now),
            Ok(Frame::Hello(hello)) => self.hello(hello, now),
            Ok(Frame::Attached(attached)) => self.attached(attached),
            Ok(Frame::Ping(ping)) if ping.echo => {
                let echoed = self
                    .pings
                    .as_mut()
                    .and_then(|pings| pings.echo(ping.number, now));
                if echoed.is_none() {
                    self.drops.count(DropReason::Unexpected);
                }
            }
            Ok(_) => self.drops.count(DropReason::Unexpected),
            Err(_) => self.drops.count(DropReason::Malformed),
        }
    }

    /// Looks at the clock.
    pub fn handle_timeout(&mut self, now: Timestamp) {
        let late = match &self.state {
            State::AwaitHello { since, .. } => *since + HELLO_TIMEOUT <= now,
            State::Attaching { since, .. } => *since + ATTACH_TIMEOUT <= now,
            State::Attached | State::Lost => false,
        };
        if late {
            self.lost();
        }
        self.ping(now);
        let due: Vec<Handle> = self.sessions.keys().copied().collect();
        for handle in due {
            if let Some(session) = self.sessions.get_mut(&handle) {
                session.handle_timeout(now);
            }
            self.drain_session(handle, now);
        }
    }

    /// The next frame for the server: one write, one flush.
    pub fn poll_transmit(&mut self) -> Option<FrameBytes> {
        self.transmits.pop_front()
    }

    /// The next event.
    pub fn poll_event(&mut self) -> Option<CalleeEvent> {
        self.events.pop_front()
    }

    /// When to call [`Self::handle_timeout`], and why.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<(Timestamp, ClientWake)> {
        let late = match &self.state {
            State::AwaitHello { since, .. } => {
                Some((*since + HELLO_TIMEOUT, ClientWake::ServerLate))
            }
            State::Attaching { since, .. } => {
                Some((*since + ATTACH_TIMEOUT, ClientWake::ServerLate))
            }
            State::Attached | State::Lost => None,
        };
        let pings = self
            .running_pings()
            .map(|p| (p.poll_timeout(), ClientWake::Ping));
        let sessions = self.sessions.values().filter_map(PipeSession::poll_timeout);
        sessions.chain(late).chain(pings).min_by_key(|(at, _)| *at)
    }

    /// Whether the operated server said in its greeting that it mints TURN credentials.
    #[must_use]
    pub const fn mints(&self) -> bool {
        self.mints
    }

    /// What was thrown away so far.
    #[must_use]
    pub const fn drops(&self) -> &DropCounts {
        &self.drops
    }

    /// Pings start with the greeting: before it, the server owes us one.
    fn running_pings(&self) -> Option<&Pings> {
        let running = matches!(self.state, State::Attaching { .. } | State::Attached);
        self.pings.as_ref().filter(|_| running)
    }

    fn ping(&mut self, now: Timestamp) {
        if self.running_pings().is_none() {
            return;
        }
        let Some(pings) = &mut self.pings else { return };
        match pings.handle_timeout(&mut self.rng, now) {
            PingDue::Nothing => {}
            PingDue::Send(frame) => self.transmits.push_back(*frame),
            PingDue::Lost => self.lost(),
        }
    }

    fn lost(&mut self) {
        self.state = State::Lost;
        self.events.push_back(CalleeEvent::ServerLost);
    }

    fn hello(&mut self, hello: Hello, now: Timestamp) {
        let State::AwaitHello { attaches, .. } = &self.state else {
            return self.drops.count(DropReason::Unexpected);
        };
        if !hello.speaks_our_version() || !hello.services.attach {
            self.drops.count(DropReason::Version);
            return self.lost();
        }
        self.mints = hello.services.credentials;
        self.transmits
            .extend(attaches.iter().map(|a| Frame::Attach(a.clone()).encode()));
        self.state = State::Attaching {
            since: now,
            left: attaches.len(),
        };
    }

    fn attached(&mut self, attached: Attached) {
        self.events.push_back(match attached.status {
            AttachStatus::Accepted => CalleeEvent::Attached(attached.generation),
            AttachStatus::Refused => CalleeEvent::AttachRefused(attached.generation),
            AttachStatus::Replaced => return self.events.push_back(CalleeEvent::Replaced),
        });
        if let State::Attaching { left, .. } = &mut self.state {
            *left = left.saturating_sub(1);
            if *left == 0 {
                self.state = State::Attached;
            }
        }
    }

    /// Full means: the oldest handle goes.
    fn open(&mut self, handle: Handle, session: PipeSession) {
        if self.sessions.len() >= usize::from(MAX_HANDLES)
            && let Some((oldest, _)) = self.sessions.pop_first()
        {
            self.drops.count(DropReason::HandlesFull);
            self.events.push_back(CalleeEvent::Closed(oldest));
        }
        self.sessions.insert(handle, session);
    }

    fn pipe(&mut self, pipe: &Pipe, now: Timestamp) {
        let Some(session) = self.sessions.get_mut(&pipe.handle) else {
            return self.drops.count(DropReason::UnknownHandle);
        };
        session.handle_input(pipe, now);
        self.drain_session(pipe.handle, now);
    }

    fn drain_session(&mut self, handle: Handle, now: Timestamp) {
        let Some(session) = self.sessions.get_mut(&handle) else {
            return;
        };
        self.drops.absorb(session.take_drops());
        let mut closed = false;
        while let Some(event) = session.poll_event() {
            self.events.push_back(match event {
                SessionEvent::Message(message) => CalleeEvent::Message { handle, message },
                SessionEvent::RingEnded => {
                    session.close_after(seconds_between(&mut self.rng, CLOSE_SECONDS), now);
                    CalleeEvent::RingEnded(handle)
                }
                SessionEvent::Close => {
                    closed = true;
                    CalleeEvent::Closed(handle)
                }
            });
        }
        if closed {
            self.sessions.remove(&handle);
        }
    }
}
