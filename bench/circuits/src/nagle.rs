//! Nagle's algorithm: a small segment waits while an earlier one is unacknowledged.
//!
//! ```text
//!   in    1    2  3  4     5  6
//!   out   1         234       56      234 wait for the acknowledgement of 1,
//!         └── ack ──┘└── ack ─┘       or until they fill a segment
//! ```
//!
//! A stream of packets that are further apart than the acknowledgement takes never waits.

use crate::random::{Random, gauss};

/// Packets that fill a segment: 3 × 543 bytes of a cell in TLS, or 3 × 448 bytes behind the exit.
pub const PACKETS_IN_SEGMENT: f64 = 3.0;

/// The segment that is being filled, or left last.
#[derive(Clone, Debug)]
pub(crate) struct Segment {
    packets: f64,
    leaves: f64,
    /// Packets that it still has room for.
    room: f64,
}

impl Segment {
    /// `packets` fill it.
    pub(crate) const fn new(packets: f64) -> Self {
        Self {
            packets,
            leaves: f64::NEG_INFINITY,
            room: 0.0,
        }
    }

    /// When a packet that comes at `at` leaves, if it still gets into the segment.
    pub(crate) fn joined(&mut self, at: f64) -> Option<f64> {
        let joins = at <= self.leaves && self.room > 0.0;
        joins.then(|| {
            self.room -= 1.0;
            self.leaves
        })
    }

    /// When the segment leaves that a packet at `at` begins, if others follow `spacing` apart and what
    /// left before is acknowledged at `acked_at`.
    ///
    /// A later packet may fill the segment and set this one free. So that the answer is known at
    /// once, the next ones are taken to come as the last ones came. The packet that fills a segment
    /// fits in part only, and waits for the next one.
    pub(crate) fn begin(&mut self, at: f64, spacing: f64, acked_at: f64) -> f64 {
        self.leaves = if at >= acked_at {
            self.room = 0.0;
            at
        } else {
            self.room = self.packets - 2.0;
            let filled = at + (self.packets - 1.0) * spacing;
            acked_at.min(filled).max(self.leaves)
        };
        self.leaves
    }

    /// What comes at the very moment at which the segment leaves is written with it.
    pub(crate) fn open(&mut self) {
        self.room = self.room.max(self.packets - 2.0);
    }
}

/// One hop of one circuit, by itself.
#[derive(Clone, Debug)]
pub(crate) struct Hop {
    random: Random,
    /// Median time until an acknowledgement; 0 where the algorithm is off.
    ack: f64,
    jitter: f64,
    segment: Segment,
    /// When what was sent last is acknowledged.
    acked_at: f64,
}

impl Hop {
    pub(crate) const fn new(seed: u64, ack: f64, jitter: f64, in_segment: f64) -> Self {
        Self {
            random: Random::new(seed),
            ack,
            jitter,
            segment: Segment::new(in_segment),
            acked_at: f64::NEG_INFINITY,
        }
    }

    /// When a packet leaves that comes at `at`, if others follow `spacing` apart.
    pub(crate) fn pass(&mut self, at: f64, spacing: f64) -> f64 {
        if self.ack <= 0.0 {
            return at;
        }
        if let Some(leaves) = self.segment.joined(at) {
            return leaves;
        }
        let leaves = self.segment.begin(at, spacing, self.acked_at);
        self.acked_at = leaves + self.ack * (self.jitter * gauss(self.random.bits())).exp();
        leaves
    }

    /// What [`pass`](Self::pass) would say.
    pub(crate) fn foresee(&self, at: f64, spacing: f64) -> f64 {
        let mut segment = self.segment.clone();
        if self.ack <= 0.0 {
            at
        } else if let Some(leaves) = segment.joined(at) {
            leaves
        } else {
            segment.begin(at, spacing, self.acked_at)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn held(spacing: f64, packets: u32) -> Vec<f64> {
        let mut hop = Hop::new(1, 60.0, 0.0, 5.0);
        (0..packets)
            .map(|k| {
                let at = f64::from(k) * spacing;
                hop.pass(at, spacing) - at
            })
            .collect()
    }

    #[test]
    fn what_is_dense_waits_in_batches() {
        assert_eq!(held(20.0, 7), [0.0, 40.0, 20.0, 0.0, 40.0, 20.0, 0.0]);
    }

    #[test]
    fn what_is_sparse_does_not_wait() {
        assert!(held(61.0, 50).iter().all(|wait| *wait == 0.0));
    }

    #[test]
    fn a_full_segment_does_not_wait() {
        let waits = held(5.0, 100);
        assert!(waits.iter().all(|wait| *wait <= 20.0), "{waits:?}");
    }
}
