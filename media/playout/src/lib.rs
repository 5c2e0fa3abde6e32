//! Playout buffer: frames go in as they arrive and come out one every 20 ms.
//!
//! ```text
//!   insert (first copy wins) ──► ring of frames ──► pull ──► Decode · Repair · Conceal · Skip · Wait
//!          │                                         ▲
//!          └► transit of each first copy ──► target ─┘
//! ```
//!
//! The *transit* of a frame is its arrival less its place in the media (20 ms · number); only
//! differences mean anything. A frame is played `delay` after its place in the media, on the same
//! scale. The target delay sits a margin above nearly the largest transit of the last seconds, and
//! not below a floor above the smallest; nor much above the 99th percentile of the last 20 s, unless
//! frames have just been late for longer than one packet's worth: what fewer than one frame in a
//! hundred needs is not worth everybody's delay.
//!
//! - **Up at once:** when the buffer is dry the playout stays where it is and conceals, so that what
//!   arrives is played whole, only later.
//! - **Down within seconds:** when the delay stays above the target, whole frames are skipped, missing
//!   ones first, then quiet ones, and after a while any.
//! - A frame that is missing while later ones are there is repaired from the nearest of them whose
//!   DRED reaches it, and concealed if there is none.
//!
//! **Not in this crate:** decoding, concealment itself, time-stretch, clocks, devices.
#![forbid(unsafe_code)]

mod config;
mod frames;
pub mod limits;
mod playout;
mod stats;
mod transit;
mod types;

pub use config::Config;
pub use playout::Playout;
pub use stats::Stats;
pub use types::{Cause, Inserted, Loudness, Pace, Pull};
