//! From two traces and the spoken sound to the figures of one direction of a call.

use std::collections::BTreeMap;
use std::path::Path;

use serde::Serialize;

use crate::recovery::Recovery;

/// Samples of one frame at 48 kHz.
const FRAME_SAMPLES: i64 = 960;
/// One frame in microseconds.
const FRAME_US: u64 = 20_000;
/// Opus look-ahead at 48 kHz: media leaves the output this much after its frame's slot.
const LOOK_AHEAD_US: u64 = 6_500;
/// The goals count from here; the first seconds are reported by themselves.
const SETTLE_US: u64 = 5_000_000;
/// Frames captured this short before the end may still be under way when the call ends.
const TAIL_US: u64 = 2_000_000;
/// The live meter reports so often, and is compared where so many frames were heard in between.
const METER_INTERVAL_US: u64 = 1_000_000;
const METER_FRAMES: usize = 10;

/// What one process wrote about its frames: number to microseconds.
#[derive(Debug, Default)]
pub struct Trace {
    /// Capture time of a frame's first sample.
    pub captured: BTreeMap<u32, u64>,
    /// Offset of that sample in the source file.
    pub position: BTreeMap<u32, i64>,
    /// When the frame was ready to send.
    pub ready: BTreeMap<u32, u64>,
    /// First authentic copy of the peer's frame.
    pub arrived: BTreeMap<u32, u64>,
    /// First sample of the peer's frame left the output.
    pub played: BTreeMap<u32, u64>,
    /// How many of those were restored from a later frame's DRED.
    pub repaired: usize,
    /// Times at which 20 ms of concealment started.
    pub concealed: Vec<u64>,
    /// Times at which packets were written.
    pub sent: Vec<u64>,
}

impl Trace {
    /// Reads a trace file.
    ///
    /// # Errors
    /// If it cannot be read or a line has another form.
    pub fn read(path: &Path) -> Result<Self, String> {
        let text = std::fs::read_to_string(path).map_err(|e| format!("{}: {e}", path.display()))?;
        let mut trace = Self::default();
        for (n, line) in text.lines().enumerate() {
            trace
                .line(line)
                .ok_or_else(|| format!("{}:{}: not a trace line", path.display(), n + 1))?;
        }
        Ok(trace)
    }

    fn line(&mut self, line: &str) -> Option<()> {
        let mut words = line.split(' ');
        let (kind, number, at, position) =
            (words.next()?, words.next()?, words.next()?, words.next()?);
        let number: u32 = number.parse().ok()?;
        let at: u64 = at.parse().ok()?;
        match kind {
            "captured" => {
                self.captured.insert(number, at);
                self.position.insert(number, position.parse().ok()?);
            }
            "ready" => drop(self.ready.insert(number, at)),
            "arrived" => drop(self.arrived.entry(number).or_insert(at)),
            "played" => drop(self.played.entry(number).or_insert(at)),
            "repaired" => {
                self.played.entry(number).or_insert(at);
                self.repaired += 1;
            }
            "concealed" => self.concealed.push(at),
            "skipped" => {}
            "sent" => self.sent.push(at),
            _ => return None,
        }
        Some(())
    }
}

/// Percentiles in milliseconds; `None` is infinite.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Percentiles {
    /// Median.
    pub p50: Option<f64>,
    /// 95th percentile.
    pub p95: Option<f64>,
    /// 99th percentile.
    pub p99: Option<f64>,
}

impl Percentiles {
    /// Nearest-rank percentiles of delays in microseconds; `None` in the input is infinite.
    #[must_use]
    pub fn of(delays: &[Option<u64>]) -> Self {
        let mut sorted: Vec<u64> = delays.iter().map(|d| d.unwrap_or(u64::MAX)).collect();
        sorted.sort_unstable();
        let at = |share: f64| {
            #[expect(
                clippy::cast_possible_truncation,
                clippy::cast_sign_loss,
                clippy::cast_precision_loss
            )]
            let rank = ((sorted.len() as f64 * share).ceil() as usize).max(1) - 1;
            let value = *sorted.get(rank)?;
            #[expect(clippy::cast_precision_loss, reason = "delays are far below 2^52 µs")]
            (value != u64::MAX).then(|| (value as f64 / 100.0).round() / 10.0)
        };
        Self {
            p50: at(0.50),
            p95: at(0.95),
            p99: at(0.99),
        }
    }
}

