//! What the ledger hands out for a handshake, and takes back from one.

use serde::{Deserialize, Serialize};
use tacit_crypto::{BatchNumber, Psk, Refill, StaticKeypair, StaticPublic, Token};
use tacit_signaling::payload::ContactAddress;

use super::{ContactId, OwnAddress};

/// What a ring needs.
#[derive(Debug)]
pub(crate) struct RingMaterials {
    /// Our pairwise key.
    pub local: StaticKeypair,
    /// The contact's.
    pub remote: StaticPublic,
    /// The token to spend.
    pub token: Token,
    /// Its one-time key.
    pub psk: Psk,
    /// Where to ring.
    pub address: ContactAddress,
    /// The last batch that we hold.
    pub last_batch: BatchNumber,
    /// Tokens for the way back.
    pub refill: Option<Refill>,
}

/// What answering a ring needs, before it is authenticated.
#[derive(Debug)]
pub(crate) struct AnswerMaterials {
    /// Our pairwise key.
    pub local: StaticKeypair,
    /// The contact's.
    pub remote: StaticPublic,
    /// The whole token.
    pub token: Token,
    /// Its one-time key.
    pub psk: Psk,
}

/// What a RESYNC needs, at either side.
#[derive(Debug)]
pub(crate) struct ResyncMaterials {
    /// Our pairwise key.
    pub local: StaticKeypair,
    /// The contact's.
    pub remote: StaticPublic,
    /// The reserved token that is shown.
    pub token: Token,
    /// Where the contact is rung.
    pub address: ContactAddress,
    /// The last batch that we hold.
    pub last_batch: BatchNumber,
    /// Opens our own reserved slot.
    pub ours: Token,
}

/// What the other side of a RESYNC said.
#[derive(Debug)]
pub(crate) struct ResyncState {
    /// The last batch that it holds.
    pub last_batch: BatchNumber,
    /// Its new tokens for us, if it has any left to give.
    pub refill: Option<Refill>,
    /// Opens its reserved slot from now on.
    pub resync: Option<Token>,
}

/// An address of ours that should be reachable.
#[derive(Clone, Debug)]
pub(crate) struct Reachable {
    /// The contact, or the invite's future contact.
    pub id: ContactId,
    /// The address.
    pub own: OwnAddress,
    /// Whom it is for.
    pub purpose: For,
}

/// Whom an address of ours is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum For {
    /// A contact, or the contact that an invite will make.
    Contact,
    /// Whoever takes an invite.
    Invite,
    /// Whoever comes too late for an invite, to be told so.
    UsedInvite,
}

/// What is known of the two words that a contact and we compare.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Trust {
    /// Our person has confirmed them.
    pub verified: bool,
    /// The contact says that their person has.
    pub peer_verified: bool,
    /// Exchanges that the contact's side broke off since the last confirmation.
    pub broken_off: u32,
}

/// What a joiner showed, to be fixed before it is answered.
#[derive(Debug)]
pub(crate) enum JoinOutcome {
    /// The joiner is the first, or the same again before the join has gone through.
    Ours(Box<OwnAddress>),
    /// The join went through, and the same joiner tries again: an answer was lost.
    Again,
    /// Another key was first.
    Taken,
}
