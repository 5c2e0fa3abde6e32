//! What the encoded speech of a simulated call is like: tables of really encoded recordings, read round
//! and round.
//!
//! For each 20 ms of two texts, `bench/data/frames.csv` has the reach of its DRED, and
//! `bench/data/stretch.csv` how much one stretch changes it. The examples `repair` and `stretch` of
//! tacit-quality write them.

use core::time::Duration;
use std::sync::OnceLock;

use tacit_circuits::random;
use tacit_playout::Pace;
use tacit_types::Reach;
use tacit_types::limits::FRAME_DURATION;

use crate::hearing::{Sound, Voice};

const FRAMES: &str = include_str!("../../data/frames.csv");
const STRETCHES: &str = include_str!("../../data/stretch.csv");

#[derive(Clone, Copy, Debug)]
struct Row {
    speech: bool,
    reach: Reach,
    stretch: Duration,
}

/// The rows; every one of them can be read, as the test below asserts.
fn table() -> &'static [Row] {
    static TABLE: OnceLock<Vec<Row>> = OnceLock::new();
    TABLE.get_or_init(|| {
        let lines = FRAMES.lines().zip(STRETCHES.lines());
        lines.skip(1).filter_map(|(f, s)| row(f, s)).collect()
    })
}

fn row(line: &str, stretch: &str) -> Option<Row> {
    let mut fields = line.split(',').skip(1);
    let mut number = || fields.next()?.parse::<u16>().ok();
    let speech = number()? == 1;
    let (_full, _short) = (number()?, number()?);
    let (nearest, farthest) = (number()?, number()?);
    let (_text, stretch) = stretch.split_once(',')?;
    let stretch = Duration::from_micros(stretch.parse().ok()?);
    Some(Row {
        speech,
        reach: Reach::new(nearest.try_into().ok()?, farthest.try_into().ok()?),
        stretch,
    })
}

/// Somebody who reads the texts, from a place that the seed says.
#[derive(Clone, Copy, Debug)]
pub struct Spoken {
    offset: usize,
}

impl Spoken {
    /// `seed` says from where.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self {
            offset: random::Random::new(seed).below(table().len()),
        }
    }

    /// Which row of the table a frame is.
    pub(crate) fn place(&self, frame: u32) -> usize {
        (self.offset + frame as usize) % table().len()
    }

    fn row(&self, frame: u32) -> Row {
        table()[self.place(frame)]
    }

    /// How long a frame is played at a pace.
    fn length(&self, frame: u32, pace: Pace) -> Duration {
        let change = self.row(frame).stretch;
        match pace {
            Pace::Even => FRAME_DURATION,
            Pace::Faster => FRAME_DURATION.saturating_sub(change),
            Pace::Slower => FRAME_DURATION + change,
        }
    }
}

impl Voice for Spoken {
    fn reach(&self, frame: u32) -> Reach {
        self.row(frame).reach
    }

    fn is_speech(&self, frame: u32) -> bool {
        self.row(frame).speech
    }

    fn play(&mut self, sound: Sound, pace: Pace) -> Duration {
        match sound {
            Sound::Frame(frame) | Sound::Repaired(frame, _) => self.length(frame, pace),
            Sound::Nothing | Sound::Concealed(_) => FRAME_DURATION,
            Sound::Skipped(_) => Duration::ZERO,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_row_of_the_table_is_read() {
        let lines = FRAMES.lines().count();
        assert!(lines > 1_000 && table().len() == lines - 1);
        assert_eq!(lines, STRETCHES.lines().count());
        let speech = table().iter().filter(|row| row.speech).count();
        assert!(speech * 2 > table().len());
        assert!(
            table()
                .iter()
                .all(|row| row.stretch <= Duration::from_millis(10))
        );
    }
}
