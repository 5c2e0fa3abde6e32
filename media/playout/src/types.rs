//! What goes in and comes out.

use tacit_types::{FrameNumber, FramePayload};

/// What the output goes on with: 20 ms, or what stretching makes of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Pull {
    /// Nothing has been played yet and it is too early: silence.
    Wait,
    /// Decode and play this frame.
    Decode {
        /// Its number.
        frame: FrameNumber,
        /// Its bytes.
        payload: FramePayload,
        /// How it is to be played.
        pace: Pace,
    },
    /// Restore this frame, which is missing, from a later one's DRED, and play it.
    Repair {
        /// Its number.
        frame: FrameNumber,
        /// How many frames later the other one is.
        back: u32,
        /// The later one's bytes; it stays to be played in its turn.
        later: FramePayload,
        /// How it is to be played.
        pace: Pace,
    },
    /// Let the decoder conceal 20 ms.
    Conceal {
        /// The frame in whose place it is played.
        frame: FrameNumber,
        /// Whether media is lost by it.
        cause: Cause,
    },
    /// Play nothing of this frame and pull again at once, with the same time. Its bytes, if it is
    /// there, may be decoded and thrown away, so that the decoder does not lose its thread.
    Skip {
        /// Its number.
        frame: FrameNumber,
        /// Its bytes, if it came.
        payload: Option<FramePayload>,
    },
}

/// How long a frame is to be played, if its signal allows a change.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Pace {
    /// As long as it is.
    #[default]
    Even,
    /// Shorter: the delay is above the target.
    Faster,
    /// Longer: the delay is below the target.
    Slower,
}

/// Why 20 ms are concealed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Cause {
    /// The frame did not come in time; the playout passes it over.
    Lost,
    /// The buffer is dry; the playout waits for this frame, and the delay grows by 20 ms.
    Held,
}

/// How loud the output is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Loudness {
    /// Nobody would miss 20 ms of it.
    Quiet,
    /// Speech, or anything else worth hearing.
    Loud,
}

/// What became of an inserted frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Inserted {
    /// First copy, in time.
    New,
    /// A further copy.
    Duplicate,
    /// First copy, but its place has been passed.
    Late,
    /// Too old to tell.
    Stale,
    /// Far from where the call is; not taken.
    Elsewhere,
    /// Far from where the call was, as were those before it: the playout starts again here.
    Restarted,
}
