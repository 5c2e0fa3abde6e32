//! Speech through the real codec along a simulated call, scored with PESQ-WB.
//!
//! ```text
//!   Recording ─ encoded once ─► playout says what to play ─► Decoder ─► Stretcher ─► segments ─► PESQ
//! ```
//!
//! A segment is ten seconds of what was spoken and everything that was played for it: frames, repairs,
//! concealment and pauses, cut where the playout began and ended with them. Two a direction, spread
//! over the call. Between segments nothing is decoded; the tables say how long frames are played.

use core::ops::Range;
use core::time::Duration;
use std::sync::Arc;

use tacit_circuits::strategies::{Packed, Unpacked};
use tacit_codec::{CodecError, Decoder, Encoder, FrameSamples, lookahead};
use tacit_playout::Pace;
use tacit_quality::pesq::{PesqError, Scorer};
use tacit_quality::speech::{SpeechError, Text, assemble};
use tacit_stretch::{Change, Stretcher};
use tacit_types::limits::{FRAME_DURATION, FRAME_SAMPLES};
use tacit_types::{EncodedFrame, Reach};

use crate::hearing::{Sound, Voice};
use crate::speech::Spoken;

/// Of each text, as in `bench/data/frames.csv`.
const SECONDS: usize = 25;
/// Segments of each direction.
const SEGMENTS: u32 = 2;
/// Length of a segment, frames: P.862.3 recommends 8 to 12 s.
const SEGMENT: u32 = 500;
/// Decoded before a segment, so that the decoder has heard something: 1 s.
const LEAD: u32 = 50;
/// The first segment does not begin earlier, as no figure counts what was before: 5 s.
const FIRST: u32 = 250;
/// Shortest call that has room for both.
pub const SHORTEST: Duration = Duration::from_secs(30);
/// PESQ's lowest score: nothing of the speech is left.
const LOWEST: f64 = 1.0;

