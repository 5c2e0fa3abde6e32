//! What the encoded speech of a simulated call is like: tables of really encoded recordings, read round
//! and round.
//!
//! For each 20 ms of two texts, `bench/data/frames.csv` has the reach of its DRED, and
//! `bench/data/stretch.csv` how much one stretch changes it. The examples `repair` and `stretch` of
//! tacit-quality write them.

use core::time::Duration;
use std::sync::OnceLock;

use tacit_circuits::random;
use tacit_circuits::strategies::Older;
use tacit_packet::{FRAMES_IN_PACKET, layout};
use tacit_playout::Pace;
use tacit_types::Reach;
use tacit_types::limits::{FRAME_DURATION, PACKET_PLAINTEXT_BYTES};

use crate::hearing::{Sound, Voice};

const FRAMES: &str = include_str!("../../data/frames.csv");
const STRETCHES: &str = include_str!("../../data/stretch.csv");

#[derive(Clone, Copy, Debug)]
struct Row {
    speech: bool,
    /// Bytes as the newest frame of a packet, and as an older one.
    bytes: [usize; 2],
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
    let bytes = [usize::from(number()?), usize::from(number()?)];
    let (nearest, farthest) = (number()?, number()?);
    let (_text, stretch) = stretch.split_once(',')?;
    let stretch = Duration::from_micros(stretch.parse().ok()?);
    Some(Row {
        speech,
        bytes,
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

/// Bytes of a packet's plaintext that reports and frames share, as there is no control message: each
/// frame takes one more than it has.
const ROOM: usize = PACKET_PLAINTEXT_BYTES - layout::REPORTS;

impl Spoken {
    /// Packs a packet as the production code does: newest first, and what is too large is left out.
    fn pack(&self, newest: u32, reports: usize) -> Older {
        let room = ROOM.saturating_sub(reports * layout::REPORT_BYTES);
        let (mut at, mut older) = (0, 0);
        for back in 0..FRAMES_IN_PACKET as u32 {
            let Some(frame) = newest.checked_sub(back) else {
                break;
            };
            let [full, short] = self.row(frame).bytes;
            let bytes = if back == 0 { full } else { short };
            if at + bytes < room {
                at += bytes;
                older |= 1_u8 << back;
            }
            at += 1;
        }
        // The newest itself always fits.
        Older(older >> 1)
    }
}

impl Voice for Spoken {
    fn room(&self, newest: u32, reports: usize) -> Older {
        self.pack(newest, reports)
    }

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
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    /// What the table says fits is what the production code puts into a packet.
    #[test]
    fn packets_are_packed_as_production_does_it() {
        use tacit_packet::{ArrivalReport, Content, ControlBlock, MediaTime, Reports};
        use tacit_types::{FrameNumber, FramePayload, LegIndex, Path, SlotNumber};

        let mut seen = [0; 8];
        for newest in (0..2_500).step_by(7) {
            let spoken = Spoken { offset: 0 };
            let reports = newest as usize % 11;
            let mut content = Content {
                slot: SlotNumber(newest),
                sent_at: MediaTime(0),
                newest: FrameNumber(newest),
                reach: Reach::NONE,
                payloads: [None; FRAMES_IN_PACKET],
                reports: Reports::default(),
                control: ControlBlock::default(),
            };
            for _ in 0..reports {
                let leg = LegIndex(0);
                let path = Path {
                    sender: leg,
                    receiver: leg,
                };
                let arrived_at = MediaTime(0);
                assert!(content.reports.push(ArrivalReport {
                    slot: 0,
                    path,
                    arrived_at
                }));
            }
            for (back, payload) in content.payloads.iter_mut().enumerate() {
                let Some(frame) = newest.checked_sub(back as u32) else {
                    break;
                };
                let bytes = spoken.row(frame).bytes[usize::from(back > 0)];
                *payload = FramePayload::new(&[1; 140][..bytes]);
            }
            let mut plain = [0; PACKET_PLAINTEXT_BYTES];
            content.encode(&mut plain);
            let packed = Content::decode(&plain).unwrap().payloads;
            let has = |(back, payload): (usize, &Option<FramePayload>)| {
                u8::from(payload.is_some()) << back
            };
            let packed: u8 = packed.iter().enumerate().map(has).sum();
            assert_eq!(spoken.pack(newest, reports), Older(packed >> 1), "{newest}");
            seen[packed.count_ones() as usize] += 1;
        }
        assert!(seen[4] > 0 && seen[5] > 100 && seen[7] > 10, "{seen:?}");
    }

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
