//! What is on the main branch works.

use crate::code::has_word;
use crate::{Violation, Workspace};

const MACROS: &[&str] = &["todo!", "unimplemented!", "dbg!"];
/// Written apart so that this file passes its own rule.
const MARKS: &[&str] = &[
    concat!("FIX", "ME"),
    concat!("TO", "DO"),
    concat!("XX", "X"),
];

/// No placeholder, no mark of unfinished work, no test that is switched off.
pub(super) fn macros(workspace: &Workspace) -> Vec<Violation> {
    let mut violations = Vec::new();
    for file in workspace.files.iter().filter(|f| f.is_rust()) {
        for (number, line) in file.code_lines() {
            let found = MACROS.iter().find(|m| line.contains(**m));
            if let Some(found) = found.or(line.contains("#[ignore").then_some(&"#[ignore]")) {
                violations.push(Violation::at(
                    &file.path,
                    number,
                    format!("{found}: finish it or leave it out"),
                ));
            }
        }
        for (number, line) in file.lines() {
            if let Some(mark) = MARKS.iter().find(|mark| has_word(line, mark)) {
                violations.push(Violation::at(
                    &file.path,
                    number,
                    format!("{mark}: an issue is the place for that"),
                ));
            }
        }
    }
    violations
}
