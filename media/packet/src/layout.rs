//! Every offset of the 424-byte plaintext. Integers are big-endian.
//!
//! ```text
//!   0  slot          u32   slot in which the packet was sent
//!   4  sent_at       u32   sender's media clock when it was sent, 1/8 ms, wraps
//!   8  newest        u32   number of the newest frame (frame k below is newest − k)
//!  12  frame mask    u8    bit k: frame k is present; bits 5..7 are zero
//!  13  report count  u8    0..=10
//!  14  frames        5 × 60   an absent frame is 60 zero bytes
//! 314  reports       10 × 6   slot low bits u16, sender's leg u8, receiver's leg u8, hold u16
//! 374  control       46       sequence u16, acknowledged u16, kind u8, length u8, body 40
//! 420  reserved      4        zero when sent, ignored when received
//! 424
//! ```

use tacit_types::limits::{OPUS_FRAME_BYTES, PACKET_PLAINTEXT_BYTES};

use crate::content::FRAMES_IN_PACKET;
use crate::limits::{CONTROL_BODY_BYTES, REPORTS_IN_PACKET};

/// Slot number, u32.
pub const SLOT: usize = 0;
/// Sender's media clock, u32, 1/8 ms.
pub const SENT_AT: usize = 4;
/// Number of the newest frame, u32.
pub const NEWEST: usize = 8;
/// Which of the five frames are present.
pub const FRAME_MASK: usize = 12;
/// Arrival reports in use.
pub const REPORT_COUNT: usize = 13;
/// Five frames, newest first.
pub const FRAMES: usize = 14;
/// Arrival reports.
pub const REPORTS: usize = FRAMES + FRAMES_IN_PACKET * OPUS_FRAME_BYTES;
/// Bytes of one arrival report: slot low bits 2, sender's leg 1, receiver's leg 1, hold 2.
pub const REPORT_BYTES: usize = 6;
/// Control block.
pub const CONTROL: usize = REPORTS + REPORTS_IN_PACKET * REPORT_BYTES;
/// Within the control block: sequence of the message, u16, 0 for none.
pub const CONTROL_SEQUENCE: usize = CONTROL;
/// Within the control block: last message taken in order, u16, 0 for none.
pub const CONTROL_ACKNOWLEDGED: usize = CONTROL + 2;
/// Within the control block: kind of the message.
pub const CONTROL_KIND: usize = CONTROL + 4;
/// Within the control block: length of the body.
pub const CONTROL_LENGTH: usize = CONTROL + 5;
/// Within the control block: the body, filled up with zero bytes.
pub const CONTROL_BODY: usize = CONTROL + 6;
/// Zero when sent, ignored when received.
pub const RESERVED: usize = CONTROL_BODY + CONTROL_BODY_BYTES;

const _: () = assert!(REPORTS == 314 && CONTROL == 374 && RESERVED == 420);
const _: () = assert!(RESERVED + 4 == PACKET_PLAINTEXT_BYTES);
