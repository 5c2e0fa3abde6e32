//! The program, as its user runs it.
#![allow(clippy::unwrap_used)]

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::os::unix::process::ExitStatusExt as _;
use std::process::{Command, Output, Stdio};

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
    assert!(page.contains("simulated") && page.matches("<svg").count() == 4);
    assert!(
        !page.contains("<script") && !page.contains("src="),
        "self-contained"
    );
    let csv = fs::read_to_string(file("rows.csv")).unwrap();
    let columns = |line: &str| line.split(',').count();
    let mut rows = csv.lines();
    let header = columns(rows.next().unwrap());
    assert!(rows.clone().count() == 9 && rows.all(|row| columns(row) == header));
}

/// They have `tacit`'s circuits, and are no contestants.
#[test]
fn who_is_told_is_simulated_if_asked_for() {
    let arguments = "--minutes 1 --calls 2 --quiet --json --seed 4";
    let asked = said(&bench(&format!(
        "compare {arguments} --strategies tacit,told-levels,told-stalls-150"
    )));
    let row = |line: &str| serde_json::from_str::<serde_json::Value>(line).unwrap();
    let rows: Vec<_> = asked.lines().map(row).collect();
    let names: Vec<_> = rows.iter().map(|row| row["strategy"].clone()).collect();
    assert_eq!(names, ["tacit", "told-levels", "told-stalls-150"]);
    let replaced = &rows[0]["replacements"];
    assert!(replaced.as_f64() > Some(0.0));
    assert!(rows.iter().all(|row| row["replacements"] == *replaced));
    let unasked = said(&bench(&format!("compare {SMALL} --json")));
    assert!(!unasked.contains("told"));
    assert!(complaint("compare --strategies told").contains("unknown strategy"));
}

/// The line that is documented: names and nesting.
#[test]
fn a_line_has_the_fields_that_are_promised() {
    let arguments =
        "--mode turn --from de --to us --legs 4 --correlation 0.15 --guards 1 --cells 25 --seed 5";
    let line = said(&bench(&format!(
        "compare {SMALL} {arguments} --strategies tacit --json"
    )));
    let row: serde_json::Value = serde_json::from_str(line.trim()).unwrap();
    for (field, value) in [
        ("strategy", serde_json::json!("tacit")),
        ("mode", "turn".into()),
        ("from", "de".into()),
        ("to", "us".into()),
        ("minutes", 0.5.into()),
        ("legs", 4.into()),
        ("correlation", 0.15.into()),
        ("guards", 1.into()),
        ("cells_per_s", 25.into()),
    ] {
        assert_eq!(row[field], value, "{field}");
    }
    for field in [
        "/network_ms/p50",
        "/network_ms/p99_median_call",
        "/network_ms/p99_p90_call",
        "/share_network_p99_below_360",
        "/mouth_to_ear_ms/p50",
        "/share_mouth_to_ear_p99_below/400",
        "/share_mouth_to_ear_p99_below/450",
        "/share_mouth_to_ear_p99_below/500",
        "/concealed",
        "/repaired",
        "/mos",
        "/intervals/share_network_p99_below_360/0",
    ] {
        let number = row.pointer(field).and_then(serde_json::Value::as_f64);
        assert!(number.is_some(), "{field}: {line}");
    }
    for field in ["/mouth_to_ear_ms/p99_median_call", "/pesq", "/cpu_percent"] {
        assert!(row.pointer(field).is_some(), "{field}");
    }
}

/// `tacit` is compared as it is shipped; the oracle has its circuits, the others keep theirs.
#[test]
fn circuits_are_replaced_for_tacit_and_the_oracle_alike() {
    let rows = |more: &str| -> Vec<serde_json::Value> {
        let lines = said(&bench(&format!(
            "run --mode turn --calls 2 --minutes 1.5 -q --strategies donar-double,tacit,oracle {more}"
        )));
        let parse = |line| serde_json::from_str(line).unwrap();
        lines.lines().map(parse).collect()
    };
    let shipped = rows("");
    for call in 0..2 {
        let replaced = |strategy: &str| {
            let of_call = |row: &&serde_json::Value| {
                row["strategy"] == strategy && row["call"] == call && row["playout"] == "tacit"
            };
            let row = shipped.iter().find(of_call).unwrap();
            (
                row["replace"].clone(),
                row["replacements"].as_u64().unwrap(),
            )
        };
        assert_eq!(replaced("donar-double"), (false.into(), 0));
        assert!(replaced("tacit").1 > 2, "{:?}", replaced("tacit"));
        assert_eq!(replaced("oracle"), replaced("tacit"));
        assert_eq!(replaced("oracle").0, true);
    }
    let kept = rows("--keep-circuits");
    assert!(
        kept.iter()
            .all(|row| row["replacements"] == 0 && row["replace"] == false)
    );
}

/// A few calls of each strategy, as a whole: ours is not behind what was published.
#[test]
fn ours_is_ahead_of_what_was_published() {
    for mode in ["turn", "onion"] {
        let lines = said(&bench(&format!(
            "compare --mode {mode} --calls 6 --minutes 1 --legs 12 --correlation 0 --strategies single,donar-double,tacit,oracle --json --quiet"
        )));
        let p99 = |strategy: &str| {
            let row = lines
                .lines()
                .map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap())
                .find(|row| row["strategy"] == strategy)
                .unwrap();
            row["network_ms"]["p99_median_call"].as_f64().unwrap()
        };
        assert!(p99("tacit") < p99("donar-double"), "{mode}");
        assert!(p99("donar-double") < p99("single"), "{mode}");
        assert!(p99("oracle") < p99("tacit"), "{mode}");
    }
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
        "compare {SMALL} --json --strategies single --fail-above 20"
    ));
    assert!(nobody.contains("needs the strategy tacit"), "{nobody}");
    let never = complaint(&format!("compare {SMALL} --fail-above nan"));
    assert!(never.contains("between"), "{never}");
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
        ("compare --cells 40", "25 or 50"),
        ("compare --minutes 0.4 --pesq 1", "half a minute"),
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
        (line[..40].to_owned(), "no calls"),
        (format!("{}\n{line}\n", &line[..40]), "line 1"),
        (
            "nonsense\n".to_owned(),
            "not a call that `tacit-bench run` wrote",
        ),
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

