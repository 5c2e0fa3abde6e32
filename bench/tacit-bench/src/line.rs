//! One simulated call, as one line of JSON.

use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize};
use tacit_circuits::strategies::Kind;
use tacit_circuits::{Client, Clients, Delays, LONGEST, MODEL, Mode, Part, Place, Traces, VERSION};

use crate::sim::{Contender, Plan};

/// Version of the lines' layout.
pub const SCHEMA: u32 = 1;

/// Why a line of an older version over recorded delays cannot be read.
pub const WHICH_TRACES: &str = "an older tacit-bench wrote this line, which does not say over which recorded \
traces the call was: simulate it again";

/// Under what a call was simulated.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Setting {
    /// [`SCHEMA`].
    pub schema: u32,
    /// Always true.
    pub simulated: bool,
    /// Version of the circuits' model.
    pub model: String,
    /// Who sends what where.
    pub strategy: String,
    /// What it goes through before it is heard: `tacit`, or `fixed-150` in ms.
    pub playout: String,
    /// `turn` or `onion`.
    pub mode: String,
    /// Where the two people are.
    pub from: String,
    /// The other.
    pub to: String,
    /// Length of a call.
    pub minutes: f64,
    /// Circuits a side (`turn`) or in all (`onion`); `single` takes one of them, `torfone` two.
    pub legs: usize,
    /// Share of stall time that circuits behind a guard share. This and what else the model alone has is
    /// `None` with recorded delays, which have in them whatever it was where they were recorded.
    pub correlation: Option<f64>,
    /// Guards a side.
    pub guards: usize,
    /// Budget in each direction.
    pub cells_per_s: u32,
    /// Which Tor client strategies have: `own`, `tacit`, `c-tor`.
    pub clients: Option<String>,
    /// Whether Tacit's client acknowledges at once.
    pub quick_ack: Option<bool>,
    /// Whether Nagle's algorithm is on wherever nobody turns it off.
    pub nagle: Option<bool>,
    /// How many times the congestion of the model's year there is.
    pub congestion: Option<f64>,
    /// What stretches the floors.
    pub floor_factor: f64,
    /// Whether bad circuits are replaced in the course of the call: by `tacit`, and for `oracle` and
    /// `bound` by the same ones at the same times.
    pub replace: bool,
    /// The recorded delays that there were instead of modelled ones. Lines of older versions have `false`
    /// for none.
    #[serde(deserialize_with = "none_or_traces")]
    pub traces: Option<TraceSet>,
    /// What all calls are drawn from.
    pub seed: u64,
}

/// Which recorded delays.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TraceSet {
    /// Of what is in all files, in the order of their names.
    pub hash: String,
    /// How many files there are, of both halves.
    pub files: usize,
    /// From which of them circuits are drawn: `scoring` or `tuning`.
    pub half: String,
}

impl TraceSet {
    fn of(traces: &Traces, half: Part) -> Self {
        Self {
            hash: format!("{:016x}", traces.fingerprint()),
            files: traces.count(Part::Tuning) + traces.count(Part::Scoring),
            half: half.to_string(),
        }
    }
}

fn none_or_traces<'de, D: Deserializer<'de>>(from: D) -> Result<Option<TraceSet>, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Said {
        Set(TraceSet),
        Any(bool),
    }
    match Option::<Said>::deserialize(from)? {
        None | Some(Said::Any(false)) => Ok(None),
        Some(Said::Set(set)) => Ok(Some(set)),
        Some(Said::Any(true)) => Err(D::Error::custom(WHICH_TRACES)),
    }
}

