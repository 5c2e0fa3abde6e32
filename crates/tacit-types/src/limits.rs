//! Sizes and bounds that more than one crate must agree on.

use core::time::Duration;

/// Bytes of every signaling frame, whatever it carries: fits one Tor relay cell (498 bytes of data
/// in the classic cell, 488 in the newer one).
pub const SIGNALING_FRAME_BYTES: usize = 480;

/// Bytes of every media packet over Tor: with 4 bytes of ChannelData header (RFC 8656 §12.4) and 22
/// of TLS record it is 474, so one packet stays one cell.
pub const PACKET_BYTES: usize = 448;

/// Masked packet counter in front of the ciphertext.
pub const PACKET_COUNTER_BYTES: usize = 8;

/// Poly1305 tag.
pub const TAG_BYTES: usize = 16;

/// Plaintext of a media packet.
pub const PACKET_PLAINTEXT_BYTES: usize = PACKET_BYTES - PACKET_COUNTER_BYTES - TAG_BYTES;

/// Most bytes of one encoded Opus frame with its DRED. The encoder is held to it; measured on speech
/// it uses 102 at the median and 127 at the most (docs/decisions/0015).
pub const FRAME_MAX_BYTES: usize = 140;

/// Media in one Opus frame, and the packet clock's period.
pub const FRAME_DURATION: Duration = Duration::from_millis(20);

/// Sample rate of all PCM in Tacit, hertz.
pub const SAMPLE_RATE: u32 = 48_000;

/// Samples of one 20 ms frame, one audio channel.
pub const FRAME_SAMPLES: usize = 960;

/// Samples of one 10 ms block, one audio channel: the unit of capture and playout.
pub const BLOCK_SAMPLES: usize = 480;

/// How long a block is.
pub const BLOCK_DURATION: Duration = Duration::from_millis(10);

/// Most frames repeated in a packet after the current one: as many as fit, which is four in speech.
pub const REPEATED_FRAMES_MAX: usize = 6;

/// Most legs a side may have live at once.
pub const MAX_LEGS: usize = 16;

/// Legs a side opens unless told otherwise: docs/decisions/0014 says what each number is worth.
pub const DEFAULT_LEGS: u8 = 12;

/// Tokens that a contact's wallet holds for each direction.
pub const WALLET_TOKENS: usize = 16;

/// Token slots of one generation: the server keeps one bit for each.
pub const GENERATION_SLOTS: usize = 2048;

/// Onion port of an address's signaling streams.
pub const ONION_PORT_SIGNALING: u16 = 1;

/// Onion port of an address's media legs.
pub const ONION_PORT_LEGS: u16 = 2;

/// An unanswered ring ends after this time.
pub const RING_TIMEOUT: Duration = Duration::from_secs(45);
