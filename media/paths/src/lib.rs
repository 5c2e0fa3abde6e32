//! Legs and scheduling: which packet goes on which circuit.
//!
//! ```text
//!   slot clock ──► choose ──► path ──► (sealed, taken by its leg) ──► on_sent
//!                    ▲
//!        cost of each leg at this moment
//!                    ▲
//!   peer's packets ──► on_arrival: legs that work at this moment
//!                  ──► on_feedback: arrivals ──► delay of each leg, overdue packets, round trip
//! ```
//!
//! One packet goes out in every slot, on the path whose legs cost least together:
//!
//! ```text
//!   cost = expected delay + crowding + lateness - uncertainty
//! ```
//!
//! *Crowding* is high just after a leg has had a packet and falls within a tenth of a second. So legs
//! take turns, the better ones more often, and legs that are alike equally often: of a few packets in
//! a row hardly two share a leg, a stall of some legs takes few of them, and every packet repeats the
//! four frames before its own. *Lateness* is what is overdue on a leg, *uncertainty* the error of its
//! delay: what was not measured for a while is worth a try.
//!
//! Legs that have never been measured, suspects now and then, and any leg every few seconds are
//! probed in every second slot at most; a probe is an ordinary packet and costs nothing extra.
//!
//! Acknowledgements take a round trip. That fewer of the peer's packets arrive than usual is known
//! at once, and over which legs those few came: for a while those legs come first, suspect or not.
//! When none comes, all take turns, in pairs that change from round to round.
//!
//! A path is chosen, its leg takes the packet or refuses it, and only then is anything spent. Paths
//! are told one by one, as they are bound and refused.
//!
//! With onion legs a path is one leg (i, i). With TURN legs every local leg reaches every peer leg,
//! the delay of a path is the sum of its halves, and each half has a cost of its own.
//!
//! A leg that is much slower than most others, or dead, gives way to a new one now and then
//! ([`Replacer`]): which is decided here, opening and closing is not.
//!
//! **Not in this crate:** sockets, clocks, sealing, opening and closing legs.
#![forbid(unsafe_code)]

mod arrivals;
mod blame;
mod config;
mod cost;
mod delay;
mod leg;
mod leg_set;
pub mod limits;
mod pairs;
mod replace;
mod round_trip;
mod scheduler;
mod sent;

pub use config::Config;
pub use leg::{Fate, LegStatus, Side};
pub use replace::{Allowance, Replacer};
pub use round_trip::RoundTrip;
pub use scheduler::{BestChange, Choice, ChoiceReason, Counters, Fault, Scheduler};
