//! All calls of one strategy, as one line.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::line::{CallLine, Millis, Setting, TraceSet};
use crate::sim::round;
use crate::summary::{median_interval, quantile, share};

/// Later than any call is talked through: what never came. Intervals have it for infinite, ms.
pub const NEVER: f64 = 1e9;
/// Donar's bar, ms.
pub const INTERACTIVE: f64 = 360.0;
/// PESQ that counts as good.
pub const GOOD: f64 = 3.0;
/// The goal's limit for the strict 99th percentile of the mouth-to-ear delay, ms.
pub const EAR_LIMIT: u32 = 450;
const EAR_LIMITS: [u32; 3] = [400, 450, 500];

/// Network delay over calls, ms.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct NetworkMs {
    /// Median call's median.
    pub p50: Option<f64>,
    /// Median call's 99th percentile.
    pub p99_median_call: Option<f64>,
    /// The 99th percentile that nine calls in ten stay below.
    pub p99_p90_call: Option<f64>,
}

/// Mouth-to-ear delay over calls, ms.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct EarMs {
    /// Median call's median.
    pub p50: Option<f64>,
    /// Median call's 95th percentile.
    pub p95_median_call: Option<f64>,
    /// Median call's 99th percentile; `None` if more than one frame in a hundred was never heard.
    pub p99_median_call: Option<f64>,
}

/// PESQ-WB of the calls that were simulated with sound.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Pesq {
    /// How many.
    pub calls: usize,
    /// Mean over calls.
    pub mean: f64,
    /// What nine calls in ten reach.
    pub p10: f64,
    /// Calls with at least 3.0.
    pub share_3_or_more: f64,
    /// 95 % interval of that.
    pub share_interval: [f64; 2],
}

impl Pesq {
    fn of(calls: &[CallLine]) -> Option<Self> {
        let mut scores: Vec<f64> = calls.iter().filter_map(|call| call.pesq).collect();
        if scores.is_empty() {
            return None;
        }
        let good = scores.iter().filter(|score| **score >= GOOD).count();
        let (share_good, interval) = share(good, scores.len());
        #[expect(clippy::cast_precision_loss, reason = "few calls")]
        let mean = scores.iter().sum::<f64>() / scores.len() as f64;
        Some(Self {
            calls: scores.len(),
            mean: round(mean, 3),
            p10: quantile(&mut scores, 0.1),
            share_3_or_more: round(share_good, 4),
            share_interval: interval.map(|share| round(share, 4)),
        })
    }
}

/// 95 % intervals over calls.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Intervals {
    /// Of `network_ms.p99_median_call`.
    pub network_p99_median_call: [f64; 2],
    /// Of `share_network_p99_below_360`.
    pub share_network_p99_below_360: [f64; 2],
    /// Of `mouth_to_ear_ms.p50`.
    pub mouth_to_ear_p50: [f64; 2],
    /// Of `share_mouth_to_ear_p99_below`.
    pub share_mouth_to_ear_p99_below: BTreeMap<String, [f64; 2]>,
}

/// One line a strategy.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Row {
    /// Under what they were simulated.
    #[serde(flatten)]
    pub setting: Setting,
    /// How many.
    pub calls: usize,
    /// Network delay.
    pub network_ms: NetworkMs,
    /// Calls that stay below Donar's bar.
    pub share_network_p99_below_360: f64,
    /// Mouth-to-ear delay of all media: what the goals are about.
    pub mouth_to_ear_ms: EarMs,
    /// The same of speech alone.
    pub mouth_to_ear_speech_ms: EarMs,
    /// The same of all media of the first 5 s, which nothing else counts.
    pub mouth_to_ear_first_ms: EarMs,
    /// Calls whose strict 99th percentile is below so many ms.
    pub share_mouth_to_ear_p99_below: BTreeMap<String, f64>,
    /// Median call's.
    pub concealed: f64,
    /// Median call's.
    pub repaired: f64,
    /// Median call's share of the output that was played faster or slower.
    pub stretched: f64,
    /// Median call's circuits (onion legs: pairs of them) of both people that gave way to others.
    pub replacements: f64,
    /// Packets that were sent a second in each direction, copies counted: the median call's.
    pub cells_sent_per_s: f64,
    /// Median call's longest time concealed in a row.
    pub longest_gap_ms: f64,
    /// Median call's.
    pub mos: f64,
    /// Median call's, with the talker's echo 65 dB weaker.
    pub mos_with_echo: f64,
    /// PESQ-WB; `None` if no call was simulated with sound.
    pub pesq: Option<Pesq>,
    /// Time of one core that simulating a call takes, both people, circuits included; only on demand,
    /// because it is different each time.
    pub cpu_percent: Option<f64>,
    /// How sure these are.
    pub intervals: Intervals,
}

