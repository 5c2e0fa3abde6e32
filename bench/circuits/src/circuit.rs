//! One direction of one circuit.

use core::time::Duration;

use tacit_types::Timestamp;

use crate::nagle::{Hop, PACKETS_IN_SEGMENT};
use crate::noise::{Moment, Noise, whole_below};
use crate::params::Params;
use crate::place::Place;
use crate::quality::{Quality, Seeds, lasting, of_guard};
use crate::random::{derive, exp_or_less, unit};
use crate::stalls::Stalls;

/// KIST's scheduling interval, `KISTSchedRunInterval` of tor's param-spec.
const KIST: f64 = 10.0;

/// Time between packets that stands for "none before", ms: nothing waits for what follows so late.
pub(crate) const FIRST_SPACING: f64 = 1_000.0;
/// Weight of the last spacing in the running mean.
pub(crate) const SPACING_GAIN: f64 = 0.25;

/// Moments that are remembered.
const KNOWN: usize = 4;

const FLOOR: u64 = 1;
const CLIENT: u64 = 2;
const SERVER: u64 = 3;
pub(crate) const QUEUE: u64 = 4;
const QUEUE_SLOW: u64 = 5;
const QUEUE_FAST: u64 = 48;
const RELAYS: u64 = 16;
const NAGLE: u64 = 32;

/// Which way packets go.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Direction {
    /// From the client to the far end of the circuit.
    Up,
    /// From the far end to the client.
    Down,
}

/// What is true of a circuit before anything is sent on it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Setting {
    /// Where the client is, and where the far end: a server, or for half an onion circuit the
    /// rendezvous.
    pub ends: [Place; 2],
    /// Stretches the floor: onion circuits have longer halves.
    pub floor_factor: f64,
    /// Whether Nagle's algorithm is on, as in tor's sockets, on the first and on the last hop, for this
    /// circuit by itself, as the fit has it. In between, connections are busy with other traffic, and
    /// nothing waits for it. In a call both hops are a [`Connection`](crate::Connection), which both
    /// directions and, at the guard, all circuits share.
    pub nagle: [bool; 2],
    /// Packets that fill a segment on each of these two hops.
    pub in_segment: [f64; 2],
    /// Share of stall time that is shared by all circuits behind the guard.
    pub correlation: f64,
}

impl Setting {
    /// A circuit between two places, with Nagle, without correlation.
    #[must_use]
    pub const fn between(client: Place, server: Place) -> Self {
        Self {
            ends: [client, server],
            floor_factor: 1.0,
            nagle: [true; 2],
            in_segment: [PACKETS_IN_SEGMENT; 2],
            correlation: 0.0,
        }
    }
}

/// A relay that runs KIST every 10 ms, or at once where it is idle.
#[derive(Clone, Copy, Debug)]
struct Relay {
    /// Phase of its runs; `None` if it is idle.
    phase: Option<f64>,
}

impl Relay {
    fn new(seed: u64, active: f64) -> Self {
        let busy = unit(derive(seed, 0)) < active;
        Self {
            phase: busy.then(|| unit(derive(seed, 1)) * KIST),
        }
    }

    fn pass(self, at: f64) -> f64 {
        let Some(phase) = self.phase else { return at };
        // The next whole number of runs.
        -whole_below((phase - at) / KIST) as f64 * KIST + phase
    }
}

/// One direction of one circuit: packets go in, and it says at once when each comes out.
///
/// ```
/// use tacit_circuits::{Circuit, Direction, MODEL, Place, Seeds, Setting};
/// use tacit_types::Timestamp;
///
/// let seeds = Seeds { guard: 1, circuit: 2 };
/// let mut circuit = Circuit::new(&MODEL, seeds, Direction::Up, &Setting::between(Place::De, Place::De));
/// let first = circuit.send(Timestamp::from_micros(0));
/// let second = circuit.send(Timestamp::from_micros(20_000));
/// assert!(second >= first, "streams keep their order");
/// ```
#[derive(Clone, Debug)]
pub struct Circuit {
    floor: f64,
    relays: [Relay; 3],
    queue_scale: f64,
    queue_spread: [f64; 3],
    queue: Quality,
    /// Over seconds, of the whole circuit, and over fractions of a second, of each relay.
    slow: Noise,
    fast: [Noise; 3],
    /// Of the fast ones.
    queue_period: f64,
    /// From when until when the level of the queues is nowhere below what.
    least_level: (f64, f64, f64),
    /// Queueing at the moments that were looked at last: what is foreseen comes to pass, and is in the way
    /// of what is foreseen next.
    known: [(f64, f64); KNOWN],
    next_known: usize,
    stalls: Stalls,
    hops: [Hop; 2],
    /// Mean time between the last packets.
    spacing: f64,
    sent_at: f64,
    /// When the last packet left the queues, and when it arrived.
    queued_until: f64,
    arrived_at: f64,
}

