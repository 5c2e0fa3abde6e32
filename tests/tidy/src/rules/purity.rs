//! A core is a function of state, input, time and seed.

use crate::code::has_word;
use crate::{Violation, Workspace};

/// The sans-IO cores.
const CORES: &[&str] = &[
    "tacit-types",
    "tacit-crypto",
    "tacit-packet",
    "tacit-signaling",
    "tacit-paths",
    "tacit-playout",
];

/// What a core would have to ask the world for.
const BANNED_WORDS: &[&str] = &[
    "Instant",
    "SystemTime",
    "OsRng",
    "ThreadRng",
    "thread_rng",
    "getrandom",
    "tokio",
    "async",
    "TcpStream",
    "TcpListener",
    "UdpSocket",
    "Mutex",
    "RwLock",
    "spawn",
    "println",
    "eprintln",
];
const BANNED_PATHS: &[&str] = &[
    "std::fs",
    "std::thread",
    "std::process",
    "std::env",
    "std::io",
];

const BANNED_CRATES: &[&str] = &[
    "tokio",
    "tokio-util",
    "futures",
    "async-std",
    "smol",
    "mio",
    "socket2",
    "rustix",
    "libc",
    "getrandom",
    "rand",
    "tracing",
    "log",
    "parking_lot",
    "crossbeam",
];

/// Where a banned word stands all the same, and why that is sound.
const ALLOWED: &[(&str, &str, &str)] = &[(
    "crates/tacit-crypto/src/handshake/resolver.rs",
    "Mutex",
    "snow asks for a generator that is Sync; it holds a seed that was passed in, and is never contended",
)];

/// No clock, entropy, I/O, threads or locks in the code; unit tests may use them.
pub(super) fn code(workspace: &Workspace) -> Vec<Violation> {
    let mut violations = Vec::new();
    for package in CORES.iter().filter_map(|name| workspace.package(name)) {
        let source = format!("{}/src/", package.folder);
        for file in workspace
            .sources_of(package)
            .filter(|f| f.path.starts_with(&source))
        {
            for (number, line) in file.program_lines() {
                let words = BANNED_WORDS.iter().filter(|word| has_word(&line, word));
                let paths = BANNED_PATHS.iter().filter(|path| line.contains(**path));
                let found = words
                    .chain(paths)
                    .filter(|word| !is_allowed(&file.path, word));
                for banned in found {
                    let what = format!("{banned} in a core: pass time, seed and input in");
                    violations.push(Violation::at(&file.path, number, what));
                }
            }
        }
    }
    violations
}

/// Nor by way of a dependency.
pub(super) fn manifests(workspace: &Workspace) -> Vec<Violation> {
    let mut violations = Vec::new();
    for package in CORES.iter().filter_map(|name| workspace.package(name)) {
        let used = package.dependencies.iter().filter(|d| !d.is_dev);
        for dependency in used.filter(|d| BANNED_CRATES.contains(&d.name.as_str())) {
            let what = format!("is a core, and depends on {}", dependency.name);
            violations.push(Violation::of(&package.name, what));
        }
    }
    violations
}

fn is_allowed(path: &str, word: &str) -> bool {
    ALLOWED.iter().any(|(p, w, _)| *p == path && *w == word)
}
