//! When frames are played faster or slower: in pauses if that can wait, for there nobody hears it.

use core::time::Duration;

use tacit_types::Timestamp;

use crate::config::Config;
use crate::playout::micros;
use crate::types::{Loudness, Pace};

/// So many quiet frames in a row are a pause, 120 ms: in speech itself there are shorter ones.
const PAUSE: u32 = 6;

/// What is known of the way to the target.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Pacer {
    /// Quiet frames in a row.
    quiet: u32,
    /// Since when the delay has been above the target by more than the slack, or below it by more
    /// than the lack.
    surplus_since: Option<Timestamp>,
    lack_since: Option<Timestamp>,
    /// A large surplus is being taken back, in speech too.
    hurries: bool,
}

impl Pacer {
    /// The last frame was this loud.
    pub(crate) const fn heard(&mut self, loudness: Loudness) {
        self.quiet = match loudness {
            Loudness::Quiet => self.quiet.saturating_add(1),
            Loudness::Loud => 0,
        };
    }

    /// With such a surplus over the target, microseconds.
    pub(crate) fn pace(
        &mut self,
        config: &Config,
        surplus: i64,
        early: bool,
        now: Timestamp,
    ) -> Pace {
        let (slack, lack) = (micros(config.slack), micros(config.lack));
        let above = lasts(&mut self.surplus_since, surplus > slack, now);
        let below = lasts(&mut self.lack_since, surplus < -lack, now);
        let large = if early {
            config.early_large
        } else {
            config.large
        };
        // In speech one long change is heard less than several short ones.
        self.hurries = surplus > if self.hurries { slack } else { micros(large) };
        let least = |at_once: bool| {
            if at_once || self.quiet >= PAUSE {
                config.steady
            } else {
                config.patience
            }
        };
        if below.is_some_and(|time| time >= least(surplus < -micros(config.deep))) {
            Pace::Slower
        } else if above.is_some_and(|time| time >= least(self.hurries)) {
            Pace::Faster
        } else {
            Pace::Even
        }
    }
}

/// For how long something has been so.
fn lasts(since: &mut Option<Timestamp>, is: bool, now: Timestamp) -> Option<Duration> {
    *since = is.then(|| since.unwrap_or(now));
    since.map(|since| now.saturating_since(since))
}
