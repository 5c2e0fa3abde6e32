//! When each frame first arrived.

use tacit_types::Timestamp;

use crate::call::WARM_UP;
use crate::delays::Delays;
use crate::strategies::{Contents, Older};

/// Frames that can still arrive: 20 s and more. What comes later counts as lost anyhow.
const WINDOW: usize = 1024;

#[derive(Clone, Copy, Debug)]
struct Frame {
    number: u32,
    ready_at: Timestamp,
    arrived_at: Option<Timestamp>,
}

/// The frames of one direction.
#[derive(Clone, Debug, Default)]
pub(crate) struct Frames {
    window: Vec<Option<Frame>>,
    delays: Delays,
}

impl Frames {
    /// The frames that are new in a packet that is sent now. The newest has just become ready.
    pub(crate) fn push(&mut self, contents: &Contents, packet: u32, now: Timestamp) {
        if self.window.is_empty() {
            self.window = vec![None; WINDOW];
        }
        let newest = contents.newest(packet);
        for before in (0..contents.new).rev() {
            let number = newest.saturating_sub(before);
            let frame = Frame {
                number,
                ready_at: now - contents.frame() * before,
                arrived_at: None,
            };
            let last = self.window[number as usize % WINDOW].replace(frame);
            if let Some(frame) = last {
                count(&mut self.delays, &frame);
            }
        }
    }

    /// A packet with these has arrived.
    pub(crate) fn arrived(&mut self, newest: u32, older: Older, now: Timestamp) {
        for number in older.frames(newest) {
            if let Some(frame) = self.get(number) {
                frame.arrived_at.get_or_insert(now);
            }
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
    if frame.ready_at < Timestamp::ZERO + WARM_UP {
        return;
    }
    let delay = |at: Timestamp| at.saturating_since(frame.ready_at);
    delays.record(frame.arrived_at.map(delay));
}

#[cfg(test)]
mod tests {
    use core::time::Duration;

    use super::*;

    fn at(millis: u64) -> Timestamp {
        Timestamp::ZERO + WARM_UP + Duration::from_millis(millis)
    }

    #[test]
    fn frames_are_timed_from_their_being_ready() {
        let two = Contents {
            interval: Duration::from_millis(40),
            new: 2,
            older: None,
        };
        let mut frames = Frames::default();
        for packet in 0..4_u32 {
            frames.push(&two, packet, at(20 + 40 * u64::from(packet)));
        }
        // Frames 7, 6, 5 and 3, ready at 140, 120, 100 and 60; the others never come.
        frames.arrived(7, Older(0b1011), at(200));
        let mut delays = Delays::default();
        frames.finish(&mut delays);
        assert_eq!(delays.total(), 8);
        let quantiles = [0.1, 0.25, 0.3, 0.5, 0.6].map(|p| delays.quantile(p).unwrap_or(0));
        assert_eq!(quantiles, [60, 80, 100, 140, crate::delays::LONGEST]);
    }
}