/// Broken off by a signal: whole lines in order, and the older file as it was. Not SIGINT, which a test
/// that was started in the background may have inherited to be ignored.
#[test]
fn what_is_broken_off_leaves_whole_lines() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("calls.jsonl");
    fs::write(&file, "older\n").unwrap();
    let mut child = Command::new(env!("CARGO_BIN_EXE_tacit-bench"))
        .args("run --calls 100000 --minutes 0.2 --strategies single --jobs 2".split(' '))
        .arg("--output")
        .arg(&file)
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut told = String::new();
    let mut stderr = BufReader::new(child.stderr.take().unwrap());
    stderr.read_line(&mut told).unwrap();
    let part = folder.path().join("calls.jsonl.part");
    assert!(told.contains(part.to_str().unwrap()), "{told}");
    // It is there from the first line on.
    while fs::read_to_string(&part).map_or(0, |so_far| so_far.lines().count()) < 5 {
        std::thread::yield_now();
    }
    let pid = child.id().to_string();
    let kill = Command::new("kill").args(["-TERM", &pid]).status().unwrap();
    assert!(kill.success());
    assert_eq!(child.wait().unwrap().signal(), Some(15));
    assert_eq!(fs::read_to_string(&file).unwrap(), "older\n");
    let lines = fs::read_to_string(&part).unwrap();
    assert!(lines.ends_with('\n'));
    for (number, line) in lines.lines().enumerate() {
        let call: serde_json::Value = serde_json::from_str(line).unwrap();
        assert_eq!(call["call"], number);
    }
    let output = bench(&format!("report {}", part.display()));
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(
        output.status.success() && said.contains("not finished"),
        "{said}"
    );
}

/// The same call again would make intervals narrower than they are.
#[test]
fn a_call_counts_once_and_what_is_broken_off_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    let (whole, cut) = (file("whole.jsonl"), file("cut.jsonl"));
    said(&bench(&format!(
        "run {SMALL} --strategies tacit --output {whole}"
    )));
    let lines = fs::read_to_string(&whole).unwrap();
    fs::write(&cut, &lines[..lines.len() - 30]).unwrap();
    let once = bench(&format!("report {whole} --json"));
    assert!(once.stderr.is_empty());
    let twice = bench(&format!("report {whole} {whole} {cut} --json"));
    assert_eq!(said(&twice), said(&once));
    let told = String::from_utf8(twice.stderr).unwrap();
    assert!(told.contains("cut.jsonl: line 3: broken off"), "{told}");
    assert!(told.contains("count once: 5 lines left out"), "{told}");
}

/// Before anything is simulated: these would take hours.
#[test]
fn files_that_cannot_be_written_are_told_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path().display();
    let long = "--calls 100000 --minutes 1440";
    for arguments in [
        format!("compare {long} --html {folder}/none/page.html"),
        format!("compare {long} --csv {folder}/none/rows.csv"),
        format!("compare {long} --csv {folder}"),
        format!("compare {long} --csv {folder}/x --html {folder}/x"),
        format!("run {long} --output {folder}/none/calls.jsonl"),
        format!("report {folder}/none.jsonl --html {folder}/none/page.html"),
    ] {
        let told = complaint(&arguments);
        assert!(
            told.contains(&folder.to_string()) || told.contains("same file"),
            "{told}"
        );
    }
}

#[test]
fn a_limit_that_is_missed_is_told_with_its_figures() {
    let output = bench(&format!(
        "compare {SMALL} --strategies tacit --fail-above 20"
    ));
    let told = String::from_utf8(output.stderr).unwrap();
    assert!(told.contains(" ms, above the 20 of --fail-above"), "{told}");
    assert!(complaint("compare --strategies best").contains("known are single, torfone, "));
    assert!(said(&bench("--help")).contains("Exit codes"));
}

/// A program with Tor has the arguments of real relays instead.
#[cfg(not(feature = "tornet"))]
#[test]
fn without_tor_the_program_says_how_to_have_it() {
    for arguments in ["tornet", "tornet --seconds 20 --json"] {
        let told = complaint(arguments);
        assert!(
            told.contains("cargo build --release -p tacit-bench"),
            "{told}"
        );
    }
}

#[test]
fn the_table_says_what_its_lines_differ_in() {
    let table = |more: &str| {
        said(&bench(&format!(
            "compare {SMALL} --strategies single,tacit {more}"
        )))
    };
    let plain = table("");
    assert!(plain.contains(", congestion × 2.2,"), "{plain}");
    let legs = |table: &str, strategy: &str| -> String {
        let line = table
            .lines()
            .find(|line| line.starts_with(strategy))
            .unwrap();
        line.split_whitespace().nth(2).unwrap().to_owned()
    };
    assert_eq!(
        (legs(&plain, "single"), legs(&plain, "tacit")),
        ("1".into(), "12".into())
    );
    assert!(table("--cells 25").contains("tacit, 25 cells/s "));
    let kept = table("--keep-circuits");
    assert!(kept.contains("tacit, circuits kept ") && !kept.contains("single, circuits kept"));
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
