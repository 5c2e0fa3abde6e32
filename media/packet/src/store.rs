//! Which frames have been received: the first copy wins.

use tacit_types::FrameNumber;

use crate::limits::STORE_WINDOW;

const WORDS: usize = (STORE_WINDOW / 64) as usize;

/// Whether a frame was seen before.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Freshness {
    /// First copy.
    New,
    /// A copy of a frame already taken.
    Duplicate,
    /// More than [`STORE_WINDOW`] frames behind the newest: nobody can tell, and nobody needs it.
    TooOld,
}

/// Remembers the last [`STORE_WINDOW`] frames of one direction, one bit each.
#[derive(Clone, Debug, Default)]
pub struct FrameStore {
    newest: Option<u32>,
    seen: [u64; WORDS],
    duplicates: u64,
    too_old: u64,
}

impl FrameStore {
    /// Marks a frame as seen and says whether it is its first copy.
    pub fn accept(&mut self, frame: FrameNumber) -> Freshness {
        let newest = self.newest.unwrap_or(frame.0);
        if newest
            .checked_sub(frame.0)
            .is_some_and(|behind| behind >= STORE_WINDOW)
        {
            self.too_old += 1;
            return Freshness::TooOld;
        }
        if frame.0 > newest {
            // Places between the old newest and the new one are reused: forget what they held.
            let first = frame.0.saturating_sub(STORE_WINDOW - 1).max(newest + 1);
            for passed in first..=frame.0 {
                self.set(passed, false);
            }
        }
        self.newest = Some(newest.max(frame.0));
        if self.set(frame.0, true) {
            self.duplicates += 1;
            return Freshness::Duplicate;
        }
        Freshness::New
    }

    /// Newest frame seen so far.
    #[must_use]
    pub fn newest(&self) -> Option<FrameNumber> {
        self.newest.map(FrameNumber)
    }

    /// Copies of frames already taken.
    #[must_use]
    pub const fn duplicates(&self) -> u64 {
        self.duplicates
    }

    /// Frames too far behind to tell.
    #[must_use]
    pub const fn too_old(&self) -> u64 {
        self.too_old
    }

    /// Writes a frame's bit and returns what it was.
    fn set(&mut self, frame: u32, value: bool) -> bool {
        let place = frame % STORE_WINDOW;
        let word = &mut self.seen[(place / 64) as usize];
        let mask = 1 << (place % 64);
        let before = *word & mask != 0;
        if value {
            *word |= mask;
        } else {
            *word &= !mask;
        }
        before
    }
}
