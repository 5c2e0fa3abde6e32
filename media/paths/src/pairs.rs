//! When each pair of legs was last used: so that legs which take turns meet all others by and by, and
//! the delay of one is told from the other's.

use crate::limits::LEGS;

/// Turns by the positions of the local and the peer's leg.
#[derive(Clone, Debug, Default)]
pub(crate) struct Pairs([[u64; LEGS]; LEGS]);

impl Pairs {
    /// Positions have changed: all pairs are as good as new.
    pub(crate) fn forget(&mut self) {
        *self = Self::default();
    }

    pub(crate) const fn used(&mut self, local: usize, peer: usize, turn: u64) {
        self.0[local][peer] = turn;
    }

    pub(crate) const fn turn(&self, local: usize, peer: usize) -> u64 {
        self.0[local][peer]
    }
}
