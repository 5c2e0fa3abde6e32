//! Measures and prints the table; needs root. `tacit-bench tornet` does the same and more.
#![forbid(unsafe_code)]

use std::process::ExitCode;

use clap::Parser;
use tacit_bench_tornet::{Arguments, run};

#[derive(Parser)]
struct Program {
    #[command(flatten)]
    arguments: Arguments,
}

#[tokio::main]
async fn main() -> ExitCode {
    let options = Program::parse().arguments.into();
    let interrupted = async {
        // Without a handler, Ctrl-C would end this process at once, and the relays a little later.
        let _ = tokio::signal::ctrl_c().await;
    };
    match run(&options, |step| eprintln!("{step}"), interrupted).await {
        Ok(report) => {
            println!("{}", report.table());
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("measure: {error}");
            ExitCode::FAILURE
        }
    }
}
