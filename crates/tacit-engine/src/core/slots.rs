//! The packet clock: slot n is n · 20 ms after the start, and the frame that starts in it has its number.

use core::time::Duration;

use tacit_types::limits::FRAME_DURATION;
use tacit_types::{EncodedFrame, FrameNumber, Reach, SlotNumber, Timestamp};

/// What is due is caught up slot by slot as long as it is not more than this. Of an older packet the
/// peer's playout could make nothing any more, and the streams would carry a burst.
const CATCH_UP: Duration = Duration::from_secs(2);

/// Which slot comes next, and which were left out.
#[derive(Debug)]
pub(super) struct Slots {
    start: Timestamp,
    next: u32,
    /// The first one after those that were left out last.
    unbroken_from: u32,
    passed_over: u64,
}

impl Slots {
    pub(super) const fn new(start: Timestamp) -> Self {
        Self {
            start,
            next: 0,
            unbroken_from: 0,
            passed_over: 0,
        }
    }

    pub(super) const fn start(&self) -> Timestamp {
        self.start
    }

    pub(super) const fn next(&self) -> SlotNumber {
        SlotNumber(self.next)
    }

    pub(super) fn time(&self) -> Timestamp {
        self.start + FRAME_DURATION * self.next
    }

    /// Whether a slot's time has come. After 2.7 years there are no more.
    pub(super) fn is_due(&self, now: Timestamp) -> bool {
        self.next < u32::MAX && self.time() <= now
    }

    pub(super) const fn take(&mut self) -> SlotNumber {
        let slot = self.next();
        self.next = self.next.saturating_add(1);
        slot
    }

    /// Leaves out what is due but the newest slot if that is too much to be caught up; returns how many
    /// slots that are.
    pub(super) fn pass_over(&mut self, now: Timestamp) -> u32 {
        if now.saturating_since(self.time()) <= CATCH_UP {
            return 0;
        }
        let passed = now.saturating_since(self.start).as_micros() / FRAME_DURATION.as_micros();
        let due = u32::try_from(passed).unwrap_or(u32::MAX);
        let left_out = due - self.next;
        self.next = due;
        self.unbroken_from = due;
        self.passed_over += u64::from(left_out);
        left_out
    }

    /// How many slots were left out so far.
    pub(super) const fn passed_over(&self) -> u64 {
        self.passed_over
    }

    /// The frame with a reach that ends where slots were left out: the encoder, which knows nothing of
    /// them, describes in its DRED what was spoken before, and that belongs to other numbers.
    pub(super) fn within_reach(&self, number: FrameNumber, frame: &EncodedFrame) -> EncodedFrame {
        let known = number.0.saturating_sub(self.unbroken_from);
        let farthest = u8::try_from(known).unwrap_or(u8::MAX);
        let reach = frame.reach;
        EncodedFrame {
            reach: Reach::new(reach.nearest(), reach.farthest().min(farthest)),
            ..*frame
        }
    }
}

#[cfg(test)]
mod tests {
    use tacit_types::FramePayload;

    use super::*;

    const START: Timestamp = Timestamp::from_micros(7_000_000);

    fn after(time: Duration) -> Timestamp {
        START + time
    }

    fn due(slots: &mut Slots, now: Timestamp) -> Vec<u32> {
        let due = core::iter::from_fn(|| slots.is_due(now).then(|| slots.take().0));
        due.take(1000).collect()
    }

    #[test]
    fn what_is_a_little_late_is_caught_up_and_what_is_much_too_late_is_left_out() {
        let mut slots = Slots::new(START);
        assert_eq!(due(&mut slots, START), [0]);
        let late = after(Duration::from_millis(2019));
        assert_eq!(slots.pass_over(late), 0);
        assert_eq!(due(&mut slots, late), (1..=100).collect::<Vec<_>>());
        let hour = after(Duration::from_secs(3600) + Duration::from_millis(7));
        assert_eq!(slots.pass_over(hour), 180_000 - 101);
        assert_eq!(due(&mut slots, hour), [180_000]);
        assert_eq!(slots.time(), after(Duration::from_millis(3_600_020)));
        assert_eq!(slots.pass_over(hour), 0);
        assert_eq!(slots.passed_over(), 180_000 - 101);
    }

    #[test]
    fn the_last_slot_ends_it() {
        let mut slots = Slots::new(START);
        let end = Timestamp::from_micros(u64::MAX);
        assert_eq!(slots.pass_over(end), u32::MAX);
        assert!(!slots.is_due(end));
        assert_eq!(slots.pass_over(end), 0);
    }

    #[test]
    fn a_frame_restores_none_from_before_what_was_left_out() {
        let payload = FramePayload::new(&[1; 20]).unwrap();
        let frame = EncodedFrame {
            reach: Reach::new(2, 30),
            ..EncodedFrame::plain(payload)
        };
        let mut slots = Slots::new(START);
        let reach = |slots: &Slots, number| slots.within_reach(FrameNumber(number), &frame).reach;
        assert_eq!(reach(&slots, 29), Reach::new(2, 29));
        assert_eq!(reach(&slots, 1000), Reach::new(2, 30));
        slots.pass_over(after(Duration::from_secs(60)));
        assert_eq!(reach(&slots, 3000), Reach::NONE);
        assert_eq!(reach(&slots, 3001), Reach::NONE);
        assert_eq!(reach(&slots, 3002), Reach::new(2, 2));
        assert_eq!(reach(&slots, 3029), Reach::new(2, 29));
        assert_eq!(reach(&slots, 3030), Reach::new(2, 30));
    }
}
