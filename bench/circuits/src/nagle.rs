//! Nagle's algorithm on one hop: a small segment waits while an earlier one is unacknowledged.
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

/// One hop.
#[derive(Clone, Debug)]
pub(crate) struct Hop {
    random: Random,
    /// Median time until an acknowledgement; 0 where the algorithm is off.
    ack: f64,
    jitter: f64,
    in_segment: f64,
    /// When what was sent last is acknowledged.
    acked_at: f64,
    /// When the batch that waits, or waited last, leaves.
    batch_leaves: f64,
    /// Packets that it still has room for.
    room: f64,
}

impl Hop {
    pub(crate) const fn new(seed: u64, ack: f64, jitter: f64, in_segment: f64) -> Self {
        Self {
            random: Random::new(seed),
            ack,
            jitter,
            in_segment,
            acked_at: f64::NEG_INFINITY,
            batch_leaves: f64::NEG_INFINITY,
            room: 0.0,
        }
    }

    /// When a packet leaves that comes at `at`, if others follow `spacing` apart.
    ///
    /// A later packet may fill the segment and set this one free. So that the answer is known at
    /// once, the next ones are taken to come as the last ones came. The packet that fills a segment
    /// fits in part only, and waits for the next one.
    pub(crate) fn pass(&mut self, at: f64, spacing: f64) -> f64 {
        if self.ack <= 0.0 {
            return at;
        }
        if at <= self.batch_leaves && self.room > 0.0 {
            self.room -= 1.0;
            return self.batch_leaves;
        }
        let leaves = if at >= self.acked_at {
            self.room = 0.0;
            at
        } else {
            self.room = self.in_segment - 2.0;
            let filled = at + (self.in_segment - 1.0) * spacing;
            self.acked_at.min(filled).max(self.batch_leaves)
        };
        self.batch_leaves = leaves;
        self.acked_at = leaves + self.ack * (self.jitter * gauss(self.random.bits())).exp();
        leaves
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
