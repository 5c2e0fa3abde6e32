//! Every node in a network namespace of its own, joined by a router in this process. Needs root.
//!
//! ```text
//!   relay 10.100.0.1 [tun] <--+                       +--> [tun] 10.108.0.1 C tor client
//!   relay 10.101.0.1 [tun] <--+-- router: delay, stall --> [tun] 10.109.0.1 client namespace 0
//!   ...                       |   and record           |
//! ```
//!
//! TCP runs end to end between kernels, so it meets the delay as it would on the Internet. And
//! nothing can leave a namespace but through the router, which remembers where each packet was to
//! go: a client that contacts anything but relays is seen.
mod capture;
mod device;
mod holds;
mod router;
mod space;

use std::io;
use std::net::{Ipv4Addr, Ipv6Addr};
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use rustix::event::{EventfdFlags, eventfd};

use crate::Error;
use crate::stall::Stall;
use capture::Capture;
use holds::Holds;
use router::Router;

pub use capture::{Contact, Protocol};
pub use space::Namespace;

/// The namespaces of a network: relays, the C tor client, then clients.
#[derive(Debug)]
pub(crate) struct Namespaces {
    relays: usize,
    spaces: Vec<Namespace>,
    holds: Arc<Holds>,
    stop: OwnedFd,
    router: Option<JoinHandle<()>>,
}

impl Namespaces {
    pub(crate) fn create(
        relays: usize,
        clients: usize,
        one_way: Duration,
        jitter: Duration,
    ) -> Result<Self, Error> {
        let system = |what| move |source| Error::System { what, source };
        let capture = Arc::new(Capture::default());
        let addresses: Vec<Ipv4Addr> = (0..relays + 1 + clients).map(address).collect();
        let (mut spaces, mut devices) = (Vec::new(), Vec::new());
        for (index, v4) in addresses.iter().enumerate() {
            let (space, tun) = Namespace::create(index, *v4, v6(*v4), Arc::clone(&capture))
                .map_err(not_permitted)?;
            spaces.push(space);
            devices.push(tun);
        }
        let stop = eventfd(0, EventfdFlags::CLOEXEC)
            .map_err(io::Error::from)
            .map_err(system("making an event descriptor"))?;
        let stopped = stop
            .try_clone()
            .map_err(system("copying an event descriptor"))?;
        let holds = Arc::new(Holds::default());
        let delay = (one_way, jitter);
        let router = Router::new(
            devices,
            stopped,
            &addresses,
            delay,
            capture,
            Arc::clone(&holds),
        );
        let router = thread::Builder::new()
            .name("tornet-router".into())
            .spawn(move || {
                if let Err(error) = router.run() {
                    eprintln!("tornet's router failed: {error}");
                }
            })
            .map_err(system("starting the router's thread"))?;
        Ok(Self {
            relays,
            spaces,
            holds,
            stop,
            router: Some(router),
        })
    }

    pub(crate) fn relay(&self, index: usize) -> &Namespace {
        &self.spaces[index]
    }

    pub(crate) fn system_tor(&self) -> &Namespace {
        &self.spaces[self.relays]
    }

    pub(crate) fn clients(&self) -> &[Namespace] {
        &self.spaces[self.relays + 1..]
    }

    /// Holds everything between two relays for `time`.
    pub(crate) fn stall(&self, a: usize, b: usize, time: Duration) -> Stall {
        self.holds.hold(a, b, Instant::now() + time);
        Stall::new(time, None)
    }
}

impl Drop for Namespaces {
    fn drop(&mut self) {
        // It cannot be full: this is the only write.
        let _ = rustix::io::write(&self.stop, &1_u64.to_ne_bytes());
        if let Some(router) = self.router.take() {
            // It only fails if the router panicked, which has been printed.
            let _ = router.join();
        }
    }
}

/// A /16 for each, as for relays on loopback.
fn address(index: usize) -> Ipv4Addr {
    Ipv4Addr::new(
        10,
        u8::try_from(100 + index).expect("far fewer than 155 nodes"),
        0,
        1,
    )
}

/// IPv6 leads nowhere, but attempts are to be seen.
fn v6(v4: Ipv4Addr) -> Ipv6Addr {
    let [a, b, c, d] = v4.octets();
    let half = |high, low| u16::from_be_bytes([high, low]);
    Ipv6Addr::new(0xfd00, 0, 0, 0, 0, 0, half(a, b), half(c, d))
}

fn not_permitted(source: io::Error) -> Error {
    Error::NotPermitted {
        what: "network namespaces and TUN devices",
        source,
    }
}
