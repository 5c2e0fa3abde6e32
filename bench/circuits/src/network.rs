//! The circuits of one call: both people's, each with its two directions, the connections to their
//! guards, which are shared, and those of exits to the TURN server, one for each circuit.
//!
//! ```text
//!           shared        up ──►            down ──►        shared
//!   A ── connection ── circuit i ──┬ TURN ┬── circuit j ── connection ── B     any i to any j
//!   A ── connection ── circuit i ──┴  RP  ┴── circuit i ── connection ── B     onion: the halves of
//!                                                                             link i
//! ```

use core::time::Duration;

use tacit_types::{LegIndex, Timestamp};

use crate::ahead::{Ahead, Interval};
use crate::build::build_time;
use crate::circuit::{Circuit, Direction, Setting, from_ms, ms};
use crate::connection::Connection;
use crate::line::Line;
use crate::noise::whole_below;
use crate::quality::Seeds;
use crate::random::{Random, derive};
use crate::scenario::{Client, Mode, Scenario};

const HOUR: f64 = 3_600_000.0;
const EXIT: u64 = 0xe817;

/// One of the two people.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Side {
    /// Who calls.
    A,
    /// Who is called.
    B,
}

impl Side {
    /// Both.
    pub const BOTH: [Self; 2] = [Self::A, Self::B];

    /// The other one.
    #[must_use]
    pub const fn other(self) -> Self {
        match self {
            Self::A => Self::B,
            Self::B => Self::A,
        }
    }
}

/// A circuit, and those that replace it when it fails.
#[derive(Clone, Debug)]
struct Leg {
    /// By direction.
    lines: [Line; 2],
    /// Between its exit and the TURN server, if anything waits there. None with recorded circuits.
    exit: Option<Connection>,
    random: Random,
    generation: u64,
    /// How often it was replaced by the call's own wish: what was on its way then is lost.
    replaced: u32,
    fails_at: f64,
    /// When another takes its place, if one is being built.
    leaves_at: f64,
    back_at: f64,
}

impl Leg {
    /// What became of a packet of this circuit that would arrive at `arrives`: `None` if it is lost
    /// with it.
    fn unless_failed(&self, arrives: f64) -> Option<Timestamp> {
        (arrives < self.fails_at.min(self.leaves_at)).then(|| from_ms(arrives))
    }
}

/// All circuits of a call.
#[derive(Clone, Debug)]
pub struct Network {
    scenario: Scenario,
    seed: u64,
    legs: [Vec<Leg>; 2],
    /// By guard. None with recorded circuits, whose delays have what was held at any hop.
    connections: [Vec<Connection>; 2],
    /// By side and direction.
    ahead: [[Ahead; 2]; 2],
}

impl Network {
    /// The circuits that this seed stands for, all of them up, and the connections of these clients.
    #[must_use]
    pub fn new(scenario: &Scenario, clients: [Client; 2], seed: u64) -> Self {
        let leg = |side: Side, index: usize| {
            let own = derive(derive(seed, side as u64), index as u64);
            let mut random = Random::new(own);
            let (lines, exit) = circuit(scenario, seed, side, index, 0);
            let fails_at = random.exponential(HOUR / scenario.failures_per_hour);
            Leg {
                lines,
                exit,
                random,
                generation: 0,
                replaced: 0,
                fails_at,
                leaves_at: f64::INFINITY,
                back_at: 0.0,
            }
        };
        let legs = |side| (0..scenario.legs).map(|index| leg(side, index)).collect();
        let connection = |side: Side, index: usize| {
            let ends = scenario.ends(clients[side as usize]);
            let place = scenario.places[side as usize];
            let guard = guard(scenario, seed, side, index);
            Connection::new(&scenario.params, guard, place, ends)
        };
        let recorded = scenario.traces.is_some();
        let guards = if recorded { 0 } else { scenario.guards.max(1) };
        let connections = |side| (0..guards).map(|index| connection(side, index)).collect();
        Self {
            scenario: scenario.clone(),
            seed,
            legs: [legs(Side::A), legs(Side::B)],
            connections: [connections(Side::A), connections(Side::B)],
            ahead: [const { [Ahead::NOTHING; 2] }; 2],
        }
    }

    /// How a call's paths are made.
    #[must_use]
    pub const fn mode(&self) -> Mode {
        self.scenario.mode
    }

