//! What was measured beside what was predicted: a table, or lines of JSON.

use core::fmt;
use std::fmt::Write as _;

use serde::Serialize;

use crate::options::{NagleOff, Pattern};

/// Version of the JSON lines.
pub const SCHEMA: u32 = 1;
/// What the measured numbers are, in every line.
pub const WHERE: &str = "real relays on one machine with added delay";

/// Quantiles of one-way delays, in ms.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Delays {
    /// Median.
    pub p50: f64,
    /// Nine of ten are not above it.
    pub p90: f64,
    /// 99 of 100 are not above it.
    pub p99: f64,
}

impl Delays {
    /// Of these delays; `None` of none.
    pub(crate) fn of(mut delays: Vec<f64>) -> Option<Self> {
        delays.sort_by(f64::total_cmp);
        let at = |percent: usize| {
            let rank = (delays.len() * percent).div_ceil(100).max(1);
            let tenths = delays.get(rank - 1)? * 10.0;
            Some(tenths.round() / 10.0)
        };
        Some(Self {
            p50: at(50)?,
            p90: at(90)?,
            p99: at(99)?,
        })
    }
}

/// One measurement and its prediction.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Row {
    /// `turn` or `onion`.
    pub mode: String,
    /// How packets were spread.
    pub pattern: Pattern,
    /// Time between two packets of a leg, ms.
    pub spacing_ms: u64,
    /// Legs that took turns.
    pub legs: usize,
    /// Where relays had TCP_NODELAY.
    pub nodelay: NagleOff,
    /// Added delay of all links of the path, one way, ms: of the shortest path if legs differ.
    pub floor_ms: f64,
    /// Packets that counted, both directions together.
    pub packets: usize,
    /// Those of them that did not arrive.
    pub lost: usize,
    /// The smallest delay, ms.
    pub least_ms: f64,
    /// Over real relays.
    pub measured_ms: Delays,
    /// By the model.
    pub simulated_ms: Delays,
}

/// In one line, for people.
impl fmt::Display for Row {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            mode,
            pattern,
            spacing_ms,
            legs,
            nodelay,
            ..
        } = self;
        let (measured, simulated) = (self.measured_ms, self.simulated_ms);
        write!(
            f,
            "{legs} {mode}, {pattern}, {spacing_ms} ms a leg, NODELAY {nodelay}: \
             measured {measured} ms, simulated {simulated} ms"
        )
    }
}

impl fmt::Display for Delays {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:.0}, {:.0}, {:.0}", self.p50, self.p90, self.p99)
    }
}

impl Row {
    /// Whether both are of the same packets, with TCP_NODELAY elsewhere.
    fn is_beside(&self, other: &Self) -> bool {
        let key = |row: &Self| (row.mode.clone(), row.pattern, row.spacing_ms);
        key(self) == key(other)
    }
}

/// All that was measured on one network.
#[derive(Clone, Debug, PartialEq)]
pub struct Report {
    /// Version of the relays' tor.
    pub tor: String,
    /// Version of the model.
    pub model: &'static str,
    /// Added delay of each link, one way, ms.
    pub link_ms: f64,
    /// Mean of its random extra, ms.
    pub jitter_ms: f64,
    /// Connections of relays that were looked at, and those on which tor itself had set TCP_NODELAY.
    pub relay_connections: [usize; 2],
    /// The same of coturn, if there were TURN legs.
    pub coturn_connections: Option<[usize; 2]>,
    /// This machine's load over the last minute at the end; 1.0 keeps one core busy.
    pub load: Option<f64>,
    /// The measurements.
    pub rows: Vec<Row>,
}

#[derive(Serialize)]
struct Line<'a> {
    schema: u32,
    network: &'static str,
    tor: &'a str,
    model: &'static str,
    link_ms: f64,
    jitter_ms: f64,
    load: Option<f64>,
    #[serde(flatten)]
    row: &'a Row,
}

impl Report {
    /// One line of JSON for each measurement.
    ///
    /// # Errors
    /// None that is known: every field can be written as JSON.
    pub fn json_lines(&self) -> Result<String, serde_json::Error> {
        let mut text = String::new();
        for row in &self.rows {
            let line = Line {
                schema: SCHEMA,
                network: WHERE,
                tor: &self.tor,
                model: self.model,
                link_ms: self.link_ms,
                jitter_ms: self.jitter_ms,
                load: self.load,
                row,
            };
            text.push_str(&serde_json::to_string(&line)?);
            text.push('\n');
        }
        Ok(text)
    }

