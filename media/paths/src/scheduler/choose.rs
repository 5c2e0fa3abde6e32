//! Which path a packet takes.

use tacit_types::{LegKind, Path, SlotNumber, Timestamp};

use super::{Choice, ChoiceReason, Scheduler};
use crate::arrivals::Caution;
use crate::cost::{Cost, Costs, Kind, Moment};

/// What a pair costs more that has just met, microseconds, and for how many packets: enough that
/// not always the same legs meet, and the delay of one is told from the other's.
const MET: f64 = 14_000.0;
const MET_FOR: f64 = 128.0;

impl Scheduler {
    /// The path of this slot's packet; `None` if no leg can take it. Nothing is spent before
    /// [`on_sent`](Self::on_sent): if the leg refuses, say so and choose again.
    pub fn choose(&mut self, slot: SlotNumber, now: Timestamp) -> Option<Choice> {
        self.update_suspects();
        let moment = Moment {
            config: &self.config,
            caution: self.arrivals.caution(now),
            may_probe: !self.turns.is_multiple_of(2),
            now,
        };
        let local = Costs::new(&self.local, &moment, |leg| leg.refused != Some(slot));
        let peer = match self.config.kind {
            LegKind::Turn => Costs::new(&self.peer, &moment, |leg| !leg.held),
            LegKind::Onion => Costs::nothing(),
        };
        if let Some(reason) = self.all_by_turns(&moment) {
            return self.by_turns(&local, &peer, reason);
        }
        let (up, down) = self.cheapest(&local, &peer)?;
        let only = self.local.as_slice().len().max(self.peer.as_slice().len()) == 1;
        let reason = if only {
            ChoiceReason::Only
        } else {
            reason(&[(&local, up), (&peer, down)])
        };
        Some(self.choice(up, down, reason))
    }

    /// Why nothing that is known of the legs helps.
    fn all_by_turns(&self, moment: &Moment<'_>) -> Option<ChoiceReason> {
        let legs = [&self.local, &self.peer];
        if legs.iter().all(|legs| legs.as_slice().len() <= 1) {
            return None;
        }
        let silent = |since| moment.now.saturating_since(since) > self.config.blind_after;
        let told = self.last_feedback.or(self.first_sent);
        if told.is_some_and(silent) || moment.caution == Caution::Silence {
            return Some(ChoiceReason::Blind);
        }
        let none_healthy = legs.iter().any(|legs| {
            let mut legs = legs.as_slice().iter().peekable();
            legs.peek().is_some() && !legs.any(|leg| moment.is_healthy(leg))
        });
        none_healthy.then_some(match self.origin {
            None => ChoiceReason::Blind,
            Some(_) => ChoiceReason::AllSuspect,
        })
    }

    /// Whether these positions are a path.
    fn meet(&self, up: usize, down: usize) -> bool {
        let peer = self.peer.as_slice().get(down);
        self.config.kind == LegKind::Onion
            || peer.is_some_and(|peer| self.local.as_slice()[up].reach.contains(peer.index))
    }

    /// The path that costs least; of equals, the one whose legs were used longest ago.
    fn cheapest(&self, local: &Costs, peer: &Costs) -> Option<(usize, usize)> {
        let total = |costs: &Costs, at| costs.get(at).total;
        let least = peer.usable().map(|down| total(peer, down));
        let least = least.min_by(f64::total_cmp)?;
        let mut best: Option<(f64, u64, (usize, usize))> = None;
        for up in local.usable() {
            let bound = total(local, up) + least;
            if best.is_some_and(|(cost, ..)| bound > cost) {
                continue;
            }
            for down in peer.usable().filter(|&down| self.meet(up, down)) {
                let cost = total(local, up) + total(peer, down) + self.met(up, down);
                let used = self.local.as_slice()[up].turn
                    + self.peer.as_slice().get(down).map_or(0, |leg| leg.turn);
                if best.is_none_or(|(least, turn, _)| (cost, used) < (least, turn)) {
                    best = Some((cost, used, (up, down)));
                }
            }
        }
        best.map(|(_, _, pair)| pair)
    }

    fn met(&self, up: usize, down: usize) -> f64 {
        if self.config.kind == LegKind::Onion {
            return 0.0;
        }
        let ago = self.turns.saturating_sub(self.pairs.turn(up, down));
        #[expect(clippy::cast_precision_loss, reason = "far below 2^52 packets")]
        let ago = ago as f64;
        MET * (1.0 - ago / MET_FOR).max(0.0)
    }

    /// Local legs by turns, each with the leg of the peer that it has not met for longest, of the half
    /// that rested longest: the same few pairs would be tried over and over otherwise, and all of them
    /// may be bad.
    fn by_turns(&self, local: &Costs, peer: &Costs, reason: ChoiceReason) -> Option<Choice> {
        let (ours, theirs) = (self.local.as_slice(), self.peer.as_slice());
        let downs = |up| peer.usable().filter(move |&down| self.meet(up, down));
        let reaching = local.usable().filter(|&up| downs(up).next().is_some());
        let up = reaching.min_by_key(|&up| ours[up].turn)?;
        let rest = u64::try_from(downs(up).count() / 2).unwrap_or(0);
        let down = downs(up).min_by_key(|&down| {
            let used = theirs.get(down).map_or(0, |leg| leg.turn);
            let tired = used + rest > self.turns;
            (tired, self.pairs.turn(up, down), used)
        })?;
        Some(self.choice(up, down, reason))
    }

    pub(super) fn choice(&self, up: usize, down: usize, reason: ChoiceReason) -> Choice {
        let sender = self.local.as_slice()[up].index;
        let receiver = match self.config.kind {
            LegKind::Onion => sender,
            LegKind::Turn => self.peer.as_slice()[down].index,
        };
        Choice {
            path: Path { sender, receiver },
            reason,
        }
    }
}

/// What made the legs at these positions the cheapest of their sides.
fn reason(halves: &[(&Costs, usize)]) -> ChoiceReason {
    let least = |costs: &Costs, of: fn(&Cost) -> f64| {
        let all = costs.usable().map(|at| of(costs.get(at)));
        all.fold(f64::INFINITY, f64::min)
    };
    let any = |test: &dyn Fn(&Costs, &Cost) -> bool| {
        halves.iter().any(|(costs, at)| test(costs, costs.get(*at)))
    };
    if any(&|_, cost| cost.probe == Kind::Suspect) {
        ChoiceReason::ProbeSuspect
    } else if any(&|_, cost| cost.probe == Kind::Fresh) {
        ChoiceReason::ProbeFresh
    } else if any(&|costs, cost| {
        cost.probe == Kind::Stale || cost.certain > least(costs, |cost| cost.certain) + MET
    }) {
        ChoiceReason::Remeasure
    } else if any(&|costs, cost| cost.delay > least(costs, |cost| cost.delay)) {
        ChoiceReason::Rested
    } else {
        ChoiceReason::Best
    }
}
