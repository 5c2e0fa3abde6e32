//! How a listener fares through a stall: from both traces, and from the sound itself.

use core::ops::Range;

use serde::Serialize;
use tacit_quality::RATE;
use tacit_quality::align::{Search, align};
use tacit_quality::signal::levels_10ms;

use crate::analysis::Trace;

/// Sound is looked at from the stall's begin until so long after its end.
const AFTERWARDS_US: u64 = 5_000_000;
/// The delay before the stall is that of so long; the delay after it is followed by so much at a time.
const BEFORE_US: u64 = 5_000_000;
const STEP_US: u64 = 500_000;
/// The delay counts as back when it is within this of what it was.
const BACK_MS: f64 = 20.0;
/// So many steps in a row: what raises the delay later is not the stall's.
const BACK_STEPS: usize = 4;
/// A shorter gap is the playout's own, when it stretches, and no interruption.
const INTERRUPTED_MS: f64 = 60.0;
/// Frames of a step that are needed to tell its delay.
const STEP_FRAMES: usize = 5;
/// Concealment is to have faded to silence after so long (the decoder's own fades after 60 ms).
const FADED_BLOCKS: usize = 20;
/// Delays after which what was heard before the stall is looked for.
const MAX_LAG_S: f64 = 4.0;

/// One direction of a call through its stall. Times are relative to the stall's end.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Recovery {
    /// The longest time around the stall in which nothing was heard that had been said.
    pub gap_ms: f64,
    /// When that gap was over, below zero before the stall was; `None`: it is shorter than 60 ms.
    pub heard_again_ms: Option<f64>,
    /// Mouth to ear in the five seconds before: median.
    pub before_ms: Option<f64>,
    /// The highest median of half a second after the stall began.
    pub highest_ms: Option<f64>,
    /// When the delay had come within 20 ms of what it had been, for two seconds at least; `None`: not
    /// in this call.
    pub delay_back_ms: Option<f64>,
    /// The sound, if what was heard could be found in the recording.
    pub sound: Option<Sound>,
}

/// What was heard from the stall's begin until five seconds after its end.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Sound {
    /// Its largest sample, in decibels above the largest that was spoken in the whole call.
    pub peak_over_spoken_db: f64,
    /// Its loudest 10 ms, in decibels above the loudest that were spoken in the whole call.
    pub level_over_spoken_db: f64,
    /// Its largest difference between one sample and the next, as a multiple of the largest spoken: a
    /// click is many times that.
    pub step_over_spoken: f64,
    /// The loudest 10 ms of any concealment after its first 200 ms, in dBFS; -120 is silence.
    pub faded_dbfs: Option<f64>,
}

/// When a stall was, on the traces' clock.
#[derive(Clone, Debug)]
pub struct Stalled(pub Range<u64>);

/// What both ends know of one direction.
#[derive(Clone, Copy, Debug)]
pub struct Ends<'a> {
    /// Trace of who speaks.
    pub speaker: &'a Trace,
    /// Trace of who listens.
    pub listener: &'a Trace,
    /// What was spoken.
    pub spoken: &'a [f32],
    /// What was heard.
    pub heard: &'a [f32],
}

impl Recovery {
    /// Looks at a direction; `None` if nothing was heard around the stall.
    #[must_use]
    pub fn of(ends: Ends<'_>, stall: &Stalled) -> Option<Self> {
        let Range { start, end } = stall.0;
        let (gap, over) = gap(ends.listener, &stall.0)?;
        let delays = delays(ends);
        let before = median(&delays, &(start.saturating_sub(BEFORE_US)..start));
        let steps: Vec<(u64, Option<f64>)> = (start..last(&delays))
            .step_by(usize::try_from(STEP_US).unwrap_or(1))
            .map(|at| (at, median(&delays, &(at..at + STEP_US))))
            .collect();
        let highest = steps.iter().filter_map(|(_, ms)| *ms).reduce(f64::max);
        Some(Self {
            gap_ms: ms(gap),
            heard_again_ms: (ms(gap) >= INTERRUPTED_MS).then(|| signed_ms(over, end)),
            before_ms: before,
            highest_ms: highest,
            delay_back_ms: before.and_then(|before| back(&steps, before, end)),
            sound: sound(ends, &stall.0),
        })
    }
}

/// The longest gap that touches the stall or what follows it: how long, and when it was over.
fn gap(listener: &Trace, stall: &Range<u64>) -> Option<(u64, u64)> {
    let mut heard: Vec<u64> = listener.played.values().copied().collect();
    heard.sort_unstable();
    let touches = |w: &&[u64]| w[1] > stall.start && w[0] < stall.end + AFTERWARDS_US;
    let gaps = heard.windows(2).filter(touches);
    gaps.map(|w| (w[1] - w[0], w[1]))
        .max()
        .map(|(from_first, over)| (from_first.saturating_sub(20_000), over))
}