impl Circuit {
    /// Drawn from `seeds`; the two directions of a circuit have the same floor and quality, and
    /// queues and stalls of their own.
    #[must_use]
    pub fn new(params: &Params, seeds: Seeds, direction: Direction, setting: &Setting) -> Self {
        let way = direction as u64;
        let floor = floor(params, seeds, setting);
        let own = |label: u64| derive(derive(seeds.circuit, label), way);
        let ack = params.ack_delay + params.ack_distance * floor;
        let hop = |hop: u64| {
            let seed = derive(seeds.circuit, NAGLE + hop);
            let spread = (params.ack_spread * crate::random::gauss(seed)).exp();
            let hop_index = usize::from(hop == 1);
            let ack = if setting.nagle[hop_index] {
                ack * spread
            } else {
                0.0
            };
            let in_segment = setting.in_segment[hop_index];
            Hop::new(own(NAGLE + hop), ack, params.ack_jitter, in_segment)
        };
        let relay = |relay: u64| Relay::new(own(RELAYS + relay), params.kist_active);
        Self {
            floor,
            relays: [relay(0), relay(1), relay(2)],
            queue_scale: params.queue,
            queue_spread: params.queue_spread,
            queue: Quality::new(seeds, QUEUE, &params.persistence),
            slow: Noise::new(own(QUEUE_SLOW), params.queue_periods[0]),
            fast: [0, 1, 2]
                .map(|relay| Noise::new(own(QUEUE_FAST + relay), params.queue_periods[1])),
            queue_period: params.queue_periods[1],
            least_level: (f64::INFINITY, f64::NEG_INFINITY, 0.0),
            known: [(f64::NAN, 0.0); KNOWN],
            next_known: 0,
            stalls: Stalls::new(params, seeds, way, setting.correlation),
            hops: [hop(0), hop(1)],
            spacing: FIRST_SPACING,
            sent_at: f64::NEG_INFINITY,
            queued_until: f64::NEG_INFINITY,
            arrived_at: f64::NEG_INFINITY,
        }
    }

    /// Sends a packet at `at` and tells when it arrives. Moments earlier than the last packet's
    /// count as that.
    pub fn send(&mut self, at: Timestamp) -> Timestamp {
        from_ms(self.pass(ms(at)))
    }

    /// When a packet would arrive that is sent at `at`, which changes nothing: [`send`](Self::send)
    /// with the same moment says the same.
    #[must_use]
    pub fn peek(&self, at: Timestamp) -> Timestamp {
        // A circuit is about a kilobyte and holds no memory elsewhere.
        self.clone().send(at)
    }

    /// The smallest delay that is possible.
    #[must_use]
    pub fn floor(&self) -> Duration {
        Duration::from_secs_f64(self.floor / 1e3)
    }

    pub(crate) fn pass(&mut self, at: f64) -> f64 {
        let at = at.max(self.sent_at);
        self.spacing = self.spacing_with(at);
        self.sent_at = at;
        let in_guard = self.hops[0].pass(at, self.spacing);
        self.stalls.risk(at, in_guard);
        self.settle_noise(in_guard);
        self.queued_until = self.relayed(in_guard, f64::INFINITY);
        let out = self.hops[1].pass(self.queued_until, self.spacing);
        self.arrived_at = self.arrived_at.max(out + self.floor);
        self.arrived_at
    }

    /// What [`pass`](Self::pass) would say; changes nothing but what is remembered of the noise. What is
    /// later than `limit` need not be exact, but is later than that.
    pub(crate) fn foresee(&mut self, at: f64, limit: f64) -> f64 {
        let at = at.max(self.sent_at);
        let spacing = self.spacing_with(at);
        let in_guard = self.hops[0].foresee(at, spacing);
        if self.stalls.changes(at, in_guard) {
            return self.clone().pass(at);
        }
        // More than any rounding.
        let most = limit - in_guard - self.floor + 0.01;
        let relayed = self.relayed(in_guard, most);
        let out = self.hops[1].foresee(relayed, spacing);
        self.arrived_at.max(out + self.floor)
    }

