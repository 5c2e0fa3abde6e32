//! Where a stream goes, and with which others it may share a circuit.

use core::fmt;
use std::net::SocketAddr;

use arti_client::IsolationToken;
use rand_core::{OsRng, RngCore as _};
use tacit_types::{OnionKey, SecretBytes};

/// The far end of a stream. Its `Debug` names no address.
#[derive(Clone)]
pub enum Target {
    /// An onion service.
    Onion {
        /// Key inside its address.
        key: OnionKey,
        /// Port at the service.
        port: u16,
        /// Secret that reads a restricted service's descriptor; `None` for open services.
        discovery: Option<SecretBytes<32>>,
    },
    /// A host outside Tor, through an exit. Names are not looked up: the exit sees this address.
    Exit {
        /// Its address.
        addr: SocketAddr,
    },
}

impl Target {
    pub(crate) const fn is_onion(&self) -> bool {
        matches!(self, Self::Onion { .. })
    }
}

impl fmt::Debug for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Onion { .. } => "Target::Onion[redacted]",
            Self::Exit { .. } => "Target::Exit[redacted]",
        })
    }
}

/// Streams share a circuit only if they were opened with clones of one `Isolation`.
///
/// One a leg and one a contact: nobody in the network can then tell by the circuit that two streams
/// are the same person's. After a failed connection to an onion service, a new `Isolation` also
/// makes Tor read the descriptor afresh.
#[derive(Clone)]
pub struct Isolation {
    pub(crate) arti: IsolationToken,
    /// SOCKS user name at a system tor, which keeps streams of different names apart.
    pub(crate) socks_user: [u8; 16],
}

impl Isolation {
    /// Circuits shared with nothing opened before.
    #[must_use]
    pub fn new() -> Self {
        let mut socks_user = [0; 16];
        OsRng.fill_bytes(&mut socks_user);
        Self {
            arti: IsolationToken::new(),
            socks_user,
        }
    }
}

impl Default for Isolation {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for Isolation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Isolation")
    }
}
