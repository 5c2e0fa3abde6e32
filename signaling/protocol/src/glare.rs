//! Both ring each other at once: one call comes of it, and both sides know which.

/// Rank of a ring: BLAKE2s of its Noise message 1.
pub type RingRank = [u8; 32];

/// Which of two crossing rings goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Glare {
    /// Ours: do not answer theirs.
    OursWins,
    /// Theirs: give ours up and answer theirs.
    TheirsWins,
}

/// The lower rank wins; both sides see the same two ranks, so they agree without a word.
#[must_use]
pub fn resolve(ours: &RingRank, theirs: &RingRank) -> Glare {
    if ours < theirs {
        Glare::OursWins
    } else {
        Glare::TheirsWins
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_sides_agree() {
        let (a, b) = ([1; 32], [2; 32]);
        assert_eq!(resolve(&a, &b), Glare::OursWins);
        assert_eq!(resolve(&b, &a), Glare::TheirsWins);
    }
}
