//! What can go wrong, sorted by what the caller can do about it.

use core::fmt;

use tacit_types::Reason;

/// What went wrong, for deciding what to do next.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum TorErrorKind {
    /// The configuration cannot be used; the error's text says where.
    Config,
    /// The network lets no connection to Tor through, or there is no network.
    Blocked,
    /// The start took longer than allowed.
    BootstrapTimeout,
    /// This computer's clock is wrong.
    Clock,
    /// The Tor network no longer accepts this version.
    Obsolete,
    /// Another process uses this state folder.
    InUse,
    /// A folder cannot be read or written.
    Storage,
    /// The connection to Tor was lost after the start.
    NetworkLost,
    /// No descriptor of the onion service was found: it is offline, or was published a moment ago.
    OnionNotFound,
    /// The onion service is published but did not answer.
    OnionUnreachable,
    /// The onion service is restricted, and our discovery secret is missing or not accepted (yet).
    OnionDenied,
    /// The onion key is not a key.
    OnionAddress,
    /// The circuit to or beyond the exit failed.
    ExitFailed,
    /// The exit answered that the host refuses, or that it does not allow the port.
    ExitRefused,
    /// An onion service could not be launched.
    HostFailed,
    /// A system tor without a control port cannot host, nor reach restricted services.
    NeedsControlPort,
    /// Tor was shut down.
    Stopped,
    /// A condition that should not be.
    Internal,
}

impl TorErrorKind {
    /// Whether the same call may well succeed a few seconds later. After a failed connection, retry
    /// with a new [`Isolation`](crate::Isolation): it gets a new circuit and a new descriptor.
    #[must_use]
    pub const fn is_retryable(self) -> bool {
        matches!(
            self,
            Self::Blocked
                | Self::BootstrapTimeout
                | Self::NetworkLost
                | Self::OnionNotFound
                | Self::OnionUnreachable
                | Self::OnionDenied
                | Self::ExitFailed
        )
    }

    /// The product's reason code.
    #[must_use]
    pub const fn reason(self) -> Reason {
        match self {
            Self::Config => Reason::ConfigInvalid,
            Self::NeedsControlPort => Reason::TorNeedsControl,
            Self::Blocked => Reason::TorBlocked,
            Self::BootstrapTimeout => Reason::TorTimeout,
            Self::Clock => Reason::TorClock,
            Self::InUse => Reason::ProfileInUse,
            Self::Storage => Reason::ProfileIo,
            Self::NetworkLost | Self::HostFailed => Reason::TorLost,
            Self::OnionNotFound | Self::OnionUnreachable | Self::OnionDenied => {
                Reason::PeerUnreachable
            }
            Self::ExitFailed | Self::ExitRefused => Reason::TurnUnreachable,
            Self::Stopped => Reason::Interrupted,
            Self::OnionAddress | Self::Obsolete | Self::Internal => Reason::Internal,
        }
    }

    const fn text(self) -> &'static str {
        match self {
            Self::Config => "the Tor configuration cannot be used",
            Self::Blocked => "no connection to Tor gets through",
            Self::BootstrapTimeout => "Tor took too long to start",
            Self::Clock => "this computer's clock is wrong",
            Self::Obsolete => "the Tor network no longer accepts this version",
            Self::InUse => "another program uses this Tor state folder",
            Self::Storage => "Tor's folders cannot be used",
            Self::NetworkLost => "the connection to Tor was lost",
            Self::OnionNotFound => "the onion service is not published",
            Self::OnionUnreachable => "the onion service does not answer",
            Self::OnionDenied => "the onion service does not admit us",
            Self::OnionAddress => "the onion key is not valid",
            Self::ExitFailed => "the circuit through the exit failed",
            Self::ExitRefused => "the host beyond the exit refused",
            Self::HostFailed => "the onion service could not be launched",
            Self::NeedsControlPort => "this needs the system tor's control port",
            Self::Stopped => "Tor was shut down",
            Self::Internal => "unexpected condition",
        }
    }
}

/// A failure of Tor. Its text names no address.
///
/// Arti's own error is not kept as a source: printing it would show parts of addresses.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TorError {
    kind: TorErrorKind,
    detail: Option<String>,
}

impl TorError {
    pub(crate) const fn new(kind: TorErrorKind) -> Self {
        Self { kind, detail: None }
    }

    /// `detail` must name no address.
    pub(crate) fn with_detail(kind: TorErrorKind, detail: impl fmt::Display) -> Self {
        Self {
            kind,
            detail: Some(detail.to_string()),
        }
    }

    /// What went wrong.
    #[must_use]
    pub const fn kind(&self) -> TorErrorKind {
        self.kind
    }

    /// The product's reason code.
    #[must_use]
    pub const fn reason(&self) -> Reason {
        self.kind.reason()
    }

    /// See [`TorErrorKind::is_retryable`].
    #[must_use]
    pub const fn is_retryable(&self) -> bool {
        self.kind.is_retryable()
    }
}

impl fmt::Display for TorError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.kind.text())?;
        match &self.detail {
            Some(detail) => write!(f, " ({detail})"),
            None => Ok(()),
        }
    }
}

impl core::error::Error for TorError {}
