//! What can go wrong, said so that one knows what to do about it.
use std::io;
use std::path::PathBuf;

/// Why a network did not come up, or why a command to it failed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A program is not installed.
    #[error(
        "`{program}` is not installed: install Debian's package `{package}` (apt-get install {package})"
    )]
    Missing {
        /// The program that was looked for.
        program: String,
        /// The Debian package that has it.
        package: &'static str,
    },
    /// Something needs root, or a kernel feature, that is not there.
    #[error("{what} need root and a kernel that has them: {source}")]
    NotPermitted {
        /// What was to be made.
        what: &'static str,
        /// The system's reason.
        source: io::Error,
    },
    /// A file or directory could not be used.
    #[error("{path}: {source}")]
    File {
        /// What was to be read or written.
        path: PathBuf,
        /// The system's reason.
        source: io::Error,
    },
    /// A system call failed.
    #[error("{what}: {source}")]
    System {
        /// What was attempted.
        what: &'static str,
        /// The system's reason.
        source: io::Error,
    },
    /// A program ended with a failure.
    #[error("{program} failed: {output}")]
    Program {
        /// Which program, and for which relay.
        program: String,
        /// The end of what it printed.
        output: String,
    },
    /// Every address range is taken by another network.
    #[error("all {ranges} loopback address ranges are in use by other test networks or programs")]
    NoRange {
        /// How many ranges there are.
        ranges: u8,
    },
    /// The configuration cannot work.
    #[error("configuration: {0}")]
    Config(String),
    /// A relay ended on its own.
    #[error("{relay} ended by itself; its log says: {log}")]
    RelayEnded {
        /// The relay's name.
        relay: String,
        /// The last complaint in its log.
        log: String,
    },
    /// The network did not become usable in time.
    #[error("the network was not usable after {seconds} s: {waiting_for}. {logs}")]
    Timeout {
        /// How long was waited.
        seconds: u64,
        /// What was still missing.
        waiting_for: String,
        /// Which relay's log complained about what.
        logs: String,
    },
    /// The start was cancelled.
    #[error("cancelled while starting")]
    Cancelled,
    /// A relay's name or identity is not one of this network's.
    #[error("no relay called {0}")]
    UnknownRelay(String),
    /// A command needs the proxies, which this network does without.
    #[error("this network has no proxies (Link::Direct): nothing can be stalled")]
    NoProxy,
    /// A running tor's control port did not do as told.
    #[error("{relay}: control command failed: {reply}")]
    Control {
        /// The relay's name.
        relay: String,
        /// What it answered.
        reply: String,
    },
}

impl Error {
    pub(crate) fn file(path: impl Into<PathBuf>, source: io::Error) -> Self {
        Self::File {
            path: path.into(),
            source,
        }
    }

    /// Whether this machine lacks a program that a package would bring.
    #[must_use]
    pub const fn is_missing_program(&self) -> bool {
        matches!(self, Self::Missing { .. })
    }

    /// Whether this machine lacks a program, a privilege or a kernel feature, so that a test is to
    /// report itself as skipped rather than failed.
    #[must_use]
    pub const fn is_unavailable(&self) -> bool {
        matches!(self, Self::Missing { .. } | Self::NotPermitted { .. })
    }
}
