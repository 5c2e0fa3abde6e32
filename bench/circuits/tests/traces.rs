//! Recorded circuits: what is read back, and what is refused.

use std::fs::{self, File};
use std::path::Path;
#[cfg(unix)]
use std::process::Command;

use proptest::prelude::*;
use tacit_circuits::{Problem, Trace, TraceError, Traces};

proptest! {
    #[test]
    fn what_is_written_is_read_back(
        rows in proptest::collection::vec((1_u32..5_000, 0_u32..100_000), 3..200),
    ) {
        let mut at = 0.0;
        let mut text = "at_ms,extra_delay_ms\n0,0\n".to_owned();
        for (gap, extra) in rows {
            at += f64::from(gap) * 1.5;
            text += &format!("{at},{}\n", f64::from(extra) / 4.0);
        }
        if at < 1_000.0 {
            prop_assert_eq!(Trace::parse(&text), Err(Problem::Short(at)));
            return Ok(());
        }
        let trace = Trace::parse(&text).expect("is valid");
        prop_assert_eq!(Trace::parse(&trace.to_csv()), Ok(trace));
    }

    #[test]
    fn any_text_is_read_or_refused(text in "(at_ms,extra_delay_ms\n)?[-0-9.,eNaif\n ]{0,200}") {
        let _ = Trace::parse(&text);
    }
}

fn refused(rows: &str) -> Problem {
    let text = format!("at_ms,extra_delay_ms\n{rows}");
    Trace::parse(&text).expect_err("is refused")
}

#[test]
fn every_mistake_has_its_own_words() {
    assert_eq!(Trace::parse(""), Err(Problem::Empty));
    assert_eq!(Trace::parse("at,delay\n1,2\n"), Err(Problem::Header));
    assert_eq!(refused(""), Problem::NoPackets);
    assert_eq!(refused("1,2,3\n"), Problem::NotNumbers(2));
    assert_eq!(refused("1\n"), Problem::NotNumbers(2));
    assert_eq!(refused("1,NaN\n"), Problem::NotNumbers(2));
    assert_eq!(refused("0,1\n5,-0.5\n"), Problem::Negative(3));
    assert_eq!(refused("0,1\n5,1e9\n"), Problem::Absurd(3, 1e9));
    assert_eq!(refused("0,1\n5,1\n5,1\n"), Problem::Order(4));
    assert_eq!(refused("0,1\n20000,1\n"), Problem::Gap(3, 20_000.0));
    assert_eq!(refused("0,1\n20,1\n"), Problem::Short(20.0));
    let told = refused("0,1\n5,-0.5\n").to_string();
    assert_eq!(told, "line 3: negative delay");
}

#[test]
fn numbers_that_no_clock_says_are_told_in_few_digits() {
    let told = refused("0,1\n1e300,1\n").to_string();
    let wanted = "line 3: a gap of 1.0e300 ms, more than 10 s: split the file there";
    assert_eq!(told, wanted);
    let told = refused("0,2.5e300\n").to_string();
    assert_eq!(told, "line 2: a delay of 2.5e300 ms, more than 2 minutes");
    let told = refused("0,1\n20000,1\n").to_string();
    assert!(told.contains("a gap of 20000 ms"), "{told}");
}

/// Spreadsheets write one.
#[test]
fn a_byte_order_mark_is_skipped() {
    assert_eq!(Trace::parse(&format!("\u{feff}{GOOD}")), Trace::parse(GOOD));
    assert_eq!(Trace::parse("\u{feff}"), Err(Problem::Empty));
    let twice = Trace::parse(&format!("\u{feff}\u{feff}{GOOD}"));
    assert_eq!(twice, Err(Problem::Header));
}

const GOOD: &str = "at_ms,extra_delay_ms\n0,5\n1000,9\n2000,3\n";

#[test]
fn a_folder_is_split_by_the_seed() {
    let folder = tempfile::tempdir().expect("has a place");
    for name in 0..10 {
        fs::write(folder.path().join(format!("{name}.csv")), GOOD).expect("writes");
    }
    let traces = Traces::read(folder.path(), 1).expect("reads");
    for part in [tacit_circuits::Part::Tuning, tacit_circuits::Part::Scoring] {
        assert_eq!(traces.count(part), 5);
    }
}

