//! `tacit-bench`: calls over simulated Tor circuits.
#![forbid(unsafe_code)]

mod args;
mod file;
mod lines;
mod output;
mod progress;
mod results;
mod runner;
#[cfg(feature = "tornet")]
mod tornet;
mod traces;

use std::io::Write;
use std::path::Path;
use std::process::ExitCode;
use std::sync::{Mutex, PoisonError};

use args::{Cli, Command, CompareArgs, ReportArgs, RunArgs, Scene, TraceCommand};
use clap::Parser as _;
use file::Output;
use lines::InOrder;
use progress::Progress;
use runner::Runner;
use tacit_bench::hearing::Buffer;
use tacit_bench::line::CallLine;
use tacit_bench::row::Row;
use tacit_bench::sim::{Contender, Plan};
use tacit_bench::text::ms;
use tacit_bench::{html, plots};
use tacit_circuits::strategies::Kind;

/// What went wrong, in plain words.
type Failure = Box<dyn std::error::Error + Send + Sync>;

fn main() -> ExitCode {
    let cli = Cli::parse();
    let done = match cli.command {
        Command::Run(args) => run(&args).map(|()| ExitCode::SUCCESS),
        Command::Compare(args) => compare(&args),
        Command::Results(args) => results::run(&args),
        Command::Report(args) => report(&args).map(|()| ExitCode::SUCCESS),
        #[cfg(feature = "tornet")]
        Command::Tornet(args) => tornet::run(args),
        #[cfg(not(feature = "tornet"))]
        Command::Tornet { arguments } => Err(args::without_tor(&arguments).into()),
        Command::Trace { command } => trace(command).map(|()| ExitCode::SUCCESS),
    };
    done.unwrap_or_else(|error| {
        // Somebody who has seen enough, such as `head`, is no failure.
        let closed = |e: &std::io::Error| e.kind() == std::io::ErrorKind::BrokenPipe;
        if error.downcast_ref().is_some_and(closed) {
            return ExitCode::SUCCESS;
        }
        eprintln!("tacit-bench: {error}");
        ExitCode::from(2)
    })
}

fn run(args: &RunArgs) -> Result<(), Failure> {
    let mut file = args.output.as_deref().map(Output::create).transpose()?;
    let plan = args.scene.plan()?;
    if let Some(part) = file.as_ref().and_then(Output::part)
        && !args.scene.quiet
    {
        let part = part.display();
        eprintln!("until all calls are there, their lines are in {part}");
    }
    let mut stdout = std::io::stdout();
    let out: &mut (dyn Write + Send) = match &mut file {
        Some(file) => file,
        None => &mut stdout,
    };
    let lines = Mutex::new(InOrder::new(out));
    let each = |place: u64, call: &CallLine, progress: &Progress| -> Result<(), Failure> {
        let text = serde_json::to_string(call)?;
        let mut lines = lines.lock().unwrap_or_else(PoisonError::into_inner);
        Ok(progress.beside(|| lines.add(place, text))?)
    };
    simulate(&args.scene, &plan, each, |_, _| Ok(()))?;
    drop(lines);
    file.map_or(Ok(()), Output::finish)
}

fn compare(args: &CompareArgs) -> Result<ExitCode, Failure> {
    if args.fail_above.is_some() && !args.scene.strategies().contains(&Kind::Tacit) {
        return Err("--fail-above needs the strategy tacit".into());
    }
    let files = Files::create(args.csv.as_deref(), args.html.as_deref())?;
    let (mut groups, mut rows) = (Vec::new(), Vec::new());
    let plan = args.scene.plan()?;
    let one_more = |calls: Vec<CallLine>, cpu: f64| -> Result<(), Failure> {
        if let Some(mut row) = Row::of(&calls) {
            row.cpu_percent = args.cpu.then_some(cpu);
            if args.json {
                json_line(&row)?;
            }
            rows.push(row);
        }
        groups.push(calls);
        Ok(())
    };
    simulate(&args.scene, &plan, |_, _, _| Ok(()), one_more)?;
    if !args.json {
        output::table(&rows, &mut std::io::stdout().lock())?;
    }
    let drawn = if args.html.is_some() {
        drawn_calls(&plan, args.scene.strategies())?
    } else {
        Vec::new()
    };
    files.write(&groups, &rows, &drawn)?;
    Ok(args
        .fail_above
        .map_or(ExitCode::SUCCESS, |limit| regressed(&rows, limit)))
}

/// Prints a row as a line of JSON. `println!` would panic when nobody reads any more.
fn json_line(row: &Row) -> Result<(), Failure> {
    let text = serde_json::to_string(row)?;
    Ok(writeln!(std::io::stdout(), "{text}")?)
}

