//! What the program is told.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Parser, Subcommand, ValueEnum};
use tacit_circuits::strategies::Kind;
use tacit_circuits::{Client, Clients, Mode, Part, Place, Scenario, Traces};
use tacit_types::limits::DEFAULT_LEGS;

use tacit_bench::audio::{SHORTEST, Studio};
use tacit_bench::sim::Plan;

const EXIT_CODES: &str = "Exit codes: 0 done; 1 a limit was missed (--fail-above, --fail-if-missed); \
2 wrong arguments, a file, or anything else that failed; 130 in a shell for what Ctrl-C ended.";

/// Why there is no `tornet`, and how to have it.
#[cfg(not(feature = "tornet"))]
pub(crate) fn without_tor(arguments: &[String]) -> String {
    let again: Vec<&str> = ["tacit-bench", "tornet"]
        .into_iter()
        .chain(arguments.iter().map(String::as_str))
        .collect();
    format!(
        "this program was built without Tor (--no-default-features), which tornet needs: \
         `cargo build --release -p tacit-bench` builds it with Tor in some minutes; then, as root, `{}`",
        again.join(" ")
    )
}

/// Voice latency over simulated Tor circuits.
///
/// Runs the production scheduler and playout, and published systems rebuilt from their descriptions,
/// over the same simulated circuits. Same seed, same output. Nothing here touches the Internet.
#[derive(Debug, Parser)]
#[command(name = "tacit-bench", version, after_help = EXIT_CODES)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Simulates calls and prints one line of JSON for each.
    Run(RunArgs),
    /// Compares strategies on the same circuits: one line each.
    Compare(CompareArgs),
    /// Runs the grid of the goals, and writes the results page with its plots.
    Results(ResultsArgs),
    /// Turns what `run` has printed into a page with plots, a table or CSV.
    Report(ReportArgs),
    /// Measures a call's packets over real Tor relays on this machine with added delay, beside what the
    /// simulator predicts for them.
    ///
    /// Needs root, for network namespaces, and Debian's `tor` and `coturn` (`cargo xtask setup`). Only
    /// loopback and those namespaces are used.
    #[cfg(feature = "tornet")]
    Tornet(crate::tornet::TornetArgs),
    /// Not in this program, which was built without Tor: `cargo build --release -p tacit-bench` builds it
    /// with it.
    #[cfg(not(feature = "tornet"))]
    Tornet {
        #[arg(hide = true, trailing_var_arg = true, allow_hyphen_values = true)]
        arguments: Vec<String>,
    },
    /// Checks a folder of traces, or writes one from the model.
    Trace {
        #[command(subcommand)]
        command: TraceCommand,
    },
}

/// Which half a trace is in does not depend on what calls are drawn from: what was tuned on is never scored.
pub(crate) const TRACES_SPLIT: u64 = 1;

#[derive(Debug, Args)]
pub(crate) struct Scene {
    /// How the two people's circuits meet: `turn`, at a TURN server, or `onion`, as onion legs.
    #[arg(long, default_value = "onion")]
    mode: Mode,
    /// Where the caller is: de, us or hk.
    #[arg(long, default_value = "de")]
    from: Place,
    /// Where the callee is.
    #[arg(long, default_value = "de")]
    to: Place,
    /// Length of a call.
    #[arg(long, default_value_t = 5.0, value_parser = minutes)]
    minutes: f64,
    /// Calls for each strategy.
    #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    calls: u32,
    /// Circuits a side (turn) or in all (onion). Donar always has twelve.
    #[arg(long, default_value_t = DEFAULT_LEGS, value_parser = clap::value_parser!(u8).range(1..=16))]
    legs: u8,
    /// Share of stall time that all circuits behind one guard share, 0 to 1.
    #[arg(long, default_value_t = tacit_circuits::CORRELATION, value_parser = share)]
    correlation: f64,
    /// Guards a side. Donar has as many as --donar-guards says.
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u8).range(1..=8))]
    guards: u8,
    /// Guards a side with Donar: two, as published.
    #[arg(long, default_value_t = 2, value_parser = clap::value_parser!(u8).range(1..=8))]
    donar_guards: u8,
    /// Packets a second and direction that tacit may send: 50, or 25 with 40 ms in each. The others send
    /// what they were published with.
    #[arg(long, default_value_t = 50, value_parser = cells)]
    cells: u32,
    /// Simulate so many of each strategy's calls with real speech through the real codec, and score them
    /// with PESQ, which is installed if it is missing.
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub(crate) pesq: u32,
    /// tacit, and with it oracle and bound, keep the circuits that a call begins with, as the others do.
    /// Without it tacit replaces bad ones in the course of the call, and those two get the same.
    #[arg(long)]
    keep_circuits: bool,
    /// What stretches the floors of all circuits: 1.0 to 2.0 was measured for onion circuits.
    #[arg(long, default_value_t = 1.0, value_parser = stretch)]
    floor: f64,
    /// Which Tor client strategies have: it decides what waits on the connection to a guard.
    #[arg(long, value_enum, default_value_t = ClientsArg::Own)]
    clients: ClientsArg,
    /// Tacit's Tor client does not acknowledge at once.
    #[arg(long)]
    delayed_acks: bool,
    /// Nagle's algorithm is off everywhere.
    #[arg(long)]
    no_nagle: bool,
    /// Recorded delays instead of the model's: a folder of CSV files with at_ms,extra_delay_ms. They
    /// cannot judge packet spacing, and over them --correlation, --clients, --delayed-acks and --no-nagle
    /// change nothing.
    #[arg(long, value_name = "DIR")]
    traces: Option<PathBuf>,
    /// Use the half of the traces that is for tuning, not the one for scoring.
    #[arg(long, requires = "traces")]
    tuning: bool,
    /// Strategies, separated by commas; each is simulated once. Two more can be asked for that are no contestants, since no call
    /// can know what they do: told-levels and told-stalls are tacit's scheduler over tacit's circuits,
    /// told by the simulator at every moment how long each circuit's queues are over seconds and
    /// minutes; and told-stalls which stalls have begun, too. told-stalls-150 hears it 150 ms late. They
    /// say how much of the distance to the oracle better knowledge of circuits could bring.
    #[arg(long, value_delimiter = ',', default_values_t = Kind::ALL)]
    strategies: Vec<Kind>,
    /// What all calls are drawn from.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Threads; as many as there are cores if not given.
    #[arg(long, value_parser = clap::value_parser!(u8).range(1..))]
    pub(crate) jobs: Option<u8>,
    /// No progress: neither the bar nor, where standard error is no terminal, a line every ten seconds.
    #[arg(long, short)]
    pub(crate) quiet: bool,
}

