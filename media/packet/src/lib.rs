//! What is inside a media packet: layout, redundancy, arrival reports and the control lane.
//!
//! ```text
//!  microphone side                                        loudspeaker side
//!  Opus frames ─► Packetizer ─► 424 bytes ─► (sealed, a leg, opened) ─► Content ─► frames
//!                 ▲        ▲                                              │  │  └► FrameStore
//!      ReportCollector  ControlLane ◄── control block ────────────────────┘  │
//!                 └────────────◄── arrivals to report ◄──────────────────────┘
//! ```
//!
//! Every packet has the same 424 bytes of plaintext whatever it holds; every offset is in
//! [`layout`]. A packet carries the current frame and the four before it, the arrivals of the last
//! packets from the peer, and one message of a small reliable in-order lane.
//!
//! ```
//! use core::time::Duration;
//! use tacit_packet::{Content, MediaTime, Packetizer};
//! use tacit_types::{FrameNumber, SlotNumber};
//!
//! let mut packetizer = Packetizer::new();
//! packetizer.push_frame(FrameNumber(0), &[7; 60]);
//! let plaintext = packetizer.next(SlotNumber(0), MediaTime::from_elapsed(Duration::ZERO));
//! let content = Content::decode(&plaintext).expect("what we encode, we decode");
//! assert_eq!(content.frames().next(), Some((FrameNumber(0), &[7; 60])));
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
mod report;
mod store;
mod time;

pub use content::{Content, FRAMES_IN_PACKET, Frame, Malformed};
pub use control::{ControlBlock, ControlCounters, ControlLane, ControlMessage, LaneFull};
pub use packetizer::Packetizer;
pub use report::{ArrivalReport, ReportCollector, Reports};
pub use store::{FrameStore, Freshness};
pub use time::MediaTime;
