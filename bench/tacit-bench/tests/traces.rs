//! Calls over recorded delays, as the program's user has them.
#![allow(clippy::unwrap_used)]

use std::fs;
use std::path::Path;

mod common;

use common::{SMALL, bench, complaint, said};
use serde_json::{Value, json};

#[test]
fn traces_that_were_made_can_be_used() {
    let folder = tempfile::tempdir().unwrap();
    let traces = folder.path().join("traces");
    let traces = traces.to_str().unwrap();
    said(&bench(&format!(
        "trace make {traces} --count 6 --seconds 40"
    )));
    assert!(said(&bench(&format!("trace check {traces}"))).contains("3 traces for tuning"));
    said(&bench(&format!(
        "compare {SMALL} --traces {traces} --strategies tacit --json"
    )));
    assert!(complaint(&format!("trace make {traces}")).contains("is there already"));
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

#[test]
fn few_traces_are_told() {
    let folder = tempfile::tempdir().unwrap();
    let traces = folder.path().join("traces").display().to_string();
    said(&bench(&format!(
        "trace make {traces} --count 4 --seconds 20"
    )));
    let with = |legs: u8| {
        let arguments =
            format!("compare {SMALL} --traces {traces} --strategies tacit --legs {legs}");
        String::from_utf8(bench(&arguments).stderr).unwrap()
    };
    assert!(with(12).contains("12 legs are drawn from 2 traces"));
    assert!(with(2).is_empty());
}

/// Makes a folder of traces.
fn made(folder: &Path, more: &str) -> String {
    let folder = folder.to_str().unwrap();
    let of = "--count 6 --seconds 20";
    said(&bench(&format!("trace make {folder} {of} {more}")))
}

#[test]
fn a_row_says_which_traces_and_nothing_that_does_not_apply() {
    let folder = tempfile::tempdir().unwrap();
    let traces = folder.path().join("traces");
    made(&traces, "");
    let page = folder.path().join("page.html");
    let arguments = format!(
        "{SMALL} --traces {} --strategies single,tacit --legs 2 --guards 2 --floor 1.5",
        traces.display()
    );
    let row = |more: &str| -> Value {
        let said = said(&bench(&format!("compare {arguments} --json {more}")));
        serde_json::from_str(said.lines().last().unwrap()).unwrap()
    };
    let scored = row("");
    assert_eq!(scored["traces"]["files"], 6);
    assert_eq!(scored["traces"]["half"], "scoring");
    let hash = scored["traces"]["hash"].as_str().unwrap();
    assert_eq!(hash.len(), 16);
    for field in ["correlation", "clients", "quick_ack", "nagle", "congestion"] {
        assert_eq!(scored[field], Value::Null, "{field}");
    }
    for (field, value) in [("guards", json!(2)), ("floor_factor", json!(1.5))] {
        assert_eq!(scored[field], value, "{field}");
    }
    // They are not told because they change nothing.
    let others = "--correlation 0.9 --clients c-tor --delayed-acks --no-nagle";
    assert_eq!(row(others), scored);
    let tuned = row("--tuning");
    assert_eq!(tuned["traces"]["half"], "tuning");
    assert_eq!(tuned["traces"]["hash"], hash);
    let table = said(&bench(&format!(
        "compare {arguments} --html {}",
        page.display()
    )));
    let caption = format!("recorded traces (6 files, scoring half) {hash}");
    assert!(fs::read_to_string(&page).unwrap().contains(&caption));
    assert!(table.contains(&caption), "{table}");
    for word in ["correlation", "congestion", "Nagle"] {
        assert!(!table.contains(word), "{table}");
    }
    let plain = said(&bench(&format!(
        "compare {SMALL} --strategies tacit --json"
    )));
    let plain: Value = serde_json::from_str(plain.trim()).unwrap();
    assert_eq!(plain["traces"], Value::Null);
    assert_eq!(
        (&plain["nagle"], &plain["congestion"]),
        (&json!(true), &json!(2.2))
    );
}

/// Calls of the same number over other traces are other calls.
#[test]
fn calls_over_other_traces_or_the_other_half_are_not_mixed() {
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str| folder.path().join(name).display().to_string();
    let run = |name: &str, traces: &str, more: &str| {
        let (traces, lines) = (file(traces), file(name));
        let arguments = format!("--traces {traces} --strategies tacit --legs 2 {more}");
        said(&bench(&format!("run {SMALL} {arguments} --output {lines}")));
    };
    for (traces, more) in [("one", ""), ("other", "--seed 2"), ("same", "")] {
        made(&folder.path().join(traces), more);
    }
    run("a", "one", "");
    run("at", "one", "--tuning");
    run("b", "other", "");
    // The folder's name makes no difference.
    run("again", "same", "");
    let files = ["a", "at", "b", "again"].map(file).join(" ");
    let output = bench(&format!("report --json {files}"));
    let rows: Vec<Value> = said(&output)
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert_eq!(rows.len(), 3);
    assert!(rows.iter().all(|row| row["calls"] == 3));
    let told = String::from_utf8(output.stderr).unwrap();
    assert!(told.contains("count once: 3 lines left out"), "{told}");
    let table = said(&bench(&format!("report {files}")));
    assert_eq!(table.matches("simulated, recorded traces").count(), 3);
}

/// Lines that older versions wrote: without traces as they are today, but for that one word.
#[test]
fn a_line_that_does_not_say_which_traces_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("calls.jsonl");
    let line = said(&bench(&format!("run {SMALL} --strategies tacit")));
    let with = |traces: &str| {
        let older = line.replace("\"traces\":null", &format!("\"traces\":{traces}"));
        assert_ne!(older, line);
        fs::write(&path, older).unwrap();
        format!("report {} --json", path.display())
    };
    let without = said(&bench(&with("false")));
    assert_eq!(
        without,
        said(&bench(&format!(
            "compare {SMALL} --strategies tacit --json"
        )))
    );
    let told = complaint(&with("true"));
    assert!(
        told.contains("line 1: an older tacit-bench wrote this line"),
        "{told}"
    );
    assert!(told.contains("simulate it again"), "{told}");
    let told = complaint(&with("7"));
    assert!(
        told.contains("not a call that `tacit-bench run` wrote"),
        "{told}"
    );
}

