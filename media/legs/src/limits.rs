//! Every bound of this crate, with its reason.

use core::time::Duration;

/// Packets that may wait in one leg's writer. A circuit that takes no more than this is stalled:
/// the leg refuses, and other legs carry the next packets.
pub const MAX_QUEUED_PACKETS: usize = 4;

/// A packet that waited this long for its circuit is dropped instead of written: five frames
/// later every frame in it has gone out again on another leg.
pub const MAX_PACKET_AGE: Duration = Duration::from_millis(200);

/// Bytes a single write may have so that, as one TLS record, it still fits one Tor relay cell
/// of the newer format (488 bytes of data) with [`TLS_RECORD_OVERHEAD`].
pub const MAX_CELL_WRITE: usize = 488 - TLS_RECORD_OVERHEAD;

/// What TLS 1.3 adds to a record: header 5, content type 1, tag 16 (RFC 8446 §5.2). The suites of
/// TLS 1.2 that we offer add 21.
pub const TLS_RECORD_OVERHEAD: usize = 22;

/// ChannelData header: channel number and length (RFC 8656 §12.4).
pub const CHANNEL_DATA_HEADER_BYTES: usize = 4;

/// Longest message accepted from a TURN server. Honest STUN responses are a few hundred bytes and
/// ChannelData holds one packet; the format itself allows 64 KiB.
pub const MAX_TURN_MESSAGE: usize = 2048;

/// Peers that one allocation may ever bind, counting removed ones: a channel cannot be unbound,
/// only left to expire. As many legs may one peer have in a call: 16, and 40 that replace others.
pub const MAX_PEERS: usize = 64;

/// New legs that a peer may tell of at once during a call; each costs every leg of ours a bind. An
/// honest peer replaces eight in the first minute.
pub const NEW_LEGS_AT_ONCE: u32 = 10;

/// After that one in this time. An honest peer waits 35 s between two.
pub const NEW_LEG_EVERY: Duration = Duration::from_secs(30);

/// Requests that may await their responses on one TURN leg: the allocation's own, one a peer, and
/// as many again for peers that were forgotten meanwhile.
pub const MAX_PENDING_REQUESTS: usize = 2 * MAX_PEERS + 2;

/// Events that may wait in a machine; packets beyond it are dropped, the oldest first.
pub const MAX_QUEUED_EVENTS: usize = 256;

/// A request unanswered for this long has failed: Ti of RFC 8489 §6.2.2, for reliable transports.
pub const REQUEST_TIMEOUT: Duration = Duration::from_millis(39_500);

/// Stale-nonce answers (438) that one request survives before the server counts as broken.
pub const MAX_STALE_NONCES: u8 = 3;

/// Times that a bind is repeated because the server had no allocation yet (coturn says 400, others
/// 437).
pub const MAX_EARLY_BINDS: u8 = 2;

/// The first binds follow the Allocate by this much, without waiting for its response: a server
/// that looks users up in several threads (coturn: one and half as many as processors) works on
/// what arrives together in any order, and a bind that overtakes the Allocate costs a round trip.
pub const BIND_LAG: Duration = Duration::from_millis(30);

/// Channel bindings are renewed after a random time in this range, about every four minutes: the
/// permission that comes with a binding lives for five (RFC 8656 §9), and a stalled circuit needs
/// room.
pub const BIND_REFRESH: (Duration, Duration) = (Duration::from_secs(210), Duration::from_secs(260));

/// Bindings due within this time are renewed along with one that is due, if they fit its cell.
pub const BIND_REFRESH_COMPANY: Duration = Duration::from_secs(20);

/// An allocation is refreshed after a random share of its lifetime in this range, per mille.
pub const ALLOCATION_REFRESH_PER_MILLE: (u64, u64) = (500, 800);

/// Shortest allocation lifetime that is worth keeping alive; less is a broken server.
pub const MIN_LIFETIME: Duration = Duration::from_secs(30);

/// Lifetimes above this are treated as this (coturn's own maximum).
pub const MAX_LIFETIME: Duration = Duration::from_secs(3600);

/// Longest realm or nonce accepted, bytes (RFC 8489 §14.9 and §14.10: below 763).
pub const MAX_TEXT: usize = 763;

/// Time in which a stream must deliver its whole join packet.
pub const JOIN_TIMEOUT: Duration = Duration::from_secs(5);

/// Joins in the first minute of a call.
pub const JOINS_FIRST_MINUTE: u32 = 16;

/// The first minute of the rule above.
pub const JOIN_BURST_PERIOD: Duration = Duration::from_secs(60);

/// Joins a minute after that.
pub const JOINS_PER_MINUTE: u32 = 2;

/// Streams that may be in the middle of their join packet at once.
pub const MAX_PENDING_JOINS: usize = 16;

/// Packets sent to a candidate that has not yet answered authentically.
pub const MAX_UNANSWERED_PACKETS: u8 = 3;

/// Legs that one peer may have at once, so ports of its candidates.
pub const MAX_CANDIDATES: usize = 16;

/// Time a leg that is being closed has to write what it still holds.
pub const CLOSE_GRACE: Duration = Duration::from_secs(2);
