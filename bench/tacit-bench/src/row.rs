//! All calls of one strategy, as one line.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::line::{CallLine, Setting};
use crate::sim::round;
use crate::summary::{median_interval, quantile, share};

/// Later than any call is talked through: what never came.
const NEVER: f64 = 1e9;
/// Donar's bar, ms.
pub const INTERACTIVE: f64 = 360.0;
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
    /// Median call's longest time concealed in a row.
    pub longest_gap_ms: f64,
    /// Median call's.
    pub mos: f64,
    /// Nothing is encoded here: no score.
    pub pesq: Option<f64>,
    /// Time of one core that simulating a call takes, both people, circuits included; only on demand,
    /// because it is different each time.
    pub cpu_percent: Option<f64>,
    /// How sure these are.
    pub intervals: Intervals,
}

impl Row {
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
            longest_gap_ms: quantile(&mut column(|c| c.longest_gap_ms as f64), 0.5),
            mos: quantile(&mut column(|c| c.mos), 0.5),
            pesq: None,
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
