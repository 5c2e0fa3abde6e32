//! The media clock as it crosses the network.

use core::time::Duration;

/// A moment on one side's media clock, in 1/8 ms since that clock's start; wraps after 149 hours.
///
/// The two sides' clocks have unrelated origins; only differences mean something.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct MediaTime(pub u32);

impl MediaTime {
    /// Microseconds of one tick.
    pub const TICK_MICROS: u64 = 125;

    /// The moment `elapsed` after the media clock's start.
    #[must_use]
    #[expect(
        clippy::cast_possible_truncation,
        reason = "the clock wraps by definition"
    )]
    pub const fn from_elapsed(elapsed: Duration) -> Self {
        Self((elapsed.as_micros() / Self::TICK_MICROS as u128) as u32)
    }

    /// `self - other` in microseconds; right while the two are less than 74 hours apart.
    #[must_use]
    pub const fn signed_micros_since(self, other: Self) -> i64 {
        let ticks = self.0.wrapping_sub(other.0).cast_signed();
        ticks as i64 * Self::TICK_MICROS as i64
    }

    /// The moment `ticks` eighths of a millisecond before `self`.
    #[must_use]
    pub const fn ticks_earlier(self, ticks: u32) -> Self {
        Self(self.0.wrapping_sub(ticks))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn differences_survive_the_wrap() {
        let before = MediaTime(u32::MAX);
        let after = MediaTime(7);
        assert_eq!(after.signed_micros_since(before), 1000);
        assert_eq!(before.signed_micros_since(after), -1000);
        assert_eq!(after.ticks_earlier(8), before);
        assert_eq!(
            MediaTime::from_elapsed(Duration::from_millis(20)),
            MediaTime(160)
        );
    }
}
