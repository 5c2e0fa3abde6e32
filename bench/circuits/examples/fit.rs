//! Prints what was published beside what the model says, and the errors.
//!
//! `cargo run --release -p tacit-circuits --example fit [-- --search STEPS SEED | --seeds N | --samples]`
//!
//! `--search` looks for better parameters; `--seeds` tells how much of the errors is chance: their
//! means and deviations over N seeds; `--samples` prints the simulated streams and round trips
//! themselves, as CSV, so that everything can be counted again.

use std::io::{self, Write};

use tacit_circuits::fit::{
    Effort, Facts, Harness, ROUND_TRIPS, Role, SEED, loss, place_round_trips, round_trips, search,
    simulate, stream, summary, table,
};
use tacit_circuits::{CONGESTION, MODEL, Params, Place, VERSION, random};

const ROLES: [Role; 3] = [Role::Fitted, Role::HeldOut, Role::Check];

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let done = match words.as_slice() {
        [] => {
            report(&MODEL, &Harness::FITTED);
            Ok(())
        }
        ["--samples"] => samples(&mut io::stdout().lock()),
        ["--seeds", count] => seeds(count),
        ["--search", steps, seed] => improve(steps, seed),
        _ => Err("usage: fit [--search STEPS SEED | --seeds N | --samples]".into()),
    };
    if let Err(error) = done {
        eprintln!("{error}");
        std::process::exit(2);
    }
}

fn improve(steps: &str, seed: &str) -> Result<(), Box<dyn std::error::Error>> {
    let told = |step, loss: f64, params: &_, harness: &_| {
        eprintln!("step {step}: {loss:.5} {params:?} {harness:?}");
    };
    let start = (MODEL, Harness::FITTED);
    let (params, harness) = search(start, steps.parse()?, seed.parse()?, told);
    println!("{params:#?}\n{harness:#?}");
    report(&params, &harness);
    Ok(())
}

fn seeds(count: &str) -> Result<(), Box<dyn std::error::Error>> {
    let count: u32 = count.parse()?;
    let of_seed = |seed: u32| {
        let seed = random::derive(SEED, u64::from(seed));
        let facts = simulate(&MODEL, &Harness::FITTED, Effort::FULL, seed);
        ROLES.map(|role| loss(&facts, role))
    };
    let losses: Vec<[f64; 3]> = (0..count).map(of_seed).collect();
    for (place, role) in ROLES.iter().enumerate() {
        let values: Vec<f64> = losses.iter().map(|losses| losses[place]).collect();
        let mean = summary::mean(&values);
        let squares: Vec<f64> = values.iter().map(|value| (value - mean).powi(2)).collect();
        let deviation = summary::mean(&squares).sqrt();
        println!("{role:?}: mean error {mean:.3}, deviation {deviation:.3}, {count} seeds");
    }
    Ok(())
}

fn report(params: &Params, harness: &Harness) {
    print(&simulate(params, harness, Effort::FULL, SEED));
    print_years(params);
}

fn samples(out: &mut impl Write) -> Result<(), Box<dyn std::error::Error>> {
    writeln!(out, "what,number,sent_ms,delay_ms")?;
    for number in 0..Effort::FULL.streams {
        for (sent, delay) in stream(&MODEL, &Harness::FITTED, number, SEED) {
            writeln!(out, "stream,{number},{sent},{delay:.3}")?;
        }
    }
    for place in Place::ALL {
        let round_trips = place_round_trips(&MODEL, place, Effort::FULL, SEED);
        for (number, delay) in round_trips.into_iter().enumerate() {
            writeln!(out, "round trip {place},{number},,{delay:.3}")?;
        }
    }
    Ok(())
}

/// The table, and how far it is off by the search's measure.
fn print(simulated: &Facts) {
    println!(
        "simulated, model {VERSION}; * was not seen by the fit; of † nothing of its kind was\n"
    );
    print!("{}", table::markdown(simulated));
    let [fitted, held_out, check] = ROLES.map(|role| loss(simulated, role));
    println!("\nmean error by the search's measure: fitted {fitted:.3}, held out {held_out:.3}");
    println!("check, by the same measure: {check:.3}");
}

/// No fit: Tor of 2018 and 2019 beside the model's year and the benchmark's congestion.
fn print_years(params: &Params) {
    let factor = CONGESTION;
    println!(
        "\n| round trips from all places, ms | 2018 | 2019 | model (2025) | at {factor} times the congestion |"
    );
    println!("|---|---|---|---|---|");
    let model = round_trips(params, Effort::FULL, SEED);
    let calibrated = round_trips(&params.congested(factor), Effort::FULL, SEED);
    for ((p, y2018, y2019), (model, calibrated)) in
        ROUND_TRIPS.iter().zip(model.into_iter().zip(calibrated))
    {
        let p = 100.0 * p;
        println!("| p{p} | {y2018:.0} | {y2019:.0} | {model:.0} | {calibrated:.0} |");
    }
}
