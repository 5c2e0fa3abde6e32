//! DRED of one payload: what it covers, and its neural part only once it is wanted.

use crate::CodecError;
use crate::raw::{RawDecoder, RawDred, Span};
use tacit_types::limits::{FRAME_SAMPLES, SAMPLE_RATE};
use tacit_types::{FramePayload, Reach};

const FRAME: i32 = FRAME_SAMPLES as i32;

/// Nothing beyond a second is read, whatever a payload says.
const LONGEST: i32 = SAMPLE_RATE.cast_signed();

/// The DRED of the payload that was looked at last; reused for every other one.
pub(crate) struct Dred {
    raw: RawDred,
    loaded: Option<(FramePayload, Reach)>,
    processed: bool,
}

impl Dred {
    pub(crate) fn new() -> Result<Self, CodecError> {
        Ok(Self {
            raw: RawDred::new()?,
            loaded: None,
            processed: false,
        })
    }

    /// Which frames before its own a payload restores.
    pub(crate) fn load(&mut self, payload: &FramePayload) -> Result<Reach, CodecError> {
        if let Some((loaded, reach)) = &self.loaded
            && loaded == payload
        {
            return Ok(*reach);
        }
        self.loaded = None;
        self.processed = false;
        let span = self
            .raw
            .parse(payload, LONGEST)
            .map_err(|_| CodecError::Damaged)?;
        let reach = whole_frames(span);
        self.loaded = Some((*payload, reach));
        Ok(reach)
    }

    /// What was loaded, ready to decode from.
    pub(crate) fn processed(&mut self) -> Result<&RawDred, CodecError> {
        if !self.processed {
            self.raw.process()?;
            self.processed = true;
        }
        Ok(&self.raw)
    }
}

/// Restores the frame `back` frames before the one that `dred` came with.
pub(crate) fn decode(
    decoder: &mut RawDecoder,
    dred: &mut Dred,
    payload: &FramePayload,
    back: u32,
    out: &mut crate::FrameSamples,
) -> Result<(), CodecError> {
    if !dred.load(payload)?.covers(back) {
        return Err(CodecError::OutOfReach);
    }
    // Covered, so at most 255 frames back.
    let back = i32::try_from(back).map_err(|_| CodecError::OutOfReach)?;
    match decoder.decode_dred(dred.processed()?, back * FRAME, out)? {
        FRAME_SAMPLES => Ok(()),
        _ => Err(CodecError::OutOfReach),
    }
}

/// Frames that lie wholly in the span.
fn whole_frames(span: Span) -> Reach {
    let frames = |count: usize| u8::try_from(count).unwrap_or(u8::MAX);
    let samples = |place: i32| usize::try_from(place).unwrap_or(0);
    let nearest = 1 + samples(span.end).div_ceil(FRAME_SAMPLES);
    let farthest = samples(span.begin) / FRAME_SAMPLES;
    Reach::new(frames(nearest), frames(farthest))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_whole_frames_count() {
        let reach = |begin, end| whole_frames(Span { begin, end });
        assert_eq!(reach(0, 0), Reach::NONE);
        assert_eq!(reach(FRAME - 1, 0), Reach::NONE);
        assert_eq!(reach(FRAME, 0), Reach::new(1, 1));
        assert_eq!(reach(24 * FRAME + 700, 0), Reach::new(1, 24));
        assert_eq!(reach(24 * FRAME, 1), Reach::new(2, 24));
        assert_eq!(reach(24 * FRAME, 2 * FRAME), Reach::new(3, 24));
        assert_eq!(reach(2 * FRAME, 2 * FRAME), Reach::NONE);
        assert_eq!(reach(i32::MIN, i32::MIN), Reach::NONE);
        assert_eq!(reach(i32::MAX, 0), Reach::new(1, u8::MAX));
    }
}
