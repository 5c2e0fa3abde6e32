//! When each piece of media first arrived.

use tacit_types::Timestamp;

use crate::call::WARM_UP;
use crate::delays::Delays;

/// Pieces that can still arrive: 20 s and more. What comes later counts as lost anyhow.
const WINDOW: usize = 1024;

#[derive(Clone, Copy, Debug)]
struct Frame {
    number: u32,
    sent_at: Timestamp,
    arrived_at: Option<Timestamp>,
}

/// The pieces of one direction.
#[derive(Clone, Debug, Default)]
pub(crate) struct Frames {
    window: Vec<Option<Frame>>,
    delays: Delays,
}

impl Frames {
    /// The piece that starts with packet `number` was handed over.
    pub(crate) fn push(&mut self, number: u32, now: Timestamp) {
        if self.window.is_empty() {
            self.window = vec![None; WINDOW];
        }
        let frame = Frame {
            number,
            sent_at: now,
            arrived_at: None,
        };
        let before = self.window[number as usize % WINDOW].replace(frame);
        if let Some(frame) = before {
            count(&mut self.delays, &frame);
        }
    }

    /// A packet with this piece and some before it has arrived.
    pub(crate) fn arrived(&mut self, number: u32, repeats: u32, now: Timestamp) {
        for number in number.saturating_sub(repeats)..=number {
            let frame = self.window[number as usize % WINDOW].as_mut();
            if let Some(frame) = frame.filter(|frame| frame.number == number) {
                frame.arrived_at.get_or_insert(now);
            }
        }
    }

    /// Adds the delays of all pieces to `delays`.
    pub(crate) fn finish(mut self, delays: &mut Delays) {
        for frame in self.window.iter().flatten() {
            count(&mut self.delays, frame);
        }
        delays.merge(&self.delays);
    }
}

fn count(delays: &mut Delays, frame: &Frame) {
    if frame.sent_at >= Timestamp::ZERO + WARM_UP {
        let delay = frame
            .arrived_at
            .map(|at| at.saturating_since(frame.sent_at));
        delays.record(delay);
    }
}