impl EarMs {
    fn of(calls: &[CallLine], of_call: fn(&CallLine) -> Millis) -> Self {
        let median = |percentile: fn(Millis) -> Option<usize>| {
            let mut values: Vec<f64> = calls.iter().map(|c| ms(percentile(of_call(c)))).collect();
            finite(quantile(&mut values, 0.5))
        };
        Self {
            p50: median(|ms| ms.p50),
            p95_median_call: median(|ms| ms.p95),
            p99_median_call: median(|ms| ms.p99),
        }
    }
}

impl Row {
    /// What must be the same for rows to be compared, in words.
    #[must_use]
    pub fn caption(&self) -> String {
        let s = &self.setting;
        let what = match &s.traces {
            // The hash, since tables of different recordings are never the same table.
            Some(TraceSet { hash, files, half }) => format!(
                "recorded traces ({files} files, {half} half) {hash} over floors of {}",
                s.model
            ),
            None => s.model.clone(),
        };
        // What waits in a recording is in its delays.
        let congestion = s.congestion.map(|times| format!(", congestion × {times}"));
        let correlation = s.correlation.map(|share| format!(", correlation {share}"));
        let clients = s.clients.as_ref().filter(|clients| *clients != "own");
        let clients = clients.map(|clients| format!(", Tor client {clients}"));
        let acks = (s.quick_ack == Some(false)).then(|| ", delayed acks".to_owned());
        let nagle = (s.nagle == Some(false)).then(|| ", no Nagle".to_owned());
        let floor = (s.floor_factor != 1.0).then(|| format!(", floors × {}", s.floor_factor));
        let more: String = [congestion, correlation, clients, acks, nagle, floor]
            .into_iter()
            .flatten()
            .collect();
        format!(
            "{what}: {} calls of {} min, {} to {}, {}{more}, seed {}",
            self.calls, s.minutes, s.from, s.to, s.mode, s.seed
        )
    }

    /// Calls whose strict mouth-to-ear p99 is below so many ms, and the 95 % interval.
    #[must_use]
    pub fn ear_share(&self, limit: u32) -> (f64, [f64; 2]) {
        let limit = limit.to_string();
        let share = self.share_mouth_to_ear_p99_below.get(&limit).copied();
        let interval = self.intervals.share_mouth_to_ear_p99_below.get(&limit);
        (
            share.unwrap_or(0.0),
            interval.copied().unwrap_or([0.0, 1.0]),
        )
    }

    /// Sums up the calls of one strategy; `None` of none.
    #[must_use]
    pub fn of(calls: &[CallLine]) -> Option<Self> {
        let setting = calls.first()?.setting.clone();
        let column = |value: fn(&CallLine) -> f64| calls.iter().map(value).collect::<Vec<f64>>();
        let mut network_p50 = column(|c| ms(c.network_ms.p50));
        let mut network_p99 = column(|c| ms(c.network_ms.p99));
        let mut ear_p50 = column(|c| ms(c.mouth_to_ear_ms.p50));
        let ear_p99 = column(|c| ms(c.mouth_to_ear_ms.p99));
        let below = |values: &[f64], limit: f64| {
            let count = values.iter().filter(|value| **value < limit).count();
            share(count, values.len())
        };
        let (interactive, interactive_interval) = below(&network_p99, INTERACTIVE);
        let by_limit =
            EAR_LIMITS.map(|limit| (limit.to_string(), below(&ear_p99, f64::from(limit))));
        Some(Self {
            setting,
            calls: calls.len(),
            share_network_p99_below_360: round(interactive, 4),
            share_mouth_to_ear_p99_below: by_limit
                .iter()
                .map(|(limit, (share, _))| (limit.clone(), round(*share, 4)))
                .collect(),
            concealed: quantile(&mut column(|c| c.concealed), 0.5),
            repaired: quantile(&mut column(|c| c.repaired), 0.5),
            stretched: quantile(&mut column(|c| c.stretched), 0.5),
            cells_sent_per_s: quantile(&mut column(|c| c.cells_sent_per_s), 0.5),
            replacements: quantile(&mut column(|c| f64::from(c.replacements)), 0.5),
            longest_gap_ms: quantile(&mut column(|c| c.longest_gap_ms as f64), 0.5),
            mos: quantile(&mut column(|c| c.mos), 0.5),
            mos_with_echo: quantile(&mut column(|c| c.mos_with_echo), 0.5),
            pesq: Pesq::of(calls),
            cpu_percent: None,
            intervals: Intervals {
                network_p99_median_call: median_interval(&mut network_p99),
                share_network_p99_below_360: interactive_interval.map(|share| round(share, 4)),
                mouth_to_ear_p50: median_interval(&mut ear_p50),
                share_mouth_to_ear_p99_below: by_limit
                    .into_iter()
                    .map(|(limit, (_, interval))| (limit, interval.map(|share| round(share, 4))))
                    .collect(),
            },
            network_ms: NetworkMs {
                p50: finite(quantile(&mut network_p50, 0.5)),
                p99_median_call: finite(quantile(&mut network_p99, 0.5)),
                p99_p90_call: finite(quantile(&mut network_p99, 0.9)),
            },
            mouth_to_ear_ms: EarMs::of(calls, |call| call.mouth_to_ear_ms),
            mouth_to_ear_speech_ms: EarMs::of(calls, |call| call.mouth_to_ear_speech_ms),
            mouth_to_ear_first_ms: EarMs::of(calls, |call| call.mouth_to_ear_first_ms),
        })
    }
}

