//! The program, as its user runs it.
#![allow(clippy::unwrap_used)]

use std::fs;
use std::process::{Command, Output};

fn bench(arguments: &str) -> Output {
    Command::new(env!("CARGO_BIN_EXE_tacit-bench"))
        .args(arguments.split_whitespace())
        .output()
        .unwrap()
}

fn said(output: &Output) -> String {
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8(output.stdout.clone()).unwrap()
}

fn complaint(arguments: &str) -> String {
    let output = bench(arguments);
    assert_eq!(output.status.code(), Some(2), "{arguments}");
    assert!(output.stdout.is_empty());
    String::from_utf8(output.stderr).unwrap()
}

const SMALL: &str = "--calls 3 --minutes 0.5 --quiet";

#[test]
fn same_seed_same_bytes_whatever_the_number_of_threads() {
    for mode in ["onion", "turn"] {
        let run = |jobs| said(&bench(&format!("run {SMALL} --mode {mode} --jobs {jobs}")));
        let (one, two) = (run(1), run(2));
        assert_eq!(one, two);
        assert_ne!(
            one,
            said(&bench(&format!("run {SMALL} --mode {mode} --seed 2")))
        );
    }
}

#[test]
fn every_line_says_that_it_is_simulated_and_by_which_model() {
    for line in said(&bench(&format!("compare {SMALL} --json"))).lines() {
        let row: serde_json::Value = serde_json::from_str(line).unwrap();
        assert_eq!(row["schema"], 1);
        assert_eq!(row["simulated"], true);
        assert_eq!(row["model"], tacit_circuits::VERSION);
        assert_eq!(row["calls"], 3);
        let p99 = row["network_ms"]["p99_median_call"].as_f64().unwrap();
        assert!(p99 > row["network_ms"]["p50"].as_f64().unwrap());
        assert!(row["cpu_percent"].is_null() && row["pesq"].is_null());
    }
    assert!(said(&bench(&format!("compare {SMALL} --strategies single"))).starts_with("simulated"));
}

#[test]
fn what_run_wrote_is_reported_as_compare_does() {
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    let lines = file("calls.jsonl");
    said(&bench(&format!("run {SMALL} --output {lines}")));
    let reported = said(&bench(&format!(
        "report {lines} --json --html {} --csv {}",
        file("page.html"),
        file("rows.csv")
    )));
    assert_eq!(reported, said(&bench(&format!("compare {SMALL} --json"))));
    let page = fs::read_to_string(file("page.html")).unwrap();
    assert!(page.contains("simulated") && page.matches("<svg").count() == 3);
    assert!(
        !page.contains("<script") && !page.contains("src="),
        "self-contained"
    );
    let csv = fs::read_to_string(file("rows.csv")).unwrap();
    let columns = |line: &str| line.split(',').count();
    let mut rows = csv.lines();
    let header = columns(rows.next().unwrap());
    assert!(rows.clone().count() == 7 && rows.all(|row| columns(row) == header));
}

#[test]
fn a_regression_ends_with_1() {
    let code = |limit: u32| {
        bench(&format!(
            "compare {SMALL} --strategies tacit --fail-above {limit}"
        ))
        .status
        .code()
    };
    assert_eq!(code(5_000), Some(0));
    assert_eq!(code(20), Some(1));
    let nobody = complaint(&format!(
        "compare {SMALL} --json --strategies single --fail-above 20 --calls 0"
    ));
    assert!(nobody.contains("--calls"));
}

#[test]
fn bad_arguments_are_told_in_plain_words() {
    for (arguments, part) in [
        ("compare --mode carrier-pigeon", "unknown mode"),
        ("compare --from nowhere", "nowhere"),
        ("compare --strategies best", "unknown strategy"),
        ("compare --calls 0", "1..=100000"),
        ("compare --legs 0", "1..=16"),
        ("compare --legs 17", "1..=16"),
        ("compare --correlation 1.5", "between 0 and 1"),
        ("compare --correlation nan", "between 0 and 1"),
        ("compare --minutes 0", "between"),
        (
            "compare --traces /nonexistent/folder",
            "/nonexistent/folder",
        ),
        ("report /nonexistent/file", "/nonexistent/file"),
        ("trace check /nonexistent/folder", "/nonexistent/folder"),
    ] {
        let told = complaint(arguments);
        assert!(told.contains(part), "{arguments}: {told}");
    }
}

#[test]
fn files_of_calls_that_are_none_are_refused_with_their_line() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("calls.jsonl");
    let line = said(&bench(&format!("run {SMALL} --strategies single")));
    let line = line.lines().next().unwrap();
    for (text, part) in [
        (String::new(), "no calls"),
        ("nonsense\n".to_owned(), "line 1"),
        (format!("{line}\n{{}}\n"), "line 2"),
        (line.replace("\"schema\":1", "\"schema\":2"), "schema 2"),
    ] {
        fs::write(&path, text).unwrap();
        let told = complaint(&format!("report {}", path.display()));
        assert!(told.contains(part), "{told}");
    }
}

#[test]
fn traces_that_were_made_can_be_used() {
    let folder = tempfile::tempdir().unwrap();
    let traces = folder.path().join("traces");
    let traces = traces.to_str().unwrap();
    said(&bench(&format!(
        "trace make {traces} --count 6 --seconds 40"
    )));
    assert!(said(&bench(&format!("trace check {traces}"))).contains("3 traces for tuning"));
    let row = said(&bench(&format!(
        "compare {SMALL} --traces {traces} --strategies tacit --json"
    )));
    assert!(row.contains("\"traces\":true"));
    assert!(complaint(&format!("trace make {traces}")).contains("exists"));
    fs::write(
        folder.path().join("traces/bad.csv"),
        "at_ms,extra_delay_ms\n0,-1\n",
    )
    .unwrap();
    assert!(
        complaint(&format!("compare {SMALL} --traces {traces}"))
            .contains("bad.csv: line 2: negative delay")
    );
}
