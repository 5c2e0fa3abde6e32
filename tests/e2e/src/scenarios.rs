//! What the end-to-end tests share: a list of scenarios on one network, and where programs are.

use std::fmt::Write as _;
use std::future::Future;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use tacit_legs::coturn::Coturn;
use tacit_quality::speech::{SpeechError, Text, assemble};

use crate::stage::Wanted;
use crate::stall::Plan;

/// Scenarios that run one after another on one network; a failed one does not keep the others from
/// running.
#[derive(Debug, Default)]
pub struct Scenarios {
    failed: Vec<String>,
}

impl Scenarios {
    /// Runs one and says how it went. Returns what it returned, if it succeeded.
    pub async fn run<T>(
        &mut self,
        name: &str,
        work: impl Future<Output = Result<T, String>>,
    ) -> Option<T> {
        let began = Instant::now();
        tell(&format!("{name}…"));
        let outcome = work.await;
        let seconds = began.elapsed().as_secs_f64();
        match outcome {
            Ok(value) => {
                tell(&format!("{name}: passed, {seconds:.1} s"));
                Some(value)
            }
            Err(why) => {
                tell(&format!("{name}: FAILED, {seconds:.1} s: {why}"));
                self.failed.push(format!("{name}: {why}"));
                None
            }
        }
    }

    /// Ends the test.
    ///
    /// # Panics
    /// If a scenario failed.
    pub fn finish(self) {
        let list = self.failed.iter().fold(String::new(), |mut list, line| {
            writeln!(list, "  {line}").expect("writing to a String");
            list
        });
        assert!(self.failed.is_empty(), "failed scenarios:\n{list}");
    }
}

/// A line for whoever watches; past the test harness, since a run takes minutes.
pub fn tell(line: &str) {
    // With no standard error there is nobody to tell.
    let _ = writeln!(std::io::stderr(), "e2e: {line}");
}

/// Where the programs are and where a test's files go: beside the test's own executable.
///
/// # Panics
/// If the programs were not built.
#[must_use]
pub fn wanted(test: &str) -> Wanted {
    let own = std::env::current_exe().expect("this program has a path");
    // target/debug/deps/test -> target/debug
    let programs: PathBuf = own
        .ancestors()
        .nth(2)
        .expect("cargo puts tests in a folder of a folder")
        .to_owned();
    for name in ["tacit", "tacit-server"] {
        let program = programs.join(name);
        assert!(
            program.is_file(),
            "{} is missing: `cargo xtask test` builds it (or `cargo build --workspace --bins`)",
            program.display()
        );
    }
    let out = programs.join("e2e").join(test);
    match std::fs::remove_dir_all(&out) {
        Err(e) if e.kind() != std::io::ErrorKind::NotFound => {
            panic!("{}: {e}", out.display())
        }
        _ => {}
    }
    Wanted {
        programs,
        out,
        link_delay: Duration::from_millis(15),
        key_cache: None,
        more: Vec::new(),
        plan: Plan::default(),
    }
}

/// What this machine lacks for calls through real relays.
#[must_use]
pub fn lacking() -> Option<String> {
    let tor = std::process::Command::new("tor").arg("--version").output();
    if tor.is_err() {
        return Some("`tor` is not installed (Debian: tor)".into());
    }
    if !Coturn::is_installed() {
        return Some("`turnserver` is not installed (Debian: coturn)".into());
    }
    match assemble(Text::A, 1) {
        Err(error @ SpeechError::Missing) => Some(error.to_string()),
        _ => None,
    }
}

/// Fails if any log below a folder tells of a panic.
///
/// # Errors
/// The first panic found, or a folder that cannot be read.
pub fn no_panics(folder: &Path) -> Result<(), String> {
    for file in files_below(folder)? {
        let content = std::fs::read(&file).unwrap_or_default();
        let text = String::from_utf8_lossy(&content);
        if file.extension().is_some_and(|e| e == "log")
            && let Some(line) = text.lines().find(|l| l.contains("panicked at"))
        {
            return Err(format!("{}: {line}", file.display()));
        }
    }
    Ok(())
}

/// Every file below a folder.
///
/// # Errors
/// If a folder cannot be read.
pub fn files_below(folder: &Path) -> Result<Vec<PathBuf>, String> {
    let fail = |e: std::io::Error| format!("{}: {e}", folder.display());
    let mut files = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(fail)? {
        let entry = entry.map_err(fail)?;
        if entry.file_type().map_err(fail)?.is_dir() {
            files.extend(files_below(&entry.path())?);
        } else {
            files.push(entry.path());
        }
    }
    Ok(files)
}
