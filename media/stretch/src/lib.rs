//! Time-stretch of single frames: playout comes down or goes up without losing media.
//!
//! ```text
//!   shorten   ┌──a──┬──────b──────┐      a fades into what is one period later:
//!             └──╲__╱─────────────┘      one period less
//!   lengthen  ┌──────a──────┬──b──┐      after one period, what is there fades into the frame's
//!             └────────╲__╱─┬─────┘      beginning again: one period more
//! ```
//!
//! The period is the lag at which a frame resembles itself most, between 2.5 and 10 ms (100 to 400 Hz).
//! Waveform similarity and a cross-fade are WSOLA's idea (Verhelst and Roelands, ICASSP 1993); doing it
//! within one frame, only where the signal repeats itself or is quiet, is what jitter buffers for speech
//! do: nothing is buffered, so a frame that is not stretched goes through untouched and undelayed.
//! Streaming stretchers from the registries always delay by a window, which a call would pay for all the
//! time; that is why this is our own.
//!
//! ```
//! use tacit_stretch::{Change, Stretcher};
//! use tacit_types::limits::FRAME_SAMPLES;
//!
//! let mut stretcher = Stretcher::default();
//! let mut frame = [0.0; FRAME_SAMPLES];
//! for (n, sample) in frame.iter_mut().enumerate() {
//!     *sample = (n as f32 * std::f32::consts::TAU * 150.0 / 48_000.0).sin() / 2.0;
//! }
//! let shorter = stretcher.apply(&frame, Change::Shorten).len();
//! assert_eq!(shorter, FRAME_SAMPLES - 320, "one period of 150 Hz");
//! ```
//!
//! **Not in this crate:** when to stretch (tacit-playout), decoding, devices.
#![forbid(unsafe_code)]

use tacit_types::limits::{FRAME_SAMPLES, SAMPLE_RATE};

/// Shortest period, samples: 400 Hz.
const LAG_MIN: usize = SAMPLE_RATE as usize / 400;
/// Longest period, samples: 100 Hz. Deeper voices repeat themselves at it less well, and are left alone.
const LAG_MAX: usize = SAMPLE_RATE as usize / 100;
/// Length of the cross-fade, and of what is compared.
const FADE: usize = FRAME_SAMPLES - LAG_MAX;
/// The search looks at every fourth sample first: speech has little above 6 kHz to be compared by.
const COARSE: usize = 4;
/// How alike what fades into each other must be, of 1.
const ALIKE: f32 = 0.85;
/// Mean square below which nobody hears what fades into what: −50 dBFS.
const QUIET: f32 = 1e-5;
/// Longest frame that comes out.
pub const LONGEST: usize = FRAME_SAMPLES + LAG_MAX;

/// What is to become of a frame.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Change {
    /// It goes through as it is.
    #[default]
    None,
    /// One period less, if that can be done unheard.
    Shorten,
    /// One period more, if that can be done unheard.
    Lengthen,
}

/// Stretches frames; holds the room for one.
#[derive(Clone, Debug)]
pub struct Stretcher {
    out: Box<[f32; LONGEST]>,
}

impl Default for Stretcher {
    fn default() -> Self {
        Self {
            out: Box::new([0.0; LONGEST]),
        }
    }
}

impl Stretcher {
    /// The frame, changed if its signal allows it: [`FRAME_SAMPLES`] samples, or up to 10 ms fewer or
    /// more. Does not allocate.
    pub fn apply(&mut self, frame: &[f32; FRAME_SAMPLES], change: Change) -> &[f32] {
        let lag = match change {
            Change::None => None,
            Change::Shorten | Change::Lengthen => period(frame),
        };
        let length = match (change, lag) {
            (Change::Shorten, Some(lag)) => self.shorten(frame, lag),
            (Change::Lengthen, Some(lag)) => self.lengthen(frame, lag),
            _ => {
                self.out[..FRAME_SAMPLES].copy_from_slice(frame);
                FRAME_SAMPLES
            }
        };
        &self.out[..length]
    }

    /// The beginning fades into what comes a period later.
    fn shorten(&mut self, frame: &[f32; FRAME_SAMPLES], lag: usize) -> usize {
        let length = FRAME_SAMPLES - lag;
        fade(&mut self.out[..FADE], &frame[..FADE], &frame[lag..]);
        self.out[FADE..length].copy_from_slice(&frame[FADE + lag..]);
        length
    }

    /// After a period, what comes then fades into the beginning.
    fn lengthen(&mut self, frame: &[f32; FRAME_SAMPLES], lag: usize) -> usize {
        let length = FRAME_SAMPLES + lag;
        self.out[..lag].copy_from_slice(&frame[..lag]);
        fade(
            &mut self.out[lag..lag + FADE],
            &frame[lag..],
            &frame[..FADE],
        );
        self.out[lag + FADE..length].copy_from_slice(&frame[FADE..]);
        length
    }
}

/// From the first to the second, linearly: what is alike keeps its level.
fn fade(out: &mut [f32], from: &[f32], to: &[f32]) {
    let step = 1.0 / (out.len() as f32 + 1.0);
    let mut weight = 0.0;
    for ((out, from), to) in out.iter_mut().zip(from).zip(to) {
        weight += step;
        *out = from + (to - from) * weight;
    }
}

/// The lag at which the frame's beginning resembles itself most, if that is enough.
fn period(frame: &[f32; FRAME_SAMPLES]) -> Option<usize> {
    if !frame.iter().all(|sample| sample.is_finite()) {
        return None;
    }
    let energy: f32 = frame.iter().map(|sample| sample * sample).sum();
    if energy < QUIET * FRAME_SAMPLES as f32 {
        return Some(LAG_MAX);
    }
    let best = |lags: &mut dyn Iterator<Item = usize>, step: usize| {
        lags.map(|lag| (likeness(frame, lag, step), lag))
            .max_by(|a, b| a.0.total_cmp(&b.0))
    };
    let (_, near) = best(&mut (LAG_MIN..=LAG_MAX).step_by(COARSE), COARSE)?;
    let around = near.saturating_sub(COARSE).max(LAG_MIN)..=(near + COARSE).min(LAG_MAX);
    let (likeness, lag) = best(&mut { around }, 1)?;
    (likeness >= ALIKE).then_some(lag)
}

/// Normalised cross-correlation of the frame's beginning with what is `lag` later.
fn likeness(frame: &[f32; FRAME_SAMPLES], lag: usize, step: usize) -> f32 {
    let (mut both, mut one, mut other) = (0.0, 0.0, 0.0);
    let pairs = frame[..FADE].iter().zip(&frame[lag..]).step_by(step);
    for (a, b) in pairs {
        both += a * b;
        one += a * a;
        other += b * b;
    }
    let norm = (one * other).sqrt();
    if norm > f32::MIN_POSITIVE {
        both / norm
    } else {
        0.0
    }
}
