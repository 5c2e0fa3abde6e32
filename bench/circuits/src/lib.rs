//! Simulated Tor circuits.
#![forbid(unsafe_code)]

mod build;
mod call;
mod circuit;
mod delays;
pub mod fit;
mod frames;
mod nagle;
mod network;
mod noise;
mod params;
mod place;
mod quality;
pub mod random;
mod scenario;
mod stalls;
pub mod strategies;
mod trace;

pub use build::build_time;
pub use call::{Arrival, Observer, Outcome, WARM_UP, run};
pub use circuit::{Circuit, Direction, Setting};
pub use delays::{Delays, LONGEST};
pub use nagle::PACKETS_IN_SEGMENT;
pub use network::{Network, Side};
pub use params::{MODEL, Params, Persistence, STALL_HEIGHT_MAX, VERSION};
pub use place::{Place, UnknownPlace};
pub use quality::Seeds;
pub use scenario::{Mode, Nagle, Scenario, UnknownMode};
pub use trace::{Part, Problem, Trace, TraceError, Traces};
