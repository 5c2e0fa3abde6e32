//! The leg that the call would miss least.

use core::fmt;
use core::time::Duration;

use tacit_types::{LegIndex, Timestamp};

use super::Scheduler;
use crate::leg::Leg;
use crate::leg_set::LegSet;

/// A leg is judged when it has carried packets for so long, and so many were reported: before, its
/// delay may be a stall's.
const JUDGED_AFTER: Duration = Duration::from_secs(6);
const JUDGED_BY: u64 = 3;
/// Over a dead leg nothing has come for so long.
const DEAD: Duration = Duration::from_secs(10);
/// A leg is slow when most others are faster than it by more than this, microseconds.
const SLOWER: f64 = 25_000.0;

/// What is wrong with a leg.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Fault {
    /// Nothing that was sent on it has arrived for long.
    Dead,
    /// It is the slowest, and most others are much faster.
    Slow,
}

/// One stable word.
impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Dead => "dead",
            Self::Slow => "slow",
        })
    }
}

impl Scheduler {
    /// Which of our legs that are not in `except` a new one would most likely be better than, and why.
    /// `None` while too little is known, or when they are much alike.
    pub(crate) fn worst(&self, except: &LegSet, now: Timestamp) -> Option<(LegIndex, Fault)> {
        let legs = self.local.as_slice();
        let in_time = legs.iter().filter(|leg| !leg.is_fresh() && !leg.suspect);
        if 2 * in_time.count() < legs.len() {
            // What they have in common is at fault: a guard, or the peer.
            return None;
        }
        let others = || legs.iter().filter(|leg| !except.contains(leg.index));
        if let Some(dead) = others().find(|leg| is_dead(leg, now)) {
            return Some((dead.index, Fault::Dead));
        }
        let judged = |leg: &&Leg| leg.acknowledged >= JUDGED_BY && leg.age(now) >= JUDGED_AFTER;
        let mean = |leg: &Leg| leg.delay.mean();
        let slowest = others().filter(judged);
        let slowest = slowest.max_by(|a, b| mean(a).total_cmp(&mean(b)))?;
        let faster = |leg: &&Leg| mean(leg) + SLOWER < mean(slowest);
        let faster = legs.iter().filter(judged).filter(faster).count();
        (2 * faster >= legs.len()).then_some((slowest.index, Fault::Slow))
    }
}

/// How late its oldest packet is does not tell: by then that may be forgotten.
fn is_dead(leg: &Leg, now: Timestamp) -> bool {
    match leg.acknowledged_at {
        None => leg.age(now) > DEAD,
        Some(last) => leg.suspect && now.saturating_since(last) > DEAD,
    }
}
