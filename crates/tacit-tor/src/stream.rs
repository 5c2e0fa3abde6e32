//! A byte stream through Tor.

use core::fmt;
use core::pin::Pin;
use core::task::{Context, Poll};
use std::io;
use std::sync::Arc;

use arti_client::DataStream;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tor_linkspec::HasRelayIds as _;
use tor_proto::ClientTunnel;
use tor_proto::client::stream::ClientStreamCtrl as _;

/// A stream to or from the far end. Written bytes wait until a Tor cell is full or until `flush`.
///
/// Reliable and ordered; dropping it ends it in both directions. After [`Tor::shutdown`] reads give
/// an end or an error.
///
/// [`Tor::shutdown`]: crate::Tor::shutdown
pub struct TorStream {
    inner: Inner,
    /// Keeps an accepted stream's rendezvous session from being taken for idle.
    _session: Option<Arc<()>>,
}

enum Inner {
    Arti(Box<DataStream>),
    /// To a system tor's SOCKS port, past the handshake, or from it to a hosted service.
    System(TcpStream),
}

impl TorStream {
    pub(crate) fn from_arti(stream: DataStream, session: Option<Arc<()>>) -> Self {
        Self {
            inner: Inner::Arti(Box::new(stream)),
            _session: session,
        }
    }

    pub(crate) const fn from_system(stream: TcpStream) -> Self {
        Self {
            inner: Inner::System(stream),
            _session: None,
        }
    }

    /// Whether two streams share a circuit; `None` where that cannot be known, as with a system tor.
    #[must_use]
    pub fn shares_circuit_with(&self, other: &Self) -> Option<bool> {
        let id = |stream: &Self| Some(stream.tunnel()?.unique_id());
        Some(id(self)? == id(other)?)
    }

    fn tunnel(&self) -> Option<Arc<ClientTunnel>> {
        match &self.inner {
            Inner::Arti(stream) => stream.client_stream_ctrl()?.tunnel(),
            Inner::System(_) => None,
        }
    }

    /// The relays of our half of the stream's circuit, guard first. `None` with a system tor, or when
    /// the circuit is gone.
    ///
    /// Dangerous: whoever learns them is much nearer to learning who we are. For tests on private
    /// networks, which choose by it what to disturb.
    #[must_use]
    pub fn dangerous_circuit_hops(&self) -> Option<Vec<RelayIdentity>> {
        let path = self.tunnel()?.all_paths().into_iter().next()?;
        // The last, virtual hop of an onion circuit is no relay.
        let hops = path.iter().filter_map(|hop| {
            let relay = hop.as_chan_target()?;
            Some(RelayIdentity {
                rsa: relay
                    .rsa_identity()
                    .and_then(|id| id.as_bytes().try_into().ok()),
                ed25519: relay
                    .ed_identity()
                    .and_then(|id| id.as_bytes().try_into().ok()),
            })
        });
        Some(hops.collect())
    }
}

impl fmt::Debug for TorStream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TorStream")
    }
}

/// A relay, by its public keys. Its `Debug` shows neither.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RelayIdentity {
    /// SHA-1 of its RSA identity key (the "fingerprint").
    pub rsa: Option<[u8; 20]>,
    /// Its ed25519 identity key.
    pub ed25519: Option<[u8; 32]>,
}

impl RelayIdentity {
    /// The fingerprint as C tor writes it: 40 upper-case hexadecimal digits.
    #[must_use]
    pub fn dangerous_fingerprint(&self) -> Option<String> {
        self.rsa
            .map(|id| id.iter().map(|byte| format!("{byte:02X}")).collect())
    }
}

impl fmt::Debug for RelayIdentity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("RelayIdentity[redacted]")
    }
}

impl AsyncRead for TorStream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        match &mut self.inner {
            Inner::Arti(stream) => Pin::new(stream.as_mut()).poll_read(cx, buf),
            Inner::System(stream) => Pin::new(stream).poll_read(cx, buf),
        }
    }
}

impl AsyncWrite for TorStream {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        match &mut self.inner {
            Inner::Arti(stream) => Pin::new(stream.as_mut()).poll_write(cx, buf),
            Inner::System(stream) => Pin::new(stream).poll_write(cx, buf),
        }
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.inner {
            Inner::Arti(stream) => AsyncWrite::poll_flush(Pin::new(stream.as_mut()), cx),
            Inner::System(stream) => Pin::new(stream).poll_flush(cx),
        }
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.inner {
            Inner::Arti(stream) => Pin::new(stream.as_mut()).poll_shutdown(cx),
            Inner::System(stream) => Pin::new(stream).poll_shutdown(cx),
        }
    }
}
