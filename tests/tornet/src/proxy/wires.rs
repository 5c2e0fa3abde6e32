//! Which connections run through the proxies, between whom, and which pairs are held.
use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::identity::Relay;

/// Far above what a test network opens; beyond it new connections are refused.
const MAX_CONNECTIONS: usize = 4096;

/// Who dialled a relay.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Dialler {
    /// Another relay of the network, by name.
    Relay(String),
    /// Anything else: a client, from this address.
    Client(SocketAddr),
}

/// An open connection into a relay, as [`Network::connections`](crate::Network::connections)
/// shows it.
#[derive(Clone, Debug, serde::Serialize)]
pub struct Connection {
    /// A number of its own.
    pub id: u64,
    /// Who dialled.
    pub from: Dialler,
    /// The relay that was dialled.
    pub to: String,
    /// Bytes delivered to the relay that was dialled.
    pub forward_bytes: u64,
    /// Bytes delivered to the dialler.
    pub back_bytes: u64,
    /// Bytes, of both directions, that were delivered late because of a stall.
    pub stalled_bytes: u64,
    /// How long it has been open.
    pub age: Duration,
}

impl Connection {
    /// Whether this connection joins these two relays, whichever dialled.
    #[must_use]
    pub fn joins(&self, a: &str, b: &str) -> bool {
        let Dialler::Relay(from) = &self.from else {
            return false;
        };
        (from == a && self.to == b) || (from == b && self.to == a)
    }
}

/// Until when a pair of relays is held, in nanoseconds since `Wires::epoch`.
type Hold = Arc<AtomicU64>;

/// One open connection, as its pumps see it.
#[derive(Debug)]
pub(super) struct Wire {
    id: u64,
    from: Dialler,
    to: String,
    opened: Instant,
    epoch: Instant,
    hold: Option<Hold>,
    pub(super) forward: AtomicU64,
    pub(super) back: AtomicU64,
    pub(super) stalled: AtomicU64,
}

impl Wire {
    pub(super) const fn id(&self) -> u64 {
        self.id
    }

    /// Until when nothing may be delivered.
    pub(super) fn held_until(&self) -> Option<Instant> {
        let nanos = self.hold.as_ref()?.load(Ordering::Acquire);
        (nanos > 0).then(|| self.epoch + Duration::from_nanos(nanos))
    }

    fn show(&self) -> Connection {
        Connection {
            id: self.id,
            from: self.from.clone(),
            to: self.to.clone(),
            forward_bytes: self.forward.load(Ordering::Relaxed),
            back_bytes: self.back.load(Ordering::Relaxed),
            stalled_bytes: self.stalled.load(Ordering::Relaxed),
            age: self.opened.elapsed(),
        }
    }
}

/// All open connections and all holds.
#[derive(Debug)]
pub(super) struct Wires {
    epoch: Instant,
    addresses: BTreeMap<String, Ipv4Addr>,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    next_id: u64,
    open: BTreeMap<u64, Arc<Wire>>,
    holds: BTreeMap<(String, String), Hold>,
}

impl State {
    fn hold(&mut self, a: &str, b: &str) -> Hold {
        let pair = if a < b { (a, b) } else { (b, a) };
        let entry = self.holds.entry((pair.0.to_owned(), pair.1.to_owned()));
        Arc::clone(entry.or_default())
    }
}

impl Wires {
    pub(super) fn new(relays: &[Relay]) -> Self {
        let addresses = relays
            .iter()
            .map(|relay| (relay.name.clone(), relay.address))
            .collect();
        Self {
            epoch: Instant::now(),
            addresses,
            state: Mutex::default(),
        }
    }

    /// Registers a connection from a relay or another peer; `None` when there are too many.
    pub(super) fn open(
        &self,
        from: Option<String>,
        peer: SocketAddr,
        to: &str,
    ) -> Option<Arc<Wire>> {
        let mut state = self.state();
        if state.open.len() >= MAX_CONNECTIONS {
            return None;
        }
        state.next_id += 1;
        let wire = Arc::new(Wire {
            id: state.next_id,
            hold: from.as_ref().map(|name| state.hold(name, to)),
            from: from.map_or(Dialler::Client(peer), Dialler::Relay),
            to: to.to_owned(),
            opened: Instant::now(),
            epoch: self.epoch,
            forward: AtomicU64::new(0),
            back: AtomicU64::new(0),
            stalled: AtomicU64::new(0),
        });
        state.open.insert(wire.id, Arc::clone(&wire));
        Some(wire)
    }

    /// The address of the relay that dialled.
    pub(super) fn address_of(&self, wire: &Wire) -> Option<Ipv4Addr> {
        match &wire.from {
            Dialler::Relay(name) => self.addresses.get(name).copied(),
            Dialler::Client(_) => None,
        }
    }

    pub(super) fn close(&self, wire: &Wire) {
        self.state().open.remove(&wire.id);
    }

    pub(super) fn list(&self) -> Vec<Connection> {
        self.state().open.values().map(|wire| wire.show()).collect()
    }

    /// Holds a pair until then, and counts its open connections.
    pub(super) fn hold(&self, a: &str, b: &str, until: Instant) -> usize {
        let since = until.saturating_duration_since(self.epoch).as_nanos();
        let nanos = u64::try_from(since).unwrap_or(u64::MAX);
        let mut state = self.state();
        state.hold(a, b).fetch_max(nanos, Ordering::AcqRel);
        state
            .open
            .values()
            .filter(|wire| wire.show().joins(a, b))
            .count()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // Every change is a single insertion or removal, whole even if its thread panicked after.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
