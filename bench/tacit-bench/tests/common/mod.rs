//! The program, and what it says.

use std::process::{Command, Output};

pub(crate) fn bench(arguments: &str) -> Output {
    Command::new(env!("CARGO_BIN_EXE_tacit-bench"))
        .args(arguments.split_whitespace())
        .output()
        .unwrap()
}

pub(crate) fn said(output: &Output) -> String {
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8(output.stdout.clone()).unwrap()
}

pub(crate) fn complaint(arguments: &str) -> String {
    let output = bench(arguments);
    assert_eq!(output.status.code(), Some(2), "{arguments}");
    assert!(output.stdout.is_empty());
    String::from_utf8(output.stderr).unwrap()
}

pub(crate) const SMALL: &str = "--calls 3 --minutes 0.5 --quiet";
