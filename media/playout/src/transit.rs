//! Transits of the last seconds and what is wanted to know of them.

use core::time::Duration;

use crate::costs::Costs;

/// Samples kept: 20 s of frames.
const LONG: usize = 1000;
/// The last 2 s count as much as [`WEIGHT`] times as many.
const NEW: usize = 100;
const WEIGHT: u32 = 3;
/// The recent ones: 4 s.
const RECENT: usize = 200;
/// What a call starts with is forgotten here, 3 s on: few legs were up, none was measured.
const FIRST: u64 = 150;
/// The last half second, and how many of it may be later than what counts as lasting.
const LASTING: usize = 25;
const LASTING_BUT: usize = 5;
/// After 6 s the histograms are made anew only so often, 100 ms.
const EVERY: u64 = 5;

/// The last samples, microseconds.
#[derive(Clone, Debug)]
struct Ring {
    samples: Vec<i64>,
    /// The newest is at `next − 1`, wrapping.
    next: usize,
}

impl Ring {
    fn new() -> Self {
        Self {
            samples: Vec::with_capacity(LONG),
            next: 0,
        }
    }

    fn clear(&mut self) {
        self.samples.clear();
        self.next = 0;
    }

    fn record(&mut self, transit: i64) {
        if self.samples.len() < LONG {
            self.samples.push(transit);
        } else {
            self.samples[self.next] = transit;
        }
        self.next = (self.next + 1) % LONG;
    }

    /// The last samples, newest first.
    fn last(&self, wanted: usize) -> impl Iterator<Item = i64> {
        let wanted = wanted.min(self.samples.len());
        (1..=wanted).map(|back| self.samples[(self.next + LONG - back) % LONG])
    }

    /// All samples, each with its weight.
    fn weighted(&self) -> impl Iterator<Item = (i64, u32)> {
        let weight = |place| if place < NEW { WEIGHT } else { 1 };
        let placed = self.last(LONG).enumerate();
        placed.map(move |(place, transit)| (transit, weight(place)))
    }
}

/// Recent transits.
#[derive(Clone, Debug)]
pub(crate) struct Transits {
    /// Of first copies.
    whole: Ring,
    /// Until a frame could be played in any way: its first copy, or a later frame's DRED.
    usable: Ring,
    total: u64,
    costs: Box<Costs>,
    summary: Option<Summary>,
}

/// What is known of them.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Summary {
    /// Smallest of the last 20 s.
    pub(crate) smallest: i64,
    /// The one that costs least if the delay is as much: what comes later is lost or restored.
    pub(crate) best: i64,
    /// 95th and 99th percentile of the last 20 s.
    pub(crate) p95: i64,
    pub(crate) p99: i64,
    /// Largest but one of the last 4 s.
    pub(crate) recent: i64,
    /// Largest but five of the last half second: more than one packet's frames were as late.
    pub(crate) lasting: i64,
}

impl Transits {
    /// `before` is what the way from mouth to ear takes without any playout delay.
    pub(crate) fn new(before: Duration) -> Self {
        Self {
            whole: Ring::new(),
            usable: Ring::new(),
            total: 0,
            costs: Box::new(Costs::new(before)),
            summary: None,
        }
    }

    pub(crate) fn clear(&mut self) {
        self.whole.clear();
        self.usable.clear();
        self.total = 0;
        self.summary = None;
    }

    /// A frame that had not come could be restored from now on.
    pub(crate) fn record_restored(&mut self, transit: i64) {
        self.usable.record(transit);
    }

    /// A first copy came; `restored` says whether the frame could have been restored before.
    pub(crate) fn record(&mut self, transit: i64, restored: bool) {
        self.total += 1;
        if self.total == FIRST {
            self.whole.clear();
            self.usable.clear();
        }
        self.whole.record(transit);
        if !restored {
            self.usable.record(transit);
        }
        let known = self.summary.filter(|_| {
            let settled = self.total > 2 * FIRST;
            settled && !self.total.is_multiple_of(EVERY)
        });
        self.summary = Some(self.summarise(transit, known));
    }

    fn summarise(&mut self, newest: i64, known: Option<Summary>) -> Summary {
        let mut recent = [i64::MIN; 2];
        for value in self.whole.last(RECENT) {
            keep_largest(&mut recent, value);
        }
        let mut lasting = [i64::MIN; LASTING_BUT + 1];
        for value in self.whole.last(LASTING) {
            keep_largest(&mut lasting, value);
        }
        let [largest, second] = recent;
        let alone = self.whole.samples.len() == 1;
        let known = known.unwrap_or_else(|| self.weigh(newest));
        Summary {
            smallest: known.smallest.min(newest),
            recent: if alone { largest } else { second },
            lasting: lasting[LASTING_BUT],
            ..known
        }
    }

    /// What all samples say.
    fn weigh(&mut self, newest: i64) -> Summary {
        let all = self.whole.samples.iter().copied();
        let smallest = all.min().unwrap_or(newest);
        let costs = &mut self.costs;
        costs.clear(smallest);
        for (transit, weight) in self.whole.weighted() {
            costs.whole(transit, weight);
        }
        for (transit, weight) in self.usable.weighted() {
            costs.usable(transit, weight);
        }
        Summary {
            smallest,
            best: costs.best(),
            p95: costs.all_but(20),
            p99: costs.all_but(100),
            recent: newest,
            lasting: newest,
        }
    }

    /// `None` before the first sample.
    pub(crate) const fn summary(&self) -> Option<Summary> {
        self.summary
    }

    /// First copies ever seen.
    pub(crate) const fn total(&self) -> u64 {
        self.total
    }
}

/// Keeps the largest values, in falling order.
fn keep_largest<const N: usize>(largest: &mut [i64; N], mut value: i64) {
    for place in largest {
        if value > *place {
            core::mem::swap(place, &mut value);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn statistics_are_those_of_the_last_seconds() {
        let mut transits = Transits::new(Duration::from_millis(180));
        assert!(transits.summary().is_none());
        transits.record(500_000, false);
        for value in 0..10 {
            transits.record(value, false);
        }
        let early = transits.summary().expect("has samples");
        assert_eq!((early.smallest, early.p99, early.recent), (0, 500_000, 9));
        for _ in 0..2 * LONG {
            transits.record(50, false);
        }
        let later = transits.summary().expect("has samples");
        assert_eq!((later.smallest, later.p99, later.recent), (50, 50, 50));
        assert_eq!(later.best, 50);
        transits.record(90, false);
        transits.record(80, false);
        assert_eq!(transits.summary().expect("has samples").recent, 80);
    }

    #[test]
    fn what_lasts_moves_the_best_within_a_second() {
        let mut transits = Transits::new(Duration::from_millis(180));
        for _ in 0..1000 {
            transits.record(0, false);
        }
        for _ in 0..50 {
            transits.record(100_000, false);
        }
        assert_eq!(transits.summary().expect("has samples").best, 100_000);
    }

    #[test]
    fn what_can_be_restored_in_time_is_not_waited_for() {
        let mut transits = Transits::new(Duration::from_millis(180));
        for frame in 0..1000 {
            if frame % 50 == 0 {
                transits.record_restored(20_000);
                transits.record(100_000, true);
            } else {
                transits.record(0, false);
            }
        }
        assert!(transits.summary().expect("has samples").best <= 20_000);
    }
}
