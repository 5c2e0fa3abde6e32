//! What is heard of a simulated call: packets that arrive go through a playout, and every 20 ms that
//! it plays are timed from the mouth.
//!
//! Mouth-to-ear is the sum of capture, frame, look-ahead, network, playout wait and output; media that
//! is concealed, skipped or too late is infinitely late.

use core::time::Duration;

use tacit_circuits::strategies::{Contents, Older};
use tacit_circuits::{Arrival, Delays, Observer, Side, WARM_UP};
use tacit_playout::{Config, Loudness, Pace, Playout, Pull};
use tacit_types::limits::FRAME_DURATION;
use tacit_types::{FrameNumber, FramePayload, Reach, Timestamp};

use crate::emodel::{self, Losses};

/// A device's block, and what the system adds before a sample is ours.
pub const CAPTURE: Duration = Duration::from_millis(10);
/// Opus's look-ahead for voice.
pub const LOOK_AHEAD: Duration = Duration::from_micros(6_500);
/// From the playout's hand to the ear: a device's block and what the system adds.
pub const OUTPUT: Duration = Duration::from_millis(20);

/// What was spoken this long before the end of a call is not missed if it was not heard.
const ON_THE_WAY: Duration = Duration::from_secs(1);
/// Frames that a fixed buffer remembers having had.
const REMEMBERED: usize = 2048;

/// What the packets go through before they are heard.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Buffer {
    /// The production playout.
    Tacit,
    /// Everything is played so much later than the first packet was; what comes later is lost.
    /// Donar's, with 150 ms.
    Fixed(Duration),
}

impl Buffer {
    /// Donar's own.
    pub const DONAR: Self = Self::Fixed(Duration::from_millis(150));

    /// Its name in results.
    #[must_use]
    pub fn name(self) -> String {
        match self {
            Self::Tacit => "tacit".to_owned(),
            Self::Fixed(delay) => format!("fixed-{}", delay.as_millis()),
        }
    }
}

/// Pulls that did not play what was spoken, and in how many runs they came.
#[derive(Clone, Copy, Debug, Default)]
struct Lost {
    pulls: u64,
    runs: u64,
}

impl Lost {
    fn add(&mut self, other: Self) {
        self.pulls += other.pulls;
        self.runs += other.runs;
    }

    /// As the E-model counts them: BurstR is the mean length of a run over that of independent losses.
    fn of(self, pulls: u64) -> Losses {
        let share = ratio(self.pulls, pulls);
        Losses {
            share,
            burst: ratio(self.pulls, self.runs) * (1.0 - share),
        }
    }
}

/// What one call sounded like, both directions together, from second 5.
#[derive(Clone, Debug, Default)]
pub struct Heard {
    /// Mouth-to-ear delay of all media that was spoken; what was never played counts as longest.
    pub mouth_to_ear: Delays,
    /// Sum of the finite ones, ms, and how many they are.
    sum: (f64, u64),
    /// Pulls of 20 ms, of which so many were concealed, in so many runs.
    pulls: u64,
    concealed: Lost,
    repaired: Lost,
    /// Frames that were passed over to come down.
    pub skipped: u64,
    /// Longest run of concealed pulls.
    pub longest_gap: Duration,
}

impl Heard {
    /// Share of the output that was concealed.
    #[must_use]
    pub fn concealed(&self) -> f64 {
        ratio(self.concealed.pulls, self.pulls)
    }

    /// Share of the media that was restored from later packets.
    #[must_use]
    pub fn repaired(&self) -> f64 {
        ratio(self.repaired.pulls, self.mouth_to_ear.total())
    }

    /// Share of the media that was skipped.
    #[must_use]
    pub fn skipped_share(&self) -> f64 {
        ratio(self.skipped, self.mouth_to_ear.total())
    }

    /// The E-model's mean opinion score; with the talker's echo, if `telr` says how much weaker it
    /// comes back, in dB.
    #[must_use]
    pub fn mos(&self, telr: Option<f64>) -> f64 {
        if self.sum.1 == 0 {
            return 1.0;
        }
        #[expect(clippy::cast_precision_loss, reason = "counts of at most millions")]
        let mean = self.sum.0 / self.sum.1 as f64;
        let (concealed, repaired) = (self.concealed.of(self.pulls), self.repaired.of(self.pulls));
        let echo = telr.map_or(0.0, |telr| emodel::echo_impairment(mean, telr));
        emodel::mos(emodel::rating(mean, concealed, repaired) - echo)
    }

    fn merge(&mut self, other: &Self) {
        self.mouth_to_ear.merge(&other.mouth_to_ear);
        self.sum = (self.sum.0 + other.sum.0, self.sum.1 + other.sum.1);
        self.pulls += other.pulls;
        self.concealed.add(other.concealed);
        self.repaired.add(other.repaired);
        self.skipped += other.skipped;
        self.longest_gap = self.longest_gap.max(other.longest_gap);
    }
}

