//! The published facts: a few numbers each, with their origin and terms.

use super::races::{Late, P99};

/// Everything that is compared. Times in milliseconds, shares in percent.
#[derive(Clone, Debug, PartialEq)]
pub struct Facts {
    /// Circuit round trips under sparse load, by place: low, quartiles and high as in a box plot.
    pub round_trip: [[f64; 5]; 3],
    /// Tail of the round trips from all places: p95, p99 and p99.9 over p50.
    pub round_trip_tail: [f64; 3],
    /// Delay above the stream's own minimum: rows are quantiles over streams, columns over packets.
    pub relative: [[f64; 10]; 5],
    /// Share of all packets whose relative delay is above 100, 150, 200, 300, 500, 1000 ms.
    pub above: [f64; 6],
    /// Share of streams whose p99 of the relative delay is below 200, 300, 400 ms.
    pub p99_below: [f64; 3],
    /// Stalls a minute.
    pub stalls: f64,
    /// Share of streams without a stall.
    pub without_stall: f64,
    /// Peak of a stall above the stream's median: p50, p75, p90, p99.
    pub stall_peak: [f64; 4],
    /// Length of a stall: p50, p75, p90, p99.
    pub stall_length: [f64; 4],
    /// Gaps between arrivals a minute above 100, 200, 300, 500, 1000, 2000 ms.
    pub gaps: [f64; 6],
    /// Share of bursts of 1, 2, 3, 4, 5 or more packets.
    pub bursts: [f64; 5],
    /// Gap between bursts: p10, p25, p50, p75, p90.
    pub burst_gap: [f64; 5],
    /// Mean over streams of the interarrival jitter.
    pub jitter: f64,
    /// Share of streams with more than 30 ms of it.
    pub jitter_above_30: f64,
    /// Quartiles over streams of the one-way delay, taken to be a stream's median.
    pub one_way: [f64; 3],
    /// Share of it up to 400 ms.
    pub one_way_below_400: f64,
    /// Replays of the streams (`fit::races`): quantiles over replays of the p99.
    pub races: P99,
    /// The same replays: percent of frames later than 150 and 200 ms.
    pub races_late: Late,
}

/// What was published.
///
/// - `round_trip`: medians over the days of April to August 2025 of the OnionPerf hosts `op-de8a`,
///   `op-us8a`, `op-hk8a`. Tor Metrics, CC0.
/// - `round_trip_tail`: 132,602 round trips of 2019, all hosts. Tor Metrics' archives, CC0. Tor was
///   slower then, so only the shape of the tail is compared.
/// - `races`, `races_late`: replays of the same streams as below; a check that no search sees.
/// - All others: 712 voice streams of 30 s (50 packets/s, the first 5 s left out) over live exit
///   circuits, 2025: aggregates computed from the published traces of "Tor Turns Talk Choppy".
pub const PUBLISHED: Facts = Facts {
    round_trip: [
        [30.0, 70.0, 100.0, 150.0, 270.0],
        [180.0, 240.0, 260.0, 310.0, 410.0],
        [390.0, 480.0, 540.0, 640.0, 870.0],
    ],
    round_trip_tail: [0.890 / 0.400, 2.0 / 0.4, 8.708 / 0.4],
    relative: [
        [
            9.5, 21.3, 29.0, 43.5, 62.4, 82.2, 105.0, 121.6, 157.8, 204.8,
        ],
        [
            15.7, 29.8, 40.1, 57.4, 78.1, 101.6, 131.7, 155.0, 218.5, 292.6,
        ],
        [
            21.6, 40.1, 51.4, 72.1, 100.2, 137.5, 187.6, 232.1, 346.0, 452.6,
        ],
        [
            31.5, 54.4, 69.4, 100.2, 140.5, 194.8, 301.4, 491.2, 1026.8, 1186.2,
        ],
        [
            40.5, 71.8, 91.0, 132.7, 193.9, 284.6, 1039.5, 1956.7, 2657.5, 2832.6,
        ],
    ],
    above: [51.0, 28.6, 17.0, 8.4, 5.0, 3.3],
    p99_below: [17.6, 37.4, 52.2],
    stalls: 15.3,
    without_stall: 14.0,
    stall_peak: [197.0, 273.0, 509.0, 3202.0],
    stall_length: [120.0, 240.0, 640.0, 3940.0],
    gaps: [173.0, 33.0, 12.6, 6.4, 2.1, 0.47],
    bursts: [14.0, 32.0, 23.0, 12.0, 19.0],
    burst_gap: [20.0, 35.0, 56.0, 88.0, 132.0],
    jitter: 42.9,
    jitter_above_30: 52.0,
    one_way: [138.0, 200.0, 262.0],
    one_way_below_400: 92.8,
    races: [
        [317.0, 686.0, 1_959.0, 2_997.0],
        [165.0, 216.0, 325.0, 414.0],
        [172.0, 272.0, 826.0, 1_882.0],
        [122.0, 147.0, 183.0, 237.0],
        [107.0, 126.0, 144.0, 161.0],
        [106.0, 124.0, 151.0, 172.0],
        [93.0, 106.0, 120.0, 130.0],
    ],
    races_late: [
        [28.6, 17.0],
        [7.6, 2.9],
        [6.8, 3.7],
        [1.2, 0.35],
        [0.35, 0.04],
        [0.40, 0.12],
        [0.06, 0.01],
    ],
};

