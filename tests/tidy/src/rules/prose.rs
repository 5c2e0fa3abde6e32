//! What crates and the book say, and how long files are.

use crate::{Violation, Workspace};

/// Most lines of a program file, without its unit tests. The usual file has 200.
const PROGRAM_LINES: usize = 500;
/// Most lines of a test file.
const TEST_LINES: usize = 900;

/// Every library and program begins with what it is, and a library says what it leaves to others.
pub(super) fn crate_docs(workspace: &Workspace) -> Vec<Violation> {
    let mut violations = Vec::new();
    for package in &workspace.packages {
        let roots: Vec<_> = package
            .roots
            .iter()
            .filter_map(|path| workspace.file(path))
            .collect();
        for file in &roots {
            let starts = file
                .text
                .lines()
                .find(|l| !l.trim().is_empty() && !l.starts_with("#!["));
            if !starts.is_some_and(|line| line.starts_with("//! ")) {
                violations.push(Violation::at(
                    &file.path,
                    1,
                    "does not begin with //! and what it is",
                ));
            }
        }
        let says = |text: &str| {
            text.lines()
                .any(|l| l.starts_with("//!") && l.contains("Not in this crate"))
        };
        if !roots.iter().any(|file| says(&file.text)) {
            violations.push(Violation::of(
                &package.name,
                "does not say what is \"Not in this crate\"",
            ));
        }
    }
    violations
}

/// Long files are where states get mixed.
pub(super) fn length(workspace: &Workspace) -> Vec<Violation> {
    let mut violations = Vec::new();
    for file in workspace.files.iter().filter(|f| f.is_rust()) {
        let (lines, most) = if file.is_test() {
            (file.text.lines().count(), TEST_LINES)
        } else {
            (file.program_lines().count(), PROGRAM_LINES)
        };
        if lines > most {
            violations.push(Violation::at(
                &file.path,
                most,
                format!("{lines} lines: split it by state (at most {most})"),
            ));
        }
    }
    violations
}

/// docs/architecture.md names every member; the user guide explains every reason code.
pub(super) fn documented(workspace: &Workspace) -> Vec<Violation> {
    let page = |path: &str| workspace.file(path).map_or("", |f| f.text.as_str());
    let architecture = page("docs/architecture.md");
    let mut violations: Vec<_> = workspace
        .packages
        .iter()
        .filter(|p| !architecture.contains(&format!("`{}`", p.name)))
        .map(|p| Violation::of(&p.name, "is not in docs/architecture.md"))
        .collect();
    let messages = page("docs/messages.md");
    for code in reason_codes(workspace) {
        if !messages.contains(&format!("`{code}`")) {
            violations.push(Violation::of(&code, "is not in docs/messages.md"));
        }
    }
    violations
}

/// The codes in the table of tacit-types' reasons: `Variant = "code", …`.
fn reason_codes(workspace: &Workspace) -> Vec<String> {
    let reasons = workspace
        .file("crates/tacit-types/src/reason.rs")
        .map_or("", |f| f.text.as_str());
    let code = |line: &str| {
        let (variant, rest) = line.trim().split_once(" = \"")?;
        variant.chars().all(char::is_alphanumeric).then_some(())?;
        rest.split_once("\", \"").map(|(code, _)| code.to_owned())
    };
    reasons.lines().filter_map(code).collect()
}

/// Every relative link of a page, and every line of the book's summary, leads to a file; and every
/// page is in the summary.
pub(super) fn links(workspace: &Workspace) -> Vec<Violation> {
    let mut violations = Vec::new();
    for file in workspace.files.iter().filter(|f| f.path.ends_with(".md")) {
        let folder = file.path.rsplit_once('/').map_or("", |(folder, _)| folder);
        for (number, line) in file.lines() {
            for target in targets(line) {
                if !workspace.root.join(folder).join(target).exists() {
                    violations.push(Violation::at(
                        &file.path,
                        number,
                        format!("{target} is not there"),
                    ));
                }
            }
        }
    }
    let summary = workspace
        .file("docs/SUMMARY.md")
        .map_or("", |f| f.text.as_str());
    for file in &workspace.files {
        let page = file
            .path
            .strip_prefix("docs/")
            .filter(|p| p.ends_with(".md") && *p != "SUMMARY.md");
        if let Some(page) = page.filter(|page| !summary.contains(&format!("({page})"))) {
            violations.push(Violation::at(
                &file.path,
                1,
                format!("{page} is not in docs/SUMMARY.md"),
            ));
        }
    }
    violations
}

/// What `](…)` in a line points at, of this repository.
fn targets(line: &str) -> impl Iterator<Item = &str> {
    line.split("](").skip(1).filter_map(|rest| {
        let target = rest.split(')').next()?.split('#').next()?;
        let local = !target.is_empty() && !target.contains("://") && !target.starts_with("mailto:");
        local.then_some(target)
    })
}