#[expect(clippy::cast_precision_loss, reason = "counts of at most millions")]
fn ratio(part: u64, whole: u64) -> f64 {
    if whole == 0 {
        0.0
    } else {
        part as f64 / whole as f64
    }
}

/// What is spoken into one end, and what becomes of it at the other.
pub trait Voice {
    /// Which frames there is room for beside frame `newest`, in a packet with so many reports.
    fn room(&self, newest: u32, reports: usize) -> Older;

    /// Which frames before it the DRED of a frame restores.
    fn reach(&self, frame: u32) -> Reach;

    /// Whether anybody would hear it if it were missing.
    fn is_speech(&self, frame: u32) -> bool;

    /// The output goes on with this; how long it lasts.
    fn play(&mut self, sound: Sound, pace: Pace) -> Duration;
}

/// What the output goes on with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sound {
    /// Silence: nothing has come yet.
    Nothing,
    /// A frame.
    Frame(u32),
    /// A frame from the DRED of one that is so many frames later.
    Repaired(u32, u32),
    /// Concealment in the place of a frame.
    Concealed(u32),
    /// A frame is passed over, and nothing is played.
    Skipped(u32),
}

impl Sound {
    /// The frame it is or stands for.
    #[must_use]
    pub const fn frame(self) -> Option<u32> {
        match self {
            Self::Nothing => None,
            Self::Frame(frame)
            | Self::Repaired(frame, _)
            | Self::Concealed(frame)
            | Self::Skipped(frame) => Some(frame),
        }
    }
}

/// Both ears of a call.
pub struct Hearing<V> {
    ears: [Ear<V>; 2],
}

impl<V: Voice> Hearing<V> {
    /// Nothing was said yet, and the call will last so long. `dred` says whether packets carry it, as
    /// ours do; the voices are those of the callers A and B.
    #[must_use]
    pub fn new(buffer: Buffer, dred: bool, length: Duration, [a, b]: [V; 2]) -> Self {
        let ear = |phase, voice| {
            let phase = Duration::from_millis(phase);
            Ear::new(buffer, phase, Timestamp::ZERO + length, voice, dred)
        };
        // The sound devices are in step with nothing.
        Self {
            ears: [ear(7, a), ear(13, b)],
        }
    }

    /// What was heard of the call, and the voices.
    #[must_use]
    pub fn finish(mut self) -> (Heard, [V; 2]) {
        let mut heard = Heard::default();
        for ear in &mut self.ears {
            ear.finish();
            heard.merge(&ear.heard);
        }
        (heard, self.ears.map(|ear| ear.voice))
    }
}

impl<V: Voice> Observer for Hearing<V> {
    fn begins(&mut self, from: Side, contents: &Contents) {
        self.ears[from as usize].contents = *contents;
    }

    fn room(&mut self, from: Side, newest: u32, reports: usize) -> Older {
        self.ears[from as usize].voice.room(newest, reports)
    }

    fn arrived(&mut self, arrival: &Arrival) {
        self.ears[arrival.from as usize].arrived(arrival);
    }
}

/// Who hears one direction.
struct Ear<V> {
    contents: Contents,
    /// When capture of frame 0 began, microseconds: before the first packet was sent, at 0.
    origin: Option<i64>,
    player: Player,
    voice: V,
    dred: bool,
    /// When the call ends: nobody listens to what comes later.
    end: Timestamp,
    /// The newest frame that was played or passed over.
    reached: u32,
    /// Concealed and repaired pulls in a row.
    run: u32,
    repaired_run: u32,
    heard: Heard,
}

enum Player {
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
}

impl Player {
    fn insert(&mut self, frame: u32, reach: Reach, now: Timestamp) {
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
        }
    }

    /// When the output wants 20 ms next; `None` as long as nothing has come.
    fn wants_at(&self) -> Option<Timestamp> {
        match self {
            Self::Tacit { next_pull, .. } => Some(*next_pull),
            Self::Fixed { next, .. } => next.map(|(_, at)| at),
        }
    }

    fn pull(&mut self, voice: &mut impl Voice) -> Sound {
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
                sound
            }
            Self::Fixed { next, had, .. } => {
                let Some((frame, at)) = *next else {
                    return Sound::Nothing;
                };
                let sound = if had[frame as usize % REMEMBERED] == Some(frame) {
                    Sound::Frame(frame)
                } else {
                    Sound::Concealed(frame)
                };
                *next = Some((frame + 1, at + voice.play(sound, Pace::Even)));
                sound
            }
        }
    }
}

