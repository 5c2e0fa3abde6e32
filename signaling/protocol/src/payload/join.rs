//! Messages 1 and 2 of a join: two people exchange the addresses and tokens that last.

use super::call::version;
use super::refill::{read_refill, write_refill};
use super::{AddressMove, Status, exact};
use crate::frame::Malformed;
use crate::limits::{JOIN_OFFER_BYTES, JOIN_REPLY_TOKENS, OFFER_TOKENS, REPLY_BYTES};
use crate::wire::{Reader, Writer};
use tacit_crypto::wallet::Refill;

/// Message 1 of a join, from the person who was invited. Their static key is in the handshake.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JoinOffer {
    /// Highest protocol version that the joiner speaks.
    pub highest_version: u8,
    /// Where the joiner can be rung from now on.
    pub address: AddressMove,
    /// Up to 8 first tokens for ringing the joiner; usable after the joiner's confirmation.
    pub refill: Option<Refill>,
}

impl JoinOffer {
    pub(super) fn encode(&self) -> [u8; JOIN_OFFER_BYTES] {
        let mut w = Writer::new();
        w.u8(self.highest_version);
        self.address.encode(&mut w);
        write_refill(&mut w, self.refill.as_ref(), OFFER_TOKENS);
        w.finish()
    }

    pub(super) fn decode(bytes: &[u8]) -> Result<Self, Malformed> {
        let mut r = Reader::new(exact::<JOIN_OFFER_BYTES>(bytes)?);
        let offer = Self {
            highest_version: version(r.u8()?)?,
            address: AddressMove::decode(&mut r)?,
            refill: read_refill(&mut r, OFFER_TOKENS)?,
        };
        r.padding().map(|()| offer)
    }
}

/// Message 2 of a join, from the inviter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JoinReply {
    /// Done, or used by somebody else; then nothing else is in here.
    pub status: Status,
    /// Highest protocol version that the inviter speaks.
    pub highest_version: u8,
    /// Where the inviter can be rung from now on.
    pub address: Option<AddressMove>,
    /// Up to 15 first tokens for ringing the inviter.
    pub refill: Option<Refill>,
}

impl JoinReply {
    /// The authenticated "used": another static key took this invite.
    #[must_use]
    pub const fn used(highest_version: u8) -> Self {
        Self {
            status: Status::Used,
            highest_version,
            address: None,
            refill: None,
        }
    }

    pub(super) fn encode(&self) -> [u8; REPLY_BYTES] {
        let mut w = Writer::new();
        w.u8(self.status.byte());
        w.u8(self.highest_version);
        AddressMove::encode_optional(self.address.as_ref(), &mut w);
        write_refill(&mut w, self.refill.as_ref(), JOIN_REPLY_TOKENS);
        w.finish()
    }

    pub(super) fn decode(bytes: &[u8]) -> Result<Self, Malformed> {
        let mut r = Reader::new(exact::<REPLY_BYTES>(bytes)?);
        let reply = Self {
            status: Status::from_byte(r.u8()?)?,
            highest_version: version(r.u8()?)?,
            address: AddressMove::decode_optional(&mut r)?,
            refill: read_refill(&mut r, JOIN_REPLY_TOKENS)?,
        };
        r.padding().map(|()| reply)
    }
}