/// Counts of one direction.
#[derive(Clone, Copy, Debug, Default, Serialize)]
pub struct Frames {
    /// Frames captured and sent.
    pub sent: usize,
    /// Frames that left the other output.
    pub played: usize,
    /// Of these, frames that were restored from a later one's DRED.
    pub repaired: usize,
    /// Stretches of 20 ms that the other output concealed.
    pub concealed: usize,
}

/// One report of the live latency meter, from the listener's events.
#[derive(Clone, Copy, Debug)]
pub struct MeterReport {
    /// When it was made, on the machine's clock.
    pub at_us: u64,
    /// What it said.
    pub mouth_to_ear_ms: f64,
}

/// What the live meter said, beside what the shared clock says: for each of its reports from second
/// 5, the estimate minus the mean delay of the frames that were heard in the second before it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct MeterError {
    /// Reports that could be compared.
    pub reports: usize,
    /// Mean error; above zero the meter says too much.
    pub bias_ms: Option<f64>,
    /// Size of the error.
    pub error_ms: Percentiles,
}

impl MeterError {
    /// Compares the listener's reports with both traces.
    #[must_use]
    #[expect(clippy::cast_precision_loss, reason = "delays are far below 2^52 µs")]
    pub fn of(speaker: &Trace, listener: &Trace, reports: &[MeterReport]) -> Self {
        let start = speaker.captured.values().next().copied().unwrap_or(0);
        let heard: Vec<(u64, u64)> = listener
            .played
            .iter()
            .filter_map(|(n, at)| {
                let captured = speaker.captured.get(n)?;
                Some((*at, at.saturating_sub(*captured) + LOOK_AHEAD_US))
            })
            .collect();
        let error = |report: &MeterReport| {
            let window = report.at_us.saturating_sub(METER_INTERVAL_US)..report.at_us;
            let delays = heard.iter().filter(|(at, _)| window.contains(at));
            let delays: Vec<u64> = delays.map(|(_, delay)| *delay).collect();
            let mean = delays.iter().sum::<u64>() as f64 / delays.len() as f64 / 1e3;
            (delays.len() >= METER_FRAMES).then_some(report.mouth_to_ear_ms - mean)
        };
        let settled = reports.iter().filter(|r| r.at_us >= start + SETTLE_US);
        let errors: Vec<f64> = settled.filter_map(error).collect();
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
        let sizes: Vec<_> = errors
            .iter()
            .map(|e| Some((e.abs() * 1e3) as u64))
            .collect();
        let mean = errors.iter().sum::<f64>() / errors.len() as f64;
        Self {
            reports: errors.len(),
            bias_ms: (!errors.is_empty()).then_some((mean * 10.0).round() / 10.0),
            error_ms: Percentiles::of(&sizes),
        }
    }
}

/// One direction of a call, in the report's form.
#[derive(Clone, Debug, Serialize)]
pub struct Direction {
    /// Who speaks.
    pub from: String,
    /// What was spoken.
    pub spoken_wav: String,
    /// What was heard.
    pub heard_wav: String,
    /// Frame ready to send until its first authentic copy, from second 5.
    pub network_ms: Percentiles,
    /// Capture to output over speech, from second 5.
    pub mouth_to_ear_ms: Percentiles,
    /// Network delay in the first 5 s.
    pub network_first_5s_ms: Percentiles,
    /// Mouth-to-ear delay in the first 5 s.
    pub mouth_to_ear_first_5s_ms: Percentiles,
    /// How far the listener's live meter was off.
    pub meter: MeterError,
    /// Counts.
    pub frames: Frames,
    /// Longest time in which the output played no captured media.
    pub longest_gap_ms: f64,
    /// Packets written a second; each is one Tor cell.
    pub cells_per_s: f64,
    /// How the listener fared through the stall, if there was one.
    pub recovery: Option<Recovery>,
}