impl Scene {
    pub(crate) fn strategies(&self) -> &[Kind] {
        &self.strategies
    }

    /// What scores calls, if any are to be.
    pub(crate) fn studio(&self) -> Result<Option<Studio>, String> {
        if self.pesq == 0 {
            return Ok(None);
        }
        if 60.0 * self.minutes < SHORTEST.as_secs_f64() {
            return Err("--pesq needs calls of at least half a minute".to_owned());
        }
        Studio::new().map(Some).map_err(|error| error.to_string())
    }

    /// What is to be simulated.
    pub(crate) fn plan(&self) -> Result<Plan, tacit_circuits::TraceError> {
        let mut scenario = Scenario::new(self.mode);
        scenario.places = [self.from, self.to];
        scenario.length = Duration::from_secs_f64(60.0 * self.minutes);
        scenario.legs = usize::from(self.legs);
        scenario.guards = usize::from(self.guards);
        scenario.correlation = self.correlation;
        scenario.floor_factor = self.floor;
        scenario.cells_per_second = self.cells;
        scenario.replace = !self.keep_circuits;
        scenario.clients = self.clients.into();
        scenario.quick_ack = !self.delayed_acks;
        scenario.nagle = !self.no_nagle;
        let part = if self.tuning {
            Part::Tuning
        } else {
            Part::Scoring
        };
        scenario.traces = match &self.traces {
            Some(folder) => Some((Traces::read(folder, TRACES_SPLIT)?, part)),
            None => None,
        };
        Ok(Plan {
            scenario,
            donar_guards: usize::from(self.donar_guards),
            donar_legs: 12,
            calls: self.calls,
            seed: self.seed,
        })
    }
}

#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum ClientsArg {
    /// Each strategy its own: those that were published had C tor.
    Own,
    /// Tacit's for all.
    Tacit,
    /// C tor for all.
    CTor,
}

impl From<ClientsArg> for Clients {
    fn from(arg: ClientsArg) -> Self {
        match arg {
            ClientsArg::Own => Self::Own,
            ClientsArg::Tacit => Self::All(Client::Tacit),
            ClientsArg::CTor => Self::All(Client::CTor),
        }
    }
}

