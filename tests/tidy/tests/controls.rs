//! Each rule finds what `fixtures/planted` breaks, and nothing that it does not break.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use tacit_tidy::rules::{ALL, Foreign, judge_licences};
use tacit_tidy::{Workspace, workspace};

/// A line for each rule, and under it, indented, what the rule must find.
const EXPECTED: &str = include_str!("../fixtures/expected.txt");

fn expected(rule: &str) -> Vec<&'static str> {
    let after = EXPECTED.lines().skip_while(|line| *line != rule).skip(1);
    after.map_while(|line| line.strip_prefix("    ")).collect()
}

#[test]
fn every_planted_violation_is_found_and_nothing_else() {
    let root = workspace::root().join("tests/tidy/fixtures/planted");
    let planted = Workspace::load(&root).unwrap();
    for (rule, check) in ALL {
        let mut found: Vec<_> = check(&planted).iter().map(ToString::to_string).collect();
        found.sort();
        assert!(!expected(rule).is_empty(), "{rule} has a control");
        assert_eq!(found, expected(rule), "{rule}");
    }
}

#[test]
fn a_licence_or_source_that_is_not_allowed_is_found() {
    let crates_io = "registry+https://github.com/rust-lang/crates.io-index";
    let package = |name: &str, license: Option<&str>, source: &str| Foreign {
        name: name.to_owned(),
        license: license.map(str::to_owned),
        source: source.to_owned(),
    };
    let found = judge_licences(&[
        package("good 1", Some("MIT OR GPL-3.0-only"), crates_io),
        package("viral 1", Some("GPL-3.0-only"), crates_io),
        package("silent 1", None, crates_io),
        package("fork 1", Some("MIT"), "git+https://example.org/fork#00"),
        package(
            "mirror 1",
            Some("MIT"),
            "registry+https://example.org/index",
        ),
    ]);
    let found: Vec<_> = found.iter().map(ToString::to_string).collect();
    assert_eq!(
        found,
        [
            "viral 1: its licence is not allowed: GPL-3.0-only",
            "silent 1: its licence is not allowed: none",
            "fork 1: comes from git+https://example.org/fork#00",
            "mirror 1: comes from registry+https://example.org/index",
        ]
    );
}
