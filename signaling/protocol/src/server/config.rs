//! What a server is told, and what it tells its shell.

use super::CloseReason;
use crate::frame::Services;
use crate::limits::{EMBEDDED_CONNECTIONS, EMBEDDED_UNAUTHENTICATED, OPERATED_CONNECTIONS};

/// Names a connection. The shell chooses it and never uses one twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ConnectionId(pub u64);

/// Whom the server is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ServerConfig {
    /// The owner in process, behind one onion address.
    Embedded,
    /// Many people.
    Operated {
        /// Connections in all; further ones are closed at once.
        max_connections: usize,
        /// Whether CRED-GET is answered.
        credentials: bool,
    },
}

impl ServerConfig {
    /// An operated server with the usual bounds.
    #[must_use]
    pub const fn operated() -> Self {
        Self::Operated {
            max_connections: OPERATED_CONNECTIONS,
            credentials: false,
        }
    }

    pub(super) const fn services(self) -> Services {
        match self {
            Self::Embedded => Services {
                attach: false,
                credentials: false,
            },
            Self::Operated { credentials, .. } => Services {
                attach: true,
                credentials,
            },
        }
    }

    pub(super) const fn max_connections(self) -> usize {
        match self {
            Self::Embedded => EMBEDDED_CONNECTIONS,
            Self::Operated {
                max_connections, ..
            } => max_connections,
        }
    }

    pub(super) const fn max_unauthenticated(self) -> usize {
        match self {
            Self::Embedded => EMBEDDED_UNAUTHENTICATED,
            Self::Operated { .. } => usize::MAX,
        }
    }
}

/// What the shell has to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ServerEvent {
    /// Send what is queued for it, then close it. The server has forgotten it already.
    Close {
        /// The connection.
        conn: ConnectionId,
        /// Why; not told to the peer.
        reason: CloseReason,
    },
    /// Make credentials and give them to [`Server::credentials`](crate::Server::credentials).
    CredentialsWanted {
        /// The connection.
        conn: ConnectionId,
    },
}
