//! What replays of the streams said: how steady a circuit is, and how different several are.
//!
//! ```text
//!   n streams drawn ─► ranked by p95 of the first 2.4 s ─► best k kept for good
//!                                                          frame: the earliest of its k delays
//! ```
//!
//! Delays are above each stream's own minimum, frames are every second packet, and whatever was sent
//! does not change the streams. Marginal distributions say nothing about time; this does: what ranking
//! is worth depends on how long a circuit stays as it is, and what a second copy is worth on how fast
//! its delay changes.

use super::streams::Stream;
use super::summary::{percent, quantile, quantiles};
use crate::random::{Random, derive};

/// Frames that are ranked by.
const RANKED: usize = 60;

/// Circuits drawn, and how many of them are kept.
const KINDS: [(usize, usize); 7] = [(1, 1), (2, 2), (6, 1), (6, 2), (6, 3), (12, 2), (12, 3)];

/// Quantiles over replays of the p99 over frames, ms: p50, p75, p90, p95; one row a kind.
pub(super) type P99 = [[f64; 4]; 7];
/// Percent of all frames later than 150 and 200 ms.
pub(super) type Late = [[f64; 2]; 7];

/// Frames of a stream: relative delays of every second packet.
fn frames(stream: &Stream) -> Vec<f64> {
    let minimum = stream.minimum();
    let every_second = stream.delays.iter().step_by(2);
    every_second.map(|delay| delay - minimum).collect()
}

fn replay(streams: &[Vec<f64>], drawn: usize, kept: usize, random: &mut Random) -> Vec<f64> {
    let mut chosen: Vec<usize> = Vec::with_capacity(drawn);
    while chosen.len() < drawn.min(streams.len()) {
        let stream = random.below(streams.len());
        if !chosen.contains(&stream) {
            chosen.push(stream);
        }
    }
    let rank = |stream: &usize| {
        let mut first: Vec<f64> = streams[*stream].iter().take(RANKED).copied().collect();
        first.sort_unstable_by(f64::total_cmp);
        quantile(&first, 0.95)
    };
    if kept < drawn {
        chosen.sort_by_cached_key(|stream| rank(stream).to_bits());
    }
    chosen.truncate(kept);
    let length = chosen.iter().map(|s| streams[*s].len()).min().unwrap_or(0);
    let earliest = |frame: usize| {
        let delays = chosen.iter().map(|stream| streams[*stream][frame]);
        delays.fold(f64::INFINITY, f64::min)
    };
    (RANKED.min(length)..length).map(earliest).collect()
}

/// So many replays of every kind over these streams.
pub(super) fn simulate(streams: &[Stream], replays: u32, seed: u64) -> (P99, Late) {
    let streams: Vec<Vec<f64>> = streams.iter().map(frames).collect();
    let mut p99 = P99::default();
    let mut late = Late::default();
    for (kind, (drawn, kept)) in KINDS.into_iter().enumerate() {
        let mut random = Random::new(derive(seed, kind as u64));
        let mut all = Vec::new();
        let of_replays = (0..replays).map(|_| {
            let mut delays = replay(&streams, drawn, kept, &mut random);
            all.extend_from_slice(&delays);
            delays.sort_unstable_by(f64::total_cmp);
            quantile(&delays, 0.99)
        });
        p99[kind] = quantiles(of_replays.collect(), [0.5, 0.75, 0.9, 0.95]);
        late[kind] = [150.0, 200.0].map(|ms| percent(&all, |delay| *delay > ms));
    }
    (p99, late)
}