/// Computes a direction from the speaker's and the listener's traces. `is_speech(position)` tells
/// whether the 20 ms that start at a sample offset of the spoken file hold speech; `reports` are the
/// listener's.
#[must_use]
pub fn direction(
    names: (String, String, String),
    speaker: &Trace,
    listener: &Trace,
    reports: &[MeterReport],
    is_speech: impl Fn(i64) -> bool,
) -> Direction {
    let start = speaker.captured.values().next().copied().unwrap_or(0);
    let end = speaker.captured.values().next_back().copied().unwrap_or(0);
    let mut network = [Vec::new(), Vec::new()];
    let mut ear = [Vec::new(), Vec::new()];
    for (n, &captured) in &speaker.captured {
        if captured + TAIL_US > end {
            continue;
        }
        let late = usize::from(captured >= start + SETTLE_US);
        let ready = speaker.ready.get(n).copied();
        network[late]
            .push(ready.and_then(|r| listener.arrived.get(n).map(|a| a.saturating_sub(r))));
        if is_speech(speaker.position.get(n).copied().unwrap_or(-FRAME_SAMPLES)) {
            ear[late].push(
                listener
                    .played
                    .get(n)
                    .map(|p| p.saturating_sub(captured) + LOOK_AHEAD_US),
            );
        }
    }
    let (from, spoken_wav, heard_wav) = names;
    Direction {
        from,
        spoken_wav,
        heard_wav,
        network_ms: Percentiles::of(&network[1]),
        mouth_to_ear_ms: Percentiles::of(&ear[1]),
        network_first_5s_ms: Percentiles::of(&network[0]),
        mouth_to_ear_first_5s_ms: Percentiles::of(&ear[0]),
        meter: MeterError::of(speaker, listener, reports),
        frames: Frames {
            sent: speaker.ready.len(),
            played: listener.played.len(),
            repaired: listener.repaired,
            concealed: listener.concealed.len(),
        },
        longest_gap_ms: longest_gap(&listener.played),
        cells_per_s: rate(&speaker.sent),
        recovery: None,
    }
}

#[expect(clippy::cast_precision_loss, reason = "gaps are far below 2^52 µs")]
fn longest_gap(played: &BTreeMap<u32, u64>) -> f64 {
    let mut times: Vec<u64> = played.values().copied().collect();
    times.sort_unstable();
    let gap = times
        .windows(2)
        .map(|w| (w[1] - w[0]).saturating_sub(FRAME_US))
        .max()
        .unwrap_or(0);
    (gap as f64 / 100.0).round() / 10.0
}

/// Packets a second, from the times at which they were written.
#[must_use]
#[expect(clippy::cast_precision_loss, reason = "counts of one call")]
pub fn rate(sent: &[u64]) -> f64 {
    match (sent.first(), sent.last()) {
        (Some(first), Some(last)) if last > first => {
            let seconds = (last - first) as f64 / 1e6;
            ((sent.len() - 1) as f64 / seconds * 10.0).round() / 10.0
        }
        _ => 0.0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lost_frame_makes_the_tail_infinite() {
        let mut delays = vec![Some(100_000); 98];
        delays.extend([None, None]);
        let p = Percentiles::of(&delays);
        assert_eq!(
            p,
            Percentiles {
                p50: Some(100.0),
                p95: Some(100.0),
                p99: None
            }
        );
    }

    #[test]
    fn a_gap_is_the_time_without_captured_media() {
        let played = BTreeMap::from([(0, 0), (1, 20_000), (2, 100_000), (3, 120_000)]);
        assert!((longest_gap(&played) - 60.0).abs() < 1e-9);
    }

    #[test]
    fn mouth_to_ear_counts_from_capture_to_output_with_look_ahead() {
        let mut speaker = Trace::default();
        let mut listener = Trace::default();
        for n in 0..500_u32 {
            let at = u64::from(n) * FRAME_US;
            speaker.captured.insert(n, at);
            speaker.position.insert(n, i64::from(n) * FRAME_SAMPLES);
            speaker.ready.insert(n, at + FRAME_US);
            listener.arrived.insert(n, at + FRAME_US + 100_000);
            listener.played.insert(n, at + FRAME_US + 180_000);
        }
        let report = |second: u64, mouth_to_ear_ms| MeterReport {
            at_us: second * 1_000_000,
            mouth_to_ear_ms,
        };
        // The first one is too early to count, and after the last nothing was heard.
        let reports = [
            report(2, 900.0),
            report(6, 206.5),
            report(7, 210.5),
            report(8, 196.5),
            report(30, 0.0),
        ];
        let d = direction(Default::default(), &speaker, &listener, &reports, |_| true);
        assert_eq!(d.network_ms.p99, Some(100.0));
        assert_eq!(d.mouth_to_ear_ms.p99, Some(206.5));
        assert_eq!(d.meter.reports, 3);
        assert_eq!(d.meter.bias_ms, Some(-2.0));
        assert_eq!(d.meter.error_ms.p50, Some(4.0));
        assert_eq!(d.meter.error_ms.p99, Some(10.0));
    }
}
