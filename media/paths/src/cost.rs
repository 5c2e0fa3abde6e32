//! What a packet on a leg would cost at this moment, in delay.
//!
//! ```text
//!   cost = expected delay + crowding + lateness - uncertainty        microseconds
//! ```
//!
//! *Crowding* falls with the time since the leg's last packet: so legs take turns, the better ones
//! more often. *Lateness* is what is known to be overdue on it, which whatever is sent now has to wait
//! for. *Uncertainty* makes a leg worth a try that was not measured lately and may have become better.

use core::time::Duration;

use tacit_types::Timestamp;

use crate::arrivals::Caution;
use crate::config::Config;
use crate::leg::{Fate, Leg, Legs};
use crate::limits::LEGS;

/// A leg that must not be used now.
const NEVER: f64 = f64::INFINITY;
/// What is as good as never, unless there is nothing else: a suspect, or a fresh leg that has had its
/// packet. Microseconds.
const LAST: f64 = 1e9;
/// A probe that is due: before all others.
const FIRST: f64 = -1e12;
/// What a leg costs more that has not been seen to work while others have not, microseconds.
const UNSEEN: f64 = 400_000.0;
/// After so many times [`Config::crowding_fades`], nothing of it is left.
const FADED: f64 = 8.0;

/// Why a leg costs what it does, as far as it decides.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Kind {
    #[default]
    Known,
    Stale,
    Fresh,
    Suspect,
}

#[derive(Clone, Copy, Debug)]
pub(crate) struct Cost {
    /// What decides.
    pub(crate) total: f64,
    /// The same if all legs had just been measured.
    pub(crate) certain: f64,
    /// Expected delay alone.
    pub(crate) delay: f64,
    /// A probe of this kind is due.
    pub(crate) probe: Kind,
}

impl Cost {
    const NEVER: Self = Self {
        total: NEVER,
        certain: NEVER,
        delay: NEVER,
        probe: Kind::Known,
    };

    const fn special(total: f64, probe: Kind) -> Self {
        Self {
            total,
            certain: total,
            delay: LAST,
            probe,
        }
    }

    pub(crate) const fn is_usable(&self) -> bool {
        self.total < NEVER
    }
}

/// The moment for which costs are asked.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Moment<'a> {
    pub(crate) config: &'a Config,
    pub(crate) caution: Caution,
    /// Whether this slot may go to a leg that is not known to work.
    pub(crate) may_probe: bool,
    pub(crate) now: Timestamp,
}

impl Moment<'_> {
    /// Acknowledgements take a round trip; what has just been seen to work counts more.
    fn is_proven(&self, leg: &Leg) -> bool {
        match self.caution {
            Caution::SeenSince(since) => leg.seen.is_some_and(|seen| seen >= since),
            Caution::None | Caution::Silence => false,
        }
    }

    /// Measured and in time.
    pub(crate) fn is_healthy(&self, leg: &Leg) -> bool {
        !leg.is_fresh() && (!leg.suspect || self.is_proven(leg))
    }

    fn cost(&self, leg: &Leg, crowding: f64) -> Cost {
        let probe = |kind: Kind, interval: Duration| {
            let due = self.may_probe && leg.rested(interval, self.now);
            Cost::special(
                if due { FIRST } else { LAST },
                if due { kind } else { Kind::Known },
            )
        };
        if leg.is_fresh() {
            return probe(Kind::Fresh, self.config.fresh_interval);
        }
        let proven = self.is_proven(leg);
        if leg.suspect && !proven {
            return probe(Kind::Suspect, self.config.suspect_interval);
        }
        if self.may_probe && leg.rested(self.config.stale_interval, self.now) {
            return Cost::special(FIRST, Kind::Stale);
        }
        let doubt = match self.caution {
            Caution::SeenSince(_) if proven => 0.0,
            Caution::SeenSince(_) => leg.late + UNSEEN,
            Caution::None | Caution::Silence => leg.late,
        };
        let delay = leg.delay.expected(self.now);
        let certain = delay + doubt + crowding;
        Cost {
            total: certain - leg.delay.uncertainty(self.config.forgotten, self.now),
            certain,
            delay,
            probe: Kind::Known,
        }
    }

    fn crowding(&self, rest: Option<Duration>) -> f64 {
        let fades = self.config.crowding_fades.as_secs_f64().max(1e-6);
        let rest = rest.map_or(FADED, |rest| rest.as_secs_f64() / fades);
        if rest < FADED {
            1e6 * self.config.crowding.as_secs_f64() * (-rest).exp()
        } else {
            0.0
        }
    }

    /// Legs that share a fate crowd each other by half.
    fn crowding_of(&self, leg: &Leg, legs: &[Leg]) -> f64 {
        let own = self.crowding(leg.rest(self.now));
        let Some(fate) = leg.fate else { return own };
        let shared = legs.iter().filter(|other| other.fate == Some(Fate(fate.0)));
        let shortest = shared.filter_map(|other| other.rest(self.now)).min();
        own.max(self.crowding(shortest) / 2.0)
    }
}