    /// Circuits a side.
    #[must_use]
    pub const fn legs(&self) -> usize {
        self.scenario.legs
    }

    /// When the circuit fails, from the start of the call; [`Duration::MAX`] for never.
    pub(crate) fn fails_at(&self, side: Side, leg: usize) -> Timestamp {
        from_ms(self.legs[side as usize][leg].fails_at)
    }

    /// The circuit has failed; another is up in its place at `back_at`.
    pub(crate) fn rebuild(&mut self, side: Side, index: usize, back_at: Timestamp) {
        let leg = &mut self.legs[side as usize][index];
        leg.back_at = ms(back_at);
        self.renew(side, index, back_at);
    }

    /// From `up_at` on there will be another circuit in its place; `None`: there will not.
    pub(crate) fn leaves(&mut self, side: Side, index: usize, up_at: Option<Timestamp>) {
        self.legs[side as usize][index].leaves_at = up_at.map_or(f64::INFINITY, ms);
    }

    /// How long it takes to build another circuit in the place of this one.
    pub(crate) fn build_time(&mut self, side: Side, index: usize) -> Duration {
        let leg = &mut self.legs[side as usize][index];
        build_time(&mut leg.random).mul_f64(self.scenario.mode.build_factor())
    }

    /// A circuit behind the same guard takes this one's place.
    pub(crate) fn replace(&mut self, side: Side, index: usize, now: Timestamp) {
        let leg = &mut self.legs[side as usize][index];
        leg.replaced += 1;
        leg.leaves_at = f64::INFINITY;
        self.renew(side, index, now);
    }

    /// The next circuit of a leg, up at `up_at`.
    fn renew(&mut self, side: Side, index: usize, up_at: Timestamp) {
        let per_hour = self.scenario.failures_per_hour;
        let leg = &mut self.legs[side as usize][index];
        leg.generation += 1;
        leg.fails_at = ms(up_at) + leg.random.exponential(HOUR / per_hour);
        self.ahead[side as usize].iter_mut().for_each(Ahead::forget);
        (leg.lines, leg.exit) = circuit(&self.scenario, self.seed, side, index, leg.generation);
    }

    fn leg(&self, side: Side, leg: LegIndex) -> Option<&Leg> {
        self.legs[side as usize].get(usize::from(leg.0))
    }

    /// The same, if it is up at `at`.
    fn leg_up(&mut self, side: Side, leg: LegIndex, at: f64) -> Option<&mut Leg> {
        let leg = self.legs[side as usize].get_mut(usize::from(leg.0));
        leg.filter(|leg| at >= leg.back_at)
    }

    /// Which of a leg's circuits, which follow each other, it has.
    pub(crate) fn generation(&self, side: Side, leg: LegIndex) -> u64 {
        self.leg(side, leg).map_or(0, |leg| leg.generation)
    }

    /// How often a leg was replaced.
    pub(crate) fn replaced(&self, side: Side, leg: LegIndex) -> u32 {
        self.leg(side, leg).map_or(0, |leg| leg.replaced)
    }

    /// The connection that this leg shares with others.
    fn connection(&mut self, side: Side, leg: LegIndex) -> Option<&mut Connection> {
        let connections = &mut self.connections[side as usize];
        let guard = usize::from(leg.0).checked_rem(connections.len())?;
        connections.get_mut(guard)
    }

    /// Sends on one half; `None` if the packet is lost with its circuit. What goes up has yet to
    /// [leave its exit](Self::leave_exit), what goes down [its guard](Self::leave_guard): returned is when
    /// it would be at the other half, or at the client, if nothing held it there.
    pub(crate) fn send(
        &mut self,
        side: Side,
        leg: LegIndex,
        direction: Direction,
        at: Timestamp,
    ) -> Option<Timestamp> {
        let mut at = ms(at);
        self.leg_up(side, leg, at)?;
        if direction == Direction::Up
            && let Some(connection) = self.connection(side, leg)
        {
            at = connection.pass_ms(direction, at);
        }
        let leg = self.legs[side as usize].get_mut(usize::from(leg.0))?;
        if direction == Direction::Down
            && let Some(exit) = &mut leg.exit
        {
            // The server holds nothing. What it sends takes acknowledgements along.
            at = exit.pass_ms(Direction::Up, at);
        }
        let arrives = leg.lines[direction as usize].pass(at);
        leg.unless_failed(arrives)
    }

