//! `oracle` and `bound`: what could be reached at this budget if the future were known.
//!
//! ```text
//!   now ─► up 1..n peeked ─► middle 1..n ─► down 1..m peeked at each ─► the earliest arrival
//!                                           after what is on its way there already
//! ```
//!
//! It is greedy: it looks for the first arrival of this packet, not at what that does to those that
//! follow, nor to one that is on its way and will come to the same down half later.
//!
//! `bound` does the same with packets that do not disturb each other. No strategy can reach it.

use tacit_types::{LegIndex, Path, Timestamp};

use super::{Contents, Copies, Note, Received, Strategy};
use crate::circuit::{Direction, from_ms, ms};
use crate::network::{Network, Side};
use crate::scenario::{Mode, Scenario};

/// A packet that is on an up half.
#[derive(Clone, Copy, Debug)]
struct Flying {
    /// When it comes to its exit's connection, and to the down half.
    exit: Timestamp,
    middle: Timestamp,
    up: LegIndex,
    down: LegIndex,
}

/// What becomes of a packet on a path.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Foreseen {
    arrives: Timestamp,
    up: Upwards,
    down: LegIndex,
}

/// What becomes of it on an up half.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Upwards {
    middle: Timestamp,
    leg: LegIndex,
    exit: Timestamp,
}

/// What packets do to each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Disturbance {
    /// What they really do: they wait for acknowledgements, are lost and keep their order.
    Real,
    /// Nothing.
    None,
}

/// Sends each packet on the path on which it arrives first, after everything that it sent before.
#[derive(Clone, Debug)]
pub(super) struct Oracle {
    disturbance: Disturbance,
    side: Side,
    mode: Mode,
    /// In the order in which they come to the down halves.
    flying: Vec<Flying>,
    /// The up halves, by what the packet that is looked at takes there at least, in ms, and the down halves
    /// by what it takes there after one of them.
    ups: Vec<(f64, LegIndex)>,
    downs: Vec<(f64, LegIndex)>,
}

impl Oracle {
    pub(super) fn new(disturbance: Disturbance, side: Side, scenario: &Scenario) -> Self {
        Self {
            disturbance,
            side,
            mode: scenario.mode,
            flying: Vec::new(),
            ups: Vec::new(),
            downs: Vec::new(),
        }
    }

    fn foresee(&mut self, network: &mut Network, now: Timestamp) -> Option<Foreseen> {
        self.flying.retain(|packet| packet.middle > now);
        network.settle(self.side, now);
        self.ups.clear();
        let ups = network.ahead(self.side, Direction::Up, now).sorted();
        self.ups.extend_from_slice(ups);
        let mut best: Option<Foreseen> = None;
        for place in 0..self.ups.len() {
            let (takes, leg) = self.ups[place];
            let limit = best.map(|best| self.limit(network, best, after(now, takes)));
            if limit == Some(None) {
                // All that follow take longer.
                break;
            }
            let up = self.up(network, (best, limit.flatten()), leg, now);
            let Some(up) = up.filter(|up| !self.is_late(network, best, up.middle)) else {
                continue;
            };
            best = match self.mode {
                Mode::Onion => self.one_down(network, best, up),
                Mode::Turn => self.any_down(network, best, up),
            };
        }
        best
    }

    /// About when a packet has to come to the down halves so as to be there before the best, if it comes
    /// to them at `middle` or later; `None` if it cannot be.
    fn limit(&self, network: &mut Network, best: Foreseen, middle: Timestamp) -> Option<Timestamp> {
        let downs = self.side.other();
        let there = network.earliest_of_all(downs, Direction::Down, middle);
        (there <= best.arrives).then(|| best.arrives - there.saturating_since(middle))
    }

    /// Whether no packet that comes to the down halves at `middle` or later is there before the best.
    fn is_late(&self, network: &mut Network, best: Option<Foreseen>, middle: Timestamp) -> bool {
        let downs = self.side.other();
        best.is_some_and(|best| {
            best.arrives < middle
                || best.arrives < network.earliest_of_all(downs, Direction::Down, middle)
        })
    }

