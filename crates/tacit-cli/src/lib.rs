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
mod calls;
mod commands;
pub mod config;
mod contacts;
mod doctor;
mod folders;
mod interact;
mod json;
mod legs;
mod line;
mod live;
mod manual;
mod output;
mod passphrase;
mod practice;
mod private_file;
mod progress;
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
    /// The person was told when it happened, before the program's end.
    pub told: bool,
}

impl From<tacit_types::Reason> for Failure {
    fn from(reason: tacit_types::Reason) -> Self {
        Self {
            reason,
            detail: None,
            told: false,
        }
    }
}

impl From<tacit_engine::Error> for Failure {
    fn from(error: tacit_engine::Error) -> Self {
        Self {
            reason: error.kind(),
            detail: error.detail().map(str::to_owned),
            told: false,
        }
    }
}

impl Failure {
    /// A failure with a detail. One that only says the reason again is left out.
    #[must_use]
    pub fn new(reason: tacit_types::Reason, detail: impl std::fmt::Display) -> Self {
        let detail = detail.to_string();
        let same = |a: &str, b: &str| a.trim_end_matches('.').eq_ignore_ascii_case(b);
        Self {
            reason,
            detail: Some(detail).filter(|d| !same(reason.text(), d)),
            told: false,
        }
    }
}

/// Says on standard error why the program failed, unless it was said before.
pub fn report(failure: &Failure) {
    if !failure.told {
        output::failure(failure.reason, failure.detail.as_deref());
    }
}
