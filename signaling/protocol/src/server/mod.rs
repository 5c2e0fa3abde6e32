//! The mailbox server: forwards rings to the callee who waits, and learns as little as it can.
//!
//! ```text
//!   caller ── RING ──▶ find mailbox ▶ tag ▶ bucket ▶ bit ── RING-IN ──▶ callee
//!          ◀─ NAK at +50 ms ──┘ any of them fails
//!          ◀──────────────────────── ANSWER, PIPE ────────────────────▶
//! ```
//!
//! The same machine serves one owner in process (embedded: no ATTACH from the network, few streams)
//! and many people (operated). The shell gives connections their ids, reports complete frames and
//! the beginnings of incomplete ones, and drains transmits and events after every call.

mod admission;
mod attaching;
mod config;
mod connection;
mod mailboxes;
mod pipes;
mod services;
mod slab;

pub use config::{ConnectionId, ServerConfig, ServerEvent};
pub use connection::{CloseReason, WakeReason};
pub use mailboxes::MAILBOX_BYTES;

use crate::dropped::{DropCounts, DropReason};
use crate::frame::{Frame, FrameBytes, Hello};
use crate::limits::{
    FIRST_FRAME_IDLE, MAX_HANDLES, MAX_NAKS, NAK_DELAY, PARTIAL_FRAME, PROTOCOL_VERSION,
};
use connection::{Connection, IdHasher, Phase};
use core::hash::BuildHasherDefault;
use mailboxes::Mailboxes;
use pipes::Links;
use rand_chacha::ChaCha20Rng;
use rand_core::{RngCore, SeedableRng};
use std::collections::{BTreeSet, HashMap, VecDeque};
use tacit_types::Timestamp;

/// A mailbox server, without sockets or clock.
#[derive(Debug)]
pub struct Server {
    config: ServerConfig,
    rng: ChaCha20Rng,
    connections: HashMap<ConnectionId, Connection, BuildHasherDefault<IdHasher>>,
    /// Network connections that have not authenticated, oldest first; kept only when embedded.
    unauthenticated: VecDeque<ConnectionId>,
    mailboxes: Mailboxes,
    links: Links,
    naks: VecDeque<(Timestamp, ConnectionId)>,
    deadlines: BTreeSet<(Timestamp, ConnectionId)>,
    transmits: VecDeque<(ConnectionId, FrameBytes)>,
    events: VecDeque<ServerEvent>,
    drops: DropCounts,
}

impl Server {
    /// An empty server. `seed` must be fresh entropy: HELLO nonces come from it.
    #[must_use]
    pub fn new(config: ServerConfig, seed: [u8; 32]) -> Self {
        Self {
            config,
            rng: ChaCha20Rng::from_seed(seed),
            connections: HashMap::default(),
            unauthenticated: VecDeque::new(),
            mailboxes: Mailboxes::default(),
            links: Links::default(),
            naks: VecDeque::new(),
            deadlines: BTreeSet::new(),
            transmits: VecDeque::new(),
            events: VecDeque::new(),
            drops: DropCounts::default(),
        }
    }

    /// A stream has arrived: greets it.
    pub fn connect(&mut self, conn: ConnectionId, now: Timestamp) {
        if self.connections.len() >= self.config.max_connections() {
            self.events.push_back(ServerEvent::Close {
                conn,
                reason: CloseReason::Full,
            });
            return;
        }
        if self.unauthenticated.len() >= self.config.max_unauthenticated() {
            self.evict_unauthenticated(now);
        }
        let mut nonce = [0; 32];
        self.rng.fill_bytes(&mut nonce);
        self.connections
            .insert(conn, Connection::new(nonce, false, now));
        if self.config == ServerConfig::Embedded {
            self.unauthenticated.push_back(conn);
        }
        self.relist(conn);
        let hello = Frame::Hello(Hello {
            lowest: PROTOCOL_VERSION,
            highest: PROTOCOL_VERSION,
            services: self.config.services(),
            nonce,
            idle_seconds: FIRST_FRAME_IDLE.as_secs() as u16,
            frame_seconds: PARTIAL_FRAME.as_secs() as u16,
            handles: MAX_HANDLES,
        });
        self.send(conn, &hello);
    }

    /// The stream is gone.
    pub fn disconnect(&mut self, conn: ConnectionId, now: Timestamp) {
        self.forget(conn, now);
    }

    /// The first bytes of an incomplete frame have arrived; the rest must follow soon.
    pub fn frame_started(&mut self, conn: ConnectionId, now: Timestamp) {
        if let Some(connection) = self.connections.get_mut(&conn) {
            connection.partial_since.get_or_insert(now);
            self.relist(conn);
        }
    }

    /// A complete frame has arrived.
    pub fn handle_input(&mut self, conn: ConnectionId, frame: &FrameBytes, now: Timestamp) {
        let Some(connection) = self.connections.get_mut(&conn) else {
            return self.drops.count(DropReason::UnknownConnection);
        };
        connection.heard = now;
        connection.partial_since = None;
        let decoded = Frame::decode(frame);
        // An honest client waits for the answer to its ring; only its pings come by their own clock.
        if connection.nak_pending && !matches!(decoded, Ok(Frame::Ping(_))) {
            return self.close(conn, CloseReason::Violation, now);
        }
        let handled = match decoded {
            Ok(Frame::Ring(ring)) => self.ring(conn, &ring, now),
            Ok(Frame::Answer(answer)) => self.answer(conn, &answer),
            Ok(Frame::Pipe(pipe)) => self.pipe(conn, &pipe, now),
            Ok(Frame::Ping(ping)) => self.ping(conn, ping, now),
            Ok(Frame::Attach(attach)) => self.attach(conn, &attach, now),
            Ok(Frame::CredGet) => self.cred_get(conn, now),
            Ok(_) => Err(DropReason::Unexpected),
            Err(_) => Err(DropReason::Malformed),
        };
        match handled {
            Ok(()) => self.leave_fresh(conn),
            Err(reason) => self.refuse(conn, reason, now),
        }
    }

