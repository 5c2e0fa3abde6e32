//! What the peer's reports teach: delays, the round trip, and which legs are suspect.

use core::time::Duration;

use tacit_packet::{ArrivalReport, MediaTime};
use tacit_types::{LegIndex, LegKind, Timestamp};

use super::early::{Early, Measured, Verdict};
use super::{Origin, Scheduler};
use crate::blame::Accusations;
use crate::delay;
use crate::leg::{Leg, Legs, Side};
use crate::limits::{LEGS, ROUND_TRIP_MAX_MICROS};
use crate::sent::Sent;

/// Both clocks are read twice and rounded, microseconds.
const CLOCK_ERROR: i64 = 2_000;
/// How much earlier than expected the peer's newest packet may have come, microseconds.
const EARLY_MAX: i64 = 50_000;
/// When the peer's clock was impossible for so long, one of the two has stepped.
const CLOCK_STEPPED: Duration = Duration::from_secs(2);
/// A leg never measured is taken to be slower than the slowest by this, microseconds.
const UNMEASURED: f64 = 150_000.0;

impl Scheduler {
    /// Takes the reports of one authentic packet of the peer, which stated `sent_at`.
    pub fn on_feedback(&mut self, sent_at: MediaTime, reports: &[ArrivalReport], now: Timestamp) {
        for report in reports {
            self.on_report(sent_at, report, now);
        }
        self.advance_horizon(sent_at, now);
    }

    /// Whoever knows how long this half of a path takes at this moment says so: it counts as known for
    /// certain, whatever was measured, until something is measured or said again. Both clocks have to be
    /// in step: if nothing was heard of the peer's, it is taken to read zero when ours does. It also
    /// counts as feedback, so that no leg is chosen blindly.
    ///
    /// Nobody in a call knows this, and no call says it. It is here so that the policy can be asked how
    /// well it would do if somebody did.
    pub fn assume_delay(&mut self, side: Side, index: LegIndex, takes: Duration, now: Timestamp) {
        self.origin.get_or_insert(Origin {
            local: Timestamp::ZERO,
            peer: MediaTime::from_elapsed(Duration::ZERO),
        });
        self.last_feedback = Some(now);
        let legs = match side {
            Side::Local => &mut self.local,
            Side::Peer => &mut self.peer,
        };
        if let Some(leg) = legs.get_mut(index) {
            leg.delay.assume(1e6 * takes.as_secs_f64(), now);
        }
    }

    fn on_report(&mut self, sent_at: MediaTime, report: &ArrivalReport, now: Timestamp) {
        let Some(sent) = self.sent.find(report.slot, report.path) else {
            self.counters.unknown += 1;
            return;
        };
        let hold = sent_at.signed_micros_since(report.arrived_at);
        let round_trip = now.signed_micros_since(sent.at) - hold;
        if hold < 0 || !(-CLOCK_ERROR..=ROUND_TRIP_MAX_MICROS).contains(&round_trip) {
            self.counters.impossible += 1;
            return;
        }
        let sample = Duration::from_micros(round_trip.max(0).unsigned_abs());
        self.round_trips.record(sample, now);
        if sent.acknowledged {
            self.counters.repeated += 1;
            return;
        }
        sent.acknowledged = true;
        let sent = *sent;
        self.counters.taken += 1;
        self.acknowledge(sent, report.arrived_at, now);
    }

    fn acknowledge(&mut self, sent: Sent, arrived_at: MediaTime, now: Timestamp) {
        let origin = *self.origin.get_or_insert(Origin {
            local: sent.at,
            peer: arrived_at,
        });
        #[expect(clippy::cast_precision_loss, reason = "microseconds of at most days")]
        let delay = (origin.peer_micros(arrived_at) - origin.local_micros(sent.at)) as f64;
        self.learn((sent, delay), now);
        let [up, down] = self.halves(&sent);
        // Streams keep their order, so all that was sent on these legs before has arrived too, or
        // is held up on its other half.
        for leg in [up, down].into_iter().flatten() {
            leg.acknowledged += 1;
            leg.acknowledged_at = Some(now);
            leg.acknowledged_through = leg.acknowledged_through.max(sent.order);
        }
        self.sent.skip_acknowledged();
    }

