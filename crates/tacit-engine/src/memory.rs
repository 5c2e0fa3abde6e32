//! A network inside one process, for examples and tests: no Tor, no anonymity, no delay unless
//! asked for.

use std::collections::{BTreeMap, VecDeque};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures::future::BoxFuture;
use tacit_types::limits::ONION_PORT_LEGS;
use tacit_types::{OnionKey, Reason};
use tokio::io::{
    AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, DuplexStream, ReadHalf, WriteHalf,
};
use tokio::net::TcpStream;
use tokio::sync::{mpsc, watch};

use crate::network::{BoxStream, ByteStream, Host, Network};
use tacit_tor::{OnionHost, Target};

/// Bytes that one direction of a stream may hold.
const STREAM_BUFFER: usize = 64 * 1024;
/// Streams that may wait to be accepted at one address.
const BACKLOG: usize = 64;

type Arrivals = mpsc::Sender<(u16, BoxStream)>;

/// Connects engines of one process with each other. Cloning gives another handle to the same
/// network.
#[derive(Clone, Debug)]
pub struct MemoryNetwork {
    addresses: Arc<Mutex<BTreeMap<OnionKey, Arrivals>>>,
    delay: Duration,
    /// How much longer the next legs take, each way.
    slow: Arc<Mutex<VecDeque<Duration>>>,
    cut: watch::Sender<u64>,
    loopback_exits: bool,
}

impl Default for MemoryNetwork {
    fn default() -> Self {
        Self::new(Duration::ZERO)
    }
}

impl MemoryNetwork {
    /// A network whose streams take `delay` each way.
    #[must_use]
    pub fn new(delay: Duration) -> Self {
        Self {
            addresses: Arc::default(),
            delay,
            slow: Arc::default(),
            cut: watch::Sender::new(0),
            loopback_exits: false,
        }
    }

    /// The same network with exits to this computer, and to nowhere else, by TCP without Tor: a
    /// target at a loopback
    /// address is reached by real TCP, so that TURN legs work with a TURN server on this computer.
    #[must_use]
    pub fn with_dangerous_loopback_exits(mut self) -> Self {
        self.loopback_exits = true;
        self
    }

    /// Breaks every stream that exists now; new ones work.
    pub fn break_streams(&self) {
        self.cut.send_modify(|generation| *generation += 1);
    }

    /// The next legs that are opened take so much longer each way, one after the other: onion legs,
    /// and streams through exits.
    pub fn slow_next_legs(&self, more: &[Duration]) {
        self.slow
            .lock()
            .expect("no code panics while it holds this lock")
            .extend(more);
    }

    fn leg_delay(&self) -> Duration {
        let mut slow = self
            .slow
            .lock()
            .expect("no code panics while it holds this lock");
        self.delay + slow.pop_front().unwrap_or_default()
    }

    fn delay_to(&self, port: u16) -> Duration {
        if port == ONION_PORT_LEGS {
            self.leg_delay()
        } else {
            self.delay
        }
    }

    fn pair(&self, delay: Duration) -> (DuplexStream, DuplexStream) {
        let (a, a_far) = tokio::io::duplex(STREAM_BUFFER);
        let (b, b_far) = tokio::io::duplex(STREAM_BUFFER);
        self.splice(a_far, b_far, delay);
        (a, b)
    }

    /// Carries bytes both ways between two streams.
    fn splice<A, B>(&self, a: A, b: B, delay: Duration)
    where
        A: AsyncRead + AsyncWrite + Send + 'static,
        B: AsyncRead + AsyncWrite + Send + 'static,
    {
        let (a_read, a_write) = tokio::io::split(a);
        let (b_read, b_write) = tokio::io::split(b);
        tokio::spawn(carry(a_read, b_write, delay, self.cut.subscribe()));
        tokio::spawn(carry(b_read, a_write, delay, self.cut.subscribe()));
    }

