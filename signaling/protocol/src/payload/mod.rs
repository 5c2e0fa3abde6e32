//! What the handshake messages and PIPE carry, inside the encryption. Each payload is padded with
//! zeros to the whole room of its frame, so that no length says what it holds.
//!
//! Blocks used below: *candidates* 50 = family 1 (0 none, 4, 6), address 16 (IPv4 in the first
//! four), count 1, sixteen ports 32; *refill(n)* 13 + 20 n = batch 4, after 4, check 4, count 1, n
//! tokens (none: all zero); *address* 81 = kind 1 (1 embedded, 2 operated, + 16 with a discovery
//! secret), server onion key 32, mailbox 16, discovery secret 32; *token?* 21 = present 1, token 20;
//! *move* 106 = sequence 4, address 81, token? of the new mailbox's RESYNC slot; *move?* 107 =
//! present 1, move.
//!
//! | payload | bytes | fields: offset, name, bytes |
//! |---|---|---|
//! | call, resume, message 1 | 390 | 0 highest version 1, 1 leg kind 1, 2 legs 1, 3 codec 4, 7 candidates 50, 57 last batch 4, 61 refill(8) 173, 234 move? 107 |
//! | call, resume, message 2 | 427 | 0 status 1, 1 highest version 1, 2 leg kind 1, 3 legs 1, 4 candidates 50, 54 last batch 4, 58 refill(16) 333 |
//! | join, message 1 | 342 | 0 highest version 1, 1 move 106, 107 refill(8) 173 |
//! | join, message 2 | 427 | 0 status 1, 1 highest version 1, 2 move? 107, 109 refill(15) 313 |
//! | resync, message 1 | 390 | 0 highest version 1, 1 last batch 4, 5 refill(16) 333, 338 token? 21 |
//! | resync, message 2 | 427 | 0 status 1, 1 highest version 1, 2 last batch 4, 6 refill(16) 333, 339 token? 21 |
//! | PIPE | 459 | 0 kind 1, 1 body |

mod address;
mod call;
mod candidates;
mod join;
mod pipe;
mod refill;
mod resync;

pub use address::{AddressMove, ContactAddress, Hosting};
pub use call::{CodecParameters, Offer, Reply, Status};
pub use candidates::Candidates;
pub(crate) use candidates::{read_address, write_address};
pub use join::{JoinOffer, JoinReply};
pub use pipe::PipeMessage;
pub use resync::{ResyncOffer, ResyncReply};

use crate::frame::Malformed;
use tacit_crypto::handshake::Purpose;

/// What message 1 asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Opening {
    /// Ring the person.
    Call(Offer),
    /// Carry on a call whose legs all died.
    Resume(Offer),
    /// An invite's first ring: silent.
    Join(JoinOffer),
    /// New batches for wallets that disagree: silent.
    Resync(ResyncOffer),
}

impl Opening {
    /// The purpose that the prologue binds.
    #[must_use]
    pub const fn purpose(&self) -> Purpose {
        match self {
            Self::Call(_) => Purpose::Call,
            Self::Resume(_) => Purpose::Resume,
            Self::Join(_) => Purpose::Join,
            Self::Resync(_) => Purpose::Resync,
        }
    }

    /// The padded payload of message 1.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        match self {
            Self::Call(o) | Self::Resume(o) => o.encode().to_vec(),
            Self::Join(o) => o.encode().to_vec(),
            Self::Resync(o) => o.encode().to_vec(),
        }
    }

    /// Reads the payload of an authentic message 1.
    ///
    /// # Errors
    /// When it is none of this version.
    pub fn decode(purpose: Purpose, bytes: &[u8]) -> Result<Self, Malformed> {
        Ok(match purpose {
            Purpose::Call => Self::Call(Offer::decode(bytes)?),
            Purpose::Resume => Self::Resume(Offer::decode(bytes)?),
            Purpose::Join => Self::Join(JoinOffer::decode(bytes)?),
            Purpose::Resync => Self::Resync(ResyncOffer::decode(bytes)?),
        })
    }
}

/// What message 2 says. A resume is answered as a call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Response {
    /// To a call or resume.
    Call(Reply),
    /// To a join.
    Join(JoinReply),
    /// To a resync.
    Resync(ResyncReply),
}

impl Response {
    /// The padded payload of message 2.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        match self {
            Self::Call(r) => r.encode().to_vec(),
            Self::Join(r) => r.encode().to_vec(),
            Self::Resync(r) => r.encode().to_vec(),
        }
    }

    /// Whether this is the kind of answer that `purpose` calls for.
    #[must_use]
    pub const fn answers(&self, purpose: Purpose) -> bool {
        matches!(
            (self, purpose),
            (Self::Call(_), Purpose::Call | Purpose::Resume)
                | (Self::Join(_), Purpose::Join)
                | (Self::Resync(_), Purpose::Resync)
        )
    }

    /// Reads the payload of an authentic message 2.
    ///
    /// # Errors
    /// When it is none of this version.
    pub fn decode(purpose: Purpose, bytes: &[u8]) -> Result<Self, Malformed> {
        Ok(match purpose {
            Purpose::Call | Purpose::Resume => Self::Call(Reply::decode(bytes)?),
            Purpose::Join => Self::Join(JoinReply::decode(bytes)?),
            Purpose::Resync => Self::Resync(ResyncReply::decode(bytes)?),
        })
    }
}

/// Fails unless the payload has exactly the room of its frame.
fn exact<const N: usize>(bytes: &[u8]) -> Result<&[u8; N], Malformed> {
    bytes.try_into().map_err(|_| Malformed::Length)
}
