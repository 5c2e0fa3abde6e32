//! Rings that start both wallets over.

use tacit_crypto::Purpose;
use tacit_signaling::Callee;
use tacit_signaling::callee::IncomingRing;
use tacit_signaling::frame::Handle;
use tacit_signaling::payload::{Opening, PipeMessage};

use super::{Address, AnsweredResync, Ringing};
use crate::clock::now;
use crate::ledger::ResyncState;

impl Address {
    pub(super) fn on_resync(&mut self, callee: &mut Callee, ring: IncomingRing) -> Option<()> {
        let (generation, index) = ring.slot();
        let ours = self
            .shared
            .with_ledger(|l| l.authorise_resync(self.id, generation.0, index))?;
        let handle = ring.handle();
        let authority = self.authority(ours.token, &ours.local, Some(&ours.remote), None);
        let ring = ring.authenticate(&authority).ok()?;
        let Opening::Resync(offer) = ring.opening().clone() else {
            return None;
        };
        if !self.shared.with_resyncs(|r| r.answer(self.id, now())) {
            return None;
        }
        let keys = callee
            .answer(ring, &crate::resync::reply(&ours), now())
            .ok()?;
        let refill = self
            .shared
            .with_ledger(|l| l.resync_answered(self.id, &keys, offer.last_batch))
            .ok()?;
        let last_batch = ours.last_batch;
        callee.send(handle, &PipeMessage::Refill { last_batch, refill });
        let slot = offer.resync;
        let mut link = Ringing::new(Purpose::Resync);
        link.resync = Some(AnsweredResync { keys, slot });
        self.links.insert(handle, link);
        Some(())
    }

    /// The third message: both wallets have started over.
    pub(super) fn on_resync_message(
        &mut self,
        callee: &mut Callee,
        handle: Handle,
        message: PipeMessage,
    ) {
        let PipeMessage::Refill { last_batch, refill } = message else {
            return;
        };
        let Some(answered) = self.links.get_mut(&handle).and_then(|l| l.resync.take()) else {
            return;
        };
        let peer = ResyncState {
            last_batch,
            refill,
            resync: answered.slot,
        };
        let closed = self
            .shared
            .with_ledger(|l| l.resync_closed(self.id, &answered.keys, &peer));
        match closed {
            Ok(last_batch) => {
                callee.send(handle, &PipeMessage::Confirm { last_batch });
            }
            Err(reason) => tracing::debug!(code = reason.code(), "a RESYNC came to nothing"),
        }
        callee.close_later(handle, now());
    }
}
