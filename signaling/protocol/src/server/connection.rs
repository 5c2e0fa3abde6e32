//! One connection of the server: what it may do next and until when.

use super::ConnectionId;
use crate::bucket::Bucket;
use crate::frame::Handle;
use crate::limits::{CONNECTION_IDLE, FIRST_FRAME_IDLE, HANDLE_LIFETIME, PARTIAL_FRAME};
use core::hash::Hasher;
use tacit_types::{MailboxId, Timestamp};

/// Why the server wants to be woken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WakeReason {
    /// A NAK is due.
    Nak,
    /// A connection may have been silent, or a frame incomplete, or a handle open for too long.
    Connection,
}

/// Why a connection is closed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum CloseReason {
    /// The server takes no more connections.
    Full,
    /// A newer stream took the place of this one, which had not authenticated.
    Crowded,
    /// No frame for too long.
    Idle,
    /// A frame that did not arrive whole in time.
    PartialFrame,
    /// Its handle's time is up.
    HandleExpired,
    /// The other end of its pipe has gone.
    PeerGone,
    /// It did what no honest client does.
    Violation,
}

/// What a connection has become. It attaches **or** rings **or** fetches credentials, never two of
/// them: a ring beside one's own attachment would link two mailboxes.
#[derive(Debug)]
pub(super) enum Phase {
    /// No frame yet.
    Fresh,
    /// Has rung in vain, or only pinged.
    Idle,
    /// A ring has been forwarded.
    Ringing(Ringing),
    /// Takes rings, of one mailbox over the network; the owner in process may have more.
    Attached {
        mailbox: MailboxId,
        more: Vec<MailboxId>,
    },
    /// Fetches TURN credentials.
    Credentials,
}

/// The caller's end of a pipe.
#[derive(Clone, Copy, Debug)]
pub(super) struct Ringing {
    pub(super) callee: ConnectionId,
    /// The handle's name at the callee.
    pub(super) there: Handle,
    /// The handle's name here.
    pub(super) here: Handle,
    pub(super) since: Timestamp,
}

#[derive(Debug)]
pub(super) struct Connection {
    pub(super) phase: Phase,
    /// The owner in process: no idle limit, may attach to an embedded server.
    pub(super) local: bool,
    pub(super) nonce: [u8; 32],
    /// When it connected or last completed a frame.
    pub(super) heard: Timestamp,
    pub(super) partial_since: Option<Timestamp>,
    pub(super) nak_pending: bool,
    pub(super) naks: u8,
    pub(super) credentials_wanted: u16,
    pub(super) pings: Bucket,
    pub(super) pipes: Bucket,
    pub(super) credentials: Bucket,
    /// Number of the next handle here.
    pub(super) next_handle: u32,
    /// Handles open towards it.
    pub(super) handles: u16,
    /// The deadline that the server has on its list, never later than the true one.
    pub(super) listed: Option<Timestamp>,
}

impl Connection {
    pub(super) fn new(nonce: [u8; 32], local: bool, now: Timestamp) -> Self {
        Self {
            phase: Phase::Fresh,
            local,
            nonce,
            heard: now,
            partial_since: None,
            nak_pending: false,
            naks: 0,
            credentials_wanted: 0,
            pings: Bucket::default(),
            pipes: Bucket::default(),
            credentials: Bucket::default(),
            next_handle: 1,
            handles: 0,
            listed: None,
        }
    }

    /// When and why it is to be closed if nothing more arrives.
    pub(super) fn deadline(&self) -> Option<(Timestamp, CloseReason)> {
        if self.local {
            return None;
        }
        let idle = match self.phase {
            Phase::Fresh => self.heard + FIRST_FRAME_IDLE,
            _ => self.heard + CONNECTION_IDLE,
        };
        let partial = self
            .partial_since
            .map(|t| (t + PARTIAL_FRAME, CloseReason::PartialFrame));
        let handle = match &self.phase {
            Phase::Ringing(r) => Some((r.since + HANDLE_LIFETIME, CloseReason::HandleExpired)),
            _ => None,
        };
        [Some((idle, CloseReason::Idle)), partial, handle]
            .into_iter()
            .flatten()
            .min_by_key(|(at, _)| *at)
    }

    pub(super) const fn take_handle(&mut self) -> Handle {
        let handle = Handle(self.next_handle);
        self.next_handle = self.next_handle.wrapping_add(1);
        handle
    }
}

/// Spreads connection ids, which the shell counts up and no peer chooses: Fibonacci hashing (Knuth,
/// TAOCP vol. 3, 6.4). The map is never iterated, so its order shows nowhere.
#[derive(Default)]
pub(super) struct IdHasher(u64);

impl Hasher for IdHasher {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.write_u64((*byte).into());
        }
    }

    fn write_u64(&mut self, id: u64) {
        let spread = (self.0 ^ id).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        self.0 = spread ^ (spread >> 32);
    }
}
