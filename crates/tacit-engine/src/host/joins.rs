//! Rings with an invite.

use tacit_crypto::{BatchNumber, Purpose, StaticPublic};
use tacit_signaling::Callee;
use tacit_signaling::callee::IncomingRing;
use tacit_signaling::frame::Handle;
use tacit_signaling::limits::PROTOCOL_VERSION;
use tacit_signaling::payload::{JoinReply, Opening, PipeMessage, Response, Status};

use super::{Address, JOIN_LINGER, Ringing};
use crate::api::Event;
use crate::clock::{now, unix_now};
use crate::ledger::JoinOutcome;

impl Address {
    pub(super) fn on_join(&mut self, callee: &mut Callee, ring: IncomingRing) -> Option<()> {
        let (local, token, psk) = self
            .shared
            .with_ledger(|l| l.invite_materials(self.id, unix_now()))?;
        let handle = ring.handle();
        let authority = self.authority(token, &local, None, Some(&psk));
        let ring = ring.authenticate(&authority).ok()?;
        let joiner: StaticPublic = ring.remote_static();
        let Opening::Join(offer) = ring.opening().clone() else {
            return None;
        };
        // Fixed durably before anything is answered.
        match self
            .shared
            .with_ledger(|l| l.fix_joiner(self.id, joiner))
            .ok()?
        {
            outcome @ (JoinOutcome::Taken | JoinOutcome::Again) => {
                let used = Response::Join(JoinReply::used(PROTOCOL_VERSION));
                callee.answer(ring, &used, now()).ok()?;
                callee.close_later(handle, now());
                if matches!(outcome, JoinOutcome::Taken) {
                    self.alarm();
                }
            }
            JoinOutcome::Ours(lasting) => {
                let reply = JoinReply {
                    status: Status::Done,
                    highest_version: PROTOCOL_VERSION,
                    address: Some(lasting.to_move()),
                    refill: None,
                };
                let keys = callee.answer(ring, &Response::Join(reply), now()).ok()?;
                let refill = self
                    .shared
                    .with_ledger(|l| l.join_answered(self.id, joiner, offer.address, &keys))
                    .ok()?;
                self.links.insert(handle, Ringing::new(Purpose::Join));
                let last_batch = BatchNumber(0);
                callee.send(handle, &PipeMessage::Refill { last_batch, refill });
            }
        }
        Some(())
    }

    /// Two people have read one invite, and only one of them can be the contact.
    fn alarm(&self) {
        match self.shared.with_ledger(|l| l.invite_reused(self.id)) {
            Ok(Some(name)) => self.shared.event(Event::InviteReused(name)),
            Ok(None) => {}
            Err(reason) => {
                tracing::warn!(code = reason.code(), "a used invite could not be marked");
                let name = self.shared.name(self.id);
                self.shared.event(Event::InviteReused(name));
            }
        }
    }

    /// The joiner's first transport message: the join went through.
    pub(super) fn on_join_message(
        &mut self,
        callee: &mut Callee,
        handle: Handle,
        message: PipeMessage,
    ) {
        let PipeMessage::Refill { .. } = &message else {
            return;
        };
        self.shared.on_contact_message(self.id, message);
        let last_batch = self.shared.last_batch(self.id);
        callee.send(handle, &PipeMessage::Confirm { last_batch });
        callee.close_later(handle, now());
        self.joined();
    }

    /// The new contact has shown that the join went through at its side.
    pub(super) fn joined(&self) {
        // Before anybody is told: a program that ends as soon as it knows would take the last
        // message along.
        let busy = self.shared.keep_running();
        let done = self.shared.with_ledger(|l| l.complete_invite(self.id));
        match done {
            Ok(Some(name)) => {
                self.shared.event(Event::ContactAdded(name));
                // The invite's address stays, but counts no longer.
                self.shared.addresses_changed();
            }
            Ok(None) => return,
            Err(reason) => {
                return tracing::warn!(code = reason.code(), "a join could not be completed");
            }
        }
        tokio::spawn(async move {
            tokio::time::sleep(JOIN_LINGER).await;
            drop(busy);
        });
    }
}