#[derive(Debug, Args)]
pub(crate) struct RunArgs {
    #[command(flatten)]
    pub(crate) scene: Scene,
    /// Write the lines there instead of to standard output: to FILE.part as calls end, which becomes FILE
    /// when all are in it. What is broken off leaves the whole lines so far in FILE.part.
    #[arg(long, short, value_name = "FILE")]
    pub(crate) output: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(crate) struct CompareArgs {
    #[command(flatten)]
    pub(crate) scene: Scene,
    /// One line of JSON a strategy instead of a table.
    #[arg(long)]
    pub(crate) json: bool,
    /// Also write the table as CSV.
    #[arg(long, value_name = "FILE")]
    pub(crate) csv: Option<PathBuf>,
    /// Also write a page with plots.
    #[arg(long, value_name = "FILE")]
    pub(crate) html: Option<PathBuf>,
    /// Exit with 1 if the network p99 of tacit's median call is above this, in ms.
    #[arg(long, value_name = "MS", value_parser = limit)]
    pub(crate) fail_above: Option<f64>,
    /// Measure the time that simulating takes: then not every run prints the same.
    #[arg(long)]
    pub(crate) cpu: bool,
}

#[derive(Debug, Args)]
pub(crate) struct ResultsArgs {
    /// Folder for `results.md` and the folder `results` of its plots.
    #[arg(long, default_value = "docs")]
    pub(crate) out: PathBuf,
    /// Where simulated calls are kept between runs.
    #[arg(long, default_value = "target/bench-results")]
    pub(crate) cache: PathBuf,
    /// Take calls that an earlier run has left there, for the same code, instead of simulating them.
    #[arg(long)]
    pub(crate) resume: bool,
    /// Simulate nothing more: the page of what is there.
    #[arg(long, requires = "resume")]
    pub(crate) no_simulate: bool,
    /// Calls of five minutes for the rows of the goals; the others have as many as is stated.
    #[arg(long, default_value_t = 400, value_parser = clap::value_parser!(u32).range(2..=100_000))]
    pub(crate) calls: u32,
    /// Calls with real speech, for the PESQ row.
    #[arg(long, default_value_t = 40, value_parser = clap::value_parser!(u32).range(1..=1_000))]
    pub(crate) pesq: u32,
    /// A look in some minutes: few calls, another seed; the page says so.
    #[arg(long, conflicts_with_all = ["calls", "pesq", "seed"])]
    pub(crate) quick: bool,
    /// What all calls are drawn from: the scored calls for the whole grid, others for less, if it is not
    /// said.
    #[arg(long)]
    pub(crate) seed: Option<u64>,
    /// Exit with 1 if a goal is missed.
    #[arg(long)]
    pub(crate) fail_if_missed: bool,
    /// Threads; as many as there are cores if not given.
    #[arg(long, value_parser = clap::value_parser!(u8).range(1..))]
    pub(crate) jobs: Option<u8>,
    /// No progress.
    #[arg(long, short)]
    pub(crate) quiet: bool,
}

#[derive(Debug, Args)]
pub(crate) struct ReportArgs {
    /// Files that `run` has written.
    #[arg(required = true)]
    pub(crate) files: Vec<PathBuf>,
    /// Write a page with plots.
    #[arg(long, value_name = "FILE")]
    pub(crate) html: Option<PathBuf>,
    /// Write the table as CSV.
    #[arg(long, value_name = "FILE")]
    pub(crate) csv: Option<PathBuf>,
    /// One line of JSON a strategy instead of a table.
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Subcommand)]
pub(crate) enum TraceCommand {
    /// Reads a folder of traces and says what is in it, or what is wrong.
    Check {
        /// The folder.
        folder: PathBuf,
    },
    /// Writes circuits of the model as traces: 50 packets a second, delay above each one's smallest.
    ///
    /// One direction of a circuit each, both ends in Germany (de), with Nagle's algorithm on the first and
    /// the last hop for each circuit by itself, as the fit of the model has it. With `--congestion 1` they
    /// are of today's network (2025), to which the model is fitted.
    Make {
        /// The folder; it must not exist.
        folder: PathBuf,
        /// How many circuits.
        #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(u32).range(2..=100_000))]
        count: u32,
        /// Length of each.
        #[arg(long, default_value_t = 60, value_parser = clap::value_parser!(u32).range(1..=86_400))]
        seconds: u32,
        /// How many times the congestion of 2025 there is. The default is that of simulated calls, whose
        /// network is that of Donar's measurements.
        #[arg(long, value_name = "FACTOR", default_value_t = tacit_circuits::CONGESTION, value_parser = congestion)]
        congestion: f64,
        /// What they are drawn from.
        #[arg(long, default_value_t = 1)]
        seed: u64,
    },
}

fn number(text: &str, least: f64, most: f64) -> Result<f64, String> {
    let value: f64 = text.parse().map_err(|_| "not a number".to_owned())?;
    if (least..=most).contains(&value) {
        Ok(value)
    } else {
        Err(format!("must be between {least} and {most}"))
    }
}

fn limit(text: &str) -> Result<f64, String> {
    number(text, 0.0, 1e6)
}

fn cells(text: &str) -> Result<u32, String> {
    match text.parse() {
        Ok(cells @ (25 | 50)) => Ok(cells),
        _ => Err("must be 25 or 50".to_owned()),
    }
}

fn minutes(text: &str) -> Result<f64, String> {
    number(text, 0.2, 1_440.0)
}

fn share(text: &str) -> Result<f64, String> {
    number(text, 0.0, 1.0)
}

fn congestion(text: &str) -> Result<f64, String> {
    number(text, 0.0, 100.0)
}

fn stretch(text: &str) -> Result<f64, String> {
    number(text, 0.1, 10.0)
}
