//! What the encoded speech of a simulated call is like: tables of really encoded recordings, read round
//! and round.
//!
//! For each 20 ms of two texts, `bench/data/frames.csv` has the reach of its DRED, and
//! `bench/data/stretch.csv` how much one stretch changes it. The examples `repair` and `stretch` of
//! tacit-quality write them.

use core::time::Duration;
use std::sync::OnceLock;

use tacit_circuits::random;
use tacit_circuits::strategies::{Older, Packed, Unpacked};
use tacit_packet::layout;
use tacit_packet::packing::{Packing, Sizes};
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

impl Voice for Spoken {
    /// As the production code does it.
    fn pack(&self, unpacked: &Unpacked) -> Packed {
        let bytes = |back: usize| {
            let frame = unpacked.newest.checked_sub(u32::try_from(back).ok()?)?;
            Some(self.row(frame).bytes)
        };
        let sizes = Sizes {
            full: bytes(0).map(|[full, _]| full),
            short: core::array::from_fn(|back| bytes(back).map(|[_, short]| short)),
        };
        let room = ROOM.saturating_sub(unpacked.reports * layout::REPORT_BYTES);
        let packing = Packing::new(&sizes, room, unpacked.new);
        Packed {
            // The newest itself always fits.
            older: Older(packing.frames >> 1),
            dred: packing.in_full,
        }
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
    use tacit_packet::{Content, FRAMES_IN_PACKET, MediaTime, Packetizer};
    use tacit_types::{Cells, EncodedFrame, FrameNumber, FramePayload, LegIndex, Path, SlotNumber};

    use super::*;

    /// What the production code puts into the packet of these frames, newest last: which of them, bit 0
    /// the newest, and whether that is in full.
    fn packed(frames: &[[usize; 2]], reports: u32, cells: Cells) -> (u8, bool) {
        let mut packetizer = Packetizer::new(cells);
        let path = Path {
            sender: LegIndex(0),
            receiver: LegIndex(0),
        };
        for slot in 0..reports {
            packetizer.record_arrival(SlotNumber(slot), path, MediaTime(0));
        }
        for (number, bytes) in (0..).zip(frames) {
            let [full, short] = bytes.map(|bytes| FramePayload::new(&[1; 140][..bytes]).unwrap());
            let reach = Reach::new(1, 24);
            let frame = EncodedFrame { full, short, reach };
            assert!(packetizer.push_frame(FrameNumber(number), &frame));
        }
        let plain = packetizer.next(SlotNumber(0), MediaTime(0));
        let content = Content::decode(&plain).unwrap();
        assert_eq!(content.reports.as_slice().len(), reports as usize);
        let newest = content.payloads[0].map(|newest| usize::from(newest.length()));
        let in_full = content.reach != Reach::NONE;
        assert_eq!(
            newest,
            frames
                .last()
                .map(|[full, short]| if in_full { *full } else { *short })
        );
        let has =
            |(back, payload): (usize, &Option<FramePayload>)| u8::from(payload.is_some()) << back;
        (content.payloads.iter().enumerate().map(has).sum(), in_full)
    }

    #[test]
    fn packets_are_packed_as_production_does_it() {
        let spoken = Spoken { offset: 0 };
        let (mut seen, mut without) = ([[0; 8]; 2], 0);
        for newest in (1..2_500_u32).step_by(7) {
            let first = newest.saturating_sub(FRAMES_IN_PACKET as u32 - 1);
            let frames: Vec<[usize; 2]> = (first..=newest).map(|f| spoken.row(f).bytes).collect();
            let reports = newest % 11;
            for cells in [Cells::Fifty, Cells::TwentyFive] {
                let (packed, in_full) = packed(&frames, reports, cells);
                let unpacked = Unpacked {
                    newest,
                    new: cells.slots(),
                    reports: reports as usize,
                };
                let older = Older(packed >> 1);
                let expected = Packed {
                    older,
                    dred: in_full,
                };
                assert_eq!(spoken.pack(&unpacked), expected, "{unpacked:?}");
                seen[cells as usize][packed.count_ones() as usize] += 1;
                without += u32::from(!in_full);
            }
        }
        let [fifty, twenty_five] = seen;
        assert!(fifty[4] > 0 && fifty[5] > 100 && fifty[7] > 10, "{fifty:?}");
        let six = twenty_five[6] + twenty_five[7];
        assert!(
            six > 330 && (100..300).contains(&without),
            "{twenty_five:?} {without}"
        );
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
