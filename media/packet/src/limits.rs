//! Bounds of this crate.

use core::time::Duration;

/// Arrival reports that one packet can carry.
pub const REPORTS_IN_PACKET: usize = 10;

/// Arrivals that wait to be reported or repeated; when full, the oldest is dropped and counted.
///
/// A leg that comes back after a stall of 2 s releases at most 100 packets at once; what matters of
/// such a burst is its newest part.
pub const PENDING_REPORTS: usize = 64;

/// A report goes out in the packets of this many slots: eight, or four. They ride different legs, so
/// that a stall of one of them loses no report.
pub const REPORT_SLOTS: u32 = 8;

/// Longest hold time that a report can state: 16 bits of 1/8 ms. Older arrivals are not reported.
pub const REPORT_HOLD_MAX: Duration = Duration::from_micros(65_535 * 125);

/// Longest body of a control message.
pub const CONTROL_BODY_BYTES: usize = 40;

/// Control messages that wait behind the one in flight.
pub const CONTROL_QUEUE: usize = 16;
