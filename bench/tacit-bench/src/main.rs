//! `tacit-bench`: calls over simulated Tor circuits.
#![forbid(unsafe_code)]

mod args;
mod output;
mod traces;

use std::fs::File;
use std::io::{BufRead as _, BufReader, BufWriter, Write};
use std::path::Path;
use std::process::ExitCode;
use std::time::Instant;

use args::{Cli, Command, CompareArgs, ReportArgs, RunArgs, Scene, TraceCommand};
use clap::Parser as _;
use indicatif::{ProgressBar, ProgressStyle};
use tacit_bench::html;
use tacit_bench::line::CallLine;
use tacit_bench::row::Row;
use tacit_bench::sim::{Contender, Plan};
use tacit_circuits::strategies::Kind;

/// What went wrong, in plain words.
type Failure = Box<dyn std::error::Error>;

fn main() -> ExitCode {
    let cli = Cli::parse();
    let done = match cli.command {
        Command::Run(args) => run(&args).map(|()| ExitCode::SUCCESS),
        Command::Compare(args) => compare(&args),
        Command::Report(args) => report(&args).map(|()| ExitCode::SUCCESS),
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
    simulate(&args.scene, |calls, _| {
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
    simulate(&args.scene, |calls, cpu| {
        if let Some(mut row) = Row::of(&calls) {
            row.cpu_percent = cpu.filter(|_| args.cpu);
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
    files(&groups, &rows, args.csv.as_deref(), args.html.as_deref())?;
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
    csv: Option<&Path>,
    page: Option<&Path>,
) -> Result<(), Failure> {
    if let Some(path) = csv {
        output::csv(rows, &mut create(path)?)?;
    }
    if let Some(path) = page {
        let text = html::page(groups)?;
        create(path)?.write_all(text.as_bytes())?;
    }
    Ok(())
}

fn create(path: &Path) -> Result<File, Failure> {
    File::create(path).map_err(|error| format!("{}: {error}", path.display()).into())
}

/// Simulates every strategy; `each` gets its calls, and the share of a core that one took in percent.
fn simulate(
    scene: &Scene,
    mut each: impl FnMut(Vec<CallLine>, Option<f64>) -> Result<(), Failure>,
) -> Result<(), Failure> {
    let plan: Plan = scene.plan()?;
    let threads = scene.jobs.map_or(0, usize::from);
    let pool = rayon::ThreadPoolBuilder::new()
        .num_threads(threads)
        .build()?;
    let contenders = Contender::all_of(scene.strategies());
    let bar = progress(scene, &plan, contenders.len());
    for contender in contenders {
        bar.set_message(format!(
            "{} ({})",
            contender.strategy,
            contender.buffer.name()
        ));
        let started = Instant::now();
        let calls = pool.install(|| plan.calls(contender, || bar.inc(1)));
        let taken = started.elapsed().as_secs_f64() * pool.current_num_threads() as f64;
        let spoken = plan.scenario.length.as_secs_f64() * f64::from(plan.calls);
        bar.suspend(|| each(calls, Some(100.0 * taken / spoken)))?;
    }
    bar.finish_and_clear();
    Ok(())
}

fn progress(scene: &Scene, plan: &Plan, contenders: usize) -> ProgressBar {
    if scene.quiet {
        return ProgressBar::hidden();
    }
    let bar = ProgressBar::new(u64::from(plan.calls) * contenders as u64);
    let style = "simulating {msg}: {wide_bar} {pos} of {len} calls, {eta} left";
    bar.set_style(
        ProgressStyle::with_template(style).unwrap_or_else(|_| ProgressStyle::default_bar()),
    );
    bar
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
    files(&groups, &rows, args.csv.as_deref(), args.html.as_deref())
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
