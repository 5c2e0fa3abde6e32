//! A playout in a loop: a frame goes in every 20 ms, and the output pulls when what it got before has
//! been played.

use tacit_playout::{Cause, Config, Inserted, Pace, Playout, Pull, Stats};
use tacit_types::{FrameNumber, FramePayload, Reach, Timestamp};

pub(crate) const FRAME: u64 = 20_000;
const START: u64 = 5_000_000;
/// What one stretch changes a frame by: a period of 250 Hz.
const PERIOD: u64 = 4_000;

pub(crate) fn at(micros: u64) -> Timestamp {
    Timestamp::from_micros(START + micros)
}

pub(crate) fn payload(frame: u32) -> FramePayload {
    FramePayload::new(&frame.to_be_bytes()).expect("four bytes")
}

/// What was heard of a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Heard {
    Decoded(u32),
    /// The frame, and the one that restored it.
    Repaired(u32, u32),
    Lost(u32),
    Held(u32),
}

pub(crate) struct Bench {
    pub(crate) playout: Playout,
    now: u64,
    next_pull: u64,
    pub(crate) heard: Vec<Heard>,
}

impl Bench {
    pub(crate) fn new() -> Self {
        Self {
            playout: Playout::new(Config::default()),
            now: 0,
            next_pull: 0,
            heard: Vec::new(),
        }
    }

    pub(crate) fn insert(&mut self, frame: u32, reach: Reach) -> Inserted {
        let now = at(self.now);
        self.playout
            .insert(FrameNumber(frame), &payload(frame), reach, now)
    }

    /// 20 ms go by; the last thing that was pulled in them.
    pub(crate) fn tick(&mut self) -> Pull {
        let mut last = Pull::Wait;
        while self.next_pull < self.now + FRAME {
            last = self.pull();
        }
        self.now += FRAME;
        last
    }

    /// One frame in every 20 ms, without DRED.
    pub(crate) fn run(&mut self, frames: core::ops::Range<u32>) {
        for frame in frames {
            self.insert(frame, Reach::NONE);
            self.tick();
        }
    }

    pub(crate) fn stats(&self) -> Stats {
        self.playout.stats(at(self.now))
    }

    /// The output wants more, and gets something other than a skip.
    pub(crate) fn pull(&mut self) -> Pull {
        let now = at(self.next_pull);
        let mut pull = self.playout.pull(now);
        while let Pull::Skip { .. } = pull {
            pull = self.playout.pull(now);
        }
        let (heard, pace) = heard(&pull);
        self.heard.extend(heard);
        self.next_pull += match pace {
            Pace::Even => FRAME,
            Pace::Faster => FRAME - PERIOD,
            Pace::Slower => FRAME + PERIOD,
        };
        pull
    }
}

/// What a pull comes to, having looked whether its content is what was sent.
fn heard(pull: &Pull) -> (Option<Heard>, Pace) {
    match pull {
        Pull::Decode {
            frame,
            payload: content,
            pace,
        } => {
            assert_eq!(*content, payload(frame.0));
            (Some(Heard::Decoded(frame.0)), *pace)
        }
        Pull::Repair {
            frame,
            back,
            later,
            pace,
        } => {
            assert_eq!(*later, payload(frame.0 + back));
            (Some(Heard::Repaired(frame.0, frame.0 + back)), *pace)
        }
        Pull::Conceal { frame, cause } => {
            let heard = match cause {
                Cause::Lost => Heard::Lost(frame.0),
                Cause::Held => Heard::Held(frame.0),
            };
            (Some(heard), Pace::Even)
        }
        _ => (None, Pace::Even),
    }
}
