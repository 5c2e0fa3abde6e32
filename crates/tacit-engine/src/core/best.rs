//! Which path is the best, told when it changes.

use core::time::Duration;

use tacit_paths::BestChange;
use tacit_types::{Path, Timestamp};

use super::MediaCore;

/// A path that is still in time gives way to one that is faster by this.
const MARGIN: Duration = Duration::from_millis(10);

/// Remembers what was told last.
#[derive(Debug, Default)]
pub struct BestPath {
    told: Option<Path>,
}

impl BestPath {
    /// The best path, if it is another one than the last time, and why. How often this is asked is
    /// how often it can be told.
    pub fn poll(&mut self, core: &MediaCore, now: Timestamp) -> Option<(Path, BestChange)> {
        let change = core.scheduler().best_change(self.told, MARGIN, now)?;
        self.told = Some(change.0);
        Some(change)
    }
}
