//! tacit-playout: frames, reaches and clocks that no honest network would show.

use core::time::Duration;

use tacit_playout::limits::{DELAY_MAX, RING, SKIPS_IN_A_PULL};
use tacit_playout::{Config, Loudness, Pace, Playout, Pull, Stats};
use tacit_types::{FrameNumber, FramePayload, Reach, Timestamp};

use crate::rand::Bytes;

/// Steps of one input.
const STEPS: usize = 2_000;
const FRAME: u64 = 20_000;
/// What a stretch changes a frame by.
const PERIOD: u64 = 5_000;

struct Machine {
    playout: Playout,
    now: u64,
    /// The next honest frame.
    next: u32,
    /// What was played last since the last restart, and how many there were.
    played: Option<u32>,
    restarts: u64,
}

fn payload(frame: u32, reach: Reach) -> FramePayload {
    let mut bytes = [0; 6];
    bytes[..4].copy_from_slice(&frame.to_be_bytes());
    bytes[4..].copy_from_slice(&[reach.nearest(), reach.farthest()]);
    FramePayload::new(&bytes).expect("six bytes")
}

/// How many pulls were answered with 20 ms of something.
fn answered(stats: &Stats) -> u64 {
    stats.played + stats.repaired + stats.concealed + stats.held
}

impl Machine {
    fn time(&self) -> Timestamp {
        Timestamp::from_micros(self.now)
    }

    fn insert(&mut self, frame: u32, reach: Reach) {
        let content = payload(frame, reach);
        self.playout
            .insert(FrameNumber(frame), &content, reach, self.time());
    }

    /// One answer, and how long it is played.
    fn pull(&mut self, loudness: Loudness) -> (Pull, u64) {
        let now = self.time();
        let before = self.playout.stats(now);
        let mut skips = 0;
        let pull = loop {
            match self.playout.pull(now) {
                Pull::Skip { frame, payload } => {
                    skips += 1;
                    assert!(skips <= SKIPS_IN_A_PULL, "skips are bounded");
                    self.check_frame(frame.0, payload.as_ref());
                }
                other => break other,
            }
        };
        if before.restarts != self.restarts {
            self.restarts = before.restarts;
            self.played = None;
        }
        let pace = match &pull {
            Pull::Decode {
                frame,
                payload,
                pace,
            } => {
                self.check_frame(frame.0, Some(payload));
                self.check_order(frame.0);
                *pace
            }
            Pull::Repair {
                frame,
                back,
                later,
                pace,
            } => {
                self.check_frame(frame.0 + back, Some(later));
                self.check_order(frame.0);
                let [.., nearest, farthest] = later.as_slice() else {
                    unreachable!("six bytes")
                };
                assert!(Reach::new(*nearest, *farthest).covers(*back), "it reaches");
                *pace
            }
            _ => Pace::Even,
        };
        let after = self.playout.stats(now);
        let counts = u64::from(!matches!(pull, Pull::Wait));
        assert_eq!(answered(&after), answered(&before) + counts);
        assert_eq!(after.skipped, before.skipped + u64::from(skips));
        self.playout.heard(loudness);
        let length = match pace {
            Pace::Even => FRAME,
            Pace::Faster => FRAME - PERIOD,
            Pace::Slower => FRAME + PERIOD,
        };
        (pull, length)
    }

    /// It is the content that came with this number.
    fn check_frame(&self, frame: u32, content: Option<&FramePayload>) {
        if let Some(content) = content {
            assert_eq!(content.as_slice()[..4], frame.to_be_bytes());
        }
    }

    /// Nothing is played twice, nor behind what was.
    fn check_order(&mut self, frame: u32) {
        assert!(self.played.is_none_or(|played| played < frame));
        self.played = Some(frame);
    }

    /// An honest stretch of a call: a frame every 20 ms, and as much output as there is time.
    fn steady(&mut self, frames: u8, reach: Reach) {
        let mut next_pull = self.now;
        for _ in 0..frames {
            self.insert(self.next, reach);
            self.next = self.next.saturating_add(1);
            let end = self.now.saturating_add(FRAME);
            while next_pull < end {
                self.now = next_pull;
                let (_, length) = self.pull(Loudness::Loud);
                next_pull = next_pull.saturating_add(length);
            }
            self.now = end;
        }
    }

    fn step(&mut self, bytes: &mut Bytes<'_>) {
        let kind = bytes.byte();
        let reach = Reach::new(bytes.byte(), bytes.byte());
        match kind % 8 {
            // The next one, and its repeats.
            0 => {
                for back in (0..=u32::from(kind / 8 % 8)).rev() {
                    self.insert(self.next.saturating_sub(back), reach);
                }
                self.next = self.next.saturating_add(1);
            }
            // One near, one anywhere.
            1 => {
                let frame = self.next.saturating_add_signed(i32::from(bytes.signed()));
                self.insert(frame, reach);
            }
            2 => {
                let frame = u32::from_be_bytes(bytes.array());
                self.insert(frame, reach);
                self.next = if kind & 8 == 0 { self.next } else { frame };
            }
            // Time goes on, or jumps anywhere.
            3 => self.now = self.now.saturating_add(u64::from(bytes.short())),
            4 => self.now = u64::from_be_bytes(bytes.array()),
            5 => {
                let loudness = [Loudness::Loud, Loudness::Quiet];
                let (pull, length) = self.pull(loudness[usize::from(kind / 8 % 2)]);
                if kind & 16 != 0 {
                    self.playout.failed(&pull);
                }
                self.now = self.now.saturating_add(length);
            }
            6 => self.steady(kind / 8, reach),
            // The device pulls, and nothing comes.
            _ => {
                for _ in 0..kind / 8 {
                    let (_, length) = self.pull(Loudness::Loud);
                    self.now = self.now.saturating_add(length);
                }
            }
        }
        let stats = self.playout.stats(self.time());
        assert!(stats.buffered <= RING);
        assert!(stats.target <= DELAY_MAX + Duration::from_millis(1));
    }
}

/// Steps of a playout: a byte that says which, two for a reach, and what it takes.
pub(crate) fn playout(bytes: &[u8]) {
    let mut machine = Machine {
        playout: Playout::new(Config::default()),
        now: 5_000_000,
        next: 0,
        played: None,
        restarts: 0,
    };
    let mut bytes = Bytes::new(bytes);
    for _ in 0..STEPS {
        if bytes.is_empty() {
            return;
        }
        machine.step(&mut bytes);
    }
}
