//! The parameters of the model. All times are in milliseconds.

use core::time::Duration;

/// Everything that the fit may change.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Params {
    /// Median one-way floor between the relays of a circuit and hosts in `de`.
    pub floor: f64,
    /// Its spread from circuit to circuit, as standard deviation of the logarithm.
    pub floor_spread: f64,
    /// What a host in each place adds to the one-way floor, median.
    pub access: [f64; 3],
    /// Spread of that from circuit to circuit, as standard deviation of the logarithm.
    pub access_spread: f64,
    /// Share of relays whose channels are so busy that cells wait for the next 10 ms run of KIST.
    pub kist_active: f64,
    /// Median queueing of all relays together.
    pub queue: f64,
    /// Its spread from circuit to circuit, within seconds, and within fractions of a second, as
    /// standard deviations of the logarithm.
    pub queue_spread: [f64; 3],
    /// Time scales of the two variations within a circuit.
    pub queue_periods: [f64; 2],
    /// What acknowledgements take beyond the distance: the receiver's delayed acknowledgement.
    pub ack_delay: f64,
    /// Round trip of the hop that Nagle's algorithm waits for, in one-way floors of the circuit.
    pub ack_distance: f64,
    /// Spread of both from hop to hop, as standard deviation of the logarithm.
    pub ack_spread: f64,
    /// Spread of both from batch to batch.
    pub ack_jitter: f64,
    /// Share of circuits that are bad at a time.
    pub bad: f64,
    /// How much of a circuit's being bad goes with long queues: correlation of the two qualities.
    pub bad_queue: f64,
    /// Stalls a minute on a good and on a bad circuit.
    pub stall_rate: [f64; 2],
    /// Median height of a stall, on a good and on a bad circuit.
    pub stall_height: [f64; 2],
    /// Spread of heights, as standard deviations of the logarithm.
    pub stall_spread: [f64; 2],
    /// Share of the stalls of a stream of 50 packets a second that its own packets cause: one is
    /// lost, and all behind it wait. The others come whether anything is sent or not.
    pub stall_load: f64,
    /// While a backlog drains, packets come out in lumps this far apart.
    pub stall_lump: f64,
    /// A stall's delay shrinks by this much a millisecond: below 1, the backlog drains slowly.
    pub stall_decline: f64,
    /// How circuits behind one guard resemble each other, and for how long.
    pub persistence: Persistence,
}

/// How a circuit's quality and floor are made up. A single short stream does not show any of it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Persistence {
    /// Share of the variance that all circuits behind one guard have in common, for the whole call.
    pub guard: f64,
    /// Share of the variance that changes in the course of the call.
    pub wander: f64,
    /// How fast that changes.
    pub period: f64,
}

/// Longest height of a stall: what is later counts as lost in any call.
pub const STALL_HEIGHT_MAX: f64 = 20_000.0;

/// One circuit as the facts of 2025 have it under both loads: found by `--example fit -- --search`.
/// docs/circuits.md has the errors.
pub const MODEL: Params = Params {
    floor: 17.95,
    floor_spread: 0.391,
    access: [0.0, 40.5, 110.6],
    access_spread: 0.153,
    kist_active: 0.216,
    queue: 20.8,
    queue_spread: [0.801, 0.359, 1.005],
    queue_periods: [2_553.0, 45.0],
    ack_delay: 37.0,
    ack_distance: 0.527,
    ack_spread: 0.382,
    ack_jitter: 0.489,
    bad: 0.351,
    bad_queue: 0.396,
    stall_rate: [2.24, 11.0],
    stall_height: [103.5, 504.6],
    stall_spread: [0.492, 0.995],
    stall_load: 0.513,
    stall_lump: 144.7,
    stall_decline: 0.998,
    persistence: Persistence {
        guard: 0.3,
        wander: 0.1,
        period: 60_000.0,
    },
};

/// Goes into every result; changes whenever a number above or a step of the model does.
pub const VERSION: &str = "tacit-circuits/4";

/// How many times the congestion of [`MODEL`]'s year, 2025, the benchmark's network has.
///
/// Donar was measured in 2021, when Tor was slower: at today's congestion, nearly all of its calls would
/// be below 360 ms. This much makes `donar-double` land where it was measured, over either kind of legs.
/// The round trips are then near those of 2018 and 2019 up to p75, and from p90 to p99 longer than in
/// either year; docs/circuits.md has both.
pub const CONGESTION: f64 = 2.2;

/// The correlation that `tacit-bench compare` has by default: the middle of 0 to 0.3, all of which the
/// published shares allow.
pub const CORRELATION: f64 = 0.15;

impl Params {
    /// [`MODEL`]'s acknowledgements, and nothing else that takes time but the distance: relays that are
    /// idle, whose circuits and hops are all alike and have this one-way floor. What a private network
    /// without other traffic should be like.
    #[must_use]
    pub fn idle(floor: Duration) -> Self {
        Self {
            floor: floor.as_secs_f64() * 1e3,
            floor_spread: 0.0,
            access: [0.0; 3],
            access_spread: 0.0,
            ack_spread: 0.0,
            kist_active: 0.0,
            queue: 0.0,
            // So rare that none comes.
            stall_rate: [1e-12; 2],
            stall_load: 0.0,
            ..MODEL
        }
    }

    /// The same network with so many times the congestion: queues are longer. Distances remain, and
    /// so do stalls: in 2019 they were not higher than today.
    #[must_use]
    pub fn congested(mut self, factor: f64) -> Self {
        self.queue *= factor;
        self
    }
}
