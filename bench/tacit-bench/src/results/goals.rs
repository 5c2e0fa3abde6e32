//! The goals, and how the simulated calls compare.

use tacit_bench::html::{ear_p50, ear_p99, network_p99};
use tacit_bench::line::CallLine;
use tacit_bench::row::{EAR_LIMIT, GOOD, INTERACTIVE, NEVER};
use tacit_bench::summary::{Resampled, paired_interval, quantile, share};
use tacit_circuits::Mode;
use tacit_circuits::strategies::Kind;

use super::Calls;
use super::grid::{
    ALOUD, BASE, CELLS, KEPT, KEPT_CELLS, KEPT_LONG, KEPT_SAME_GUARDS, LONG, SAME_GUARDS,
};

/// A number over calls, and its 95 % interval.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Value {
    pub(crate) value: f64,
    pub(crate) interval: [f64; 2],
    /// Draws that say nothing, of those that the interval would be of.
    pub(crate) left_out: usize,
}

impl From<Resampled> for Value {
    fn from(drawn: Resampled) -> Self {
        Self {
            value: drawn.value,
            interval: drawn.interval,
            left_out: drawn.left_out,
        }
    }
}

/// What calls say of a goal.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Measured {
    NotRun,
    /// They were run, and there is nothing that could be measured.
    Nothing,
    As(Value),
}

impl Measured {
    /// The value, if there is one.
    pub(crate) const fn value(self) -> Option<Value> {
        match self {
            Self::As(value) => Some(value),
            Self::NotRun | Self::Nothing => None,
        }
    }
}

impl From<Option<Value>> for Measured {
    /// Of what can be measured wherever there are calls.
    fn from(value: Option<Value>) -> Self {
        value.map_or(Self::NotRun, Self::As)
    }
}

/// What a goal's numbers are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Unit {
    Share,
    /// A share with two digits.
    SmallShare,
    Ratio,
}

/// Takes a value out of the calls.
type Measure = Box<dyn Fn(&Calls, Mode) -> Measured>;

/// One row of the table.
pub(crate) struct Goal {
    pub(crate) what: String,
    pub(crate) unit: Unit,
    pub(crate) at_least: bool,
    /// For `turn` and `onion`.
    pub(crate) limits: [f64; 2],
    measure: Measure,
}

impl Goal {
    fn new<M: Into<Measured>>(
        what: impl Into<String>,
        unit: Unit,
        limits: [f64; 2],
        measure: impl Fn(&Calls, Mode) -> M + 'static,
    ) -> Self {
        Self {
            what: what.into(),
            unit,
            at_least: unit == Unit::Share,
            limits,
            measure: Box::new(move |calls, mode| measure(calls, mode).into()),
        }
    }

    /// What the calls gave.
    pub(crate) fn measure(&self, calls: &Calls, mode: Mode) -> Measured {
        (self.measure)(calls, mode)
    }

    pub(crate) const fn limit(&self, mode: Mode) -> f64 {
        match mode {
            Mode::Turn => self.limits[0],
            Mode::Onion => self.limits[1],
        }
    }

    /// Whether a value is good enough.
    pub(crate) fn is_reached(&self, mode: Mode, value: f64) -> bool {
        let limit = self.limit(mode);
        if self.at_least {
            value >= limit
        } else {
            value <= limit
        }
    }
}

/// In which scenes `tacit` and the oracle are looked at; `donar-double` is the same in all.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Reading {
    base: &'static str,
    long: &'static str,
    aloud: Option<&'static str>,
    cells: &'static str,
    same_guards: [&'static str; 2],
}

/// As it is shipped: bad circuits are replaced, and the oracle has the same ones.
pub(crate) const SHIPPED: Reading = Reading {
    base: BASE,
    long: LONG,
    aloud: Some(ALOUD),
    cells: CELLS,
    same_guards: [SAME_GUARDS[0].0, SAME_GUARDS[1].0],
};

/// Everybody has the circuits that a call begins with.
pub(crate) const CIRCUITS_KEPT: Reading = Reading {
    base: KEPT,
    long: KEPT_LONG,
    aloud: None,
    cells: KEPT_CELLS,
    same_guards: KEPT_SAME_GUARDS,
};

