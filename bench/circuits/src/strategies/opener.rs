//! When the engine opens a leg in the place of a bad one: the production replacer says which, and is
//! asked as the engine asks it.
//!
//! ```text
//!   asked for ──► up ──► something on it is acknowledged: the old one rests ──► it is closed
//!   └──────────────── takes one of the places for legs ─────────────────────────┘
//! ```
//!
//! A simulated call differs in this: the old leg is left when the new one is up, not when that has shown
//! that it works, and the new one has its index; a circuit that failed comes back by itself, without
//! being asked for; and with more than 12 TURN legs there are as many credentials for others as with 12.

use tacit_paths::limits::{LEG_LINGER, LEG_PROOF, REPLACER_INTERVAL, SPARE_TURN_LEGS};
use tacit_paths::{Allowance, Replacer, Scheduler};
use tacit_types::limits::MAX_LEGS;
use tacit_types::{LegIndex, LegKind, Timestamp};

/// Why there is one leg more than the call has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Beside {
    /// A new one is being opened.
    Opening(LegIndex),
    /// It has been up since then, and nothing has been acknowledged on it.
    Unproven(LegIndex, Timestamp),
    /// The old one takes what is on its way until then.
    Resting(Timestamp),
}

/// Replaces the legs of the side that opens them.
#[derive(Debug)]
pub(super) struct Opener {
    replacer: Replacer,
    legs: usize,
    /// That may be opened yet in the place of slow ones: TURN legs need credentials.
    spare: Option<usize>,
    beside: Vec<Beside>,
    next_look: Timestamp,
}

impl Opener {
    /// Of a call that begins with these legs.
    pub(super) fn new(kind: LegKind, legs: usize) -> Self {
        let allowance = Allowance::new(kind, legs);
        Self {
            replacer: Replacer::new(allowance, Timestamp::ZERO),
            legs,
            spare: (kind == LegKind::Turn).then_some(SPARE_TURN_LEGS),
            beside: Vec::new(),
            next_look: Timestamp::ZERO + REPLACER_INTERVAL,
        }
    }

    /// The leg in whose place another is to be opened now; asked after every packet.
    pub(super) fn next(&mut self, scheduler: &Scheduler, now: Timestamp) -> Option<LegIndex> {
        if now < self.next_look {
            return None;
        }
        self.next_look += REPLACER_INTERVAL;
        self.settle(scheduler, now);
        if self.legs + self.beside.len() >= MAX_LEGS {
            return None;
        }
        let (leg, _) = if self.spare == Some(0) {
            self.replacer.next_dead(scheduler, now)?
        } else {
            self.replacer.next(scheduler, now)?
        };
        self.spare = self.spare.map(|spare| spare.saturating_sub(1));
        self.beside.push(Beside::Opening(leg));
        Some(leg)
    }

    fn settle(&mut self, scheduler: &Scheduler, now: Timestamp) {
        for beside in &mut self.beside {
            if let Beside::Unproven(leg, since) = *beside
                && (scheduler.works(leg) || now.saturating_since(since) > LEG_PROOF)
            {
                self.replacer.on_up(leg, leg);
                *beside = Beside::Resting(now + LEG_LINGER);
            }
        }
        let is_over = |beside: &Beside| matches!(beside, Beside::Resting(until) if *until <= now);
        self.beside.retain(|beside| !is_over(beside));
    }

    /// The new leg is up, in the place of the old one.
    pub(super) fn on_up(&mut self, leg: LegIndex, now: Timestamp) {
        self.beside.push(Beside::Unproven(leg, now));
    }

    /// The leg is gone, or its place is taken, and what was being opened for it with it.
    pub(super) fn on_gone(&mut self, leg: LegIndex) {
        self.replacer.on_gone(leg);
        self.beside.retain(|beside| match beside {
            Beside::Opening(of) | Beside::Unproven(of, _) => *of != leg,
            Beside::Resting(_) => true,
        });
    }
}
