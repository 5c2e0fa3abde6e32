//! Who may depend on whom.

use crate::workspace::Package;
use crate::{Violation, Workspace};

/// Where a crate stands. A crate depends on crates of lower layers only.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Layer {
    Vocabulary,
    Basis,
    Machine,
    Shell,
    Engine,
    Program,
    Tests,
}

/// Each package of the workspace, in the order of docs/architecture.md.
const LAYERS: &[(&str, Layer)] = &[
    ("tacit-types", Layer::Vocabulary),
    ("tacit-crypto", Layer::Basis),
    ("tacit-packet", Layer::Basis),
    ("tacit-legs", Layer::Basis),
    ("tacit-signaling", Layer::Machine),
    ("tacit-paths", Layer::Machine),
    ("tacit-playout", Layer::Machine),
    ("tacit-stretch", Layer::Machine),
    ("tacit-codec", Layer::Shell),
    ("tacit-audio", Layer::Shell),
    ("tacit-mailbox-server", Layer::Shell),
    ("tacit-tor", Layer::Shell),
    ("tacit-profile", Layer::Shell),
    ("tacit-engine", Layer::Engine),
    ("tacit-cli", Layer::Program),
    ("tacit-circuits", Layer::Shell),
    ("tacit-bench", Layer::Tests),
    ("tacit-bench-tornet", Layer::Tests),
    ("tacit-micro-bench", Layer::Tests),
    ("tacit-tornet", Layer::Tests),
    ("tacit-conformance", Layer::Tests),
    ("tacit-quality", Layer::Tests),
    ("tacit-e2e", Layer::Tests),
    ("tacit-corpus-replay", Layer::Tests),
    ("tacit-tidy", Layer::Tests),
    ("xtask", Layer::Tests),
];

/// A foreign library, or all whose names begin so (with a `*`), and the crates that may name it.
const IMPORTERS: &[(&str, &[&str])] = &[
    ("snow", &["tacit-crypto"]),
    ("arti-*", &["tacit-tor"]),
    ("tor-*", &["tacit-tor"]),
    ("cpal", &["tacit-audio"]),
    ("alsa", &["tacit-audio"]),
    ("ringbuf", &["tacit-audio"]),
    ("opus", &["tacit-codec"]),
    ("opusic-sys", &["tacit-codec"]),
    ("rtc-*", &["tacit-legs"]),
    ("webrtc*", &["tacit-legs"]),
    ("tokio-rustls", &["tacit-legs"]),
    // Arti asks its embedder to install the provider.
    ("rustls", &["tacit-legs", "tacit-tor"]),
    ("argon2", &["tacit-profile"]),
    ("indicatif", &["tacit-bench"]),
    ("plotters", &["tacit-bench"]),
    ("rayon", &["tacit-bench"]),
    ("qrcode", &["tacit-cli"]),
];

fn layer(name: &str) -> Option<Layer> {
    LAYERS
        .iter()
        .find(|(n, _)| *n == name)
        .map(|(_, layer)| *layer)
}

/// Down only; shells and the two families, signaling and media, apart. What only tests use may come
/// from anywhere.
pub(super) fn direction(workspace: &Workspace) -> Vec<Violation> {
    let mut violations = Vec::new();
    for package in &workspace.packages {
        let Some(own) = layer(&package.name) else {
            let what = "has no layer: give it one in tests/tidy and docs/architecture.md";
            violations.push(Violation::of(&package.name, what));
            continue;
        };
        let used = package.dependencies.iter().filter(|d| !d.is_dev);
        for other in used.filter_map(|d| workspace.package(&d.name)) {
            if let Some(why) = forbidden(own, package, other) {
                violations.push(Violation::of(
                    &package.name,
                    format!("depends on {}: {why}", other.name),
                ));
            }
        }
    }
    violations
}

fn forbidden(own: Layer, package: &Package, other: &Package) -> Option<&'static str> {
    let theirs = layer(&other.name)?;
    let family = |p: &Package| p.folder.split('/').next().unwrap_or_default().to_owned();
    let families = [family(package), family(other)];
    if own == Layer::Tests {
        // Tests use everything, and each other; but xtask must build in seconds.
        return (package.name == "xtask").then_some("xtask depends on no crate of the workspace");
    }
    if theirs >= own {
        return Some("dependencies lead to lower layers only");
    }
    let apart =
        |a: &str, b: &str| families.iter().any(|f| f == a) && families.iter().any(|f| f == b);
    apart("signaling", "media").then_some("signaling and media never import each other")
}

/// Everything about a foreign library is in one place, where it can be replaced.
pub(super) fn one_importer(workspace: &Workspace) -> Vec<Violation> {
    let mut violations = Vec::new();
    for package in &workspace.packages {
        for dependency in &package.dependencies {
            let rule = IMPORTERS
                .iter()
                .find(|(pattern, _)| matches(pattern, &dependency.name));
            let Some((_, importers)) = rule else { continue };
            if !importers.contains(&package.name.as_str()) {
                let what = format!(
                    "names {}, which only {} may",
                    dependency.name,
                    importers.join(", ")
                );
                violations.push(Violation::of(&package.name, what));
            }
        }
    }
    violations
}

fn matches(pattern: &str, name: &str) -> bool {
    match pattern.strip_suffix('*') {
        Some(prefix) => name.starts_with(prefix),
        None => name == pattern,
    }
}
