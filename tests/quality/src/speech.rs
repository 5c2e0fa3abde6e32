//! Recorded human speech of a wanted length, from Debian's `asterisk-core-sounds-en-g722`.

use crate::{RATE, signal};
use ezk_g722::libg722::{Bitrate, decoder::Decoder};
use std::path::{Path, PathBuf};

/// Where the package puts its voices.
const SOUNDS: &str = "/usr/share/asterisk/sounds";

/// The Debian package to install when there is no speech.
pub const PACKAGE: &str = "asterisk-core-sounds-en-g722";

/// Between two recordings, in turn: as people pause.
const PAUSES_MS: [usize; 5] = [420, 300, 560, 350, 600];

/// Root mean square of the speech, pauses not counted: as telephony levels it (ITU-T P.56).
const SPEECH_DBFS: f32 = -23.0;

/// Quieter than this is a pause.
const PAUSE_DBFS: f32 = -50.0;

/// Left of the silence before and after a recording.
const KEPT_SILENCE: usize = RATE / 50;

const FADE: usize = RATE / 50;

/// Which of the two texts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Text {
    /// For the caller.
    A,
    /// For the callee.
    B,
}

impl Text {
    /// Recordings without music and tones, of whole sentences.
    const fn recordings(self) -> &'static [&'static str] {
        match self {
            Self::A => &[
                "demo-congrats",
                "demo-instruct",
                "demo-moreinfo",
                "dir-intro-fn",
            ],
            Self::B => &[
                "demo-abouttotry",
                "demo-echotest",
                "basic-pbx-ivr-main",
                "vm-options",
            ],
        }
    }
}

/// Why there is no speech.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SpeechError {
    /// The recordings are not installed.
    #[error("no recorded speech in {SOUNDS}: install the Debian package {PACKAGE}")]
    Missing,
    /// A recording cannot be read.
    #[error("a recording cannot be read: {0}")]
    Io(#[from] std::io::Error),
}

/// Speech of exactly `seconds`, 48 kHz mono; the text starts again when it is too short.
///
/// # Errors
/// [`SpeechError`] when the package is not installed.
pub fn assemble(text: Text, seconds: usize) -> Result<Vec<f32>, SpeechError> {
    let folder = sounds_folder()?;
    let wanted = seconds * RATE;
    let mut speech = vec![0.0; RATE / 4];
    let mut pauses = PAUSES_MS.iter().cycle();
    for name in text.recordings().iter().cycle() {
        if speech.len() >= wanted {
            break;
        }
        speech.extend(recording(&folder.join(name).with_extension("g722"))?);
        let pause = pauses.next().expect("an endless cycle");
        speech.resize(speech.len() + pause * RATE / 1_000, 0.0);
    }
    speech.truncate(wanted);
    let end = speech.len();
    for (i, sample) in speech[end - FADE.min(end)..].iter_mut().enumerate() {
        *sample *= 1.0 - i as f32 / FADE as f32;
    }
    Ok(speech)
}

/// The folder of the voice that has all our texts.
fn sounds_folder() -> Result<PathBuf, SpeechError> {
    let mut folders: Vec<PathBuf> = std::fs::read_dir(SOUNDS)
        .map_err(|_| SpeechError::Missing)?
        .filter_map(|entry| Some(entry.ok()?.path()))
        .collect();
    folders.sort();
    let complete = |folder: &PathBuf| {
        [Text::A, Text::B]
            .into_iter()
            .flat_map(Text::recordings)
            .all(|name| folder.join(name).with_extension("g722").is_file())
    };
    folders
        .into_iter()
        .find(complete)
        .ok_or(SpeechError::Missing)
}

/// One recording: decoded, without the silence at its ends, levelled.
fn recording(path: &Path) -> Result<Vec<f32>, SpeechError> {
    let decoded = Decoder::new(Bitrate::Mode1_64000, false, false).decode(&std::fs::read(path)?);
    let samples: Vec<f32> = decoded.iter().map(|s| f32::from(*s) / 32_768.0).collect();
    let mut samples = levelled(signal::from_16k(&samples));
    let levels = signal::levels_10ms(&samples);
    let speaks = |level: &f32| *level > PAUSE_DBFS;
    let block = RATE / 100;
    let first = levels.iter().position(speaks).unwrap_or(0) * block;
    let last = levels
        .iter()
        .rposition(speaks)
        .map_or(0, |i| (i + 1) * block);
    samples.truncate((last + KEPT_SILENCE).min(samples.len()));
    Ok(samples.split_off(first.saturating_sub(KEPT_SILENCE)))
}

fn levelled(mut samples: Vec<f32>) -> Vec<f32> {
    let spoken: Vec<f32> = samples
        .chunks(RATE / 100)
        .filter(|c| tacit_audio::Level::of(c).dbfs() > PAUSE_DBFS)
        .flatten()
        .copied()
        .collect();
    let level = tacit_audio::Level::of(&spoken);
    let gain = 10_f32
        .powf((SPEECH_DBFS - level.dbfs()) / 20.0)
        .min(0.9 / level.peak.max(1e-6));
    for sample in &mut samples {
        *sample *= gain;
    }
    samples
}
