//! How a task ends when it does not succeed.

use std::io;
use std::process::{ExitCode, ExitStatus};

/// Of every task.
pub(crate) type Outcome<T = ()> = Result<T, Failure>;

/// What went wrong, the one next action, and the exit code.
#[derive(Debug)]
pub(crate) struct Failure {
    what: String,
    next_action: Option<String>,
    code: u8,
}

impl Failure {
    pub(crate) fn new(what: impl Into<String>) -> Self {
        Self {
            what: what.into(),
            next_action: None,
            code: 1,
        }
    }

    pub(crate) fn with_next_action(self, action: impl Into<String>) -> Self {
        Self {
            next_action: Some(action.into()),
            ..self
        }
    }

    pub(crate) fn could_not_start(program: &str, error: &io::Error) -> Self {
        Self::new(format!("could not start {program}: {error}"))
    }

    /// The exit code is the program's own; 128 and the signal's number if a signal ended it, as
    /// shells have it: 130 after Ctrl-C.
    pub(crate) fn of_program(program: &str, status: ExitStatus) -> Self {
        let code = status
            .code()
            .or_else(|| Some(128 + signal(status)?))
            .unwrap_or(1);
        let code = u8::try_from(code).unwrap_or(1).max(1);
        Self {
            code,
            ..Self::new(format!("{program} ended with {status}"))
        }
    }

    pub(crate) fn report(&self) -> ExitCode {
        eprintln!("xtask: {}", self.what);
        if let Some(action) = &self.next_action {
            eprintln!("xtask: next: {action}");
        }
        ExitCode::from(self.code)
    }
}

#[cfg(unix)]
fn signal(status: ExitStatus) -> Option<i32> {
    std::os::unix::process::ExitStatusExt::signal(&status)
}

#[cfg(not(unix))]
fn signal(_: ExitStatus) -> Option<i32> {
    None
}
