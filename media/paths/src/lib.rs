//! Legs and scheduling: which packet goes on which circuit.
//!
//! ```text
//!   slot clock ──► choose ──► path ──► (sealed, taken by its leg) ──► on_sent
//!                    ▲
//!        ranking: best · second · third · reserve · suspects last
//!                    ▲
//!   peer's packets ──► on_arrival: legs that work at this moment
//!                  ──► on_feedback: arrivals ──► delay of each leg, overdue packets, round trip
//! ```
//!
//! One packet goes out in every 20 ms slot. Even slots take the best leg by measured relative
//! delay; odd slots take others by turns, so that a stall of the best legs costs at most a few
//! packets in a row, and every packet repeats the four frames before its own:
//!
//! ```text
//!   slot mod 8    0     1       2     3        4     5      6     7
//!   leg           best  second  best  reserve  best  third  best  reserve
//! ```
//!
//! Reserve slots rotate over the legs from the fourth on. Legs that have never been measured, and
//! suspects now and then, are probed in the second's and third's slots; a probe is an ordinary packet
//! and costs nothing extra.
//!
//! Acknowledgements take a round trip. That fewer of the peer's packets arrive than it sends is known
//! at once, and over which legs those few came: for a while those legs come first, suspect or not.
//! When none comes, all take turns, in pairs that change from round to round.
//!
//! Legs of like delay are equally good: where three or more are, they take turns in all slots but the
//! reserve's, so that few packets in a row share a leg and a stall of some takes few of them.
//!
//! A path is chosen, its leg takes the packet or refuses it, and only then is anything spent. Paths
//! are told one by one, as they are bound and refused.
//!
//! With onion legs a path is one leg (i, i). With TURN legs every local leg reaches every peer leg,
//! the delay of a path is the sum of its halves, and the two halves are ranked apart.
//!
//! **Not in this crate:** sockets, clocks, sealing, opening and closing legs.
#![forbid(unsafe_code)]

mod arrivals;
mod blame;
mod config;
mod delay;
mod leg;
mod leg_set;
pub mod limits;
mod pairs;
mod ranking;
mod round_trip;
mod scheduler;
mod sent;

pub use config::Config;
pub use leg::{Fate, LegStatus, Side};
pub use round_trip::RoundTrip;
pub use scheduler::{BestChange, Choice, ChoiceReason, Counters, Scheduler};
