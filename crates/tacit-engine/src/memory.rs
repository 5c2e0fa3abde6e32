//! A network inside one process, for examples and tests: no Tor, no anonymity, no delay unless
//! asked for.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures::future::BoxFuture;
use tacit_types::{OnionKey, Reason};
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream};
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
    cut: watch::Sender<u64>,
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
            cut: watch::Sender::new(0),
        }
    }

    /// Breaks every stream that exists now; new ones work.
    pub fn break_streams(&self) {
        self.cut.send_modify(|generation| *generation += 1);
    }

    fn pair(&self) -> (DuplexStream, DuplexStream) {
        let (a, a_far) = tokio::io::duplex(STREAM_BUFFER);
        let (b, b_far) = tokio::io::duplex(STREAM_BUFFER);
        let (a_read, a_write) = tokio::io::split(a_far);
        let (b_read, b_write) = tokio::io::split(b_far);
        for (read, write) in [(a_read, b_write), (b_read, a_write)] {
            tokio::spawn(carry(read, write, self.delay, self.cut.subscribe()));
        }
        (a, b)
    }
}

/// Carries bytes one way, `delay` late, until either end closes or the network is cut.
async fn carry(
    mut read: tokio::io::ReadHalf<DuplexStream>,
    mut write: tokio::io::WriteHalf<DuplexStream>,
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
        let Target::Onion { key, port, .. } = target else {
            return Box::pin(std::future::ready(Err(Reason::TurnUnreachable)));
        };
        let arrivals = self
            .addresses
            .lock()
            .expect("no code panics while it holds this lock")
            .get(&key)
            .cloned();
        let (near, far) = self.pair();
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
