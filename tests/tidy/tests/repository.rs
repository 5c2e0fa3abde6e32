//! This repository keeps its rules.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use tacit_tidy::{Violation, Workspace, rules};

fn report(rule: &str, violations: &[Violation]) -> String {
    violations
        .iter()
        .map(|v| format!("{rule}: {v}\n"))
        .collect()
}

#[test]
fn every_rule_is_kept() {
    let workspace = Workspace::ours().unwrap();
    assert!(
        workspace.packages.len() > 15 && workspace.files.len() > 50,
        "it was read whole"
    );
    let broken: String = rules::ALL
        .iter()
        .map(|(name, rule)| report(name, &rule(&workspace)))
        .collect();
    assert!(broken.is_empty(), "\n{broken}");
}

#[test]
fn every_exception_is_needed() {
    let workspace = Workspace::ours().unwrap();
    let stale = report("sleeps", &rules::stale_exceptions(&workspace));
    assert!(stale.is_empty(), "\n{stale}");
}

#[test]
fn every_licence_is_allowed_and_every_source_is_the_registry() {
    let workspace = Workspace::ours().unwrap();
    let broken = report("licences", &rules::licences(&workspace).unwrap());
    assert!(broken.is_empty(), "\n{broken}");
}