#[expect(clippy::cast_precision_loss, reason = "at most 20,000 ms")]
fn ms(value: Option<usize>) -> f64 {
    value.map_or(NEVER, |ms| ms as f64)
}

fn finite(value: f64) -> Option<f64> {
    (value < NEVER).then_some(value)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use core::time::Duration;

    use tacit_circuits::strategies::Kind;
    use tacit_circuits::{Mode, Scenario};

    use super::*;
    use crate::hearing::Buffer;
    use crate::sim::{Contender, Plan};

    /// Short calls that were really simulated, with some numbers changed.
    fn calls(change: impl Fn(usize, &mut CallLine)) -> Vec<CallLine> {
        let mut scenario = Scenario::new(Mode::Onion);
        scenario.length = Duration::from_secs(12);
        let plan = Plan {
            scenario,
            donar_guards: 2,
            donar_legs: 12,
            calls: 10,
            seed: 1,
        };
        let contender = Contender::new(Kind::Single, Buffer::DONAR);
        let one = plan.call(contender, 0);
        let changed = |number| {
            let mut call = one.clone();
            change(number, &mut call);
            call
        };
        (0..10).map(changed).collect()
    }

    #[test]
    fn only_calls_with_sound_are_scored() {
        assert_eq!(Row::of(&calls(|_, _| {})).unwrap().pesq, None);
        assert_eq!(Row::of(&[]), None);
        let scored = calls(|number, call| {
            call.pesq = [2.0, 2.99, 3.0, 4.0].get(number).copied();
        });
        let pesq = Row::of(&scored).unwrap().pesq.unwrap();
        assert_eq!(pesq.calls, 4);
        assert!((pesq.mean - 2.998).abs() < 1e-9 && (pesq.p10 - 2.0).abs() < 1e-9);
        assert!((pesq.share_3_or_more - 0.5).abs() < 1e-9);
        let [low, high] = pesq.share_interval;
        assert!((low - 0.15).abs() < 0.01 && (high - 0.85).abs() < 0.01);
    }

    #[test]
    fn a_row_has_the_median_calls_percentiles_and_shares_below_the_bars() {
        let row = Row::of(&calls(|number, call| {
            let base = 10 * number;
            let ms = |add: usize| Some(add + base);
            call.network_ms.p99 = ms(280);
            call.mouth_to_ear_ms.p95 = ms(300);
            call.mouth_to_ear_ms.p99 = (number < 6).then_some(380 + base);
            call.mouth_to_ear_speech_ms.p95 = ms(310);
            call.stretched = 0.01 * number as f64;
            call.replacements = number as u32;
        }))
        .unwrap();
        // 280, 290 … 370: the last two are not below 360; the nearest to the middle is the sixth.
        assert!((row.share_network_p99_below_360 - 0.8).abs() < 1e-9);
        assert_eq!(row.network_ms.p99_median_call, Some(330.0));
        assert_eq!(row.network_ms.p99_p90_call, Some(360.0));
        assert_eq!(row.mouth_to_ear_ms.p95_median_call, Some(350.0));
        assert_eq!(row.mouth_to_ear_ms.p99_median_call, Some(430.0));
        assert_eq!(row.mouth_to_ear_speech_ms.p95_median_call, Some(360.0));
        // 380 … 430, and four that were never heard.
        let below = |limit| (row.ear_share(limit).0 * 10.0).round();
        assert_eq!([400, 450, 500].map(below), [2.0, 6.0, 6.0]);
        assert!((row.stretched - 0.05).abs() < 1e-9 && (row.replacements - 5.0).abs() < 1e-9);
    }
}
