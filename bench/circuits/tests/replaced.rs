//! Circuits that give way to others in the course of a call, as the engine has it done.

use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

use tacit_circuits::strategies::{Contents, Copies, Kind, Note, Received, Strategy};
use tacit_circuits::{Client, Mode, Network, Scenario, Side, run_with};
use tacit_types::Timestamp;

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
