//! The order of one side's legs, and which of them a slot takes.

use tacit_types::Timestamp;

use crate::arrivals::Caution;
use crate::leg::{Fate, Leg, Legs};
use crate::limits::LEGS;

/// What a slot of the pattern asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Want {
    /// The best leg, or those as good as the best, by turns.
    Best,
    Second,
    Third,
    /// The legs after the third, by turns.
    Reserve,
    /// Those after the reserve, by turns: only to keep them measured.
    Slow,
    /// Any leg, by turns: nothing is known, or nothing that is known is good.
    Any,
}

/// Positions of the legs that can be used: measured and in time by score, then never measured, then
/// suspects. In caution those seen to work come first.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Ranking {
    order: [usize; LEGS],
    len: usize,
    healthy: usize,
    /// The first so many are equally good.
    alike: usize,
}

/// How legs are compared.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Yardstick {
    pub(crate) caution: Caution,
    /// Scores that differ by less are equal, microseconds.
    pub(crate) alike: f64,
    pub(crate) now: Timestamp,
}

impl Yardstick {
    /// With little feedback, innocent legs are suspected for reports that were lost: what has just
    /// been seen to work counts more.
    fn seen(&self, leg: &Leg) -> bool {
        match self.caution {
            Caution::SeenSince(since) => leg.seen.is_some_and(|seen| seen >= since),
            Caution::None | Caution::Silence => false,
        }
    }

    /// Lower is better.
    fn class(&self, leg: &Leg) -> (bool, bool) {
        (leg.suspect && !self.seen(leg), leg.is_fresh())
    }
}

impl Ranking {
    /// Ranks the legs that are `usable`.
    pub(crate) fn new(legs: &Legs, yardstick: &Yardstick, usable: impl Fn(&Leg) -> bool) -> Self {
        let legs = legs.as_slice();
        let mut order = [0; LEGS];
        let mut len = 0;
        for (position, _) in legs.iter().enumerate().filter(|(_, leg)| usable(leg)) {
            order[len] = position;
            len += 1;
        }
        let score = |at: usize| legs[at].delay.score(yardstick.now);
        order[..len].sort_unstable_by(|&a, &b| {
            let (one, other) = (&legs[a], &legs[b]);
            yardstick
                .class(one)
                .cmp(&yardstick.class(other))
                .then_with(|| yardstick.seen(other).cmp(&yardstick.seen(one)))
                .then_with(|| one.suspect.cmp(&other.suspect))
                .then_with(|| score(a).total_cmp(&score(b)))
                .then(one.turn.cmp(&other.turn))
        });
        let in_time = |at: &&usize| yardstick.class(&legs[**at]) == (false, false);
        let healthy = order[..len].iter().take_while(in_time).count();
        let as_good = |at: &&usize| {
            let (best, leg) = (&legs[order[0]], &legs[**at]);
            yardstick.seen(best) == yardstick.seen(leg)
                && score(**at) <= score(order[0]) + yardstick.alike
        };
        let alike = order[..healthy].iter().take_while(as_good).count();
        Self {
            order,
            len,
            healthy,
            alike,
        }
    }

    /// Without the legs at some positions.
    pub(crate) fn among(&self, keep: impl Fn(usize) -> bool) -> Self {
        let mut some = Self {
            order: [0; LEGS],
            len: 0,
            healthy: 0,
            alike: 0,
        };
        let kept = self.positions().iter().enumerate();
        for (rank, &at) in kept.filter(|&(_, &at)| keep(at)) {
            some.order[some.len] = at;
            some.len += 1;
            some.healthy += usize::from(rank < self.healthy);
            some.alike += usize::from(rank < self.alike);
        }
        // The best of those that are left is as good as itself.
        some.alike = some.alike.max(some.healthy.min(1));
        some
    }

    pub(crate) const fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Legs that are measured and not suspect.
    pub(crate) const fn healthy(&self) -> usize {
        self.healthy
    }

    /// All legs, best first.
    pub(crate) fn positions(&self) -> &[usize] {
        &self.order[..self.len]
    }

