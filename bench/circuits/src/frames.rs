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
    /// Its older and its newer half.
    arrived_at: [Option<Timestamp>; 2],
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
            arrived_at: [None; 2],
        };
        let before = self.window[number as usize % WINDOW].replace(frame);
        if let Some(frame) = before {
            count(&mut self.delays, &frame);
        }
    }

    /// A packet with this piece and some before it has arrived, and with the newer half of the one
    /// before those if `half`.
    pub(crate) fn arrived(&mut self, number: u32, repeats: u32, half: bool, now: Timestamp) {
        let oldest = number.saturating_sub(repeats);
        for number in oldest..=number {
            if let Some(frame) = self.get(number) {
                for at in &mut frame.arrived_at {
                    at.get_or_insert(now);
                }
            }
        }
        if let Some(number) = oldest.checked_sub(1).filter(|_| half)
            && let Some(frame) = self.get(number)
        {
            frame.arrived_at[1].get_or_insert(now);
        }
    }

    fn get(&mut self, number: u32) -> Option<&mut Frame> {
        let frame = self.window[number as usize % WINDOW].as_mut();
        frame.filter(|frame| frame.number == number)
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
    if frame.sent_at < Timestamp::ZERO + WARM_UP {
        return;
    }
    for arrived_at in frame.arrived_at {
        delays.record(arrived_at.map(|at| at.saturating_since(frame.sent_at)));
    }
}

#[cfg(test)]
mod tests {
    use core::time::Duration;

    use super::*;

    fn at(millis: u64) -> Timestamp {
        Timestamp::ZERO + WARM_UP + Duration::from_millis(millis)
    }

    #[test]
    fn a_packet_restores_what_it_repeats_and_half_a_packet_more() {
        let mut frames = Frames::default();
        for number in 0..4_u32 {
            frames.push(number, at(40 * u64::from(number)));
        }
        frames.arrived(3, 1, true, at(200));
        let mut delays = Delays::default();
        frames.finish(&mut delays);
        // Halves of 3 take 80 ms, of 2 take 120, the newer one of 1 takes 160; the others never come.
        assert_eq!(delays.total(), 8);
        let quantiles = [0.25, 0.5, 0.6, 0.7].map(|p| delays.quantile(p).unwrap_or(0));
        assert_eq!(quantiles, [80, 120, 160, crate::delays::LONGEST]);
    }
}
