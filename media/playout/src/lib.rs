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
//! scale. The target delay is the one that costs least by the E-model, for the transits of the last
//! 20 s, of which the newest count most: delay costs, what comes later than that costs, and less if a
//! later frame's DRED would restore it in time. What fewer than about one frame in a hundred needs is
//! not worth everybody's delay.
//!
//! - **Before it is dry** the playout plays slower; when it is dry it stays where it is and conceals, so
//!   that what arrives is played whole, only later. What was passed over is played after all if it
//!   comes before anything newer was.
//! - **Changes in pauses:** a delay beside the target is mended by playing pauses faster or slower. In
//!   speech only what is much, or what has waited for a pause for seconds, and then in one go.
//! - **Down within seconds:** missing frames are skipped while the delay is above the target. Only far
//!   above it, after an outage, are others skipped too.
//! - A frame that is missing while later ones are there is repaired from the nearest of them whose
//!   DRED reaches it, and concealed if there is none.
//! - A device's clock that runs faster or slower moves the transits, and stretching follows.
//!
//! **Not in this crate:** decoding, concealment itself, time-stretch itself, clocks, devices.
#![forbid(unsafe_code)]

mod config;
mod costs;
mod frames;
pub mod impairment;
pub mod limits;
mod pace;
mod playout;
mod stats;
mod transit;
mod types;

pub use config::Config;
pub use playout::Playout;
pub use stats::Stats;
pub use types::{Cause, Inserted, Loudness, Pace, Pull};
