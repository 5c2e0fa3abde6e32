//! The manifests.

use crate::{Violation, Workspace};

/// Packages that are not members on purpose.
const OUTSIDE: &[&str] = &["tests/fuzz"];

/// Every package is a line of the root manifest, so that the list can be read; and there are no Rust
/// files that cargo would silently ignore.
pub(super) fn members(workspace: &Workspace) -> Vec<Violation> {
    let mut violations = Vec::new();
    let root = workspace.file("Cargo.toml").map_or("", |f| f.text.as_str());
    let listed = |folder: &str| {
        let line = format!("\"{folder}\",");
        root.lines().any(|l| l.trim().starts_with(&line))
    };
    for package in &workspace.packages {
        if !listed(&package.folder) {
            violations.push(Violation::of(
                &package.name,
                "is not a line of its own among the members",
            ));
        }
    }
    for file in &workspace.files {
        let known = workspace
            .packages
            .iter()
            .any(|p| file.path.starts_with(&format!("{}/", p.folder)));
        let outside = OUTSIDE
            .iter()
            .any(|o| file.path.starts_with(&format!("{o}/")));
        if file.is_rust() && !known && !outside {
            violations.push(Violation::at(
                &file.path,
                1,
                "belongs to no member: cargo ignores it",
            ));
        }
    }
    violations
}

/// One licence, one set of lints, nothing published by accident.
pub(super) fn shared_fields(workspace: &Workspace) -> Vec<Violation> {
    let mut violations = Vec::new();
    for package in &workspace.packages {
        let mut wrong = |what: &str| violations.push(Violation::of(&package.name, what));
        if package.license != "MIT OR Apache-2.0" {
            wrong("is not MIT OR Apache-2.0");
        }
        if package.publish {
            wrong("may be published: set publish.workspace = true");
        }
        let manifest = workspace.file(&format!("{}/Cargo.toml", package.folder));
        if !manifest.is_some_and(|f| f.text.contains("[lints]\nworkspace = true")) {
            wrong("does not take the workspace's lints");
        }
    }
    violations
}

/// Nothing comes from a branch, a fork or another registry.
pub(super) fn sources(workspace: &Workspace) -> Vec<Violation> {
    let mut violations = Vec::new();
    for file in &workspace.files {
        let name = file.path.rsplit('/').next().unwrap_or_default();
        for (number, line) in file.lines() {
            let words = line.trim();
            let wrong = match name {
                "Cargo.lock" => {
                    words.starts_with("source = ")
                        && words
                            != "source = \"registry+https://github.com/rust-lang/crates.io-index\""
                }
                "Cargo.toml" => {
                    words.starts_with("[patch")
                        || words.contains("git = \"")
                        || words.contains("registry = \"")
                }
                "config.toml" if file.path.contains(".cargo/") => {
                    words.starts_with("[source") || words.starts_with("[registries")
                }
                _ => false,
            };
            if wrong {
                violations.push(Violation::at(
                    &file.path,
                    number,
                    "names a source other than the registry",
                ));
            }
        }
    }
    violations
}
