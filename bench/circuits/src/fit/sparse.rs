//! OnionPerf's load: one request, one response, minutes apart.

use super::Facts;
use super::summary::{quantile, quantiles};
use crate::circuit::{Circuit, Direction, Setting};
use crate::params::Params;
use crate::place::Place;
use crate::quality::Seeds;
use crate::random::{Random, derive};

/// Round trips of one box plot: OnionPerf makes one every 5 minutes.
const DAY: usize = 288;
/// A request is sent within so many ms of the circuit's first moment.
const WITHIN: f64 = 60_000.0;

pub(super) fn simulate(params: &Params, round_trips: u32, seed: u64, facts: &mut Facts) {
    let mut pooled = Vec::new();
    for place in Place::ALL {
        let samples = samples(params, place, round_trips, derive(seed, 7));
        facts.round_trip[place.index()] = box_plot(&samples);
        pooled.extend(samples);
    }
    let [p50, p95, p99, p999] = quantiles(pooled, [0.5, 0.95, 0.99, 0.999]);
    facts.round_trip_tail = [p95 / p50, p99 / p50, p999 / p50];
}

/// Sorted round trips, in ms, from all places alike.
pub(super) fn pooled(params: &Params, round_trips: u32, seed: u64) -> Vec<f64> {
    let samples = |place| samples(params, place, round_trips, derive(seed, 9));
    let mut pooled: Vec<f64> = Place::ALL.into_iter().flat_map(samples).collect();
    pooled.sort_unstable_by(f64::total_cmp);
    pooled
}

pub(super) fn samples(params: &Params, place: Place, count: u32, seed: u64) -> Vec<f64> {
    let setting = Setting::between(place, place);
    let sample = |number: u32| {
        let mut random = Random::new(derive(seed, u64::from(number)));
        let seeds = Seeds {
            guard: random.bits(),
            circuit: random.bits(),
        };
        let circuit = |direction| Circuit::new(params, seeds, direction, &setting);
        let at = random.unit() * WITHIN;
        let there = circuit(Direction::Up).pass(at);
        circuit(Direction::Down).pass(there) - at
    };
    (0..count).map(sample).collect()
}

/// Low, quartiles and high of each day, and of those the medians. Low and high are the outermost
/// values within one and a half interquartile ranges of the quartiles.
fn box_plot(samples: &[f64]) -> [f64; 5] {
    let mut days: [Vec<f64>; 5] = Default::default();
    for day in samples.chunks(DAY) {
        let mut day = day.to_vec();
        day.sort_unstable_by(f64::total_cmp);
        let [q1, median, q3] = [0.25, 0.5, 0.75].map(|p| quantile(&day, p));
        let reach = 1.5 * (q3 - q1);
        let low = day.iter().find(|v| **v >= q1 - reach);
        let high = day.iter().rev().find(|v| **v <= q3 + reach);
        let row = [*low.unwrap_or(&q1), q1, median, q3, *high.unwrap_or(&q3)];
        for (all, value) in days.iter_mut().zip(row) {
            all.push(value);
        }
    }
    days.map(|values| quantiles(values, [0.5])[0])
}
