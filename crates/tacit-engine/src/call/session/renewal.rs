//! Onion legs that give way to others: which is decided by the scheduler's replacer, opening and closing
//! is done here, by the side that opens legs.
//!
//! ```text
//!   a leg is bad ──► another is opened beside it ──► it works: the bad one is closed
//!                                                └─► it does not come, or nothing arrives: it is let go
//! ```
//!
//! The other legs notice nothing: there is one packet every 20 ms, and each takes one leg.

use std::collections::BTreeMap;
use std::time::Duration;

use tacit_paths::{Allowance, Fault, Replacer, Side};
use tacit_types::{LegIndex, LegKind, Path, Timestamp};

use super::{Call, Session};
use crate::api::Event;

/// A new leg on which nothing was acknowledged for so long after it came up is let go.
const PROOF: Duration = Duration::from_secs(15);

/// What is being done about bad legs.
#[derive(Debug)]
pub(super) struct Renewal {
    replacer: Replacer,
    /// New legs, by their numbers, until they have shown that they work.
    coming: BTreeMap<LegIndex, Coming>,
}

/// A new leg and the one that it is to replace.
#[derive(Clone, Copy, Debug)]
struct Coming {
    /// Gone by itself, if there is none.
    old: Option<(LegIndex, Fault)>,
    /// When it came up.
    up: Option<Timestamp>,
}

impl Renewal {
    /// Of a call whose legs are opened now.
    pub(super) fn new(legs: u8, now: Timestamp) -> Self {
        let allowance = Allowance::new(LegKind::Onion, usize::from(legs));
        Self {
            replacer: Replacer::new(allowance, now),
            coming: BTreeMap::new(),
        }
    }

    /// A leg that was opened is up.
    pub(super) fn on_up(&mut self, leg: LegIndex, now: Timestamp) {
        if let Some(coming) = self.coming.get_mut(&leg) {
            coming.up = Some(now);
        }
    }

    /// A leg is gone, or did not come.
    pub(super) fn on_gone(&mut self, leg: LegIndex) {
        if let Some(coming) = self.coming.remove(&leg) {
            self.stays(coming);
        }
        for coming in self.coming.values_mut() {
            coming.old = coming.old.filter(|(old, _)| *old != leg);
        }
        self.replacer.on_gone(leg);
    }

    fn stays(&mut self, coming: Coming) {
        if let Some((old, _)) = coming.old {
            self.replacer.on_failed(old);
        }
    }

    /// Takes the new legs out of which this is true.
    fn take(&mut self, of: impl Fn(LegIndex, &Coming) -> bool) -> Vec<(LegIndex, Coming)> {
        let all = self.coming.iter().map(|(leg, coming)| (*leg, *coming));
        let some: Vec<_> = all.filter(|(leg, coming)| of(*leg, coming)).collect();
        for (leg, _) in &some {
            self.coming.remove(leg);
        }
        some
    }
}

impl Call {
    /// Closes legs whose successors work, opens what is missing, and has a bad leg replaced. To be
    /// asked once a second.
    pub(super) fn renew_legs(&self, s: &mut Session, at: Timestamp) {
        self.settle(s, at);
        let Some(renewal) = &mut s.renewal else {
            return;
        };
        if s.handles.is_empty() {
            // A call without legs is resumed, with all that it needs.
            return;
        }
        if s.handles.len() + s.opening < usize::from(s.wanted) {
            if renewal.replacer.reopen(at) {
                s.open_next(&self.shared);
            }
            return;
        }
        let Some((old, fault)) = renewal.replacer.next(s.core.scheduler(), at) else {
            return;
        };
        tracing::debug!(leg = old.0, %fault, "a leg is to be replaced");
        let coming = Coming {
            old: Some((old, fault)),
            up: None,
        };
        let new = s.open_next(&self.shared);
        let Some(renewal) = &mut s.renewal else {
            return;
        };
        match new {
            Some(new) => drop(renewal.coming.insert(new, coming)),
            // The call has used all the numbers that there are.
            None => renewal.stays(coming),
        }
    }

    fn settle(&self, s: &mut Session, at: Timestamp) {
        let Some(renewal) = &mut s.renewal else {
            return;
        };
        let works = |leg: LegIndex| {
            let mut legs = s.core.scheduler().legs();
            legs.any(|l| l.side == Side::Local && l.index == leg && l.acknowledged > 0)
        };
        let settled = renewal.take(|leg, _| works(leg));
        let useless = renewal.take(|_, coming| {
            let waited = |up| at.saturating_since(up) > PROOF;
            coming.up.is_some_and(waited)
        });
        for (_, coming) in &useless {
            renewal.stays(*coming);
        }
        for (new, coming) in settled {
            if let (Some((old, reason)), Some(renewal)) = (coming.old, &mut s.renewal) {
                renewal.replacer.on_up(old, new);
                s.retire(old);
                self.shared.event(Event::LegReplaced {
                    call: self.id,
                    leg: old.0,
                    by: new.0,
                    reason,
                });
            }
        }
        for (new, _) in useless {
            s.retire(new);
        }
    }
}

impl Session {
    /// No packet takes the leg any more, and it is closed; what comes until then is taken.
    fn retire(&mut self, leg: LegIndex) {
        self.core.remove_path(Path {
            sender: leg,
            receiver: leg,
        });
        if let Some(handle) = self.handles.get(&leg) {
            handle.close();
        }
    }
}
