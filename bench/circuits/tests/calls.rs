//! Whole calls: determinism, every strategy, few and failing circuits.

use std::fs;
use std::time::Duration;

use tacit_circuits::strategies::Kind;
use tacit_circuits::{Arrival, Mode, Observer, Outcome, Part, Scenario, Side, Traces, replay, run};

fn minute(mode: Mode) -> Scenario {
    let mut scenario = Scenario::new(mode);
    scenario.length = Duration::from_secs(60);
    scenario
}

#[derive(Default)]
struct Arrivals(Vec<Arrival>);

impl Observer for Arrivals {
    fn arrived(&mut self, arrival: &Arrival) {
        self.0.push(*arrival);
    }
}

#[test]
fn same_seed_same_call() {
    for mode in [Mode::Turn, Mode::Onion] {
        for kind in Kind::ALL {
            let once = |seed: u64| {
                let mut arrivals = Arrivals::default();
                let outcome = run(&minute(mode), kind, seed, &mut arrivals);
                (outcome, arrivals.0)
            };
            let (first, second) = (once(1), once(1));
            assert!(first == second, "{kind} {mode}");
            assert!(first.1 != once(2).1, "{kind} {mode}");
        }
    }
}

#[test]
fn copies_and_media_are_counted() {
    for kind in Kind::ALL {
        let outcome = run(&minute(Mode::Turn), kind, 3, &mut ());
        let cells = 2 * 60 * u64::from(kind.cells_per_second());
        assert!(
            outcome.cells.abs_diff(cells) <= 4,
            "{kind}: {}",
            outcome.cells
        );
        assert!(outcome.network.total() > 2 * 55 * 24, "{kind}");
    }
}

#[test]
fn copies_on_a_path_keep_their_order() {
    for mode in [Mode::Turn, Mode::Onion] {
        let mut arrivals = Arrivals::default();
        run(&minute(mode), Kind::DonarDouble, 4, &mut arrivals);
        for from in Side::BOTH {
            for link in 0..12 {
                let on_link = |a: &&Arrival| a.from == from && a.path.sender.0 == link;
                let packets = arrivals.0.iter().filter(on_link).map(|a| a.packet);
                assert!(packets.is_sorted());
            }
        }
    }
}

/// Median and p99 of a call.
fn delays(scenario: &Scenario, kind: Kind, seed: u64) -> [usize; 2] {
    let network = run(scenario, kind, seed, &mut ()).network;
    [0.5, 0.99].map(|p| network.quantile(p).expect("has packets"))
}

/// The oracle is greedy: its median can be a little above another's in a single call.
#[test]
fn nothing_is_faster_than_the_oracle_and_the_oracle_not_than_the_bound() {
    for mode in [Mode::Turn, Mode::Onion] {
        let mut scenario = minute(mode);
        scenario.failures_per_hour = 0.0;
        let calls = |kind: Kind| [0, 1, 2, 3, 4].map(|seed| delays(&scenario, kind, seed));
        let sum = |calls: &[[usize; 2]; 5]| calls.iter().map(|call| call[0]).sum::<usize>();
        let (oracle, bound) = (calls(Kind::Oracle), calls(Kind::Bound));
        let pairs = oracle.iter().zip(&bound);
        assert!(
            pairs
                .clone()
                .all(|(oracle, bound)| bound[0] <= oracle[0] && bound[1] <= oracle[1])
        );
        let others = Kind::ALL
            .into_iter()
            .filter(|kind| !matches!(kind, Kind::Oracle | Kind::Bound));
        for kind in others {
            let other = calls(kind);
            let pairs = other.iter().zip(&oracle);
            assert!(
                pairs.clone().all(|(other, oracle)| other[1] >= oracle[1]),
                "{kind} {mode}"
            );
            assert!(
                sum(&other) >= sum(&oracle),
                "{kind} {mode}: {other:?} {oracle:?}"
            );
        }
    }
}

#[test]
fn more_choice_helps_the_oracle() {
    let mut scenario = minute(Mode::Turn);
    let mut with = |legs: usize| {
        scenario.legs = legs;
        delays(&scenario, Kind::Oracle, 8)[1]
    };
    let (few, more, many) = (with(2), with(6), with(12));
    assert!(many <= more && more <= few, "{few} {more} {many}");
}

#[test]
fn one_leg_is_enough_for_all_but_torfone() {
    for mode in [Mode::Turn, Mode::Onion] {
        let mut scenario = minute(mode);
        scenario.legs = 1;
        for kind in Kind::ALL {
            let network = run(&scenario, kind, 5, &mut ()).network;
            assert!(network.total() > 0, "{kind}");
        }
    }
}

#[test]
fn without_legs_everything_is_late() {
    let mut scenario = minute(Mode::Turn);
    scenario.legs = 0;
    for kind in Kind::ALL {
        let network = run(&scenario, kind, 5, &mut ()).network;
        assert_eq!(
            network.quantile(0.0),
            Some(tacit_circuits::LONGEST),
            "{kind}"
        );
    }
}

#[test]
fn circuits_fail_and_come_back() {
    let mut scenario = minute(Mode::Turn);
    scenario.failures_per_hour = 300.0;
    for kind in [
        Kind::Single,
        Kind::Tacit,
        Kind::DonarDouble,
        Kind::Oracle,
        Kind::Bound,
    ] {
        let outcome = run(&scenario, kind, 6, &mut ());
        assert!(outcome.failures > 60, "{kind}: {}", outcome.failures);
        let p50 = outcome.network.quantile(0.5).expect("has packets");
        assert!(p50 < 1_000, "{kind}: {p50}");
    }
}