/// All, in the order in which they are shown.
pub(crate) fn all(reading: Reading) -> Vec<Goal> {
    use Kind::{DonarDouble, Oracle, Tacit};
    let Reading {
        base,
        long,
        aloud,
        cells,
        same_guards,
    } = reading;
    let mut goals = vec![
        interactive("calls of 5 minutes", base),
        interactive("calls of 90 minutes", long),
        ratio(
            "network p99 of the median call ÷ `donar-double`",
            [0.80, 0.90],
            network_p99,
            (base, Tacit),
            (BASE, DonarDouble),
        ),
        ratio(
            "network p99 of the median call ÷ the mode's own `oracle`",
            [1.35, 1.20],
            network_p99,
            (base, Tacit),
            (base, Oracle),
        ),
        ratio(
            "network p99 at 25 packets/s ÷ `donar-double` at 50",
            [0.95, 1.05],
            network_p99,
            (cells, Tacit),
            (BASE, DonarDouble),
        ),
        Goal::new(
            "calls with strict mouth-to-ear p99 < 450 ms",
            Unit::Share,
            [0.90, 0.65],
            move |calls, mode| below(calls.ours(mode, base, Tacit), ear_p99, EAR_LIMIT.into()),
        ),
        ratio(
            "mouth-to-ear p50 ÷ `donar-double` with our playout",
            [0.88, 0.93],
            ear_p50,
            (base, Tacit),
            (BASE, DonarDouble),
        ),
    ];
    for (scene, (donars, correlation)) in same_guards.into_iter().zip(SAME_GUARDS) {
        let what = format!(
            "correlation {correlation}, one guard each: (tacit − donar) ÷ (oracle − donar), in share of calls < 360 ms"
        );
        goals.push(Goal::new(
            what,
            Unit::Ratio,
            [0.6; 2],
            move |calls, mode| gained(calls, mode, scene, donars),
        ));
        if let Some(goal) = goals.last_mut() {
            goal.at_least = true;
        }
    }
    goals.extend(aloud.map(|aloud| {
        Goal::new(
            "PESQ-WB ≥ 3.0, share of calls",
            Unit::Share,
            [0.90, 0.85],
            move |calls, mode| good(calls.ours(mode, aloud, Tacit)),
        )
    }));
    goals.push(Goal::new(
        "concealed, median call",
        Unit::SmallShare,
        [0.005, 0.008],
        move |calls, mode| {
            let calls = calls.ours(mode, base, Tacit);
            let concealed: Vec<f64> = calls.iter().map(|call| call.concealed).collect();
            interval_of(concealed.len(), |drawn| {
                quantile(&mut pick(&concealed, drawn), 0.5)
            })
        },
    ));
    goals
}

type Column = fn(&CallLine) -> Option<f64>;

fn interactive(what: &str, scene: &'static str) -> Goal {
    let what = format!("{what} with network p99 < 360 ms");
    Goal::new(what, Unit::Share, [0.97, 0.95], move |calls, mode| {
        below(
            calls.ours(mode, scene, Kind::Tacit),
            network_p99,
            INTERACTIVE,
        )
    })
}

