//! Licences and origin of everything that is linked in.

use std::io;

use crate::{Violation, Workspace, spdx, workspace};

/// Under these, everything together may be given away as MIT OR Apache-2.0 programs. MPL-2.0 asks
/// for the sources of its own files only, which the registry has.
const ALLOWED: &[&str] = &[
    "MIT",
    "Apache-2.0",
    "BSD-2-Clause",
    "BSD-3-Clause",
    "ISC",
    "Zlib",
    "0BSD",
    "Unlicense",
    "CC0-1.0",
    "BSL-1.0",
    "Unicode-3.0",
    "MPL-2.0",
];

const REGISTRY: &str = "registry+https://github.com/rust-lang/crates.io-index";

/// A package that is not ours.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Foreign {
    /// Its name and version.
    pub name: String,
    /// Its licence expression.
    pub license: Option<String>,
    /// Where cargo takes it from.
    pub source: String,
}

/// Every package that a build for this platform uses, judged.
///
/// # Errors
///
/// When cargo fails; it may have to fetch sources.
pub fn licences(ours: &Workspace) -> io::Result<Vec<Violation>> {
    let host = host()?;
    let metadata = workspace::metadata(&ours.root, &["--locked", "--filter-platform", &host])?;
    let packages = metadata["packages"]
        .as_array()
        .map_or(&[][..], Vec::as_slice);
    let text = |value: &serde_json::Value| value.as_str().map(str::to_owned);
    let foreign = packages.iter().filter_map(|p| {
        let name = format!("{} {}", p["name"].as_str()?, p["version"].as_str()?);
        Some(Foreign {
            name,
            license: text(&p["license"]),
            source: text(&p["source"])?,
        })
    });
    Ok(judge(&foreign.collect::<Vec<_>>()))
}

/// The rule itself.
#[must_use]
pub fn judge(packages: &[Foreign]) -> Vec<Violation> {
    let mut violations = Vec::new();
    for package in packages {
        let license = package.license.as_deref().unwrap_or("none");
        if !spdx::is_allowed(license, ALLOWED) {
            violations.push(Violation::of(
                &package.name,
                format!("its licence is not allowed: {license}"),
            ));
        }
        if package.source != REGISTRY {
            violations.push(Violation::of(
                &package.name,
                format!("comes from {}", package.source),
            ));
        }
    }
    violations
}

fn host() -> io::Result<String> {
    let rustc = std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    let output = std::process::Command::new(rustc).arg("-vV").output()?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    text.lines()
        .find_map(|line| line.strip_prefix("host: "))
        .map(str::to_owned)
        .ok_or_else(|| io::Error::other("rustc does not name its host"))
}
