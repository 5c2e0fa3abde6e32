//! Calls with real speech.
#![allow(clippy::unwrap_used)]

use std::process::Command;

use tacit_bench::audio::{AudioError, Studio};
use tacit_quality::pesq::PesqError;
use tacit_quality::skipped;
use tacit_quality::speech::SpeechError;

/// Whether this machine can do that at all.
fn can_score() -> bool {
    match Studio::new() {
        Ok(_) => true,
        Err(error @ AudioError::Speech(SpeechError::Missing)) => {
            skipped("recorded speech", &error);
            false
        }
        Err(error @ AudioError::Pesq(PesqError::Install(_))) => {
            skipped("PESQ", &error);
            false
        }
        Err(error) => panic!("{error}"),
    }
}

#[test]
fn a_call_that_nothing_disturbs_sounds_good_and_a_bad_one_does_not() {
    if !can_score() {
        return;
    }
    let program = Command::new(env!("CARGO_BIN_EXE_tacit-bench"))
        .args(
            "compare --calls 2 --pesq 1 --minutes 1 --strategies single,oracle --json -q"
                .split(' '),
        )
        .output()
        .unwrap();
    assert!(program.status.success(), "{program:?}");
    let lines = String::from_utf8(program.stdout).unwrap();
    let rows: Vec<serde_json::Value> = lines
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let mean = |strategy: &str, playout: &str| {
        let row = rows
            .iter()
            .find(|row| row["strategy"] == strategy && row["playout"] == playout)
            .unwrap();
        assert_eq!(row["pesq"]["calls"], 1);
        row["pesq"]["mean"].as_f64().unwrap()
    };
    println!(
        "{} {}",
        mean("oracle", "tacit"),
        mean("single", "fixed-150")
    );
    // What is left of 4.2 is the price of stretching, as PESQ sees it.
    assert!(mean("oracle", "tacit") > 3.0);
    assert!(mean("single", "fixed-150") < mean("oracle", "tacit"));
}
