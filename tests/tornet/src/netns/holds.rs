//! Which pairs of namespaces are stalled, and until when.
use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

/// Until when nothing passes between two namespaces, whichever sends.
#[derive(Debug, Default)]
pub(super) struct Holds(Mutex<BTreeMap<(usize, usize), Instant>>);

impl Holds {
    pub(super) fn hold(&self, a: usize, b: usize, until: Instant) {
        let mut holds = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let held = holds.entry((a.min(b), a.max(b))).or_insert(until);
        *held = until.max(*held);
    }

    pub(super) fn until(&self, a: usize, b: usize) -> Option<Instant> {
        let holds = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        holds.get(&(a.min(b), a.max(b))).copied()
    }
}
