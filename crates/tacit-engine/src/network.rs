//! What the engine asks of a network: byte streams to somebody's onion address or to a TURN
//! server, and incoming streams at an address of our own.
//!
//! Two implementations: [`TorNetwork`](crate::tor::TorNetwork), and
//! [`MemoryNetwork`](crate::memory::MemoryNetwork) for examples and tests inside one process.

use futures::future::BoxFuture;
use tacit_tor::{OnionHost, Target, TorProgress};
use tacit_types::Reason;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::watch;

/// An ordered byte stream.
pub trait ByteStream: AsyncRead + AsyncWrite + Unpin + Send {
    /// Relays of our half of the circuit, first hop first, as hexadecimal RSA identities.
    ///
    /// For the private test network only: a circuit's relays identify its user's guard.
    fn dangerous_circuit_hops(&self) -> Option<Vec<String>> {
        None
    }
}

/// A boxed [`ByteStream`].
pub type BoxStream = Box<dyn ByteStream>;

/// A hosted address. Dropping it withdraws the address.
pub trait Host: Send {
    /// The next incoming stream and its virtual port; `None` once the network is gone.
    fn accept(&mut self) -> BoxFuture<'_, Option<(u16, BoxStream)>>;
    /// Resolves once other people can reach the address; `false` if the network is gone first.
    fn reachable(&self) -> BoxFuture<'static, bool>;
}

/// How far a network is.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum NetworkState {
    /// It starts, or runs: 100 % means ready. It falls when the connection is lost.
    Running(TorProgress),
    /// It could not start and will not: nothing can be sent or received any more.
    Gone(Reason),
}

/// Streams out, streams in. Every stream has a circuit of its own.
pub trait Network: Send + Sync + 'static {
    /// Opens one stream on a circuit that nothing else uses. May take tens of seconds.
    fn connect(&self, target: Target) -> BoxFuture<'static, Result<BoxStream, Reason>>;
    /// Publishes an address.
    fn host(&self, host: OnionHost) -> BoxFuture<'static, Result<Box<dyn Host>, Reason>>;
    /// How far the network is, for one that takes time to start; the engine tells it as events.
    /// `None`: always ready.
    fn watch(&self) -> Option<watch::Receiver<NetworkState>> {
        None
    }
    /// Ends everything. Streams fail afterwards.
    fn shutdown(&self) -> BoxFuture<'static, ()>;
}
