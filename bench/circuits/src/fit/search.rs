//! The search for parameters: small random steps that are kept when the fitted half gets better.

use super::{Effort, Entry, Facts, Harness, PUBLISHED, Role, Scale, simulate};
use crate::params::Params;
use crate::random::Random;

/// Below this many ms, an error of a time counts less: the data were rounded.
const ROUNDING: f64 = 5.0;
/// The round trips are few numbers, and all that is known of a load as sparse as that of one leg of
/// many: they count this much more.
const SPARSE: f64 = 2.5;
/// So many percentage points count as a factor of e.
const POINTS: f64 = 15.0;

/// Error of one number, on its own scale; 0.1 is about ten percent.
#[must_use]
fn error(published: &Entry, simulated: &Entry) -> f64 {
    match published.scale {
        Scale::Points => (simulated.value - published.value) / POINTS,
        Scale::Ratio if published.value > ROUNDING && !published.group.contains("tail") => {
            ((simulated.value + ROUNDING) / (published.value + ROUNDING)).ln()
        }
        Scale::Ratio => ((simulated.value + 0.05) / (published.value + 0.05)).ln(),
    }
}

/// Mean over the groups of the mean error of the numbers in a role: quadratic where small, linear where large.
#[must_use]
pub fn loss(simulated: &Facts, role: Role) -> f64 {
    let mut groups: Vec<(&str, f64, f64)> = Vec::new();
    for (published, simulated) in PUBLISHED.entries().iter().zip(simulated.entries()) {
        if published.role != role {
            continue;
        }
        let error = error(published, &simulated);
        let error = (1.0 + 16.0 * error * error).sqrt() - 1.0;
        match groups.last_mut() {
            Some((group, sum, count)) if *group == published.group => {
                *sum += error;
                *count += 1.0;
            }
            _ => groups.push((published.group, error, 1.0)),
        }
    }
    let weight = |group: &str, count: f64| {
        let sparse = group.starts_with("round trip");
        count.sqrt() * if sparse { SPARSE } else { 1.0 }
    };
    let means = groups
        .iter()
        .map(|(group, sum, count)| sum / count * weight(group, *count));
    let weights = groups.iter().map(|(group, _, count)| weight(group, *count));
    means.sum::<f64>() / weights.sum::<f64>()
}

/// A number that the search may change, as a factor.
type Knob = for<'a> fn(&'a mut Params, &'a mut Harness) -> &'a mut f64;

const KNOBS: &[Knob] = &[
    |p, _| &mut p.floor,
    |p, _| &mut p.floor_spread,
    |p, _| &mut p.access[1],
    |p, _| &mut p.access[2],
    |p, _| &mut p.access_spread,
    |p, _| &mut p.kist_active,
    |p, _| &mut p.queue,
    |p, _| &mut p.queue_spread[0],
    |p, _| &mut p.queue_spread[1],
    |p, _| &mut p.queue_spread[2],
    |p, _| &mut p.queue_periods[0],
    |p, _| &mut p.queue_periods[1],
    |p, _| &mut p.ack_delay,
    |p, _| &mut p.ack_distance,
    |p, _| &mut p.ack_spread,
    |p, _| &mut p.ack_jitter,
    |p, _| &mut p.bad,
    |p, _| &mut p.bad_queue,
    |p, _| &mut p.stall_rate[0],
    |p, _| &mut p.stall_rate[1],
    |p, _| &mut p.stall_height[0],
    |p, _| &mut p.stall_height[1],
    |p, _| &mut p.stall_spread[0],
    |p, _| &mut p.stall_spread[1],
    |p, _| &mut p.stall_load,
    |p, _| &mut p.stall_lump,
    |p, _| &mut p.stall_decline,
    |_, h| &mut h.places[0],
    |_, h| &mut h.places[2],
];

fn admissible(params: &Params) -> bool {
    params.kist_active <= 1.0
        && params.bad < 0.5
        && params.bad_queue < 1.0
        && params.stall_decline <= 1.0
        && params.stall_load <= 0.98
        && params.stall_spread[1] < 2.0
        && params.queue_periods[1] > 40.0
        && params.queue_periods[1] < params.queue_periods[0]
}

/// Improves parameters in `steps` trials on the same circuits. With as few streams as were published,
/// the search would find what suits the draw, and nothing of it would last on other seeds.
///
/// `told` hears of every improvement.
#[must_use]
pub fn search(
    start: (Params, Harness),
    steps: u32,
    seed: u64,
    mut told: impl FnMut(u32, f64, &Params, &Harness),
) -> (Params, Harness) {
    let effort = Effort {
        streams: 2_000,
        round_trips: 5_184,
        replays: 0,
    };
    let mut random = Random::new(seed);
    let rate = |params: &Params, harness: &Harness| {
        loss(&simulate(params, harness, effort, seed), Role::Fitted)
    };
    let mut best = start;
    let mut lowest = rate(&best.0, &best.1);
    for step in 0..steps {
        let (mut params, mut harness) = best;
        for _ in 0..=random.below(3) {
            let knob = KNOBS[random.below(KNOBS.len())];
            let size = 0.3 * random.unit() * random.unit();
            *knob(&mut params, &mut harness) *= (size * random.gauss()).exp();
        }
        if !admissible(&params) {
            continue;
        }
        let loss = rate(&params, &harness);
        if loss < lowest {
            (best, lowest) = ((params, harness), loss);
            told(step, lowest, &params, &harness);
        }
    }
    best
}
