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
    /// How far above the 99th percentile of the last 20 s the delay may be.
    pub headroom: Duration,
    /// Surplus over the target below which nothing is played faster.
    pub slack: Duration,
    /// Lack below the target up to which nothing is played slower.
    pub lack: Duration,
    /// Surplus above which frames are left out, because stretching would take too long.
    pub far: Duration,
    /// Longest run of concealment for which the playout stays where it is when dry.
    pub hold: Duration,
    /// The margin of the first 5 s, while little is known.
    pub early_margin: Duration,
    /// Surplus for this long is not waited out for a quiet frame any longer: speech is stretched, too.
    pub patience: Duration,
    /// Time between two skips of frames that are there.
    pub skip_interval: Duration,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            start: Duration::from_millis(80),
            floor: Duration::from_millis(60),
            margin: Duration::from_millis(20),
            headroom: Duration::from_millis(50),
            early_margin: Duration::from_millis(40),
            patience: Duration::from_millis(500),
            slack: Duration::from_millis(20),
            lack: Duration::from_millis(10),
            far: Duration::from_millis(400),
            hold: Duration::from_millis(160),
            skip_interval: Duration::from_millis(50),
        }
    }
}
