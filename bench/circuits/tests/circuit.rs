//! One circuit: order, determinism, correlation, spacing, allocation.

use proptest::prelude::*;
use tacit_circuits::fit::summary::quantiles;
use tacit_circuits::{Circuit, Direction, MODEL, Params, Place, Seeds, Setting};
use tacit_types::Timestamp;

const fn at(micros: u64) -> Timestamp {
    Timestamp::from_micros(micros)
}

fn circuit(seed: u64, setting: &Setting) -> Circuit {
    let seeds = Seeds {
        guard: seed / 16,
        circuit: seed,
    };
    Circuit::new(&MODEL, seeds, Direction::Up, setting)
}

fn de() -> Setting {
    Setting::between(Place::De, Place::De)
}

/// Delays in ms of packets `spacing` ms apart.
fn delays(circuit: &mut Circuit, spacing: u64, packets: u64) -> Vec<f64> {
    let delay = |packet: u64| {
        let sent = at(packet * spacing * 1_000);
        circuit.send(sent).saturating_since(sent).as_secs_f64() * 1e3
    };
    (0..packets).map(delay).collect()
}

proptest! {
    #[test]
    fn packets_keep_their_order_and_are_never_faster_than_the_floor(
        seed: u64,
        gaps in proptest::collection::vec(0_u64..400_000, 1..300),
        correlation in 0.0..1.0,
    ) {
        let mut setting = de();
        setting.correlation = correlation;
        let mut circuit = circuit(seed, &setting);
        let (mut now, mut before) = (0, Timestamp::ZERO);
        for gap in gaps {
            now += gap;
            let arrives = circuit.send(at(now));
            prop_assert!(arrives >= before);
            prop_assert!(arrives + core::time::Duration::from_micros(2) >= at(now) + circuit.floor());
            before = arrives;
        }
    }

    #[test]
    fn same_seed_same_delays(seed: u64) {
        let run = || delays(&mut circuit(seed, &de()), 20, 500);
        prop_assert_eq!(run(), run());
    }

    #[test]
    fn a_peek_tells_what_sending_does_and_changes_nothing(
        seed: u64,
        steps in proptest::collection::vec((0_u64..100_000, 0_u64..300_000), 1..200),
    ) {
        let mut peeked = circuit(seed, &de());
        let mut untouched = peeked.clone();
        let mut now = 0;
        for (gap, ahead) in steps {
            now += gap;
            let _ = peeked.peek(at(now + ahead));
            let told = peeked.peek(at(now));
            prop_assert_eq!(told, peeked.send(at(now)));
            prop_assert_eq!(told, untouched.send(at(now)));
        }
    }

    #[test]
    fn a_moment_before_the_last_packet_counts_as_that(seed: u64) {
        let mut circuit = circuit(seed, &de());
        let first = circuit.send(at(1_000_000));
        prop_assert!(circuit.send(at(0)) >= first);
    }
}

#[test]
fn what_is_sent_between_only_holds_the_rest_up() {
    let mut params = MODEL;
    params.stall_load = 0.0;
    let mut setting = de();
    setting.nagle = [false; 2];
    let mut equal = 0;
    for circuit in 0..200 {
        let seeds = Seeds { guard: 1, circuit };
        let new = || Circuit::new(&params, seeds, Direction::Up, &setting);
        let sparse = delays(&mut new(), 400, 50);
        let dense = delays(&mut new(), 20, 1_000);
        for (sparse, dense) in sparse.into_iter().zip(dense.into_iter().step_by(20)) {
            assert!(dense >= sparse, "{circuit}: {dense} {sparse}");
            equal += u32::from(dense <= sparse);
        }
    }
    // The others stand behind a packet in between, as they must.
    assert!(equal > 3_000, "{equal} of 10000");
}

#[test]
fn directions_have_one_floor_and_congestion_does_not_change_it() {
    let congested = MODEL.congested(2.0);
    for circuit in 0..50 {
        let seeds = Seeds { guard: 1, circuit };
        let floor = |params, way| Circuit::new(params, seeds, way, &de()).floor();
        let up = floor(&MODEL, Direction::Up);
        assert_eq!(up, floor(&MODEL, Direction::Down));
        assert_eq!(up, floor(&congested, Direction::Up));
    }
}

