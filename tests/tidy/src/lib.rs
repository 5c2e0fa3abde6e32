//! The rules of docs/architecture.md, checked from `cargo metadata` and the sources.
//!
//! ```text
//!   cargo metadata --+
//!                    +--> Workspace --> rule, rule, rule ... --> violations (none, in this repository)
//!   every text file -+
//! ```
//!
//! Each rule is one function from a [`Workspace`] to the violations it finds, and has a control: the
//! small workspace in `fixtures/planted` breaks each of them, and a test asserts that each break is
//! found.
//!
//! **Not in this crate:** formatting and lints, which rustfmt and clippy check, and what programs do.
#![forbid(unsafe_code)]

pub mod code;
pub mod rules;
pub mod spdx;
pub mod workspace;

use core::fmt;

pub use workspace::Workspace;

/// Something that a rule forbids.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Violation {
    /// A file with its line, or a package.
    pub place: String,
    /// What is wrong there, and what to do.
    pub what: String,
}

impl Violation {
    /// At a package.
    #[must_use]
    pub fn of(package: &str, what: impl Into<String>) -> Self {
        Self {
            place: package.to_owned(),
            what: what.into(),
        }
    }

    /// At a line of a file, counted from 1.
    #[must_use]
    pub fn at(path: &str, line: usize, what: impl Into<String>) -> Self {
        Self {
            place: format!("{path}:{line}"),
            what: what.into(),
        }
    }
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.place, self.what)
    }
}
