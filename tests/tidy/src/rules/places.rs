//! The repository stands alone.

use crate::{Violation, Workspace};

/// Written apart so that this file passes its own rule.
const PLACES: &[&str] = &[
    concat!("/wo", "rk/"),
    concat!("/ro", "ot/"),
    concat!("/ho", "me/"),
    concat!("/Us", "ers/"),
    concat!("../sh", "ared"),
    concat!("bash_", "jobs"),
    concat!("sparse", "+http"),
];

/// No path that only one machine has, and nothing that lies beside the repository.
pub(super) fn machine_paths(workspace: &Workspace) -> Vec<Violation> {
    let mut violations = Vec::new();
    for file in &workspace.files {
        for (number, line) in file.lines() {
            for place in PLACES.iter().filter(|place| line.contains(**place)) {
                violations.push(Violation::at(
                    &file.path,
                    number,
                    format!("{place} is a place of one machine"),
                ));
            }
        }
    }
    violations
}
