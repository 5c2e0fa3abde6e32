//! Bounds of this crate.

/// Packets remembered after they were sent: 10.24 s. What is acknowledged later than that counts as
/// unknown.
pub const SENT_WINDOW: usize = 512;

/// Legs of one side that can be registered at once.
pub const LEGS: usize = tacit_types::limits::MAX_LEGS;

/// A round trip above this is absurd, microseconds.
pub const ROUND_TRIP_MAX_MICROS: i64 = 60_000_000;
