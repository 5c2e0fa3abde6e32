//! `tacit-quality`: speech material and measures of call quality, for the demo and by hand.
#![forbid(unsafe_code)]

use clap::{Parser, Subcommand};
use std::error::Error;
use std::path::{Path, PathBuf};
use tacit_quality::align::{Search, align};
use tacit_quality::speech::{Text, assemble};
use tacit_quality::{gap, pesq, signal};

mod loopback;

#[derive(Parser)]
#[command(about = "Speech material and measures of call quality", version)]
struct Arguments {
    #[command(subcommand)]
    command: Task,
}

#[derive(Subcommand)]
enum Task {
    /// Writes recorded human speech, two texts, as 48 kHz mono WAV files
    Speech {
        /// WAV file for the first text
        out_a: PathBuf,
        /// WAV file for the second text
        out_b: PathBuf,
        /// Length of each
        #[arg(long, default_value_t = 25)]
        seconds: usize,
    },
    /// Scores what was heard against what was spoken: PESQ-WB, segments of 8 to 12 s, mean
    Pesq {
        #[command(flatten)]
        pair: Pair,
        /// First second of the spoken file that counts
        #[arg(long, default_value_t = 0.0)]
        from: f64,
        /// Last second of the spoken file that counts; by default its end
        #[arg(long)]
        to: Option<f64>,
    },
    /// Finds the longest silence in what was heard where there had been speech
    Gap {
        #[command(flatten)]
        pair: Pair,
    },
    /// Plays a tone to the default loudspeaker and records the default microphone
    Loopback(loopback::Loopback),
}

#[derive(clap::Args)]
struct Pair {
    /// WAV file that was spoken
    spoken: PathBuf,
    /// WAV file that was heard
    heard: PathBuf,
    /// Most by which the heard file may lag or lead, seconds
    #[arg(long, default_value_t = 2.0)]
    max_delay: f64,
    /// Prints one JSON object
    #[arg(long)]
    json: bool,
}

impl Pair {
    fn read(&self) -> Result<(Vec<f32>, Vec<f32>), Box<dyn Error>> {
        Ok((read(&self.spoken)?, read(&self.heard)?))
    }
}

fn read(path: &Path) -> Result<Vec<f32>, Box<dyn Error>> {
    signal::read_wav(path).map_err(|e| format!("{}: {e}", path.display()).into())
}

fn main() -> std::process::ExitCode {
    match run(Arguments::parse().command) {
        Ok(()) => std::process::ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("tacit-quality: {error}");
            std::process::ExitCode::FAILURE
        }
    }
}

fn run(task: Task) -> Result<(), Box<dyn Error>> {
    match task {
        Task::Speech {
            out_a,
            out_b,
            seconds,
        } => {
            for (text, path) in [(Text::A, out_a), (Text::B, out_b)] {
                signal::write_wav(&path, &assemble(text, seconds)?)?;
            }
            Ok(())
        }
        Task::Pesq { pair, from, to } => run_pesq(&pair, from, to),
        Task::Gap { pair } => run_gap(&pair),
        Task::Loopback(loopback) => loopback.run(),
    }
}

fn run_pesq(pair: &Pair, from: f64, to: Option<f64>) -> Result<(), Box<dyn Error>> {
    let (spoken, heard) = pair.read()?;
    let to = to.unwrap_or(f64::INFINITY);
    let report = pesq::score(&spoken, &heard, from, to, Search::within(pair.max_delay))?;
    if pair.json {
        println!("{}", serde_json::to_string(&report)?);
        return Ok(());
    }
    for s in &report.segments {
        println!(
            "{:6.1} to {:6.1} s  {:5.2}  delay {:.0} ms",
            s.from_s, s.to_s, s.score, s.delay_ms
        );
    }
    println!("PESQ-WB {:.2}", report.mean);
    Ok(())
}

fn run_gap(pair: &Pair) -> Result<(), Box<dyn Error>> {
    let (spoken, heard) = pair.read()?;
    let found = align(
        &spoken,
        &heard,
        0..spoken.len(),
        Search::within(pair.max_delay),
    )
    .ok_or("nothing of what was spoken can be found in what was heard")?;
    let gap = gap::longest(&spoken, &heard, found.delay);
    if pair.json {
        println!("{}", serde_json::to_string(&gap)?);
    } else {
        println!(
            "longest gap {} ms, {} ms into what was spoken",
            gap.length_ms, gap.at_ms
        );
    }
    Ok(())
}