    /// A table for people, in Markdown: what differs in TCP_NODELAY alone is in one line.
    #[must_use]
    pub fn table(&self) -> String {
        let mut text = self.heading();
        text.push_str("| legs | packets | ms a leg | floor |");
        let settings = NagleOff::ALL.into_iter();
        let settings: Vec<NagleOff> = settings
            .filter(|setting| self.rows.iter().any(|row| row.nodelay == *setting))
            .collect();
        // Writing to a String cannot fail.
        for setting in &settings {
            let _ = write!(text, " {setting}: measured; simulated |");
        }
        let _ = writeln!(text, "\n|{}", "---|".repeat(4 + settings.len()));
        for rows in self.rows.chunk_by(Row::is_beside) {
            let row = &rows[0];
            let _ = write!(
                text,
                "| {} {} | {} | {} | {:.0} |",
                row.legs, row.mode, row.pattern, row.spacing_ms, row.floor_ms
            );
            // Measured in the order in which they were asked for, which need not be that of the columns.
            for setting in &settings {
                let of_it = rows.iter().filter(|row| row.nodelay == *setting);
                let cells: Vec<String> = of_it
                    .map(|row| format!("{}; {}", row.measured_ms, row.simulated_ms))
                    .collect();
                let _ = write!(text, " {} |", cells.join(" / "));
            }
            text.push('\n');
        }
        text
    }

    fn heading(&self) -> String {
        let [all, set] = self.relay_connections;
        let coturn = self
            .coturn_connections
            .map(|[all, set]| format!("; coturn had set it on {set} of {all}"));
        let load = self
            .load
            .map(|load| format!(" Load of this machine: {load:.1}."));
        let lost: usize = self.rows.iter().map(|row| row.lost).sum();
        format!(
            "Measured: {WHERE}, tor {}, {} ms a link, one way. Simulated: {}, idle relays.\n\
             tor itself had set TCP_NODELAY on {set} of {all} connections of relays{}. Lost packets: {lost}.{}\n\
             p50, p90, p99 of one-way delays, both directions together, in ms, by where relays have \
             TCP_NODELAY.\n\n",
            self.tor,
            self.link_ms,
            self.model,
            coturn.unwrap_or_default(),
            load.unwrap_or_default(),
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_figure_stands_below_its_own_heading() {
        let delays = |ms: f64| Delays {
            p50: ms,
            p90: ms,
            p99: ms,
        };
        let row = |nodelay, ms| Row {
            mode: "onion".into(),
            pattern: Pattern::Call,
            spacing_ms: 20,
            legs: 1,
            nodelay,
            floor_ms: 35.0,
            packets: 500,
            lost: 0,
            least_ms: ms,
            measured_ms: delays(ms),
            simulated_ms: delays(35.0),
        };
        let (all, none) = (NagleOff::All, NagleOff::None);
        let report = |rows| Report {
            tor: "0.4.8".into(),
            model: "model",
            link_ms: 5.0,
            jitter_ms: 0.0,
            relay_connections: [4, 0],
            coturn_connections: None,
            load: None,
            rows,
        };
        let table = report(vec![row(all, 39.0), row(none, 64.0), row(all, 40.0)]).table();
        let wanted = "| none: measured; simulated | all: measured; simulated |\n\
                      |---|---|---|---|---|---|\n\
                      | 1 onion | call | 20 | 35 | 64, 64, 64; 35, 35, 35 | \
                      39, 39, 39; 35, 35, 35 / 40, 40, 40; 35, 35, 35 |\n";
        assert!(table.ends_with(wanted), "{table}");
    }

    #[test]
    fn quantiles_are_delays_that_occurred() {
        assert_eq!(Delays::of(Vec::new()), None);
        let delays = (1..=100).rev().map(f64::from).collect();
        let wanted = Delays {
            p50: 50.0,
            p90: 90.0,
            p99: 99.0,
        };
        assert_eq!(Delays::of(delays), Some(wanted));
        assert_eq!(Delays::of(vec![1.26]).map(|d| d.p99), Some(1.3));
    }
}
