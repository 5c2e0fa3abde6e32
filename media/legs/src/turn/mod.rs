//! TURN legs: a small pipelining TURN client (RFC 8656) on the message codec of `rtc-stun` and the
//! attributes of `rtc-turn`. Why not the family's own client: docs/decisions/0002-turn-client.md.
//!
//! ```text
//!   client                                                        server
//!     ── Allocate (no credentials) ────────────────────────────────►
//!     ◄──────────────────────────────── 401, REALM, NONCE ──────────     first round trip
//!     ── Allocate ─ (30 ms) ─ ChannelBind 0 │ ChannelBind 1 │ … ───►     pipelined
//!     ◄─ Allocated │ bound │ bound │ … ─────────────────────────────     second round trip
//!     ── ChannelData … ──────────────► ◄────────────── ChannelData ─
//! ```
//!
//! Over a byte stream nothing is ever sent twice; every request has one deadline. Packets travel
//! as ChannelData alone: a Send indication would not fit a Tor cell.

mod bindings;
mod channel_data;
mod client;
mod codec;
#[cfg(any(test, feature = "testing"))]
pub(crate) mod hostile;
mod stream;
#[cfg(test)]
mod tests;

use core::fmt;

use zeroize::Zeroizing;

use crate::candidate::CandidatePolicy;
use crate::leg::Peer;

pub use channel_data::channel_data;
pub use client::TurnLeg;

/// A one-time credential for one allocation. Its `Debug` shows nothing.
#[derive(Clone, PartialEq, Eq)]
pub struct TurnCredentials {
    username: Zeroizing<String>,
    password: Zeroizing<String>,
}

impl TurnCredentials {
    /// A user name and password as the credential endpoint gave them.
    #[must_use]
    pub fn new(username: impl Into<String>, password: impl Into<String>) -> Self {
        Self {
            username: Zeroizing::new(username.into()),
            password: Zeroizing::new(password.into()),
        }
    }
}

impl fmt::Debug for TurnCredentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TurnCredentials[redacted]")
    }
}

/// What a TURN leg starts with.
#[derive(Clone, Debug)]
pub struct TurnConfig {
    /// The credential, used for this leg alone.
    pub credentials: TurnCredentials,
    /// The peer's legs that are already known: bound along with the allocation.
    pub peers: Vec<Peer>,
    /// Which relayed addresses are taken, the peer's and our own.
    pub candidates: CandidatePolicy,
    /// Fresh from the system's entropy: transaction ids and refresh times come from it.
    pub seed: [u8; 32],
}
