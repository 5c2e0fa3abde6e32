//! ATTACH and ATTACHED: a callee takes the rings of its mailbox.

use super::{FrameBytes, Malformed, kind, version};
use crate::bucket::Rate;
use crate::limits::{PROTOCOL_VERSION, SIGNALING_FRAME_BYTES};
use crate::wire::{Reader, Writer};
use core::fmt;
use core::time::Duration;
use tacit_crypto::mailbox::{AttachSecret, SpentBitmap, TokenKey};
use tacit_crypto::token::Generation;

/// Takes the rings of one generation of a mailbox. A mailbox has at most two live generations, each
/// with an ATTACH of its own on the same connection.
#[derive(Clone, PartialEq, Eq)]
pub struct Attach {
    /// Proves ownership; the mailbox's id follows from it.
    pub secret: AttachSecret,
    /// The generation; never the reserved one, whose key follows from the secret.
    pub generation: Generation,
    /// Checks this generation's tags, and no other's.
    pub token_key: TokenKey,
    /// How often this mailbox may be rung. Whole seconds on the wire.
    pub ring_rate: Rate,
    /// Bit i set: index i is spent. The callee's own device is what remembers it.
    pub spent: SpentBitmap,
}

impl fmt::Debug for Attach {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Attach")
            .field("generation", &self.generation)
            .finish_non_exhaustive()
    }
}

impl Attach {
    pub(super) fn encode(&self) -> FrameBytes {
        let mut w = Writer::<SIGNALING_FRAME_BYTES>::new();
        w.u8(kind::ATTACH);
        w.u8(PROTOCOL_VERSION);
        w.put(self.secret.expose());
        w.u16(self.generation.0);
        w.put(self.token_key.expose());
        w.u16(self.ring_rate.burst);
        w.u16(u16::try_from(self.ring_rate.interval.as_secs()).unwrap_or(u16::MAX));
        w.put(&self.spent.0);
        w.finish()
    }

    pub(super) fn decode(body: &[u8]) -> Result<Self, Malformed> {
        let mut r = Reader::new(body);
        version(&mut r)?;
        let attach = Self {
            secret: AttachSecret::new(r.array()?),
            generation: Generation(r.u16()?),
            token_key: TokenKey::new(r.array()?),
            ring_rate: Rate {
                burst: r.u16()?,
                interval: Duration::from_secs(r.u16()?.into()),
            },
            spent: SpentBitmap(r.array()?),
        };
        if attach.generation == Generation::RESERVED {
            return Err(Malformed::Value);
        }
        r.padding().map(|()| attach)
    }
}

/// Where an attachment stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AttachStatus {
    /// Rings of this generation arrive here from now on.
    Accepted,
    /// The server does not take this ATTACH.
    Refused,
    /// Another connection has attached the mailbox; no more rings arrive here.
    Replaced,
}

/// The server's word on an attachment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Attached {
    /// Where it stands.
    pub status: AttachStatus,
    /// The generation that was asked for, or that the other connection attached.
    pub generation: Generation,
}

impl Attached {
    pub(super) fn encode(&self) -> FrameBytes {
        let mut w = Writer::<SIGNALING_FRAME_BYTES>::new();
        w.u8(kind::ATTACHED);
        w.u8(match self.status {
            AttachStatus::Accepted => 1,
            AttachStatus::Refused => 2,
            AttachStatus::Replaced => 3,
        });
        w.u16(self.generation.0);
        w.finish()
    }

    pub(super) fn decode(body: &[u8]) -> Result<Self, Malformed> {
        let mut r = Reader::new(body);
        let status = match r.u8()? {
            1 => AttachStatus::Accepted,
            2 => AttachStatus::Refused,
            3 => AttachStatus::Replaced,
            _ => return Err(Malformed::Value),
        };
        let attached = Self {
            status,
            generation: Generation(r.u16()?),
        };
        r.padding().map(|()| attached)
    }
}
