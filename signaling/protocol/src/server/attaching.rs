//! ATTACH: an owner takes the rings of a mailbox, over the network or in process.

use super::connection::{Connection, Phase};
use super::mailboxes::Attachment;
use super::{ConnectionId, Server};
use crate::bucket::Rate;
use crate::dropped::DropReason;
use crate::frame::{Attach, AttachStatus, Attached, Frame};
use crate::limits::{PING_BURST, PING_INTERVAL};
use tacit_types::Timestamp;

impl Server {
    /// Lets the owner in process take a mailbox's rings on `conn`, which is made if need be: RING-IN
    /// and PIPE come out for it, ANSWER and PIPE go in. Says whether it was taken.
    pub fn attach_local(&mut self, conn: ConnectionId, attach: &Attach, now: Timestamp) -> bool {
        let connection = self
            .connections
            .entry(conn)
            .or_insert_with(|| Connection::new([0; 32], true, now));
        if !connection.local {
            return false;
        }
        self.take_mailbox(conn, attach)
    }

    pub(super) fn attach(
        &mut self,
        conn: ConnectionId,
        attach: &Attach,
        now: Timestamp,
    ) -> Result<(), DropReason> {
        let connection = self
            .connections
            .get_mut(&conn)
            .ok_or(DropReason::UnknownConnection)?;
        if !self.config.services().attach && !connection.local {
            return Err(DropReason::AttachRefused);
        }
        let rate = Rate {
            burst: PING_BURST,
            interval: PING_INTERVAL,
        };
        if !connection.pings.take(rate, now) {
            return Err(DropReason::RateLimited);
        }
        if !matches!(
            connection.phase,
            Phase::Fresh | Phase::Idle | Phase::Attached { .. }
        ) {
            return Err(DropReason::AttachRefused);
        }
        let status = if self.take_mailbox(conn, attach) {
            AttachStatus::Accepted
        } else {
            self.drops.count(DropReason::AttachRefused);
            AttachStatus::Refused
        };
        self.send(
            conn,
            &Frame::Attached(Attached {
                status,
                generation: attach.generation,
            }),
        );
        Ok(())
    }

    fn take_mailbox(&mut self, conn: ConnectionId, attach: &Attach) -> bool {
        let id = attach.secret.mailbox_id();
        let Some(connection) = self.connections.get_mut(&conn) else {
            return false;
        };
        let known = match &connection.phase {
            Phase::Attached { mailbox, more } => *mailbox == id || more.contains(&id),
            _ => false,
        };
        let other = matches!(connection.phase, Phase::Attached { .. }) && !known;
        if other && !connection.local {
            return false;
        }
        let taken_from = match self.mailboxes.attach(conn, id, attach) {
            Attachment::Refused => return false,
            Attachment::Taken => None,
            Attachment::TakenFrom(before) => Some(before),
        };
        match &mut connection.phase {
            Phase::Attached { more, .. } if !known => more.push(id),
            Phase::Attached { .. } => {}
            phase => {
                *phase = Phase::Attached {
                    mailbox: id,
                    more: Vec::new(),
                }
            }
        }
        if let Some(before) = taken_from {
            let status = AttachStatus::Replaced;
            let generation = attach.generation;
            self.send(before, &Frame::Attached(Attached { status, generation }));
        }
        true
    }
}
