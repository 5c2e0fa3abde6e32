//! The one interface of both kinds of leg.

use core::fmt;
use std::net::SocketAddr;

use tacit_types::limits::PACKET_BYTES;
use tacit_types::{LegIndex, Reason, Redacted, Timestamp};

/// A sans-IO machine for one leg: bytes in, packets out; packets in, bytes out; deadlines.
///
/// After every call that changes it, drain [`poll_transmit`](Self::poll_transmit) and
/// [`poll_event`](Self::poll_event), then sleep until [`poll_timeout`](Self::poll_timeout).
pub trait Leg {
    /// Bytes read from the stream, however they were cut.
    fn handle_input(&mut self, bytes: &[u8], now: Timestamp);

    /// The deadline has come (or any other moment: calling early is harmless).
    fn handle_timeout(&mut self, now: Timestamp);

    /// Queues a packet for a peer's leg. The queue is short, and what has waited too long makes
    /// room; a leg whose queue is full of newer packets refuses: another leg should carry this one.
    ///
    /// # Errors
    ///
    /// When the packet cannot be taken. It is not kept, and nothing of it was sent.
    fn send(
        &mut self,
        peer: LegIndex,
        packet: &[u8; PACKET_BYTES],
        now: Timestamp,
    ) -> Result<(), SendError>;

    /// Adds a peer's relayed address, to be bound as soon as possible. Onion legs have one fixed
    /// peer and refuse.
    ///
    /// # Errors
    ///
    /// When the address is refused by the candidate policy, already known, or one too many.
    fn add_peer(&mut self, peer: Peer, now: Timestamp) -> Result<(), PeerError> {
        let _ = (peer, now);
        Err(PeerError::FixedPeer)
    }

    /// Stops renewing a peer's binding; packets to and from it end here.
    fn remove_peer(&mut self, peer: LegIndex) {
        let _ = peer;
    }

    /// Ends the leg politely: queued packets are dropped, an allocation is given back.
    fn close(&mut self, now: Timestamp);

    /// Puts the next bytes for the stream into `out`, in place of what is in it: exactly one write
    /// and one flush. `None`, and nothing in `out`, when there are none.
    fn poll_transmit(&mut self, now: Timestamp, out: &mut Vec<u8>) -> Option<Transmit>;

    /// The next event.
    fn poll_event(&mut self) -> Option<LegEvent>;

    /// When [`handle_timeout`](Self::handle_timeout) must be called, and what for.
    fn poll_timeout(&self) -> Option<(Timestamp, WakeReason)>;

    /// What was dropped so far, and why.
    fn drops(&self) -> DropCounts;
}

/// What a write holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Transmit {
    /// The leg's own business: a join packet, or requests to a TURN server.
    Request,
    /// A packet.
    Packet {
        /// When the leg took it.
        queued_at: Timestamp,
    },
}

/// A peer's leg and its relayed transport address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Peer {
    /// The peer's index for its leg.
    pub leg: LegIndex,
    /// Where its TURN server listens for it.
    pub addr: Redacted<SocketAddr>,
}

impl Peer {
    /// A peer's leg at its relayed address.
    #[must_use]
    pub const fn new(leg: LegIndex, addr: SocketAddr) -> Self {
        Self {
            leg,
            addr: Redacted::new(addr),
        }
    }
}

/// A packet as it came off the stream; nothing about it is authenticated yet.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Packet {
    /// The peer's leg that sent it.
    pub peer: LegIndex,
    /// The sealed packet.
    pub bytes: [u8; PACKET_BYTES],
    /// When the bytes that completed it were read.
    pub arrived_at: Timestamp,
}

impl fmt::Debug for Packet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            peer,
            bytes: _,
            arrived_at,
        } = self;
        f.debug_struct("Packet")
            .field("peer", peer)
            .field("arrived_at", arrived_at)
            .finish_non_exhaustive()
    }
}

/// What a leg reports.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
#[expect(
    clippy::large_enum_variant,
    reason = "nearly every event is a packet; a box would only cost"
)]
pub enum LegEvent {
    /// The TURN server gave us this relayed address: the candidate to tell the peer.
    Allocated(Redacted<SocketAddr>),
    /// Packets can be sent to this peer's leg from now on. An onion leg says it once, at its start.
    Bound(LegIndex),
    /// The TURN server will not relay to this peer; the leg itself goes on.
    PeerRefused(LegIndex, Refusal),
    /// A packet arrived.
    Packet(Packet),
    /// The leg is over. Nothing follows from the machine.
    Failed(Failure),
    /// The shell's last word, sent exactly once: the stream is gone.
    Closed(LegEnd),
}

/// A STUN error response that does not end the leg.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// The error code, as in RFC 8656 §19; 0 if no response came.
    pub code: u16,
}

