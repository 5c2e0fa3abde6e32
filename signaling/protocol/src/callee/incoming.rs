//! One incoming ring, step by step: each step consumes the one before, so that nothing is answered
//! that has not authenticated.

use crate::dropped::DropReason;
use crate::frame::{Handle, RingIn};
use crate::glare::RingRank;
use crate::payload::Opening;
use tacit_crypto::handshake::{Prologue, Purpose, Responder, ResponderAnswer, glare_rank};
use tacit_crypto::keys::{StaticKeypair, StaticPublic};
use tacit_crypto::token::{Generation, Psk, Token};
use tacit_types::{MailboxId, OnionKey, Timestamp};

/// A ring whose tag the server found right; nothing else about it is known to be true.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IncomingRing {
    ring: Box<RingIn>,
    arrived: Timestamp,
}

/// What the callee holds for the token that a ring names.
#[derive(Clone, Copy, Debug)]
pub struct Authority<'a> {
    /// The mailbox server's onion key.
    pub server: OnionKey,
    /// The mailbox that was rung.
    pub mailbox: MailboxId,
    /// The whole token, tag included, recomputed from the wallet.
    pub token: Token,
    /// Our static key for this contact or invite.
    pub local: &'a StaticKeypair,
    /// The contact's static key; none for a join, whose message 1 brings it.
    pub remote: Option<&'a StaticPublic>,
    /// The token's PSK; none for a resync only.
    pub psk: Option<&'a Psk>,
}

impl IncomingRing {
    pub(super) fn new(ring: RingIn, arrived: Timestamp) -> Self {
        Self {
            ring: Box::new(ring),
            arrived,
        }
    }

    /// Names the ring at this mailbox server.
    #[must_use]
    pub const fn handle(&self) -> Handle {
        self.ring.handle
    }

    /// The token's generation and index: they say which contact rings.
    #[must_use]
    pub const fn slot(&self) -> (Generation, u16) {
        (self.ring.generation, self.ring.index)
    }

    /// What for.
    #[must_use]
    pub const fn purpose(&self) -> Purpose {
        self.ring.purpose
    }

    /// Reads message 1.
    ///
    /// # Errors
    /// When it does not authenticate or cannot be read; to be counted, in silence. The token stays
    /// good: it may be somebody's junk, and the contact may still come.
    pub fn authenticate(self, authority: &Authority<'_>) -> Result<AuthenticatedRing, DropReason> {
        let purpose = self.ring.purpose;
        let prologue = Prologue {
            purpose,
            hello_nonce: self.ring.nonce,
            server: authority.server,
            mailbox: authority.mailbox,
            token: authority.token,
        };
        let responder = responder(&prologue, authority).ok_or(DropReason::NotAuthentic)?;
        let message_1 = &self.ring.message_1.0;
        let (payload, answer) = responder
            .read(message_1)
            .map_err(|_| DropReason::NotAuthentic)?;
        let opening = Opening::decode(purpose, &payload).map_err(|_| DropReason::Malformed)?;
        Ok(AuthenticatedRing {
            handle: self.ring.handle,
            slot: (self.ring.generation, self.ring.index),
            arrived: self.arrived,
            rank: glare_rank(message_1),
            opening,
            answer,
        })
    }
}

fn responder(prologue: &Prologue, authority: &Authority<'_>) -> Option<Responder> {
    let Authority {
        local, remote, psk, ..
    } = *authority;
    Some(match prologue.purpose {
        Purpose::Call | Purpose::Resume => Responder::call(prologue, local, remote?, psk?),
        Purpose::Join => Responder::join(prologue, local, psk?),
        Purpose::Resync => Responder::resync(prologue, local, remote?),
    })
}

/// A ring that comes from the contact. Mark its token spent, durably, before ringing or answering.
pub struct AuthenticatedRing {
    pub(super) handle: Handle,
    slot: (Generation, u16),
    pub(super) arrived: Timestamp,
    rank: RingRank,
    opening: Opening,
    pub(super) answer: ResponderAnswer,
}

impl core::fmt::Debug for AuthenticatedRing {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("AuthenticatedRing")
            .field("handle", &self.handle)
            .field("purpose", &self.opening.purpose())
            .finish_non_exhaustive()
    }
}

impl AuthenticatedRing {
    /// Names the ring at this mailbox server, and its pipe once it is answered.
    #[must_use]
    pub const fn handle(&self) -> Handle {
        self.handle
    }

    /// The token's generation and index, to be spent.
    #[must_use]
    pub const fn slot(&self) -> (Generation, u16) {
        self.slot
    }

    /// What message 1 asks for.
    #[must_use]
    pub const fn opening(&self) -> &Opening {
        &self.opening
    }

    /// The caller's static key; for a join it is new, and to be fixed durably before answering.
    #[must_use]
    pub fn remote_static(&self) -> StaticPublic {
        self.answer.remote_static()
    }

    /// For [`crate::glare::resolve`].
    #[must_use]
    pub const fn rank(&self) -> RingRank {
        self.rank
    }
}
