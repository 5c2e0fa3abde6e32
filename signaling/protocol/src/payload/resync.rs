//! Messages 1 and 2 of a resync: both wallets start over; it takes effect on the third message.

use super::call::version;
use super::refill::{read_refill, read_token, write_refill, write_token};
use super::{Status, exact};
use crate::frame::Malformed;
use crate::limits::{OFFER_BYTES, REFILL_TOKENS, REPLY_BYTES};
use crate::wire::{Reader, Writer};
use tacit_crypto::token::Token;
use tacit_crypto::wallet::{BatchNumber, Refill};

/// Message 1 of a resync.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ResyncOffer {
    /// Highest protocol version that the sender speaks.
    pub highest_version: u8,
    /// Last batch that the sender holds.
    pub last_batch: BatchNumber,
    /// A new batch for ringing the sender.
    pub refill: Option<Refill>,
    /// Opens the sender's RESYNC slot from now on.
    pub resync: Option<Token>,
}

impl ResyncOffer {
    pub(super) fn encode(&self) -> [u8; OFFER_BYTES] {
        let mut w = Writer::new();
        w.u8(self.highest_version);
        w.u32(self.last_batch.0);
        write_refill(&mut w, self.refill.as_ref(), REFILL_TOKENS);
        write_token(&mut w, self.resync.as_ref());
        w.finish()
    }

    pub(super) fn decode(bytes: &[u8]) -> Result<Self, Malformed> {
        let mut r = Reader::new(exact::<OFFER_BYTES>(bytes)?);
        let offer = Self {
            highest_version: version(r.u8()?)?,
            last_batch: BatchNumber(r.u32()?),
            refill: read_refill(&mut r, REFILL_TOKENS)?,
            resync: read_token(&mut r)?,
        };
        r.padding().map(|()| offer)
    }
}

/// Message 2 of a resync.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ResyncReply {
    /// Done.
    pub status: Status,
    /// Highest protocol version that the sender speaks.
    pub highest_version: u8,
    /// Last batch that the sender holds, the offer's included.
    pub last_batch: BatchNumber,
    /// A new batch for ringing the sender.
    pub refill: Option<Refill>,
    /// Opens the sender's RESYNC slot from now on.
    pub resync: Option<Token>,
}

impl ResyncReply {
    pub(super) fn encode(&self) -> [u8; REPLY_BYTES] {
        let mut w = Writer::new();
        w.u8(self.status.byte());
        w.u8(self.highest_version);
        w.u32(self.last_batch.0);
        write_refill(&mut w, self.refill.as_ref(), REFILL_TOKENS);
        write_token(&mut w, self.resync.as_ref());
        w.finish()
    }

    pub(super) fn decode(bytes: &[u8]) -> Result<Self, Malformed> {
        let mut r = Reader::new(exact::<REPLY_BYTES>(bytes)?);
        let reply = Self {
            status: Status::from_byte(r.u8()?)?,
            highest_version: version(r.u8()?)?,
            last_batch: BatchNumber(r.u32()?),
            refill: read_refill(&mut r, REFILL_TOKENS)?,
            resync: read_token(&mut r)?,
        };
        r.padding().map(|()| reply)
    }
}
