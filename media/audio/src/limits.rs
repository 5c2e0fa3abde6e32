//! Bounds of this crate.

use core::time::Duration;
use tacit_types::limits::BLOCK_SAMPLES;

/// Samples a ring holds: 250 ms at the highest device rate, over a second at 48 kHz.
pub const RING_SAMPLES: usize = 48_000;

/// Most captured sound that waits to be popped. Beyond it the oldest is dropped and counted: what a
/// stalled consumer missed must not delay all that follows.
pub const MAX_CAPTURE_BACKLOG: Duration = Duration::from_millis(80);

/// Most sound that waits for a device or a host to play it; a push beyond it is refused.
pub const MAX_PLAYBACK_BACKLOG: Duration = Duration::from_millis(200);

/// Frames asked of a device for each callback: one block.
pub const CALLBACK_FRAMES: u32 = BLOCK_SAMPLES as u32;

/// Blocks kept ready beyond one callback at first; each underrun adds one.
pub const MIN_MARGIN_BLOCKS: u32 = 1;

/// Blocks kept ready beyond one callback at most.
pub const MAX_MARGIN_BLOCKS: u32 = 6;

/// Pushes without an underrun (30 s) after which the margin shrinks by a block.
pub const MARGIN_DECAY_PUSHES: u32 = 3_000;

/// A device that has not started by then counts as missing.
pub const OPEN_TIMEOUT: Duration = Duration::from_secs(5);

/// A device that has not closed by then is left to the system.
pub const CLOSE_TIMEOUT: Duration = Duration::from_secs(2);

/// A stream without a callback for this long counts as lost.
pub const CALLBACK_TIMEOUT: Duration = Duration::from_secs(3);

/// A stream that reports errors and has had no callback for this long counts as lost.
pub const ERROR_TIMEOUT: Duration = Duration::from_millis(400);

/// How often a stream's health and the system's default device are looked at, and a lost device is
/// tried again.
pub const SUPERVISION_PERIOD: Duration = Duration::from_millis(500);

/// Events that wait for [`Monitor::poll_event`](crate::Monitor::poll_event); beyond it the oldest
/// is dropped.
pub const MAX_EVENTS: usize = 32;

/// Largest WAV file that is read: 90 minutes of the densest supported kind would be larger, a call's
/// worth of anything usual is not.
pub const MAX_WAV_BYTES: u64 = 1 << 30;

/// Lowest sample rate read, hertz.
pub const MIN_RATE: u32 = 8_000;

/// Highest sample rate read, hertz.
pub const MAX_RATE: u32 = 192_000;

/// Blocks (250 ms) after which a WAV file's header is brought up to date on disk.
pub const WAV_FLUSH_BLOCKS: u32 = 25;