/// Why a leg failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Failure {
    /// 401 or 441 to a request that carried our credentials.
    #[error("the TURN server does not accept the credentials (error {code})")]
    WrongCredentials {
        /// The error code.
        code: u16,
    },
    /// 486 or 508: the credential's quota or the server is used up.
    #[error("the TURN server has no allocation left for us (error {code})")]
    Quota {
        /// The error code.
        code: u16,
    },
    /// 437: the server has no allocation for this stream, or already had one.
    #[error("the TURN server lost our allocation (error 437)")]
    AllocationMismatch,
    /// Any other error response to a request that the leg cannot live without.
    #[error("the TURN server refused a request (error {code})")]
    Refused {
        /// The error code.
        code: u16,
    },
    /// A success response without a valid MESSAGE-INTEGRITY: not from who shares our password.
    #[error("a TURN response was not authentic")]
    NotAuthentic,
    /// The stream holds something that is not TURN, or a message over the limit.
    #[error("the TURN server's stream is not TURN")]
    NotTurn,
    /// A response lacks what it must have, or has it out of range.
    #[error("a TURN response cannot be used")]
    BadResponse,
    /// The relayed address that we were given would be refused by every careful peer.
    #[error("the TURN server's relayed address is not a public one")]
    RelayNotPublic,
    /// A request had no response in time.
    #[error("the TURN server does not answer")]
    Timeout,
    /// The family's codec refused to encode one of our requests.
    #[error("a TURN request could not be encoded")]
    Encoding,
}

impl Failure {
    /// The stable reason that the person is shown.
    #[must_use]
    pub const fn reason(self) -> Reason {
        Reason::TurnUnreachable
    }
}

/// Why a stream ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum LegEnd {
    /// We closed it.
    #[error("closed by this side")]
    Local,
    /// The other end closed it.
    #[error("closed by the other end")]
    Remote,
    /// The stream broke.
    #[error("the stream broke: {0}")]
    Io(std::io::ErrorKind),
    /// The machine gave up.
    #[error(transparent)]
    Failed(#[from] Failure),
}

/// Why a packet was not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SendError {
    /// No channel is bound to that peer, not yet or no longer.
    #[error("no channel is bound to this peer")]
    NotBound,
    /// As many packets as may wait do: the circuit is stalled.
    #[error("the leg's queue is full")]
    Full,
    /// The leg is over.
    #[error("the leg is closed")]
    Closed,
}

/// Why a peer was not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PeerError {
    /// The candidate policy refuses the address.
    #[error("the candidate is not a public address")]
    NotPublic,
    /// The leg index or the address is already known.
    #[error("the peer is already known")]
    Known,
    /// [`MAX_PEERS`](crate::limits::MAX_PEERS) peers are bound.
    #[error("too many peers on one allocation")]
    TooMany,
    /// Onion legs have one peer.
    #[error("an onion leg has one fixed peer")]
    FixedPeer,
    /// The leg is over.
    #[error("the leg is closed")]
    Closed,
}

/// What a deadline is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum WakeReason {
    /// A request has waited long enough for its response.
    RequestTimeout,
    /// The first binds follow the Allocate.
    FirstBinds,
    /// The allocation wants a Refresh.
    RefreshAllocation,
    /// Channel bindings want to be renewed.
    RefreshBindings,
    /// A stream did not deliver its join packet in time.
    JoinTimeout,
}

/// Why something was dropped rather than passed on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum DropReason {
    /// Sent packet: it waited longer than [`MAX_PACKET_AGE`](crate::limits::MAX_PACKET_AGE).
    Stale,
    /// Received packet: nobody took it in time.
    EventsFull,
    /// Received ChannelData on a channel that we did not bind.
    UnknownChannel,
    /// Received ChannelData that is not one packet long.
    WrongSize,
    /// Received STUN message that answers nothing, or is none of a client's business.
    Unexpected,
    /// Received STUN message that the codec cannot read.
    Malformed,
}

impl DropReason {
    /// Every reason, in order.
    pub const ALL: [Self; 6] = [
        Self::Stale,
        Self::EventsFull,
        Self::UnknownChannel,
        Self::WrongSize,
        Self::Unexpected,
        Self::Malformed,
    ];
}

/// Drops by reason.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct DropCounts([u64; DropReason::ALL.len()]);

impl DropCounts {
    /// How many were dropped for `reason`.
    #[must_use]
    pub const fn of(&self, reason: DropReason) -> u64 {
        self.0[reason as usize]
    }

    /// How many were dropped in all.
    #[must_use]
    pub fn total(&self) -> u64 {
        self.0.iter().sum()
    }

    pub(crate) fn count(&mut self, reason: DropReason) {
        let n = &mut self.0[reason as usize];
        *n = n.saturating_add(1);
    }
}
