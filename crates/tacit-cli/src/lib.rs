//! The programs `tacit` and `tacit-server`: a person's view of the engine.
//!
//! ```text
//!   args, config, passphrase  ->  setup  ->  engine  ->  output (live line or JSON Lines)
//!                                              ^
//!                                 keys: a d h m v x on standard input
//! ```
//!
//! **Not in this crate:** anything about calls, protocols or Tor; that is the engine's.
#![forbid(unsafe_code)]

pub mod args;
mod commands;
pub mod config;
mod doctor;
mod folders;
mod interact;
mod output;
mod passphrase;
mod practice;
mod qr;
mod server;
mod session;
mod setup;

pub use commands::run;

/// How a command failed: the stable reason and, where it helps, a detail that names nobody.
#[derive(Debug)]
pub struct Failure {
    /// The reason, whose code goes to standard error.
    pub reason: tacit_types::Reason,
    /// What exactly.
    pub detail: Option<String>,
}

impl From<tacit_types::Reason> for Failure {
    fn from(reason: tacit_types::Reason) -> Self {
        Self {
            reason,
            detail: None,
        }
    }
}

impl From<tacit_engine::Error> for Failure {
    fn from(error: tacit_engine::Error) -> Self {
        Self {
            reason: error.kind(),
            detail: error.detail().map(str::to_owned),
        }
    }
}

impl Failure {
    /// A failure with a detail.
    #[must_use]
    pub fn new(reason: tacit_types::Reason, detail: impl std::fmt::Display) -> Self {
        Self {
            reason,
            detail: Some(detail.to_string()),
        }
    }
}

/// Says on standard error why the program failed.
pub fn report(failure: &Failure) {
    output::failure(failure.reason, failure.detail.as_deref());
}