fn ratio(
    what: &str,
    limits: [f64; 2],
    column: Column,
    ours: (&'static str, Kind),
    theirs: (&'static str, Kind),
) -> Goal {
    Goal::new(what, Unit::Ratio, limits, move |calls, mode| {
        medians(
            calls.ours(mode, ours.0, ours.1),
            calls.ours(mode, theirs.0, theirs.1),
            column,
        )
    })
}

fn values(calls: &[CallLine], column: Column) -> Vec<f64> {
    let value = |call| column(call).unwrap_or(NEVER);
    calls.iter().map(value).collect()
}

fn pick(values: &[f64], drawn: &[usize]) -> Vec<f64> {
    drawn.iter().map(|call| values[*call]).collect()
}

fn interval_of(calls: usize, value: impl Fn(&[usize]) -> f64) -> Option<Value> {
    paired_interval(calls, value).map(Value::from)
}

/// Calls below a limit.
pub(crate) fn below(calls: &[CallLine], column: Column, limit: f64) -> Option<Value> {
    let count = values(calls, column).into_iter().filter(|v| *v < limit);
    shared(count.count(), calls.len())
}

/// Calls with a good score.
pub(crate) fn good(calls: &[CallLine]) -> Option<Value> {
    let scores: Vec<f64> = calls.iter().filter_map(|call| call.pesq).collect();
    shared(scores.iter().filter(|s| **s >= GOOD).count(), scores.len())
}

fn shared(count: usize, of: usize) -> Option<Value> {
    let (value, interval) = share(count, of);
    (of > 0).then_some(Value {
        value,
        interval,
        left_out: 0,
    })
}

/// Ratio of the medians over the same calls.
pub(crate) fn medians(ours: &[CallLine], theirs: &[CallLine], column: Column) -> Option<Value> {
    let (a, b) = (values(ours, column), values(theirs, column));
    interval_of(a.len().min(b.len()), |drawn| {
        quantile(&mut pick(&a, drawn), 0.5) / quantile(&mut pick(&b, drawn), 0.5)
    })
}

/// How much of what the oracle has over Donar ours has too.
fn gained(calls: &Calls, mode: Mode, scene: &str, donars: &str) -> Measured {
    use Kind::{DonarDouble, Oracle, Tacit};
    let [ours, donar, oracle] = [(scene, Tacit), (donars, DonarDouble), (scene, Oracle)]
        .map(|(scene, kind)| values(calls.ours(mode, scene, kind), network_p99));
    gain(&ours, &donar, &oracle)
}

/// The same of their 99th percentiles.
fn gain(ours: &[f64], donar: &[f64], oracle: &[f64]) -> Measured {
    let number = ours.len().min(donar.len()).min(oracle.len());
    if number == 0 {
        return Measured::NotRun;
    }
    let value = interval_of(number, |drawn| {
        let share = |values: &[f64]| {
            let good = drawn.iter().filter(|call| values[**call] < INTERACTIVE);
            good.count() as f64
        };
        let room = share(oracle) - share(donar);
        if room > 0.0 {
            (share(ours) - share(donar)) / room
        } else {
            f64::NAN
        }
    });
    value.map_or(Measured::Nothing, Measured::As)
}

/// Share of `donar-double`'s calls below its bar, with the two guards it was published with.
pub(crate) fn donars_own(calls: &Calls, mode: Mode, scene: &str) -> Option<Value> {
    below(
        calls.ours(mode, scene, Kind::DonarDouble),
        network_p99,
        INTERACTIVE,
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_gained_lies_between_donar_and_the_oracle() {
        let calls = |good: usize| -> Vec<f64> {
            (0..100)
                .map(|n| if n < good { 300.0 } else { 400.0 })
                .collect()
        };
        let half = gain(&calls(80), &calls(60), &calls(100)).value().unwrap();
        assert!((half.value - 0.5).abs() < 1e-9);
        assert!(half.interval[0] > 0.2 && half.interval[1] < 0.8);
        let worse = gain(&calls(50), &calls(60), &calls(100)).value().unwrap();
        assert!(worse.value < 0.0);
        assert_eq!(
            gain(&calls(10), &calls(60), &calls(60)),
            Measured::Nothing,
            "nothing to be gained"
        );
        let little = gain(&calls(60), &calls(60), &calls(61)).value().unwrap();
        assert!(little.left_out > 300 && little.left_out < 450, "{little:?}");
    }

    #[test]
    fn goals_are_reached_on_their_own_side() {
        let goals = all(SHIPPED);
        let find = |part: &str| goals.iter().find(|goal| goal.what.contains(part)).unwrap();
        let (turn, onion) = (Mode::Turn, Mode::Onion);
        assert!(
            find("5 minutes").is_reached(turn, 0.97) && !find("5 minutes").is_reached(turn, 0.96)
        );
        assert!(find("5 minutes").is_reached(onion, 0.96));
        assert!(
            find("concealed").is_reached(turn, 0.004) && !find("concealed").is_reached(turn, 0.006)
        );
        assert!(find("0.15").is_reached(turn, 0.7) && !find("0.15").is_reached(turn, 0.5));
        let nothing = Calls(std::collections::HashMap::new());
        assert!(
            goals
                .iter()
                .all(|goal| goal.measure(&nothing, turn) == Measured::NotRun)
        );
    }
}
