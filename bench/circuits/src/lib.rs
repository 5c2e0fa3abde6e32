//! Simulated Tor circuits, and strategies that send a call over them.
//!
//! ```text
//!            Circuit::send(at) -> arrival                      one direction of one circuit
//!   packet ─► Nagle ─► queues and stalls ─► 3 × KIST ─► Nagle ─► floor ─► packet
//!             first    own, and shared      10 ms      last
//!             hop      behind the guard                hop
//!
//!            run(scenario, strategy, seed) -> Outcome          a call
//!   A: strategy ─► up half ─► TURN server or rendezvous ─► down half ─► B: strategy
//!      strategy ◄─ down half ◄─────────────────────────◄─ up half ◄─       strategy
//! ```
//!
//! In a call the hop between client and guard is a [`Connection`] of all legs behind that guard, and
//! that between an exit and the TURN server one of both directions, instead of each circuit's own.
//!
//! Time is virtual and everything is drawn from a seed: same seed, same delays. What happens to a
//! circuit at a moment does not depend on what was sent before, but for what a packet's own
//! predecessors cause (Nagle's algorithm, losses, order), so strategies on the same seed meet the same
//! circuits. Memory is constant, and a packet allocates nothing.
//!
//! The model is fitted to published measurements; `docs/circuits.md` has the model, the facts, the
//! errors and what is left out. [`VERSION`] goes into every result.
//!
//! ```
//! use tacit_circuits::strategies::Kind;
//! use tacit_circuits::{Mode, Scenario, run};
//!
//! let mut scenario = Scenario::new(Mode::Turn);
//! scenario.length = std::time::Duration::from_secs(20);
//! let outcome = run(&scenario, Kind::DonarDouble, 1, &mut ());
//! assert!(outcome.network.quantile(0.5) < Some(1_000));
//! ```
//!
//! **Not in this crate:** audio, playout, quality scores, reports and plots (tacit-bench); the
//! scheduler of `tacit` (tacit-paths, which runs here as it is).
#![forbid(unsafe_code)]

mod ahead;
mod build;
mod call;
mod circuit;
mod connection;
mod delays;
pub mod fit;
mod frames;
mod line;
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
mod wilson;

pub use build::build_time;
pub use call::{Arrival, Observer, Outcome, Renewal, WARM_UP, replay, run, run_with};
pub use circuit::{Circuit, Direction, Setting};
pub use connection::{Connection, Ends};
pub use delays::{Delays, LONGEST};
pub use nagle::PACKETS_IN_SEGMENT;
pub use network::{Network, Side};
pub use params::{CONGESTION, CORRELATION, MODEL, Params, Persistence, STALL_HEIGHT_MAX, VERSION};
pub use place::{Place, UnknownPlace};
pub use quality::Seeds;
pub use scenario::{Client, Clients, Mode, Scenario, UnknownMode};
pub use trace::{Part, Problem, Trace, TraceError, Traces};
pub use wilson::wilson;
