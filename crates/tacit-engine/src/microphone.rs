//! What the source delivers, 20 ms at a time, without more of it waiting than has to.

use std::time::Duration;

use tacit_audio::{Capture, DeviceChoice, SILENCE};
use tacit_codec::FrameSamples;
use tacit_types::limits::{BLOCK_DURATION, BLOCK_SAMPLES, FRAME_DURATION, FRAME_SAMPLES};

use crate::sound::{QUIET_RMS, duration_of, rms};

/// Blocks taken from a device that has delivered more than one frame at once.
const MAX_WAITING: usize = 6 * BLOCK_SAMPLES;
/// Slots, ten seconds, over which what waits is looked at: the least of it waits all the time. People pause
/// in that time, and what a device comes late with now and then is seen in it.
const WINDOW: u32 = 500;
/// Of that so much stays: a device is never quite in step.
const RESERVE: Duration = BLOCK_DURATION;
/// A frame may be left out unnoticed, also, that is at most so much louder than the quietest of the time
/// before: where it is never quiet, that is the noise of the room.
const AS_QUIET: f32 = 1.5;
/// But for what is louder than −40 dBFS: there may have been no pause.
const NOT_QUIET_RMS: f32 = 0.01;

/// The source of one call.
#[derive(Debug)]
pub(crate) struct Microphone {
    capture: Capture,
    waiting: Vec<f32>,
    /// Samples taken from the source so far.
    position: i64,
    begun: bool,
    standing: Standing,
    end_told: bool,
}

/// 20 ms of sound.
pub(crate) struct Taken {
    pub(crate) pcm: FrameSamples,
    /// How long ago its first sample was spoken.
    pub(crate) age: Duration,
    /// Samples of the source before it.
    pub(crate) position: i64,
}

impl Microphone {
    pub(crate) fn new(capture: Capture) -> Self {
        Self {
            capture,
            waiting: Vec::with_capacity(MAX_WAITING),
            position: 0,
            begun: false,
            standing: Standing::default(),
            end_told: false,
        }
    }

    /// Goes over to another one; files and host rings stay.
    pub(crate) fn choose(&self, choice: DeviceChoice) -> bool {
        self.capture.choose(choice)
    }

    /// From the next frame on it is for somebody: what was delivered before is not taken.
    pub(crate) fn begin(&mut self) {
        self.waiting.clear();
        self.begun = false;
        self.standing = Standing::default();
    }

    /// The next 20 ms, if they are there.
    pub(crate) fn take(&mut self) -> Option<Taken> {
        if !core::mem::replace(&mut self.begun, true) {
            self.discard_old();
        }
        loop {
            let Some(taken) = self.take_any() else {
                self.standing.missed();
                return None;
            };
            let waits = self.capture.waiting() + duration_of(self.waiting.len());
            if !self.standing.leaves_out(waits, rms(&taken.pcm)) {
                return Some(taken);
            }
        }
    }

    fn discard_old(&mut self) {
        let mut block = SILENCE;
        let one_more = FRAME_DURATION + BLOCK_DURATION;
        while self.capture.waiting() >= one_more && self.capture.pop(&mut block) {}
    }

    fn take_any(&mut self) -> Option<Taken> {
        let mut block = SILENCE;
        while self.waiting.len() < FRAME_SAMPLES && self.capture.pop(&mut block) {
            self.waiting.extend_from_slice(&block);
        }
        let left = self.waiting.len().checked_sub(FRAME_SAMPLES)?;
        let mut taken = Taken {
            pcm: [0.0; FRAME_SAMPLES],
            age: self.capture.delay() + duration_of(left) + FRAME_DURATION,
            position: self.position,
        };
        taken.pcm.copy_from_slice(&self.waiting[..FRAME_SAMPLES]);
        self.waiting.drain(..FRAME_SAMPLES);
        self.position += FRAME_SAMPLES as i64;
        Some(taken)
    }

    /// True once, when a file has come to its end.
    pub(crate) fn just_ended(&mut self) -> bool {
        let now = self.capture.ended() && !self.end_told;
        self.end_told |= now;
        now
    }
}

