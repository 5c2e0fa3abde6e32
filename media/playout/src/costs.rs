//! What a delay costs: itself, and what comes too late for it. The E-model of ITU-T G.107 (06/2015)
//! on the narrowband scale, as far as delay and loss go.

use core::time::Duration;

use crate::impairment::{BPL_DRED, BPL_PLC, IE, IE_MAX, delay_impairment};

/// Width of a bin, microseconds.
const BIN: i64 = 5_000;
/// A second of them, [`crate::limits::DELAY_MAX`], and one for zero.
const BINS: usize = 201;
/// What a frame costs that is restored from DRED, of what a concealed one costs, while few are: the
/// slope of Ie,eff is as steep as Bpl is small.
const RESTORED: f32 = (BPL_PLC / BPL_DRED) as f32;

/// How many transits there are of each length, weighted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Counts {
    origin: i64,
    bins: Box<[u32; BINS]>,
}

impl Counts {
    /// Nothing counted; what is below `origin` counts as if it were there.
    pub(crate) fn new(origin: i64) -> Self {
        Self {
            origin,
            bins: Box::new([0; BINS]),
        }
    }

    /// Forgets what was counted.
    pub(crate) fn reset(&mut self, origin: i64) {
        self.origin = origin;
        self.bins.fill(0);
    }

    pub(crate) const fn origin(&self) -> i64 {
        self.origin
    }

    pub(crate) fn add(&mut self, transit: i64, weight: u32) {
        self.bins[bin(transit.saturating_sub(self.origin))] += weight;
    }

    /// Takes back what was added.
    pub(crate) fn remove(&mut self, transit: i64, weight: u32) {
        self.bins[bin(transit.saturating_sub(self.origin))] -= weight;
    }

    /// Transit above which at most one of `few` is.
    pub(crate) fn all_but(&self, few: u32) -> i64 {
        let all: u32 = self.bins.iter().sum();
        let mut above = 0;
        let within = |&count: &u32| {
            above += count;
            above * few > all
        };
        self.at(self.bins.iter().rposition(within).unwrap_or(0))
    }

    fn at(&self, bin: usize) -> i64 {
        self.origin + bin as i64 * BIN
    }
}

/// What the delay of each bin costs.
#[derive(Clone, Debug)]
pub(crate) struct Costs(Box<[f32; BINS]>);

impl Costs {
    /// `before` is how long the way from mouth to ear is without the delay that is to be chosen.
    pub(crate) fn new(before: Duration) -> Self {
        let mut costs = Box::new([0.0; BINS]);
        let mut total = before;
        for cost in costs.iter_mut() {
            *cost = delay_impairment(total.as_secs_f64() * 1e3) as f32;
            total += Duration::from_micros(BIN.unsigned_abs());
        }
        Self(costs)
    }

    /// Transit to be prepared for: the one that costs least. `whole` counts first copies, `usable` frames
    /// that could be played in any way from then on; both from the same origin.
    pub(crate) fn best(&self, whole: &Counts, usable: &Counts) -> i64 {
        let share = |counts: &Counts| 1.0 / counts.bins.iter().sum::<u32>().max(1) as f32;
        let (of_whole, of_usable) = (share(whole), share(usable));
        // Later than the bin that is looked at.
        let (mut incomplete, mut lost) = (0, 0);
        let mut best = (f32::INFINITY, 0);
        for (bin, delay) in self.0.iter().enumerate().rev() {
            let lost_share = lost as f32 * of_usable;
            let restored = (incomplete as f32 * of_whole - lost_share).max(0.0);
            let cost = delay + loss_impairment(lost_share + RESTORED * restored);
            if cost < best.0 {
                best = (cost, bin);
            }
            incomplete += whole.bins[bin];
            lost += usable.bins[bin];
        }
        whole.at(best.1)
    }
}

/// Everything in a bin is at most as late as its upper edge.
fn bin(above: i64) -> usize {
    usize::try_from(above.max(0).saturating_add(BIN - 1) / BIN)
        .map_or(BINS - 1, |b| b.min(BINS - 1))
}

/// By how much Ie,eff of G.107 is above Ie, for a share of 1 that is lost.
fn loss_impairment(lost: f32) -> f32 {
    (IE_MAX - IE) as f32 * 100.0 * lost / (100.0 * lost + BPL_PLC as f32)
}

#[cfg(test)]
mod tests {
    use super::*;

    const BEFORE: Duration = Duration::from_millis(180);

    /// Whole ones, of which so many are late by so much, and usable ones, of which none is.
    fn filled(late: u32, by: i64) -> [Counts; 2] {
        let [mut whole, mut usable] = [Counts::new(7), Counts::new(7)];
        whole.add(7, 1000 - late);
        usable.add(7, 1000 - late);
        whole.add(7 + by, late);
        [whole, usable]
    }

    fn best([whole, usable]: &[Counts; 2]) -> i64 {
        Costs::new(BEFORE).best(whole, usable)
    }

    #[test]
    fn few_late_frames_are_not_waited_for_and_many_are() {
        let best = |late| {
            let mut counts = filled(late, 60_000);
            counts[1].add(60_007, late);
            best(&counts) - 7
        };
        assert_eq!((best(0), best(5), best(50)), (0, 0, 60_000));
    }

    #[test]
    fn what_dred_restores_is_waited_for_less() {
        let mut counts = filled(10, 40_000);
        counts[1].add(7, 10);
        assert_eq!(best(&counts), 7);
        let mut counts = filled(10, 40_000);
        counts[1].add(40_007, 10);
        assert_eq!(best(&counts), 40_007);
    }

    #[test]
    fn one_in_a_hundred_may_be_above_the_99th_percentile() {
        assert_eq!(filled(10, 60_000)[0].all_but(100), 7);
        assert_eq!(filled(11, 60_000)[0].all_but(100), 60_007);
        assert_eq!(bin(i64::MAX), BINS - 1);
    }
}