/// Whether tacit is worse than it may be, which is told.
fn regressed(rows: &[Row], limit: f64) -> ExitCode {
    let ours = rows.iter().find(|row| row.setting.strategy == "tacit");
    let p99 = ours.and_then(|row| row.network_ms.p99_median_call);
    if p99.is_some_and(|p99| p99 <= limit) {
        return ExitCode::SUCCESS;
    }
    eprintln!(
        "tacit-bench: tacit's network p99 of the median call is {} ms, above the {limit} of --fail-above",
        ms(p99)
    );
    ExitCode::FAILURE
}

/// What else is written.
struct Files {
    csv: Option<Output>,
    page: Option<Output>,
}

impl Files {
    fn create(csv: Option<&Path>, page: Option<&Path>) -> Result<Self, Failure> {
        if csv.is_some() && csv == page {
            return Err("--csv and --html name the same file".into());
        }
        Ok(Self {
            csv: csv.map(Output::create).transpose()?,
            page: page.map(Output::create).transpose()?,
        })
    }

    fn write(
        self,
        groups: &[Vec<CallLine>],
        rows: &[Row],
        drawn: &[String],
    ) -> Result<(), Failure> {
        if let Some(mut file) = self.csv {
            output::csv(rows, &mut file)?;
            file.finish()?;
        }
        if let Some(mut file) = self.page {
            file.write_all(html::page(groups, drawn)?.as_bytes())?;
            file.finish()?;
        }
        Ok(())
    }
}

/// The first call, with those strategies of which it is worth looking at.
fn drawn_calls(plan: &Plan, strategies: &[Kind]) -> Result<Vec<String>, Failure> {
    let wanted = plots::DRAWN.into_iter().filter(|k| strategies.contains(k));
    let draw = |strategy| plots::one_call(plan, Contender::new(strategy, Buffer::Tacit), 0);
    Ok(wanted.map(draw).collect::<Result<_, _>>()?)
}

/// Simulates every strategy. `line` gets each call as it ends, with its place among all; `each` a
/// strategy's calls, and the share of a core that one took in percent.
fn simulate(
    scene: &Scene,
    plan: &Plan,
    line: impl Fn(u64, &CallLine, &Progress) -> Result<(), Failure> + Sync,
    mut each: impl FnMut(Vec<CallLine>, f64) -> Result<(), Failure>,
) -> Result<(), Failure> {
    if let Some(warning) = few_traces(plan) {
        eprintln!("tacit-bench: {warning}");
    }
    let runner = Runner::new(scene.jobs, scene.quiet)?;
    let studio = scene.studio()?;
    let contenders = Contender::all_of(scene.strategies());
    let of_each = u64::from(plan.calls);
    let progress = runner.progress(of_each * contenders.len() as u64);
    for (before, contender) in (0..).step_by(plan.calls as usize).zip(contenders) {
        let one = |call: &CallLine| line(before + u64::from(call.call), call, &progress);
        let sound = (scene.pesq, studio.as_ref());
        let (calls, cpu) = runner.calls(plan, contender, sound, &progress, one)?;
        progress.beside(|| each(calls, cpu))?;
    }
    Ok(())
}

/// Circuits are drawn from so few recorded ones that some of a call's are the same one.
fn few_traces(plan: &Plan) -> Option<String> {
    let scenario = &plan.scenario;
    let (traces, part) = scenario.traces.as_ref()?;
    let count = traces.count(*part);
    (count < scenario.legs).then(|| {
        let legs = scenario.legs;
        format!("{legs} legs are drawn from {count} traces: some are the same one at another time")
    })
}

/// Whether two names are of one file that is there.
fn is_same_file(a: &Path, b: &Path) -> bool {
    let real = |path: &Path| path.canonicalize().ok();
    real(a).is_some_and(|file| real(b) == Some(file))
}

fn report(args: &ReportArgs) -> Result<(), Failure> {
    let outputs = [("--csv", &args.csv), ("--html", &args.html)];
    for (option, output) in outputs {
        let output = output.as_deref();
        let read = |output: &&Path| args.files.iter().any(|file| is_same_file(file, output));
        if let Some(output) = output.filter(read) {
            let output = output.display();
            return Err(format!("{option} {output} would take the place of what is read").into());
        }
    }
    let files = Files::create(args.csv.as_deref(), args.html.as_deref())?;
    let read = lines::read(&args.files)?;
    for note in &read.notes {
        eprintln!("tacit-bench: {note}");
    }
    let rows: Vec<Row> = read
        .groups
        .iter()
        .filter_map(|calls| Row::of(calls))
        .collect();
    if args.json {
        for row in &rows {
            json_line(row)?;
        }
    } else {
        output::table(&rows, &mut std::io::stdout().lock())?;
    }
    files.write(&read.groups, &rows, &[])
}

fn trace(command: TraceCommand) -> Result<(), Failure> {
    match command {
        TraceCommand::Check { folder } => traces::check(&folder),
        TraceCommand::Make {
            folder,
            count,
            seconds,
            congestion,
            seed,
        } => traces::make(&folder, (count, seconds), congestion, seed),
    }
}
