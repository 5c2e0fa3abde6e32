//! `cargo xtask`: sets a machine up, tests everything, places the demonstration call.
//!
//! Builds in seconds: it depends on no other crate of the workspace.
//!
//! **Not in this crate:** the demonstration itself (the program `tacit-demo` of tests/e2e) and every
//! check of what the programs do (the packages' own tests).
#![forbid(unsafe_code)]

mod command;
mod failure;
mod outcome;
mod packages;
mod setup;
mod test;
mod tools;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand};

use failure::{Failure, Outcome};
use packages::Purpose;

/// Tasks of the Tacit workspace.
#[derive(Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask", version)]
struct Cli {
    #[command(subcommand)]
    task: Task,
}

#[derive(Subcommand)]
enum Task {
    /// Place two calls between two people through real Tor relays on this machine.
    ///
    /// Installs what is missing, builds, and runs the demonstration. All arguments go to it:
    /// `cargo xtask demo --help` shows them.
    #[command(disable_help_flag = true)]
    Demo {
        /// Arguments of the demonstration.
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        arguments: Vec<String>,
    },
    /// Check and test everything, and count what passed, failed and was skipped.
    Test(TestArgs),
    /// Install the Debian packages that are missing, saying which and why.
    Setup,
    /// Fuzz the parsers: each in turn, or one.
    Fuzz(FuzzArgs),
    /// Check licences, sources, duplicates and advisories with cargo-deny.
    Deny,
    /// Build the book and the API documentation.
    Docs,
    /// Simulate the calls of the goals, and write docs/results.md with its plots.
    ///
    /// Takes about half an hour of two free cores. Arguments go to `tacit-bench results`: `--quick` looks
    /// in two minutes and writes to cargo's target folder, `--help` shows the others.
    #[command(disable_help_flag = true)]
    Bench {
        /// Run the micro-benchmarks instead: those whose name contains what follows, or all.
        #[arg(long)]
        micro: bool,
        /// Arguments.
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        arguments: Vec<String>,
    },
}

/// What `test` does.
#[derive(Args)]
pub(crate) struct TestArgs {
    /// Fail if any test was skipped because this machine cannot run it.
    #[arg(long)]
    ci: bool,
    /// Test this package only; may be given several times.
    #[arg(short, long, value_name = "NAME")]
    package: Vec<String>,
    /// Leave out formatting, lints and the API documentation.
    #[arg(long)]
    no_lint: bool,
    /// Install nothing.
    #[arg(long)]
    no_setup: bool,
    /// Run only the tests whose name contains this.
    filter: Option<String>,
}

/// What `fuzz` does.
#[derive(Args)]
pub(crate) struct FuzzArgs {
    /// The target; every target if none is given.
    target: Option<String>,
    /// How long each target runs.
    #[arg(long, default_value_t = 60)]
    seconds: u32,
}

fn main() -> ExitCode {
    let outcome = match Cli::parse().task {
        Task::Demo { arguments } => demo(&arguments),
        Task::Test(args) => test::run(&args),
        Task::Setup => setup::run(Purpose::Test),
        Task::Fuzz(args) => tools::fuzz(&args),
        Task::Deny => tools::deny(),
        Task::Docs => tools::docs(),
        Task::Bench { micro, arguments } => {
            if micro {
                tools::micro(&arguments)
            } else {
                bench(&arguments)
            }
        }
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => failure.report(),
    }
}

fn bench(arguments: &[String]) -> Outcome {
    setup::run(Purpose::Demo)?;
    let target = command::target_dir();
    let defaults = bench_defaults(arguments, &target);
    // Without its real relays it is built in a fraction of the time.
    let program = "run --release -p tacit-bench --no-default-features -- results";
    let mut words: Vec<&str> = program.split(' ').collect();
    words.extend(defaults.iter().map(String::as_str));
    words.extend(arguments.iter().map(String::as_str));
    command::cargo(&words).run()
}

/// What is not said otherwise: the page is that of the documents, unless this is a quick look, whose few
/// calls are not to take the place of published figures.
fn bench_defaults(arguments: &[String], target: &Path) -> Vec<String> {
    let said = |option: &str| {
        let with_value = format!("{option}=");
        let mut words = arguments.iter();
        words.any(|word| word == option || word.starts_with(&with_value))
    };
    let out = if said("--quick") {
        target.join("bench-quick")
    } else {
        PathBuf::from("docs")
    };
    let cache = target.join("bench-results");
    let defaults = [("--out", out), ("--cache", cache)];
    let unsaid = defaults.into_iter().filter(|(option, _)| !said(option));
    unsaid
        .flat_map(|(option, path)| [option.to_owned(), path.display().to_string()])
        .collect()
}

fn demo(arguments: &[String]) -> Outcome {
    setup::run(Purpose::Demo)?;
    command::step("Building");
    // The small example makes cargo choose the features that tests need as well; without it, a
    // later `test` would build Arti and everything above it a second time.
    command::cargo(&["build", "--workspace", "--bins", "--example", "seeds"]).run()?;
    // Replaces this process, so that Ctrl-C and the exit code are the demonstration's own.
    let program = command::target_dir().join("debug/tacit-demo");
    Err(Failure::could_not_start(
        &program.display().to_string(),
        &command::replace(&program, arguments),
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_quick_look_leaves_the_published_page_alone() {
        let words = |arguments: &[&str]| {
            let arguments: Vec<_> = arguments.iter().map(|&a| a.to_owned()).collect();
            bench_defaults(&arguments, Path::new("t")).join(" ")
        };
        assert_eq!(words(&[]), "--out docs --cache t/bench-results");
        assert_eq!(
            words(&["--quick"]),
            "--out t/bench-quick --cache t/bench-results"
        );
        assert_eq!(words(&["--out=x", "--quick", "--cache", "y"]), "");
    }
}
