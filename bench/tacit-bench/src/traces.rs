//! `trace`: folders of recorded delays.

use std::fs;
use std::io::{self, Write as _};
use std::path::Path;

use tacit_circuits::{
    Circuit, Direction, MODEL, Part, Place, Seeds, Setting, Traces, VERSION, random,
};
use tacit_types::Timestamp;

use crate::Failure;
use crate::args::TRACES_SPLIT;

/// Time between packets of the traces that are made, microseconds.
const INTERVAL: u64 = 20_000;

pub(crate) fn check(folder: &Path) -> Result<(), Failure> {
    let traces = Traces::read(folder, TRACES_SPLIT)?;
    writeln!(
        io::stdout(),
        "{}: {} traces for tuning, {} for scoring. They cannot judge packet spacing: a recorded delay is that of the spacing it was recorded at.",
        folder.display(),
        traces.count(Part::Tuning),
        traces.count(Part::Scoring)
    )?;
    Ok(())
}

/// Writes so many circuits of so many seconds.
pub(crate) fn make(
    folder: &Path,
    (count, seconds): (u32, u32),
    congestion: f64,
    seed: u64,
) -> Result<(), Failure> {
    let failed = |error: io::Error| format!("{}: {error}", folder.display());
    if folder.exists() {
        return Err(format!("{}: is there already; name a new folder", folder.display()).into());
    }
    fs::create_dir(folder).map_err(failed)?;
    let params = MODEL.congested(congestion);
    let setting = Setting::between(Place::De, Place::De);
    for number in 0..count {
        let own = random::derive(seed, u64::from(number));
        let seeds = Seeds {
            guard: random::derive(own, 1),
            circuit: random::derive(own, 2),
        };
        let mut circuit = Circuit::new(&params, seeds, Direction::Up, &setting);
        let sent = (0..u64::from(seconds) * 1_000_000 / INTERVAL).map(|packet| packet * INTERVAL);
        let delays: Vec<(u64, u64)> = sent
            .map(|at| {
                (
                    at,
                    circuit.send(Timestamp::from_micros(at)).as_micros() - at,
                )
            })
            .collect();
        let least = delays.iter().map(|(_, delay)| *delay).min().unwrap_or(0);
        let mut text = String::from("at_ms,extra_delay_ms\n");
        for (at, delay) in delays {
            text.push_str(&format!(
                "{},{}\n",
                at as f64 / 1e3,
                (delay - least) as f64 / 1e3
            ));
        }
        let path = folder.join(format!("circuit-{number:05}.csv"));
        fs::write(&path, text).map_err(|error| format!("{}: {error}", path.display()))?;
    }
    writeln!(
        io::stdout(),
        "{count} simulated circuits of {seconds} s in {}: {VERSION}, both ends in Germany, {congestion} times the congestion of 2025, Nagle's algorithm on the first and the last hop as in the fit",
        folder.display()
    )?;
    Ok(())
}
