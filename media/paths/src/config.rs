//! What a scheduler can be told.

use core::time::Duration;

use tacit_types::LegKind;

/// Parameters of the policy. The defaults are what the simulation in `tests/` was tuned with.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Config {
    /// Onion legs are paths (i, i); TURN legs combine freely.
    pub kind: LegKind,
    /// A packet that is later than expected by more than this makes its leg suspect.
    pub overdue: Duration,
    /// A leg without measurement gets a packet this often, as long as the pattern allows.
    pub fresh_interval: Duration,
    /// A suspect gets a packet this often: it may have lost what it was given.
    pub suspect_interval: Duration,
    /// Without any feedback for this long, nobody knows which leg is good: all take turns.
    pub blind_after: Duration,
    /// Paths whose delays differ by less than this are equally good and take turns: consecutive
    /// packets on disjoint legs survive a stall, and what the faster path would gain is less than
    /// what playout then waits for the slower ones. At 40 ms the simulated mouth-to-ear delay is
    /// what it is at 0; calls with a gap above 100 ms fall from 2 in 100 to 1 in 1000.
    pub alike: Duration,
    /// Legs after the third that share most reserve slots; the slower rest is only kept measured.
    pub reserve: usize,
}

impl Config {
    /// Defaults for a kind of leg.
    #[must_use]
    pub const fn new(kind: LegKind) -> Self {
        Self {
            kind,
            overdue: Duration::from_millis(60),
            fresh_interval: Duration::from_millis(160),
            suspect_interval: Duration::from_secs(1),
            blind_after: Duration::from_millis(200),
            alike: Duration::from_millis(40),
            reserve: 3,
        }
    }
}
