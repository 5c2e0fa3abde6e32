//! Recorded circuits: what is read back, and what is refused.

use std::fs;

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
