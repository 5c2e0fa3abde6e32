//! The caller's machine: one stream to a mailbox server, one ring at a time on it.
//!
//! ```text
//!   AwaitHello ─▶ Measuring ─▶ Ready ─ring()─▶ Ringing ── ANSWER ──▶ Open ─▶ Closed
//!                                ▲               │ NAK
//!                                └───────────────┘
//! ```
//!
//! State moves only on authentic input: an ANSWER that does not fit the handshake is counted and the
//! ring goes on, because the genuine answer may still come.

mod api;
mod input;

pub use api::{CallerEvent, RingError, RingTo};

use crate::dropped::{DropCounts, DropReason};
use crate::frame::{Frame, FrameBytes, Hello, Opaque, Ring};
use crate::glare::RingRank;
use crate::limits::{CLOSE_SECONDS, HELLO_TIMEOUT, MAX_MEASURED_PINGS, SILENT_TIMEOUT};
use crate::payload::PipeMessage;
use crate::pings::{PingDue, Pings, seconds_between};
use crate::session::{ClientWake, PipeSession};
use rand_chacha::ChaCha20Rng;
use rand_core::SeedableRng;
use std::collections::VecDeque;
use tacit_crypto::handshake::{Initiator, Prologue, Purpose, glare_rank};
use tacit_types::Timestamp;
use tacit_types::limits::RING_TIMEOUT;

enum State {
    AwaitHello { since: Timestamp },
    Measuring { hello: Hello, left: u8 },
    Ready { hello: Hello },
    Ringing(Box<Ringing>),
    Open(Box<PipeSession>),
    Ended { close_at: Option<Timestamp> },
}

struct Ringing {
    hello: Hello,
    initiator: Initiator,
    purpose: Purpose,
    rank: RingRank,
    until: Timestamp,
}

/// One stream to a mailbox server, seen from the caller.
pub struct Caller {
    state: State,
    rng: ChaCha20Rng,
    pings: Pings,
    measure: u8,
    transmits: VecDeque<FrameBytes>,
    events: VecDeque<CallerEvent>,
    drops: DropCounts,
}

impl core::fmt::Debug for Caller {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Caller")
            .field("drops", &self.drops)
            .finish_non_exhaustive()
    }
}

impl Caller {
    /// A stream that has just opened. `measure_rtt` pings go out before it becomes ready (at most
    /// eight; 0 in daily use). `seed` must be fresh entropy: ephemeral keys come from it.
    #[must_use]
    pub fn new(seed: [u8; 32], measure_rtt: u8, now: Timestamp) -> Self {
        let mut rng = ChaCha20Rng::from_seed(seed);
        let pings = Pings::new(&mut rng, now);
        Self {
            state: State::AwaitHello { since: now },
            rng,
            pings,
            measure: measure_rtt.min(MAX_MEASURED_PINGS),
            transmits: VecDeque::new(),
            events: VecDeque::new(),
            drops: DropCounts::default(),
        }
    }

    /// Writes message 1 and rings.
    ///
    /// # Errors
    /// When the stream is not ready, or a PSK is missing.
    pub fn ring(&mut self, to: &RingTo<'_>, now: Timestamp) -> Result<(), RingError> {
        let State::Ready { hello } = self.state else {
            return Err(RingError::NotReady);
        };
        let purpose = to.opening.purpose();
        let prologue = Prologue {
            purpose,
            hello_nonce: hello.nonce,
            server: to.server,
            mailbox: to.mailbox,
            token: to.token,
        };
        let psk = to.psk.ok_or(RingError::PskMissing);
        let mut initiator = match purpose {
            Purpose::Call | Purpose::Resume => {
                Initiator::call(&prologue, to.local, to.remote, psk?, &mut self.rng)
            }
            Purpose::Join => Initiator::join(&prologue, to.local, to.remote, psk?, &mut self.rng),
            Purpose::Resync => Initiator::resync(&prologue, to.local, to.remote, &mut self.rng),
        };
        let message_1: [u8; crate::limits::MESSAGE_1_BYTES] = initiator
            .write(&to.opening.encode())
            .expect("payloads have the room of their frame")
            .try_into()
            .expect("payload and overhead fill message 1");
        let rank = glare_rank(&message_1);
        let ring = Ring {
            mailbox: to.mailbox,
            purpose,
            token: to.token,
            message_1: Opaque(message_1),
        };
        self.transmits.push_back(Frame::Ring(ring).encode());
        let until = now
            + if purpose == Purpose::Call {
                RING_TIMEOUT
            } else {
                SILENT_TIMEOUT
            };
        self.state = State::Ringing(Box::new(Ringing {
            hello,
            initiator,
            purpose,
            rank,
            until,
        }));
        Ok(())
    }

