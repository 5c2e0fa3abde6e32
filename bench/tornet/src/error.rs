//! What can go wrong, and what to do about it.

/// Why there is no measurement.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A program is not installed.
    #[error("{0}; `cargo xtask setup` installs all that the private network needs")]
    Missing(String),
    /// Network namespaces cannot be made.
    #[error("{0}: run it as root")]
    NotPermitted(String),
    /// The options cannot work.
    #[error("{0}")]
    Options(String),
    /// The relays did not start or did not do as told.
    #[error("the private Tor network: {0}")]
    Network(#[source] tacit_tornet::Error),
    /// A leg or what it needs did not come up.
    #[error("{what}: {why}")]
    Leg {
        /// What was attempted.
        what: &'static str,
        /// Why it failed.
        why: String,
    },
    /// Somebody wanted it to stop.
    #[error("interrupted")]
    Interrupted,
}

impl Error {
    pub(crate) fn leg(what: &'static str, why: impl ToString) -> Self {
        Self::Leg {
            what,
            why: why.to_string(),
        }
    }

    /// Whether this machine lacks a program, a privilege or a kernel feature, so that a test is to
    /// report itself as skipped rather than failed.
    #[must_use]
    pub const fn is_unavailable(&self) -> bool {
        matches!(self, Self::Missing(_) | Self::NotPermitted(_))
    }
}

impl From<tacit_tornet::Error> for Error {
    fn from(error: tacit_tornet::Error) -> Self {
        if error.is_missing_program() {
            Self::Missing(error.to_string())
        } else if error.is_unavailable() {
            Self::NotPermitted(error.to_string())
        } else if matches!(error, tacit_tornet::Error::Cancelled) {
            Self::Interrupted
        } else {
            Self::Network(error)
        }
    }
}
