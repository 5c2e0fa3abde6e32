//! RING: in one step, through or not.

use super::connection::{Phase, Ringing};
use super::pipes::Link;
use super::{ConnectionId, Server};
use crate::dropped::DropReason;
use crate::frame::{Frame, Ring, RingIn};
use crate::limits::MAX_HANDLES;
use tacit_crypto::token::Generation;
use tacit_types::Timestamp;

impl Server {
    /// Finds the mailbox, checks the tag, takes from the bucket, tests and sets the bit, forwards:
    /// atomically, as there is one `&mut self`. What it says about a refusal stays in here.
    pub(super) fn ring(
        &mut self,
        conn: ConnectionId,
        ring: &Ring,
        now: Timestamp,
    ) -> Result<(), DropReason> {
        let connection = self
            .connections
            .get(&conn)
            .ok_or(DropReason::UnknownConnection)?;
        let nonce = match connection.phase {
            Phase::Fresh | Phase::Idle => connection.nonce,
            Phase::Ringing(_) => return Err(DropReason::Busy),
            Phase::Attached { .. } | Phase::Credentials => return Err(DropReason::Unexpected),
        };
        let candidate = self
            .mailboxes
            .find(ring.mailbox, ring.purpose, &ring.token)?;
        let callee = candidate.owner();
        let owner = self
            .connections
            .get_mut(&callee)
            .ok_or(DropReason::UnknownMailbox)?;
        if owner.handles >= MAX_HANDLES {
            return Err(DropReason::HandlesFull);
        }
        candidate.admit(&ring.token, now)?;
        owner.handles += 1;
        let there = owner.take_handle();
        self.links.insert(callee, there, Link::new(conn));
        let connection = self
            .connections
            .get_mut(&conn)
            .ok_or(DropReason::UnknownConnection)?;
        let here = connection.take_handle();
        connection.phase = Phase::Ringing(Ringing {
            callee,
            there,
            here,
            since: now,
        });
        let ring_in = RingIn {
            handle: there,
            generation: Generation(ring.token.generation),
            index: ring.token.index,
            purpose: ring.purpose,
            nonce,
            message_1: ring.message_1,
        };
        self.send(callee, &Frame::RingIn(ring_in));
        Ok(())
    }
}
