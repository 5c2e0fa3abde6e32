//! Rings for a call, and for going on with one.

use tacit_crypto::{BatchNumber, Purpose, Refill};
use tacit_signaling::Callee;
use tacit_signaling::callee::{AuthenticatedRing, IncomingRing};
use tacit_signaling::frame::Handle;
use tacit_signaling::glare::{Glare, resolve};
use tacit_signaling::limits::{PROTOCOL_VERSION, REFILL_TOKENS};
use tacit_signaling::payload::{Offer, Opening, PipeMessage, Reply, Response, Status};
use tacit_types::{LegKind, OnionKey, Role, Timestamp};
use tokio::sync::mpsc;

use super::{Address, LEG_STREAMS, Outbound, Ringing};
use crate::agreement;
use crate::api::{CallId, Event, Timing};
use crate::call::{CallCommand, Handshake, LegPlan, Link, Sound};
use crate::clock::now;
use crate::dial::LINK_QUEUE;
use crate::shared::OurRing;

/// Everything that message 2 of a call depends on.
struct Answering {
    handle: Handle,
    offer: Offer,
    /// With TURN legs: who mints our credentials.
    turn: Option<OnionKey>,
    last_batch: BatchNumber,
    refill: Option<Refill>,
    resume: bool,
    /// The call of ours that this ring goes on with.
    call: Option<CallId>,
    seen: Timestamp,
}

/// What a ring is about, and how it can be answered.
struct Place {
    /// The call of ours that it goes on with.
    call: Option<CallId>,
    /// With TURN legs: who mints our credentials.
    turn: Option<OnionKey>,
}

impl Address {
    pub(super) fn on_call(&mut self, callee: &mut Callee, ring: IncomingRing) -> Option<()> {
        let (generation, index) = ring.slot();
        let ours = self
            .shared
            .with_ledger(|l| l.authorise(self.id, generation.0, index))?;
        let handle = ring.handle();
        let authority =
            self.authority(ours.token, &ours.local, Some(&ours.remote), Some(&ours.psk));
        let ring = ring.authenticate(&authority).ok()?;
        let (Opening::Call(offer) | Opening::Resume(offer)) = ring.opening().clone() else {
            return None;
        };
        let resume = matches!(ring.opening(), Opening::Resume(_));
        if self.shared.is_closing() && !resume {
            // An answer, and then the end, would tell that somebody was there.
            return None;
        }
        let Place { call, turn } = self.place(&ring, offer.leg_kind, resume)?;
        // Durable before anything shows that the ring arrived.
        let spent = self
            .shared
            .with_ledger(|l| l.spend(self.id, &ours.token, offer.last_batch, REFILL_TOKENS));
        let (last_batch, refill) = spent.ok()?;
        // If the join's last message was lost, this ring says as much.
        self.joined();
        let seen = now();
        self.answer_call(
            callee,
            ring,
            Answering {
                handle,
                offer,
                turn,
                last_batch,
                refill,
                resume,
                call,
                seen,
            },
        )
    }

    /// `None` if the ring is not answered, as if it were not authentic: our own goes on, or no answer
    /// to this offer would work.
    fn place(&self, ring: &AuthenticatedRing, offered: LegKind, resume: bool) -> Option<Place> {
        let server = self.shared.credentials_server(self.id, Role::Callee);
        let answer = |agreed| {
            let offered = agreement::at_most(offered, agreed);
            agreement::answer(offered, self.own.hosting, server.is_some())
        };
        let ours = if resume {
            self.shared.resumable(self.id)
        } else {
            self.glare(ring, |agreed| answer(agreed).is_some())?
        };
        // A call that begins with this ring is agreed to by answering it.
        let kind = answer(ours.map_or(offered, |(_, agreed)| agreed))?;
        Some(Place {
            call: ours.map(|(call, _)| call),
            turn: server.filter(|_| kind == LegKind::Turn),
        })
    }

