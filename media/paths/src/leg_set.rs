//! A set of leg indices, without allocation.

use tacit_types::LegIndex;

/// One bit an index.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct LegSet([u64; 4]);

impl LegSet {
    pub(crate) const EMPTY: Self = Self([0; 4]);

    const fn place(leg: LegIndex) -> (usize, u64) {
        (leg.0 as usize / 64, 1 << (leg.0 % 64))
    }

    /// False if it was in already.
    pub(crate) const fn insert(&mut self, leg: LegIndex) -> bool {
        let (word, bit) = Self::place(leg);
        let new = self.0[word] & bit == 0;
        self.0[word] |= bit;
        new
    }

    /// False if it was not in.
    pub(crate) const fn remove(&mut self, leg: LegIndex) -> bool {
        let (word, bit) = Self::place(leg);
        let had = self.0[word] & bit != 0;
        self.0[word] &= !bit;
        had
    }

    pub(crate) const fn contains(&self, leg: LegIndex) -> bool {
        let (word, bit) = Self::place(leg);
        self.0[word] & bit != 0
    }

    pub(crate) fn len(&self) -> usize {
        self.0.iter().map(|word| word.count_ones() as usize).sum()
    }

    pub(crate) fn is_empty(&self) -> bool {
        *self == Self::EMPTY
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_index_has_a_place_of_its_own() {
        let mut set = LegSet::EMPTY;
        for index in 0..=u8::MAX {
            assert!(!set.contains(LegIndex(index)));
            assert!(set.insert(LegIndex(index)) && !set.insert(LegIndex(index)));
            assert_eq!(set.len(), usize::from(index) + 1);
        }
        for index in 0..=u8::MAX {
            assert!(set.remove(LegIndex(index)) && !set.remove(LegIndex(index)));
            assert!(!set.contains(LegIndex(index)));
        }
        assert!(set.is_empty());
    }
}
