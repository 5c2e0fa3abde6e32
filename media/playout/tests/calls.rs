//! Whole simulated calls: what the media plane promises, over seeds.
//!
//! The private network is like the one that the demo runs on; there every call must keep every
//! promise. The other is like live Tor, with legs between 150 and 350 ms: when its two or three
//! fastest legs stop at once, what is left is so much slower that a few calls miss a promise; how
//! many may is part of the test. Run with `--nocapture` to see the table.

mod sim;

use std::ops::Range;

use sim::{Call, Network, Outcome, PRIVATE, Stall, TOR, percentile};
use tacit_types::LegKind;

const SEEDS: u64 = 50;
/// Frames from second 5 on: more than this many lost are 1 %.
const LOST_MAX: usize = 9;

const TURN: Network = Network {
    kind: LegKind::Turn,
    ..TOR
};
const PRIVATE_TURN: Network = Network {
    kind: LegKind::Turn,
    ..PRIVATE
};

fn calls(name: &str, network: Network, stall: Stall) -> Vec<Outcome> {
    some_calls(0..SEEDS, name, network, stall)
}

fn some_calls(seeds: Range<u64>, name: &str, network: Network, stall: Stall) -> Vec<Outcome> {
    let calls: Vec<Outcome> = seeds
        .map(|seed| Call::new(seed * 77 + 1, network, stall, 26).run())
        .collect();
    let spread = |value: &dyn Fn(&Outcome) -> f64| {
        let values: Vec<f64> = calls.iter().map(value).collect();
        [0.5, 0.9, 1.0]
            .map(|share| format!("{:5.0}", percentile(&values, share)))
            .concat()
    };
    println!(
        "{name:8} {:12} network p50{} p99{} | mouth-to-ear p99 above it{} all{} early{} | lost{} \
         never came{} concealed{} held{} skipped{} | gap{} lateness{}",
        format!("{stall:?}"),
        spread(&|o| o.network[0]),
        spread(&|o| o.network[1]),
        spread(&|o| o.excess),
        spread(&|o| o.excess_all),
        spread(&|o| o.early_excess),
        spread(&|o| o.lost as f64),
        spread(&|o| o.unrecovered as f64),
        spread(&|o| o.stats.concealed as f64),
        spread(&|o| o.stats.held as f64),
        spread(&|o| o.stats.skipped as f64),
        spread(&|o| f64::from(o.longest_gap)),
        spread(&|o| o.lateness),
    );
    calls
}

/// At most `few` of the calls break the promise.
fn all_but(few: usize, calls: &[Outcome], promise: impl Fn(&Outcome) -> bool) {
    let broken: Vec<_> = calls.iter().filter(|outcome| !promise(outcome)).collect();
    assert!(
        broken.len() <= few,
        "{} of {}, such as {:?}",
        broken.len(),
        calls.len(),
        broken[0]
    );
}

fn delay_is_kept(outcome: &Outcome) -> bool {
    outcome.excess <= 130.0
}

fn gap_is_short(outcome: &Outcome) -> bool {
    outcome.longest_gap <= 100
}

#[test]
fn a_private_network_keeps_every_promise_whichever_legs_stall() {
    for (name, network) in [("private", PRIVATE), ("p. turn", PRIVATE_TURN)] {
        for stall in [
            Stall::None,
            Stall::Random(1),
            Stall::Random(2),
            Stall::Random(3),
            Stall::Fastest(1),
            Stall::Fastest(2),
            Stall::Fastest(3),
        ] {
            let calls = calls(name, network, stall);
            all_but(0, &calls, delay_is_kept);
            all_but(0, &calls, gap_is_short);
            all_but(0, &calls, |o| o.early_excess <= 230.0);
            all_but(0, &calls, |o| o.lost <= LOST_MAX);
        }
    }
}

/// Calls in which circuits of both sides stall at once.
fn shared(fastest: bool, speaker: usize, hearer: usize) -> Vec<Outcome> {
    let stall = Stall::Shared {
        fastest,
        speaker,
        hearer,
    };
    calls("p. turn", PRIVATE_TURN, stall)
}

