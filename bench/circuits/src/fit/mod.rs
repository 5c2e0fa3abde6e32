//! The fit: what was published about Tor circuits, and what the model says about the same things.
//!
//! ```text
//!   MODEL ─► 700 streams of 50 packets/s ─┐
//!         └► single round trips ──────────┴► Facts of the model ─┐
//!                                            Facts published ────┴► errors: fitted, held out, check
//! ```
//!
//! Both loads run over the same circuits with the same parameters. Numbers of one list alternate
//! between the half that the search sees and the half that it does not. Replays of the streams are a
//! check: the search sees nothing of them.

mod facts;
mod modelled;
mod races;
mod search;
mod sparse;
mod streams;
pub mod summary;
pub mod table;

pub use facts::{Entry, Facts, PUBLISHED, ROUND_TRIPS, Role, Scale};
pub use modelled::MODELLED;
pub use search::{loss, search};
pub use streams::Harness;

use crate::params::Params;
use crate::place::Place;
use crate::random::derive;

/// The errors are computed on other circuits than those that the search saw.
pub const SEED: u64 = 20_251_122;

/// How many circuits a simulation of the facts draws.
#[derive(Clone, Copy, Debug)]
pub struct Effort {
    /// Voice streams; published are 712.
    pub streams: u32,
    /// Round trips a place.
    pub round_trips: u32,
    /// Replays of each kind; without any, the model's numbers for them are 0.
    pub replays: u32,
}

impl Effort {
    /// As many as were published.
    pub const FULL: Self = Self {
        streams: 712,
        round_trips: 20_000,
        replays: 1_500,
    };
}

/// What the model says about everything that was published.
#[must_use]
pub fn simulate(params: &Params, harness: &Harness, effort: Effort, seed: u64) -> Facts {
    let mut facts = PUBLISHED;
    sparse::simulate(params, effort.round_trips, seed, &mut facts);
    streams::simulate(params, harness, effort, seed, &mut facts);
    facts
}

/// Quantiles of the round trips from all places alike, at the quantiles of [`ROUND_TRIPS`]; ms.
#[must_use]
pub fn round_trips(params: &Params, effort: Effort, seed: u64) -> Vec<f64> {
    let sorted = sparse::pooled(params, effort.round_trips, seed);
    let quantile = |(p, _, _): &(f64, f64, f64)| summary::quantile(&sorted, *p);
    ROUND_TRIPS.iter().map(quantile).collect()
}

/// Moments of sending and delays, in ms, of one voice stream: what the facts about streams are counted
/// on, for those who want to count themselves.
pub fn stream(
    params: &Params,
    harness: &Harness,
    number: u32,
    seed: u64,
) -> impl Iterator<Item = (f64, f64)> {
    streams::samples(params, harness, number, seed)
}

/// Round trips between hosts in one place, in ms: what the facts about round trips are counted on.
#[must_use]
pub fn place_round_trips(params: &Params, place: Place, effort: Effort, seed: u64) -> Vec<f64> {
    sparse::samples(params, place, effort.round_trips, derive(seed, 7))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::params::MODEL;

    /// Reports print the constant: whoever changes the model, or how it is counted, sets it anew.
    #[test]
    fn what_reports_say_of_the_fit_is_what_the_model_gives() {
        let now = simulate(&MODEL, &Harness::FITTED, Effort::FULL, SEED);
        for (printed, now) in MODELLED.entries().iter().zip(now.entries()) {
            let digit = if now.value < 10.0 { 0.1 } else { 1.0 };
            assert!(
                (printed.value - now.value).abs() < 0.5 * digit,
                "{}, {}: {} is {} now; `--example fit` prints all",
                now.group,
                now.name,
                printed.value,
                now.value
            );
        }
    }

    #[test]
    fn the_search_sees_nothing_of_the_replays() {
        let losses = |replays: u32| {
            let effort = Effort {
                streams: 20,
                round_trips: 300,
                replays,
            };
            let facts = simulate(&MODEL, &Harness::FITTED, effort, 1);
            [Role::Fitted, Role::HeldOut, Role::Check].map(|role| loss(&facts, role))
        };
        let (without, with) = (losses(0), losses(20));
        assert_eq!(without[..2], with[..2]);
        assert!(without[2] != with[2]);
    }
}