    fn one_down(
        &self,
        network: &mut Network,
        best: Option<Foreseen>,
        up: Upwards,
    ) -> Option<Foreseen> {
        let downs = network.ahead(self.side.other(), Direction::Down, up.middle);
        let earliest = after(up.middle, downs.of(up.leg));
        if best.is_some_and(|best| best.arrives < earliest) {
            return best;
        }
        self.down(network, best, up, up.leg)
    }

    fn any_down(
        &mut self,
        network: &mut Network,
        mut best: Option<Foreseen>,
        up: Upwards,
    ) -> Option<Foreseen> {
        let downs = network.ahead(self.side.other(), Direction::Down, up.middle);
        self.downs.clear();
        self.downs.extend_from_slice(downs.sorted());
        for (takes, down) in self.downs.iter().copied() {
            if best.is_some_and(|best| best.arrives < after(up.middle, takes)) {
                break;
            }
            best = self.down(network, best, up, down);
        }
        best
    }

    /// When the packet comes to the down half, or a time at which it is too late to be there before the
    /// best. What went up before it has gone up already, but need not have come to its exit.
    fn up(
        &self,
        network: &mut Network,
        (best, limit): (Option<Foreseen>, Option<Timestamp>),
        leg: LegIndex,
        now: Timestamp,
    ) -> Option<Upwards> {
        let (side, direction) = (self.side, Direction::Up);
        let (exit, middle) = match self.disturbance {
            Disturbance::None => {
                let middle = network.lone(side, leg, direction, now)?;
                (middle, middle)
            }
            Disturbance::Real => {
                let peek = |network: &mut Network, limit| {
                    let none = core::iter::empty();
                    network.peek(side, leg, direction, none, now, limit)
                };
                let mut exit = peek(network, limit)?;
                let is_exact = limit.is_none_or(|limit| exit <= limit);
                if !is_exact && !self.is_late(network, best, exit) {
                    exit = peek(network, None)?;
                }
                let before = self.flying.iter().filter(|packet| packet.up == leg);
                let before = before.map(|packet| packet.exit).filter(|at| *at > now);
                (exit, network.peek_exit(side, leg, before, exit)?)
            }
        };
        Some(Upwards { middle, leg, exit })
    }

    /// The better of `best` and the path with this down half.
    fn down(
        &self,
        network: &mut Network,
        best: Option<Foreseen>,
        up: Upwards,
        down: LegIndex,
    ) -> Option<Foreseen> {
        let (side, direction, middle) = (self.side.other(), Direction::Down, up.middle);
        let Some(earliest) = network.earliest(side, down, direction, middle) else {
            return best;
        };
        if best.is_some_and(|best| best.arrives < earliest) {
            return best;
        }
        let limit = best.map(|best| best.arrives);
        let before = self.flying.iter();
        let before = before.filter(|packet| packet.down == down && packet.middle <= middle);
        let before = before.map(|packet| packet.middle);
        let arrives = match self.disturbance {
            Disturbance::None => network.lone(side, down, direction, middle),
            Disturbance::Real => network.peek(side, down, direction, before, middle, limit),
        };
        let this = arrives.map(|arrives| Foreseen { arrives, up, down });
        best.into_iter().chain(this).min()
    }

    fn take_off(&mut self, packet: Foreseen) {
        let Foreseen { up, down, .. } = packet;
        let Upwards { middle, leg, exit } = up;
        let place = self.flying.partition_point(|other| other.middle <= middle);
        let up = leg;
        let packet = Flying {
            exit,
            middle,
            up,
            down,
        };
        self.flying.insert(place, packet);
    }
}

fn after(at: Timestamp, takes: f64) -> Timestamp {
    from_ms(ms(at) + takes)
}

impl Strategy for Oracle {
    fn contents(&self) -> Contents {
        Contents::filled(1)
    }

    fn send(&mut self, _: u32, network: &mut Network, now: Timestamp) -> Copies {
        let Some(packet) = self.foresee(network, now) else {
            return Copies::default();
        };
        let path = Path {
            sender: packet.up.leg,
            receiver: packet.down,
        };
        match self.disturbance {
            Disturbance::None => Copies::foreseen(path, packet.arrives),
            Disturbance::Real => {
                self.take_off(packet);
                let mut copies = Copies::default();
                copies.push(path);
                copies
            }
        }
    }

    fn note(&mut self, _: Timestamp) -> Note {
        Note::Nothing
    }

