//! One simulated call: two people, a strategy each, and the circuits between them.
//!
//! ```text
//!   slot ─► strategy A ─► copies ─► up half ─► exit ─► middle ─► down half ─► guard ─► strategy B
//!           strategy B ─► copies ─► …                                               ─► strategy A
//! ```
//!
//! Events happen in the order of their times, so that each half, each exit's connection to the TURN
//! server, and each guard's to its client, is given its packets in the order in which they come to it.

use core::cmp::Reverse;
use core::time::Duration;
use std::collections::BinaryHeap;

use tacit_types::{LegIndex, Path, Timestamp};

use crate::circuit::Direction;
use crate::delays::Delays;
use crate::frames::Frames;
use crate::network::{Network, Side};
use crate::random::derive;
use crate::scenario::{Mode, Scenario};
use crate::strategies::{Contents, Kind, Note, Packed, Received, Strategy, Unpacked};

/// Percentiles count from here: before, nothing can be known of the circuits.
pub const WARM_UP: Duration = Duration::from_secs(5);
/// After the last packet, so much time is left for it to arrive.
const LINGER: Duration = Duration::from_secs(20);

const STRATEGY: u64 = 0x57a7;

/// A copy of a packet that has arrived.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Arrival {
    /// Who sent it.
    pub from: Side,
    /// Its number in that direction.
    pub packet: u32,
    /// The path it took.
    pub path: Path,
    /// What it has beside its newest frame.
    pub packed: Packed,
    /// When it was sent.
    pub sent_at: Timestamp,
    /// When it arrived.
    pub arrived_at: Timestamp,
}

/// A circuit (with onion legs: a pair of them) for which another was asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Renewal {
    /// When: it is built first.
    pub at: Timestamp,
    /// Who opens it.
    pub side: Side,
    /// Its number, which the new one gets.
    pub leg: u8,
}

/// Hears of everything that arrives, in the order in which it does.
pub trait Observer {
    /// `from` is about to send packets like these.
    fn begins(&mut self, _from: Side, _contents: &Contents) {}

    /// What there is room for in this packet of ours from `from`: that depends on what is spoken.
    fn pack(&mut self, _from: Side, unpacked: &Unpacked) -> Packed {
        unpacked.usual()
    }

    /// A copy of a packet has arrived.
    fn arrived(&mut self, arrival: &Arrival);
}

/// Hears nothing.
impl Observer for () {
    fn arrived(&mut self, _: &Arrival) {}
}

/// What a call was like.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outcome {
    /// Network delay of the frames of both directions: from when one is ready, which with two in a
    /// packet is before that is sent for the older, to the first packet with it that arrives.
    pub network: Delays,
    /// Copies that were sent, both directions together.
    pub cells: u64,
    /// Circuits that failed.
    pub failures: u32,
    /// Circuits (with onion legs: pairs of them) that were replaced by others, of both people.
    pub replacements: u32,
    /// What was asked for that: [`replay`] gives another strategy the same circuits.
    pub renewals: Vec<Renewal>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Flight {
    from: Side,
    packet: u32,
    packed: Packed,
    path: Path,
    sent_at: Timestamp,
    note: usize,
    /// Of the two circuits: how often each had been replaced.
    replaced: [u32; 2],
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Event {
    Failed(Side, u8),
    Back(Side, u8),
    /// The other person hears that the leg has this circuit now.
    Heard(Side, u8, u64),
    /// Another circuit is asked for in the place of this one.
    Asked(Side, u8),
    /// The circuit that replaces this one is built: the one that was asked for with this number.
    Built(Side, u8, usize),
    /// Comes to the connection between its exit and the TURN server.
    Exit(Flight),
    /// Comes to the second half.
    Middle(Flight),
    /// Comes to the connection between the guard and its client.
    Guard(Flight),
    Arrives(Flight),
    Slot(Side, u32),
}

/// A call that is being simulated.
pub(crate) struct Call<'a, O> {
    network: Network,
    strategies: [Box<dyn Strategy>; 2],
    observer: &'a mut O,
    queue: BinaryHeap<Reverse<(Timestamp, u64, Event)>>,
    queued: u64,
    /// What follows an up half: where nothing waits behind exits, the second half at once.
    after_up: fn(Flight) -> Event,
    notes: Vec<Note>,
    free: Vec<usize>,
    frames: [Frames; 2],
    end: Timestamp,
    cells: u64,
    failures: u32,
    /// For legs of each side for which another circuit is being built: what was asked for.
    building: [Vec<Option<usize>>; 2],
    replacements: u32,
    renewals: Vec<Renewal>,
    /// How long the last packet took that has come from each side.
    took: [Duration; 2],
}

