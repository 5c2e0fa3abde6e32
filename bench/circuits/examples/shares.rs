//! The calibration's check: network delay of every strategy, and the share of calls whose p99 is
//! below 360 ms.
//!
//! `cargo run --release -p tacit-circuits --example shares -- MODE MINUTES CALLS LEGS GUARDS
//! CORRELATION SEED [NAME=VALUE…] [STRATEGY…]`

use std::time::{Duration, Instant};

use tacit_circuits::fit::{Effort, Harness, stream};
use tacit_circuits::strategies::Kind;
use tacit_circuits::{
    Client, Clients, MODEL, Mode, Part, Problem, Scenario, Trace, Traces, VERSION, random, run,
    wilson,
};

/// Seed of the streams that can be replayed: that of the `fit` example's report.
const STREAMS: u64 = 20_251_122;

const USAGE: &str =
    "usage: shares MODE MINUTES CALLS LEGS GUARDS CORRELATION SEED [NAME=VALUE…] [STRATEGY…]";

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if let Err(error) = compare(&arguments) {
        eprintln!("{error}\n{USAGE}");
        std::process::exit(2);
    }
}

fn compare(arguments: &[String]) -> Result<(), Box<dyn std::error::Error>> {
    let [
        mode,
        minutes,
        calls,
        legs,
        guards,
        correlation,
        seed,
        kinds @ ..,
    ] = arguments
    else {
        return Err("too few arguments".into());
    };
    let mut scenario = Scenario::new(mode.parse::<Mode>()?);
    scenario.length = Duration::from_secs(60 * minutes.parse::<u64>()?);
    scenario.legs = legs.parse()?;
    if !(1..=16).contains(&scenario.legs) {
        return Err("LEGS must be from 1 to 16".into());
    }
    scenario.guards = guards.parse()?;
    scenario.correlation = correlation.parse()?;
    let (calls, seed): (u32, u64) = (calls.parse()?, seed.parse()?);
    let (settings, kinds): (Vec<_>, Vec<_>) = kinds.iter().partition(|word| word.contains('='));
    for setting in settings {
        set(&mut scenario, setting)?;
    }
    let kinds: Vec<Kind> = kinds
        .iter()
        .map(|kind| kind.parse())
        .collect::<Result<_, _>>()?;
    let kinds = if kinds.is_empty() {
        Kind::ALL.to_vec()
    } else {
        kinds
    };
    println!("simulated, model {VERSION}: {}", arguments.join(" "));
    for kind in kinds {
        line(&scenario, kind, calls, seed);
    }
    Ok(())
}

/// What to change in the model: to see what depends on it.
fn set(scenario: &mut Scenario, setting: &str) -> Result<(), Box<dyn std::error::Error>> {
    let (name, value) = setting.split_once('=').ok_or("a setting is NAME=VALUE")?;
    if name == "traces" {
        scenario.traces = Some((Traces::read(value.as_ref(), 1)?, Part::Tuning));
        return Ok(());
    }
    let value: f64 = value.parse()?;
    match name {
        "streams" => {
            let traces = Traces::new(streams(value)?, 1).ok_or("too few streams")?;
            scenario.traces = Some((traces, Part::Tuning));
        }
        "congestion" => scenario.params.queue = MODEL.congested(value).queue,
        "nagle" => scenario.nagle = value > 0.0,
        "quickack" => scenario.quick_ack = value > 0.0,
        "clients" if value <= 0.0 => scenario.clients = Clients::All(Client::CTor),
        "clients" => scenario.clients = Clients::All(Client::Tacit),
        "replace" => scenario.replace = value > 0.0,
        "cells" => scenario.cells_per_second = if value < 50.0 { 25 } else { 50 },
        "guard" => scenario.params.persistence.guard = value,
        "wander" => scenario.params.persistence.wander = value,
        "period" => scenario.params.persistence.period = 1e3 * value,
        "floor" => scenario.floor_factor = value,
        _ => return Err(format!("unknown setting '{name}'").into()),
    }
    Ok(())
}

/// The model's own voice streams as traces: extra delay above each stream's smallest, times `scale`.
fn streams(scale: f64) -> Result<Vec<Trace>, Problem> {
    let one = |number: u32| {
        let packets: Vec<(f64, f64)> = stream(&MODEL, &Harness::FITTED, number, STREAMS).collect();
        let delays = packets.iter().map(|(_, delay)| *delay);
        let floor = delays.fold(f64::INFINITY, f64::min);
        let rows = packets
            .iter()
            .map(|(at, delay)| format!("{at},{}\n", scale * (delay - floor)));
        Trace::parse(&format!(
            "at_ms,extra_delay_ms\n{}",
            rows.collect::<String>()
        ))
    };
    (0..Effort::FULL.streams).map(one).collect()
}

fn line(scenario: &Scenario, kind: Kind, calls: u32, seed: u64) {
    let started = Instant::now();
    let mut replaced = 0;
    let mut of_calls: Vec<[usize; 2]> = (0..calls)
        .map(|call| {
            let seed = random::derive(seed, u64::from(call));
            let outcome = run(scenario, kind, seed, &mut ());
            let network = outcome.network;
            replaced += outcome.replacements;
            [0.5, 0.99].map(|p| network.quantile(p).unwrap_or(0))
        })
        .collect();
    let speed = scenario.length.as_secs_f64() * f64::from(calls) / started.elapsed().as_secs_f64();
    let below = of_calls.iter().filter(|[_, p99]| *p99 < 360).count();
    let mut quantile = |which: usize, p: f64| {
        of_calls.sort_unstable_by_key(|call| call[which]);
        let place = p * f64::from(calls - 1);
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "an index"
        )]
        of_calls[place as usize][which]
    };
    let [low, high] = wilson(below, calls as usize).map(|share| 100.0 * share);
    println!(
        "{kind:<16} p50 {:>4}  p99 of median call {:>5}, of p90 call {:>5}  p99 < 360 ms: {:>5.1} % ({low:.0}-{high:.0})  replaced {:.1}  ({speed:.0} call-s/s)",
        quantile(0, 0.5),
        quantile(1, 0.5),
        quantile(1, 0.9),
        100.0 * below as f64 / f64::from(calls),
        f64::from(replaced) / f64::from(calls),
    );
}
