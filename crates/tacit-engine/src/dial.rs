//! Ringing somebody: circuit, token, handshake.

use std::sync::Arc;
use std::time::Duration;

use tacit_crypto::SessionKeys;
use tacit_signaling::limits::PROTOCOL_VERSION;
use tacit_signaling::payload::{CodecParameters, Offer, Opening, PipeMessage, Reply, Response};
use tacit_signaling::{Caller, CallerEvent, RingTo};
use tacit_tor::Target;
use tacit_types::limits::{ONION_PORT_LEGS, ONION_PORT_SIGNALING, RING_TIMEOUT};
use tacit_types::{LegKind, Reason, Role};
use tokio::sync::mpsc;

use crate::agreement::{may_offer, settle};
use crate::api::{CallId, CallState, Event, Timing};
use crate::call::{Handshake, LegPlan, Link, LinkEvent, OpenedTurn, TurnPlan};
use crate::clock::now;
use crate::frames::FrameIo;
use crate::ledger::{ContactId, RingMaterials};
use crate::ringer::{Ringer, until};
use crate::shared::{KeepRunning, Shared};

/// Tokens that one ring tries: a refused one may be spent at the server by a lost attempt.
const TOKENS_PER_RING: u32 = 3;
/// What a frame needs to leave this computer: Tor's own queue, and the line.
const LAST_WORD: Duration = Duration::from_secs(1);
/// Messages that may wait on a link.
pub(crate) const LINK_QUEUE: usize = 32;

/// What a ring is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum RingFor {
    Call,
    Resume,
}

/// A ring in progress.
pub(crate) struct Dial {
    pub shared: Arc<Shared>,
    pub call: CallId,
    pub contact: ContactId,
    pub kind: LegKind,
    pub purpose: RingFor,
}

struct Answered {
    keys: Box<SessionKeys>,
    reply: Reply,
    materials: RingMaterials,
}

impl Dial {
    /// Rings and returns what the answered call starts with.
    pub(crate) async fn ring(self) -> Result<Handshake, Reason> {
        may_offer(self.kind, self.shared.peer_address(self.contact)?.hosting)?;
        let turn = match self.kind {
            LegKind::Turn => {
                self.state(CallState::OpeningCircuits);
                let server = self.shared.credentials_server(self.contact, Role::Caller);
                let server = server.ok_or(Reason::TurnNone)?;
                Some(self.shared.open_turn(server, Vec::new()).await?)
            }
            LegKind::Onion => None,
        };
        self.state(CallState::Reaching);
        let mut ringer = self.reach().await?;
        let answered = match self.ring_until_answered(&mut ringer, turn.as_ref()).await {
            Err(reason) if self.may_resync(reason) => {
                crate::resync::resync(&self.shared, self.contact)
                    .await
                    .map_err(|_| reason)?;
                ringer = self.reach().await?;
                self.ring_until_answered(&mut ringer, turn.as_ref()).await?
            }
            answered => answered?,
        };
        self.shared.event(Event::Timing(
            self.call,
            Timing::AnswerSeen(now().as_micros()),
        ));
        self.shared.with_ledger(|ledger| {
            ledger.ring_answered(
                self.contact,
                &answered.materials.token,
                answered.reply.last_batch,
                answered.reply.refill.as_ref(),
            )
        })?;
        let last_batch = self.shared.last_batch(self.contact);
        ringer.machine.send(&PipeMessage::Confirm { last_batch });
        ringer.flush().ok_or(Reason::ServerLost)?;
        self.handshake(answered, ringer, turn)
    }

    /// Whether new tokens may help where these did not.
    fn may_resync(&self, reason: Reason) -> bool {
        matches!(reason, Reason::PeerNoToken | Reason::PeerUnreachable)
            && self.shared.with_ledger(|l| l.wants_resync(self.contact))
    }

    fn state(&self, state: CallState) {
        if self.purpose == RingFor::Call {
            self.shared.event(Event::State(self.call, state));
        }
    }

    /// Opens the stream to the contact's mailbox server and waits for its greeting.
    async fn reach(&self) -> Result<Ringer, Reason> {
        let address = self.shared.peer_address(self.contact)?;
        let target = Target::Onion {
            key: address.server,
            port: ONION_PORT_SIGNALING,
            discovery: address.discovery,
        };
        let stream = self.shared.network().connect(target).await?;
        let pings = if self.purpose == RingFor::Call {
            self.shared.measure_pings()
        } else {
            0
        };
        let machine = Caller::new(crate::call::fresh_seed(), pings, now());
        let mut ringer = Ringer {
            machine,
            io: FrameIo::over(stream),
        };
        loop {
            match ringer.next().await {
                Some(CallerEvent::RoundTrip(rtt)) => {
                    self.shared
                        .event(Event::Timing(self.call, Timing::OnionRoundTrip(rtt)));
                }
                Some(CallerEvent::Ready(_)) => return Ok(ringer),
                Some(CallerEvent::ServerLost | CallerEvent::Close) | None => {
                    return Err(Reason::PeerUnreachable);
                }
                Some(_) => {}
            }
        }
    }