    async fn exit(self, addr: SocketAddr, delay: Duration) -> Result<BoxStream, Reason> {
        if !self.loopback_exits || !addr.ip().is_loopback() {
            return Err(Reason::TurnUnreachable);
        }
        let unreachable = |_| Reason::TurnUnreachable;
        let far = TcpStream::connect(addr).await.map_err(unreachable)?;
        far.set_nodelay(true).map_err(unreachable)?;
        let (near, here) = tokio::io::duplex(STREAM_BUFFER);
        self.splice(here, far, delay);
        Ok(Box::new(near))
    }
}

/// Carries bytes one way, `delay` late, until either end closes or the network is cut.
async fn carry<R: AsyncRead, W: AsyncWrite>(
    mut read: ReadHalf<R>,
    mut write: WriteHalf<W>,
    delay: Duration,
    mut cut: watch::Receiver<u64>,
) {
    let (queue, mut due) = mpsc::channel::<(tokio::time::Instant, Vec<u8>)>(1024);
    let fill = async move {
        let mut buffer = vec![0; 4096];
        while let Ok(n @ 1..) = read.read(&mut buffer).await {
            let at = tokio::time::Instant::now() + delay;
            if queue.send((at, buffer[..n].to_vec())).await.is_err() {
                break;
            }
        }
    };
    let drain = async move {
        while let Some((at, bytes)) = due.recv().await {
            tokio::time::sleep_until(at).await;
            if write.write_all(&bytes).await.is_err() || write.flush().await.is_err() {
                break;
            }
        }
        // A peer that has gone is no error here: the other side sees the end of the stream.
        let _ = write.shutdown().await;
    };
    tokio::select! {
        () = async { tokio::join!(fill, drain); } => {}
        _ = cut.changed() => {}
    }
}

impl ByteStream for DuplexStream {}

struct MemoryHost {
    key: OnionKey,
    sender: Arrivals,
    addresses: Arc<Mutex<BTreeMap<OnionKey, Arrivals>>>,
    arrivals: mpsc::Receiver<(u16, BoxStream)>,
}

impl Host for MemoryHost {
    fn accept(&mut self) -> BoxFuture<'_, Option<(u16, BoxStream)>> {
        Box::pin(self.arrivals.recv())
    }

    fn reachable(&self) -> BoxFuture<'static, bool> {
        Box::pin(std::future::ready(true))
    }
}

impl Drop for MemoryHost {
    fn drop(&mut self) {
        let mut addresses = self
            .addresses
            .lock()
            .expect("no code panics while it holds this lock");
        // Somebody may have hosted the same address since.
        if addresses
            .get(&self.key)
            .is_some_and(|current| current.same_channel(&self.sender))
        {
            addresses.remove(&self.key);
        }
    }
}

impl Network for MemoryNetwork {
    fn connect(&self, target: Target) -> BoxFuture<'static, Result<BoxStream, Reason>> {
        let (key, port) = match target {
            Target::Onion { key, port, .. } => (key, port),
            Target::Exit { addr } => {
                let delay = self.leg_delay();
                return Box::pin(self.clone().exit(addr, delay));
            }
        };
        let arrivals = self
            .addresses
            .lock()
            .expect("no code panics while it holds this lock")
            .get(&key)
            .cloned();
        let (near, far) = self.pair(self.delay_to(port));
        Box::pin(async move {
            let arrivals = arrivals.ok_or(Reason::PeerUnreachable)?;
            let far: BoxStream = Box::new(far);
            arrivals
                .send((port, far))
                .await
                .map_err(|_| Reason::PeerUnreachable)?;
            Ok(Box::new(near) as BoxStream)
        })
    }

    fn host(&self, host: OnionHost) -> BoxFuture<'static, Result<Box<dyn Host>, Reason>> {
        let key = host.identity.public();
        let (sender, arrivals) = mpsc::channel(BACKLOG);
        self.addresses
            .lock()
            .expect("no code panics while it holds this lock")
            .insert(key, sender.clone());
        let host = MemoryHost {
            key,
            sender,
            addresses: Arc::clone(&self.addresses),
            arrivals,
        };
        Box::pin(std::future::ready(Ok(Box::new(host) as Box<dyn Host>)))
    }

    fn shutdown(&self) -> BoxFuture<'static, ()> {
        self.break_streams();
        Box::pin(std::future::ready(()))
    }
}