    /// A packet that would be at the TURN server at `at` if its exit held nothing is there then; `None`
    /// if it is lost with its circuit. To be asked in order of time.
    pub(crate) fn leave_exit(
        &mut self,
        side: Side,
        leg: LegIndex,
        at: Timestamp,
    ) -> Option<Timestamp> {
        let leg = self.leg_up(side, leg, ms(at))?;
        let Some(exit) = &mut leg.exit else {
            return Some(at);
        };
        let leaves = exit.pass_ms(Direction::Down, ms(at));
        leg.unless_failed(leaves)
    }

    /// What [`leave_exit`](Self::leave_exit) will say of a packet that comes there at `at`, if these of
    /// its leg's come `before` it and the server's as they came last.
    pub(crate) fn peek_exit(
        &self,
        side: Side,
        leg: LegIndex,
        before: impl Iterator<Item = Timestamp>,
        at: Timestamp,
    ) -> Option<Timestamp> {
        let leg = self.leg(side, leg)?;
        let Some(exit) = &leg.exit else {
            return Some(at);
        };
        leg.unless_failed(exit.peek_ms(Direction::Down, before.map(ms), ms(at)))
    }

    /// A packet that would be at the client at `at` if its guard held nothing is there then; `None` if
    /// it is lost with its circuit. To be asked in order of time.
    pub(crate) fn leave_guard(
        &mut self,
        side: Side,
        leg: LegIndex,
        at: Timestamp,
    ) -> Option<Timestamp> {
        let mut at = ms(at);
        self.leg_up(side, leg, at)?;
        if let Some(connection) = self.connection(side, leg) {
            at = connection.pass_ms(Direction::Down, at);
        }
        self.leg(side, leg)?.unless_failed(at)
    }

    /// Nothing of `from` is sent earlier than `at` any more: makes [`peek`](Self::peek) fast.
    pub(crate) fn settle(&mut self, from: Side, at: Timestamp) {
        let halves = [(from, Direction::Up), (from.other(), Direction::Down)];
        for (side, direction) in halves {
            for leg in &mut self.legs[side as usize] {
                leg.lines[direction as usize].settle(ms(at));
            }
        }
    }

    /// What [`send`](Self::send) would say of a packet at `at`, if others come `before` it to the half, in
    /// order. What is later than `limit` need not be exact, but is later than that.
    pub(crate) fn peek(
        &mut self,
        side: Side,
        leg: LegIndex,
        direction: Direction,
        before: impl Iterator<Item = Timestamp>,
        at: Timestamp,
        limit: Option<Timestamp>,
    ) -> Option<Timestamp> {
        let sent = ms(at);
        let at = match direction {
            Direction::Up => self.connection(side, leg).map_or(sent, |connection| {
                connection.peek_ms(direction, core::iter::empty(), sent)
            }),
            Direction::Down => sent,
        };
        let leg = self.leg_up(side, leg, sent)?;
        let back_at = leg.back_at;
        let before = before.map(ms).filter(|at| *at >= back_at);
        let limit = limit.map_or(f64::INFINITY, ms);
        let arrives = leg.lines[direction as usize].foresee(before, at, limit);
        leg.unless_failed(arrives)
    }

    /// What [`send`](Self::send) would say of a packet that none of ours is in the way of. Not to be
    /// mixed with it.
    pub(crate) fn lone(
        &mut self,
        side: Side,
        leg: LegIndex,
        direction: Direction,
        at: Timestamp,
    ) -> Option<Timestamp> {
        let at = ms(at);
        let leg = self.leg_up(side, leg, at)?;
        let arrives = leg.lines[direction as usize].lone(at);
        leg.unless_failed(arrives)
    }

    /// What all halves of one kind take at least for a packet that comes to them at `at`.
    pub(crate) fn ahead(&mut self, side: Side, direction: Direction, at: Timestamp) -> &Interval {
        let knot = self.knot(at);
        self.interval(side, direction, knot)
    }

    fn knot(&self, at: Timestamp) -> i64 {
        whole_below(ms(at) / self.scenario.params.queue_periods[1])
    }