/// When each frame was heard, and its delay.
fn delays(ends: Ends<'_>) -> Vec<(u64, f64)> {
    let played = ends.listener.played.iter();
    let delay = |(n, at): (&u32, &u64)| {
        let captured = ends.speaker.captured.get(n)?;
        Some((*at, ms(at.saturating_sub(*captured)) + 6.5))
    };
    played.filter_map(delay).collect()
}

fn last(delays: &[(u64, f64)]) -> u64 {
    delays.iter().map(|(at, _)| *at).max().unwrap_or(0)
}

fn median(delays: &[(u64, f64)], window: &Range<u64>) -> Option<f64> {
    let inside = delays.iter().filter(|(at, _)| window.contains(at));
    let mut inside: Vec<f64> = inside.map(|(_, delay)| *delay).collect();
    inside.sort_by(f64::total_cmp);
    let enough = inside.len() >= STEP_FRAMES;
    enough.then(|| (inside[inside.len() / 2] * 10.0).round() / 10.0)
}

/// From when on the delay is what it was before, of the steps after the stall.
fn back(steps: &[(u64, Option<f64>)], before: f64, end: u64) -> Option<f64> {
    let calm = |(_, ms): &(u64, Option<f64>)| ms.is_some_and(|ms| ms <= before + BACK_MS);
    let after: Vec<_> = steps.iter().filter(|(at, _)| *at >= end).collect();
    let mut runs = after.windows(BACK_STEPS);
    let run = runs.find(|run| run.iter().all(|step| calm(step)))?;
    Some(signed_ms(run[0].0, end))
}

fn sound(ends: Ends<'_>, stall: &Range<u64>) -> Option<Sound> {
    let place = Placed::find(ends, stall)?;
    let window = place.sample(stall.start)..place.sample(stall.end + AFTERWARDS_US);
    let heard = ends
        .heard
        .get(window.start..window.end.min(ends.heard.len()))?;
    let concealed: Vec<usize> = ends
        .listener
        .concealed
        .iter()
        .map(|at| place.sample(*at))
        .filter(|at| window.contains(at))
        .collect();
    let over = |measure: fn(&[f32]) -> f64| measure(heard) - measure(ends.spoken);
    Some(Sound {
        peak_over_spoken_db: tenths(over(|s| 20.0 * f64::from(peak(s)).max(1e-6).log10())),
        level_over_spoken_db: tenths(over(loudest)),
        step_over_spoken: tenths(largest_step(heard) / largest_step(ends.spoken).max(1e-6)),
        faded_dbfs: faded(ends.heard, &concealed).map(tenths),
    })
}

/// Which sample of the recording left the output at which time.
struct Placed {
    at_us: u64,
    sample: i64,
}

impl Placed {
    /// By a piece that was heard well, shortly before the stall.
    fn find(ends: Ends<'_>, stall: &Range<u64>) -> Option<Self> {
        let from = stall.start.saturating_sub(3_000_000);
        let heard = ends.listener.played.iter();
        let (number, at) = heard.min_by_key(|(_, at)| at.abs_diff(from))?;
        let spoken_at = usize::try_from(*ends.speaker.position.get(number)?).ok()?;
        let piece = spoken_at..(spoken_at + 2 * RATE).min(ends.spoken.len());
        let found = align(ends.spoken, ends.heard, piece, Search::within(MAX_LAG_S))?;
        Some(Self {
            at_us: *at,
            sample: i64::try_from(spoken_at).ok()? + found.delay,
        })
    }

    fn sample(&self, at: u64) -> usize {
        let us = i64::try_from(at).unwrap_or(0) - i64::try_from(self.at_us).unwrap_or(0);
        let rate = i64::try_from(RATE).unwrap_or(0);
        usize::try_from(self.sample + us * rate / 1_000_000).unwrap_or(0)
    }
}

fn peak(samples: &[f32]) -> f32 {
    samples.iter().fold(0.0, |peak, s| peak.max(s.abs()))
}

fn loudest(samples: &[f32]) -> f64 {
    let levels = levels_10ms(samples).into_iter();
    f64::from(levels.fold(-120.0, f32::max))
}

fn largest_step(samples: &[f32]) -> f64 {
    let steps = samples.windows(2).map(|w| (w[1] - w[0]).abs());
    f64::from(steps.fold(0.0, f32::max))
}

