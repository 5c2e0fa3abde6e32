//! The order of one side's legs, and which of them a slot takes.

use tacit_types::Timestamp;

use crate::arrivals::Caution;
use crate::leg::{Fate, Leg, Legs};
use crate::limits::LEGS;

/// What a slot of the pattern asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Want {
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

/// Positions of legs: measured and in time by score, then never measured, then suspects. In caution
/// those seen to work come first.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Ranking {
    order: [usize; LEGS],
    len: usize,
    healthy: usize,
}

impl Ranking {
    pub(crate) fn new(legs: &Legs, caution: Caution, now: Timestamp) -> Self {
        let legs = legs.as_slice();
        // With little feedback, innocent legs are suspected for reports that were lost: what has
        // just been seen to work counts more.
        let seen = |leg: &Leg| match caution {
            Caution::SeenSince(since) => leg.seen.is_some_and(|seen| seen >= since),
            Caution::None | Caution::Silence => false,
        };
        let class = |leg: &Leg| (leg.suspect && !seen(leg), leg.is_fresh());
        let mut order = [0; LEGS];
        for (position, place) in order[..legs.len()].iter_mut().enumerate() {
            *place = position;
        }
        order[..legs.len()].sort_unstable_by(|&a, &b| {
            let (a, b) = (&legs[a], &legs[b]);
            let by_score = || a.delay.score(now).total_cmp(&b.delay.score(now));
            class(a)
                .cmp(&class(b))
                .then_with(|| seen(b).cmp(&seen(a)))
                .then_with(|| a.suspect.cmp(&b.suspect))
                .then_with(by_score)
                .then(a.turn.cmp(&b.turn))
        });
        let healthy = legs
            .iter()
            .filter(|leg| class(leg) == (false, false))
            .count();
        Self {
            order,
            len: legs.len(),
            healthy,
        }
    }

    pub(crate) const fn is_empty(&self) -> bool {
        self.len == 0
    }

    pub(crate) const fn len(&self) -> usize {
        self.len
    }

    /// Legs that are measured and not suspect.
    pub(crate) const fn healthy(&self) -> usize {
        self.healthy
    }

    fn first(&self) -> Option<usize> {
        self.order[..self.len].first().copied()
    }

    /// Which leg serves `want`; `avoid` are the fates that the neighbouring slots depend on.
    pub(crate) fn pick(
        &self,
        legs: &Legs,
        want: Want,
        reserve: usize,
        avoid: [Option<Fate>; 2],
    ) -> Option<usize> {
        let legs = legs.as_slice();
        if want == Want::Any || self.healthy == 0 {
            return least_recent(legs, &self.order[..self.len], avoid);
        }
        let healthy = &self.order[..self.healthy];
        let after_reserve = (3 + reserve).min(self.healthy);
        let candidates = match want {
            Want::Best | Want::Any => return self.first(),
            Want::Second | Want::Third => return self.runner_up(legs, want, avoid),
            Want::Slow if after_reserve < self.healthy => &healthy[after_reserve..],
            Want::Reserve | Want::Slow if self.healthy > 3 => &healthy[3..after_reserve],
            // Too few: the second and third by turns, or with one healthy leg whatever else exists.
            Want::Reserve | Want::Slow if self.healthy > 1 => &healthy[1..],
            Want::Reserve | Want::Slow => &self.order[1.min(self.len - 1)..self.len],
        };
        least_recent(legs, candidates, avoid)
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

fn shares(leg: &Leg, avoid: [Option<Fate>; 2]) -> bool {
    leg.fate.is_some() && avoid.contains(&leg.fate)
}

fn least_recent(legs: &[Leg], positions: &[usize], avoid: [Option<Fate>; 2]) -> Option<usize> {
    positions
        .iter()
        .copied()
        .min_by_key(|&at| (shares(&legs[at], avoid), legs[at].turn))
}