    /// The legs that carried it, as far as they are still the same ones.
    fn halves(&mut self, sent: &Sent) -> [Option<&mut Leg>; 2] {
        let carried = |leg: &&mut Leg| sent.order > leg.born_after;
        [
            self.local.get_mut(sent.path.sender).filter(carried),
            self.peer.get_mut(sent.path.receiver).filter(carried),
        ]
    }

    fn measure(&mut self, (sent, delay): Measured, now: Timestamp) {
        let forgotten = self.config.forgotten;
        let kind = self.config.kind;
        match (
            self.halves(&sent).map(|leg| leg.map(|leg| &mut leg.delay)),
            kind,
        ) {
            ([Some(up), Some(down)], _) => delay::measure(&mut [up, down], delay, forgotten, now),
            ([Some(up), None], LegKind::Onion) => delay::measure(&mut [up], delay, forgotten, now),
            // With TURN legs half a path tells nothing: the other half is gone.
            _ => {}
        }
    }

    /// Learns from a packet what its legs take.
    ///
    /// What all legs have in common is not theirs: when one packet after the other comes much earlier
    /// than expected, over several legs, the peer's clock has fallen behind, as when its machine
    /// slept, or congestion is over that all legs shared. If that counted as theirs, whichever leg was
    /// measured first would seem faster than the others, would have nearly all packets, and would be
    /// believed to work, since the peer's clock lags behind what it has told.
    ///
    /// So a few such packets wait for each other. If all legs are faster, the constant that is in all
    /// delays becomes another one. What is known of the legs stays, and is doubted. A peer that feigns it
    /// gets its packets by other legs for a while.
    fn learn(&mut self, (sent, delay): Measured, now: Timestamp) {
        let kind = self.config.kind;
        let known = |leg: Option<&mut Leg>| {
            let leg = leg.filter(|leg| !leg.is_fresh());
            leg.map(|leg| (leg.delay.mean(), leg.delay.noise()))
        };
        let (expected, noise) = match (self.halves(&sent).map(known), kind) {
            ([Some(up), None], LegKind::Onion) => up,
            ([Some(up), Some(down)], LegKind::Turn) => (up.0 + down.0, up.1.max(down.1)),
            _ => return self.measure((sent, delay), now),
        };
        let by = expected - delay;
        let by = Early::is_early(by, noise).then_some(by);
        if by.is_none() && self.early.is_empty() {
            return self.measure((sent, delay), now);
        }
        let legs = [&self.local, &self.peer].map(|legs| legs.as_slice().len());
        match self.early.note((sent, delay), by, kind, legs) {
            Verdict::Wait => {}
            Verdict::Believe(early) => {
                early.packets().for_each(|packet| self.measure(packet, now));
            }
            Verdict::AllAreFaster(by, early) => {
                let shift = self.shift(by, now);
                early
                    .packets()
                    .for_each(|(sent, delay)| self.measure((sent, delay + shift), now));
            }
        }
    }

