//! A running network.
use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use tokio::sync::oneshot;

use crate::addresses::Addresses;
use crate::bringup::{CLIENT, OnProgress, Starting, tor_version};
use crate::config::{Config, Link, SystemTor};
use crate::identity::Relay;
use crate::netns::Namespace;
use crate::nodelay::{Nodelay, set_nodelay};
use crate::process::{Processes, TorProcess};
use crate::progress::{Progress, Stage};
use crate::proxy::{Connection, Proxies};
use crate::stall::Stall;
use crate::torrc;
use crate::workdir::WorkDir;
use crate::{Error, arti};

/// A running network of real relays. Dropping it stops every process it started and removes its
/// temporary directory; that takes some tens of milliseconds.
#[derive(Debug)]
pub struct Network {
    // Fields drop in this order: relays before their proxies, directory and address range last.
    processes: Mutex<Processes>,
    proxies: Option<Proxies>,
    relays: Vec<Relay>,
    tor_version: String,
    link: Link,
    system_tor: Option<SocketAddr>,
    work: WorkDir,
    addresses: Addresses,
}

impl Network {
    /// Starts a network and waits until it is usable: ten to fifteen seconds, once keys are
    /// cached. Dropping the future cancels the start; `on_progress` is dropped once all that had
    /// started is stopped.
    ///
    /// # Errors
    /// [`Error::Missing`] without `tor`; [`Error::Timeout`] with the relays' complaints.
    pub async fn start(
        config: Config,
        on_progress: impl FnMut(Progress) + Send + 'static,
    ) -> Result<Self, Error> {
        let cancel = Arc::new(AtomicBool::new(false));
        let guard = CancelOnDrop(Arc::clone(&cancel));
        let (done, result) = oneshot::channel();
        thread::Builder::new()
            .name("tornet-start".into())
            .spawn(move || {
                // A receiver that is gone hands the network back, and it is dropped here.
                drop(done.send(Self::start_cancellable(
                    config,
                    Box::new(on_progress),
                    cancel,
                )));
            })
            .map_err(|source| Error::System {
                what: "starting a thread",
                source,
            })?;
        let network = result.await.map_err(|_| Error::Cancelled)?;
        drop(guard);
        network
    }

    /// As [`Network::start`], for callers without an async runtime.
    ///
    /// # Errors
    /// As [`Network::start`].
    pub fn start_blocking(
        config: Config,
        on_progress: impl FnMut(Progress) + Send + 'static,
    ) -> Result<Self, Error> {
        let never = Arc::new(AtomicBool::new(false));
        Self::start_cancellable(config, Box::new(on_progress), never)
    }

    fn start_cancellable(
        config: Config,
        on_progress: OnProgress,
        cancel: Arc<AtomicBool>,
    ) -> Result<Self, Error> {
        let tor_version = tor_version(&config.tor)?;
        let link = config.link;
        let mut starting = Starting::new(config, on_progress, cancel)?;
        let addresses = Addresses::claim(&starting.config)?;
        let relays = starting.relays(&addresses)?;
        let proxies = match link {
            Link::Direct | Link::Namespaces { .. } => None,
            Link::Proxied {
                one_way,
                jitter,
                nagle,
            } => Some(Proxies::start(&relays, one_way, jitter, nagle)?),
        };
        starting.start_relays(&relays, &addresses, proxies.as_ref())?;
        starting.introduce(&relays)?;
        starting.vote(&relays)?;
        starting.distribute(&relays)?;
        starting.client(&relays, &addresses)?;
        let system_tor = match starting.config.system_tor {
            SystemTor::Keep => Some(SocketAddr::from((
                addresses.system_tor(),
                torrc::SOCKS_PORT,
            ))),
            SystemTor::Stop => {
                starting.processes.stop(CLIENT);
                None
            }
        };
        let toml = starting.work.path().join(ARTI_CONFIG);
        fs::write(&toml, arti::config_toml(&relays)).map_err(|e| Error::file(toml, e))?;
        starting.report(Stage::Usable)?;
        let Starting {
            work, processes, ..
        } = starting;
        let processes = Mutex::new(processes);
        Ok(Self {
            processes,
            proxies,
            relays,
            tor_version,
            link,
            system_tor,
            work,
            addresses,
        })
    }

    /// The relays, authorities first.
    #[must_use]
    pub fn relays(&self) -> &[Relay] {
        &self.relays
    }

    /// The relay with this name, RSA identity or Ed25519 identity.
    #[must_use]
    pub fn relay(&self, id: &str) -> Option<&Relay> {
        self.relays.iter().find(|relay| relay.is_called(id))
    }

    /// The relay with this RSA identity (hex) or Ed25519 identity (base64), as Arti shows the hops
    /// of a circuit.
    #[must_use]
    pub fn relay_by_identity(&self, identity: &str) -> Option<&Relay> {
        self.relay(identity).filter(|relay| relay.name != identity)
    }

    /// The version of `tor` that the relays run, such as `0.4.9.11`.
    #[must_use]
    pub fn tor_version(&self) -> &str {
        &self.tor_version
    }

