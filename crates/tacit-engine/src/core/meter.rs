//! The latency meter: where the milliseconds between a mouth and an ear go, and over which legs.

use std::time::Duration;

use tacit_paths::{LegStatus, Side};
use tacit_types::limits::FRAME_DURATION;
use tacit_types::{LegIndex, Timestamp};

use super::MediaCore;
use crate::api::{FrameCounts, LatencyBreakdown, LegQuality, LegState, PathChoice, Quality};

/// One block of the microphone, ms.
const CAPTURE_MS: f32 = 10.0;
/// The rest of the frame after its first block, ms.
const FRAME_MS: f32 = 10.0;
/// Opus look-ahead, ms.
const LOOK_AHEAD_MS: f32 = 6.5;

/// How long the packets of one leg have waited from its hand to the flush of its stream.
#[derive(Clone, Copy, Debug)]
pub struct LegQueue {
    /// Our leg.
    pub leg: LegIndex,
    /// Packets that were flushed since this was last asked, or are being written.
    pub packets: u64,
    /// How long they have waited, all together.
    pub waited: Duration,
}

/// What the core cannot know of itself.
#[derive(Clone, Debug, Default)]
pub struct Surroundings {
    /// The legs' queues.
    pub queues: Vec<LegQueue>,
    /// What waits in the output device, ms.
    pub output_ms: f32,
    /// Levels of source and sink, dBFS.
    pub levels: (f32, f32),
}

/// Turns counters into a second's report.
#[derive(Debug, Default)]
pub struct Meter {
    told: FrameCounts,
}

impl Meter {
    /// The report of the time since the last call.
    pub fn report(
        &mut self,
        core: &mut MediaCore,
        around: &Surroundings,
        now: Timestamp,
    ) -> Quality {
        let frames = frames(core, now);
        let since = self.since(frames);
        let all = (since.played + since.repaired + since.concealed).max(1);
        #[expect(clippy::cast_precision_loss, reason = "at most 50 a second")]
        let share = |part: u64| part as f32 / all as f32;
        Quality {
            at_us: now.as_micros(),
            latency: latency(core, around, now),
            round_trip_ms: core.scheduler().round_trip().map(|rt| millis(rt.best)),
            repaired: share(since.repaired),
            concealed: share(since.concealed),
            frames,
            legs: legs(core, around, now),
            last_choice: core.record().last().map(|choice| PathChoice {
                sender: choice.path.sender.0,
                receiver: choice.path.receiver.0,
                reason: choice.reason,
            }),
            choices: core.record_mut().take_reasons(),
            input_level: around.levels.0,
            output_level: around.levels.1,
        }
    }

    /// What came of frames since the last report. A resumed call starts a new playout, whose counters
    /// start again.
    const fn since(&mut self, now: FrameCounts) -> FrameCounts {
        let told = self.told;
        self.told = now;
        FrameCounts {
            played: now.played.saturating_sub(told.played),
            repaired: now.repaired.saturating_sub(told.repaired),
            concealed: now.concealed.saturating_sub(told.concealed),
        }
    }
}

fn frames(core: &MediaCore, now: Timestamp) -> FrameCounts {
    let stats = core.playout().stats(now);
    FrameCounts {
        played: stats.played,
        repaired: stats.repaired,
        concealed: stats.concealed + stats.held + stats.skipped,
    }
}

fn latency(core: &mut MediaCore, around: &Surroundings, now: Timestamp) -> LatencyBreakdown {
    let queues = around.queues.iter();
    let (packets, waited) = queues.fold((0, Duration::ZERO), |(packets, waited), queue| {
        (packets + queue.packets, waited + queue.waited)
    });
    let round_trip = core.scheduler().round_trip();
    let wait = core.playout().stats(now).delay;
    // Most frames do not come by the fastest leg: what they take longer, they do not wait.
    let spread = core.record_mut().take_spread(now).min(wait);
    // The fastest is the newest frame of a packet. Older ones that are new in it were ready before;
    // half of that is in the mean of what they took longer.
    let packing = (FRAME_DURATION * (core.peer_cells().slots() - 1)).min(wait);
    let spread = spread.saturating_sub(packing / 2).min(wait - packing);
    LatencyBreakdown {
        capture: CAPTURE_MS,
        frame: FRAME_MS + millis(packing),
        look_ahead: LOOK_AHEAD_MS,
        send_queue: mean(packets, waited).unwrap_or(0.0),
        // The clocks of the two sides are not compared: half the best recent round trip stands for
        // the fastest leg.
        network: round_trip.map_or(0.0, |rt| millis(rt.best) / 2.0) + millis(spread),
        playout_wait: millis(wait - packing - spread),
        output: around.output_ms,
    }
}

fn legs(core: &MediaCore, around: &Surroundings, now: Timestamp) -> Vec<LegQuality> {
    let all = core.scheduler().legs();
    all.map(|status| leg(core, &status, around, now)).collect()
}

fn leg(core: &MediaCore, status: &LegStatus, around: &Surroundings, now: Timestamp) -> LegQuality {
    let noted = core.record().leg(status.side, status.index, now);
    let ours = status.side == Side::Local;
    let queue = around.queues.iter();
    let queue = queue.filter(|_| ours).find(|q| q.leg == status.index);
    LegQuality {
        side: status.side,
        leg: status.index.0,
        state: if status.held {
            LegState::Held
        } else if status.suspect {
            LegState::Suspect
        } else if status.relative_delay.is_none() {
            LegState::Fresh
        } else {
            LegState::Good
        },
        relative_delay_ms: status.relative_delay.map(millis),
        inward_delay_ms: noted.inward.map(millis),
        noise_ms: millis(status.noise),
        loss: status.loss,
        overdue_ms: millis(status.overdue),
        suspected: status.suspected,
        sent: noted.sent,
        received: noted.received,
        send_queue_ms: queue.and_then(|q| mean(q.packets, q.waited)),
        last_reason: noted.reason,
    }
}

/// Mean wait, ms; `None` if nothing waited.
fn mean(packets: u64, waited: Duration) -> Option<f32> {
    let packets = u32::try_from(packets).unwrap_or(u32::MAX);
    (packets > 0).then(|| millis(waited / packets))
}

fn millis(duration: Duration) -> f32 {
    duration.as_secs_f32() * 1e3
}
