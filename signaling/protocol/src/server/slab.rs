//! Rows of one size in chunks: growing never copies, and never doubles, what is there.

use core::num::NonZeroU32;

/// Rows in a chunk: large enough that the allocator's own bytes vanish, small enough that a server
/// with one mailbox stays small.
const CHUNK_ROWS: usize = 64;

/// Where a row is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Slot(NonZeroU32);

impl Slot {
    fn new(index: usize) -> Self {
        let number = u32::try_from(index + 1).expect("rows are bounded by connections");
        Self(NonZeroU32::new(number).expect("index + 1 is not 0"))
    }

    const fn index(self) -> usize {
        self.0.get() as usize - 1
    }
}

/// Rows that keep their place.
#[derive(Debug)]
pub(super) struct Slab<T> {
    chunks: Vec<Vec<Option<T>>>,
    free: Vec<Slot>,
}

impl<T> Default for Slab<T> {
    fn default() -> Self {
        Self {
            chunks: Vec::new(),
            free: Vec::new(),
        }
    }
}

impl<T> Slab<T> {
    /// Bytes that one row takes.
    pub(super) const ROW_BYTES: usize = size_of::<Option<T>>();

    pub(super) fn insert(&mut self, row: T) -> Slot {
        if let Some(slot) = self.free.pop() {
            *self.place(slot) = Some(row);
            return slot;
        }
        if self
            .chunks
            .last()
            .is_none_or(|chunk| chunk.len() == CHUNK_ROWS)
        {
            self.chunks.push(Vec::with_capacity(CHUNK_ROWS));
        }
        let full_chunks = self.chunks.len() - 1;
        let chunk = self.chunks.last_mut().expect("one was just made sure of");
        chunk.push(Some(row));
        Slot::new(full_chunks * CHUNK_ROWS + chunk.len() - 1)
    }

    pub(super) fn remove(&mut self, slot: Slot) -> Option<T> {
        let row = self.place(slot).take();
        if row.is_some() {
            self.free.push(slot);
        }
        row
    }

    pub(super) fn get_mut(&mut self, slot: Slot) -> Option<&mut T> {
        self.place(slot).as_mut()
    }

    fn place(&mut self, slot: Slot) -> &mut Option<T> {
        &mut self.chunks[slot.index() / CHUNK_ROWS][slot.index() % CHUNK_ROWS]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_keep_their_place_and_freed_ones_are_reused() {
        let mut slab = Slab::default();
        let slots: Vec<Slot> = (0..200).map(|n| slab.insert(n)).collect();
        assert_eq!(slab.remove(slots[70]), Some(70));
        assert_eq!(slab.remove(slots[70]), None);
        assert_eq!(slab.insert(1000), slots[70]);
        for (n, slot) in slots.iter().enumerate().filter(|(n, _)| *n != 70) {
            assert_eq!(slab.get_mut(*slot), Some(&mut n.clone()));
        }
        assert_eq!(slab.chunks.len(), 200_usize.div_ceil(CHUNK_ROWS));
    }
}