    /// Sends what is due and closes what has been silent for too long.
    pub fn handle_timeout(&mut self, now: Timestamp) {
        while let Some((_, conn)) = self.naks.front().copied().filter(|(at, _)| *at <= now) {
            self.naks.pop_front();
            if let Some(connection) = self.connections.get_mut(&conn) {
                connection.nak_pending = false;
                self.send(conn, &Frame::Nak);
            }
        }
        while let Some(entry) = self.deadlines.first().copied().filter(|(at, _)| *at <= now) {
            self.deadlines.remove(&entry);
            let (_, conn) = entry;
            let Some(connection) = self.connections.get_mut(&conn) else {
                continue;
            };
            connection.listed = None;
            match connection.deadline() {
                Some((at, reason)) if at <= now => self.close(conn, reason, now),
                _ => self.relist(conn),
            }
        }
    }

    /// The next frame to write, whole and at once, to a connection.
    pub fn poll_transmit(&mut self) -> Option<(ConnectionId, FrameBytes)> {
        self.transmits.pop_front()
    }

    /// The next thing to do.
    pub fn poll_event(&mut self) -> Option<ServerEvent> {
        self.events.pop_front()
    }

    /// When to call [`Self::handle_timeout`], and why.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<(Timestamp, WakeReason)> {
        let nak = self.naks.front().map(|(at, _)| (*at, WakeReason::Nak));
        let deadline = self
            .deadlines
            .first()
            .map(|(at, _)| (*at, WakeReason::Connection));
        [nak, deadline]
            .into_iter()
            .flatten()
            .min_by_key(|(at, _)| *at)
    }

    /// What was thrown away so far.
    #[must_use]
    pub const fn drops(&self) -> &DropCounts {
        &self.drops
    }

    /// Mailboxes that somebody attaches right now.
    #[must_use]
    pub fn mailboxes(&self) -> usize {
        self.mailboxes.len()
    }

    /// Connections that are open right now, the owner's included.
    #[must_use]
    pub fn connections(&self) -> usize {
        self.connections.len()
    }

    fn send(&mut self, conn: ConnectionId, frame: &Frame) {
        self.transmits.push_back((conn, frame.encode()));
    }

    fn leave_fresh(&mut self, conn: ConnectionId) {
        let Some(connection) = self.connections.get_mut(&conn) else {
            return;
        };
        if matches!(connection.phase, Phase::Fresh) {
            connection.phase = Phase::Idle;
        }
        self.relist(conn);
    }

    /// Counts, and answers those who may expect an answer with the one NAK at the one time.
    fn refuse(&mut self, conn: ConnectionId, reason: DropReason, now: Timestamp) {
        self.drops.count(reason);
        self.leave_fresh(conn);
        let Some(connection) = self.connections.get_mut(&conn) else {
            return;
        };
        if matches!(connection.phase, Phase::Idle | Phase::Credentials) {
            if connection.naks >= MAX_NAKS {
                return self.close(conn, CloseReason::Violation, now);
            }
            connection.naks += 1;
            connection.nak_pending = true;
            self.naks.push_back((now + NAK_DELAY, conn));
        }
    }

    /// Makes room for a new stream: the oldest that has not even spoken goes, else the oldest.
    fn evict_unauthenticated(&mut self, now: Timestamp) {
        let silent = self.unauthenticated.iter().copied().find(|conn| {
            self.connections
                .get(conn)
                .is_some_and(|c| matches!(c.phase, Phase::Fresh))
        });
        if let Some(conn) = silent.or_else(|| self.unauthenticated.front().copied()) {
            self.close(conn, CloseReason::Crowded, now);
        }
    }

    fn close(&mut self, conn: ConnectionId, reason: CloseReason, now: Timestamp) {
        if self.forget(conn, now) {
            self.events.push_back(ServerEvent::Close { conn, reason });
        }
    }

    /// Drops all that is known of a connection; the other ends of its pipes are closed.
    fn forget(&mut self, conn: ConnectionId, now: Timestamp) -> bool {
        let Some(connection) = self.connections.remove(&conn) else {
            return false;
        };
        if let Some(at) = connection.listed {
            self.deadlines.remove(&(at, conn));
        }
        self.unauthenticated.retain(|other| *other != conn);
        match connection.phase {
            Phase::Ringing(ringing) => self.unlink(ringing.callee, ringing.there),
            Phase::Attached { mailbox, more } => {
                self.mailboxes.detach(conn, mailbox);
                more.iter().for_each(|id| self.mailboxes.detach(conn, *id));
                for caller in self.links.remove_callee(conn) {
                    self.close(caller, CloseReason::PeerGone, now);
                }
            }
            Phase::Fresh | Phase::Idle | Phase::Credentials => {}
        }
        true
    }

    /// Puts a connection's deadline on the list, unless an earlier wake-up is there already: that
    /// one will look again.
    fn relist(&mut self, conn: ConnectionId) {
        let Some(connection) = self.connections.get_mut(&conn) else {
            return;
        };
        let Some((at, _)) = connection.deadline() else {
            return;
        };
        if connection.listed.is_some_and(|listed| listed <= at) {
            return;
        }
        if let Some(listed) = connection.listed.replace(at) {
            self.deadlines.remove(&(listed, conn));
        }
        self.deadlines.insert((at, conn));
    }
}