/// Quantiles of 132,227 exit-circuit round trips of 2018 and 132,602 of 2019, in ms: what Tor was like
/// in the years before Donar was measured. Tor Metrics' archives, CC0.
pub const ROUND_TRIPS: [(f64, f64, f64); 11] = [
    (0.001, 40.0, 50.0),
    (0.01, 60.0, 70.0),
    (0.05, 100.0, 100.0),
    (0.10, 130.0, 140.0),
    (0.25, 250.0, 290.0),
    (0.50, 390.0, 400.0),
    (0.75, 650.0, 580.0),
    (0.90, 810.0, 720.0),
    (0.95, 980.0, 890.0),
    (0.99, 1_890.0, 2_000.0),
    (0.999, 8_537.0, 8_708.0),
];

/// How an error is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scale {
    /// As a ratio.
    Ratio,
    /// In percentage points.
    Points,
}

/// What a number is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// The search sees it.
    Fitted,
    /// The search sees its neighbours in the list.
    HeldOut,
    /// The search sees nothing of its kind.
    Check,
}

/// One number of the facts.
#[derive(Clone, Debug, PartialEq)]
pub struct Entry {
    /// The list that it belongs to.
    pub group: &'static str,
    /// Its place there.
    pub name: String,
    /// The number.
    pub value: f64,
    /// How errors of it count.
    pub scale: Scale,
    /// What it is for.
    pub role: Role,
}

struct Lister(Vec<Entry>);

impl Lister {
    /// A list that alternates between what is fitted and what is held out, on from the last one.
    fn list(&mut self, group: &'static str, scale: Scale, names: &[&str], values: &[f64]) {
        for (name, value) in names.iter().zip(values) {
            let role = if self.0.len().is_multiple_of(2) {
                Role::Fitted
            } else {
                Role::HeldOut
            };
            self.push(group, scale, name, *value, role);
        }
    }

    /// A list for the check only. They come last, so that the others alternate as if there were none.
    fn check(&mut self, group: &'static str, scale: Scale, names: &[&str], values: &[f64]) {
        for (name, value) in names.iter().zip(values) {
            self.push(group, scale, name, *value, Role::Check);
        }
    }

    fn push(&mut self, group: &'static str, scale: Scale, name: &str, value: f64, role: Role) {
        self.0.push(Entry {
            group,
            name: name.to_owned(),
            value,
            scale,
            role,
        });
    }
}

const RELATIVE: [&str; 5] = [
    "relative delay, call p10",
    "relative delay, call p25",
    "relative delay, call p50",
    "relative delay, call p75",
    "relative delay, call p90",
];
const REPLAYS: [&str; 7] = [
    "replay, p99, 1 circuit",
    "replay, p99, 2 circuits",
    "replay, p99, best of 6",
    "replay, p99, best 2 of 6",
    "replay, p99, best 3 of 6",
    "replay, p99, best 2 of 12",
    "replay, p99, best 3 of 12",
];
const LATE: [&str; 7] = [
    "replay, late, %, 1 circuit",
    "replay, late, %, 2 circuits",
    "replay, late, %, best of 6",
    "replay, late, %, best 2 of 6",
    "replay, late, %, best 3 of 6",
    "replay, late, %, best 2 of 12",
    "replay, late, %, best 3 of 12",
];
const ROUND_TRIP: [&str; 3] = ["round trip, de", "round trip, us", "round trip, hk"];

