//! The shell's bounds, by name.

use core::time::Duration;

/// Frames that wait for one connection at most; one that does not drain them is closed.
pub const CONNECTION_QUEUE: usize = 64;

/// Frames of all connections that wait for the server at most; beyond it, reading waits.
pub const SERVER_QUEUE: usize = 1024;

/// Frames that wait for the embedded owner, or from it, at most.
pub const OWNER_QUEUE: usize = 256;

/// Streams that wait to be taken at most.
pub const INCOMING_QUEUE: usize = 64;

/// A frame must be written and flushed within this time: a few Tor circuit timeouts.
pub const WRITE_TIMEOUT: Duration = Duration::from_secs(20);

/// What is queued when the server stops has this long to leave.
pub const STOP_TIMEOUT: Duration = Duration::from_secs(2);

/// A credential's lifetime.
pub const CREDENTIAL_LIFETIME: Duration = Duration::from_secs(2 * 60 * 60);

/// Expiry dates are rounded up to this, so that credentials fetched minutes apart look alike to the
/// TURN server.
pub const CREDENTIAL_EXPIRY_STEP: Duration = Duration::from_secs(600);

/// Greeting and credentials must come within this time.
pub const FETCH_TIMEOUT: Duration = Duration::from_secs(20);
