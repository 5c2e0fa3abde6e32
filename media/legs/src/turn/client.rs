//! The client's state machine.

use core::fmt;
use tacit_types::limits::PACKET_BYTES;
use tacit_types::{LegIndex, Timestamp};
use zeroize::Zeroizing;

use crate::candidate::CandidatePolicy;
use crate::leg::{DropCounts, Leg, LegEvent, Peer, PeerError, SendError, WakeReason};

/// A one-time credential for one allocation. Its `Debug` shows nothing.
#[derive(Clone, PartialEq, Eq)]
pub struct TurnCredentials {
    pub(crate) username: Zeroizing<String>,
    pub(crate) password: Zeroizing<String>,
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
    /// The peer's legs that are already known: bound in the same write as the allocation.
    pub peers: Vec<Peer>,
    /// Which relayed addresses are taken, the peer's and our own.
    pub candidates: CandidatePolicy,
    /// Fresh from the system's entropy: transaction ids and refresh times come from it.
    pub seed: [u8; 32],
}

/// One allocation on a TURN server and the channels bound on it.
#[derive(Debug)]
pub struct TurnLeg {
    drops: DropCounts,
}

impl TurnLeg {
    /// A client whose first write is the 401 probe. Peers that the policy refuses are left out.
    #[must_use]
    pub fn new(config: TurnConfig, now: Timestamp) -> Self {
        let _ = (config, now);
        Self {
            drops: DropCounts::default(),
        }
    }
}

impl Leg for TurnLeg {
    fn handle_input(&mut self, _bytes: &[u8], _now: Timestamp) {}
    fn handle_timeout(&mut self, _now: Timestamp) {}
    fn send(
        &mut self,
        _peer: LegIndex,
        _packet: &[u8; PACKET_BYTES],
        _now: Timestamp,
    ) -> Result<(), SendError> {
        Err(SendError::NotBound)
    }
    fn add_peer(&mut self, _peer: Peer, _now: Timestamp) -> Result<(), PeerError> {
        Err(PeerError::Closed)
    }
    fn remove_peer(&mut self, _peer: LegIndex) {}
    fn close(&mut self, _now: Timestamp) {}
    fn poll_transmit(&mut self, _now: Timestamp) -> Option<Vec<u8>> {
        None
    }
    fn poll_event(&mut self) -> Option<LegEvent> {
        None
    }
    fn poll_timeout(&self) -> Option<(Timestamp, WakeReason)> {
        None
    }
    fn drops(&self) -> DropCounts {
        self.drops
    }
}
