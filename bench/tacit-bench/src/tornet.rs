//! `tacit-bench tornet`: real relays on this machine.

use std::io::Write as _;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;
use tacit_bench_tornet::{Arguments, Error, Step};
use tokio::runtime::Builder;
use tokio::signal::unix::{SignalKind, signal};

use crate::Failure;
use crate::file::Output;

#[derive(Debug, Args)]
pub(crate) struct TornetArgs {
    #[command(flatten)]
    arguments: Arguments,
    /// One line of JSON a measurement instead of a table.
    #[arg(long)]
    json: bool,
    /// Also write the lines of JSON there.
    #[arg(long, short, value_name = "FILE")]
    output: Option<PathBuf>,
    /// No progress.
    #[arg(long, short)]
    quiet: bool,
}

/// As a shell has it for what Ctrl-C ended.
const INTERRUPTED: u8 = 130;

pub(crate) fn run(args: TornetArgs) -> Result<ExitCode, Failure> {
    // Before ten minutes of measuring, not after.
    let output = args.output.as_deref().map(Output::create).transpose()?;
    let options = args.arguments.into();
    let show = |step: Step| {
        if !args.quiet {
            eprintln!("{step}");
        }
    };
    let runtime = Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()?;
    let measured = runtime.block_on(async {
        let mut signals = [SignalKind::interrupt(), SignalKind::terminate()].map(signal);
        let [interrupt, terminate] = &mut signals;
        // Without handlers, a signal would end this process at once, and the relays a little later.
        let (Ok(interrupt), Ok(terminate)) = (interrupt, terminate) else {
            return Err("signals cannot be caught".into());
        };
        let stop = async {
            tokio::select! {
                _ = interrupt.recv() => {}
                _ = terminate.recv() => {}
            }
        };
        Ok::<_, Failure>(tacit_bench_tornet::run(&options, show, stop).await)
    })?;
    let report = match measured {
        Ok(report) => report,
        Err(Error::Interrupted) => return Ok(ExitCode::from(INTERRUPTED)),
        Err(error) => return Err(error.into()),
    };
    let lines = report.json_lines()?;
    if let Some(mut output) = output {
        output.write_all(lines.as_bytes())?;
        output.finish()?;
    }
    let mut out = std::io::stdout().lock();
    let text = if args.json { lines } else { report.table() };
    out.write_all(text.as_bytes())?;
    Ok(ExitCode::SUCCESS)
}