    /// Both rang at once: `None` if our ring goes on and this one is not answered, else our call
    /// that this ring takes the place of, if there is one, with the legs agreed to for it. A ring
    /// that cannot go on over those is one more ring, which the person may answer after the call.
    fn glare(
        &self,
        ring: &AuthenticatedRing,
        works: impl Fn(LegKind) -> bool,
    ) -> Option<Option<(CallId, LegKind)>> {
        match self.shared.our_ring(self.id, now(), &works) {
            OurRing::None => Some(None),
            // Theirs was there first.
            OurRing::NotSent(call, agreed) => Some(Some((call, agreed))),
            // They have answered ours and will notice; this ring was on its way before that.
            OurRing::Answered => None,
            OurRing::Sent(call, agreed, ours) => match resolve(&ours, &ring.rank()) {
                Glare::OursWins => None,
                Glare::TheirsWins => Some(works(agreed).then_some((call, agreed))),
            },
        }
    }

    fn answer_call(
        &mut self,
        callee: &mut Callee,
        ring: AuthenticatedRing,
        a: Answering,
    ) -> Option<()> {
        let kind = match a.turn {
            Some(_) => LegKind::Turn,
            None => LegKind::Onion,
        };
        let legs = a.offer.legs.min(self.shared.legs());
        let reply = Reply {
            status: Status::Ringing,
            highest_version: PROTOCOL_VERSION,
            leg_kind: kind,
            legs,
            candidates: None,
            last_batch: a.last_batch,
            refill: a.refill,
        };
        let response = Response::Call(reply);
        let keys = callee.answer(ring, &response, now()).ok()?;
        let link = self.open_link(
            a.handle,
            if a.resume {
                Purpose::Resume
            } else {
                Purpose::Call
            },
        );
        if let Some(link) = self.links.get_mut(&a.handle) {
            link.held_back = Some((a.offer.last_batch, a.offer.refill));
        }
        let plan = match a.turn {
            Some(server) => LegPlan::TurnLater {
                server,
                peers: a.offer.candidates,
            },
            None => {
                let (sender, streams) = mpsc::channel(LEG_STREAMS);
                self.legs = Some(sender);
                LegPlan::OnionAccept { streams }
            }
        };
        let handshake = Handshake {
            keys,
            kind,
            legs,
            link,
            plan,
        };
        self.hand_over(handshake, a.resume, a.call, a.seen);
        Some(())
    }

    /// Gives an answered ring to the call that it belongs to, or to a new one.
    fn hand_over(&self, handshake: Handshake, resume: bool, call: Option<CallId>, seen: Timestamp) {
        if let Some(call) = call {
            // A call that has just ended leaves the handshake to nobody, and its legs close.
            let _ = self
                .shared
                .command(call, CallCommand::Resume(Box::new(handshake)));
            return;
        }
        if resume {
            // We know of no such call: it is over, and the caller learns so at once.
            let sent = handshake
                .link
                .send
                .map(|send| send.try_send(PipeMessage::Bye));
            if !matches!(sent, Some(Ok(()))) {
                tracing::debug!("an unknown call could not be refused");
            }
            return;
        }
        let busy = self.shared.is_busy();
        let legs = handshake.kind;
        let Some((call, commands)) = self.shared.enter(self.id, Role::Callee, legs) else {
            return;
        };
        if self.shared.with_ledger(|l| l.is_ghost(self.id)) {
            self.shared.hide(call);
        }
        let contact = self.shared.name(self.id);
        self.shared.event(Event::Incoming {
            call,
            contact,
            busy,
            legs,
        });
        self.shared
            .event(Event::Timing(call, Timing::RingSeen(seen.as_micros())));
        self.shared.spawn_call(
            call,
            self.id,
            Role::Callee,
            commands,
            handshake,
            Sound::default(),
        );
    }

    fn open_link(&mut self, handle: Handle, purpose: Purpose) -> Link {
        let (send, mut wanted) = mpsc::channel::<PipeMessage>(LINK_QUEUE);
        let (events_sender, events) = mpsc::channel(LINK_QUEUE);
        let outbox = self.outbox.0.clone();
        tokio::spawn(async move {
            while let Some(message) = wanted.recv().await {
                if outbox
                    .send(Outbound {
                        handle,
                        message: Some(message),
                    })
                    .await
                    .is_err()
                {
                    return;
                }
            }
            // If the address is gone, so is the handle.
            let _ = outbox
                .send(Outbound {
                    handle,
                    message: None,
                })
                .await;
        });
        let mut link = Ringing::new(purpose);
        link.events = Some(events_sender);
        self.links.insert(handle, link);
        Link {
            send: Some(send),
            events,
        }
    }
}
