//! What is heard of a simulated call: packets that arrive go through a playout, and every 20 ms that
//! it plays are timed from the mouth.
//!
//! Mouth-to-ear is the sum of capture, frame, look-ahead, network, playout wait and output; media that
//! is concealed, skipped or too late is infinitely late.

use core::time::Duration;

use tacit_circuits::strategies::{Contents, Packed, Unpacked};
use tacit_circuits::{Arrival, Delays, Observer, Side, WARM_UP};
use tacit_playout::Pace;
use tacit_types::limits::FRAME_DURATION;
use tacit_types::{Reach, Timestamp};

use crate::emodel::{self, Losses};
pub use crate::player::Buffer;
use crate::player::Player;

/// A device's block, and what the system adds before a sample is ours.
pub const CAPTURE: Duration = Duration::from_millis(10);
/// Opus's look-ahead for voice.
pub const LOOK_AHEAD: Duration = Duration::from_micros(6_500);
/// From the playout's hand to the ear: a device's block and what the system adds.
pub const OUTPUT: Duration = Duration::from_millis(20);

/// What was spoken this long before the end of a call is not missed if it was not heard.
const ON_THE_WAY: Duration = Duration::from_secs(1);

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
    /// Of speech alone.
    pub speech: Delays,
    /// Of all that was spoken in the first 5 s, which nothing else counts.
    pub first: Delays,
    /// Sum of the finite ones, ms, and how many they are.
    sum: (f64, u64),
    /// Pulls of 20 ms, of which so many were concealed, in so many runs.
    pulls: u64,
    concealed: Lost,
    repaired: Lost,
    /// Frames that were passed over to come down.
    pub skipped: u64,
    /// Frames that were played faster or slower.
    pub stretched: u64,
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

    /// Share of the output that was played faster or slower.
    #[must_use]
    pub fn stretched_share(&self) -> f64 {
        ratio(self.stretched, self.pulls)
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
        self.speech.merge(&other.speech);
        self.first.merge(&other.first);
        self.sum = (self.sum.0 + other.sum.0, self.sum.1 + other.sum.1);
        self.pulls += other.pulls;
        self.concealed.add(other.concealed);
        self.repaired.add(other.repaired);
        self.skipped += other.skipped;
        self.stretched += other.stretched;
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
    /// What there is room for in a packet.
    fn pack(&self, unpacked: &Unpacked) -> Packed;

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
    /// Nothing was said yet, and the call will last so long. The voices are those of the callers A and
    /// B.
    #[must_use]
    pub fn new(buffer: Buffer, length: Duration, [a, b]: [V; 2]) -> Self {
        let ear = |phase, voice| {
            let phase = Duration::from_millis(phase);
            Ear::new(buffer, phase, Timestamp::ZERO + length, voice)
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

    fn pack(&mut self, from: Side, unpacked: &Unpacked) -> Packed {
        self.ears[from as usize].voice.pack(unpacked)
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
    /// When the call ends: nobody listens to what comes later.
    end: Timestamp,
    /// The newest frame that was played or passed over.
    reached: u32,
    /// Concealed and repaired pulls in a row.
    run: u32,
    repaired_run: u32,
    heard: Heard,
}

impl<V: Voice> Ear<V> {
    fn new(buffer: Buffer, phase: Duration, end: Timestamp, voice: V) -> Self {
        Self {
            contents: Contents {
                interval: FRAME_DURATION,
                new: 1,
                older: None,
            },
            origin: None,
            player: Player::new(buffer, phase),
            voice,
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
        for theirs in arrival.packed.older.frames(newest).rev() {
            for frame in theirs * ours..(theirs + 1) * ours {
                let full = arrival.packed.dred && theirs == newest;
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
            let (sound, pace) = self.player.pull(&mut self.voice);
            match sound {
                Sound::Nothing => {}
                Sound::Frame(frame) => {
                    self.repaired_run = 0;
                    self.played(frame, pace, at);
                }
                Sound::Repaired(frame, _) => {
                    self.repaired_run += 1;
                    self.heard.repaired.pulls += u64::from(counts(frame));
                    let begins = counts(frame) && self.repaired_run == 1;
                    self.heard.repaired.runs += u64::from(begins);
                    self.played(frame, pace, at);
                }
                Sound::Concealed(frame) => self.concealed(frame),
                Sound::Skipped(frame) => {
                    self.reached = self.reached.max(frame);
                    self.heard.skipped += u64::from(counts(frame));
                }
            }
        }
    }

    fn played(&mut self, frame: u32, pace: Pace, at: Timestamp) {
        self.run = 0;
        self.reached = self.reached.max(frame);
        let Some(origin) = self.origin else {
            return;
        };
        let captured = origin + micros(FRAME_DURATION) * i64::from(frame);
        let wait = at.signed_micros_since(Timestamp::ZERO) - captured;
        let delay =
            CAPTURE + LOOK_AHEAD + OUTPUT + Duration::from_micros(wait.max(0).unsigned_abs());
        let heard = &mut self.heard;
        if !counts(frame) {
            heard.first.record(Some(delay));
            return;
        }
        heard.pulls += 1;
        heard.stretched += u64::from(pace != Pace::Even);
        heard.mouth_to_ear.record(Some(delay));
        if self.voice.is_speech(frame) {
            heard.speech.record(Some(delay));
        }
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
        let speech = (first..spoken).filter(|frame| self.voice.is_speech(*frame));
        let speech = speech.count() as u64;
        let heard = &mut self.heard;
        let all = u64::from(spoken.saturating_sub(first));
        for (delays, spoken) in [
            (&mut heard.mouth_to_ear, all),
            (&mut heard.speech, speech),
            (&mut heard.first, u64::from(first)),
        ] {
            for _ in delays.total()..spoken {
                delays.record(None);
            }
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
