//! What packets go through before they are heard: the production playout, and plainer buffers.

use core::time::Duration;
use std::collections::VecDeque;

use tacit_playout::{Config, Loudness, Pace, Playout, Pull};
use tacit_types::limits::FRAME_DURATION;
use tacit_types::{FrameNumber, FramePayload, Reach, Timestamp};

use crate::hearing::{Sound, Voice};

/// Frames that a fixed buffer remembers having had.
const REMEMBERED: usize = 2048;
/// How often a buffer that waits looks whether it could do with a frame less, pulls.
const LOOKS: u32 = 25;

/// What the packets go through before they are heard.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Buffer {
    /// The production playout.
    Tacit,
    /// Everything is played so much later than the first packet was; what comes later is lost.
    /// Donar's, with 150 ms.
    Fixed(Duration),
    /// Whatever is not there is waited for while the output conceals, so that nothing is too late, and
    /// delay grows; what is beyond this much is thrown away, and so is a frame now and then while there
    /// are always some in store. So do plain telephones.
    Waiting(Duration),
}

impl Buffer {
    /// Donar's own.
    pub const DONAR: Self = Self::Fixed(Duration::from_millis(150));

    /// That of the client of the published measurements over live Tor.
    pub const TELEPHONE: Self = Self::Waiting(Duration::from_millis(500));

    /// Its name in results.
    #[must_use]
    pub fn name(self) -> String {
        match self {
            Self::Tacit => "tacit".to_owned(),
            Self::Fixed(delay) => format!("fixed-{}", delay.as_millis()),
            Self::Waiting(most) => format!("waiting-{}", most.as_millis()),
        }
    }
}

pub(crate) enum Player {
    Tacit {
        playout: Box<Playout>,
        /// What frames say does not matter to it.
        payload: FramePayload,
        next_pull: Timestamp,
    },
    Fixed {
        delay: Duration,
        /// The next frame, and when it is played.
        next: Option<(u32, Timestamp)>,
        had: Vec<Option<u32>>,
    },
    Waiting(Waiting),
}

/// A buffer that waits.
pub(crate) struct Waiting {
    most: usize,
    frames: VecDeque<u32>,
    /// The newest that ever came, and when the output wants something next.
    newest: u32,
    next_pull: Option<Timestamp>,
    /// Since the last look: pulls, and the fewest frames that one left.
    pulls: u32,
    fewest: usize,
}

impl Waiting {
    fn insert(&mut self, frame: u32, now: Timestamp) {
        if self.next_pull.is_none() {
            self.next_pull = Some(now);
        } else if frame <= self.newest {
            return;
        }
        self.newest = frame;
        self.frames.push_back(frame);
    }

    fn pull(&mut self) -> Sound {
        let too_many = self.frames.len() > self.most;
        let spare = self.pulls >= LOOKS && self.fewest > 1;
        if self.pulls >= LOOKS {
            (self.pulls, self.fewest) = (0, usize::MAX);
        }
        let front = self.frames.pop_front();
        if let Some(frame) = front.filter(|_| too_many || spare) {
            return Sound::Skipped(frame);
        }
        self.pulls += 1;
        self.fewest = self.fewest.min(self.frames.len());
        front.map_or(Sound::Concealed(self.newest + 1), Sound::Frame)
    }
}

impl Player {
    /// `phase` says when its output device begins.
    pub(crate) fn new(buffer: Buffer, phase: Duration) -> Self {
        match buffer {
            Buffer::Tacit => Self::Tacit {
                playout: Box::new(Playout::new(Config::default())),
                payload: FramePayload::new(&[0]).expect("one byte is a frame"),
                next_pull: Timestamp::ZERO + phase,
            },
            Buffer::Fixed(delay) => Self::Fixed {
                delay,
                next: None,
                had: vec![None; REMEMBERED],
            },
            Buffer::Waiting(most) => Self::Waiting(Waiting {
                most: usize::try_from(most.as_millis() / FRAME_DURATION.as_millis())
                    .unwrap_or(usize::MAX),
                frames: VecDeque::new(),
                newest: 0,
                next_pull: None,
                pulls: 0,
                fewest: usize::MAX,
            }),
        }
    }

    pub(crate) fn insert(&mut self, frame: u32, reach: Reach, now: Timestamp) {
        match self {
            Self::Tacit {
                playout, payload, ..
            } => {
                playout.insert(FrameNumber(frame), payload, reach, now);
            }
            Self::Fixed { delay, next, had } => {
                let (next, _) = *next.get_or_insert((frame, now + *delay));
                if frame >= next {
                    had[frame as usize % REMEMBERED] = Some(frame);
                }
            }
            Self::Waiting(waiting) => waiting.insert(frame, now),
        }
    }

    /// When the output wants 20 ms next; `None` as long as nothing has come.
    pub(crate) fn wants_at(&self) -> Option<Timestamp> {
        match self {
            Self::Tacit { next_pull, .. } => Some(*next_pull),
            Self::Fixed { next, .. } => next.map(|(_, at)| at),
            Self::Waiting(waiting) => waiting.next_pull,
        }
    }

    /// What the output goes on with, and how fast.
    pub(crate) fn pull(&mut self, voice: &mut impl Voice) -> (Sound, Pace) {
        match self {
            Self::Tacit {
                playout, next_pull, ..
            } => {
                let (sound, pace) = match playout.pull(*next_pull) {
                    Pull::Decode { frame, pace, .. } => (Sound::Frame(frame.0), pace),
                    Pull::Repair {
                        frame, back, pace, ..
                    } => (Sound::Repaired(frame.0, back), pace),
                    Pull::Conceal { frame, .. } => (Sound::Concealed(frame.0), Pace::Even),
                    Pull::Skip { frame, .. } => (Sound::Skipped(frame.0), Pace::Even),
                    _ => (Sound::Nothing, Pace::Even),
                };
                if let Sound::Frame(frame) | Sound::Repaired(frame, _) = sound {
                    let loud = voice.is_speech(frame);
                    playout.heard(if loud {
                        Loudness::Loud
                    } else {
                        Loudness::Quiet
                    });
                }
                *next_pull += voice.play(sound, pace);
                (sound, pace)
            }
            Self::Fixed { next, had, .. } => {
                let Some((frame, at)) = *next else {
                    return (Sound::Nothing, Pace::Even);
                };
                let sound = if had[frame as usize % REMEMBERED] == Some(frame) {
                    Sound::Frame(frame)
                } else {
                    Sound::Concealed(frame)
                };
                *next = Some((frame + 1, at + voice.play(sound, Pace::Even)));
                (sound, Pace::Even)
            }
            Self::Waiting(waiting) => {
                let sound = waiting.pull();
                let lasts = voice.play(sound, Pace::Even);
                waiting.next_pull = waiting.next_pull.map(|at| at + lasts);
                (sound, Pace::Even)
            }
        }
    }
}
