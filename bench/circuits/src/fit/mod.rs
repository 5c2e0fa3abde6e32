//! The fit: what was published about Tor circuits, and what the model says about the same things.
//!
//! ```text
//!   MODEL ─► 700 streams of 50 packets/s ─┐
//!         └► single round trips ──────────┴► Facts of the model ─┐
//!                                            Facts published ────┴► errors: fitted half, other half
//! ```
//!
//! Both loads run over the same circuits with the same parameters. Numbers of one list alternate
//! between the half that the search sees and the half that it does not.

mod facts;
mod search;
mod sparse;
mod streams;
pub mod summary;

pub use facts::{Entry, Facts, Half, PUBLISHED, ROUND_TRIPS, Scale};
pub use search::{loss, search};
pub use streams::Harness;

use crate::params::Params;

/// How many circuits a simulation of the facts draws.
#[derive(Clone, Copy, Debug)]
pub struct Effort {
    /// Voice streams; published are 712.
    pub streams: u32,
    /// Round trips a place.
    pub round_trips: u32,
}

impl Effort {
    /// As many as were published.
    pub const FULL: Self = Self {
        streams: 712,
        round_trips: 20_000,
    };
}

/// What the model says about everything that was published.
#[must_use]
pub fn simulate(params: &Params, harness: &Harness, effort: Effort, seed: u64) -> Facts {
    let mut facts = PUBLISHED;
    sparse::simulate(params, effort.round_trips, seed, &mut facts);
    streams::simulate(params, harness, effort.streams, seed, &mut facts);
    facts
}

/// Quantiles of the round trips from all places alike, at the quantiles of [`ROUND_TRIPS`]; ms.
#[must_use]
pub fn round_trips(params: &Params, effort: Effort, seed: u64) -> Vec<f64> {
    let sorted = sparse::pooled(params, effort.round_trips, seed);
    let quantile = |(p, _, _): &(f64, f64, f64)| summary::quantile(&sorted, *p);
    ROUND_TRIPS.iter().map(quantile).collect()
}