impl Setting {
    /// That of a contender's calls.
    #[must_use]
    pub fn new(plan: &Plan, contender: Contender) -> Self {
        let scenario = plan.scenario_of(contender);
        let place = |place: Place| place.to_string();
        let traces = scenario.traces.as_ref();
        // What only circuits of the model have.
        let modelled = traces.is_none();
        let congestion = (100.0 * scenario.params.queue / MODEL.queue).round() / 100.0;
        Self {
            schema: SCHEMA,
            simulated: true,
            model: VERSION.to_owned(),
            strategy: contender.strategy.to_string(),
            playout: contender.buffer.name(),
            mode: Mode::to_string(&scenario.mode),
            from: place(scenario.places[0]),
            to: place(scenario.places[1]),
            minutes: scenario.length.as_secs_f64() / 60.0,
            legs: scenario.legs,
            correlation: modelled.then_some(scenario.correlation),
            guards: scenario.guards,
            cells_per_s: plan.cells_of(contender),
            clients: modelled.then(|| clients_name(scenario.clients).to_owned()),
            quick_ack: modelled.then_some(scenario.quick_ack),
            nagle: modelled.then_some(scenario.nagle),
            congestion: modelled.then_some(congestion),
            floor_factor: scenario.floor_factor,
            replace: contender.replaces(&scenario),
            traces: traces.map(|(traces, half)| TraceSet::of(traces, *half)),
            seed: plan.seed,
        }
    }

    /// The strategy's name, with what it may be told to do otherwise.
    #[must_use]
    pub fn label(&self) -> String {
        let Ok(kind) = self.strategy.parse::<Kind>() else {
            return self.strategy.clone();
        };
        let mut label = self.strategy.clone();
        if self.cells_per_s != kind.cells_per_second() {
            label.push_str(&format!(", {} cells/s", self.cells_per_s));
        }
        let could = matches!(
            kind,
            Kind::Tacit | Kind::Oracle | Kind::Bound | Kind::Told(_)
        );
        if could && !self.replace {
            label.push_str(", circuits kept");
        }
        label
    }

    /// Circuits a side (`turn`) or in all (`onion`) that the strategy has; [`legs`](Self::legs) is what
    /// it was offered.
    #[must_use]
    pub fn circuits(&self) -> usize {
        let kind = self.strategy.parse::<Kind>();
        kind.map_or(self.legs, |kind| kind.circuits(self.legs))
    }
}

/// Its name on the command line and in results.
#[must_use]
pub const fn clients_name(clients: Clients) -> &'static str {
    match clients {
        Clients::Own => "own",
        Clients::All(Client::Tacit) => "tacit",
        Clients::All(Client::CTor) => "c-tor",
    }
}

/// Percentiles in ms; `None` where it never came.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Millis {
    /// Median.
    pub p50: Option<usize>,
    /// 95th percentile.
    pub p95: Option<usize>,
    /// 99th percentile.
    pub p99: Option<usize>,
}

impl Millis {
    pub(crate) fn of(delays: &Delays) -> Self {
        let quantile = |p| delays.quantile(p).filter(|ms| *ms < LONGEST);
        Self {
            p50: quantile(0.5),
            p95: quantile(0.95),
            p99: quantile(0.99),
        }
    }
}

/// What one call was like, both directions together, from second 5.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CallLine {
    /// Under what it was simulated.
    #[serde(flatten)]
    pub setting: Setting,
    /// Its number.
    pub call: u32,
    /// Packets that were sent a second in each direction, copies counted.
    pub cells_sent_per_s: f64,
    /// From a frame's being ready to its first copy's arrival.
    pub network_ms: Millis,
    /// From the mouth to the ear, all media.
    pub mouth_to_ear_ms: Millis,
    /// The same of speech alone.
    pub mouth_to_ear_speech_ms: Millis,
    /// The same of all media of the first 5 s, which nothing else counts.
    pub mouth_to_ear_first_ms: Millis,
    /// Share of the output that was concealed.
    pub concealed: f64,
    /// Share of the media that was skipped to come down.
    pub skipped: f64,
    /// Share of the output that was played faster or slower.
    pub stretched: f64,
    /// Share of the media that was repaired from later packets.
    pub repaired: f64,
    /// Longest time concealed in a row.
    pub longest_gap_ms: u64,
    /// The E-model's.
    pub mos: f64,
    /// The same with the talker's echo, 65 dB weaker.
    pub mos_with_echo: f64,
    /// PESQ-WB, the mean over four segments; `None` if the call was simulated without sound.
    pub pesq: Option<f64>,
    /// Circuits that failed.
    pub failures: u32,
    /// Circuits (onion legs: pairs of them) of both people that gave way to others.
    pub replacements: u32,
}