impl Facts {
    /// All numbers, in a fixed order: those that alternate between fitted and held out, then the
    /// checks.
    #[must_use]
    pub fn entries(&self) -> Vec<Entry> {
        let mut all = Lister(Vec::new());
        for (group, row) in ROUND_TRIP.iter().zip(&self.round_trip) {
            all.list(
                group,
                Scale::Ratio,
                &["low", "q1", "median", "q3", "high"],
                row,
            );
        }
        let packets = [
            "p1", "p5", "p10", "p25", "p50", "p75", "p90", "p95", "p99", "p99.9",
        ];
        for (group, row) in RELATIVE.iter().zip(&self.relative) {
            all.list(group, Scale::Ratio, &packets, row);
        }
        self.shares(&mut all);
        self.rates(&mut all);
        let names = ["p95/p50", "p99/p50", "p99.9/p50"];
        all.list(
            "round trip tail, 2019",
            Scale::Ratio,
            &names,
            &self.round_trip_tail,
        );
        self.replays(&mut all);
        all.0
    }

    fn shares(&self, all: &mut Lister) {
        let above = [">100", ">150", ">200", ">300", ">500", ">1000"];
        all.list("packets above, %", Scale::Points, &above, &self.above);
        let below = ["<200", "<300", "<400"];
        all.list(
            "calls with p99 below, %",
            Scale::Points,
            &below,
            &self.p99_below,
        );
        let sizes = ["1", "2", "3", "4", "5+"];
        all.list("bursts of, %", Scale::Points, &sizes, &self.bursts);
        let others = [
            self.without_stall,
            self.jitter_above_30,
            self.one_way_below_400,
        ];
        let names = ["without stall", "jitter > 30 ms", "one way <= 400 ms"];
        all.list("calls or packets, %", Scale::Points, &names, &others);
    }

    fn rates(&self, all: &mut Lister) {
        let tail = ["p50", "p75", "p90", "p99"];
        all.list("stall peak", Scale::Ratio, &tail, &self.stall_peak);
        all.list("stall length", Scale::Ratio, &tail, &self.stall_length);
        let gaps = [">100", ">200", ">300", ">500", ">1000", ">2000"];
        all.list("gaps a minute", Scale::Ratio, &gaps, &self.gaps);
        all.list("stalls a minute", Scale::Ratio, &["all"], &[self.stalls]);
        let spread = ["p10", "p25", "p50", "p75", "p90"];
        all.list("gap between bursts", Scale::Ratio, &spread, &self.burst_gap);
        all.list("jitter", Scale::Ratio, &["mean"], &[self.jitter]);
        all.list(
            "one way",
            Scale::Ratio,
            &["q1", "median", "q3"],
            &self.one_way,
        );
    }

    fn replays(&self, all: &mut Lister) {
        let replays = ["p50", "p75", "p90", "p95"];
        for (group, row) in REPLAYS.iter().zip(&self.races) {
            all.check(group, Scale::Ratio, &replays, row);
        }
        let late = [">150 ms", ">200 ms"];
        for (group, row) in LATE.iter().zip(&self.races_late) {
            all.check(group, Scale::Points, &late, row);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_alternate_and_the_checks_come_last() {
        let entries = PUBLISHED.entries();
        let checks = entries.iter().position(|entry| entry.role == Role::Check);
        let (fit, checks) = entries.split_at(checks.expect("there are checks"));
        for pair in fit.chunks_exact(2) {
            assert_eq!((pair[0].role, pair[1].role), (Role::Fitted, Role::HeldOut));
        }
        assert!(checks.iter().all(|entry| entry.role == Role::Check));
        assert!(checks.iter().all(|entry| entry.group.starts_with("replay")));
        assert!(fit.iter().all(|entry| !entry.group.starts_with("replay")));
    }
}