/// What waits all the time: a source whose clock is fast, or one that nobody took from for a moment, would
/// make all that follows late until the end of the call.
#[derive(Debug, Default)]
struct Standing {
    slots: u32,
    /// Of this window.
    least: Option<Duration>,
    quietest: Option<f32>,
    /// Of the one before: frames too many, and how loud one may be that is left out.
    surplus: u32,
    quiet: f32,
}

impl Standing {
    /// Whether a frame as loud as this, behind which so much waits, is to be left out.
    fn leaves_out(&mut self, waits: Duration, loudness: f32) -> bool {
        let may = waits >= FRAME_DURATION + RESERVE && loudness <= self.quiet;
        if may && self.surplus > 0 {
            self.surplus -= 1;
            return true;
        }
        let quietest = self.quietest.unwrap_or(f32::INFINITY);
        self.quietest = Some(quietest.min(loudness));
        self.slot(waits);
        false
    }

    /// There was no frame for a slot: nothing waits in vain.
    fn missed(&mut self) {
        self.slot(Duration::ZERO);
    }

    fn slot(&mut self, waits: Duration) {
        self.least = Some(self.least.unwrap_or(waits).min(waits));
        self.slots += 1;
        if self.slots < WINDOW {
            return;
        }
        let least = self.least.take().unwrap_or_default();
        let frames = least.saturating_sub(RESERVE).as_micros() / FRAME_DURATION.as_micros();
        let quietest = self.quietest.take().unwrap_or_default();
        *self = Self {
            surplus: u32::try_from(frames).unwrap_or(u32::MAX),
            quiet: (AS_QUIET * quietest).clamp(QUIET_RMS, NOT_QUIET_RMS),
            ..Self::default()
        };
    }
}

#[cfg(test)]
mod tests {
    use tacit_audio::{AudioIo, HostMicrophone, Sink, Source, host_source, open};

    use super::*;

    const TEN_MS: usize = 480;

    fn host() -> (HostMicrophone, Microphone) {
        let (host, source) = host_source();
        let AudioIo { capture, .. } = open(Source::Host(source), Sink::Discard).expect("rings");
        (host, Microphone::new(capture))
    }

    fn say(host: &mut HostMicrophone, loudness: f32, samples: usize) {
        assert_eq!(host.write(&vec![loudness; samples]), samples);
    }

    #[test]
    fn what_came_before_the_call_is_not_sent() {
        let (mut host, mut microphone) = host();
        for step in 1..=8 {
            say(&mut host, 0.1 * step as f32, TEN_MS);
        }
        let first = microphone.take().expect("two blocks");
        assert_eq!((first.pcm[0], first.pcm[480]), (0.7, 0.8));
        assert_eq!((first.position, first.age), (0, FRAME_DURATION));
        assert!(microphone.take().is_none());
        // The same when a lost call is there again.
        for step in 1..=8 {
            say(&mut host, 0.1 * step as f32, TEN_MS);
        }
        microphone.begin();
        assert_eq!(microphone.take().expect("two blocks").pcm[0], 0.7);
    }

    /// Takes a frame in each slot, while a device delivers what `loudness` says of each frame: 10 ms at a
    /// time, each late by what `late` says. What was sent, nothing for a slot without a frame; and how old
    /// the last one was.
    fn sent(
        (host, microphone): &mut (HostMicrophone, Microphone),
        slots: u32,
        loudness: impl Fn(u32) -> f32,
        late: impl Fn(u32) -> f64,
    ) -> (Vec<Option<f32>>, Duration) {
        let mut block = 0;
        let mut age = Duration::ZERO;
        let sent = (0..slots).map(|slot| {
            let now = 20.0 * f64::from(slot + 1);
            while 10.0 * f64::from(block + 1) + late(block) <= now {
                say(host, loudness(block / 2), TEN_MS);
                block += 1;
            }
            let taken = microphone.take()?;
            age = taken.age;
            Some(taken.pcm[0])
        });
        let sent = sent.collect();
        (sent, age)
    }

