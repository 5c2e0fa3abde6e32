//! Circuits that give way to others in the course of a call, as the engine has it done.

use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

use tacit_circuits::strategies::{Contents, Copies, Kind, Note, Older, Received, Strategy};
use tacit_circuits::{Arrival, Client, Mode, Network, Observer, Renewal};
use tacit_circuits::{Scenario, Side, run_with};
use tacit_types::{LegIndex, Path, Timestamp};

/// When `tacit` asked for other circuits.
type Asked = Rc<RefCell<Vec<Timestamp>>>;

/// `tacit`, none of whose new circuits ever comes up.
struct InVain {
    tacit: Box<dyn Strategy>,
    asked: Asked,
}

impl Strategy for InVain {
    fn contents(&self) -> Contents {
        self.tacit.contents()
    }

    fn client(&self) -> Client {
        self.tacit.client()
    }

    fn send(&mut self, packet: u32, network: &mut Network, now: Timestamp) -> Copies {
        self.tacit.send(packet, network, now)
    }

    fn note(&mut self, now: Timestamp) -> Note {
        self.tacit.note(now)
    }

    fn receive(&mut self, packet: Received<'_>, now: Timestamp) {
        self.tacit.receive(packet, now);
    }

    fn leg_changed(&mut self, side: Side, leg: u8, up: bool, now: Timestamp) {
        self.tacit.leg_changed(side, leg, up, now);
    }

    fn replace(&mut self, now: Timestamp) -> Option<u8> {
        self.tacit.replace(now)?;
        self.asked.borrow_mut().push(now);
        None
    }
}

/// The engine has 16 legs at most, new ones that are not up yet among them, and looks once a second.
#[test]
fn no_more_circuits_are_under_way_than_the_engine_has_places_for() {
    for (mode, legs, places) in [
        (Mode::Turn, 12, 4),
        (Mode::Turn, 14, 2),
        (Mode::Turn, 16, 0),
        (Mode::Onion, 12, 4),
        (Mode::Onion, 13, 3),
    ] {
        let mut scenario = Scenario::new(mode);
        scenario.length = Duration::from_secs(120);
        scenario.legs = legs;
        let mut most = 0;
        for seed in 0..4 {
            let asked = Side::BOTH.map(|_| Asked::default());
            let strategies = Side::BOTH.map(|side| {
                let tacit = Kind::Tacit.start(side, &scenario, seed);
                let asked = Rc::clone(&asked[side as usize]);
                Box::new(InVain { tacit, asked }) as Box<dyn Strategy>
            });
            run_with(&scenario, strategies, seed, &[], &mut ());
            for asked in asked {
                let asked = asked.borrow();
                let mut pairs = asked.windows(2);
                let apart = |pair: &[Timestamp]| pair[1].saturating_since(pair[0]);
                assert!(
                    pairs.all(|pair| apart(pair) > Duration::from_millis(950)),
                    "{asked:?}"
                );
                assert!(asked.len() <= places, "{mode}, {legs} legs: {asked:?}");
                most = most.max(asked.len());
            }
        }
        assert_eq!(most, places, "{mode}, {legs} legs");
    }
}

/// Side, leg, whether it is up, since when.
type Change = (Side, u8, bool, Timestamp);

/// Sends everything on leg 0, and notes what it is told of legs.
struct Witness(Rc<RefCell<Vec<Change>>>);

impl Strategy for Witness {
    fn contents(&self) -> Contents {
        Contents::plain(Duration::from_millis(20), Older::NONE)
    }

    fn send(&mut self, _: u32, _: &mut Network, _: Timestamp) -> Copies {
        let mut copies = Copies::default();
        copies.push(Path {
            sender: LegIndex(0),
            receiver: LegIndex(0),
        });
        copies
    }

    fn note(&mut self, _: Timestamp) -> Note {
        Note::Nothing
    }

    fn receive(&mut self, _: Received<'_>, _: Timestamp) {}

    fn leg_changed(&mut self, side: Side, leg: u8, up: bool, now: Timestamp) {
        self.0.borrow_mut().push((side, leg, up, now));
    }
}

/// What A's packets took, by when they arrived.
#[derive(Default)]
struct Took(Vec<(Timestamp, Duration)>);

impl Observer for Took {
    fn arrived(&mut self, arrival: &Arrival) {
        let took = arrival.arrived_at.saturating_since(arrival.sent_at);
        if arrival.from == Side::A {
            self.0.push((arrival.arrived_at, took));
        }
    }
}

/// What A and B are told of A's leg 3 if it is replaced at these seconds, and what packets of A took.
fn told_of(mode: Mode, seconds: &[u64]) -> ([Vec<Change>; 2], Took) {
    let mut scenario = Scenario::new(mode);
    scenario.length = Duration::from_secs(60);
    scenario.failures_per_hour = 1e-9;
    let heard = Side::BOTH.map(|_| Rc::default());
    let strategies = Side::BOTH.map(|side| {
        let heard = Rc::clone(&heard[side as usize]);
        Box::new(Witness(heard)) as Box<dyn Strategy>
    });
    let at = |second: &u64| Renewal {
        at: Timestamp::from_micros(1_000_000 * second),
        side: Side::A,
        leg: 3,
    };
    let renewals: Vec<Renewal> = seconds.iter().map(at).collect();
    let mut took = Took::default();
    run_with(&scenario, strategies, 1, &renewals, &mut took);
    (heard.map(|heard| heard.borrow().clone()), took)
}

#[test]
fn the_other_person_hears_of_a_new_turn_leg_as_late_as_of_anything_else() {
    let ([ours, theirs], took) = told_of(Mode::Turn, &[10, 30]);
    let ups = |changes: &[Change]| -> Vec<Timestamp> {
        let mut ups = Vec::new();
        for pair in changes.chunks(2) {
            let [(Side::A, 3, false, _), (Side::A, 3, true, up)] = pair else {
                panic!("{changes:?}")
            };
            ups.push(*up);
        }
        ups
    };
    let (up, heard) = (ups(&ours), ups(&theirs));
    assert_eq!((up.len(), heard.len()), (2, 2));
    for (up, heard) in up.into_iter().zip(heard) {
        let before = took.0.iter().rev().find(|(arrived, _)| *arrived <= up);
        let (_, took) = before.expect("packets have come");
        assert!(*took > Duration::from_millis(20), "{took:?}");
        assert_eq!(heard.saturating_since(up), *took);
    }
    // That it is left, both know at once.
    let downs = |changes: &[Change]| -> Vec<Change> {
        let downs = changes.iter().filter(|(_, _, up, _)| !up);
        downs.copied().collect()
    };
    assert_eq!(downs(&ours), downs(&theirs));
}

#[test]
fn both_people_know_at_once_of_a_new_onion_leg() {
    let ([ours, theirs], _) = told_of(Mode::Onion, &[10, 30]);
    assert_eq!(ours.len(), 4);
    assert_eq!(ours, theirs);
}
