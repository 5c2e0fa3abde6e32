//! Unprivileged link delay: one TCP proxy in front of each relay, all on one thread.
//!
//! ```text
//!   mid1, bound to 127.13.0.1 --> 127.16.0.1:5000 | queue, due = arrival + delay | --> :6000 exit1
//!                                                 <-- queue, the other way ------
//! ```
//!
//! The second connection comes from the dialler's address, so the relay sees who connects, and
//! the proxy knows both ends: that is what lets it stall one pair of relays.
//!
//! tor and Arti leave Nagle's algorithm on, so that a small cell waits until the one before is
//! acknowledged, and a receiver delays acknowledgements by up to 40 ms. The proxy acknowledges at
//! once (`TCP_QUICKACK` after every read, because the kernel forgets it), so nobody waits.
mod pump;
mod timer;
mod wires;

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::runtime::{Builder, Handle};
use tokio::sync::oneshot;

use crate::Error;
use crate::identity::{HIDDEN_OR_PORT, Relay};
use pump::{Delay, Pump};
use wires::{Wire, Wires};

pub use wires::{Connection, Dialler};

/// What a stall did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StallReport {
    /// Connections between the two relays that were open when it began.
    pub connections: usize,
    /// How long it lasted.
    pub lasted: Duration,
}

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
    runtime: Handle,
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
        let system = |what| move |source| Error::System { what, source };
        let runtime = Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(system("making the proxies' runtime"))?;
        let wires = Arc::new(Wires::new(relays));
        let settings = Settings {
            one_way,
            jitter,
            nagle,
        };
        for relay in relays {
            let listener = runtime
                .block_on(TcpListener::bind(relay.or_address()))
                .map_err(system("binding a relay's advertised port"))?;
            let target = SocketAddr::from((relay.address, HIDDEN_OR_PORT));
            let front = Front {
                name: relay.name.clone(),
                target,
                settings,
            };
            runtime.spawn(front.serve(listener, Arc::clone(&wires)));
        }
        let handle = runtime.handle().clone();
        let (stop, stopped) = oneshot::channel::<()>();
        let thread = thread::Builder::new()
            .name("tornet-proxy".into())
            .spawn(move || {
                // Either way the channel ends, it is time to go; tasks go with the runtime.
                let _ = runtime.block_on(stopped);
            })
            .map_err(system("starting the proxies' thread"))?;
        Ok(Self {
            wires,
            runtime: handle,
            stop: Some(stop),
            thread: Some(thread),
        })
    }

    pub(crate) fn connections(&self) -> Vec<Connection> {
        self.wires.list()
    }

    /// Holds everything between two relays for `time`; runs on whichever executor awaits it.
    pub(crate) fn stall(
        &self,
        a: &str,
        b: &str,
        time: Duration,
    ) -> impl Future<Output = StallReport> + Send + use<> {
        let begun = Instant::now();
        let until = begun + time;
        let connections = self.wires.hold(a, b, until);
        let over = self.runtime.spawn(tokio::time::sleep_until(until.into()));
        async move {
            // The sleep ends early only if the network is dropped meanwhile.
            let _ = over.await;
            StallReport {
                connections,
                lasted: begun.elapsed(),
            }
        }
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
    target: SocketAddr,
    settings: Settings,
}

impl Front {
    async fn serve(self, listener: TcpListener, wires: Arc<Wires>) {
        loop {
            // Accepting fails when descriptors run out; one connection is then refused.
            let Ok((stream, peer)) = listener.accept().await else {
                tokio::time::sleep(Duration::from_millis(10)).await;
                continue;
            };
            let Some(wire) = wires.open(peer, &self.name) else {
                continue;
            };
            let (front, wires) = (self.clone(), Arc::clone(&wires));
            tokio::spawn(async move {
                // A broken connection closes both of its halves: that is all there is to say.
                let _ = front.carry(stream, peer.ip(), &wire).await;
                wires.close(&wire);
            });
        }
    }

    async fn carry(&self, near: TcpStream, dialler: IpAddr, wire: &Wire) -> io::Result<()> {
        // The dialler's handshake ended at the proxy at once; over a real link it takes this long.
        tokio::time::sleep(self.settings.one_way * 2).await;
        let socket = TcpSocket::new_v4()?;
        socket.bind(SocketAddr::new(dialler, 0))?;
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
