//! Vocabulary shared by every Tacit crate: newtypes, units, limits, reason codes and redaction.
//!
//! ```text
//!   types  <-  crypto, packet, legs  <-  signaling, paths, playout  <-  engine  <-  cli
//! ```
//!
//! Time is an argument everywhere in Tacit's cores; [`Timestamp`] is the type of that argument.
//! Anything that could identify a person is a type from [`mod@redact`] or an id from [`id`], whose
//! `Debug` and `Display` never show the value.
//!
//! **Not in this crate:** logic, I/O, clocks, randomness, anything from another Tacit crate.
#![forbid(unsafe_code)]

pub mod cells;
pub mod frame;
pub mod id;
pub mod limits;
pub mod reason;
pub mod redact;
pub mod time;

pub use cells::Cells;
pub use frame::{EncodedFrame, FramePayload, Reach};
pub use id::{FrameNumber, LegIndex, MailboxId, OnionKey, Path, SlotNumber};
pub use reason::Reason;
pub use redact::{Redacted, SecretBytes};
pub use time::{Timestamp, UnixTime};

/// How a call's media travels.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, serde::Serialize, serde::Deserialize,
)]
#[serde(rename_all = "lowercase")]
pub enum LegKind {
    /// Direct streams to the peer's onion address: leg i of one side is leg i of the other.
    Onion,
    /// Allocations on a TURN server reached through Tor exits: n × m paths.
    Turn,
}

/// Who placed the call. Fixes every direction-dependent key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
pub enum Role {
    /// The person who rang; Noise initiator.
    Caller,
    /// The person who was rung; Noise responder.
    Callee,
}

impl Role {
    /// The other side.
    #[must_use]
    pub const fn peer(self) -> Self {
        match self {
            Self::Caller => Self::Callee,
            Self::Callee => Self::Caller,
        }
    }
}
