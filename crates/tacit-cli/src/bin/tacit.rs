//! The program `tacit`.
#![forbid(unsafe_code)]

use std::process::ExitCode;

use clap::Parser as _;
use tacit_cli::args::Cli;

fn main() -> ExitCode {
    tacit_cli::run(Cli::parse())
}
