//! A test that sleeps is slow when the machine is quick and wrong when it is slow.

use crate::code::has_word;
use crate::{Violation, Workspace};

/// Test code that may sleep, and why that is not a guess at how long something takes.
const ALLOWED: &[(&str, &str)] = &[
    (
        "crates/tacit-tor/tests/private_network/onion.rs",
        "a pause between attempts to connect, until one succeeds or a deadline passes",
    ),
    (
        "crates/tacit-tor/tests/private_network/support.rs",
        "a pause between attempts to connect, until one succeeds or a deadline passes",
    ),
    (
        "signaling/server/tests/streams.rs",
        "on virtual time (start_paused): the test says when bytes come",
    ),
];

const SLEEPS: &[&str] = &["thread::sleep", "time::sleep", "sleep_until", "sleep_ms"];

/// No sleep in test code: tests run on virtual time or await what they wait for.
pub(super) fn sleeps(workspace: &Workspace) -> Vec<Violation> {
    let mut violations = Vec::new();
    for file in workspace.files.iter().filter(|f| f.is_rust()) {
        if ALLOWED.iter().any(|(path, _)| file.path == *path) {
            continue;
        }
        let program = if file.is_test() {
            0
        } else {
            file.program_lines().count()
        };
        for (number, line) in file.code_lines().skip(program) {
            let called = has_word(&line, "sleep") && line.contains("sleep(");
            if called || SLEEPS.iter().any(|sleep| line.contains(sleep)) {
                let what =
                    "a test sleeps: await the condition, or allow it in tests/tidy with its reason";
                violations.push(Violation::at(&file.path, number, what));
            }
        }
    }
    violations
}

/// Exceptions for files that are gone.
#[must_use]
pub fn stale_exceptions(workspace: &Workspace) -> Vec<Violation> {
    let gone = ALLOWED
        .iter()
        .filter(|(path, _)| workspace.file(path).is_none());
    gone.map(|(path, _)| Violation::of(path, "is allowed to sleep but is not there"))
        .collect()
}