/// Three of eight on both sides leave 25 of 64 pairs. With other seeds (250 to 489, 2400 calls) one call
/// had a gap above 100 ms, whether crowding of TURN halves fades over 40 ms, as it does, or over 70.
/// More than the delay that is kept had, of the 480 with three legs on both sides, 15 (at random 6, the
/// fastest 9) with 40 ms and 22 (8 and 14) with 70; of the 1920 others one with 40 ms and none with
/// 70. The 50 seeds here are unlucky: 7 of the calls with the fastest three on both sides.
#[test]
fn a_stall_that_both_sides_legs_share_leaves_short_gaps() {
    for fastest in [false, true] {
        for (speaker, hearer) in [(1, 1), (2, 2), (3, 3), (0, 3), (3, 0)] {
            let calls = shared(fastest, speaker, hearer);
            all_but(0, &calls, gap_is_short);
            all_but(0, &calls, |o| o.lost <= LOST_MAX);
            let few = if (speaker, hearer) == (3, 3) { 8 } else { 4 };
            all_but(few, &calls, delay_is_kept);
        }
        let stall = Stall::Shared {
            fastest,
            speaker: 3,
            hearer: 3,
        };
        let more = some_calls(SEEDS..SEEDS + 200, "p. turn", PRIVATE_TURN, stall);
        all_but(1, &more, gap_is_short);
    }
}

/// With half of the legs and more on both sides, a quarter of the pairs is left and less: the call
/// finds them, but it takes a moment.
#[test]
fn a_stall_of_most_pairs_is_got_over() {
    for fastest in [false, true] {
        for (count, few) in [(4, 8), (5, 25)] {
            let calls = shared(fastest, count, count);
            all_but(few, &calls, gap_is_short);
            all_but(few / 3, &calls, |o| o.longest_gap <= 160);
            all_but(1, &calls, |o| o.lost <= 25);
        }
    }
}

#[test]
fn without_a_stall_live_delays_cost_next_to_nothing() {
    for (name, network) in [("tor", TOR), ("turn", TURN)] {
        let calls = calls(name, network, Stall::None);
        all_but(2, &calls, delay_is_kept);
        all_but(2, &calls, |o| o.early_excess <= 230.0);
        all_but(0, &calls, |o| o.unrecovered == 0 && o.lost <= LOST_MAX);
        all_but(0, &calls, gap_is_short);
    }
}

#[test]
fn any_stall_of_up_to_three_live_legs_leaves_short_gaps() {
    for (name, network) in [("tor", TOR), ("turn", TURN)] {
        for (count, few) in [(1, 0), (2, 1), (3, 3)] {
            let calls = calls(name, network, Stall::Random(count));
            all_but(few, &calls, gap_is_short);
            all_but(few + 2, &calls, delay_is_kept);
        }
    }
}

#[test]
fn a_stall_of_the_fastest_live_legs_leaves_short_gaps_in_most_calls() {
    for (name, network) in [("tor", TOR), ("turn", TURN)] {
        for (count, few) in [(1, 0), (2, 3), (3, 12)] {
            let calls = calls(name, network, Stall::Fastest(count));
            all_but(few, &calls, gap_is_short);
            all_but(0, &calls, |o| o.longest_gap <= 180);
            all_but(5, &calls, delay_is_kept);
        }
    }
}

#[test]
fn delay_comes_back_down_after_a_stall() {
    let quiet = calls("tor", TOR, Stall::None);
    let stalled = calls("tor", TOR, Stall::Fastest(3));
    let middle =
        |calls: &[Outcome]| percentile(&calls.iter().map(|o| o.end_delay).collect::<Vec<_>>(), 0.5);
    let (stalled, quiet) = (middle(&stalled), middle(&quiet));
    assert!(stalled <= quiet + 20.0, "{stalled} {quiet}");
}

#[test]
fn the_same_seed_gives_the_same_call() {
    let run = || Call::new(7, TOR, Stall::Fastest(2), 20).run();
    assert_eq!(format!("{:?}", run()), format!("{:?}", run()));
}

#[test]
fn a_stable_network_is_never_touched() {
    let stable = Network {
        delay: (120_000, 120_001),
        jitter: 0,
        spread: 0,
        ..PRIVATE
    };
    for seed in 0..SEEDS {
        let stats = Call::new(seed, stable, Stall::None, 26).run().stats;
        assert_eq!(
            (stats.concealed, stats.held, stats.skipped),
            (0, 0, 0),
            "seed {seed}"
        );
    }
}
