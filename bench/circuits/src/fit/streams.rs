//! The voice streams' load: 50 packets a second for 30 s over one exit circuit.

use super::summary::{mean, percent, quantile, quantiles};
use super::{Effort, Facts};
use crate::circuit::{Circuit, Direction, Setting};
use crate::params::Params;
use crate::place::Place;
use crate::quality::Seeds;
use crate::random::{Random, derive};

/// Time between packets, ms.
const INTERVAL: f64 = 20.0;
/// Packets of 30 s, and of the first 5 s, which are left out.
const PACKETS: u32 = 1500;
const LEFT_OUT: usize = 250;
/// A stall rises by more than this above the stream's median.
const STALL: f64 = 150.0;
/// Arrivals this close together are one burst.
const TOGETHER: f64 = 5.0;

/// What is known or assumed of the network that the streams were measured in, and is no part of the
/// model of a circuit.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Harness {
    /// How often an end is in each place. The 15 pairs of places are not known one by one.
    pub places: [f64; 3],
    /// Packets that fill a segment, on the first hop (cells) and behind the exit (short packets of
    /// a tunnel: about 200 bytes).
    pub in_segment: [f64; 2],
}

impl Harness {
    /// As fitted.
    pub const FITTED: Self = Self {
        places: [0.55, 0.33, 0.12],
        in_segment: [3.0, 7.0],
    };

    /// Where an end is, by a number in 0..1.
    #[must_use]
    pub fn place(&self, unit: f64) -> Place {
        let mut left = unit * self.places.iter().sum::<f64>();
        let found = Place::ALL.into_iter().find(|place| {
            left -= self.places[place.index()];
            left < 0.0
        });
        found.unwrap_or(Place::Hk)
    }
}

/// One stream: when its packets were sent and how long they took.
pub(super) struct Stream {
    sent: Vec<f64>,
    pub(super) delays: Vec<f64>,
    sorted: Vec<f64>,
}

impl Stream {
    fn new(params: &Params, harness: &Harness, seed: u64) -> Self {
        let mut random = Random::new(seed);
        let seeds = Seeds {
            guard: random.bits(),
            circuit: random.bits(),
        };
        let mut place = || harness.place(random.unit());
        let mut setting = Setting::between(place(), place());
        setting.in_segment = harness.in_segment;
        let mut circuit = Circuit::new(params, seeds, Direction::Up, &setting);
        let mut stream = Self {
            sent: Vec::with_capacity(PACKETS as usize),
            delays: Vec::with_capacity(PACKETS as usize),
            sorted: Vec::new(),
        };
        for packet in 0..PACKETS {
            let at = f64::from(packet) * INTERVAL;
            stream.sent.push(at);
            stream.delays.push(circuit.pass(at) - at);
        }
        stream.sent.drain(..LEFT_OUT);
        stream.delays.drain(..LEFT_OUT);
        stream.sorted.clone_from(&stream.delays);
        stream.sorted.sort_unstable_by(f64::total_cmp);
        stream
    }

    fn arrivals(&self) -> impl Iterator<Item = f64> {
        self.sent
            .iter()
            .zip(&self.delays)
            .map(|(at, delay)| at + delay)
    }

    pub(super) fn minimum(&self) -> f64 {
        self.sorted.first().copied().unwrap_or(0.0)
    }

    fn relative(&self, p: f64) -> f64 {
        quantile(&self.sorted, p) - self.minimum()
    }

    /// Peak above the median and length of each stall.
    fn stalls(&self) -> Vec<[f64; 2]> {
        let median = quantile(&self.sorted, 0.5);
        let mut stalls: Vec<[f64; 2]> = Vec::new();
        let mut inside = false;
        for delay in &self.delays {
            let extra = delay - median;
            let above = extra > STALL;
            if above && !inside {
                stalls.push([0.0; 2]);
            }
            if let Some(stall) = stalls.last_mut().filter(|_| above) {
                stall[0] = stall[0].max(extra);
                stall[1] += INTERVAL;
            }
            inside = above;
        }
        stalls
    }

    /// RFC 3550's interarrival jitter, mean over the packets.
    fn jitter(&self) -> f64 {
        let mut jitter = 0.0;
        let values = self.delays.windows(2).map(|pair| {
            jitter += ((pair[1] - pair[0]).abs() - jitter) / 16.0;
            jitter
        });
        mean(&values.collect::<Vec<_>>())
    }
}

