//! Bounds of this crate.

use core::time::Duration;

/// Places for frames, the coming ones and the remembered past ones: 5.12 s.
pub const RING: usize = 256;

/// How far ahead of the next frame a frame may be: 1.28 s. Ahead of that it is from elsewhere.
pub const AHEAD: u32 = 64;

/// How far behind a frame may be and still be told from a repeat; beyond it is stale.
pub const BEHIND: u32 = RING as u32 - AHEAD;

/// How far behind a frame may be before it counts as coming from elsewhere (a sender that started
/// again): 30 s.
pub const ELSEWHERE: u32 = 1500;

/// Frames in a row from elsewhere, with none from here between, that make the playout start again
/// there: two whole packets.
pub const STRANGERS: u32 = 10;

/// The delay never grows beyond this above the smallest transit.
pub const DELAY_MAX: Duration = Duration::from_secs(1);

/// Frames skipped in one pull at most.
pub const SKIPS_IN_A_PULL: u32 = 8;