    fn receive(&mut self, _: Received<'_>, _: Timestamp) {}

    fn leg_changed(&mut self, _: Side, _: u8, _: bool, _: Timestamp) {}
}

#[cfg(test)]
mod tests {
    use core::time::Duration;

    use super::*;
    use crate::scenario::Client;

    /// One side's packets through the network in the order of events, as a call does it.
    fn foreseen_and_real(mode: Mode, seed: u64) -> Vec<(Timestamp, Option<Timestamp>)> {
        let mut scenario = Scenario::new(mode);
        scenario.failures_per_hour = 0.0;
        let mut network = Network::new(&scenario, [Client::Tacit; 2], seed);
        let mut oracle = Oracle::new(Disturbance::Real, Side::A, &scenario);
        let mut exits: Vec<(Timestamp, usize, Foreseen)> = Vec::new();
        let mut flying: Vec<(Timestamp, usize, Foreseen)> = Vec::new();
        let mut packets = Vec::new();
        for packet in 0..3_000_usize {
            let now = Timestamp::ZERO + Duration::from_millis(20) * packet as u32;
            exits.sort_unstable();
            let there = exits.partition_point(|(exit, ..)| *exit <= now);
            for (exit, packet, best) in exits.drain(..there) {
                let middle = network.leave_exit(Side::A, best.up.leg, exit);
                assert_eq!(middle, Some(best.up.middle));
                flying.push((best.up.middle, packet, best));
            }
            flying.sort_unstable();
            let there = flying.partition_point(|(middle, ..)| *middle <= now);
            for (middle, packet, best) in flying.drain(..there) {
                let real: &mut (Timestamp, Option<Timestamp>) = &mut packets[packet];
                real.1 = network.send(Side::B, best.down, Direction::Down, middle);
            }
            let best = oracle.foresee(&mut network, now).expect("circuits are up");
            oracle.take_off(best);
            let exit = network.send(Side::A, best.up.leg, Direction::Up, now);
            assert_eq!(exit, Some(best.up.exit));
            exits.push((best.up.exit, packet, best));
            packets.push((best.arrives, None));
        }
        packets.retain(|(_, real)| real.is_some());
        packets
    }

    /// All paths, without leaving any out.
    fn best_of_all(oracle: &Oracle, network: &mut Network, now: Timestamp) -> Option<Foreseen> {
        let mut best = None;
        for up in (0..12).map(LegIndex) {
            let Some(up) = oracle.up(network, (None, None), up, now) else {
                continue;
            };
            for down in (0..12).map(LegIndex) {
                if oracle.mode == Mode::Turn || up.leg == down {
                    let this = oracle.down(network, None, up, down);
                    best = best.into_iter().chain(this).min();
                }
            }
        }
        best
    }

    #[test]
    fn no_path_that_it_leaves_out_is_earlier() {
        for (mode, client) in [
            (Mode::Turn, Client::Tacit),
            (Mode::Turn, Client::CTor),
            (Mode::Onion, Client::Tacit),
        ] {
            let mut scenario = Scenario::new(mode);
            scenario.guards = 2;
            let mut network = Network::new(&scenario, [client; 2], 9);
            let mut oracle = Oracle::new(Disturbance::Real, Side::A, &scenario);
            for packet in 0..2_000_u32 {
                let now = Timestamp::ZERO + Duration::from_millis(20) * packet;
                let best = oracle.foresee(&mut network, now).expect("circuits are up");
                assert_eq!(Some(best), best_of_all(&oracle, &mut network, now));
                oracle.take_off(best);
                network.send(Side::A, best.up.leg, Direction::Up, now);
            }
        }
    }

    #[test]
    fn what_it_foresees_comes_true() {
        for seed in 0..3 {
            for (foreseen, real) in foreseen_and_real(Mode::Onion, seed) {
                assert_eq!(Some(foreseen), real);
            }
        }
    }

    #[test]
    fn with_turn_few_packets_are_overtaken_on_their_way() {
        let packets = foreseen_and_real(Mode::Turn, 4);
        let wrong = packets
            .iter()
            .filter(|(foreseen, real)| Some(*foreseen) != *real);
        let (wrong, all) = (wrong.count(), packets.len());
        assert!(wrong * 10 < all, "{wrong} of {all}");
    }
}
