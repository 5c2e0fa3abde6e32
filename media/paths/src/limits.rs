//! Bounds of this crate.

use core::time::Duration;

/// Packets remembered after they were sent: 10.24 s. What is acknowledged later than that counts as
/// unknown.
pub const SENT_WINDOW: usize = 512;

/// Legs of one side that can be registered at once.
pub const LEGS: usize = tacit_types::limits::MAX_LEGS;

/// A round trip above this is absurd, microseconds.
pub const ROUND_TRIP_MAX_MICROS: i64 = 60_000_000;

/// Whoever replaces legs asks the [`Replacer`](crate::Replacer) this often.
pub const REPLACER_INTERVAL: Duration = Duration::from_secs(1);

/// A new leg on which nothing was acknowledged for so long after it came up is let go.
pub const LEG_PROOF: Duration = Duration::from_secs(15);

/// What was sent over a leg that gave way has come after this time, or is of no use any more. Until
/// then it counts as a leg.
pub const LEG_LINGER: Duration = Duration::from_secs(2);

/// So many TURN legs a side may open in the course of a call, in the place of slow and of dead ones. Then it
/// replaces dead ones only: each needs a credential, and to fetch more tells the server that the call goes
/// on.
pub const SPARE_TURN_LEGS: usize = 12;