/// Why a call cannot be scored.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AudioError {
    /// No speech.
    #[error(transparent)]
    Speech(#[from] SpeechError),
    /// libopus.
    #[error("the codec failed: {0}")]
    Codec(#[from] CodecError),
    /// PESQ.
    #[error(transparent)]
    Pesq(#[from] PesqError),
}

/// Two texts, and how they are encoded: each frame is one row of `frames.csv`.
#[derive(Debug)]
struct Recording {
    spoken: Vec<f32>,
    frames: Vec<EncodedFrame>,
}

impl Recording {
    fn new() -> Result<Self, AudioError> {
        let (mut spoken, mut frames) = (Vec::new(), Vec::new());
        for text in [Text::A, Text::B] {
            let samples = assemble(text, SECONDS)?;
            let mut encoder = Encoder::new()?;
            let (chunks, _) = samples.as_chunks::<FRAME_SAMPLES>();
            for chunk in chunks {
                frames.push(encoder.encode(chunk)?);
            }
            spoken.extend(samples);
        }
        Ok(Self { spoken, frames })
    }
}

/// Which PESQ.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Band {
    /// PESQ-WB (P.862.2), on which goals are scored.
    Wide,
    /// On the narrowband scale (P.862.1), of which the measurements over live Tor are.
    Narrow,
}

/// What is needed to score calls: the encoded speech, and PESQ.
#[derive(Debug)]
pub struct Studio {
    recording: Arc<Recording>,
    scorer: Scorer,
}

impl Studio {
    /// Encodes the speech, and installs PESQ where it is missing.
    ///
    /// # Errors
    /// Says what is missing.
    pub fn new() -> Result<Self, AudioError> {
        Ok(Self {
            scorer: Scorer::prepare()?,
            recording: Arc::new(Recording::new()?),
        })
    }

    /// Both directions of a call.
    ///
    /// # Errors
    /// libopus cannot be set up.
    pub fn listeners(
        &self,
        spoken: [Spoken; 2],
        length: Duration,
    ) -> Result<[Listener; 2], AudioError> {
        let [a, b] = spoken;
        Ok([
            Listener::new(&self.recording, a, segments(length, 0))?,
            Listener::new(&self.recording, b, segments(length, 1))?,
        ])
    }

    /// PESQ of what was heard: the mean over its segments.
    ///
    /// # Errors
    /// PESQ failed.
    pub fn score(&self, listeners: &[&Listener], band: Band) -> Result<f64, AudioError> {
        let segments: Vec<(Vec<f32>, &[f32])> = listeners
            .iter()
            .flat_map(|listener| listener.segments())
            .collect();
        // Less than a quarter of a second is refused; it is as bad as can be.
        let audible = |heard: &[f32]| heard.len() >= FRAME_SAMPLES * 25;
        let pairs: Vec<(&[f32], &[f32])> = segments
            .iter()
            .filter(|(_, heard)| audible(heard))
            .map(|(spoken, heard)| (spoken.as_slice(), *heard))
            .collect();
        let scores = match band {
            Band::Wide => self.scorer.scores(&pairs)?,
            Band::Narrow => self.scorer.narrowband(&pairs)?,
        };
        let missing = (segments.len() - scores.len()) as f64;
        let sum: f64 = scores.into_iter().map(|score| score.max(LOWEST)).sum();
        Ok((sum + missing * LOWEST) / segments.len() as f64)
    }
}

/// The directions' segments alternate, and are as far apart as the call allows; in frames.
fn segments(length: Duration, direction: u32) -> Vec<Range<u32>> {
    let frames = u32::try_from(length.as_millis() / FRAME_DURATION.as_millis()).unwrap_or(u32::MAX);
    let last = frames.saturating_sub(SEGMENT + 2 * LEAD).max(FIRST);
    let count = 2 * SEGMENTS;
    (0..SEGMENTS)
        .map(|number| {
            let place = u64::from(2 * number + direction);
            let span = u64::from(last - FIRST) * place / u64::from(count - 1);
            let start = FIRST + u32::try_from(span).unwrap_or(0);
            start..start + SEGMENT
        })
        .collect()
}

/// One direction of a call that is really decoded where it is scored.
pub struct Listener {
    recording: Arc<Recording>,
    spoken: Spoken,
    segments: Vec<Range<u32>>,
    heard: Vec<Vec<f32>>,
    decoder: Decoder,
    stretcher: Stretcher,
    decoded: Box<FrameSamples>,
}

impl Listener {
    fn new(
        recording: &Arc<Recording>,
        spoken: Spoken,
        segments: Vec<Range<u32>>,
    ) -> Result<Self, AudioError> {
        Ok(Self {
            recording: Arc::clone(recording),
            spoken,
            heard: vec![Vec::new(); segments.len()],
            segments,
            decoder: Decoder::new()?,
            stretcher: Stretcher::default(),
            decoded: Box::new([0.0; FRAME_SAMPLES]),
        })
    }

    /// What was spoken, and what was heard of it. What is decoded lags behind by the look-ahead.
    fn segments(&self) -> impl Iterator<Item = (Vec<f32>, &[f32])> {
        let all = &self.recording.spoken;
        let samples = |segment: &Range<u32>| {
            let first = self.spoken.place(segment.start) * FRAME_SAMPLES + all.len() - lookahead();
            let samples = first..first + segment.len() * FRAME_SAMPLES;
            samples.map(|at| all[at % all.len()]).collect()
        };
        let spoken: Vec<Vec<f32>> = self.segments.iter().map(samples).collect();
        spoken.into_iter().zip(self.heard.iter().map(Vec::as_slice))
    }

    fn frame(&self, frame: u32) -> EncodedFrame {
        self.recording.frames[self.spoken.place(frame) % self.recording.frames.len()]
    }

    /// Decodes what is to be played; conceals where that fails, as a call does.
    fn decode(&mut self, sound: Sound) {
        let done = match sound {
            Sound::Frame(frame) | Sound::Skipped(frame) => {
                let payload = self.frame(frame).short;
                self.decoder.decode(&payload, &mut self.decoded)
            }
            Sound::Repaired(frame, back) => {
                let later = self.frame(frame + back).full;
                self.decoder.repair(&later, back, &mut self.decoded)
            }
            Sound::Concealed(_) | Sound::Nothing => self.decoder.conceal(&mut self.decoded),
        };
        if done.is_err() && self.decoder.conceal(&mut self.decoded).is_err() {
            self.decoded.fill(0.0);
        }
    }
}

impl Voice for Listener {
    fn pack(&self, unpacked: &Unpacked) -> Packed {
        self.spoken.pack(unpacked)
    }

    fn reach(&self, frame: u32) -> Reach {
        self.frame(frame).reach
    }

    fn is_speech(&self, frame: u32) -> bool {
        self.spoken.is_speech(frame)
    }

    fn play(&mut self, sound: Sound, pace: Pace) -> Duration {
        let by_table = self.spoken.play(sound, pace);
        let Some(frame) = sound.frame() else {
            return by_table;
        };
        let near = |segment: &Range<u32>| (segment.start - LEAD..segment.end).contains(&frame);
        let Some(number) = self.segments.iter().position(near) else {
            return by_table;
        };
        self.decode(sound);
        if matches!(sound, Sound::Skipped(_)) {
            return Duration::ZERO;
        }
        let change = match pace {
            Pace::Even => Change::None,
            Pace::Faster => Change::Shorten,
            Pace::Slower => Change::Lengthen,
        };
        let samples = self.stretcher.apply(&self.decoded, change);
        if self.segments[number].contains(&frame) {
            self.heard[number].extend_from_slice(samples);
        }
        Duration::from_micros(samples.len() as u64 * 1_000 / 48)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn segments_lie_apart_and_within_the_call() {
        for seconds in [30, 60, 300, 5_400] {
            let length = Duration::from_secs(seconds);
            let frames = u32::try_from(seconds * 50).unwrap();
            let all: Vec<Range<u32>> = [0, 1]
                .into_iter()
                .flat_map(|direction| segments(length, direction))
                .collect();
            assert_eq!(all.len(), 4);
            for segment in &all {
                assert!(segment.start >= FIRST && segment.end + LEAD < frames);
                assert_eq!(segment.len(), SEGMENT as usize);
            }
            if seconds > 60 {
                assert!(all[0].end < all[2].start && all[2].end < all[1].start);
            }
        }
    }
}
