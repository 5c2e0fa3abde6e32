//! Where the compiler's guarantees are given up.

use crate::code::has_word;
use crate::{Violation, Workspace};

/// libopus has no safe interface that gives DRED; TUN devices and namespaces have none at all.
const ALLOWED: &[&str] = &["tacit-codec", "tacit-tornet"];

/// How far above an `unsafe` its reason may stand.
const REASON_WITHIN: usize = 6;

/// Every other crate forbids it, so that no later change slips it in.
pub(super) fn allowed_crates(workspace: &Workspace) -> Vec<Violation> {
    let mut violations = Vec::new();
    for package in workspace
        .packages
        .iter()
        .filter(|p| !ALLOWED.contains(&p.name.as_str()))
    {
        for file in package.roots.iter().filter_map(|path| workspace.file(path)) {
            if !file
                .code_lines()
                .any(|(_, line)| line.contains("#![forbid(unsafe_code)]"))
            {
                violations.push(Violation::at(&file.path, 1, "does not forbid unsafe code"));
            }
        }
        for file in workspace.sources_of(package) {
            for (number, line) in file
                .code_lines()
                .filter(|(_, line)| has_word(line, "unsafe"))
            {
                let what = format!("unsafe outside {}: {}", ALLOWED.join(", "), line.trim());
                violations.push(Violation::at(&file.path, number, what));
            }
        }
    }
    violations
}

/// Where it is allowed, each use has its SAFETY line.
pub(super) fn reasons(workspace: &Workspace) -> Vec<Violation> {
    let mut violations = Vec::new();
    for package in ALLOWED.iter().filter_map(|name| workspace.package(name)) {
        for file in workspace.sources_of(package) {
            let text: Vec<_> = file.text.lines().collect();
            for (number, line) in file
                .code_lines()
                .filter(|(_, line)| has_word(line, "unsafe"))
            {
                let above = &text[number.saturating_sub(REASON_WITHIN)..number.min(text.len())];
                let explained = above
                    .iter()
                    .any(|l| l.contains("SAFETY:") || l.contains("# Safety"));
                // An attribute or a function's type asks for nothing by itself.
                if !explained && !line.contains("#!") && !line.contains("unsafe fn(") {
                    violations.push(Violation::at(
                        &file.path,
                        number,
                        "unsafe without its SAFETY line",
                    ));
                }
            }
        }
    }
    violations
}
