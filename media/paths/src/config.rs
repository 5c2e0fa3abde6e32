//! What a scheduler can be told.

use core::time::Duration;

use tacit_types::LegKind;

/// Parameters of the policy. Decision 0014 says what each was compared with.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Config {
    /// Onion legs are paths (i, i); TURN legs combine freely.
    pub kind: LegKind,
    /// What one more packet costs a leg that has just had one, in delay: it would share its queue, come
    /// after it whatever happens, so that it is of no use to a frame that both have, and be lost to the
    /// same stall.
    pub crowding: Duration,
    /// That cost falls to 1/e in this time of rest. With TURN legs two halves are chosen, each with this
    /// cost: they need less of it to differ from those before.
    pub crowding_fades: Duration,
    /// A packet that is later than expected by more than this and the usual noise makes its leg
    /// suspect.
    pub overdue: Duration,
    /// What is known of a leg's delay is worth half as much after this time.
    pub forgotten: Duration,
    /// A leg without measurement gets a packet this often, in every second slot at most.
    pub fresh_interval: Duration,
    /// A suspect gets a packet this often: it may have lost what it was given.
    pub suspect_interval: Duration,
    /// Every leg is measured this often at least.
    pub stale_interval: Duration,
    /// Without any feedback for this long, nobody knows which leg is good: all take turns.
    pub blind_after: Duration,
}

impl Config {
    /// Defaults for a kind of leg.
    #[must_use]
    pub const fn new(kind: LegKind) -> Self {
        Self {
            kind,
            crowding: Duration::from_millis(300),
            crowding_fades: Duration::from_millis(match kind {
                LegKind::Turn => 40,
                LegKind::Onion => 70,
            }),
            overdue: Duration::from_millis(60),
            forgotten: Duration::from_secs(10),
            fresh_interval: Duration::from_millis(160),
            suspect_interval: Duration::from_secs(1),
            stale_interval: Duration::from_secs(5),
            blind_after: Duration::from_millis(200),
        }
    }
}
