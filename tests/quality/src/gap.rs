//! The longest silence in what was heard where there had been speech.

use crate::signal;

/// Louder than this is speech, decibels below full scale.
const SPEECH_DBFS: f32 = -40.0;

/// Quieter than this is silence.
const SILENCE_DBFS: f32 = -55.0;

/// 10 ms of the heard signal count as sounding if any within this many to either side does: the
/// delay wanders by a few milliseconds as the playout adapts.
const TOLERANCE: usize = 1;

/// A silence that should have been speech.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub struct Gap {
    /// Where it begins in the spoken signal, milliseconds.
    pub at_ms: usize,
    /// How long it lasts, milliseconds.
    pub length_ms: usize,
}

/// The longest gap; of length zero where there is none. `delay` is the heard signal's lag in
/// samples of 48 kHz, as [`align`](crate::align) finds it; the comparison ends with the shorter one.
#[must_use]
pub fn longest(spoken: &[f32], heard: &[f32], delay: i64) -> Gap {
    let (skip_spoken, skip_heard) = match usize::try_from(delay) {
        Ok(lag) => (0, lag),
        Err(_) => (usize::try_from(-delay).unwrap_or(0), 0),
    };
    let spoken_levels = signal::levels_10ms(spoken.get(skip_spoken..).unwrap_or_default());
    let heard_levels = signal::levels_10ms(heard.get(skip_heard..).unwrap_or_default());
    let mut longest = Gap::default();
    let mut run = 0;
    for (i, _) in spoken_levels.iter().zip(&heard_levels).enumerate() {
        let missing = spoken_levels[i] > SPEECH_DBFS && is_silent(&heard_levels, i);
        run = if missing { run + 1 } else { 0 };
        // The tolerance hid as much at either end.
        let length_ms = if run == 0 {
            0
        } else {
            (run + 2 * TOLERANCE) * 10
        };
        if length_ms > longest.length_ms {
            let at_ms = (i + 1).saturating_sub(run + TOLERANCE) * 10 + skip_spoken / 48;
            longest = Gap { at_ms, length_ms };
        }
    }
    longest
}

fn is_silent(levels: &[f32], i: usize) -> bool {
    let last = (i + TOLERANCE).min(levels.len() - 1);
    levels[i.saturating_sub(TOLERANCE)..=last]
        .iter()
        .all(|level| *level < SILENCE_DBFS)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::RATE;

    #[test]
    fn a_hole_is_found_with_its_place_and_length() {
        let spoken = signal::tone(300.0, 0.3, 5 * RATE);
        let mut heard = vec![0.0; RATE / 4];
        heard.extend(&spoken);
        let at = RATE / 4 + 2 * RATE;
        heard[at..at + RATE / 5].fill(0.0);
        let gap = longest(&spoken, &heard, (RATE / 4) as i64);
        assert_eq!(
            gap,
            Gap {
                at_ms: 2_000,
                length_ms: 200
            }
        );
    }

    #[test]
    fn a_pause_of_the_speaker_is_no_gap() {
        let mut spoken = signal::tone(300.0, 0.3, 5 * RATE);
        spoken[RATE..3 * RATE].fill(0.0);
        assert_eq!(longest(&spoken, &spoken, 0).length_ms, 0);
    }
}
