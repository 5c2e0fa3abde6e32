//! The program `tacit-server`: the mailbox server for many people, alone.
#![forbid(unsafe_code)]

use std::process::ExitCode;

use clap::Parser;
use tacit_cli::args::{Cli, Command, Global, Server};

/// A mailbox server for many people behind its own onion service, with nothing on disk but its
/// identity. It also mints one-time TURN credentials.
#[derive(Debug, Parser)]
#[command(name = "tacit-server", version, max_term_width = 100)]
struct Program {
    #[command(flatten)]
    server: Server,
    // Last: its heading is for what follows.
    #[command(flatten)]
    global: Global,
}

fn main() -> ExitCode {
    let Program { global, server } = Program::parse();
    tacit_cli::run(Cli {
        global,
        command: Command::Server(server),
    })
}