/// Simulates one call. The same seed has the same circuits under every strategy.
pub fn run<O: Observer>(scenario: &Scenario, kind: Kind, seed: u64, observer: &mut O) -> Outcome {
    replay(scenario, kind, seed, &[], observer)
}

/// The same with circuits replaced as they were in another call of this scenario and seed: the same
/// circuits at the same times.
pub fn replay<O: Observer>(
    scenario: &Scenario,
    kind: Kind,
    seed: u64,
    renewals: &[Renewal],
    observer: &mut O,
) -> Outcome {
    let start =
        |side: Side| kind.start(side, scenario, derive(derive(seed, STRATEGY), side as u64));
    let strategies = [start(Side::A), start(Side::B)];
    run_with(scenario, strategies, seed, renewals, observer)
}

/// The same with any strategies, A's and B's.
pub fn run_with<O: Observer>(
    scenario: &Scenario,
    strategies: [Box<dyn Strategy>; 2],
    seed: u64,
    renewals: &[Renewal],
    observer: &mut O,
) -> Outcome {
    let clients = [0, 1].map(|side| scenario.clients.of(strategies[side].client()));
    let mut call = Call {
        network: Network::new(scenario, clients, seed),
        strategies,
        observer,
        queue: BinaryHeap::new(),
        queued: 0,
        after_up: scenario.exit().map_or(Event::Middle, |_| Event::Exit),
        notes: Vec::new(),
        free: Vec::new(),
        frames: [Frames::default(), Frames::default()],
        end: Timestamp::ZERO + scenario.length,
        cells: 0,
        failures: 0,
        building: [vec![None; scenario.legs], vec![None; scenario.legs]],
        replacements: 0,
        renewals: Vec::new(),
        took: [Duration::ZERO; 2],
    };
    call.begin(scenario.legs);
    for renewal in renewals {
        call.push(renewal.at, Event::Asked(renewal.side, renewal.leg));
    }
    while call.step() {}
    call.outcome()
}