/// The loudest 10 ms of runs of concealed frames after each run's first 200 ms; `None`: none is longer.
fn faded(heard: &[f32], concealed: &[usize]) -> Option<f64> {
    let frame = RATE / 50;
    let next_to = |a: &usize, b: &usize| b - a < 2 * frame;
    let runs = concealed.chunk_by(next_to).filter_map(|run| {
        let first = run[0] + FADED_BLOCKS * RATE / 100;
        // The last frame's end fades into what follows.
        let last = *run.last()?;
        (first < last).then(|| loudest(heard.get(first..last).unwrap_or_default()))
    });
    runs.reduce(f64::max)
}

#[expect(clippy::cast_precision_loss, reason = "times of one call")]
fn ms(us: u64) -> f64 {
    (us as f64 / 100.0).round() / 10.0
}

/// From `zero` until `at`.
fn signed_ms(at: u64, zero: u64) -> f64 {
    ms(at.saturating_sub(zero)) - ms(zero.saturating_sub(at))
}

fn tenths(value: f64) -> f64 {
    (value * 10.0).round() / 10.0
}

#[cfg(test)]
mod tests {
    use super::*;

    const FRAME_US: u64 = 20_000;
    const STALL: Range<u64> = 10_000_000..12_000_000;

    /// A call of 30 s in which frames are heard 200 ms after capture, nothing is heard during the stall
    /// and what comes after it is 400 ms late for three seconds.
    fn traces() -> (Trace, Trace) {
        let (mut speaker, mut listener) = (Trace::default(), Trace::default());
        for n in 0..1500_u32 {
            let at = u64::from(n) * FRAME_US;
            speaker.captured.insert(n, at);
            speaker.position.insert(n, i64::from(n) * 960);
            let late = (STALL.end..STALL.end + 3_000_000).contains(&at);
            let heard = at + if late { 400_000 } else { 200_000 };
            if STALL.contains(&heard) {
                listener.concealed.push(heard);
            } else {
                listener.played.insert(n, heard);
            }
        }
        (speaker, listener)
    }

    /// Bursts of noise that do not repeat, and what is heard of them 200 ms later: nothing while the
    /// stall lasts.
    fn sounds() -> (Vec<f32>, Vec<f32>) {
        let mut state = 1_u32;
        let mut noise = || {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (state >> 8) as f32 / 16_777_216.0 - 0.5
        };
        let mut spoken = Vec::new();
        while spoken.len() < 30 * RATE {
            let (loud, long) = (noise().abs(), 4_000.0 + 8_000.0 * noise().abs());
            spoken.extend((0..long as usize).map(|_| loud * noise()));
        }
        let mut heard = vec![0.0; RATE / 5];
        heard.extend(&spoken);
        heard[10 * RATE..12 * RATE].fill(0.0);
        (spoken, heard)
    }

    fn recovery(spoken: &[f32], heard: &[f32]) -> Recovery {
        let (speaker, listener) = traces();
        let ends = Ends {
            speaker: &speaker,
            listener: &listener,
            spoken,
            heard,
        };
        Recovery::of(ends, &Stalled(STALL)).expect("there are sounds")
    }

    #[test]
    fn the_gap_and_the_delay_after_it_are_told() {
        let (spoken, heard) = sounds();
        let found = recovery(&spoken, &heard);
        assert!((found.gap_ms - 2000.0).abs() < 1.0, "{found:?}");
        let again = found.heard_again_ms.expect("a gap");
        assert!(again.abs() < 1.0, "{found:?}");
        assert_eq!(found.before_ms, Some(206.5));
        assert_eq!(found.highest_ms, Some(406.5));
        let back = found.delay_back_ms.expect("it comes back");
        assert!((3000.0..=4000.0).contains(&back), "{back}");
    }

    #[test]
    fn silence_has_no_artefact_and_a_planted_one_is_found() {
        let (spoken, mut heard) = sounds();
        let clean = recovery(&spoken, &heard).sound.expect("it is found");
        assert_eq!(clean.faded_dbfs, Some(-120.0));
        assert!(clean.peak_over_spoken_db <= 0.1 && clean.step_over_spoken <= 1.0);
        // A buzz in the middle of the stall, and a click after it.
        for (i, sample) in heard[11 * RATE..11 * RATE + 4800].iter_mut().enumerate() {
            *sample = if i % 480 < 240 { 0.1 } else { -0.1 };
        }
        heard[13 * RATE] = 1.0;
        heard[13 * RATE + 1] = -1.0;
        let bad = recovery(&spoken, &heard).sound.expect("it is found");
        assert!(bad.faded_dbfs.is_some_and(|level| level > -30.0), "{bad:?}");
        assert!(bad.peak_over_spoken_db > 6.0 && bad.step_over_spoken > 2.0);
    }
}