    /// All that is measured from now on takes longer by `by`, to the clock's precision, which is returned,
    /// microseconds.
    fn shift(&mut self, by: f64, now: Timestamp) -> f64 {
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "what is early is so by a positive number of ticks, and a clock has no more"
        )]
        let ticks = (by / MediaTime::TICK_MICROS as f64) as u32;
        if let Some(origin) = &mut self.origin {
            origin.peer = origin.peer.ticks_earlier(ticks);
        }
        for leg in self.local.iter_mut().chain(self.peer.iter_mut()) {
            leg.delay.doubt(now);
        }
        self.counters.shifted += 1;
        f64::from(ticks) * MediaTime::TICK_MICROS as f64
    }

    /// All that arrived before `sent_at` has been reported by now; what has not is late.
    fn advance_horizon(&mut self, sent_at: MediaTime, now: Timestamp) {
        let Some(origin) = self.origin else { return };
        let told = origin.peer_micros(sent_at);
        // A packet cannot have been sent later than now, less the fastest leg's delay.
        let fastest = |legs: &Legs| {
            let measured = legs.as_slice().iter().filter(|leg| !leg.is_fresh());
            measured
                .map(|leg| leg.delay.mean())
                .min_by(f64::total_cmp)
                .unwrap_or(0.0)
        };
        let fastest = fastest(&self.local) + fastest(&self.peer);
        #[expect(clippy::cast_possible_truncation, reason = "saturates")]
        let latest = origin
            .local_micros(now)
            .saturating_add(fastest as i64 + EARLY_MAX);
        if told > latest {
            self.counters.impossible_clock += 1;
            let stepped = |last| now.saturating_since(last) > CLOCK_STEPPED;
            if self.last_feedback.is_some_and(stepped) {
                self.start_over(now);
            }
            return;
        }
        self.last_feedback = Some(now);
        self.horizon = self.horizon.max(told);
    }

    /// One of the clocks has stepped, as when a machine slept: what was measured before says nothing
    /// about what is measured now. A peer that feigns it makes its own calls worse.
    fn start_over(&mut self, now: Timestamp) {
        self.origin = None;
        self.horizon = 0;
        self.last_feedback = Some(now);
        self.early = Early::default();
        self.sent.forget();
        for leg in self.local.iter_mut().chain(self.peer.iter_mut()) {
            leg.delay = delay::Delay::unknown();
            leg.suspect = false;
            leg.late = 0.0;
            // What was to be told of its packets is forgotten: it is judged as if it were new.
            leg.acknowledged_at = leg.acknowledged_at.map(|_| now);
            leg.first_sent = leg.first_sent.map(|_| now);
        }
    }

    /// What is later than it usually is by more than this is overdue, microseconds.
    pub(super) fn patience(&self) -> f64 {
        self.config.overdue.as_secs_f64() * 1e6
    }

    /// How late each leg is, and which legs are suspect for it.
    pub(super) fn update_suspects(&mut self) {
        let Some(origin) = self.origin else { return };
        let (patience, usual) = (self.patience(), self.usual());
        let mut accusations = Accusations::default();
        let mut late = [[0.0_f64; LEGS]; 2];
        for sent in self.sent.pending() {
            let by = self.overdue(sent, origin, &usual);
            if by <= 0.0 {
                continue;
            }
            // Neither: dropped before the socket, or its reports were.
            let local = self.local.accused(sent.path.sender, sent.order);
            let peer = self.peer.accused(sent.path.receiver, sent.order);
            for (late, at) in late.iter_mut().zip([local, peer]) {
                if let Some(at) = at {
                    late[at] = late[at].max(by);
                }
            }
            if by > patience {
                accusations.accuse(local, peer);
            }
        }
        let suspects = accusations.blame();
        self.local.judge(suspects[0], &late[0], patience);
        self.peer.judge(suspects[1], &late[1], patience);
    }

    /// What legs that were never measured, or are gone, are taken to be like.
    pub(super) fn usual(&self) -> [f64; 2] {
        [&self.local, &self.peer].map(|legs| {
            let measured = legs.as_slice().iter().filter(|leg| !leg.is_fresh());
            let slowest = measured.map(|leg| leg.delay.mean()).max_by(f64::total_cmp);
            slowest.map_or(0.0, |slowest| slowest + UNMEASURED)
        })
    }

    /// By how much a packet is later than it usually would be, by what the peer has told,
    /// microseconds.
    pub(super) fn overdue(&self, sent: &Sent, origin: Origin, usual: &[f64; 2]) -> f64 {
        let up = self.local.get(sent.path.sender);
        let down = self.peer.get(sent.path.receiver);
        let (mut expected, mut noise) = (0.0, 0.0_f64);
        for (leg, usual) in [up, down].into_iter().zip(usual) {
            match leg.filter(|leg| !leg.is_fresh()) {
                Some(leg) => {
                    expected += leg.delay.mean();
                    noise = noise.max(leg.delay.noise());
                }
                None => expected += usual,
            }
        }
        let since = self.horizon.saturating_sub(origin.local_micros(sent.at));
        #[expect(clippy::cast_precision_loss, reason = "microseconds of at most days")]
        let since = since as f64;
        since - expected - noise
    }
}
