//! Messages 1 and 2 of a call or resume.

use super::refill::{read_refill, write_refill};
use super::{AddressMove, Candidates, exact};
use crate::frame::Malformed;
use crate::limits::{OFFER_BYTES, OFFER_TOKENS, PROTOCOL_VERSION, REFILL_TOKENS, REPLY_BYTES};
use crate::wire::{Reader, Writer};
use tacit_crypto::wallet::{BatchNumber, Refill};
use tacit_types::LegKind;
use tacit_types::limits::{FRAME_MAX_BYTES, MAX_LEGS, REPEATED_FRAMES_MAX};

/// How speech is encoded. Fixed for a call. What differs from frame to frame stays inside packets of
/// one size, so that sizes never tell.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CodecParameters {
    /// 1: Opus, mono, 48 kHz, with DRED, no DTX.
    pub codec: u8,
    /// Media in a frame, milliseconds.
    pub frame_ms: u8,
    /// Most bytes of an encoded frame.
    pub frame_bytes: u8,
    /// Most frames that a packet repeats after the current one.
    pub repeated: u8,
}

impl CodecParameters {
    /// What version 1 speaks.
    pub const VERSION_1: Self = Self {
        codec: 1,
        frame_ms: 20,
        frame_bytes: FRAME_MAX_BYTES as u8,
        repeated: REPEATED_FRAMES_MAX as u8,
    };
}

/// Message 1 of a call or resume: what the caller would do. Nothing here is secret for ever: it can
/// be replayed to the callee until the token's PSK is gone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Offer {
    /// Highest protocol version that the caller speaks.
    pub highest_version: u8,
    /// How media would travel.
    pub leg_kind: LegKind,
    /// Legs that the caller has or opens, 1 to 16.
    pub legs: u8,
    /// How speech is encoded.
    pub codec: CodecParameters,
    /// The caller's TURN candidates; only with TURN legs.
    pub candidates: Option<Candidates>,
    /// Last batch of tokens that the caller holds from the callee.
    pub last_batch: BatchNumber,
    /// Up to 8 tokens with which the callee can ring back; usable after the caller's first
    /// authentic PIPE message.
    pub refill: Option<Refill>,
    /// Where the caller can be rung from now on, if that changed.
    pub address: Option<AddressMove>,
}

impl Offer {
    pub(super) fn encode(&self) -> [u8; OFFER_BYTES] {
        let mut w = Writer::new();
        w.u8(self.highest_version);
        w.u8(leg_kind_byte(self.leg_kind));
        w.u8(self.legs);
        let c = self.codec;
        w.put(&[c.codec, c.frame_ms, c.frame_bytes, c.repeated]);
        Candidates::encode_optional(self.candidates.as_ref(), &mut w);
        w.u32(self.last_batch.0);
        write_refill(&mut w, self.refill.as_ref(), OFFER_TOKENS);
        AddressMove::encode_optional(self.address.as_ref(), &mut w);
        w.finish()
    }

    pub(super) fn decode(bytes: &[u8]) -> Result<Self, Malformed> {
        let mut r = Reader::new(exact::<OFFER_BYTES>(bytes)?);
        let highest_version = version(r.u8()?)?;
        let (leg_kind, legs) = (leg_kind_from(r.u8()?)?, legs(r.u8()?)?);
        let [codec, frame_ms, frame_bytes, repeated] = r.array()?;
        let offer = Self {
            highest_version,
            leg_kind,
            legs,
            codec: CodecParameters {
                codec,
                frame_ms,
                frame_bytes,
                repeated,
            },
            candidates: candidates_for(leg_kind, &mut r)?,
            last_batch: BatchNumber(r.u32()?),
            refill: read_refill(&mut r, OFFER_TOKENS)?,
            address: AddressMove::decode_optional(&mut r)?,
        };
        r.padding().map(|()| offer)
    }
}

/// How message 2 answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    /// The callee's device rings (or, for a resume, carries on).
    Ringing,
    /// Join or resync: done.
    Done,
    /// Join: somebody else's key has taken this invite.
    Used,
}

impl Status {
    pub(super) const fn byte(self) -> u8 {
        match self {
            Self::Ringing => 1,
            Self::Done => 2,
            Self::Used => 3,
        }
    }

    pub(super) const fn from_byte(byte: u8) -> Result<Self, Malformed> {
        Ok(match byte {
            1 => Self::Ringing,
            2 => Self::Done,
            3 => Self::Used,
            _ => return Err(Malformed::Value),
        })
    }
}

/// Message 2 of a call or resume.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reply {
    /// What happens at the callee's.
    pub status: Status,
    /// Highest protocol version that the callee speaks.
    pub highest_version: u8,
    /// How media will travel: the offer's kind or one of less exposure.
    pub leg_kind: LegKind,
    /// Legs that the callee takes (onion) or opens (TURN), 1 to 16.
    pub legs: u8,
    /// The callee's TURN candidates, if it has them already; else they follow in PIPE.
    pub candidates: Option<Candidates>,
    /// Last batch of tokens that the callee holds from the caller, the offer's included.
    pub last_batch: BatchNumber,
    /// Up to 16 tokens to ring the callee again.
    pub refill: Option<Refill>,
}

impl Reply {
    pub(super) fn encode(&self) -> [u8; REPLY_BYTES] {
        let mut w = Writer::new();
        w.u8(self.status.byte());
        w.u8(self.highest_version);
        w.u8(leg_kind_byte(self.leg_kind));
        w.u8(self.legs);
        Candidates::encode_optional(self.candidates.as_ref(), &mut w);
        w.u32(self.last_batch.0);
        write_refill(&mut w, self.refill.as_ref(), REFILL_TOKENS);
        w.finish()
    }

    pub(super) fn decode(bytes: &[u8]) -> Result<Self, Malformed> {
        let mut r = Reader::new(exact::<REPLY_BYTES>(bytes)?);
        let status = Status::from_byte(r.u8()?)?;
        let highest_version = version(r.u8()?)?;
        let (leg_kind, legs) = (leg_kind_from(r.u8()?)?, legs(r.u8()?)?);
        let reply = Self {
            status,
            highest_version,
            leg_kind,
            legs,
            candidates: candidates_for(leg_kind, &mut r)?,
            last_batch: BatchNumber(r.u32()?),
            refill: read_refill(&mut r, REFILL_TOKENS)?,
        };
        r.padding().map(|()| reply)
    }
}

/// A version that a peer claims to speak: ours or a later one.
pub(super) const fn version(byte: u8) -> Result<u8, Malformed> {
    if byte >= PROTOCOL_VERSION {
        Ok(byte)
    } else {
        Err(Malformed::Version)
    }
}

const fn legs(byte: u8) -> Result<u8, Malformed> {
    if byte >= 1 && byte as usize <= MAX_LEGS {
        Ok(byte)
    } else {
        Err(Malformed::Value)
    }
}

const fn leg_kind_byte(kind: LegKind) -> u8 {
    match kind {
        LegKind::Onion => 1,
        LegKind::Turn => 2,
    }
}

const fn leg_kind_from(byte: u8) -> Result<LegKind, Malformed> {
    match byte {
        1 => Ok(LegKind::Onion),
        2 => Ok(LegKind::Turn),
        _ => Err(Malformed::Value),
    }
}

/// Onion legs have no candidates.
fn candidates_for(kind: LegKind, r: &mut Reader<'_>) -> Result<Option<Candidates>, Malformed> {
    match (kind, Candidates::decode_optional(r)?) {
        (LegKind::Onion, Some(_)) => Err(Malformed::Value),
        (_, candidates) => Ok(candidates),
    }
}
