#![allow(missing_docs, dead_code)]
mod sim;
use sim::*;
use tacit_types::LegKind;
#[test]
fn explore() {
    let seeds: u64 = std::env::var("SEEDS")
        .ok()
        .and_then(|s| s.parse().ok())
        .unwrap_or(400);
    let turn = |n: Network| Network {
        kind: LegKind::Turn,
        ..n
    };
    let sh = |fastest, speaker, hearer| Stall::Shared {
        fastest,
        speaker,
        hearer,
    };
    let cases: Vec<(&str, Network, Stall)> = vec![
        ("priv turn", turn(PRIVATE), sh(false, 3, 3)),
        ("priv turn", turn(PRIVATE), sh(true, 3, 3)),
        ("priv turn", turn(PRIVATE), sh(false, 2, 2)),
        ("priv turn", turn(PRIVATE), sh(false, 1, 1)),
        ("priv turn", turn(PRIVATE), sh(false, 3, 0)),
        ("priv turn", turn(PRIVATE), sh(false, 0, 3)),
        ("priv turn", turn(PRIVATE), sh(false, 4, 4)),
        ("priv turn", turn(PRIVATE), Stall::None),
        ("priv onion", PRIVATE, Stall::None),
        ("priv onion", PRIVATE, Stall::Random(3)),
        ("priv onion", PRIVATE, Stall::Fastest(3)),
        ("tor onion", TOR, Stall::None),
        ("tor turn", turn(TOR), Stall::None),
        ("tor onion", TOR, Stall::Fastest(3)),
        ("tor turn", turn(TOR), Stall::Fastest(3)),
        ("tor turn", turn(TOR), sh(false, 3, 3)),
        ("tor onion", TOR, Stall::Random(3)),
        ("tor turn", turn(TOR), Stall::Random(3)),
    ];
    for (name, network, stall) in cases {
        let calls: Vec<Outcome> = (0..seeds)
            .map(|s| Call::new(s * 77 + 1 + 1_000_003, network, stall, 26).run())
            .collect();
        let n = calls.len() as f64 / 100.0;
        let over = |ms: u32| calls.iter().filter(|o| o.longest_gap > ms).count() as f64 / n;
        let sp = |v: &dyn Fn(&Outcome) -> f64| {
            let v: Vec<f64> = calls.iter().map(v).collect();
            format!("{:4.0}/{:4.0}", percentile(&v, 0.5), percentile(&v, 0.95))
        };
        println!(
            "{name:10} {:45} >60 {:5.2}% >100 {:5.2}% >160 {:5.2}% | net50 {} net99 {} excess {} all {} lost {} endd {} early {}",
            format!("{stall:?}"),
            over(60),
            over(100),
            over(160),
            sp(&|o| o.network[0]),
            sp(&|o| o.network[1]),
            sp(&|o| o.excess),
            sp(&|o| o.excess_all),
            sp(&|o| o.lost as f64),
            sp(&|o| o.end_delay),
            sp(&|o| o.early_excess)
        );
    }
}
