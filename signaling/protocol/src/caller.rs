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

use crate::dropped::{DropCounts, DropReason};
use crate::frame::{Answer, Frame, FrameBytes, Hello, Opaque, Pipe, Ring};
use crate::glare::RingRank;
use crate::limits::{CLOSE_SECONDS, HELLO_TIMEOUT, MAX_MEASURED_PINGS, SILENT_TIMEOUT};
use crate::payload::{Opening, PipeMessage, Response};
use crate::pings::{PingDue, Pings, seconds_between};
use crate::session::{ClientWake, PipeSession, SessionEvent};
use core::time::Duration;
use rand_chacha::ChaCha20Rng;
use rand_core::SeedableRng;
use std::collections::VecDeque;
use tacit_crypto::handshake::{Initiator, Prologue, Purpose, glare_rank};
use tacit_crypto::keys::{StaticKeypair, StaticPublic};
use tacit_crypto::session::SessionKeys;
use tacit_crypto::token::{Psk, Token};
use tacit_types::limits::RING_TIMEOUT;
use tacit_types::{MailboxId, OnionKey, Timestamp};

/// What happens at the caller's.
#[derive(Debug)]
#[non_exhaustive]
pub enum CallerEvent {
    /// A measured round trip, if measuring was asked for.
    RoundTrip(Duration),
    /// The server has greeted us (and round trips are measured): [`Caller::ring`] may be called.
    Ready(Hello),
    /// The server said no, and not why. Another ring may follow on the same stream.
    Refused,
    /// The callee's device has answered: ringback, and keys.
    Answered {
        /// What message 2 says.
        response: Box<Response>,
        /// Keys of this handshake.
        keys: Box<SessionKeys>,
    },
    /// An authentic message from the callee.
    Message(PipeMessage),
    /// No answer, or nobody took the call, in time. The stream closes by itself after its delay.
    NoAnswer,
    /// An authentic answer that this version cannot read.
    Unreadable,
    /// The server does not greet, does not echo, or speaks no version of ours.
    ServerLost,
    /// Close the stream now.
    Close,
}

/// Whom to ring and with what.
#[derive(Clone, Copy, Debug)]
pub struct RingTo<'a> {
    /// The mailbox server that this stream leads to.
    pub server: OnionKey,
    /// The mailbox.
    pub mailbox: MailboxId,
    /// One-time admission; "tried" must be on disk before this is called.
    pub token: Token,
    /// Our static key for this contact.
    pub local: &'a StaticKeypair,
    /// The contact's static key.
    pub remote: &'a StaticPublic,
    /// The token's PSK; none for a resync only.
    pub psk: Option<&'a Psk>,
    /// Message 1.
    pub opening: &'a Opening,
}

/// Why a ring did not start.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RingError {
    /// HELLO has not come, or a ring is under way.
    #[error("the stream is not ready for a ring")]
    NotReady,
    /// Only a resync goes without a PSK.
    #[error("this purpose needs the token's PSK")]
    PskMissing,
}

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

    fn hello(&mut self, hello: Hello, now: Timestamp) {
        if !matches!(self.state, State::AwaitHello { .. }) {
            return self.drops.count(DropReason::Unexpected);
        }
        if !hello.speaks_our_version() {
            self.drops.count(DropReason::Version);
            return self.lost();
        }
        self.pings = Pings::new(&mut self.rng, now);
        self.measured(hello, self.measure, now);
    }

    /// Sends the next measuring ping, or becomes ready.
    fn measured(&mut self, hello: Hello, left: u8, now: Timestamp) {
        if left > 0 {
            self.transmits.push_back(self.pings.send_now(now));
            self.state = State::Measuring { hello, left };
        } else {
            self.state = State::Ready { hello };
            self.events.push_back(CallerEvent::Ready(hello));
        }
    }

    fn echo(&mut self, number: u64, now: Timestamp) {
        let Some(round_trip) = self.pings.echo(number, now) else {
            return self.drops.count(DropReason::Unexpected);
        };
        if let State::Measuring { hello, left } = self.state {
            self.events.push_back(CallerEvent::RoundTrip(round_trip));
            self.measured(hello, left - 1, now);
        }
    }

    fn nak(&mut self) {
        let State::Ringing(ringing) = &self.state else {
            return self.drops.count(DropReason::Unexpected);
        };
        self.state = State::Ready {
            hello: ringing.hello,
        };
        self.events.push_back(CallerEvent::Refused);
    }

    fn answer(&mut self, answer: &Answer, now: Timestamp) {
        let state = core::mem::replace(&mut self.state, State::Ended { close_at: None });
        let State::Ringing(ringing) = state else {
            self.state = state;
            return self.drops.count(DropReason::Unexpected);
        };
        let Ringing {
            hello,
            initiator,
            purpose,
            rank,
            until,
        } = *ringing;
        match initiator.read(&answer.message_2.0) {
            Err((initiator, _)) => {
                self.drops.count(DropReason::NotAuthentic);
                let ringing = Ringing {
                    hello,
                    initiator,
                    purpose,
                    rank,
                    until,
                };
                self.state = State::Ringing(Box::new(ringing));
            }
            Ok((payload, keys)) => match Response::decode(purpose, &payload) {
                Ok(response) => {
                    let ring_until = (purpose == Purpose::Call).then_some(until);
                    let session = PipeSession::new(answer.handle, &keys, ring_until);
                    self.state = State::Open(Box::new(session));
                    let (response, keys) = (Box::new(response), Box::new(keys));
                    self.events
                        .push_back(CallerEvent::Answered { response, keys });
                }
                Err(_) => {
                    self.drops.count(DropReason::Malformed);
                    self.events.push_back(CallerEvent::Unreadable);
                    self.close_later(now);
                }
            },
        }
    }

    fn pipe(&mut self, pipe: &Pipe, now: Timestamp) {
        let State::Open(session) = &mut self.state else {
            return self.drops.count(DropReason::Unexpected);
        };
        session.handle_input(pipe, now);
        self.drain_session(now);
    }

    fn drain_session(&mut self, now: Timestamp) {
        let State::Open(session) = &mut self.state else {
            return;
        };
        self.drops.absorb(session.take_drops());
        let mut no_answer = false;
        let mut closed = false;
        while let Some(event) = session.poll_event() {
            self.events.push_back(match event {
                SessionEvent::Message(message) => CallerEvent::Message(message),
                SessionEvent::RingEnded => {
                    no_answer = true;
                    CallerEvent::NoAnswer
                }
                SessionEvent::Close => {
                    closed = true;
                    CallerEvent::Close
                }
            });
        }
        if no_answer {
            self.close_later(now);
        }
        if closed {
            self.state = State::Ended { close_at: None };
        }
    }
}
