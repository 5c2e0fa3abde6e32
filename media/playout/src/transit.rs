//! Transits of the last seconds and what is wanted to know of them.

use core::time::Duration;

use crate::costs::{Costs, Counts};

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
/// After 6 s what is best is sought only so often, 100 ms.
const EVERY: u64 = 5;

/// The last samples, microseconds.
#[derive(Clone, Debug)]
struct Ring {
    samples: Vec<i64>,
    /// The newest is at `next − 1`, wrapping.
    next: usize,
    /// How many of them, each with its weight, are in each bin.
    counts: Counts,
}

impl Ring {
    fn new() -> Self {
        Self {
            samples: Vec::with_capacity(LONG),
            next: 0,
            counts: Counts::new(0),
        }
    }

    fn clear(&mut self) {
        self.samples.clear();
        self.next = 0;
        self.counts.reset(0);
    }

    fn record(&mut self, transit: i64) {
        let place = (self.next + LONG - NEW) % LONG;
        if let Some(no_longer_new) = self.samples.get(place) {
            self.counts.remove(*no_longer_new, WEIGHT - 1);
        }
        self.counts.add(transit, WEIGHT);
        if self.samples.len() < LONG {
            self.samples.push(transit);
        } else {
            let gone = core::mem::replace(&mut self.samples[self.next], transit);
            self.counts.remove(gone, 1);
        }
        self.next = (self.next + 1) % LONG;
    }

    /// The largest of the last samples, in falling order.
    fn largest<const N: usize>(&self, wanted: usize) -> [i64; N] {
        let mut largest = [i64::MIN; N];
        for part in last(&self.samples, self.next, wanted) {
            for value in part {
                keep_largest(&mut largest, *value);
            }
        }
        largest
    }

    /// What is counted goes into bins that begin at `origin` from now on.
    fn count_from(&mut self, origin: i64) {
        if self.counts.origin() == origin {
            return;
        }
        self.counts.reset(origin);
        for (wanted, weight) in [(LONG, 1), (NEW, WEIGHT - 1)] {
            for part in last(&self.samples, self.next, wanted) {
                for transit in part {
                    self.counts.add(*transit, weight);
                }
            }
        }
    }
}

/// The last samples of a ring whose newest is before `next`, the newest last; those of the second part
/// came before those of the first.
fn last(samples: &[i64], next: usize, wanted: usize) -> [&[i64]; 2] {
    let (new, old) = samples.split_at(next.min(samples.len()));
    let first = new.len().min(wanted);
    let second = old.len().min(wanted - first);
    [&new[new.len() - first..], &old[old.len() - second..]]
}

/// Recent transits.
#[derive(Clone, Debug)]
pub(crate) struct Transits {
    /// Of first copies.
    whole: Ring,
    /// Until a frame could be played in any way: its first copy, or a later frame's DRED.
    usable: Ring,
    total: u64,
    costs: Costs,
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
            costs: Costs::new(before),
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
        let [largest, second] = self.whole.largest(RECENT);
        let [.., lasting] = self.whole.largest::<{ LASTING_BUT + 1 }>(LASTING);
        let alone = self.whole.samples.len() == 1;
        let known = known.unwrap_or_else(|| self.weigh(newest));
        Summary {
            smallest: known.smallest.min(newest),
            recent: if alone { largest } else { second },
            lasting,
            ..known
        }
    }

    /// What all samples say.
    fn weigh(&mut self, newest: i64) -> Summary {
        let all = self.whole.samples.iter().copied();
        let smallest = all.min().unwrap_or(newest);
        for ring in [&mut self.whole, &mut self.usable] {
            ring.count_from(smallest);
        }
        let (whole, usable) = (&self.whole.counts, &self.usable.counts);
        Summary {
            smallest,
            best: self.costs.best(whole, usable),
            p95: whole.all_but(20),
            p99: whole.all_but(100),
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

    /// As counting all samples anew says.
    #[test]
    fn what_is_counted_on_the_way_is_what_is_there() {
        let mut ring = Ring::new();
        let mut seed = 7_u64;
        for number in 0..5 * LONG {
            if number == 3 * LONG || number == 3 * LONG + 50 {
                ring.clear();
            }
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            ring.record(i64::try_from(seed >> 45).unwrap() - 1000);
            let smallest = ring.samples.iter().copied().min().unwrap();
            if number % 7 == 0 {
                ring.count_from(smallest);
            }
            let mut anew = Counts::new(ring.counts.origin());
            let newest_first =
                (1..=ring.samples.len()).map(|back| ring.samples[(ring.next + LONG - back) % LONG]);
            for (age, transit) in newest_first.enumerate() {
                anew.add(transit, if age < NEW { WEIGHT } else { 1 });
            }
            assert_eq!(ring.counts, anew, "{number}");
        }
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
