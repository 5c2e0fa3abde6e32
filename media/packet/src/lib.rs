//! What is inside a media packet: layout, redundancy, arrival reports and the control lane.
//!
//! ```text
//!  microphone side                                        loudspeaker side
//!  Opus frames ─► Packetizer ─► 424 bytes ─► (sealed, a leg, opened) ─► Content ─► frames
//!                 ▲        ▲                                              │  │
//!      ReportCollector  ControlLane ◄── control block ────────────────────┘  │
//!                 └────────────◄── arrivals to report ◄──────────────────────┘
//! ```
//!
//! Every packet has the same 424 bytes of plaintext whatever it holds, as [`layout`] says. A packet
//! carries the arrivals of the last packets from the peer, one message of a small reliable in-order
//! lane, the current frame with its DRED, and short forms of as many frames before it as fit: four
//! in speech, six in pauses. With two new frames in each packet, DRED gives way to the fifth, as
//! [`packing`] says.
//!
//! ```
//! use core::time::Duration;
//! use tacit_packet::{Content, MediaTime, Packetizer};
//! use tacit_types::{Cells, EncodedFrame, FrameNumber, FramePayload, SlotNumber};
//!
//! let payload = FramePayload::new(&[7; 60]).expect("not too long");
//! let mut packetizer = Packetizer::new(Cells::Fifty);
//! packetizer.push_frame(FrameNumber(0), &EncodedFrame::plain(payload));
//! let plaintext = packetizer.next(SlotNumber(0), MediaTime::from_elapsed(Duration::ZERO));
//! let content = Content::decode(&plaintext).expect("what we encode, we decode");
//! let frame = content.frames().next().expect("there is one");
//! assert_eq!((frame.number, *frame.payload), (FrameNumber(0), payload));
//! ```
//!
//! **Not in this crate:** encryption, sockets, clocks, randomness, which leg a packet takes
//! (tacit-paths), when a frame is played (tacit-playout).
#![forbid(unsafe_code)]

mod content;
mod control;
pub mod layout;
pub mod limits;
mod packetizer;
pub mod packing;
mod report;
mod time;

pub use content::{Arrived, Content, FRAMES_IN_PACKET, Malformed};
pub use control::{ControlBlock, ControlCounters, ControlLane, ControlMessage, LaneFull};
pub use packetizer::Packetizer;
pub use report::{ArrivalReport, ReportCollector, Reports};
pub use time::MediaTime;
