//! Running programs.

use std::ffi::OsStr;
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::failure::{Failure, Outcome};

/// Tells the person what happens now.
pub(crate) fn step(what: &str) {
    eprintln!("xtask: {what}");
}

/// A program with its arguments, run in the workspace's folder.
#[derive(Debug)]
pub(crate) struct Program {
    name: String,
    command: Command,
}

pub(crate) fn program(name: &str, arguments: &[impl AsRef<OsStr>]) -> Program {
    let mut command = Command::new(name);
    command.args(arguments).current_dir(workspace());
    // What cargo tells this program about its own package. Build scripts watch some of it (ring's
    // does), so left in place it would have Arti built anew after each cargo run by hand.
    for (key, _) in std::env::vars_os() {
        let told = key.to_string_lossy();
        if told.starts_with("CARGO_PKG_") || told.starts_with("CARGO_MANIFEST_") {
            command.env_remove(&key);
        }
    }
    let shown: Vec<_> = arguments
        .iter()
        .map(|a| a.as_ref().to_string_lossy())
        .collect();
    Program {
        name: format!("`{name} {}`", shown.join(" ")),
        command,
    }
}

/// The cargo that runs this program.
pub(crate) fn cargo(arguments: &[impl AsRef<OsStr>]) -> Program {
    let cargo = std::env::var("CARGO").unwrap_or_else(|_| "cargo".to_owned());
    let mut program = program(&cargo, arguments);
    program.name = program.name.replace(&cargo, "cargo");
    program
}

impl Program {
    pub(crate) fn env(mut self, key: &str, value: impl AsRef<OsStr>) -> Self {
        self.command.env(key, value);
        self
    }

    /// Runs it to its end, its output to this terminal.
    pub(crate) fn run(mut self) -> Outcome {
        let status = self
            .command
            .status()
            .map_err(|e| Failure::could_not_start(&self.name, &e))?;
        if status.success() {
            Ok(())
        } else {
            Err(Failure::of_program(&self.name, status))
        }
    }

    /// Runs it to its end and gives its standard output to `read`; whether it succeeded comes back
    /// with what `read` made of it.
    pub(crate) fn run_reading<T>(
        mut self,
        read: impl FnOnce(std::process::ChildStdout) -> T,
    ) -> Outcome<(T, bool)> {
        let start = |e: io::Error| Failure::could_not_start(&self.name, &e);
        let mut child = self.command.stdout(Stdio::piped()).spawn().map_err(start)?;
        let output = read(child.stdout.take().expect("it was asked for"));
        let status = child.wait().map_err(start)?;
        // An exit code is a verdict on the tests; a signal means that somebody wants to stop.
        if status.code().is_none() {
            return Err(Failure::of_program(&self.name, status));
        }
        Ok((output, status.success()))
    }

    /// Whether it can be run and succeeds; its output is dropped.
    pub(crate) fn succeeds(mut self) -> bool {
        self.command
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status()
            .is_ok_and(|status| status.success())
    }
}

/// Puts `program` in this process's place; comes back only if that fails.
#[cfg(unix)]
pub(crate) fn replace(program: &Path, arguments: &[String]) -> io::Error {
    std::os::unix::process::CommandExt::exec(Command::new(program).args(arguments))
}

/// The workspace's folder.
pub(crate) fn workspace() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .expect("xtask lies in the workspace")
}

/// Where cargo builds.
pub(crate) fn target_dir() -> PathBuf {
    let named = std::env::var_os("CARGO_TARGET_DIR").map(PathBuf::from);
    workspace().join(named.unwrap_or_else(|| "target".into()))
}

/// Whether a program of this name is on the search path, or where Debian keeps those of the system.
pub(crate) fn is_installed(name: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let system = ["/usr/sbin", "/sbin"].map(PathBuf::from);
    std::env::split_paths(&path)
        .chain(system)
        .any(|folder| folder.join(name).is_file())
}
