//! What each frame from the server does to a caller.

use super::{Caller, CallerEvent, Ringing, State};
use crate::dropped::DropReason;
use crate::frame::{Answer, Hello, Pipe};
use crate::payload::Response;
use crate::pings::Pings;
use crate::session::{PipeSession, SessionEvent};
use tacit_crypto::handshake::Purpose;
use tacit_types::Timestamp;

impl Caller {
    pub(super) fn hello(&mut self, hello: Hello, now: Timestamp) {
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
    pub(super) fn measured(&mut self, hello: Hello, left: u8, now: Timestamp) {
        if left > 0 {
            self.transmits.push_back(self.pings.send_now(now));
            self.state = State::Measuring { hello, left };
        } else {
            self.state = State::Ready { hello };
            self.events.push_back(CallerEvent::Ready(hello));
        }
    }

    pub(super) fn echo(&mut self, number: u64, now: Timestamp) {
        let Some(round_trip) = self.pings.echo(number, now) else {
            return self.drops.count(DropReason::Unexpected);
        };
        if let State::Measuring { hello, left } = self.state {
            self.events.push_back(CallerEvent::RoundTrip(round_trip));
            self.measured(hello, left - 1, now);
        }
    }

    pub(super) fn nak(&mut self) {
        let State::Ringing(ringing) = &self.state else {
            return self.drops.count(DropReason::Unexpected);
        };
        self.state = State::Ready {
            hello: ringing.hello,
        };
        self.events.push_back(CallerEvent::Refused);
    }

    pub(super) fn answer(&mut self, answer: &Answer, now: Timestamp) {
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

    pub(super) fn pipe(&mut self, pipe: &Pipe, now: Timestamp) {
        let State::Open(session) = &mut self.state else {
            return self.drops.count(DropReason::Unexpected);
        };
        session.handle_input(pipe, now);
        self.drain_session(now);
    }

    pub(super) fn drain_session(&mut self, now: Timestamp) {
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