    /// The delay of each direction of each connection into a relay.
    #[must_use]
    pub const fn link_delay(&self) -> Duration {
        self.link.one_way()
    }

    /// Arti's configuration for this network; the caller adds its `[storage]`.
    #[must_use]
    pub fn arti_config_toml(&self) -> String {
        arti::config_toml(&self.relays)
    }

    /// A file with [`Network::arti_config_toml`].
    #[must_use]
    pub fn arti_config_path(&self) -> PathBuf {
        self.work.path().join(ARTI_CONFIG)
    }

    /// The directory with every relay's files and logs (`<name>/notice.log`).
    #[must_use]
    pub fn directory(&self) -> &Path {
        self.work.path()
    }

    /// The C tor client's SOCKS port, if it was kept.
    #[must_use]
    pub const fn socks_address(&self) -> Option<SocketAddr> {
        self.system_tor
    }

    /// The C tor client's control port, if it was kept, and its authentication cookie's file.
    #[must_use]
    pub fn control_address(&self) -> Option<(SocketAddr, PathBuf)> {
        let cookie = self.work.path().join(CLIENT).join("control_auth_cookie");
        let address = SocketAddr::from((self.addresses.system_tor(), torrc::CONTROL_PORT));
        self.system_tor.map(|_| (address, cookie))
    }

    /// The process ids of everything that runs, with names.
    #[must_use]
    pub fn pids(&self) -> Vec<(String, u32)> {
        self.processes()
            .0
            .iter()
            .map(|p| (p.name().to_owned(), p.pid()))
            .collect()
    }

    /// Holds all bytes between two relays, both ways and whichever dialled, from now on for
    /// `time`; [`Stall::over`] waits for the end. Connections of clients are never held.
    ///
    /// # Errors
    /// [`Error::UnknownRelay`], or [`Error::NoProxy`] with [`Link::Direct`].
    pub fn stall(&self, a: &str, b: &str, time: Duration) -> Result<Stall, Error> {
        let (a, b) = (self.known(a)?, self.known(b)?);
        match (&self.proxies, &self.addresses) {
            (Some(proxies), _) => Ok(proxies.stall(&a.name, &b.name, time)),
            (None, Addresses::Namespaces(spaces)) => {
                let index = |relay| self.relays.iter().position(|other| other == relay);
                let [a, b] = [a, b].map(|relay| index(relay).expect("it is one of them"));
                Ok(spaces.stall(a, b, time))
            }
            (None, Addresses::Loopback(_)) => Err(Error::NoProxy),
        }
    }

    /// Client namespace `index`, with [`Link::Namespaces`].
    #[must_use]
    pub fn client(&self, index: usize) -> Option<&Namespace> {
        match &self.addresses {
            Addresses::Namespaces(spaces) => spaces.clients().get(index),
            Addresses::Loopback(_) => None,
        }
    }

    /// The open connections into relays, with byte counts. Only with [`Link::Proxied`].
    #[must_use]
    pub fn connections(&self) -> Vec<Connection> {
        self.proxies
            .as_ref()
            .map(Proxies::connections)
            .unwrap_or_default()
    }

    /// Sets TCP_NODELAY on the open connections of all relays as `choose` says, which is told the other
    /// end's address and whether it is on. See [`set_nodelay`].
    ///
    /// # Errors
    /// As [`set_nodelay`].
    pub fn set_nodelay(&self, choose: impl Fn(SocketAddr, bool) -> bool) -> Result<Nodelay, Error> {
        let mut all = Nodelay::default();
        for (name, pid) in self.pids() {
            if self.relay(&name).is_some() {
                all.add(set_nodelay(pid, &choose)?);
            }
        }
        Ok(all)
    }

    /// Ends a relay as a crash would.
    ///
    /// # Errors
    /// [`Error::UnknownRelay`].
    pub fn kill_relay(&self, id: &str) -> Result<(), Error> {
        let name = &self.known(id)?.name;
        self.processes()
            .get(name)
            .map(TorProcess::kill)
            .ok_or_else(|| unknown(id))
    }

    /// Ends the C tor client as a crash would.
    ///
    /// # Errors
    /// [`Error::UnknownRelay`] if it was not kept.
    pub fn kill_system_tor(&self) -> Result<(), Error> {
        self.processes()
            .get(CLIENT)
            .map(TorProcess::kill)
            .ok_or_else(|| unknown(CLIENT))
    }

    /// Stops everything now; the same as dropping.
    pub fn stop(self) {}

    fn known(&self, id: &str) -> Result<&Relay, Error> {
        self.relay(id).ok_or_else(|| unknown(id))
    }

    fn processes(&self) -> MutexGuard<'_, Processes> {
        // A panic while it was held leaves nothing half done that stopping could not handle.
        self.processes
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

const ARTI_CONFIG: &str = "arti.toml";

fn unknown(id: &str) -> Error {
    Error::UnknownRelay(id.to_owned())
}

struct CancelOnDrop(Arc<AtomicBool>);

impl Drop for CancelOnDrop {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}