#[test]
fn fewer_than_two_traces_cannot_be_split() {
    let trace = Trace::parse(GOOD).expect("is valid");
    assert!(Traces::new(vec![trace.clone()], 1).is_none());
    let two = Traces::new(vec![trace.clone(), trace], 1).expect("two are enough");
    assert_eq!(two.count(tacit_circuits::Part::Scoring), 1);
}

#[test]
fn one_bad_file_is_named_and_one_trace_is_too_few() {
    let folder = tempfile::tempdir().expect("has a place");
    fs::write(folder.path().join("a.csv"), GOOD).expect("writes");
    let error = Traces::read(folder.path(), 1).expect_err("one only");
    assert!(matches!(error, TraceError::TooFew { found: 1, .. }));
    fs::write(folder.path().join("b.csv"), "").expect("writes");
    let error = Traces::read(folder.path(), 1).expect_err("b is empty");
    assert!(error.to_string().ends_with("b.csv: is empty"), "{error}");
    let error = Traces::read(&folder.path().join("none"), 1).expect_err("no folder");
    assert!(matches!(error, TraceError::Read { .. }));
}

fn problem_of(folder: &Path) -> Problem {
    match Traces::read(folder, 1).expect_err("is refused") {
        TraceError::File { path, what } => {
            assert!(path.ends_with("c.csv"), "{path:?}");
            what
        }
        other => panic!("{other}"),
    }
}

/// Reading these would not end, or not begin.
#[cfg(unix)]
#[test]
fn what_is_no_plain_file_is_refused_unread() {
    let folder = tempfile::tempdir().expect("has a place");
    for name in ["a.csv", "b.csv"] {
        fs::write(folder.path().join(name), GOOD).expect("writes");
    }
    let odd = folder.path().join("c.csv");
    std::os::unix::fs::symlink("/dev/zero", &odd).expect("links");
    assert_eq!(problem_of(folder.path()), Problem::NotFile);
    fs::remove_file(&odd).expect("goes");
    let made = Command::new("mkfifo").arg(&odd).status().expect("runs");
    assert!(made.success());
    assert_eq!(problem_of(folder.path()), Problem::NotFile);
    fs::remove_file(&odd).expect("goes");
    fs::create_dir(&odd).expect("has a place");
    assert_eq!(problem_of(folder.path()), Problem::NotFile);
    fs::remove_dir(&odd).expect("goes");
    std::os::unix::fs::symlink(folder.path().join("a.csv"), &odd).expect("links");
    assert!(Traces::read(folder.path(), 1).is_ok(), "a link to a file");
}

#[test]
fn no_more_is_read_than_the_limit() {
    let folder = tempfile::tempdir().expect("has a place");
    for name in ["a.csv", "b.csv"] {
        fs::write(folder.path().join(name), GOOD).expect("writes");
    }
    // A hole, which takes no room.
    let file = File::create(folder.path().join("c.csv")).expect("creates");
    file.set_len((128 << 20) + 1).expect("grows");
    assert_eq!(problem_of(folder.path()), Problem::Large);
    file.set_len(128 << 20).expect("shrinks");
    assert_eq!(problem_of(folder.path()), Problem::Header);
}

/// Which circuits a seed stands for depends on the contents and, by the files' names, on their order.
#[test]
fn other_traces_have_another_fingerprint() {
    let of = |names: [&str; 3], last: &str| {
        let folder = tempfile::tempdir().expect("has a place");
        for (name, extra) in names.iter().zip(["5", "6", last]) {
            let text = format!("at_ms,extra_delay_ms\n0,{extra}\n1000,9\n2000,3\n");
            fs::write(folder.path().join(name), text).expect("writes");
        }
        let traces = Traces::read(folder.path(), 1).expect("reads");
        traces.fingerprint()
    };
    let names = ["a.csv", "b.csv", "c.csv"];
    // Kept in files that later versions read.
    assert_eq!(of(names, "7"), 0x3868_806c_a061_1b6c);
    assert_eq!(of(["1.csv", "2.csv", "30.csv"], "7"), of(names, "7"));
    assert_ne!(of(names, "7.5"), of(names, "7"));
    assert_ne!(of(["c.csv", "b.csv", "a.csv"], "7"), of(names, "7"));
}
