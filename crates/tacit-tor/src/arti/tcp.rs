//! TCP towards the guard, tuned for small cells.
//!
//! Neither Arti nor C tor sets TCP_NODELAY. A voice packet is one cell, and Nagle's algorithm (RFC
//! 896) would hold it back while an earlier one is unacknowledged: up to a round trip to the guard,
//! plus the guard's delayed acknowledgement. The other way, a guard does hold cells back; that we
//! acknowledge at once makes it as short as it can be ([`super::acks`]).

use core::pin::Pin;
use core::task::{Context, Poll};
use std::io;
use std::net::SocketAddr;

use futures::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tor_rtcompat::tokio::TokioRustlsRuntime;
use tor_rtcompat::{NetStreamListener, NetStreamProvider, StreamOps};

use super::acks::{Acknowledging, Acks};

/// What Arti makes of a tokio stream.
type ArtiStream = <TokioRustlsRuntime as NetStreamProvider>::Stream;

/// Arti's TCP with TCP_NODELAY, and acknowledgements without delay.
#[derive(Clone, Default)]
pub(super) struct TunedTcp {
    acks: Acks,
}

impl TunedTcp {
    pub(super) const fn new(acks: Acks) -> Self {
        Self { acks }
    }
}

#[async_trait::async_trait]
impl NetStreamProvider for TunedTcp {
    type Stream = TunedStream;
    type Listener = NoListener;
    type ConnectOptions = <TokioRustlsRuntime as NetStreamProvider>::ConnectOptions;
    type ListenOptions = <TokioRustlsRuntime as NetStreamProvider>::ListenOptions;

    async fn connect(
        &self,
        addr: &SocketAddr,
        _options: &Self::ConnectOptions,
    ) -> io::Result<Self::Stream> {
        let stream = TcpStream::connect(*addr).await?;
        stream.set_nodelay(true)?;
        Ok(TunedStream {
            acks: self.acks.of(&stream)?,
            stream: stream.into(),
        })
    }

    /// A client and its onion services only ever connect, and no port of this computer is opened.
    async fn listen(
        &self,
        _addr: &SocketAddr,
        _options: &Self::ListenOptions,
    ) -> io::Result<Self::Listener> {
        Err(io::ErrorKind::Unsupported.into())
    }
}

/// A connection to a guard.
pub(super) struct TunedStream {
    stream: ArtiStream,
    acks: Acknowledging,
}

impl AsyncRead for TunedStream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        let read = Pin::new(&mut self.stream).poll_read(cx, buffer);
        if matches!(read, Poll::Ready(Ok(1..))) {
            self.acks.has_read();
        }
        read
    }
}

impl AsyncWrite for TunedStream {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_close(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_close(cx)
    }
}

impl StreamOps for TunedStream {
    fn set_tcp_notsent_lowat(&self, bytes: u32) -> io::Result<()> {
        self.stream.set_tcp_notsent_lowat(bytes)
    }

    fn new_handle(&self) -> Box<dyn StreamOps + Send + Unpin> {
        self.stream.new_handle()
    }
}

/// There is none: see [`TunedTcp::listen`].
pub(super) enum NoListener {}

impl NetStreamListener for NoListener {
    type Stream = TunedStream;
    type Incoming = futures::stream::Empty<io::Result<(TunedStream, SocketAddr)>>;

    fn incoming(self) -> Self::Incoming {
        match self {}
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        match *self {}
    }
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use futures::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use tokio::net::TcpListener;

    use super::*;

    /// Enough for the kernel to see that both ends talk by turns, even on a machine that stops at times.
    const TURNS: usize = 1000;

    /// Both ends send by turns, as in a call. After how many of our reads the kernel meant to delay
    /// what comes next; `until_delayed` stops at the first.
    async fn delayed(acks: Acks, until_delayed: bool) -> usize {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address");
        let (tcp, options) = (TunedTcp::new(acks), Default::default());
        let near = tcp.connect(&address, &options).await;
        let mut near = near.expect("a connection");
        let (mut far, _) = listener.accept().await.expect("its other end");
        let mut cell = [7; 512];
        let mut delayed = 0;
        for _ in 0..TURNS {
            far.write_all(&cell).await.expect("it is open");
            near.read_exact(&mut cell).await.expect("it is open");
            delayed += usize::from(!near.acks.is_quick());
            if delayed > 0 && until_delayed {
                break;
            }
            near.write_all(&cell).await.expect("it is open");
            far.read_exact(&mut cell).await.expect("it is open");
        }
        delayed
    }

    #[tokio::test]
    async fn what_was_read_is_acknowledged_at_once() {
        assert_eq!(delayed(Acks::default(), false).await, 0);
    }

    #[tokio::test]
    async fn without_asking_the_kernel_comes_to_delay() {
        let acks = Acks::default();
        acks.at_once(false);
        assert_eq!(delayed(acks, true).await, 1);
    }

    #[tokio::test]
    async fn nothing_listens() {
        let address = "127.0.0.1:0".parse().expect("an address");
        let (tcp, options) = (TunedTcp::default(), Default::default());
        assert!(tcp.listen(&address, &options).await.is_err());
    }
}