impl<O: Observer> Call<'_, O> {
    fn begin(&mut self, legs: usize) {
        for side in Side::BOTH {
            for leg in 0..u8::try_from(legs).unwrap_or(u8::MAX) {
                let fails_at = self.network.fails_at(side, usize::from(leg));
                self.push(fails_at, Event::Failed(side, leg));
            }
            let strategy = &self.strategies[side as usize];
            let contents = strategy.contents();
            self.observer.begins(side, &contents);
            // The two media clocks are not in step.
            let phase = contents.interval * (side as u32) / 3;
            self.push(Timestamp::ZERO + phase, Event::Slot(side, 0));
        }
    }

    fn push(&mut self, at: Timestamp, event: Event) {
        self.queue.push(Reverse((at, self.queued, event)));
        self.queued += 1;
    }

    fn step(&mut self) -> bool {
        let Some(Reverse((now, _, event))) = self.queue.pop() else {
            return false;
        };
        match event {
            Event::Slot(side, packet) => self.slot(side, packet, now),
            Event::Exit(flight) => self.leave_exit(flight, now),
            Event::Middle(flight) => self.forward(flight, now),
            Event::Guard(flight) => self.leave_guard(flight, now),
            Event::Arrives(flight) => self.arrive(flight, now),
            Event::Failed(side, leg) => self.fail(side, leg, now),
            Event::Asked(side, leg) => self.ask(side, leg, now),
            Event::Built(side, leg, asked) => self.replace(side, leg, asked, now),
            Event::Back(side, leg) => self.up(side, leg, now),
            Event::Heard(side, leg, circuit) => self.hear(side, leg, circuit, now),
        }
        now < self.end + LINGER
    }

    fn slot(&mut self, side: Side, packet: u32, now: Timestamp) {
        if now >= self.end {
            return;
        }
        let strategy = &mut self.strategies[side as usize];
        let contents = strategy.contents();
        let copies = strategy.send(packet, &mut self.network, now);
        let note = strategy.note(now);
        let packed = contents.older.map(Packed::plain).unwrap_or_else(|| {
            let unpacked = Unpacked {
                newest: contents.newest(packet),
                new: contents.new,
                reports: note.reports(),
            };
            self.observer.pack(side, &unpacked)
        });
        self.frames[side as usize].push(&contents, packet, now);
        for path in copies.iter() {
            self.cells += 1;
            let flight = Flight {
                from: side,
                packet,
                packed,
                path,
                sent_at: now,
                note: self.keep(note),
                replaced: self.replaced(side, path),
            };
            if let Some(at) = copies.arrives() {
                self.push(at, Event::Arrives(flight));
                continue;
            }
            let at = self.network.send(side, path.sender, Direction::Up, now);
            self.fly(at, flight, self.after_up);
        }
        self.push(now + contents.interval, Event::Slot(side, packet + 1));
        let replace = self.strategies[side as usize].replace(now);
        if let Some(leg) = replace {
            self.ask(side, leg, now);
        }
    }

    /// Another circuit is built.
    fn ask(&mut self, side: Side, leg: u8, now: Timestamp) {
        let asked = self.renewals.len();
        let Some(building) = self.building[side as usize].get_mut(usize::from(leg)) else {
            return;
        };
        *building = Some(asked);
        self.renewals.push(Renewal { at: now, side, leg });
        let up_at = now + self.network.build_time(side, usize::from(leg));
        for side in self.halves(side) {
            self.network.leaves(*side, usize::from(leg), Some(up_at));
        }
        self.push(up_at, Event::Built(side, leg, asked));
    }

    /// Whose circuits a leg of this side's consists of: onion legs are the other side's, too.
    const fn halves(&self, side: Side) -> &'static [Side] {
        match (self.network.mode(), side) {
            (Mode::Onion, _) => &Side::BOTH,
            (Mode::Turn, Side::A) => &[Side::A],
            (Mode::Turn, Side::B) => &[Side::B],
        }
    }

    fn replaced(&self, from: Side, path: Path) -> [u32; 2] {
        [
            self.network.replaced(from, path.sender),
            self.network.replaced(from.other(), path.receiver),
        ]
    }

    /// The new circuit is up: the old one is left.
    fn replace(&mut self, side: Side, leg: u8, asked: usize, now: Timestamp) {
        let building = &mut self.building[side as usize][usize::from(leg)];
        if *building != Some(asked) {
            return;
        }
        *building = None;
        self.replacements += 1;
        self.tell(side, leg, false, now);
        for side in self.halves(side).iter().copied() {
            self.network.replace(side, usize::from(leg), now);
            let fails_at = self.network.fails_at(side, usize::from(leg));
            self.push(fails_at, Event::Failed(side, leg));
        }
        self.up(side, leg, now);
        self.strategies[side as usize].replaced(leg, now);
    }

    /// A leg is up again. An onion leg's two ends both know it by then; of a TURN leg the other person
    /// hears in a packet, which takes as long as the last one took.
    fn up(&mut self, side: Side, leg: u8, now: Timestamp) {
        match self.network.mode() {
            Mode::Onion => self.tell(side, leg, true, now),
            Mode::Turn => {
                self.strategies[side as usize].leg_changed(side, leg, true, now);
                let circuit = self.network.generation(side, LegIndex(leg));
                let heard = now + self.took[side as usize];
                self.push(heard, Event::Heard(side, leg, circuit));
            }
        }
    }

    /// The other person hears that this circuit is up, unless it is not any more.
    fn hear(&mut self, side: Side, leg: u8, circuit: u64, now: Timestamp) {
        if self.network.generation(side, LegIndex(leg)) == circuit {
            self.strategies[side.other() as usize].leg_changed(side, leg, true, now);
        }
    }

    fn fly(&mut self, at: Option<Timestamp>, flight: Flight, event: impl FnOnce(Flight) -> Event) {
        match at {
            Some(at) => self.push(at, event(flight)),
            None => self.free.push(flight.note),
        }
    }

    fn leave_exit(&mut self, flight: Flight, now: Timestamp) {
        let (side, leg) = (flight.from, flight.path.sender);
        let same = self.network.replaced(side, leg) == flight.replaced[0];
        let at = same
            .then(|| self.network.leave_exit(side, leg, now))
            .flatten();
        self.fly(at, flight, Event::Middle);
    }

    fn forward(&mut self, flight: Flight, now: Timestamp) {
        let side = flight.from.other();
        let whole = self.replaced(flight.from, flight.path) == flight.replaced;
        let network = &mut self.network;
        let at = whole
            .then(|| network.send(side, flight.path.receiver, Direction::Down, now))
            .flatten();
        self.fly(at, flight, Event::Guard);
    }

    fn leave_guard(&mut self, flight: Flight, now: Timestamp) {
        let side = flight.from.other();
        let leg = flight.path.receiver;
        let same = self.network.replaced(side, leg) == flight.replaced[1];
        let at = same
            .then(|| self.network.leave_guard(side, leg, now))
            .flatten();
        self.fly(at, flight, Event::Arrives);
    }

    fn arrive(&mut self, flight: Flight, now: Timestamp) {
        let [_, down] = self.replaced(flight.from, flight.path);
        if down != flight.replaced[1] {
            self.free.push(flight.note);
            return;
        }
        self.took[flight.from as usize] = now.saturating_since(flight.sent_at);
        let contents = self.strategies[flight.from as usize].contents();
        let newest = contents.newest(flight.packet);
        self.frames[flight.from as usize].arrived(newest, flight.packed.older, now);
        let received = Received {
            packet: flight.packet,
            path: flight.path,
            note: &self.notes[flight.note],
        };
        self.strategies[flight.from.other() as usize].receive(received, now);
        self.free.push(flight.note);
        self.observer.arrived(&Arrival {
            from: flight.from,
            packet: flight.packet,
            path: flight.path,
            packed: flight.packed,
            sent_at: flight.sent_at,
            arrived_at: now,
        });
    }

    fn fail(&mut self, side: Side, leg: u8, now: Timestamp) {
        // A circuit that was replaced does not fail any more.
        let current = self.network.fails_at(side, usize::from(leg)) == now;
        if now >= self.end || !current {
            return;
        }
        self.failures += 1;
        // Whatever was being built in its place is not needed: this one is built again, by who opens it.
        let halves = self.halves(side);
        let opener = halves[0];
        self.building[opener as usize][usize::from(leg)] = None;
        self.tell(side, leg, false, now);
        let back = now + self.network.build_time(opener, usize::from(leg));
        self.push(back, Event::Back(side, leg));
        for side in halves.iter().copied() {
            self.network.leaves(side, usize::from(leg), None);
            self.network.rebuild(side, usize::from(leg), back);
            let fails_at = self.network.fails_at(side, usize::from(leg));
            self.push(fails_at, Event::Failed(side, leg));
        }
    }

    fn tell(&mut self, side: Side, leg: u8, up: bool, now: Timestamp) {
        for strategy in &mut self.strategies {
            strategy.leg_changed(side, leg, up, now);
        }
    }

    fn keep(&mut self, note: Note) -> usize {
        if let Some(place) = self.free.pop() {
            self.notes[place] = note;
            return place;
        }
        self.notes.push(note);
        self.notes.len() - 1
    }

    fn outcome(self) -> Outcome {
        let mut network = Delays::default();
        for frames in self.frames {
            frames.finish(&mut network);
        }
        Outcome {
            network,
            cells: self.cells,
            failures: self.failures,
            replacements: self.replacements,
            renewals: self.renewals,
        }
    }
}
