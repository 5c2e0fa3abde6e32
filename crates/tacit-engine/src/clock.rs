//! The one place where the engine reads a clock.

use tacit_types::{Timestamp, UnixTime};

/// The system's monotonic clock. On Linux its origin is the machine's start, so two processes on
/// one machine share it: the benchmarks rely on that.
#[must_use]
pub fn now() -> Timestamp {
    let t = rustix::time::clock_gettime(rustix::time::ClockId::Monotonic);
    let micros = t.tv_sec.unsigned_abs() * 1_000_000 + t.tv_nsec.unsigned_abs() / 1_000;
    Timestamp::from_micros(micros)
}

/// Wall-clock time, for expiry dates only.
#[must_use]
pub fn unix_now() -> UnixTime {
    let t = rustix::time::clock_gettime(rustix::time::ClockId::Realtime);
    UnixTime(t.tv_sec.unsigned_abs())
}

/// The tokio deadline that corresponds to `at`.
#[must_use]
pub fn deadline(at: Timestamp) -> tokio::time::Instant {
    tokio::time::Instant::now() + at.saturating_since(now())
}
