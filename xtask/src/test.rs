//! `cargo xtask test`.

use std::io::{BufRead, BufReader};

use crate::TestArgs;
use crate::command::{cargo, step};
use crate::failure::{Failure, Outcome};
use crate::outcome::{Reader, Tally};
use crate::packages::Purpose;
use crate::setup;
use crate::tools::api_docs;

/// Sets up, checks, builds and tests; the last line counts.
pub(crate) fn run(args: &TestArgs) -> Outcome {
    if !args.no_setup {
        setup::run(Purpose::Test)?;
    }
    let selection = selection(args);
    if !args.no_lint {
        lint(&selection)?;
    }
    // One build of everything, so that tests find the programs that they start.
    step("Building");
    build(&["build", "--bins", "--tests", "--examples"], &selection).run()?;
    let (tally, succeeded) = test(args, &selection)?;
    for skip in &tally.skips {
        println!("SKIPPED: {skip}");
    }
    for failed in &tally.failures {
        println!("FAILED: {failed}");
    }
    println!(
        "{} passed, {} failed, {} skipped",
        tally.passed,
        tally.failed,
        tally.skipped()
    );
    if !succeeded || tally.failed > 0 {
        return Err(Failure::new("tests failed"));
    }
    if tally.passed == 0 {
        return Err(Failure::new("no test was run"));
    }
    if args.ci && tally.skipped() > 0 {
        return Err(
            Failure::new("tests were skipped, which --ci does not allow")
                .with_next_action("each SKIPPED line above says what the machine lacks"),
        );
    }
    Ok(())
}

fn selection(args: &TestArgs) -> Vec<&str> {
    if args.package.is_empty() {
        return vec!["--workspace"];
    }
    args.package.iter().flat_map(|name| ["-p", name]).collect()
}

fn build(arguments: &[&str], selection: &[&str]) -> crate::command::Program {
    cargo(&[arguments, selection].concat())
}

fn lint(selection: &[&str]) -> Outcome {
    step("Checking the formatting");
    cargo(&["fmt", "--all", "--check"])
        .run()
        .map_err(|failure| failure.with_next_action("cargo fmt --all"))?;
    step("Checking the lints");
    cargo(
        &[
            &["clippy", "--all-targets"],
            selection,
            &["--", "-D", "warnings"],
        ]
        .concat(),
    )
    .run()?;
    // Last: what the lints have checked of other people's crates serves here as well.
    step("Checking the API documentation");
    api_docs(selection).run()
}

fn test(args: &TestArgs, selection: &[&str]) -> Outcome<(Tally, bool)> {
    step("Testing");
    // The output of tests that pass is needed too: it says what was skipped. Reader keeps it off the
    // terminal.
    let mut tail = vec!["--no-fail-fast", "--", "--show-output"];
    tail.extend(args.filter.as_deref());
    cargo(&[&["test"], selection, &tail].concat()).run_reading(|output| {
        let mut reader = Reader::default();
        for line in BufReader::new(output).lines().map_while(Result::ok) {
            if let Some(line) = reader.read(line) {
                println!("{line}");
            }
        }
        reader.finish()
    })
}
