//! What the two people say: recorded human speech.

use std::path::{Path, PathBuf};

use tacit_quality::signal::{levels_10ms, read_wav, write_wav};
use tacit_quality::speech::{Text, assemble};

/// Samples in 10 ms.
const BLOCK: usize = 480;
/// Quieter than this, relative to full scale, is a pause.
const PAUSE_DBFS: f32 = -50.0;

/// A spoken file and where in it there is speech.
#[derive(Clone, Debug)]
pub struct Speech {
    /// The file, 48 kHz mono.
    pub wav: PathBuf,
    /// Whether each 10 ms hold speech.
    speech: Vec<bool>,
}

impl Speech {
    /// Writes `seconds` of a text to `wav`.
    ///
    /// # Errors
    /// If the recordings are not installed or the file cannot be written.
    pub fn make(text: Text, seconds: usize, wav: &Path) -> Result<Self, String> {
        let samples = assemble(text, seconds).map_err(|e| e.to_string())?;
        write_wav(wav, &samples).map_err(|e| format!("{}: {e}", wav.display()))?;
        Self::read(wav)
    }

    /// Reads a spoken file.
    ///
    /// # Errors
    /// If it cannot be read.
    pub fn read(wav: &Path) -> Result<Self, String> {
        let samples = read_wav(wav).map_err(|e| format!("{}: {e}", wav.display()))?;
        let speech = levels_10ms(&samples)
            .iter()
            .map(|level| *level > PAUSE_DBFS)
            .collect();
        Ok(Self {
            wav: wav.to_owned(),
            speech,
        })
    }

    /// Whether the 20 ms that start at a sample hold speech.
    #[must_use]
    pub fn is_speech(&self, position: i64) -> bool {
        usize::try_from(position).is_ok_and(|p| {
            let first = p / BLOCK;
            self.speech.iter().skip(first).take(2).any(|s| *s)
        })
    }
}
