//! A path's replay window (RFC 4303 §3.4.3, with a wider window).

use super::{DropReason, REPLAY_WINDOW};

const WORDS: usize = (REPLAY_WINDOW / 64) as usize;

/// Which of the last [`REPLAY_WINDOW`] sequence numbers were accepted.
pub(super) struct ReplayWindow {
    /// One past the highest accepted sequence number.
    end: u64,
    /// Sequence `s` is bit `s % 64` of word `(s / 64) % WORDS`.
    seen: [u64; WORDS],
}

impl ReplayWindow {
    pub(super) const fn new() -> Self {
        Self {
            end: 0,
            seen: [0; WORDS],
        }
    }

    /// Whether `sequence` may still be accepted. Changes nothing.
    pub(super) const fn check(&self, sequence: u64) -> Result<(), DropReason> {
        if sequence >= self.end {
            return Ok(());
        }
        if self.end - sequence > REPLAY_WINDOW {
            return Err(DropReason::TooOld);
        }
        let (word, bit) = Self::place(sequence);
        if self.seen[word] & bit == 0 {
            Ok(())
        } else {
            Err(DropReason::Replayed)
        }
    }

    /// Records an authenticated packet that passed [`Self::check`].
    pub(super) fn commit(&mut self, sequence: u64) {
        if sequence >= self.end {
            self.clear(sequence);
            self.end = sequence + 1;
        }
        let (word, bit) = Self::place(sequence);
        self.seen[word] |= bit;
    }

    /// Forgets what the numbers from `end` to `upto` push out of the window.
    fn clear(&mut self, upto: u64) {
        if upto - self.end >= REPLAY_WINDOW {
            self.seen = [0; WORDS];
            return;
        }
        for sequence in self.end..=upto {
            let (word, bit) = Self::place(sequence);
            self.seen[word] &= !bit;
        }
    }

    const fn place(sequence: u64) -> (usize, u64) {
        (
            ((sequence / 64) % WORDS as u64) as usize,
            1 << (sequence % 64),
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeSet;

    proptest! {
        #[test]
        fn agrees_with_a_set(jumps in proptest::collection::vec((-1500i64..1500, any::<bool>()), 1..400)) {
            let mut window = ReplayWindow::new();
            let mut accepted = BTreeSet::new();
            let mut at = 0i64;
            for (jump, near) in jumps {
                at = (at + if near { jump % 8 } else { jump }).max(0);
                let sequence = at.unsigned_abs();
                let highest = accepted.last().copied();
                let expected = if accepted.contains(&sequence) && highest.is_some_and(|h| h - sequence < REPLAY_WINDOW) {
                    Err(DropReason::Replayed)
                } else if highest.is_some_and(|h: u64| h.saturating_sub(sequence) >= REPLAY_WINDOW) {
                    Err(DropReason::TooOld)
                } else {
                    Ok(())
                };
                prop_assert_eq!(window.check(sequence), expected);
                if expected.is_ok() {
                    window.commit(sequence);
                    accepted.insert(sequence);
                }
            }
        }
    }
}
