//! The machine as the two tasks and the engine share it, and the engine's handle to it.

use core::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use core::time::Duration;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tacit_types::limits::PACKET_BYTES;
use tacit_types::{LegIndex, Timestamp};
use tokio::sync::Notify;

use super::Clock;
use crate::leg::{DropCounts, Leg, Peer, PeerError, SendError};

/// A machine shared by its reader, its writer and its handle.
#[derive(Clone)]
pub struct SharedLeg(Arc<Inner>);

struct Inner {
    machine: Mutex<Box<dyn Leg + Send>>,
    /// Something may be waiting to be written, or the leg is closing.
    to_write: Notify,
    /// Events or deadlines may have changed outside the reader, or the leg is closing.
    changed: Notify,
    closing: AtomicBool,
    /// See [`Written`]: packets in the upper 24 bits, microseconds in the lower 40.
    written: AtomicU64,
    /// When the leg took the packet that is being written, in microseconds; [`NOTHING`] if none is.
    in_hand: AtomicU64,
}

const NOTHING: u64 = u64::MAX;

const WRITTEN_MICROS_BITS: u32 = 40;

/// Packets that a leg has written and flushed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Written {
    /// How many.
    pub packets: u64,
    /// How long they waited from the moment that the leg took them until they were flushed, all
    /// together.
    pub waited: Duration,
    /// How long the one waits already that is being written at this moment. Those behind it wait less.
    pub in_hand: Option<Duration>,
}

impl SharedLeg {
    /// Shares a machine.
    #[must_use]
    pub fn new(machine: impl Leg + Send + 'static) -> Self {
        Self(Arc::new(Inner {
            machine: Mutex::new(Box::new(machine)),
            to_write: Notify::new(),
            changed: Notify::new(),
            closing: AtomicBool::new(false),
            written: AtomicU64::new(0),
            in_hand: AtomicU64::new(NOTHING),
        }))
    }

    /// The machine. A panic elsewhere leaves it as it was: its state is still consistent.
    pub(super) fn machine(&self) -> MutexGuard<'_, Box<dyn Leg + Send>> {
        self.0
            .machine
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn wake_writer(&self) {
        self.0.to_write.notify_one();
    }

    pub(super) async fn writer_woken(&self) {
        self.0.to_write.notified().await;
    }

    pub(super) async fn changed(&self) {
        self.0.changed.notified().await;
    }

    pub(super) fn is_closing(&self) -> bool {
        self.0.closing.load(Ordering::Acquire)
    }

    /// The writer begins with a packet that the leg took then.
    pub(super) fn begin_write(&self, queued_at: Timestamp) {
        self.0
            .in_hand
            .store(queued_at.as_micros(), Ordering::Relaxed);
    }

    /// The packet was flushed, this long after the leg took it.
    pub(super) fn count_written(&self, waited: Duration) {
        self.0.in_hand.store(NOTHING, Ordering::Relaxed);
        // A minute is far more than a packet may wait; its circuit may be stalled for longer.
        let micros = waited.as_micros().min(60_000_000) as u64;
        let one = (1 << WRITTEN_MICROS_BITS) + micros;
        self.0.written.fetch_add(one, Ordering::Relaxed);
    }

    /// Ends the leg politely, once.
    pub(super) fn close(&self, now: Timestamp) {
        if !self.0.closing.swap(true, Ordering::AcqRel) {
            self.machine().close(now);
        }
        self.wake_both();
    }

    fn wake_both(&self) {
        self.0.to_write.notify_one();
        self.0.changed.notify_one();
    }
}

impl core::fmt::Debug for SharedLeg {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("SharedLeg")
            .field("closing", &self.is_closing())
            .finish_non_exhaustive()
    }
}

/// A running leg. Dropping it closes the leg politely in the background.
pub struct LegHandle {
    leg: LegIndex,
    shared: SharedLeg,
    clock: Clock,
}

impl LegHandle {
    pub(super) fn new(leg: LegIndex, shared: SharedLeg, clock: Clock) -> Self {
        Self { leg, shared, clock }
    }

    /// Our index of the leg.
    #[must_use]
    pub const fn leg(&self) -> LegIndex {
        self.leg
    }

    /// Hands a packet for a peer's leg to the writer; never waits.
    ///
    /// # Errors
    ///
    /// When that peer cannot be reached over this leg, or as many packets wait as may.
    pub fn try_send(&self, peer: LegIndex, packet: &[u8; PACKET_BYTES]) -> Result<(), SendError> {
        let now = (self.clock)();
        self.shared.machine().send(peer, packet, now)?;
        self.shared.wake_writer();
        Ok(())
    }

    /// Binds more of the peer's legs (TURN), in as few writes as possible. Returns those that were
    /// not taken, and why.
    pub fn add_peers(&self, peers: &[Peer]) -> Vec<(LegIndex, PeerError)> {
        let now = (self.clock)();
        let mut machine = self.shared.machine();
        let add = |peer: &Peer| Some((peer.leg, machine.add_peer(*peer, now).err()?));
        let refused = peers.iter().filter_map(add).collect();
        drop(machine);
        self.shared.wake_both();
        refused
    }

    /// Forgets one of the peer's legs (TURN).
    pub fn remove_peer(&self, peer: LegIndex) {
        self.shared.machine().remove_peer(peer);
    }

    /// What was written since this was last asked.
    #[must_use]
    pub fn take_written(&self) -> Written {
        let written = self.shared.0.written.swap(0, Ordering::Relaxed);
        let micros = written & ((1 << WRITTEN_MICROS_BITS) - 1);
        let in_hand = self.shared.0.in_hand.load(Ordering::Relaxed);
        let since = (in_hand != NOTHING).then(|| Timestamp::from_micros(in_hand));
        Written {
            packets: written >> WRITTEN_MICROS_BITS,
            waited: Duration::from_micros(micros),
            in_hand: since.map(|since| (self.clock)().saturating_since(since)),
        }
    }

    /// What was dropped so far, and why.
    #[must_use]
    pub fn drops(&self) -> DropCounts {
        self.shared.machine().drops()
    }

    /// Ends the leg politely: an allocation is given back, then the stream is closed. `Closed`
    /// follows on the outputs channel.
    pub fn close(&self) {
        self.shared.close((self.clock)());
    }
}

impl Drop for LegHandle {
    fn drop(&mut self) {
        self.close();
    }
}

impl core::fmt::Debug for LegHandle {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("LegHandle")
            .field("leg", &self.leg)
            .finish_non_exhaustive()
    }
}
