//! All calls of one strategy, as one line.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::line::{CallLine, Setting};
use crate::sim::round;
use crate::summary::{median_interval, quantile, share};

/// Later than any call is talked through: what never came. Intervals have it for infinite, ms.
pub const NEVER: f64 = 1e9;
/// Donar's bar, ms.
pub const INTERACTIVE: f64 = 360.0;
/// PESQ-WB that counts as good.
const GOOD: f64 = 3.0;
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
    /// Mouth-to-ear delay.
    pub mouth_to_ear_ms: EarMs,
    /// Calls whose strict 99th percentile is below so many ms.
    pub share_mouth_to_ear_p99_below: BTreeMap<String, f64>,
    /// Median call's.
    pub concealed: f64,
    /// Median call's.
    pub repaired: f64,
    /// Median call's circuits that gave way to better ones.
    pub replacements: f64,
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

impl Row {
    /// What must be the same for rows to be compared, in words.
    #[must_use]
    pub fn caption(&self) -> String {
        let s = &self.setting;
        let what = if s.traces {
            format!("recorded traces ({})", s.model)
        } else {
            s.model.clone()
        };
        let clients = match s.clients.as_str() {
            "own" => String::new(),
            clients => format!(", Tor client {clients}"),
        };
        let acks = if s.quick_ack { "" } else { ", delayed acks" };
        let nagle = if s.nagle { "" } else { ", no Nagle" };
        let floor = if s.floor_factor == 1.0 {
            String::new()
        } else {
            format!(", floors × {}", s.floor_factor)
        };
        format!(
            "{what}: {} calls of {} min, {} to {}, {}, correlation {}{clients}{acks}{nagle}{floor}, seed {}",
            self.calls, s.minutes, s.from, s.to, s.mode, s.correlation, s.seed
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
        let mut ear_p99 = column(|c| ms(c.mouth_to_ear_ms.p99));
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
            mouth_to_ear_ms: EarMs {
                p50: finite(quantile(&mut ear_p50, 0.5)),
                p99_median_call: finite(quantile(&mut ear_p99, 0.5)),
            },
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