impl<V: Voice> Ear<V> {
    fn new(buffer: Buffer, phase: Duration, end: Timestamp, voice: V, dred: bool) -> Self {
        let player = match buffer {
            Buffer::Tacit => Player::Tacit {
                playout: Box::new(Playout::new(Config::default())),
                payload: FramePayload::new(&[0]).expect("one byte is a frame"),
                next_pull: Timestamp::ZERO + phase,
            },
            Buffer::Fixed(delay) => Player::Fixed {
                delay,
                next: None,
                had: vec![None; REMEMBERED],
            },
        };
        Self {
            contents: Contents {
                interval: FRAME_DURATION,
                new: 1,
                older: None,
            },
            origin: None,
            player,
            voice,
            dred,
            end,
            reached: 0,
            run: 0,
            repaired_run: 0,
            heard: Heard::default(),
        }
    }

    fn arrived(&mut self, arrival: &Arrival) {
        if arrival.arrived_at >= self.end {
            return;
        }
        let before = micros(self.contents.interval).saturating_mul(i64::from(arrival.packet) + 1);
        let sent = arrival.sent_at.signed_micros_since(Timestamp::ZERO);
        self.origin.get_or_insert(sent - before);
        self.pull_until(arrival.arrived_at);
        let newest = self.contents.newest(arrival.packet);
        // Theirs may last longer than those of the playout, which takes them for several.
        let ours = self.contents.frame().as_millis() / FRAME_DURATION.as_millis();
        let ours = u32::try_from(ours).unwrap_or(1).max(1);
        for theirs in arrival.older.frames(newest).rev() {
            for frame in theirs * ours..(theirs + 1) * ours {
                let full = self.dred && theirs == newest;
                let reach = if full {
                    self.voice.reach(frame)
                } else {
                    Reach::NONE
                };
                self.player.insert(frame, reach, arrival.arrived_at);
            }
        }
    }

    /// Lets the output device run up to `now`.
    fn pull_until(&mut self, now: Timestamp) {
        while let Some(at) = self.player.wants_at().filter(|at| *at < now) {
            match self.player.pull(&mut self.voice) {
                Sound::Nothing => {}
                Sound::Frame(frame) => {
                    self.run = 0;
                    self.repaired_run = 0;
                    self.played(frame, at);
                }
                Sound::Repaired(frame, _) => {
                    self.run = 0;
                    self.repaired_run += 1;
                    self.heard.repaired.pulls += u64::from(counts(frame));
                    let begins = counts(frame) && self.repaired_run == 1;
                    self.heard.repaired.runs += u64::from(begins);
                    self.played(frame, at);
                }
                Sound::Concealed(frame) => self.concealed(frame),
                Sound::Skipped(frame) => {
                    self.reached = self.reached.max(frame);
                    self.heard.skipped += u64::from(counts(frame));
                }
            }
        }
    }

    fn played(&mut self, frame: u32, at: Timestamp) {
        self.reached = self.reached.max(frame);
        let Some(origin) = self.origin.filter(|_| counts(frame)) else {
            return;
        };
        let captured = origin + micros(FRAME_DURATION) * i64::from(frame);
        let wait = at.signed_micros_since(Timestamp::ZERO) - captured;
        let delay =
            CAPTURE + LOOK_AHEAD + OUTPUT + Duration::from_micros(wait.max(0).unsigned_abs());
        let heard = &mut self.heard;
        heard.pulls += 1;
        heard.mouth_to_ear.record(Some(delay));
        heard.sum.0 += delay.as_secs_f64() * 1e3;
        heard.sum.1 += 1;
    }

    fn concealed(&mut self, frame: u32) {
        self.reached = self.reached.max(frame);
        if !counts(frame) {
            return;
        }
        self.run += 1;
        self.repaired_run = 0;
        let heard = &mut self.heard;
        heard.concealed.runs += u64::from(self.run == 1);
        heard.concealed.pulls += 1;
        heard.pulls += 1;
        heard.longest_gap = heard.longest_gap.max(FRAME_DURATION * self.run);
    }

    /// Everything that was spoken and not played counts as lost, but for what is still on its way
    /// when the call ends.
    fn finish(&mut self) {
        self.pull_until(self.end);
        let length = self.end.saturating_since(Timestamp::ZERO);
        let spoken = length.saturating_sub(ON_THE_WAY).as_millis() / FRAME_DURATION.as_millis();
        let spoken = u32::try_from(spoken)
            .unwrap_or(u32::MAX)
            .max(self.reached + 1);
        let first = (WARM_UP.as_millis() / FRAME_DURATION.as_millis()) as u32;
        let spoken = u64::from(spoken.saturating_sub(first));
        for _ in self.heard.mouth_to_ear.total()..spoken {
            self.heard.mouth_to_ear.record(None);
        }
    }
}

/// Before, nothing can be known of the circuits.
fn counts(frame: u32) -> bool {
    FRAME_DURATION * frame >= WARM_UP
}

fn micros(duration: Duration) -> i64 {
    i64::try_from(duration.as_micros()).unwrap_or(i64::MAX)
}
