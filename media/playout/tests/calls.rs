//! Simulated calls.

#[allow(unreachable_pub, clippy::all)]
mod sim;

use sim::{Call, Network, Outcome, PRIVATE, Stall, TOR, percentile};
use tacit_types::LegKind;

const SEEDS: u64 = 24;

fn calls(network: Network, stall: Stall) -> Vec<Outcome> {
    (0..SEEDS)
        .map(|seed| Call::new(seed * 77 + 1, network, stall, 26).run())
        .collect()
}

fn show(name: &str, outcomes: &[Outcome]) {
    let over = |f: &dyn Fn(&Outcome) -> f64| {
        let v: Vec<f64> = outcomes.iter().map(f).collect();
        format!(
            "{:6.0}{:6.0}{:6.0}",
            percentile(&v, 0.5),
            percentile(&v, 0.9),
            percentile(&v, 1.0)
        )
    };
    println!(
        "{name:22} p99 {} | m2e-net {} early {} | lost {} unrec {} gap {} late {} | c {} h {} s {} | ok {} gap>100 {}",
        over(&|o| o.network[1]),
        over(&|o| o.mouth_to_ear - o.network[1]),
        over(&|o| o.early_excess),
        over(&|o| o.lost as f64),
        over(&|o| o.unrecovered as f64),
        over(&|o| f64::from(o.longest_gap)),
        over(&|o| o.lateness),
        over(&|o| o.stats.concealed as f64),
        over(&|o| o.stats.held as f64),
        over(&|o| o.stats.skipped as f64),
        outcomes
            .iter()
            .filter(|o| o.mouth_to_ear - o.network[1] <= 130.0)
            .count(),
        outcomes.iter().filter(|o| o.longest_gap > 100).count(),
    );
}

#[test]
fn table() {
    for (name, network) in [
        ("private", PRIVATE),
        ("tor", TOR),
        (
            "turn",
            Network {
                kind: LegKind::Turn,
                ..TOR
            },
        ),
        (
            "private turn",
            Network {
                kind: LegKind::Turn,
                ..PRIVATE
            },
        ),
    ] {
        for stall in [
            Stall::None,
            Stall::Random(1),
            Stall::Random(2),
            Stall::Random(3),
            Stall::Fastest(1),
            Stall::Fastest(2),
            Stall::Fastest(3),
        ] {
            show(&format!("{name} {stall:?}"), &calls(network, stall));
        }
    }
}
