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
use crate::circuit::Direction;
use crate::network::{Network, Side};
use crate::scenario::{Mode, Scenario};

/// A packet that is on an up half.
#[derive(Clone, Copy, Debug)]
struct Flying {
    /// When it comes to the down half.
    middle: Timestamp,
    down: LegIndex,
}

/// What becomes of a packet on a path.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Foreseen {
    arrives: Timestamp,
    middle: Timestamp,
    up: LegIndex,
    down: LegIndex,
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
    legs: u8,
    /// In the order in which they come to the down halves.
    flying: Vec<Flying>,
    /// The up halves of the packet that is looked at, earliest first.
    ups: Vec<(Timestamp, LegIndex)>,
    /// The down halves, by when what comes off the first up half can be there.
    downs: Vec<(Timestamp, LegIndex)>,
}

impl Oracle {
    pub(super) fn new(disturbance: Disturbance, side: Side, scenario: &Scenario) -> Self {
        Self {
            disturbance,
            side,
            mode: scenario.mode,
            legs: u8::try_from(scenario.legs).unwrap_or(u8::MAX),
            flying: Vec::new(),
            ups: Vec::new(),
            downs: Vec::new(),
        }
    }

    fn foresee(&mut self, network: &mut Network, now: Timestamp) -> Option<Foreseen> {
        self.flying.retain(|packet| packet.middle > now);
        network.settle(self.side, now);
        self.ups.clear();
        for up in (0..self.legs).map(LegIndex) {
            let middle = self.up(network, up, now);
            self.ups.extend(middle.map(|middle| (middle, up)));
        }
        self.ups.sort_unstable();
        let first = self.ups.first()?.0;
        self.downs.clear();
        for down in (0..self.legs).map(LegIndex) {
            let earliest = self.earliest(network, first, down);
            self.downs.extend(earliest.map(|earliest| (earliest, down)));
        }
        self.downs.sort_unstable();
        let mut best: Option<Foreseen> = None;
        for (middle, up) in self.ups.iter().copied() {
            if best.is_some_and(|best| best.arrives < middle) {
                break;
            }
            best = match self.mode {
                Mode::Onion => self.down(network, best, (middle, up), up),
                Mode::Turn => self.any_down(network, best, (middle, up)),
            };
        }
        best
    }

    fn any_down(
        &self,
        network: &mut Network,
        mut best: Option<Foreseen>,
        up: (Timestamp, LegIndex),
    ) -> Option<Foreseen> {
        for (earliest, down) in self.downs.iter().copied() {
            // What comes to them later than the first is not there earlier.
            if best.is_some_and(|best| best.arrives < earliest) {
                break;
            }
            best = self.down(network, best, up, down);
        }
        best
    }

    fn earliest(&self, network: &Network, at: Timestamp, down: LegIndex) -> Option<Timestamp> {
        network.earliest(self.side.other(), down, Direction::Down, at)
    }

    /// When the packet comes to the down half. What went up before it has gone up already.
    fn up(&self, network: &mut Network, up: LegIndex, now: Timestamp) -> Option<Timestamp> {
        match self.disturbance {
            Disturbance::None => network.lone(self.side, up, Direction::Up, now),
            Disturbance::Real => {
                let none = core::iter::empty();
                network.peek(self.side, up, Direction::Up, none, now, None)
            }
        }
    }

    /// The better of `best` and the path with this down half.
    fn down(
        &self,
        network: &mut Network,
        best: Option<Foreseen>,
        (middle, up): (Timestamp, LegIndex),
        down: LegIndex,
    ) -> Option<Foreseen> {
        let (side, direction) = (self.side.other(), Direction::Down);
        let Some(earliest) = self.earliest(network, middle, down) else {
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
        let this = arrives.map(|arrives| Foreseen {
            arrives,
            middle,
            up,
            down,
        });
        best.into_iter().chain(this).min()
    }

    fn take_off(&mut self, packet: Foreseen) {
        let Foreseen { middle, down, .. } = packet;
        let place = self.flying.partition_point(|other| other.middle <= middle);
        self.flying.insert(place, Flying { middle, down });
    }
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
            sender: packet.up,
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
        let mut flying: Vec<(Timestamp, usize, LegIndex)> = Vec::new();
        let mut packets = Vec::new();
        for packet in 0..3_000_usize {
            let now = Timestamp::ZERO + Duration::from_millis(20) * packet as u32;
            flying.sort_unstable();
            let there = flying.partition_point(|(middle, ..)| *middle <= now);
            for (middle, packet, down) in flying.drain(..there) {
                let real: &mut (Timestamp, Option<Timestamp>) = &mut packets[packet];
                real.1 = network.send(Side::B, down, Direction::Down, middle);
            }
            let best = oracle.foresee(&mut network, now).expect("circuits are up");
            oracle.take_off(best);
            let middle = network.send(Side::A, best.up, Direction::Up, now);
            assert_eq!(middle, Some(best.middle));
            flying.push((best.middle, packet, best.down));
            packets.push((best.arrives, None));
        }
        packets.retain(|(_, real)| real.is_some());
        packets
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