    pub(crate) fn first(&self) -> Option<usize> {
        self.positions().first().copied()
    }

    /// Which leg serves `want`: of several the one that was not used for longest. `avoid` are the
    /// fates that the neighbouring slots depend on.
    pub(crate) fn pick(
        &self,
        legs: &Legs,
        want: Want,
        reserve: usize,
        avoid: [Option<Fate>; 2],
    ) -> Option<usize> {
        let legs = legs.as_slice();
        match self.candidates(legs, want, reserve, avoid) {
            Candidates::One(at) => at,
            Candidates::Turns(positions) => positions
                .iter()
                .copied()
                .min_by_key(|&at| (shares(&legs[at], avoid), legs[at].turn)),
        }
    }

    /// Like [`pick`](Self::pick), but of those that have rested almost as long as any the one whose
    /// `pair` is lowest: so that not the same two legs always meet.
    pub(crate) fn pick_paired(
        &self,
        legs: &Legs,
        want: Want,
        reserve: usize,
        avoid: [Option<Fate>; 2],
        pair: impl Fn(usize) -> u64,
    ) -> Option<usize> {
        let legs = legs.as_slice();
        let positions = match self.candidates(legs, want, reserve, avoid) {
            Candidates::One(at) => return at,
            Candidates::Turns(positions) => positions,
        };
        let mut rested = [0; LEGS];
        let rested = &mut rested[..positions.len()];
        rested.copy_from_slice(positions);
        rested.sort_unstable_by_key(|&at| (shares(&legs[at], avoid), legs[at].turn));
        let most = 1 + rested.len() / 3;
        let rested = rested.iter().take(most).copied();
        rested.min_by_key(|&at| (shares(&legs[at], avoid), pair(at)))
    }

    fn candidates(
        &self,
        legs: &[Leg],
        want: Want,
        reserve: usize,
        avoid: [Option<Fate>; 2],
    ) -> Candidates<'_> {
        if want == Want::Any || self.healthy == 0 {
            return Candidates::Turns(self.positions());
        }
        let healthy = &self.order[..self.healthy];
        let after_reserve = (3 + reserve).max(self.alike).min(self.healthy);
        // Where many are equally good, all of them take turns, and the pattern says no more.
        let level = self.alike >= 3;
        Candidates::Turns(match want {
            Want::Best | Want::Any => &healthy[..self.alike],
            Want::Second | Want::Third if level => &healthy[..self.alike],
            Want::Second | Want::Third => {
                return Candidates::One(self.runner_up(legs, want, avoid));
            }
            Want::Slow if after_reserve < self.healthy => &healthy[after_reserve..],
            Want::Reserve | Want::Slow if level => &healthy[..after_reserve],
            Want::Reserve | Want::Slow if self.healthy > 3 => &healthy[3..after_reserve],
            // Too few: the second and third by turns, or with one healthy leg whatever else exists.
            Want::Reserve | Want::Slow if self.healthy > 1 => &healthy[1..],
            Want::Reserve | Want::Slow => &self.positions()[1.min(self.len - 1)..],
        })
    }

    /// The second and third leg; they change places if the second shares the best one's fate.
    fn runner_up(&self, legs: &[Leg], want: Want, avoid: [Option<Fate>; 2]) -> Option<usize> {
        let healthy = &self.order[..self.healthy];
        let (second, third) = (healthy.get(1), healthy.get(2));
        let swap = second.zip(third).is_some_and(|(&second, &third)| {
            shares(&legs[second], avoid) && !shares(&legs[third], avoid)
        });
        let chosen = if (want == Want::Second) == swap {
            third
        } else {
            second
        };
        chosen.or(second).copied().or_else(|| self.first())
    }
}

enum Candidates<'a> {
    /// Exactly this one.
    One(Option<usize>),
    /// These by turns.
    Turns(&'a [usize]),
}

fn shares(leg: &Leg, avoid: [Option<Fate>; 2]) -> bool {
    leg.fate.is_some() && avoid.contains(&leg.fate)
}
