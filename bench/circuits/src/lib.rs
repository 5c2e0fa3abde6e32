//! Simulated Tor circuits.
#![forbid(unsafe_code)]

mod circuit;
pub mod fit;
mod nagle;
mod noise;
mod params;
mod place;
mod quality;
pub mod random;
mod stalls;

pub use circuit::{Circuit, Direction, Setting};
pub use nagle::PACKETS_IN_SEGMENT;
pub use params::{MODEL, Params, Persistence, STALL_HEIGHT_MAX, VERSION};
pub use place::{Place, UnknownPlace};
pub use quality::Seeds;