    /// The rank of the ring that is under way, for [`crate::glare::resolve`].
    #[must_use]
    pub fn rank(&self) -> Option<RingRank> {
        match &self.state {
            State::Ringing(ringing) => Some(ringing.rank),
            _ => None,
        }
    }

    /// Sends a message to the callee; says whether there is an answered ring to send it on.
    pub fn send(&mut self, message: &PipeMessage) -> bool {
        let State::Open(session) = &mut self.state else {
            return false;
        };
        session.send(message);
        true
    }

    /// The call was accepted over the media control lane: ringing is over.
    pub fn ring_over(&mut self) {
        if let State::Open(session) = &mut self.state {
            session.ring_over();
        }
    }

    /// Closes the stream after a random delay, so that the server cannot read off when media came
    /// up or the call was refused. Nothing more is rung.
    pub fn close_later(&mut self, now: Timestamp) {
        let delay = seconds_between(&mut self.rng, CLOSE_SECONDS);
        match &mut self.state {
            State::Open(session) => session.close_after(delay, now),
            State::Ended { close_at } => {
                close_at.get_or_insert(now + delay);
            }
            _ => {
                self.state = State::Ended {
                    close_at: Some(now + delay),
                }
            }
        }
    }

    /// A frame has arrived from the server.
    pub fn handle_input(&mut self, frame: &FrameBytes, now: Timestamp) {
        match Frame::decode(frame) {
            Ok(Frame::Hello(hello)) => self.hello(hello, now),
            Ok(Frame::Answer(answer)) => self.answer(&answer, now),
            Ok(Frame::Pipe(pipe)) => self.pipe(&pipe, now),
            Ok(Frame::Nak) => self.nak(),
            Ok(Frame::Ping(ping)) if ping.echo => self.echo(ping.number, now),
            Ok(_) => self.drops.count(DropReason::Unexpected),
            Err(_) => self.drops.count(DropReason::Malformed),
        }
    }

    /// Looks at the clock.
    pub fn handle_timeout(&mut self, now: Timestamp) {
        match &mut self.state {
            State::AwaitHello { since } if *since + HELLO_TIMEOUT <= now => return self.lost(),
            State::Ringing(ringing) if ringing.until <= now => {
                self.events.push_back(CallerEvent::NoAnswer);
                self.state = State::Ended { close_at: None };
                self.close_later(now);
            }
            State::Open(session) => {
                session.handle_timeout(now);
                self.drain_session(now);
            }
            State::Ended { close_at } if close_at.is_some_and(|at| at <= now) => {
                *close_at = None;
                self.events.push_back(CallerEvent::Close);
            }
            _ => {}
        }
        if !self.pings_run() {
            return;
        }
        match self.pings.handle_timeout(&mut self.rng, now) {
            PingDue::Nothing => {}
            PingDue::Send(frame) => self.transmits.push_back(*frame),
            PingDue::Lost => self.lost(),
        }
    }

    /// The next frame for the server: one write, one flush.
    pub fn poll_transmit(&mut self) -> Option<FrameBytes> {
        let own = self.transmits.pop_front();
        own.or_else(|| match &mut self.state {
            State::Open(session) => session.poll_transmit(),
            _ => None,
        })
    }

    /// The next event.
    pub fn poll_event(&mut self) -> Option<CallerEvent> {
        self.events.pop_front()
    }

    /// When to call [`Self::handle_timeout`], and why.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<(Timestamp, ClientWake)> {
        let ping = self
            .pings_run()
            .then(|| (self.pings.poll_timeout(), ClientWake::Ping));
        let own = match &self.state {
            State::AwaitHello { since } => Some((*since + HELLO_TIMEOUT, ClientWake::ServerLate)),
            State::Ringing(ringing) => Some((ringing.until, ClientWake::RingEnd)),
            State::Open(session) => session.poll_timeout(),
            State::Ended { close_at } => close_at.map(|at| (at, ClientWake::Close)),
            State::Measuring { .. } | State::Ready { .. } => None,
        };
        [ping, own].into_iter().flatten().min_by_key(|(at, _)| *at)
    }

    /// What was thrown away so far.
    #[must_use]
    pub const fn drops(&self) -> &DropCounts {
        &self.drops
    }

    const fn pings_run(&self) -> bool {
        !matches!(
            self.state,
            State::AwaitHello { .. } | State::Ended { close_at: None }
        )
    }

    fn lost(&mut self) {
        self.state = State::Ended { close_at: None };
        self.events.push_back(CallerEvent::ServerLost);
    }
}
