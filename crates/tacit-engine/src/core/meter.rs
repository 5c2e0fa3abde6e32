//! The latency meter: where the milliseconds between a mouth and an ear go.

use tacit_types::Timestamp;

use super::MediaCore;
use crate::api::{LatencyBreakdown, LegQuality, Quality};

/// One block of the microphone, ms.
const CAPTURE_MS: f32 = 10.0;
/// The rest of the frame after its first block, ms.
const FRAME_MS: f32 = 10.0;
/// Opus look-ahead, ms.
const LOOK_AHEAD_MS: f32 = 6.5;

/// What the core cannot know of itself.
#[derive(Clone, Copy, Debug, Default)]
pub struct Surroundings {
    /// How long a packet waited from its leg's hand to the flush of the stream, ms.
    pub send_queue_ms: f32,
    /// What waits in the output device, ms.
    pub output_ms: f32,
    /// Levels of source and sink, dBFS.
    pub levels: (f32, f32),
}

/// Turns counters into a second's report.
#[derive(Debug, Default)]
pub struct Meter {
    played: u64,
    repaired: u64,
    concealed: u64,
}

impl Meter {
    /// The report of the time since the last call.
    pub fn report(&mut self, core: &MediaCore, around: Surroundings, now: Timestamp) -> Quality {
        let stats = core.playout().stats(now);
        let lost = stats.concealed + stats.held + stats.skipped;
        // A resumed call starts a new playout, whose counters start again.
        let played = stats.played.saturating_sub(self.played);
        let repaired = stats.repaired.saturating_sub(self.repaired);
        let concealed = lost.saturating_sub(self.concealed);
        (self.played, self.repaired, self.concealed) = (stats.played, stats.repaired, lost);
        let all = (played + repaired + concealed).max(1);
        #[expect(clippy::cast_precision_loss, reason = "at most 50 a second")]
        let share = |part: u64| part as f32 / all as f32;
        let latency = LatencyBreakdown {
            capture: CAPTURE_MS,
            frame: FRAME_MS,
            look_ahead: LOOK_AHEAD_MS,
            send_queue: around.send_queue_ms,
            // The clocks of the two sides are not compared: half the best recent round trip stands
            // for the fastest leg, and the playout's wait contains the rest.
            network: core
                .scheduler()
                .round_trip()
                .map_or(0.0, |rt| millis(rt.best) / 2.0),
            playout_wait: millis(stats.delay),
            output: around.output_ms,
        };
        Quality {
            latency,
            repaired: share(repaired),
            concealed: share(concealed),
            legs: legs(core),
            input_level: around.levels.0,
            output_level: around.levels.1,
        }
    }
}

fn legs(core: &MediaCore) -> Vec<LegQuality> {
    core.scheduler()
        .legs()
        .filter(|leg| leg.side == tacit_paths::Side::Local)
        .map(|leg| LegQuality {
            leg: leg.index.0,
            relative_delay_ms: leg.relative_delay.map(millis),
            loss: leg.loss,
            suspect: leg.suspect,
        })
        .collect()
}

fn millis(duration: core::time::Duration) -> f32 {
    duration.as_secs_f32() * 1e3
}
