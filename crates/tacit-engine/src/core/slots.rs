//! The packet clock: slot n is n · 20 ms after the start, and the frame that starts in it has its number.

use tacit_legs::limits::MAX_QUEUED_PACKETS;
use tacit_types::limits::FRAME_DURATION;
use tacit_types::{SlotNumber, Timestamp};

/// So many of the slots that are due are caught up, the newest, and those before them are left out: of
/// more a device has kept no sound (80 ms), and where there is one leg it queues no more packets.
const CAUGHT_UP: u32 = MAX_QUEUED_PACKETS as u32;

/// Which slot comes next, and which were left out.
#[derive(Debug)]
pub(super) struct Slots {
    start: Timestamp,
    next: u32,
}

impl Slots {
    pub(super) const fn new(start: Timestamp) -> Self {
        Self { start, next: 0 }
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

    /// Leaves out what is due but the newest slots; returns how many that are.
    pub(super) fn pass_over(&mut self, now: Timestamp) -> u32 {
        let passed = now.saturating_since(self.start).as_micros() / FRAME_DURATION.as_micros();
        let newest_due = u32::try_from(passed).unwrap_or(u32::MAX);
        let next = newest_due.saturating_sub(CAUGHT_UP - 1).max(self.next);
        let left_out = next - self.next;
        self.next = next;
        left_out
    }
}

#[cfg(test)]
mod tests {
    use core::time::Duration;

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
    fn of_what_is_due_the_newest_four_are_caught_up() {
        let mut slots = Slots::new(START);
        assert_eq!(due(&mut slots, START), [0]);
        let late = after(Duration::from_millis(99));
        assert_eq!(slots.pass_over(late), 0);
        assert_eq!(due(&mut slots, late), [1, 2, 3, 4]);
        let later = after(Duration::from_millis(200));
        assert_eq!(slots.pass_over(later), 2);
        assert_eq!(due(&mut slots, later), [7, 8, 9, 10]);
        let hour = after(Duration::from_secs(3600) + Duration::from_millis(7));
        assert_eq!(slots.pass_over(hour), 180_000 - 14);
        assert_eq!(slots.pass_over(hour), 0);
        assert_eq!(due(&mut slots, hour), [179_997, 179_998, 179_999, 180_000]);
        assert_eq!(slots.time(), after(Duration::from_millis(3_600_020)));
    }

    #[test]
    fn the_last_slot_ends_it() {
        let mut slots = Slots::new(START);
        let end = Timestamp::from_micros(u64::MAX);
        assert_eq!(slots.pass_over(end), u32::MAX - 3);
        assert_eq!(due(&mut slots, end).len(), 3);
        assert!(!slots.is_due(end));
        assert_eq!(slots.pass_over(end), 0);
    }
}
