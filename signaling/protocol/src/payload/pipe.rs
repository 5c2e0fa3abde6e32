//! What PIPE carries after the handshake: byte 0 is the kind.
//!
//! | kind | message | body: offset, name, bytes |
//! |---|---|---|
//! | 0 | Cover | nothing |
//! | 1 | Confirm | 1 last batch 4 |
//! | 2 | Accept | nothing |
//! | 3 | Bye | nothing |
//! | 4 | Candidates | 1 candidates 50 |
//! | 5 | Refill | 1 last batch 4, 5 refill(16) 333 |
//! | 6 | Address | 1 move 106 |

use super::refill::{read_refill, write_refill};
use super::{AddressMove, Candidates};
use crate::frame::Malformed;
use crate::limits::{PIPE_PLAINTEXT_BYTES, REFILL_TOKENS};
use crate::wire::{Reader, Writer};
use tacit_crypto::wallet::{BatchNumber, Refill};

/// A message between two people over their mailbox server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PipeMessage {
    /// Nothing; looks like all the others.
    Cover,
    /// The third message: proves the caller's keys and says which batch it now holds.
    Confirm {
        /// Last batch held from the peer.
        last_batch: BatchNumber,
    },
    /// The person took the call.
    Accept,
    /// The call is over, for this side.
    Bye,
    /// This side's TURN candidates, or further ones.
    Candidates(Candidates),
    /// More tokens, or the answer to a stated batch.
    Refill {
        /// Last batch held from the peer.
        last_batch: BatchNumber,
        /// Tokens for ringing this side.
        refill: Option<Refill>,
    },
    /// Where this side can be rung from now on.
    Address(AddressMove),
    /// A kind of a later version: authentic, but not ours to read.
    Unknown(u8),
}

impl PipeMessage {
    /// The padded plaintext.
    #[must_use]
    pub fn encode(&self) -> [u8; PIPE_PLAINTEXT_BYTES] {
        let mut w = Writer::new();
        match self {
            Self::Cover => w.u8(0),
            Self::Confirm { last_batch } => {
                w.u8(1);
                w.u32(last_batch.0);
            }
            Self::Accept => w.u8(2),
            Self::Bye => w.u8(3),
            Self::Candidates(candidates) => {
                w.u8(4);
                candidates.encode(&mut w);
            }
            Self::Refill { last_batch, refill } => {
                w.u8(5);
                w.u32(last_batch.0);
                write_refill(&mut w, refill.as_ref(), REFILL_TOKENS);
            }
            Self::Address(address) => {
                w.u8(6);
                address.encode(&mut w);
            }
            Self::Unknown(kind) => w.u8(*kind),
        }
        w.finish()
    }

    /// Reads an authentic plaintext.
    ///
    /// # Errors
    /// When it is none of this version. Kinds that this version does not know are no error.
    pub fn decode(bytes: &[u8; PIPE_PLAINTEXT_BYTES]) -> Result<Self, Malformed> {
        let mut r = Reader::new(bytes);
        let message = match r.u8()? {
            0 => Self::Cover,
            1 => Self::Confirm {
                last_batch: BatchNumber(r.u32()?),
            },
            2 => Self::Accept,
            3 => Self::Bye,
            4 => Self::Candidates(Candidates::decode(&mut r)?),
            5 => Self::Refill {
                last_batch: BatchNumber(r.u32()?),
                refill: read_refill(&mut r, REFILL_TOKENS)?,
            },
            6 => Self::Address(AddressMove::decode(&mut r)?),
            kind => return Ok(Self::Unknown(kind)),
        };
        r.padding().map(|()| message)
    }
}
