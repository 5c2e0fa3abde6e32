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

/// Histograms of transits, and what the delay of each bin costs.
#[derive(Clone, Debug)]
pub(crate) struct Costs {
    /// Impairment by delay, of R.
    delay: [f32; BINS],
    origin: i64,
    whole: [u32; BINS],
    usable: [u32; BINS],
}

impl Costs {
    /// `before` is how long the way from mouth to ear is without the delay that is to be chosen.
    pub(crate) fn new(before: Duration) -> Self {
        let mut delay = [0.0; BINS];
        let mut total = before;
        for cost in &mut delay {
            *cost = delay_impairment(total.as_secs_f64() * 1e3) as f32;
            total += Duration::from_micros(BIN.unsigned_abs());
        }
        Self {
            delay,
            origin: 0,
            whole: [0; BINS],
            usable: [0; BINS],
        }
    }

    /// Forgets all transits; no later one is below `origin`.
    pub(crate) fn clear(&mut self, origin: i64) {
        self.origin = origin;
        self.whole.fill(0);
        self.usable.fill(0);
    }

    /// A first copy, so many times.
    pub(crate) fn whole(&mut self, transit: i64, weight: u32) {
        self.whole[bin(transit - self.origin)] += weight;
    }

    /// A frame that could be played in any way from then on, so many times.
    pub(crate) fn usable(&mut self, transit: i64, weight: u32) {
        self.usable[bin(transit - self.origin)] += weight;
    }

    /// Transit above which at most one of `few` first copies came.
    pub(crate) fn all_but(&self, few: u32) -> i64 {
        let all: u32 = self.whole.iter().sum();
        let mut above = 0;
        let within = |&(_, &count): &(usize, &u32)| {
            above += count;
            above * few > all
        };
        self.at(self.whole.iter().enumerate().rev().find(within))
    }

    /// Transit to be prepared for: the one that costs least.
    pub(crate) fn best(&self) -> i64 {
        let shares = |counts: &[u32; BINS]| 1.0 / counts.iter().sum::<u32>().max(1) as f32;
        let (whole, usable) = (shares(&self.whole), shares(&self.usable));
        // Later than the bin that is looked at.
        let (mut incomplete, mut lost) = (0, 0);
        let mut best = (f32::INFINITY, 0);
        for (bin, delay) in self.delay.iter().enumerate().rev() {
            let lost_share = lost as f32 * usable;
            let restored = (incomplete as f32 * whole - lost_share).max(0.0);
            let cost = delay + loss_impairment(lost_share + RESTORED * restored);
            if cost < best.0 {
                best = (cost, bin);
            }
            incomplete += self.whole[bin];
            lost += self.usable[bin];
        }
        self.at(Some((best.1, &0)))
    }

    fn at(&self, bin: Option<(usize, &u32)>) -> i64 {
        self.origin + bin.map_or(0, |(bin, _)| bin as i64) * BIN
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

    fn filled(late: u32, by: i64) -> Costs {
        let mut costs = Costs::new(BEFORE);
        costs.clear(7);
        costs.whole(7, 1000 - late);
        costs.usable(7, 1000 - late);
        costs.whole(7 + by, late);
        costs
    }

    #[test]
    fn few_late_frames_are_not_waited_for_and_many_are() {
        let best = |late| {
            let mut costs = filled(late, 60_000);
            costs.usable(60_007, late);
            costs.best() - 7
        };
        assert_eq!((best(0), best(5), best(50)), (0, 0, 60_000));
    }

    #[test]
    fn what_dred_restores_is_waited_for_less() {
        let mut costs = filled(10, 40_000);
        costs.usable(7, 10);
        assert_eq!(costs.best(), 7);
        let mut costs = filled(10, 40_000);
        costs.usable(40_007, 10);
        assert_eq!(costs.best(), 40_007);
    }

    #[test]
    fn one_in_a_hundred_may_be_above_the_99th_percentile() {
        assert_eq!(filled(10, 60_000).all_but(100), 7);
        assert_eq!(filled(11, 60_000).all_but(100), 60_007);
        assert_eq!(bin(i64::MAX), BINS - 1);
    }
}
