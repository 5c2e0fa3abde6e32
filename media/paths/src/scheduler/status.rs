//! What the latency meter shows.

use core::time::Duration;

use super::Scheduler;
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

    fn status(&self, side: Side, leg: &Leg, fastest: Option<f64>) -> LegStatus {
        let micros = |value: f64| Duration::from_secs_f64((value / 1e6).clamp(0.0, 1e6));
        let overdue = self.origin.and_then(|origin| {
            let on_leg = |sent: &&Sent| match side {
                Side::Local => sent.path.sender == leg.index,
                Side::Peer => sent.path.receiver == leg.index,
            };
            let later = |sent: &&Sent| sent.order > leg.acknowledged_through;
            let oldest = self.sent.pending().filter(on_leg).find(later)?;
            Some(self.overdue(oldest, origin))
        });
        LegStatus {
            side,
            index: leg.index,
            relative_delay: fastest
                .filter(|_| !leg.is_fresh())
                .map(|fastest| micros(leg.delay.mean() - fastest)),
            noise: micros(leg.delay.noise()),
            suspect: leg.suspect,
            sent: leg.sent,
            acknowledged: leg.acknowledged,
            overdue: Duration::from_micros(overdue.unwrap_or(0).max(0).unsigned_abs()),
            suspected: leg.suspected,
        }
    }
}
