//! `tacit` told by the simulator what it would have to learn.

use std::time::Duration;

use tacit_circuits::strategies::{Kind, Told};
use tacit_circuits::{Mode, Outcome, Scenario, replay, run};

/// Sum of the p99 of some calls with `tacit`'s circuits, and how many circuits were replaced.
fn sums(mode: Mode, kinds: &[Kind]) -> Vec<(usize, u32)> {
    let mut scenario = Scenario::new(mode);
    scenario.length = Duration::from_secs(60);
    let of_call = |call: &Outcome| {
        let p99 = call.network.quantile(0.99).expect("has packets");
        (p99, call.replacements)
    };
    let mut sums = vec![(0, 0); kinds.len()];
    for seed in 0..4 {
        let renewals = run(&scenario, Kind::Tacit, seed, &mut ()).renewals;
        for (sum, kind) in sums.iter_mut().zip(kinds) {
            let replayed: &[_] = if *kind == Kind::Tacit { &[] } else { &renewals };
            let (p99, replaced) = of_call(&replay(&scenario, *kind, seed, replayed, &mut ()));
            *sum = (sum.0 + p99, sum.1 + replaced);
        }
    }
    sums
}

#[test]
fn who_is_told_is_between_tacit_and_the_oracle_on_the_same_circuits() {
    let [levels, stalls] = Told::BOTH.map(Kind::Told);
    for mode in [Mode::Turn, Mode::Onion] {
        let sums = sums(mode, &[Kind::Tacit, levels, stalls, Kind::Oracle]);
        assert!(sums.iter().all(|(_, replaced)| *replaced == sums[0].1));
        let p99: Vec<usize> = sums.iter().map(|(p99, _)| *p99).collect();
        let [tacit, levels, stalls, oracle] = p99[..] else {
            panic!("four kinds")
        };
        assert!(levels < tacit && stalls < tacit, "{mode}: {p99:?}");
        assert!(oracle < stalls.min(levels), "{mode}: {p99:?}");
    }
}

/// A second old is of no use against stalls.
#[test]
fn what_is_told_late_is_worth_less() {
    let late = |late| Kind::Told(Told { stalls: true, late });
    let sums = sums(Mode::Turn, &[late(0), late(1_000)]);
    assert!(sums[0].0 < sums[1].0, "{sums:?}");
}

#[test]
fn names_are_read_as_they_are_shown() {
    for (name, stalls, late) in [
        ("told-levels", false, 0),
        ("told-stalls", true, 0),
        ("told-stalls-150", true, 150),
    ] {
        let kind = Kind::Told(Told { stalls, late });
        assert_eq!(name.parse(), Ok(kind));
        assert_eq!(kind.to_string(), name);
    }
    for wrong in ["told", "told-levels-", "told-stalls-x", "told-stalls150"] {
        assert!(wrong.parse::<Kind>().is_err(), "{wrong}");
    }
    assert!(!Kind::ALL.iter().any(|kind| matches!(kind, Kind::Told(_))));
}
