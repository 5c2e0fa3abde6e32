//! What the examples share: encoded speech, and the segments of it that are scored.

use std::error::Error;
use std::time::Instant;

use tacit_codec::{Encoder, lookahead};
use tacit_quality::RATE;
use tacit_quality::speech::{Text, assemble};
use tacit_types::EncodedFrame;
use tacit_types::limits::FRAME_SAMPLES;

/// Of each text.
const SECONDS: usize = 25;
/// From here on it is scored: the encoder's and the decoder's networks have heard something.
pub(crate) const FROM: usize = RATE;
/// P.862.3: 8 to 12 s.
const SEGMENT: usize = 12 * RATE;

/// A text as the codec has it.
pub(crate) struct Encoded {
    pub(crate) spoken: Vec<f32>,
    pub(crate) frames: Vec<EncodedFrame>,
}

pub(crate) fn encode(text: Text) -> Result<Encoded, Box<dyn Error>> {
    let spoken = assemble(text, SECONDS)?;
    let mut encoder = Encoder::new()?;
    let (chunks, _) = spoken.as_chunks::<FRAME_SAMPLES>();
    let frames = chunks.iter().map(|samples| encoder.encode(samples));
    Ok(Encoded {
        frames: frames.collect::<Result<_, _>>()?,
        spoken,
    })
}

/// What was decoded, where it was spoken: the decoder lags behind by the look-ahead.
pub(crate) fn in_place(mut heard: Vec<f32>, spoken: &[f32]) -> Vec<f32> {
    heard.drain(..lookahead());
    heard.resize(spoken.len(), 0.0);
    heard
}

/// Segments of what was spoken, and of what was heard of them.
pub(crate) fn segments<'a>(
    heards: &'a [(&'a Encoded, Vec<f32>)],
) -> impl Iterator<Item = (&'a [f32], &'a [f32])> {
    heards.iter().flat_map(|(encoded, heard)| {
        (FROM..encoded.spoken.len() + 1 - SEGMENT)
            .step_by(SEGMENT)
            .map(|at| (&encoded.spoken[at..at + SEGMENT], &heard[at..at + SEGMENT]))
    })
}

/// How far a table is.
pub(crate) struct Rows {
    all: usize,
    done: usize,
    began: Instant,
}

impl Rows {
    /// Of so many rows, none of which is there.
    pub(crate) fn new(all: usize) -> Self {
        Self {
            all,
            done: 0,
            began: Instant::now(),
        }
    }

    /// Tells of one more, and how long the others will take if they are like those so far.
    pub(crate) fn tell(&mut self, row: &str) {
        self.done += 1;
        let left = self.all.saturating_sub(self.done) as f64;
        let seconds = self.began.elapsed().as_secs_f64() * left / self.done as f64;
        let (done, all) = (self.done, self.all);
        eprintln!("{done} of {all} rows, about {seconds:.0} s left: {row}");
    }
}
