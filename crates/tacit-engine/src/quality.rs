//! What is told once a second of a call's delay, of its legs and of its sound. None of it names a
//! relay, an address or a person.

use tacit_paths::{ChoiceReason, Side};

/// Mouth-to-ear delay by stage, in milliseconds; the stages sum to `mouth_to_ear`.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct LatencyBreakdown {
    /// One block of the microphone.
    pub capture: f32,
    /// One Opus frame.
    pub frame: f32,
    /// The codec's look-ahead.
    pub look_ahead: f32,
    /// From a packet in its leg's hand to written and flushed: the mean of what was written since
    /// the last report, and of what is being written.
    pub send_queue: f32,
    /// Half the best recent round trip, and by how much the frames since the last report took longer
    /// than the fastest, on average. An estimate: the two clocks are not compared.
    pub network: f32,
    /// In the playout buffer, for a frame that took as long as most.
    pub playout_wait: f32,
    /// In the output device.
    pub output: f32,
}

impl LatencyBreakdown {
    /// Sum of all stages.
    #[must_use]
    pub fn mouth_to_ear(&self) -> f32 {
        self.capture
            + self.frame
            + self.look_ahead
            + self.send_queue
            + self.network
            + self.playout_wait
            + self.output
    }
}

/// What is known of a leg, in a word.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum LegState {
    /// Nothing that was sent on it was acknowledged yet.
    #[default]
    Fresh,
    /// Measured, and in time.
    Good,
    /// Something on it is overdue: packets go elsewhere until it answers.
    Suspect,
    /// The other person's leg, which has had as many packets as it may before it answers.
    Held,
}

impl core::fmt::Display for LegState {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str(match self {
            Self::Fresh => "fresh",
            Self::Good => "good",
            Self::Suspect => "suspect",
            Self::Held => "held",
        })
    }
}

/// One leg as the meter shows it.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub struct LegQuality {
    /// Whose leg it is. Onion legs belong to both and are told as ours.
    pub side: Side,
    /// Its number on that side.
    pub leg: u8,
    /// What is known of it.
    pub state: LegState,
    /// By how much what we send on it takes longer than on the fastest leg of its side, ms; `None`
    /// before it was measured.
    pub relative_delay_ms: Option<f32>,
    /// By how much what comes over it takes longer than over the fastest leg of its side, ms; `None`
    /// while nothing comes. Of a TURN leg both halves of the paths are in it.
    pub inward_delay_ms: Option<f32>,
    /// Mean deviation from the expected delay, ms.
    pub noise_ms: f32,
    /// Share of its packets of the last ten seconds that should have arrived and did not, 0 to 1;
    /// `None` before any should have.
    pub loss: Option<f32>,
    /// By how much its oldest unacknowledged packet is later than it should be, ms.
    pub overdue_ms: f32,
    /// How often it became suspect.
    pub suspected: u64,
    /// Packets sent on it in the last five seconds.
    pub sent: u32,
    /// Packets that came over it in the last five seconds.
    pub received: u32,
    /// How long packets waited for its stream, as [`LatencyBreakdown::send_queue`]; `None` if there
    /// were none, and for the other person's legs.
    pub send_queue_ms: Option<f32>,
    /// Why its last packet took it.
    pub last_reason: Option<ChoiceReason>,
}

impl LegQuality {
    /// A leg of which nothing is known.
    #[must_use]
    pub const fn fresh(side: Side, leg: u8) -> Self {
        Self {
            side,
            leg,
            state: LegState::Fresh,
            relative_delay_ms: None,
            inward_delay_ms: None,
            noise_ms: 0.0,
            loss: None,
            overdue_ms: 0.0,
            suspected: 0,
            sent: 0,
            received: 0,
            send_queue_ms: None,
            last_reason: None,
        }
    }
}

/// Where a packet went, and why.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PathChoice {
    /// Our leg.
    pub sender: u8,
    /// The other person's leg.
    pub receiver: u8,
    /// Why.
    pub reason: ChoiceReason,
}

/// What became of the other person's frames since the call began or was resumed, 20 ms each.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct FrameCounts {
    /// Played as they came.
    pub played: u64,
    /// Missing, and restored from what came later (DRED).
    pub repaired: u64,
    /// Concealed, or passed over: not heard.
    pub concealed: u64,
}

/// A second's worth of quality.
#[derive(Clone, Debug, Default)]
pub struct Quality {
    /// When it was measured, in microseconds on the machine's monotonic clock.
    pub at_us: u64,
    /// Delay by stage.
    pub latency: LatencyBreakdown,
    /// Best recent round trip, ms; `None` before the first.
    pub round_trip_ms: Option<f32>,
    /// Share of played media that was missing and restored from what came later, since the last
    /// report, 0 to 1.
    pub repaired: f32,
    /// Share of played media that was concealed since the last report, 0 to 1.
    pub concealed: f32,
    /// The same as counts, since the call began or was resumed.
    pub frames: FrameCounts,
    /// Legs, ours before the other person's.
    pub legs: Vec<LegQuality>,
    /// Where the last packet went, and why.
    pub last_choice: Option<PathChoice>,
    /// How often each reason chose a packet's path since the last report.
    pub choices: Vec<(ChoiceReason, u32)>,
    /// Level of our microphone, dBFS.
    pub input_level: f32,
    /// Level of the other person's voice, dBFS.
    pub output_level: f32,
}

impl Quality {
    /// The legs of one side.
    pub fn of_side(&self, side: Side) -> impl Iterator<Item = &LegQuality> {
        self.legs.iter().filter(move |leg| leg.side == side)
    }
}