#[test]
fn traces_are_made_at_the_congestion_that_is_asked_for() {
    let folder = tempfile::tempdir().unwrap();
    let delays = |name: &str, more: &str, said: &str| -> f64 {
        let traces = folder.path().join(name);
        let told = made(&traces, more);
        assert!(told.contains(said) && told.contains("Germany"), "{told}");
        let files = fs::read_dir(&traces).unwrap();
        let texts = files.map(|file| fs::read_to_string(file.unwrap().path()).unwrap());
        let of_file = |text: String| -> f64 {
            let delays = text
                .lines()
                .skip(1)
                .map(|line| line.split_once(',').unwrap().1);
            delays.map(|delay| delay.parse::<f64>().unwrap()).sum()
        };
        texts.map(of_file).sum()
    };
    let usual = delays("usual", "", " 2.2 times the congestion of 2025");
    let today = delays("today", "--congestion 1", " 1 times the congestion of 2025");
    let same = delays(
        "same",
        "--congestion 2.2",
        " 2.2 times the congestion of 2025",
    );
    assert!(
        today < usual && (same - usual).abs() < 1e-9,
        "{today} {usual} {same}"
    );
    let help = said(&bench("trace make --help"));
    assert!(help.contains("Germany") && help.contains("Nagle") && help.contains("2025"));
    for factor in ["-1", "nan", "1e9"] {
        let told = complaint(&format!(
            "trace make {}/x --congestion={factor}",
            folder.path().display()
        ));
        assert!(told.contains("between 0 and 100"), "{told}");
    }
}
