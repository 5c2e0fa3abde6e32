//! What the latency meter shows.

use core::time::Duration;

use tacit_types::{LegIndex, LegKind, Path, Timestamp};

use super::{ChoiceReason, Scheduler};
use crate::leg::{Leg, LegStatus, Legs, Side};
use crate::sent::Sent;

impl Scheduler {
    const fn side(&self, side: Side) -> &Legs {
        match side {
            Side::Local => &self.local,
            Side::Peer => &self.peer,
        }
    }

    /// All legs, for the latency meter.
    pub fn legs(&self) -> impl Iterator<Item = LegStatus> {
        [Side::Local, Side::Peer].into_iter().flat_map(move |side| {
            let legs = self.side(side).as_slice();
            let measured = legs.iter().filter(|leg| !leg.is_fresh());
            let fastest = measured.map(|leg| leg.delay.mean()).min_by(f64::total_cmp);
            legs.iter().map(move |leg| self.status(side, leg, fastest))
        })
    }

    /// Whether anything that went over this leg of ours has arrived.
    #[must_use]
    pub fn works(&self, leg: LegIndex) -> bool {
        let mut legs = self.legs();
        legs.any(|l| l.side == Side::Local && l.index == leg && l.acknowledged > 0)
    }

    fn status(&self, side: Side, leg: &Leg, fastest: Option<f64>) -> LegStatus {
        let micros = |value: f64| Duration::from_secs_f64((value / 1e6).clamp(0.0, 1e6));
        let overdue = self.origin.and_then(|origin| {
            let on_leg = |sent: &&Sent| sent.is_on(side, leg.index);
            let later = |sent: &&Sent| sent.order > leg.acknowledged_through;
            let oldest = self.sent.pending().filter(on_leg).find(later)?;
            Some(self.overdue(oldest, origin, &self.usual()))
        });
        LegStatus {
            side,
            index: leg.index,
            relative_delay: fastest
                .filter(|_| !leg.is_fresh())
                .map(|fastest| micros(leg.delay.mean() - fastest)),
            noise: micros(leg.delay.noise()),
            suspect: leg.suspect,
            held: leg.held,
            sent: leg.sent,
            acknowledged: leg.acknowledged,
            loss: self.loss(side, leg.index),
            overdue: micros(overdue.unwrap_or(0.0)),
            suspected: leg.suspected,
        }
    }

    /// Of what should have arrived, the share that has not.
    fn loss(&self, side: Side, index: LegIndex) -> Option<f32> {
        let origin = self.origin?;
        let usual = self.usual();
        let due = self.sent.all().filter(|sent| {
            sent.is_on(side, index)
                && (sent.acknowledged || self.overdue(sent, origin, &usual) > self.patience())
        });
        let (due, lost) = due.fold((0_u16, 0_u16), |(due, lost), sent| {
            (due + 1, lost + u16::from(!sent.acknowledged))
        });
        (due > 0).then(|| f32::from(lost) / f32::from(due))
    }

    /// The path with the lowest delay among legs that are in time.
    fn best(&self, now: Timestamp) -> Option<Path> {
        let first = |legs: &Legs, usable: &dyn Fn(&Leg) -> bool| {
            let legs = legs.as_slice().iter().enumerate();
            let usable = legs.filter(|(_, leg)| usable(leg));
            let best = usable.min_by(|(_, a), (_, b)| {
                let known = |leg: &Leg| (leg.suspect, leg.is_fresh());
                let delays = (a.delay.expected(now), b.delay.expected(now));
                known(a).cmp(&known(b)).then(delays.0.total_cmp(&delays.1))
            });
            best.map(|(at, _)| at)
        };
        let up = first(&self.local, &|_| true)?;
        let reach = self.local.as_slice()[up].reach;
        let down = match self.config.kind {
            LegKind::Turn => first(&self.peer, &|leg| !leg.held && reach.contains(leg.index))?,
            LegKind::Onion => up,
        };
        Some(self.choice(up, down, ChoiceReason::Best).path)
    }

    /// Whether the best path is another one than `told`, and why. One that is still in time gives
    /// way only to one that is faster by `margin`: else two like paths would change places for ever.
    #[must_use]
    pub fn best_change(
        &self,
        told: Option<Path>,
        margin: Duration,
        now: Timestamp,
    ) -> Option<(Path, BestChange)> {
        let best = self.best(now)?;
        let Some(told) = told else {
            return Some((best, BestChange::First));
        };
        let mean = |path: Path| {
            let up = self.local.get(path.sender)?;
            let down = self.peer.get(path.receiver);
            let reached = down.is_some_and(|down| up.reach.contains(down.index));
            let whole = self.config.kind == LegKind::Onion || reached;
            let late = up.suspect || down.is_some_and(|down| down.suspect);
            whole.then(|| {
                (
                    late,
                    up.delay.expected(now) + down.map_or(0.0, |down| down.delay.expected(now)),
                )
            })
        };
        let change = match (mean(told), mean(best)) {
            (None, _) => BestChange::Gone,
            (Some((true, _)), Some((false, _))) => BestChange::Overdue,
            (Some((false, old)), Some((_, new))) if old - new > margin.as_secs_f64() * 1e6 => {
                BestChange::Faster
            }
            _ => return None,
        };
        (told != best).then_some((best, change))
    }
}

/// Why another path is the best one now. Shown as one stable word.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum BestChange {
    /// It is the first of the call.
    First,
    /// It has become faster than the one before it.
    Faster,
    /// Packets on the one before it are overdue.
    Overdue,
    /// The one before it is gone.
    Gone,
}

impl core::fmt::Display for BestChange {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str(match self {
            Self::First => "first",
            Self::Faster => "faster",
            Self::Overdue => "overdue",
            Self::Gone => "gone",
        })
    }
}
