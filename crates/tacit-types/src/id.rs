//! Identifiers. The ones that point at a person or a mailbox print as placeholders.

use core::fmt;

/// A mailbox's public name at its mailbox server: 16 bytes derived from the callee's secret.
#[derive(
    Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize,
)]
pub struct MailboxId(pub [u8; 16]);

impl fmt::Debug for MailboxId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("MailboxId[redacted]")
    }
}

/// The ed25519 public key of a v3 onion service (the 32 bytes inside its address).
#[derive(
    Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize,
)]
pub struct OnionKey(pub [u8; 32]);

impl fmt::Debug for OnionKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("OnionKey[redacted]")
    }
}

/// Index of one side's leg in a call, from 0; never reused within one handshake's keys.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize,
)]
pub struct LegIndex(pub u8);

impl fmt::Display for LegIndex {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// A sender's leg and a receiver's leg. With onion legs both indices are equal.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Path {
    /// Leg on which the sender writes.
    pub sender: LegIndex,
    /// Leg on which the receiver reads.
    pub receiver: LegIndex,
}

/// Number of an encoded Opus frame within one direction of a call: frame n holds the 20 ms of media
/// that end 20 · n ms after the media clock's start, and is first sent in slot n.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FrameNumber(pub u32);

/// Number of a packet slot within one direction of a call: slot n is sent 20 · n ms after the media
/// clock's start, whatever it holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SlotNumber(pub u32);
