//! A record of when each frame was captured, sent, received and played, for benchmarks.
//!
//! Off unless asked for. It holds times and numbers only, never sound, names or keys.

use std::io::Write as _;
use std::path::PathBuf;

use tacit_types::{FrameNumber, Timestamp};

/// Most entries kept: about an hour of one call.
const MAX_ENTRIES: usize = 1_000_000;

/// What happened to a frame of media.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum TraceKind {
    /// Our frame was encoded and is ready to send; `at` is the capture time of its first sample.
    Captured,
    /// Our frame was ready to send.
    Ready,
    /// The first authentic copy of the peer's frame arrived.
    Arrived,
    /// The first sample of the peer's frame left our output.
    Played,
    /// The first sample of the peer's frame, restored from a later one's DRED, left our output.
    Repaired,
    /// The output played 20 ms of concealment in place of the peer's frame.
    Concealed,
    /// The peer's frame was dropped to bring the playout delay down.
    Skipped,
    /// A packet was written to a leg; the frame number is the slot's.
    Sent,
}

impl TraceKind {
    const fn name(self) -> &'static str {
        match self {
            Self::Captured => "captured",
            Self::Ready => "ready",
            Self::Arrived => "arrived",
            Self::Played => "played",
            Self::Repaired => "repaired",
            Self::Concealed => "concealed",
            Self::Skipped => "skipped",
            Self::Sent => "sent",
        }
    }
}

/// Collects entries in memory and writes them when the call ends.
#[derive(Debug)]
pub(crate) struct Trace {
    path: PathBuf,
    entries: Vec<(TraceKind, u32, Timestamp, i64)>,
}

impl Trace {
    /// A trace that is written to `path` when the call ends.
    #[must_use]
    pub(crate) fn new(path: PathBuf) -> Self {
        Self {
            path,
            entries: Vec::with_capacity(64 * 1024),
        }
    }

    /// Adds an entry; `position` is the sample offset in the source, or −1 where there is none.
    pub(crate) fn push(
        &mut self,
        kind: TraceKind,
        frame: FrameNumber,
        at: Timestamp,
        position: i64,
    ) {
        if self.entries.len() < MAX_ENTRIES {
            self.entries.push((kind, frame.0, at, position));
        }
    }

    /// Writes one line an entry: `kind number microseconds position`.
    ///
    /// # Errors
    /// If the file cannot be written.
    pub(crate) fn write(&self) -> std::io::Result<()> {
        let mut file = std::io::BufWriter::new(std::fs::File::create(&self.path)?);
        for (kind, number, at, position) in &self.entries {
            writeln!(
                file,
                "{} {} {} {}",
                kind.name(),
                number,
                at.as_micros(),
                position
            )?;
        }
        file.flush()
    }
}