    fn interval(&mut self, side: Side, direction: Direction, knot: i64) -> &Interval {
        let connections = &self.connections[side as usize];
        let held = direction == Direction::Up && connections.iter().any(Connection::holds_up);
        let legs = &mut self.legs[side as usize];
        self.ahead[side as usize][direction as usize].interval(knot, || {
            legs.iter_mut().map(move |leg| {
                let line = &mut leg.lines[direction as usize];
                // What waits before may get into a later interval.
                if held { 0.0 } else { line.least(knot) }
            })
        })
    }

    /// What comes to the halves of one kind at `at` or later does not arrive before that.
    pub(crate) fn earliest_of_all(
        &mut self,
        side: Side,
        direction: Direction,
        at: Timestamp,
    ) -> Timestamp {
        let (at, mut knot) = (ms(at), self.knot(at));
        let mut earliest = f64::INFINITY;
        loop {
            let begins = at.max(self.scenario.params.queue_periods[1] * knot as f64);
            if begins >= earliest {
                return from_ms(earliest);
            }
            let Some(shortest) = self.interval(side, direction, knot).shortest() else {
                return Timestamp::from_micros(u64::MAX);
            };
            earliest = earliest.min(begins + shortest);
            knot += 1;
        }
    }

    /// What is sent on this half at `at` does not arrive before that, whatever else is sent.
    pub(crate) fn earliest(
        &self,
        side: Side,
        leg: LegIndex,
        direction: Direction,
        at: Timestamp,
    ) -> Option<Timestamp> {
        let leg = self.leg(side, leg)?;
        Some(from_ms(leg.lines[direction as usize].earliest(ms(at))))
    }

    /// What a packet takes on this half at `at`, for which the circuits were [settled](Self::settle), as far
    /// as that lasts; and if `stalls`, what its stalls hold up now. `None` while there is no circuit.
    pub(crate) fn level(
        &mut self,
        side: Side,
        leg: LegIndex,
        direction: Direction,
        at: Timestamp,
        stalls: bool,
    ) -> Option<Duration> {
        let at = ms(at);
        let leg = self.leg_up(side, leg, at)?;
        let level = leg.lines[direction as usize].level(at, stalls);
        Some(Duration::from_secs_f64(level.max(0.0) / 1e3))
    }
}

/// The seed of a leg's guard. Legs take guards by turns.
fn guard(scenario: &Scenario, seed: u64, side: Side, index: usize) -> u64 {
    let guard = 0x9a4d + (index % scenario.guards.max(1)) as u64;
    derive(person(seed, side), guard)
}

fn person(seed: u64, side: Side) -> u64 {
    derive(seed, 0xa0 + side as u64)
}

/// Both directions of one circuit, and the connection of its exit.
fn circuit(
    scenario: &Scenario,
    seed: u64,
    side: Side,
    index: usize,
    generation: u64,
) -> ([Line; 2], Option<Connection>) {
    let guard = guard(scenario, seed, side, index);
    let circuit = derive(derive(person(seed, side), index as u64), generation);
    let seeds = Seeds { guard, circuit };
    let setting = setting(scenario, side);
    let of = |direction| Circuit::new(&scenario.params, seeds, direction, &setting);
    let modelled = [Direction::Up, Direction::Down].map(of);
    let floor = Duration::as_secs_f64(&modelled[0].floor()) * 1e3;
    let Some((traces, part)) = &scenario.traces else {
        let seed = derive(circuit, EXIT);
        let exit = |ends| Connection::over(&scenario.params, seed, floor, ends);
        return (modelled.map(Line::Model), scenario.exit().map(exit));
    };
    let replay = |direction: Direction| {
        let drawn = derive(circuit, direction as u64);
        Line::Replay(traces.draw(*part, drawn), floor)
    };
    ([Direction::Up, Direction::Down].map(replay), None)
}

fn setting(scenario: &Scenario, side: Side) -> Setting {
    let place = scenario.places[side as usize];
    // The server or rendezvous is taken to be near the relays: each half has its own person's place.
    let mut setting = Setting::between(place, crate::Place::De);
    setting.floor_factor = scenario.floor_factor;
    setting.correlation = scenario.correlation;
    // Its two ends are connections, which both directions or several circuits share.
    setting.nagle = [false; 2];
    setting
}