/// The costs of one side's legs, by position.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Costs([Cost; LEGS]);

impl Costs {
    /// Of the legs that are `usable`.
    pub(crate) fn new(legs: &Legs, moment: &Moment<'_>, usable: impl Fn(&Leg) -> bool) -> Self {
        let mut costs = [Cost::NEVER; LEGS];
        let legs = legs.as_slice();
        for (cost, leg) in costs.iter_mut().zip(legs).filter(|(_, leg)| usable(leg)) {
            *cost = moment.cost(leg, moment.crowding_of(leg, legs));
        }
        Self(costs)
    }

    /// Of one leg that costs nothing: the other half of an onion path.
    pub(crate) fn nothing() -> Self {
        let mut costs = [Cost::NEVER; LEGS];
        costs[0] = Cost::special(0.0, Kind::Known);
        costs[0].delay = 0.0;
        Self(costs)
    }

    pub(crate) fn get(&self, position: usize) -> &Cost {
        &self.0[position]
    }

    /// The positions that can be used.
    pub(crate) fn usable(&self) -> impl Iterator<Item = usize> + '_ {
        (0..LEGS).filter(|&at| self.0[at].is_usable())
    }
}

#[cfg(test)]
mod tests {
    use tacit_types::{LegIndex, LegKind};

    use super::*;
    use crate::delay::measure;

    fn at(millis: u64) -> Timestamp {
        Timestamp::from_micros(millis * 1000)
    }

    /// Three legs of 100 ms, measured until second 10.
    fn legs(change: impl Fn(usize, &mut Leg)) -> Legs {
        let mut legs = Legs::default();
        for index in 0..3 {
            let mut leg = Leg::new(LegIndex(index), 0, 0);
            leg.last_sent = Some(at(9_900));
            for step in 0..100 {
                let forgotten = Duration::from_secs(10);
                measure(&mut [&mut leg.delay], 100_000.0, forgotten, at(step * 100));
            }
            change(usize::from(index), &mut leg);
            legs.add(leg);
        }
        legs
    }

    fn totals(legs: &Legs, caution: Caution, may_probe: bool) -> [f64; 3] {
        let moment = Moment {
            config: &Config::new(LegKind::Onion),
            caution,
            may_probe,
            now: at(10_000),
        };
        let costs = Costs::new(legs, &moment, |_| true);
        [0, 1, 2].map(|at| costs.get(at).total)
    }

    #[test]
    fn what_has_rested_costs_less_and_what_is_late_more() {
        let legs = legs(|at_leg, leg| match at_leg {
            1 => leg.last_sent = Some(at(9_980)),
            2 => leg.late = 40_000.0,
            _ => {}
        });
        let [rested, crowded, late] = totals(&legs, Caution::None, false);
        assert!(crowded > rested + 100_000.0, "{crowded} {rested}");
        assert!((late - rested - 40_000.0).abs() < 1.0);
    }

    #[test]
    fn in_caution_what_was_seen_comes_first_suspect_or_not() {
        let legs = legs(|at_leg, leg| {
            leg.suspect = at_leg > 0;
            leg.seen = (at_leg == 2).then_some(at(9_950));
        });
        let [unseen, suspect, seen] = totals(&legs, Caution::SeenSince(at(9_900)), false);
        assert!(seen < unseen && unseen < suspect);
        let [unseen, suspect, seen] = totals(&legs, Caution::None, false);
        assert!(unseen < seen && (seen - suspect).abs() < 1.0);
    }

    #[test]
    fn probes_come_first_when_they_are_due() {
        let legs = legs(|at_leg, leg| match at_leg {
            0 => leg.last_sent = Some(at(4_000)),
            1 => {
                leg.suspect = true;
                leg.last_sent = Some(at(9_500));
            }
            _ => {}
        });
        let [stale, suspect, usual] = totals(&legs, Caution::None, true);
        assert!(stale < usual && usual < suspect);
        let [stale, ..] = totals(&legs, Caution::None, false);
        assert!(stale > 0.0);
    }

    #[test]
    fn legs_of_one_fate_crowd_each_other() {
        let legs = legs(|at_leg, leg| match at_leg {
            0 => leg.fate = Some(Fate(7)),
            1 => {
                leg.fate = Some(Fate(7));
                leg.last_sent = Some(at(9_980));
            }
            _ => {}
        });
        let [shared, used, other] = totals(&legs, Caution::None, false);
        assert!(other < shared && shared < used);
    }
}
