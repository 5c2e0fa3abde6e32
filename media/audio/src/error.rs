//! What can go wrong. Messages name neither files nor devices: those may name a person.

use tacit_types::Reason;

/// Why sound could not be opened.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AudioError {
    /// No such microphone, or it could not be started.
    #[error("no microphone could be opened: {0}")]
    NoInput(String),
    /// No such loudspeaker, or it could not be started.
    #[error("no loudspeaker could be opened: {0}")]
    NoOutput(String),
    /// The system refused access.
    #[error("the system refused access to the sound device: {0}")]
    Denied(String),
    /// A sound file that cannot be read or written.
    #[error("the sound file cannot be used: {0}")]
    BadFile(#[from] BadFile),
}

impl AudioError {
    /// The stable reason for programs and people.
    #[must_use]
    pub const fn reason(&self) -> Reason {
        match self {
            Self::NoInput(_) => Reason::AudioNoInput,
            Self::NoOutput(_) => Reason::AudioNoOutput,
            Self::Denied(_) => Reason::AudioDenied,
            Self::BadFile(_) => Reason::AudioBadFile,
        }
    }
}

/// What is wrong with a sound file.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BadFile {
    /// The operating system could not open, read or write it.
    #[error("{0}")]
    Io(#[from] std::io::Error),
    /// Not a regular file: a folder, a pipe, a device.
    #[error("it is not a regular file")]
    NotAFile,
    /// The file to hear into is the file to speak from.
    #[error("it would be played and overwritten at once")]
    SameFile,
    /// No bytes, or no samples.
    #[error("it is empty")]
    Empty,
    /// No RIFF/WAVE header.
    #[error("it is not a WAV file")]
    NotWav,
    /// Fewer samples than its header promises.
    #[error("it is cut short")]
    Truncated,
    /// More than [`MAX_WAV_BYTES`](crate::limits::MAX_WAV_BYTES).
    #[error("it is too large")]
    TooLarge,
    /// Its header contradicts itself.
    #[error("its header makes no sense: {0}")]
    BadHeader(&'static str),
    /// A valid WAV of a kind that is not read here.
    #[error("{0} are not supported")]
    Unsupported(String),
}
