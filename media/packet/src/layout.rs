//! The 424-byte plaintext. Integers are big-endian.
//!
//! ```text
//!   0  slot          u32   slot in which the packet was sent
//!   4  sent_at       u32   sender's media clock when it was sent, 1/8 ms, wraps
//!   8  newest        u32   number of the newest frame (frame k below is newest − k)
//!  12  reach         2     DRED of frame 0 restores the frames from nearest u8 to farthest u8
//!                          before it; 0 and 0 for none
//!  14  report count  u8    r: 0..=10
//!  15  control       6     sequence u16, acknowledged u16, kind u8, length u8 (c: 0..=40)
//!  21  reports       6 r   slot low bits u16, sender's leg u8, receiver's leg u8, hold u16
//!      control body  c
//!      frames              up to seven, each length u8 (0: absent, else 1..=140) and its bytes;
//!                          none may reach beyond the end
//!      rest                zero when sent, ignored when received
//! 424
//! ```
//!
//! What comes in numbers is packed, so that what is left belongs to the frames: 355 bytes with the
//! usual eight reports and no control message.

use tacit_types::limits::{FRAME_MAX_BYTES, PACKET_PLAINTEXT_BYTES};

use crate::limits::{CONTROL_BODY_BYTES, REPORTS_IN_PACKET};

/// Slot number, u32.
pub const SLOT: usize = 0;
/// Sender's media clock, u32, 1/8 ms.
pub const SENT_AT: usize = 4;
/// Number of the newest frame, u32.
pub const NEWEST: usize = 8;
/// Nearest frame before the newest that its DRED restores, u8; 0 for none.
pub const REACH_NEAREST: usize = 12;
/// Farthest frame before the newest that its DRED restores, u8; 0 for none.
pub const REACH_FARTHEST: usize = 13;
/// Arrival reports in use.
pub const REPORT_COUNT: usize = 14;
/// Control: sequence of the message, u16, 0 for none.
pub const CONTROL_SEQUENCE: usize = 15;
/// Control: last message taken in order, u16, 0 for none.
pub const CONTROL_ACKNOWLEDGED: usize = 17;
/// Control: kind of the message.
pub const CONTROL_KIND: usize = 19;
/// Control: length of the body.
pub const CONTROL_LENGTH: usize = 20;
/// Arrival reports; the control body and the frames follow behind them.
pub const REPORTS: usize = 21;
/// Bytes of one arrival report: slot low bits 2, sender's leg 1, receiver's leg 1, hold 2.
pub const REPORT_BYTES: usize = 6;

/// The newest frame fits beside as many reports and as long a control body as there can be.
const _: () = assert!(
    REPORTS + REPORTS_IN_PACKET * REPORT_BYTES + CONTROL_BODY_BYTES + 1 + FRAME_MAX_BYTES
        <= PACKET_PLAINTEXT_BYTES
);
