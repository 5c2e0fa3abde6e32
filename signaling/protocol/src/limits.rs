//! Every bound of the signaling plane, by name.

use core::time::Duration;

pub use tacit_types::limits::SIGNALING_FRAME_BYTES;

/// Version of this wire format.
pub const PROTOCOL_VERSION: u8 = 1;

/// Noise message 1 inside RING and RING-IN. RING-IN is the narrower of the two: type 1, handle 4,
/// generation 2, index 2, purpose 1 and the caller's nonce 32 leave 438 bytes.
pub const MESSAGE_1_BYTES: usize = 438;

/// Noise message 2 inside ANSWER: all that type 1 and handle 4 leave.
pub const MESSAGE_2_BYTES: usize = 475;

/// `e` 32 and the payload's tag 16: what KK (with or without psk0) adds to either message.
pub const KK_OVERHEAD: usize = 48;

/// `e` 32, encrypted `s` 48, the payload's tag 16: what IKpsk1 adds to message 1.
pub const IK_OVERHEAD: usize = 96;

/// Room for the payload of message 1 of a call, resume or resync.
pub const OFFER_BYTES: usize = MESSAGE_1_BYTES - KK_OVERHEAD;

/// Room for the payload of message 1 of a join.
pub const JOIN_OFFER_BYTES: usize = MESSAGE_1_BYTES - IK_OVERHEAD;

/// Room for the payload of every message 2.
pub const REPLY_BYTES: usize = MESSAGE_2_BYTES - KK_OVERHEAD;

/// Ciphertext of a PIPE frame.
pub const PIPE_CIPHERTEXT_BYTES: usize = 475;

/// Plaintext of a PIPE frame.
pub const PIPE_PLAINTEXT_BYTES: usize = PIPE_CIPHERTEXT_BYTES - 16;

/// Ports that one set of candidates names at most: one a leg (`tacit_types::limits::MAX_LEGS`).
pub const MAX_CANDIDATE_PORTS: usize = 16;

/// Tokens for the way back that message 1 carries at most.
pub const OFFER_TOKENS: usize = 8;

/// Tokens of a refill at most: one full wallet.
pub const REFILL_TOKENS: usize = tacit_types::limits::WALLET_TOKENS;

/// Tokens in a join's message 2: the lasting address and the resync token leave room for one fewer
/// than a full wallet; the last follows in PIPE.
pub const JOIN_REPLY_TOKENS: usize = 15;

/// One-time credentials in one CRED frame.
pub const MAX_CREDENTIALS: usize = 6;

/// Bytes of a credential's user name or password, zero-padded ASCII: `expiry:random` is 10 + 1 + 20,
/// base64 of an HMAC-SHA1 is 28.
pub const CREDENTIAL_TEXT_BYTES: usize = 32;

/// A NAK leaves this long after its ring arrived, whatever the cause: longer than any work the
/// server does for a ring, so that the cause does not show.
pub const NAK_DELAY: Duration = Duration::from_millis(50);

/// NAKs that one connection gets before it is closed.
pub const MAX_NAKS: u8 = 16;

/// A stream may idle this long before its first frame: callers open it ahead of the click.
pub const FIRST_FRAME_IDLE: Duration = Duration::from_secs(60);

/// From a frame's first byte to its last: one relay cell holds it, so honest frames come whole.
pub const PARTIAL_FRAME: Duration = Duration::from_secs(5);

/// A connection that has spoken must speak again within this time: three of the longest gaps
/// between pings.
pub const CONNECTION_IDLE: Duration = Duration::from_secs(120);

/// A handle ends this long after its ring: 45 s of ringing, 60 s of closing delay, and time to set
/// up media. After that the caller has the media control lane, or rings anew.
pub const HANDLE_LIFETIME: Duration = Duration::from_secs(180);

/// Streams of an embedded server that have not yet authenticated.
pub const EMBEDDED_UNAUTHENTICATED: usize = 8;

/// Connections of an embedded server in all; more would be a contact holding streams open.
pub const EMBEDDED_CONNECTIONS: usize = 32;

/// Connections of an operated server unless its configuration says otherwise.
pub const OPERATED_CONNECTIONS: usize = 20_000;

/// Handles open at once towards one mailbox; a further ring is refused.
pub const MAX_HANDLES: u16 = 32;

/// PIPE frames that a handle may send at once; a call needs about five.
pub const PIPE_BURST: u16 = 32;

/// A handle's bucket gets one more PIPE frame each.
pub const PIPE_INTERVAL: Duration = Duration::from_millis(250);

/// Pings that a connection may send at once: a round-trip measurement.
pub const PING_BURST: u16 = 16;

/// A connection's bucket gets one more ping each; honest ones come 20 to 40 s apart.
pub const PING_INTERVAL: Duration = Duration::from_secs(10);

/// CRED-GET that a connection may send at once: four frames of six serve twelve legs, and as many that
/// replace them.
pub const CRED_BURST: u16 = 4;

/// A connection's bucket gets one more CRED-GET each.
pub const CRED_INTERVAL: Duration = Duration::from_secs(60);

/// Shortest and longest time between two pings, seconds.
pub const PING_SECONDS: (u64, u64) = (20, 40);

/// A ping's echo must come within this time, or the server counts as gone. Tor's own circuit
/// timeouts are of this size.
pub const PING_TIMEOUT: Duration = Duration::from_secs(20);

/// HELLO must come within this time once the stream is open.
pub const HELLO_TIMEOUT: Duration = Duration::from_secs(20);

/// ATTACHED must come within this time.
pub const ATTACH_TIMEOUT: Duration = Duration::from_secs(20);

/// Join and resync are silent and answered by a device, not a person.
pub const SILENT_TIMEOUT: Duration = Duration::from_secs(20);

/// Shortest and longest delay before a handle closes, seconds: the server should not read off
/// decline and duration.
pub const CLOSE_SECONDS: (u64, u64) = (5, 60);

/// Round-trip pings before a ring at most.
pub const MAX_MEASURED_PINGS: u8 = 8;
