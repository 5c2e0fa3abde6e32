//! What the playout has done.

use core::time::Duration;

/// Counters since the start, and the present delays.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Stats {
    /// Target delay, above the smallest recent transit.
    pub target: Duration,
    /// Present delay, above the smallest recent transit: what a frame by the fastest leg waits.
    pub delay: Duration,
    /// Frames in the buffer.
    pub buffered: usize,
    /// Frames handed out for decoding.
    pub played: u64,
    /// Missing frames that were restored from a later one's DRED.
    pub repaired: u64,
    /// Frames of which the decoder said that it could not decode or repair them; they count as
    /// concealed.
    pub failed: u64,
    /// Frames that were concealed and passed over: lost media.
    pub concealed: u64,
    /// Pulls concealed while the playout stayed where it was: delay grown, no media lost.
    pub held: u64,
    /// Frames skipped to come down, whether they were there or not: lost media.
    pub skipped: u64,
    /// Frames that were to be played faster, to come down.
    pub faster: u64,
    /// Frames that were to be played slower, to go up.
    pub slower: u64,
    /// First copies that came after their place had been passed.
    pub late: u64,
    /// Further copies.
    pub duplicates: u64,
    /// Frames too far behind to tell, or from elsewhere.
    pub stale: u64,
    /// How often the playout started again because the numbers had moved elsewhere.
    pub restarts: u64,
    /// Longest run of concealed pulls, whatever their cause.
    pub longest_gap: Duration,
}
