//! Media packets: one size, sealed for one path, nothing constant and nothing countable on the wire.
//!
//! ```text
//!   0        8                                   432      448
//!   | masked | ChaCha20-Poly1305 of 424 bytes    | tag 16 |
//!   | counter|<- sample 16 ->                    |        |
//! ```
//!
//! Counter = epoch 16 bits ‖ sequence 48 bits. Key by (direction, epoch, sender's leg, receiver's
//! leg). The chain steps once every 60 s of the sender's clock and old chain values are erased.

mod keys;
mod open;
mod seal;
mod window;

use core::time::Duration;

pub use self::open::PacketOpener;
pub use self::seal::{PacketSealer, SealError};

/// The symmetric ratchet steps after this time on the sender's clock.
pub const EPOCH_DURATION: Duration = Duration::from_secs(60);

/// Epochs behind its own from which a receiver still takes packets.
pub const EPOCHS_BEHIND: u16 = 1;

/// Epochs ahead of its own that a receiver tries.
pub const EPOCHS_AHEAD: u16 = 4;

/// Packets that a path's replay window reaches back: at 50 a second over two paths, 40 s.
pub const REPLAY_WINDOW: u64 = 1024;

/// Paths that one direction of a call keeps state for: 16 legs a side and as many replaced ones.
pub const MAX_PATHS: usize = 1024;

/// One past the last sequence number.
pub(crate) const SEQUENCE_END: u64 = 1 << 48;

/// A packet's counter, as authenticated.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PacketCounter {
    /// Step of the sender's ratchet.
    pub epoch: u16,
    /// Number of the packet on its path, from 0, not restarted by the ratchet; below 2^48.
    pub sequence: u64,
}

impl PacketCounter {
    /// Big-endian: epoch, then the low 48 bits of the sequence.
    #[must_use]
    pub fn to_bytes(self) -> [u8; 8] {
        ((u64::from(self.epoch) << 48) | (self.sequence & (SEQUENCE_END - 1))).to_be_bytes()
    }

    /// Reads the unmasked counter.
    #[must_use]
    pub fn from_bytes(bytes: [u8; 8]) -> Self {
        let value = u64::from_be_bytes(bytes);
        let epoch = u16::try_from(value >> 48).expect("16 bits are left");
        Self {
            epoch,
            sequence: value & (SEQUENCE_END - 1),
        }
    }
}

/// Why a packet was dropped. To be counted; no packet is worth an error.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum DropReason {
    /// Did not authenticate on this path.
    Unauthentic,
    /// Claims an epoch that is too old or too far ahead.
    Epoch,
    /// Was accepted on this path before.
    Replayed,
    /// Older than the path's replay window.
    TooOld,
    /// Uses a leg that was retired.
    RetiredLeg,
    /// More paths than a call may have.
    TooManyPaths,
}