#[test]
fn a_packet_allocates_nothing() {
    let mut circuit = circuit(3, &de());
    let info = allocation_counter::measure(|| {
        delays_without_keeping(&mut circuit);
        let _ = circuit.peek(at(200_000_000));
    });
    assert_eq!(info.count_total, 0);
}

fn delays_without_keeping(circuit: &mut Circuit) {
    for packet in 0..10_000 {
        circuit.send(at(packet * 20_000));
    }
}

#[test]
fn correlation_changes_no_circuit_by_itself() {
    let pooled = |correlation: f64| {
        let mut setting = de();
        setting.correlation = correlation;
        let one = |seed: u64| delays(&mut circuit(seed * 16, &setting), 500, 120);
        let all: Vec<f64> = (0..4_000).flat_map(one).collect();
        quantiles(all, [0.1, 0.5, 0.9, 0.95, 0.99])
    };
    let apart = pooled(0.0);
    for correlation in [0.15, 0.3, 1.0] {
        for (one, other) in apart.into_iter().zip(pooled(correlation)) {
            let ratio = other / one;
            assert!((0.9..1.1).contains(&ratio), "{correlation}: {one} {other}");
        }
    }
}

/// Share of one circuit's stalled moments at which another behind the same guard, or behind another
/// one, is stalled too.
fn together(correlation: f64, same_guard: bool) -> f64 {
    let mut params = MODEL;
    params.stall_load = 0.0;
    params.bad = 1e-9;
    params.stall_height = [2_000.0; 2];
    let mut setting = de();
    setting.correlation = correlation;
    let (mut both, mut first) = (0.0, 0.0);
    for guard in 0..400 {
        let stalls = |circuit: u64| {
            let other = !same_guard && circuit % 2 == 1;
            let guard = if other { 1_000 + guard } else { guard };
            let seeds = Seeds { guard, circuit };
            let mut circuit = Circuit::new(&params, seeds, Direction::Up, &setting);
            delays(&mut circuit, 250, 400)
                .into_iter()
                .map(|delay| delay > 1_000.0)
                .collect::<Vec<_>>()
        };
        for (one, other) in stalls(2 * guard).into_iter().zip(stalls(2 * guard + 1)) {
            first += f64::from(u8::from(one));
            both += f64::from(u8::from(one && other));
        }
    }
    both / first
}

#[test]
fn correlation_is_the_share_of_stall_time_behind_one_guard() {
    let chance = together(0.0, true);
    assert!(chance < 0.15, "{chance}");
    let third = together(0.3, true);
    assert!((0.2..0.5).contains(&third), "{third}");
    assert!(together(1.0, true) > 0.8);
    let apart = together(1.0, false);
    assert!(apart < 0.15, "two guards share nothing: {apart}");
}

#[test]
fn sparse_packets_wait_less_than_dense_ones() {
    let median = |spacing: u64, nagle: bool| {
        let mut setting = de();
        setting.nagle = [nagle; 2];
        let one = |seed: u64| delays(&mut circuit(seed, &setting), spacing, 200);
        quantiles((0..300).flat_map(one).collect(), [0.5])[0]
    };
    let (dense, sparse) = (median(20, true), median(240, true));
    assert!(dense > sparse + 15.0, "{dense} {sparse}");
    let without = median(20, false);
    assert!((without - median(240, false)).abs() < 10.0);
    assert!(without < dense - 15.0);
}

#[test]
fn idle_relays_take_the_distance_and_what_acknowledgements_take() {
    let floor = core::time::Duration::from_millis(20);
    let held = |nagle, spacing| {
        let mut setting = de();
        setting.nagle = nagle;
        let seeds = Seeds {
            guard: 1,
            circuit: 2,
        };
        let params = Params::idle(floor);
        let mut circuit = Circuit::new(&params, seeds, Direction::Down, &setting);
        delays(&mut circuit, spacing, 500)
    };
    assert!(
        held([false; 2], 20)
            .iter()
            .all(|ms| (ms - 20.0).abs() < 0.01)
    );
    assert!(
        held([true; 2], 1_000)
            .iter()
            .all(|ms| (ms - 20.0).abs() < 0.01)
    );
    assert!(held([true; 2], 20).iter().any(|ms| *ms > 30.0));
}
