//! A call's packets over a private Tor network: real relays, real Arti and real legs on one machine,
//! with added delay on every link. Beside each measurement stands what the simulator predicts for the
//! same network, so that the model's acknowledgement waits can be held against real ones.
//!
//! ```text
//!   Arti A ─ guard ─ middle ─ exit ─ coturn ─ exit ─ middle ─ guard ─ Arti B      turn
//!   Arti A ─ guard ─ middle ─ rendezvous ─ … ─ guard ─ Arti B                     onion
//!      each ─ : TCP between two kernels' namespaces, the same delay each way
//!
//!   for each mode, pattern, spacing:  TCP_NODELAY at no relay, between relays, everywhere
//! ```
//!
//! The circuits of a mode are built once; TCP_NODELAY is set and cleared on the relays' open
//! connections in between ([`tacit_tornet::set_nodelay`]), so that settings differ in nothing else. One
//! process holds both people: one clock, so delays are one way.
//!
//! ```no_run
//! use tacit_bench_tornet::{Options, run};
//! # async fn example() -> Result<(), tacit_bench_tornet::Error> {
//! let never = std::future::pending();
//! let report = run(&Options::default(), |step| eprintln!("{step}"), never).await?;
//! println!("{}", report.table());
//! # Ok(()) }
//! ```
//!
//! **Not in this crate:** the network (tacit-tornet), the model (tacit-circuits), choosing legs, audio.
#![forbid(unsafe_code)]

mod arguments;
mod error;
mod legs;
mod measure;
mod options;
mod person;
mod predict;
mod report;
mod run;

pub use arguments::Arguments;
pub use error::Error;
pub use options::{NagleOff, Options, Pattern, Unknown};
pub use report::{Delays, Report, Row, SCHEMA, WHERE};
pub use run::{Step, run};