    /// The same if no other packet of ours were in the way and this one were not lost, so at most that; `None`
    /// if other stalls come first.
    pub(crate) fn foresee_alone(&mut self, at: f64, limit: f64) -> Option<f64> {
        if self.stalls.come_by(at) {
            return None;
        }
        let relayed = self.relayed(at, limit - at - self.floor + 0.01);
        Some(self.arrived_at.max(relayed + self.floor))
    }

    /// When a packet would arrive that no other packet of ours is in the way of: nothing waits for an
    /// acknowledgement, and none of ours is lost. Not to be mixed with [`pass`](Self::pass).
    pub(crate) fn lone(&mut self, at: f64) -> f64 {
        let relayed = if self.stalls.come_by(at) {
            self.clone().relayed(at, f64::INFINITY)
        } else {
            self.relayed(at, f64::INFINITY)
        };
        self.arrived_at.max(relayed + self.floor)
    }

    /// Mean time between the last packets, if one is sent at `at`.
    fn spacing_with(&self, at: f64) -> f64 {
        if self.sent_at.is_finite() {
            self.spacing + SPACING_GAIN * (at - self.sent_at - self.spacing)
        } else {
            self.spacing
        }
    }

    /// Nothing that is sent at `at` or later arrives before this.
    pub(crate) fn earliest(&self, at: f64) -> f64 {
        self.arrived_at
            .max(at + self.stalls.remaining(at) + self.floor)
    }

    /// What a packet takes on average that is sent at `at`, by how long its queues are over seconds and
    /// minutes, without what changes from packet to packet; with `stalls`, by those that have begun, too.
    /// Of the moment that was [settled](Self::settle) for.
    pub(crate) fn level(&mut self, at: f64, stalls: bool) -> f64 {
        let [circuit, slow, fast] = self.queue_spread;
        let level = circuit * self.queue.at(at) + slow * self.slow.at(at);
        let queueing = self.queue_scale * (level + fast * fast / 2.0).exp();
        let busy = self.relays.iter().filter(|relay| relay.phase.is_some());
        let runs = KIST / 2.0 * busy.count() as f64;
        let stalled = if stalls {
            self.stalls.remaining(at)
        } else {
            0.0
        };
        self.floor + queueing + runs + stalled
    }

    /// What a packet takes at least that comes between this knot of the fast noises and the next, if
    /// nothing is held on the first hop.
    pub(crate) fn least(&mut self, knot: i64) -> f64 {
        let from = self.queue_period * knot as f64;
        let to = from + self.queue_period;
        let level = self.level_or_less(from, to);
        let fast = self.queue_spread[2];
        let relays = self.fast.iter_mut();
        let sum: f64 = relays
            .map(|noise| exp_or_less(level + fast * noise.least_after(knot)))
            .sum();
        self.floor + self.queue_scale / 3.0 * sum
    }

    /// What of the queues changes slowly is nowhere below this from one moment to the other.
    fn level_or_less(&mut self, from: f64, to: f64) -> f64 {
        let (since, until, level) = self.least_level;
        if since <= from && to <= until {
            return level;
        }
        let until = to + 8.0 * self.queue_period;
        let [circuit, slow, _] = self.queue_spread;
        let queue = self.queue.least(from, until);
        // Less by more than any rounding.
        let level = circuit * queue + slow * self.slow.least(from, until) - 1e-9;
        self.least_level = (from, until, level);
        level
    }

    /// Takes what has happened by `at`, so that peeks from then on need not: nothing may be sent
    /// earlier any more. Does not change what comes out.
    pub(crate) fn settle(&mut self, at: f64) {
        self.stalls.advance(at);
        self.settle_noise(at);
    }

    fn settle_noise(&mut self, at: f64) {
        self.queue.settle(at);
        for noise in self.fast.iter_mut().chain([&mut self.slow]) {
            noise.settle(at);
        }
    }

    /// When a packet leaves the relays that comes at `at`, after those before it; exact, if it queues no
    /// longer than `most`.
    fn relayed(&mut self, at: f64, most: f64) -> f64 {
        let queued = at + self.queueing(at, most) + self.stalls.extra(at);
        let [guard, middle, exit] = self.relays;
        let relayed = exit.pass(middle.pass(guard.pass(queued)));
        self.queued_until.max(relayed)
    }

