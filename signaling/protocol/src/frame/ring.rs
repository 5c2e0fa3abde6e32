//! RING, RING-IN and ANSWER: the two handshake messages and what the server needs to route them.

use super::{FrameBytes, Handle, Malformed, Opaque, kind, version};
use crate::limits::{MESSAGE_1_BYTES, MESSAGE_2_BYTES, PROTOCOL_VERSION, SIGNALING_FRAME_BYTES};
use crate::wire::{Reader, Writer};
use tacit_crypto::handshake::Purpose;
use tacit_crypto::token::{Generation, Token};
use tacit_types::MailboxId;

/// A ring on its way to the server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ring {
    /// Whom to ring.
    pub mailbox: MailboxId,
    /// What for: decides which slots the token may name.
    pub purpose: Purpose,
    /// One-time admission.
    pub token: Token,
    /// Noise message 1.
    pub message_1: Opaque<MESSAGE_1_BYTES>,
}

impl Ring {
    pub(super) fn encode(&self) -> FrameBytes {
        let mut w = Writer::<SIGNALING_FRAME_BYTES>::new();
        w.u8(kind::RING);
        w.u8(PROTOCOL_VERSION);
        w.put(&self.mailbox.0);
        w.u8(self.purpose.to_byte());
        w.put(&self.token.to_bytes());
        w.put(&self.message_1.0);
        w.finish()
    }

    pub(super) fn decode(body: &[u8]) -> Result<Self, Malformed> {
        let mut r = Reader::new(body);
        version(&mut r)?;
        let ring = Self {
            mailbox: MailboxId(r.array()?),
            purpose: purpose_from(r.u8()?)?,
            token: Token::from_bytes(&r.array()?),
            message_1: Opaque(r.array()?),
        };
        r.padding().map(|()| ring)
    }
}

/// A ring on its way to the callee: the tag has been checked, the caller's nonce is added, because
/// the callee was greeted with another one and needs this one for the prologue.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RingIn {
    /// Names the pipe on the callee's connection.
    pub handle: Handle,
    /// The token's generation.
    pub generation: Generation,
    /// The token's index: tells the callee which contact rings.
    pub index: u16,
    /// What for.
    pub purpose: Purpose,
    /// The nonce of the caller's HELLO.
    pub nonce: [u8; 32],
    /// Noise message 1.
    pub message_1: Opaque<MESSAGE_1_BYTES>,
}

impl RingIn {
    pub(super) fn encode(&self) -> FrameBytes {
        let mut w = Writer::<SIGNALING_FRAME_BYTES>::new();
        w.u8(kind::RING_IN);
        w.u32(self.handle.0);
        w.u16(self.generation.0);
        w.u16(self.index);
        w.u8(self.purpose.to_byte());
        w.put(&self.nonce);
        w.put(&self.message_1.0);
        w.finish()
    }

    pub(super) fn decode(body: &[u8]) -> Result<Self, Malformed> {
        let mut r = Reader::new(body);
        let ring = Self {
            handle: Handle(r.u32()?),
            generation: Generation(r.u16()?),
            index: r.u16()?,
            purpose: purpose_from(r.u8()?)?,
            nonce: r.array()?,
            message_1: Opaque(r.array()?),
        };
        r.padding().map(|()| ring)
    }
}

/// The callee's answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// The pipe, by the name that the connection it travels on knows it by.
    pub handle: Handle,
    /// Noise message 2.
    pub message_2: Opaque<MESSAGE_2_BYTES>,
}

impl Answer {
    pub(super) fn encode(&self) -> FrameBytes {
        let mut w = Writer::<SIGNALING_FRAME_BYTES>::new();
        w.u8(kind::ANSWER);
        w.u32(self.handle.0);
        w.put(&self.message_2.0);
        w.finish()
    }

    pub(super) fn decode(body: &[u8]) -> Result<Self, Malformed> {
        let mut r = Reader::new(body);
        Ok(Self {
            handle: Handle(r.u32()?),
            message_2: Opaque(r.array()?),
        })
    }
}

fn purpose_from(byte: u8) -> Result<Purpose, Malformed> {
    Purpose::from_byte(byte).ok_or(Malformed::Value)
}