#[test]
fn tacit_alone_replaces_bad_circuits_and_gains_by_it() {
    for (mode, sides) in [(Mode::Turn, 2), (Mode::Onion, 1)] {
        let mut scenario = minute(mode);
        scenario.length = Duration::from_secs(180);
        let mut total = |kind: Kind, replace: bool| {
            scenario.replace = replace;
            let calls = (0..6).map(|seed| run(&scenario, kind, seed, &mut ()));
            let of_call = |call: Outcome| {
                let p99 = call.network.quantile(0.99).expect("has packets");
                (call.replacements, p99)
            };
            calls
                .map(of_call)
                .fold((0, 0), |sum, call| (sum.0 + call.0, sum.1 + call.1))
        };
        assert_eq!(total(Kind::DonarDouble, true).0, 0);
        assert_eq!(total(Kind::Oracle, true).0, 0);
        let (none, kept) = total(Kind::Tacit, false);
        let (replaced, better) = total(Kind::Tacit, true);
        assert_eq!(none, 0);
        // Eight over TURN or four of onion legs in the first minute, then one every 35 s.
        assert!(
            replaced > 6 * 2 * sides && replaced <= 6 * 12 * sides,
            "{mode}: {replaced}"
        );
        assert!(better < kept, "{mode}: {better} {kept}");
    }
}

#[test]
fn a_turn_call_replaces_no_more_slow_legs_than_it_has_credentials_for() {
    let mut scenario = minute(Mode::Turn);
    scenario.length = Duration::from_secs(1800);
    scenario.failures_per_hour = 0.0;
    // Whose newcomers are slow waits longer and need not spend all.
    let replaced = (0..4).map(|seed| run(&scenario, Kind::Tacit, seed, &mut ()).replacements);
    assert_eq!(replaced.max(), Some(2 * 12));
}

/// Whoever is given another's replacements has its circuits, whether others fail meanwhile or not.
#[test]
fn replayed_replacements_are_the_same_circuits_at_the_same_times() {
    for (mode, failures_per_hour) in [(Mode::Turn, 0.1), (Mode::Turn, 60.0), (Mode::Onion, 60.0)] {
        let mut scenario = minute(mode);
        scenario.failures_per_hour = failures_per_hour;
        for seed in 0..3 {
            scenario.replace = true;
            let ours = run(&scenario, Kind::Tacit, seed, &mut ());
            assert!(ours.replacements > 0, "{mode}: {}", ours.replacements);
            scenario.replace = false;
            let again = replay(&scenario, Kind::Tacit, seed, &ours.renewals, &mut ());
            assert_eq!(ours, again, "the same strategy has the same call");
            let oracle = replay(&scenario, Kind::Oracle, seed, &ours.renewals, &mut ());
            let circuits = |o: &Outcome| (o.replacements, o.failures, o.renewals.clone());
            assert_eq!(circuits(&oracle), circuits(&ours));
            let kept = run(&scenario, Kind::Oracle, seed, &mut ());
            assert_ne!(kept.network, oracle.network);
        }
    }
}

/// The two halves of an onion leg are one circuit to its users: it goes as a whole.
#[test]
fn an_onion_leg_fails_as_a_whole() {
    let mut scenario = minute(Mode::Onion);
    scenario.legs = 1;
    scenario.failures_per_hour = 300.0;
    let mut arrivals = Arrivals::default();
    let outcome = run(&scenario, Kind::Single, 11, &mut arrivals);
    assert!(outcome.failures > 3);
    // A new leg takes three circuits' time to build, in which nothing comes from either side.
    let times = |from: Side| {
        let of_side = arrivals.0.iter().filter(move |a| a.from == from);
        of_side.map(|a| a.sent_at).collect::<Vec<_>>()
    };
    let pauses = |sent: &[tacit_types::Timestamp]| {
        let pause = |pair: &[tacit_types::Timestamp]| pair[1].saturating_since(pair[0]);
        let long = |pause: &Duration| *pause > Duration::from_millis(700);
        sent.windows(2).map(pause).filter(long).count()
    };
    let [ours, theirs] = Side::BOTH.map(|side| pauses(&times(side)));
    assert!(ours > 2 && ours.abs_diff(theirs) <= 1, "{ours} {theirs}");
}

#[test]
fn calls_run_over_recorded_circuits() {
    let folder = tempfile::tempdir().expect("has a place");
    for name in 0..4 {
        let rows = (0..200).map(|row| format!("{},{}\n", row * 20, 40 + 10 * name));
        let text = format!("at_ms,extra_delay_ms\n{}", rows.collect::<String>());
        fs::write(folder.path().join(format!("{name}.csv")), text).expect("writes");
    }
    let mut scenario = minute(Mode::Onion);
    scenario.failures_per_hour = 0.0;
    let traces = Traces::read(folder.path(), 1).expect("reads");
    scenario.traces = Some((traces, Part::Scoring));
    let network = run(&scenario, Kind::Single, 7, &mut ()).network;
    let (low, high) = (network.quantile(0.0), network.quantile(1.0));
    let (low, high) = (low.expect("has packets"), high.expect("has packets"));
    assert!(
        high - low <= 1,
        "constant delays stay constant: {low} {high}"
    );
    assert!(low >= 80, "two halves with 40 ms or more each: {low}");
}