    /// Once it is above `most`, more is not looked at.
    fn queueing(&mut self, at: f64, most: f64) -> f64 {
        if let Some((_, known)) = self.known.iter().find(|(moment, _)| *moment == at) {
            return *known;
        }
        let [circuit, slow, fast] = self.queue_spread;
        let moment = Moment::new(at, self.queue_period);
        let mut relays = [0.0; 3];
        for (relay, noise) in relays.iter_mut().zip(&mut self.fast) {
            *relay = fast * noise.between(moment);
        }
        let share = self.queue_scale / 3.0;
        if most < f64::INFINITY {
            let level = self.level_or_less(at, at);
            let sum: f64 = relays.iter().map(|relay| exp_or_less(level + relay)).sum();
            if share * sum > most {
                return share * sum;
            }
        }
        let level = circuit * self.queue.at(at) + slow * self.slow.at(at);
        let sum = relays
            .iter()
            .fold(0.0, |sum, relay| sum + (level + relay).exp());
        self.known[self.next_known] = (at, share * sum);
        self.next_known = (self.next_known + 1) % KNOWN;
        share * sum
    }
}

fn floor(params: &Params, seeds: Seeds, setting: &Setting) -> f64 {
    let share = params.persistence.guard;
    let floor = floor_between(params, setting.ends, |label| lasting(seeds, label, share));
    floor * setting.floor_factor
}

/// The floor of circuits behind a guard as far as it is the guard's: that of a median one.
pub(crate) fn guard_floor(params: &Params, guard: u64, client: Place) -> f64 {
    let share = params.persistence.guard;
    floor_between(params, [client, Place::De], |label| {
        of_guard(guard, label, share)
    })
}

/// `number` is the standard normal number behind each of the three parts.
fn floor_between(
    params: &Params,
    [client, server]: [Place; 2],
    number: impl Fn(u64) -> f64,
) -> f64 {
    let spread = |label: u64, sigma: f64| (sigma * number(label)).exp();
    let access = |label: u64, place: Place| {
        params.access[place.index()] * spread(label, params.access_spread)
    };
    let relays = params.floor * spread(FLOOR, params.floor_spread);
    relays + access(CLIENT, client) + access(SERVER, server)
}

#[expect(clippy::cast_precision_loss, reason = "microseconds of at most days")]
pub(crate) fn ms(at: Timestamp) -> f64 {
    at.as_micros() as f64 / 1e3
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "never negative, saturates"
)]
pub(crate) fn from_ms(at: f64) -> Timestamp {
    Timestamp::from_micros((at * 1e3) as u64)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::params::MODEL;

    #[test]
    fn settling_and_foreseeing_change_nothing_that_comes_out() {
        for circuit in 0..50 {
            let seeds = Seeds { guard: 1, circuit };
            let mut setting = Setting::between(Place::De, Place::De);
            let held = circuit % 2 == 1;
            setting.nagle = [held; 2];
            let mut settled = Circuit::new(&MODEL, seeds, Direction::Down, &setting);
            let mut untouched = settled.clone();
            for step in 0..5_000 {
                let now = f64::from(step) * 7.0;
                settled.settle(now);
                let later = now + f64::from(step % 7) * 60.0;
                let arrives = settled.clone().pass(later);
                assert!(settled.earliest(later) <= arrives);
                if !held {
                    let least = settled.least(whole_below(later / settled.queue_period));
                    assert!(later + least <= arrives);
                }
                let foreseen = settled.foresee(later, f64::INFINITY);
                assert_eq!(foreseen.to_bits(), arrives.to_bits());
                let limit = later + 40.0;
                let foreseen = settled.foresee(later, limit);
                assert!(foreseen.to_bits() == arrives.to_bits() || foreseen.min(arrives) > limit);
                if step % 9 == 0 {
                    let arrives = untouched.pass(now);
                    assert_eq!(settled.pass(now).to_bits(), arrives.to_bits());
                }
            }
        }
    }

    /// What the level leaves out is new with each packet, and is nothing on average.
    #[test]
    fn a_level_is_what_packets_take_on_average() {
        let (mut off, mut size, mut of) = (0.0, 0.0, 0.0);
        for circuit in 0..100 {
            let seeds = Seeds { guard: 1, circuit };
            let mut setting = Setting::between(Place::De, Place::De);
            setting.nagle = [false; 2];
            let mut circuit = Circuit::new(&MODEL, seeds, Direction::Up, &setting);
            for second in 0..50 {
                let now = f64::from(second) * 1_000.0;
                circuit.settle(now);
                let level = circuit.level(now, true);
                assert!(level >= circuit.level(now, false));
                // What still stalls is another matter.
                let off_by = circuit.pass(now) - now - level;
                if circuit.stalls.remaining(now) == 0.0 {
                    (off, size, of) = (off + off_by, size + off_by.abs(), of + 1.0);
                }
            }
        }
        assert!(off.abs() < 0.1 * size, "{} of {}", off / of, size / of);
    }
}
