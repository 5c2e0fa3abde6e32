//! What a playout can be told.

use core::time::Duration;

/// Parameters. The defaults are what `tacit-bench` and the simulation in `tests/` were tuned with.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Config {
    /// What the way from mouth to ear takes without any playout delay, as far as it is known: the more
    /// it takes, the less further delay matters beside loss.
    pub before: Duration,
    /// Target before enough has been seen: above the smallest transit.
    pub start: Duration,
    /// From the first frame's arrival, the time after which it is played in any case.
    pub start_at_last: Duration,
    /// The target is never closer to the smallest transit than this.
    pub floor: Duration,
    /// The target is never further than this above nearly the largest transit of the last 4 s, whatever
    /// came before.
    pub margin: Duration,
    /// How far it is above that in the first seconds, while little is known.
    pub early_margin: Duration,
    /// How far above the 99th percentile of the last 20 s the delay may be.
    pub headroom: Duration,
    /// Surplus over the target below which nothing is played faster.
    pub slack: Duration,
    /// Lack below the target up to which nothing is played slower.
    pub lack: Duration,
    /// How long there must be surplus or lack before frames are stretched: what is shorter is the
    /// output's own unrest.
    pub steady: Duration,
    /// Surplus above which speech is played faster, until nothing is left of it. What is less waits for
    /// a pause.
    pub large: Duration,
    /// The same in the first seconds, while the target is a guess.
    pub early_large: Duration,
    /// Lack above which speech is played slower. What is less waits for a pause.
    pub deep: Duration,
    /// How long a surplus or lack waits for a pause.
    pub patience: Duration,
    /// Surplus above which frames are left out, because stretching would take too long.
    pub far: Duration,
    /// Time between two skips of frames that are there.
    pub skip_interval: Duration,
    /// Longest run of concealment for which the playout stays where it is when dry.
    pub hold: Duration,
    /// A frame that comes after its place was concealed is played after all, and what follows it,
    /// if that puts the delay no more than this above the target.
    pub late: Duration,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            before: Duration::from_millis(180),
            start: Duration::from_millis(80),
            start_at_last: Duration::from_millis(200),
            floor: Duration::from_millis(60),
            margin: Duration::from_millis(20),
            early_margin: Duration::from_millis(40),
            headroom: Duration::from_millis(40),
            slack: Duration::from_millis(5),
            lack: Duration::from_millis(5),
            steady: Duration::from_millis(60),
            large: Duration::from_millis(40),
            early_large: Duration::from_millis(100),
            deep: Duration::from_millis(20),
            patience: Duration::from_secs(5),
            far: Duration::from_millis(400),
            skip_interval: Duration::from_millis(50),
            hold: Duration::from_millis(160),
            late: Duration::from_millis(300),
        }
    }
}
