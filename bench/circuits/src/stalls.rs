//! Stalls: moments from which on a circuit holds everything back.
//!
//! ```text
//!   extra   │╲            height: log-normal, heavier on bad circuits
//!   delay   │ ╲    │╲     decline: the backlog drains while packets keep coming
//!           │  ╲   │ ╲
//!        ───┘   ╲──┘  ╲───── time
//! ```
//!
//! **Correlation.** A stall comes from one of two streams of events: one of the circuit's own, and
//! one that all circuits behind a guard read alike. Both are Poisson streams at the highest rate of
//! any circuit, in the proportion 1 - ρ to ρ; a circuit takes an event if the event's mark is below
//! its own rate's share of that. What it takes is a Poisson stream of its own rate whatever ρ is, and
//! heights do not depend on where the event came from: each circuit's marginal distribution is the
//! same for every ρ, and ρ of its stall time is shared with all circuits that are as bad as itself.

use crate::circuit::QUEUE;
use crate::params::{Params, STALL_HEIGHT_MAX};
use crate::quality::{Quality, Seeds};
use crate::random::{Random, derive, quantile, unit};

const OWN: u64 = 0x51;
const SHARED: u64 = 0x52;
const LOST: u64 = 0x54;
/// Packets a minute of the streams that stalls a minute were counted on.
const FITTED_RATE: f64 = 3_000.0;
const BADNESS: u64 = 0x53;

/// Poisson stream of events.
#[derive(Clone, Debug)]
struct Events {
    random: Random,
    /// Mean time between events; infinite for none.
    interval: f64,
    next: Event,
}

#[derive(Clone, Copy, Debug)]
struct Event {
    at: f64,
    /// Taken by circuits whose share of the highest rate is above this.
    mark: f64,
    /// Standard normal: how high among stalls of the circuit's class.
    rank: f64,
}

impl Events {
    fn new(seed: u64, interval: f64) -> Self {
        let mut random = Random::new(seed);
        let next = Event::after(0.0, &mut random, interval);
        Self {
            random,
            interval,
            next,
        }
    }

    fn advance(&mut self) -> Event {
        let next = Event::after(self.next.at, &mut self.random, self.interval);
        core::mem::replace(&mut self.next, next)
    }
}

impl Event {
    fn after(at: f64, random: &mut Random, interval: f64) -> Self {
        Self {
            at: at + random.exponential(1.0) * interval,
            mark: random.unit(),
            rank: random.gauss(),
        }
    }
}

/// A circuit of good or bad quality.
#[derive(Clone, Copy, Debug)]
struct Class {
    /// Share of the highest rate.
    rate: f64,
    height: f64,
    spread: f64,
}

/// The stalls of one circuit in one direction.
#[derive(Clone, Debug)]
pub(crate) struct Stalls {
    /// What bad circuits have beside long queues, and those: the circuit is bad where both together,
    /// each by its weight, are above the threshold.
    badness: [Quality; 2],
    weights: [f64; 2],
    threshold: f64,
    classes: [Class; 2],
    decline: f64,
    lump: f64,
    /// Chance that a packet of a circuit with the highest rate causes a stall.
    per_packet: f64,
    /// Losses are drawn from this, the number of the packet and the moment at which it comes: asking
    /// what would happen to a packet changes nothing, and another moment is another chance.
    lost: u64,
    packets: u64,
    /// Those of the circuit's own that come whether anything is sent or not, and those of its guard.
    sources: [Events; 2],
    level: f64,
    level_at: f64,
    /// When the last stall set the first packets free.
    released_at: f64,
}

impl Stalls {
    /// `correlation` is the share of stall time that is shared behind a guard; `direction` sets the
    /// two directions of a circuit apart.
    pub(crate) fn new(params: &Params, seeds: Seeds, direction: u64, correlation: f64) -> Self {
        let highest = params.stall_rate[0].max(params.stall_rate[1]);
        let class = |class: usize| Class {
            rate: params.stall_rate[class] / highest,
            height: params.stall_height[class],
            spread: params.stall_spread[class],
        };
        let source = |seed: u64, label: u64, share: f64| {
            let interval = 60_000.0 / (highest * share * (1.0 - params.stall_load));
            Events::new(derive(derive(seed, label), direction), interval)
        };
        Self {
            badness: [BADNESS, QUEUE].map(|label| Quality::new(seeds, label, &params.persistence)),
            weights: [
                (1.0 - params.bad_queue.powi(2)).max(0.0).sqrt(),
                params.bad_queue,
            ],
            threshold: quantile(1.0 - params.bad),
            classes: [class(0), class(1)],
            decline: params.stall_decline,
            lump: params.stall_lump,
            per_packet: params.stall_load * highest / FITTED_RATE,
            lost: derive(derive(seeds.circuit, LOST), direction),
            packets: 0,
            sources: [
                source(seeds.circuit, OWN, 1.0 - correlation),
                source(seeds.guard, SHARED, correlation),
            ],
            level: 0.0,
            level_at: 0.0,
            released_at: 0.0,
        }
    }

    /// Of the stalls up to now; more may come.
    pub(crate) fn remaining(&self, at: f64) -> f64 {
        (self.level - self.decline * (at - self.level_at)).max(0.0)
    }

    fn take(&mut self, event: Event) {
        let [own, queue] = &mut self.badness;
        let badness = self.weights[0] * own.at(event.at) + self.weights[1] * queue.at(event.at);
        let bad = badness > self.threshold;
        let class = self.classes[usize::from(bad)];
        if event.mark >= class.rate {
            return;
        }
        let height = (class.height * (class.spread * event.rank).exp()).min(STALL_HEIGHT_MAX);
        let before = self.remaining(event.at);
        if height > before {
            self.level = height;
            self.level_at = event.at;
            self.released_at = event.at + height;
        }
    }

    /// Takes what has happened by `at`; nothing that comes later may ask for an earlier moment.
    pub(crate) fn advance(&mut self, at: f64) {
        loop {
            let [own, shared] = &self.sources;
            let first = usize::from(shared.next.at < own.next.at);
            if self.sources[first].next.at > at {
                return;
            }
            let event = self.sources[first].advance();
            self.take(event);
        }
    }

    /// A packet of ours that was sent at `sent` comes at `at`, and may be lost on the way.
    pub(crate) fn risk(&mut self, sent: f64, at: f64) {
        let drawn = self.drawn(sent);
        self.packets += 1;
        if unit(drawn) < self.per_packet {
            self.advance(at);
            let event = Event::after(at, &mut Random::new(drawn), 0.0);
            self.take(event);
        }
    }

    /// Decides whether the next packet is lost, if it is sent then.
    fn drawn(&self, sent: f64) -> u64 {
        derive(derive(self.lost, self.packets + 1), sent.to_bits())
    }

    /// Whether more stalls come by `at` than are taken already.
    pub(crate) fn come_by(&self, at: f64) -> bool {
        self.sources.iter().any(|source| source.next.at <= at)
    }

    /// Whether the next packet, sent at `sent`, meets stalls at `at` that are not taken already: others',
    /// or its own.
    pub(crate) fn changes(&self, sent: f64, at: f64) -> bool {
        self.come_by(at) || unit(self.drawn(sent)) < self.per_packet
    }

    /// Extra delay of a packet that comes at `at`, which is never earlier than before.
    pub(crate) fn extra(&mut self, at: f64) -> f64 {
        self.advance(at);
        let remaining = self.remaining(at);
        if remaining > 0.0 {
            let after = (at + remaining - self.released_at) / self.lump;
            self.released_at + after.ceil() * self.lump - at
        } else {
            0.0
        }
    }
}
