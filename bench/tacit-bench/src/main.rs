//! `tacit-bench`: calls over simulated Tor circuits.
#![forbid(unsafe_code)]

mod args;
mod output;
mod results;
mod runner;
#[cfg(feature = "tornet")]
mod tornet;
mod traces;

use std::fs::File;
use std::io::{BufRead as _, BufReader, BufWriter, Write};
use std::path::Path;
use std::process::ExitCode;

use args::{Cli, Command, CompareArgs, ReportArgs, RunArgs, Scene, TraceCommand};
use clap::Parser as _;
use runner::Runner;
use tacit_bench::hearing::Buffer;
use tacit_bench::line::CallLine;
use tacit_bench::row::Row;
use tacit_bench::sim::{Contender, Plan};
use tacit_bench::{html, plots};
use tacit_circuits::strategies::Kind;

/// What went wrong, in plain words.
type Failure = Box<dyn std::error::Error>;

fn main() -> ExitCode {
    let cli = Cli::parse();
    let done = match cli.command {
        Command::Run(args) => run(&args).map(|()| ExitCode::SUCCESS),
        Command::Compare(args) => compare(&args),
        Command::Results(args) => results::run(&args),
        Command::Report(args) => report(&args).map(|()| ExitCode::SUCCESS),
        #[cfg(feature = "tornet")]
        Command::Tornet(args) => tornet::run(args),
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
    let mut out: Box<dyn Write> = match &args.output {
        Some(path) => Box::new(BufWriter::new(create(path)?)),
        None => Box::new(std::io::stdout().lock()),
    };
    let plan = args.scene.plan()?;
    simulate(&args.scene, &plan, |calls, _| {
        for call in calls {
            writeln!(out, "{}", serde_json::to_string(&call)?)?;
        }
        Ok(out.flush()?)
    })
}

fn compare(args: &CompareArgs) -> Result<ExitCode, Failure> {
    if args.fail_above.is_some() && !args.scene.strategies().contains(&Kind::Tacit) {
        return Err("--fail-above needs the strategy tacit".into());
    }
    let (mut groups, mut rows) = (Vec::new(), Vec::new());
    let plan = args.scene.plan()?;
    simulate(&args.scene, &plan, |calls, cpu| {
        if let Some(mut row) = Row::of(&calls) {
            row.cpu_percent = args.cpu.then_some(cpu);
            if args.json {
                println!("{}", serde_json::to_string(&row)?);
            }
            rows.push(row);
        }
        groups.push(calls);
        Ok(())
    })?;
    if !args.json {
        output::table(&rows, &mut std::io::stdout().lock())?;
    }
    let drawn = if args.html.is_some() {
        drawn_calls(&plan, args.scene.strategies())?
    } else {
        Vec::new()
    };
    files(
        &groups,
        &rows,
        &drawn,
        args.csv.as_deref(),
        args.html.as_deref(),
    )?;
    let missed = |limit: f64| {
        let ours = rows.iter().find(|row| row.setting.strategy == "tacit");
        let p99 = ours.and_then(|row| row.network_ms.p99_median_call);
        p99.is_none_or(|p99| p99 > limit)
    };
    if args.fail_above.is_some_and(missed) {
        eprintln!("tacit-bench: tacit's network p99 of the median call is above --fail-above");
        return Ok(ExitCode::FAILURE);
    }
    Ok(ExitCode::SUCCESS)
}

fn files(
    groups: &[Vec<CallLine>],
    rows: &[Row],
    drawn: &[String],
    csv: Option<&Path>,
    page: Option<&Path>,
) -> Result<(), Failure> {
    if let Some(path) = csv {
        output::csv(rows, &mut create(path)?)?;
    }
    if let Some(path) = page {
        let text = html::page(groups, drawn)?;
        create(path)?.write_all(text.as_bytes())?;
    }
    Ok(())
}

fn create(path: &Path) -> Result<File, Failure> {
    File::create(path).map_err(|error| format!("{}: {error}", path.display()).into())
}

/// The first call, with those strategies of which it is worth looking at.
fn drawn_calls(plan: &Plan, strategies: &[Kind]) -> Result<Vec<String>, Failure> {
    let wanted = plots::DRAWN.into_iter().filter(|k| strategies.contains(k));
    let draw = |strategy| plots::one_call(plan, Contender::new(strategy, Buffer::Tacit), 0);
    Ok(wanted.map(draw).collect::<Result<_, _>>()?)
}

/// Simulates every strategy; `each` gets its calls, and the share of a core that one took in percent.
fn simulate(
    scene: &Scene,
    plan: &Plan,
    mut each: impl FnMut(Vec<CallLine>, f64) -> Result<(), Failure>,
) -> Result<(), Failure> {
    let runner = Runner::new(scene.jobs, scene.quiet)?;
    let studio = scene.studio()?;
    let contenders = Contender::all_of(scene.strategies());
    let bar = runner.bar(u64::from(plan.calls) * contenders.len() as u64);
    for contender in contenders {
        let (calls, cpu) = runner.calls(plan, contender, scene.pesq, studio.as_ref(), &bar)?;
        bar.suspend(|| each(calls, cpu))?;
    }
    bar.finish_and_clear();
    Ok(())
}

fn report(args: &ReportArgs) -> Result<(), Failure> {
    let mut groups: Vec<Vec<CallLine>> = Vec::new();
    for path in &args.files {
        read_lines(path, &mut groups)?;
    }
    let rows: Vec<Row> = groups.iter().filter_map(|calls| Row::of(calls)).collect();
    if args.json {
        for row in &rows {
            println!("{}", serde_json::to_string(row)?);
        }
    } else {
        output::table(&rows, &mut std::io::stdout().lock())?;
    }
    files(
        &groups,
        &rows,
        &[],
        args.csv.as_deref(),
        args.html.as_deref(),
    )
}

/// Calls of one setting are one group, whichever files they are in.
fn read_lines(path: &Path, groups: &mut Vec<Vec<CallLine>>) -> Result<(), Failure> {
    let file = File::open(path).map_err(|error| format!("{}: {error}", path.display()))?;
    for (number, line) in BufReader::new(file).lines().enumerate() {
        let wrong = |what: &dyn std::fmt::Display| {
            format!("{}: line {}: {what}", path.display(), number + 1)
        };
        let line = line.map_err(|error| wrong(&error))?;
        let call: CallLine = serde_json::from_str(&line).map_err(|error| wrong(&error))?;
        if call.setting.schema != tacit_bench::line::SCHEMA {
            return Err(wrong(&format!(
                "schema {}, not {}",
                call.setting.schema,
                tacit_bench::line::SCHEMA
            ))
            .into());
        }
        let group = groups
            .iter_mut()
            .find(|calls| calls.first().is_some_and(|c| c.setting == call.setting));
        match group {
            Some(calls) => calls.push(call),
            None => groups.push(vec![call]),
        }
    }
    if groups.is_empty() {
        return Err(format!("{}: no calls", path.display()).into());
    }
    Ok(())
}

fn trace(command: TraceCommand) -> Result<(), Failure> {
    match command {
        TraceCommand::Check { folder } => traces::check(&folder),
        TraceCommand::Make {
            folder,
            count,
            seconds,
            seed,
        } => traces::make(&folder, count, seconds, seed),
    }
}
