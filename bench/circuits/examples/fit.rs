//! Prints what was published beside what the model says, and the errors.
//!
//! `cargo run --release -p tacit-circuits --example fit [-- --search STEPS SEED]`

use tacit_circuits::fit::{
    Effort, Half, Harness, PUBLISHED, ROUND_TRIPS, Scale, loss, round_trips, search, simulate,
};
use tacit_circuits::{CONGESTION, MODEL, Params, VERSION};

/// The errors are computed on other circuits than those that the search saw.
const SEED: u64 = 20_251_122;

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let (mut params, mut harness) = (MODEL, Harness::FITTED);
    if let [flag, steps, seed] = arguments.as_slice()
        && flag == "--search"
    {
        let (Ok(steps), Ok(seed)) = (steps.parse(), seed.parse()) else {
            eprintln!("usage: fit [--search STEPS SEED]");
            std::process::exit(2);
        };
        (params, harness) = search((params, harness), steps, seed, |step, loss, _, _| {
            eprintln!("step {step}: {loss:.5}");
        });
        println!("{params:#?}\n{harness:#?}");
    }
    print(&simulate(&params, &harness, Effort::FULL, SEED));
    print_years(&params);
}

fn print(simulated: &tacit_circuits::fit::Facts) {
    println!("model {VERSION}; published | simulated, error; * was not seen by the fit");
    let mut group = "";
    for (published, simulated) in PUBLISHED.entries().iter().zip(simulated.entries()) {
        if published.group != group {
            group = published.group;
            println!("\n{group}");
        }
        let error = match published.scale {
            Scale::Ratio => format!(
                "{:+.0} %",
                100.0 * (simulated.value / published.value - 1.0)
            ),
            Scale::Points => format!("{:+.1} points", simulated.value - published.value),
        };
        let mark = if published.half == Half::HeldOut {
            "*"
        } else {
            " "
        };
        println!(
            "  {mark} {:<18} {:>8.1} | {:>8.1}  {error}",
            published.name, published.value, simulated.value
        );
    }
    let [fitted, held_out] = [Half::Fitted, Half::HeldOut].map(|half| loss(simulated, half));
    println!("\nloss: fitted {fitted:.4}, held out {held_out:.4}");
}

/// No fit: Tor of 2018 and 2019 beside the model's year and the benchmark's congestion.
fn print_years(params: &Params) {
    println!(
        "\nround trips from all places, ms; 2018 | 2019 | model | at {CONGESTION} times the congestion"
    );
    let model = round_trips(params, Effort::FULL, SEED);
    let calibrated = round_trips(&params.congested(CONGESTION), Effort::FULL, SEED);
    for ((p, y2018, y2019), (model, calibrated)) in
        ROUND_TRIPS.iter().zip(model.into_iter().zip(calibrated))
    {
        println!(
            "    p{:<6} {y2018:>8.0} | {y2019:>8.0} | {model:>8.0} | {calibrated:>8.0}",
            100.0 * p
        );
    }
}