    async fn ring_until_answered(
        &self,
        ringer: &mut Ringer,
        turn: Option<&OpenedTurn>,
    ) -> Result<Answered, Reason> {
        for _ in 0..TOKENS_PER_RING {
            let materials = self
                .shared
                .with_ledger(|ledger| ledger.begin_ring(self.contact))?;
            let opening = self.opening(&materials, turn);
            let to = RingTo {
                server: materials.address.server,
                mailbox: materials.address.mailbox,
                token: materials.token,
                local: &materials.local,
                remote: &materials.remote,
                psk: Some(&materials.psk),
                opening: &opening,
            };
            ringer
                .machine
                .ring(&to, now())
                .map_err(|_| Reason::Internal)?;
            let rank = ringer.machine.rank();
            if self.purpose == RingFor::Call && !self.shared.ringing(self.call, rank) {
                // The call goes on with their ring, or, if that comes to nothing, ends here.
                tokio::time::sleep(RING_TIMEOUT).await;
                return Err(Reason::PeerNoAnswer);
            }
            ringer.flush().ok_or(Reason::ServerLost)?;
            self.shared.event(Event::Timing(
                self.call,
                Timing::RingSent(now().as_micros()),
            ));
            match self.await_answer(ringer, materials).await? {
                Some(answered) => return Ok(answered),
                None => tracing::debug!("a ring was refused; another token is tried"),
            }
        }
        Err(Reason::PeerUnreachable)
    }

    /// `None` if the server refused the ring.
    async fn await_answer(
        &self,
        ringer: &mut Ringer,
        materials: RingMaterials,
    ) -> Result<Option<Answered>, Reason> {
        loop {
            match ringer.next().await.ok_or(Reason::ServerLost)? {
                CallerEvent::Answered { response, keys } => {
                    let Response::Call(reply) = *response else {
                        return Err(Reason::Internal);
                    };
                    return Ok(Some(Answered {
                        keys,
                        reply,
                        materials,
                    }));
                }
                CallerEvent::Refused => return Ok(None),
                CallerEvent::NoAnswer => return Err(Reason::PeerNoAnswer),
                CallerEvent::ServerLost | CallerEvent::Close => return Err(Reason::ServerLost),
                CallerEvent::Unreadable => return Err(Reason::PeerVersion),
                _ => {}
            }
        }
    }

    fn opening(&self, materials: &RingMaterials, turn: Option<&OpenedTurn>) -> Opening {
        let offer = Offer {
            highest_version: PROTOCOL_VERSION,
            leg_kind: self.kind,
            legs: self.shared.legs(),
            codec: CodecParameters::VERSION_1,
            candidates: turn.map(|t| t.candidates.clone()),
            last_batch: materials.last_batch,
            refill: materials.refill.clone(),
            address: None,
        };
        match self.purpose {
            RingFor::Call => Opening::Call(offer),
            RingFor::Resume => Opening::Resume(offer),
        }
    }

    /// # Errors
    /// [`Reason::NoCommonLegs`] if the callee wants legs that cannot be; it is told that this is over.
    fn handshake(
        &self,
        answered: Answered,
        mut ringer: Ringer,
        turn: Option<OpenedTurn>,
    ) -> Result<Handshake, Reason> {
        let Answered {
            keys,
            reply,
            materials,
        } = answered;
        let settled = settle(self.kind, reply.leg_kind, materials.address.hosting);
        if settled.is_err() {
            ringer.machine.send(&PipeMessage::Bye);
        }
        // Whatever comes of it, the stream closes a random while later.
        let link = link_over(ringer, self.shared.keep_running());
        let kind = settled?;
        self.state(CallState::Ringing);
        let plan = match turn.filter(|_| kind == LegKind::Turn) {
            Some(opened) => LegPlan::Turn(TurnPlan {
                opened,
                peers: reply.candidates,
            }),
            None => LegPlan::OnionOpen {
                target: Target::Onion {
                    key: materials.address.server,
                    port: ONION_PORT_LEGS,
                    discovery: materials.address.discovery,
                },
            },
        };
        Ok(Handshake {
            keys: *keys,
            kind,
            legs: reply.legs.min(self.shared.legs()),
            link,
            plan,
        })
    }
}

/// Keeps the signaling stream alive for the call and carries its messages.
///
/// `busy` keeps the engine from ending before the last message is on its way.
fn link_over(mut ringer: Ringer, busy: KeepRunning) -> Link {
    let (send, mut wanted) = mpsc::channel::<PipeMessage>(LINK_QUEUE);
    let (events_sender, events) = mpsc::channel(LINK_QUEUE);
    tokio::spawn(async move {
        let mut open = true;
        let mut busy = Some(busy);
        let mut last_word = None;
        loop {
            tokio::select! {
                message = wanted.recv(), if open => match message {
                    Some(message) => {
                        ringer.machine.send(&message);
                    }
                    None => {
                        // The call is over; the stream closes a random while later.
                        open = false;
                        ringer.machine.close_later(now());
                        last_word = Some(now() + LAST_WORD);
                    }
                },
                () = until(last_word), if busy.is_some() => drop(busy.take()),
                event = ringer.next() => {
                    let event = match event {
                        Some(CallerEvent::Message(message)) => LinkEvent::Pipe(message),
                        Some(CallerEvent::NoAnswer) => LinkEvent::NoAnswer,
                        Some(CallerEvent::ServerLost) => LinkEvent::Lost,
                        Some(CallerEvent::Close) | None => break,
                        Some(_) => continue,
                    };
                    // A call that is over does not listen.
                    let _ = events_sender.try_send(event);
                }
            }
        }
    });
    Link {
        send: Some(send),
        events,
    }
}
