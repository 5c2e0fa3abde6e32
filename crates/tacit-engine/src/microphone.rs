//! What the source delivers, 20 ms at a time, without more of it waiting than has to.

use std::time::Duration;

use tacit_audio::{Capture, DeviceChoice, SILENCE};
use tacit_codec::FrameSamples;
use tacit_types::limits::{BLOCK_SAMPLES, FRAME_DURATION, FRAME_SAMPLES};

/// Blocks taken from a device that has delivered more than one frame at once.
const MAX_WAITING: usize = 6 * BLOCK_SAMPLES;
/// Frames, one second, over which what waits is looked at: the least of it waits all the time.
const WINDOW: u32 = 50;
/// Root mean square below which a frame may be left out unnoticed, −50 dBFS.
pub(crate) const QUIET_RMS: f32 = 0.003;
/// Nor is it noticed if it is at most so much louder than the quietest of the second before: where it is
/// never quiet, that is the noise of the room.
const AS_QUIET: f32 = 1.5;

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
    pub(crate) const fn begin(&mut self) {
        self.begun = false;
    }

    /// The next 20 ms, if they are there.
    pub(crate) fn take(&mut self) -> Option<Taken> {
        if !core::mem::replace(&mut self.begun, true) {
            self.discard_old();
        }
        loop {
            let taken = self.take_any()?;
            let waits = self.capture.waiting() + samples(self.waiting.len());
            if !self.standing.leaves_out(waits, rms(&taken.pcm)) {
                return Some(taken);
            }
        }
    }

    fn discard_old(&mut self) {
        let mut block = SILENCE;
        while self.capture.waiting() > FRAME_DURATION && self.capture.pop(&mut block) {}
    }

    fn take_any(&mut self) -> Option<Taken> {
        let mut block = SILENCE;
        while self.waiting.len() < FRAME_SAMPLES && self.capture.pop(&mut block) {
            self.waiting.extend_from_slice(&block);
        }
        let left = self.waiting.len().checked_sub(FRAME_SAMPLES)?;
        let mut taken = Taken {
            pcm: [0.0; FRAME_SAMPLES],
            age: self.capture.delay() + samples(left) + FRAME_DURATION,
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
    frames: u32,
    /// Of this second.
    least: Option<Duration>,
    quietest: Option<f32>,
    /// Of the second before: frames too many, and how loud one may be that is left out.
    surplus: u32,
    quiet: f32,
}

impl Standing {
    /// Whether a frame as loud as this, behind which so much waits, is to be left out.
    fn leaves_out(&mut self, waits: Duration, loudness: f32) -> bool {
        let leaves_out = self.surplus > 0 && waits >= FRAME_DURATION && loudness <= self.quiet;
        if leaves_out {
            self.surplus -= 1;
            return true;
        }
        let least = *self.least.get_or_insert(waits);
        self.least = Some(least.min(waits));
        let quietest = *self.quietest.get_or_insert(loudness);
        self.quietest = Some(quietest.min(loudness));
        self.frames += 1;
        if self.frames == WINDOW {
            self.look_back();
        }
        false
    }

    fn look_back(&mut self) {
        let least = self.least.take().unwrap_or_default();
        let quietest = self.quietest.take().unwrap_or_default();
        let frames = least.as_micros() / FRAME_DURATION.as_micros();
        self.surplus = u32::try_from(frames).unwrap_or(u32::MAX);
        self.quiet = (quietest * AS_QUIET).max(QUIET_RMS);
        self.frames = 0;
    }
}

/// How long so many samples last.
pub(crate) fn samples(count: usize) -> Duration {
    Duration::from_micros(count as u64 * 1_000 / 48)
}

/// Root mean square.
pub(crate) fn rms(samples: &FrameSamples) -> f32 {
    #[expect(clippy::cast_precision_loss, reason = "960")]
    let mean = samples.iter().map(|s| s * s).sum::<f32>() / FRAME_SAMPLES as f32;
    mean.sqrt()
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

    /// Takes a frame each 20 ms for so many seconds of what is as loud as `loudness` says; how old the
    /// last one was, and how much was left out.
    fn seconds(
        host: &mut HostMicrophone,
        microphone: &mut Microphone,
        seconds: usize,
        loudness: impl Fn(usize) -> f32,
    ) -> (Duration, i64) {
        let mut last = (Duration::ZERO, 0);
        let before = microphone.position;
        let frames = seconds * 50;
        for frame in 0..frames {
            say(host, loudness(frame), FRAME_SAMPLES);
            let taken = microphone.take().expect("a frame a slot");
            last = (taken.age, taken.position + FRAME_SAMPLES as i64 - before);
        }
        let frames = i64::try_from(frames).expect("few");
        (last.0, last.1 / FRAME_SAMPLES as i64 - frames)
    }

    #[test]
    fn what_waits_all_the_time_is_left_out_where_it_is_quiet() {
        for (speech, pause) in [(0.2, 0.0), (0.2, 0.02)] {
            let (mut host, mut microphone) = host();
            let talk = |frame: usize| if frame % 50 < 45 { speech } else { pause };
            assert_eq!(
                seconds(&mut host, &mut microphone, 3, talk),
                (FRAME_DURATION, 0)
            );
            // Nobody took anything for 50 ms, and all that comes later waits as long.
            say(&mut host, speech, 5 * TEN_MS);
            let (age, _) = seconds(&mut host, &mut microphone, 1, |_| speech);
            assert_eq!(age, FRAME_DURATION + Duration::from_millis(50));
            let (age, left_out) = seconds(&mut host, &mut microphone, 3, talk);
            assert_eq!(age, FRAME_DURATION + Duration::from_millis(10));
            assert_eq!(left_out, 2);
        }
    }

    #[test]
    fn what_comes_in_bursts_is_all_sent() {
        let (mut host, mut microphone) = host();
        let mut taken = 0;
        for slot in 0..1000 {
            if slot % 3 == 0 {
                say(&mut host, 0.0, 3 * FRAME_SAMPLES);
            }
            taken += u32::from(microphone.take().is_some());
        }
        // All but the first burst, of which only the newest is.
        assert_eq!(taken, 998);
    }
}
