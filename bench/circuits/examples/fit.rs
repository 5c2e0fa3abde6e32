//! Prints what was published beside what the model says, and the errors.
//!
//! `cargo run --release -p tacit-circuits --example fit [-- --search STEPS SEED | --seeds N | --samples]`
//!
//! `--search` looks for better parameters; `--seeds` tells how much of the errors is chance: their
//! means and deviations over N seeds; `--samples` prints the simulated streams and round trips
//! themselves, as CSV, so that everything can be counted again.

use std::io::{self, Write};

use tacit_circuits::fit::{
    Effort, Entry, Facts, Harness, PUBLISHED, ROUND_TRIPS, Role, Scale, loss, place_round_trips,
    round_trips, search, simulate, stream, summary,
};
use tacit_circuits::{CONGESTION, MODEL, Params, Place, VERSION, random};

/// The errors are computed on other circuits than those that the search saw.
const SEED: u64 = 20_251_122;

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

/// One line a list of numbers, as a Markdown table.
fn print(simulated: &Facts) {
    println!(
        "simulated, model {VERSION}; * was not seen by the fit; of † nothing of its kind was\n"
    );
    println!("| | published | model | error |\n|---|---|---|---|");
    let rows: Vec<(Entry, Entry)> = PUBLISHED
        .entries()
        .into_iter()
        .zip(simulated.entries())
        .collect();
    for list in rows.chunk_by(|a, b| a.0.group == b.0.group) {
        let cells = |cell: fn(&(Entry, Entry)) -> String| {
            list.iter().map(cell).collect::<Vec<_>>().join(", ")
        };
        let names = cells(|(published, _)| format!("{}{}", published.name, mark(published)));
        let published = cells(|(published, _)| number(published.value));
        let simulated = cells(|(_, simulated)| number(simulated.value));
        let errors = cells(|(published, simulated)| difference(published, simulated));
        let group = list[0].0.group;
        println!("| {group}: {names} | {published} | {simulated} | {errors} |");
    }
    let [fitted, held_out, check] = ROLES.map(|role| loss(simulated, role));
    println!("\nmean error by the search's measure: fitted {fitted:.3}, held out {held_out:.3}");
    println!("check, by the same measure: {check:.3}");
}

const fn mark(entry: &Entry) -> &'static str {
    match entry.role {
        Role::HeldOut => "\\*",
        Role::Check => "†",
        Role::Fitted => "",
    }
}

fn number(value: f64) -> String {
    if value < 10.0 {
        format!("{value:.1}")
    } else {
        format!("{value:.0}")
    }
}

fn difference(published: &Entry, simulated: &Entry) -> String {
    match published.scale {
        Scale::Ratio => format!(
            "{:+.0} %",
            100.0 * (simulated.value / published.value - 1.0)
        ),
        Scale::Points => format!("{:+.1} points", simulated.value - published.value),
    }
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
