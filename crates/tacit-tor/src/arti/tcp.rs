//! TCP towards the guard, tuned for small cells.
//!
//! Neither Arti nor C tor sets TCP_NODELAY. A voice packet is one cell, and Nagle's algorithm (RFC
//! 896) would hold it back while an earlier one is unacknowledged: up to a round trip to the guard,
//! plus the guard's delayed acknowledgement.

use std::io;
use std::net::SocketAddr;

use tokio::net::TcpStream;
use tor_rtcompat::NetStreamProvider;
use tor_rtcompat::tokio::TokioRustlsRuntime;

/// Arti's TCP with TCP_NODELAY.
#[derive(Clone)]
pub(super) struct TunedTcp(TokioRustlsRuntime);

impl TunedTcp {
    pub(super) const fn new(inner: TokioRustlsRuntime) -> Self {
        Self(inner)
    }
}

#[async_trait::async_trait]
impl NetStreamProvider for TunedTcp {
    type Stream = <TokioRustlsRuntime as NetStreamProvider>::Stream;
    type Listener = <TokioRustlsRuntime as NetStreamProvider>::Listener;
    type ConnectOptions = <TokioRustlsRuntime as NetStreamProvider>::ConnectOptions;
    type ListenOptions = <TokioRustlsRuntime as NetStreamProvider>::ListenOptions;

    async fn connect(
        &self,
        addr: &SocketAddr,
        _options: &Self::ConnectOptions,
    ) -> io::Result<Self::Stream> {
        let stream = TcpStream::connect(*addr).await?;
        stream.set_nodelay(true)?;
        Ok(stream.into())
    }

    async fn listen(
        &self,
        addr: &SocketAddr,
        options: &Self::ListenOptions,
    ) -> io::Result<Self::Listener> {
        self.0.listen(addr, options).await
    }
}