    /// Each frame is a little louder than the one before, but for pauses: a tenth of each second.
    fn talk(pause: f32) -> impl Fn(u32) -> f32 {
        move |frame| {
            if frame % 50 < 45 {
                0.1 + 1e-5 * frame as f32
            } else {
                pause
            }
        }
    }

    #[test]
    fn what_waits_all_the_time_is_left_out_in_pauses() {
        // Silence, and the noise of a room.
        for pause in [0.0, 0.005] {
            let mut line = host();
            let speech = talk(pause);
            // In step, and then nobody takes anything for 50 ms.
            assert_eq!(sent(&mut line, 100, &speech, |_| 0.0).1, FRAME_DURATION);
            say(&mut line.0, 0.7, 5 * TEN_MS);
            let (before, age) = sent(&mut line, 900, &speech, |_| 0.0);
            assert_eq!(age, FRAME_DURATION + Duration::from_millis(50));
            assert!(before.iter().all(Option::is_some));
            let (after, age) = sent(&mut line, 550, &speech, |_| 0.0);
            assert_eq!(age, FRAME_DURATION + Duration::from_millis(10));
            assert!(after.iter().all(Option::is_some));
            let spoken = after.iter().flatten().filter(|loudness| **loudness >= 0.1);
            assert!(
                spoken.eq((0..550)
                    .map(&speech)
                    .filter(|l| *l >= 0.1)
                    .collect::<Vec<_>>()
                    .iter())
            );
        }
    }

    #[test]
    fn ten_milliseconds_stay_and_a_window_with_an_empty_slot_takes_nothing() {
        let left_out = |waits: u64, missed: bool| {
            let mut standing = Standing::default();
            let waits = Duration::from_millis(waits);
            if missed {
                standing.missed();
            }
            while standing.slots > 0 || standing.quiet == 0.0 {
                assert!(!standing.leaves_out(waits, 0.0));
            }
            (0..10).filter(|_| standing.leaves_out(waits, 0.0)).count()
        };
        let all = [29, 30, 49, 50, 80].map(|waits| left_out(waits, false));
        assert_eq!(all, [0, 1, 1, 2, 3]);
        assert_eq!(left_out(80, true), 0);
    }

    #[test]
    fn without_a_pause_nothing_is_left_out() {
        let mut line = host();
        sent(&mut line, 100, |_| 0.2, |_| 0.0);
        say(&mut line.0, 0.2, 5 * TEN_MS);
        let (_, age) = sent(&mut line, 3000, |_| 0.2, |_| 0.0);
        assert_eq!(age, FRAME_DURATION + Duration::from_millis(50));
    }

    /// Up to 3 ms late, and every five seconds 30 ms.
    #[test]
    fn a_device_that_is_late_now_and_then_keeps_what_it_needs() {
        let late = |block: u32| {
            let jitter = f64::from(block.wrapping_mul(2_654_435_761) >> 20) / 4096.0 * 3.0;
            if block % 500 == 499 { 30.0 } else { jitter }
        };
        for phase in [0.0, 4.0, 8.0, 12.0, 16.0] {
            let mut line = host();
            let (sent, age) = sent(&mut line, 15_000, |_| 0.0, |block| phase + late(block));
            let missed = sent.iter().filter(|frame| frame.is_none()).count();
            assert!(missed <= 12, "phase {phase}: {missed}");
            assert!(age <= Duration::from_millis(80), "phase {phase}: {age:?}");
        }
    }

    #[test]
    fn what_comes_in_bursts_is_all_sent() {
        let (mut host, mut microphone) = host();
        let mut taken = 0;
        for slot in 0..1800 {
            if slot % 3 == 0 {
                say(&mut host, 0.0, 3 * FRAME_SAMPLES);
            }
            taken += u32::from(microphone.take().is_some());
        }
        // All but the first burst, of which only the newest is.
        assert_eq!(taken, 1798);
    }
}
