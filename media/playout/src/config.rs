//! What a playout can be told.

use core::time::Duration;

/// Parameters. The defaults are what the simulation in `tests/` was tuned with.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Config {
    /// Target before enough has been seen: above the smallest transit.
    pub start: Duration,
    /// The target is never closer to the smallest transit than this.
    pub floor: Duration,
    /// Added to the transit that the target must cover.
    pub margin: Duration,
    /// Surplus over the target below which nothing is skipped.
    pub slack: Duration,
    /// Longest run of concealment for which the playout stays where it is when dry.
    pub hold: Duration,
    /// Time between two skips of frames that are not quiet.
    pub skip_interval: Duration,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            start: Duration::from_millis(80),
            floor: Duration::from_millis(60),
            margin: Duration::from_millis(20),
            slack: Duration::from_millis(30),
            hold: Duration::from_millis(160),
            skip_interval: Duration::from_millis(100),
        }
    }
}
