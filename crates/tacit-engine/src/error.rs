//! How a request to the engine failed.

use core::fmt;

use tacit_types::Reason;

/// Why the engine refused or could not do something.
///
/// [`kind`](Self::kind) is for deciding, [`code`](Self::code) for programs in other languages and for
/// logs; printed, it says what happened in plain words. It names no contact, address or key.
#[derive(Clone, PartialEq, Eq)]
pub struct Error {
    kind: Reason,
    detail: Option<Box<str>>,
}

impl Error {
    /// With a detail for people, which must name nobody.
    pub(crate) fn with_detail(kind: Reason, detail: impl fmt::Display) -> Self {
        Self {
            kind,
            detail: Some(detail.to_string().into()),
        }
    }

    /// What went wrong.
    #[must_use]
    pub const fn kind(&self) -> Reason {
        self.kind
    }

    /// The stable code of [`kind`](Self::kind), as in `tor.blocked`.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        self.kind.code()
    }

    /// The one next action to offer.
    #[must_use]
    pub const fn next_action(&self) -> &'static str {
        self.kind.next_action()
    }

    /// What exactly, where more is known than the kind says.
    #[must_use]
    pub fn detail(&self) -> Option<&str> {
        self.detail.as_deref()
    }
}

impl From<Reason> for Error {
    fn from(kind: Reason) -> Self {
        Self { kind, detail: None }
    }
}

impl From<Error> for Reason {
    fn from(error: Error) -> Self {
        error.kind
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Error({}", self.code())?;
        if let Some(detail) = &self.detail {
            write!(f, ": {detail}")?;
        }
        f.write_str(")")
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.detail {
            Some(detail) => write!(f, "{} ({detail})", self.kind.text()),
            None => f.write_str(self.kind.text()),
        }
    }
}

impl std::error::Error for Error {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn says_what_happened_and_keeps_its_code() {
        let plain = Error::from(Reason::Busy);
        assert_eq!(
            (plain.code(), plain.to_string()),
            ("call.busy", Reason::Busy.text().into())
        );
        let detailed = Error::with_detail(Reason::TorBlocked, "its SOCKS port");
        assert_eq!(detailed.detail(), Some("its SOCKS port"));
        assert!(detailed.to_string().ends_with("(its SOCKS port)"));
        assert_eq!(Reason::from(detailed), Reason::TorBlocked);
    }
}