pub(super) fn simulate(
    params: &Params,
    harness: &Harness,
    effort: Effort,
    seed: u64,
    facts: &mut Facts,
) {
    let seed = derive(seed, 8);
    let streams: Vec<Stream> = (0..effort.streams)
        .map(|number| Stream::new(params, harness, derive(seed, u64::from(number))))
        .collect();
    relative(&streams, facts);
    stalls(&streams, facts);
    arrivals(&streams, facts);
    (facts.races, facts.races_late) =
        super::races::simulate(&streams, effort.replays, derive(seed, 9));
    let jitter: Vec<f64> = streams.iter().map(Stream::jitter).collect();
    facts.jitter = mean(&jitter);
    facts.jitter_above_30 = percent(&jitter, |jitter| *jitter > 30.0);
    let medians: Vec<f64> = streams
        .iter()
        .map(|stream| quantile(&stream.sorted, 0.5))
        .collect();
    facts.one_way_below_400 = percent(&medians, |delay| *delay <= 400.0);
    facts.one_way = quantiles(medians, [0.25, 0.5, 0.75]);
}

/// Moments of sending and delays, in ms, of stream `number` of those that [`simulate`] counts.
pub(super) fn samples(
    params: &Params,
    harness: &Harness,
    number: u32,
    seed: u64,
) -> impl Iterator<Item = (f64, f64)> {
    let stream = Stream::new(params, harness, derive(derive(seed, 8), u64::from(number)));
    stream.sent.into_iter().zip(stream.delays)
}

fn relative(streams: &[Stream], facts: &mut Facts) {
    let packets = [0.01, 0.05, 0.1, 0.25, 0.5, 0.75, 0.9, 0.95, 0.99, 0.999];
    for (column, p) in packets.into_iter().enumerate() {
        let values = streams.iter().map(|stream| stream.relative(p)).collect();
        let rows = quantiles(values, [0.1, 0.25, 0.5, 0.75, 0.9]);
        for (row, value) in rows.into_iter().enumerate() {
            facts.relative[row][column] = value;
        }
    }
    let relative = |stream: &Stream| {
        let minimum = stream.minimum();
        let values = stream.delays.iter().map(move |delay| delay - minimum);
        values.collect::<Vec<_>>()
    };
    let all: Vec<f64> = streams.iter().flat_map(relative).collect();
    facts.above = [100.0, 150.0, 200.0, 300.0, 500.0, 1000.0].map(|ms| percent(&all, |d| *d > ms));
    facts.p99_below = [200.0, 300.0, 400.0].map(|ms| percent(streams, |s| s.relative(0.99) < ms));
}

fn minutes(streams: &[Stream]) -> f64 {
    let packets: usize = streams.iter().map(|stream| stream.delays.len()).sum();
    #[expect(clippy::cast_precision_loss, reason = "at most millions")]
    let packets = packets as f64;
    packets * INTERVAL / 60_000.0
}

#[expect(clippy::cast_precision_loss, reason = "counts of at most millions")]
fn stalls(streams: &[Stream], facts: &mut Facts) {
    let of_streams: Vec<Vec<[f64; 2]>> = streams.iter().map(Stream::stalls).collect();
    facts.without_stall = percent(&of_streams, |stalls| stalls.is_empty());
    let all: Vec<[f64; 2]> = of_streams.into_iter().flatten().collect();
    facts.stalls = all.len() as f64 / minutes(streams);
    let tail = [0.5, 0.75, 0.9, 0.99];
    facts.stall_peak = quantiles(all.iter().map(|stall| stall[0]).collect(), tail);
    facts.stall_length = quantiles(all.iter().map(|stall| stall[1]).collect(), tail);
}

#[expect(clippy::cast_precision_loss, reason = "counts of at most millions")]
fn arrivals(streams: &[Stream], facts: &mut Facts) {
    let (mut gaps, mut sizes) = (Vec::new(), Vec::new());
    for stream in streams {
        let mut size = 1_usize;
        let mut last = None;
        for at in stream.arrivals() {
            if let Some(gap) = last.map(|last| at - last) {
                if gap > TOGETHER {
                    gaps.push(gap);
                    sizes.push(core::mem::take(&mut size));
                }
                size += 1;
            }
            last = Some(at);
        }
        sizes.push(size);
    }
    let rate = |ms: f64| gaps.iter().filter(|gap| **gap > ms).count() as f64 / minutes(streams);
    facts.gaps = [100.0, 200.0, 300.0, 500.0, 1000.0, 2000.0].map(rate);
    facts.bursts =
        [1, 2, 3, 4, 5].map(|n| percent(&sizes, |size| *size == n || (n == 5 && *size > 5)));
    facts.burst_gap = quantiles(gaps, [0.1, 0.25, 0.5, 0.75, 0.9]);
}
