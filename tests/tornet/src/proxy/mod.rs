//! Unprivileged link delay: one TCP proxy in front of each relay, all on one thread.
//!
//! ```text
//!   mid1 --> 127.16.0.1:5000 | queue: due = arrival + delay | from 127.13.0.1 --> :6000 exit1
//!                            <-- queue, the other way --------
//! ```
//!
//! The proxy finds out which relay dials, and connects on from that relay's address, so the relay
//! sees who connects. Knowing both ends is what lets it stall one pair of relays.
//!
//! tor and Arti leave Nagle's algorithm on, so that a small cell waits until the one before is
//! acknowledged, and a receiver delays acknowledgements by up to 40 ms. The proxy acknowledges at
//! once (`TCP_QUICKACK` after every read, because the kernel forgets it), so nobody waits.
mod pump;
mod sockets;
#[cfg(test)]
mod tests;
mod timer;
mod wires;

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::runtime::{Builder, Runtime};
use tokio::sync::oneshot;

use crate::Error;
use crate::delay::Delay;
use crate::identity::{HIDDEN_OR_PORT, Relay};
use crate::stall::Stall;
use pump::Pump;
use sockets::Sockets;
use wires::{Wire, Wires};

pub use wires::{Connection, Dialler};

/// How the proxies treat every connection.
#[derive(Clone, Copy, Debug)]
struct Settings {
    one_way: Duration,
    jitter: Duration,
    nagle: bool,
}

/// The running proxies; dropping ends their thread and closes every connection.
#[derive(Debug)]
pub(crate) struct Proxies {
    wires: Arc<Wires>,
    sockets: Arc<Sockets>,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Proxies {
    pub(crate) fn start(
        relays: &[Relay],
        one_way: Duration,
        jitter: Duration,
        nagle: bool,
    ) -> Result<Self, Error> {
        let wires = Arc::new(Wires::new(relays));
        let sockets = Arc::new(Sockets::default());
        let settings = Settings {
            one_way,
            jitter,
            nagle,
        };
        let front = |relay: &Relay| Front {
            name: relay.name.clone(),
            address: relay.or_address().into(),
            target: SocketAddr::from((relay.address, HIDDEN_OR_PORT)),
            settings,
            wires: Arc::clone(&wires),
            sockets: Arc::clone(&sockets),
        };
        let fronts: Vec<Front> = relays.iter().map(front).collect();
        let (stop, stopped) = oneshot::channel::<()>();
        let (ready, started) = std::sync::mpsc::channel();
        // The runtime lives and ends on its own thread, so that the caller may be on any.
        let thread = thread::Builder::new()
            .name("tornet-proxy".into())
            .spawn(move || run(fronts, &ready, stopped));
        let failed = |source| Error::System {
            what: "starting the proxies",
            source,
        };
        let proxies = Self {
            wires,
            sockets,
            stop: Some(stop),
            thread: Some(thread.map_err(failed)?),
        };
        let started = started.recv().unwrap_or_else(|e| Err(io::Error::other(e)));
        started.map_err(failed).map(|()| proxies)
    }

    /// Tells which process is which relay; right after starting it, before it can dial.
    pub(crate) fn add_process(&self, pid: u32, relay: &str) {
        self.sockets.add(pid, relay);
    }

    pub(crate) fn connections(&self) -> Vec<Connection> {
        self.wires.list()
    }

    /// Holds everything between two relays for `time`.
    pub(crate) fn stall(&self, a: &str, b: &str, time: Duration) -> Stall {
        let connections = self.wires.hold(a, b, Instant::now() + time);
        Stall::new(time, Some(connections))
    }
}

/// Serves all fronts until `stopped` ends; says on `ready` how the start went.
fn run(
    fronts: Vec<Front>,
    ready: &std::sync::mpsc::Sender<io::Result<()>>,
    stopped: oneshot::Receiver<()>,
) {
    let listen = |runtime: &Runtime| {
        fronts.into_iter().try_for_each(|front| {
            let listener = runtime.block_on(TcpListener::bind(front.address))?;
            runtime.spawn(front.serve(listener));
            Ok(())
        })
    };
    let runtime = Builder::new_current_thread().enable_all().build();
    let started = runtime.and_then(|runtime| listen(&runtime).map(|()| runtime));
    match started {
        Ok(runtime) => {
            // The receiver waits for this. Then: however the channel ends, it is time to go, and
            // tasks go with the runtime.
            let _ = ready.send(Ok(()));
            let _ = runtime.block_on(stopped);
        }
        Err(error) => drop(ready.send(Err(error))),
    }
}

impl Drop for Proxies {
    fn drop(&mut self) {
        self.stop = None;
        if let Some(thread) = self.thread.take() {
            // It only fails if the thread panicked, which has been printed.
            let _ = thread.join();
        }
    }
}

/// The proxy in front of one relay.
#[derive(Clone, Debug)]
struct Front {
    name: String,
    address: SocketAddr,
    target: SocketAddr,
    settings: Settings,
    wires: Arc<Wires>,
    sockets: Arc<Sockets>,
}

impl Front {
    async fn serve(self, listener: TcpListener) {
        loop {
            // Accepting fails when descriptors run out; one connection is then refused.
            let Ok((stream, peer)) = listener.accept().await else {
                tokio::time::sleep(Duration::from_millis(10)).await;
                continue;
            };
            tokio::spawn(self.clone().connection(stream, peer));
        }
    }

    async fn connection(self, near: TcpStream, peer: SocketAddr) {
        let (sockets, address) = (Arc::clone(&self.sockets), self.address);
        let owner = tokio::task::spawn_blocking(move || sockets.owner(peer, address));
        // The dialler's handshake ended at the proxy at once; over a real link it takes this long.
        let handshake = tokio::time::sleep(self.settings.one_way * 2);
        let (owner, ()) = tokio::join!(owner, handshake);
        let Some(wire) = self.wires.open(owner.ok().flatten(), peer, &self.name) else {
            return;
        };
        // A broken connection closes both of its halves: that is all there is to say.
        let _ = self.carry(near, &wire).await;
        self.wires.close(&wire);
    }

    async fn carry(&self, near: TcpStream, wire: &Wire) -> io::Result<()> {
        let source = self.wires.address_of(wire).unwrap_or(Ipv4Addr::LOCALHOST);
        let socket = TcpSocket::new_v4()?;
        socket.bind(SocketAddr::from((source, 0)))?;
        let far = socket.connect(self.target).await?;
        near.set_nodelay(true)?;
        far.set_nodelay(true)?;
        let Settings {
            one_way,
            jitter,
            nagle,
        } = self.settings;
        let delay = |seed| Delay::new(one_way, jitter, seed);
        let forward = Pump::new(
            &near,
            &far,
            delay(wire.id() * 2 + 1),
            &wire.forward,
            wire,
            nagle,
        )?;
        let back = Pump::new(
            &far,
            &near,
            delay(wire.id() * 2 + 2),
            &wire.back,
            wire,
            nagle,
        )?;
        tokio::try_join!(forward.run(), back.run()).map(|_| ())
    }
}
