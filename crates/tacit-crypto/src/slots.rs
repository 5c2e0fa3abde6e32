//! The order in which a generation's 2048 slots are handed out: a keyed permutation, so that the
//! indices of one contact's tokens look like anybody's to the server.

use blake2::Blake2sMac256;
use blake2::digest::{FixedOutput, KeyInit, Mac};
use tacit_types::SecretBytes;
use tacit_types::limits::GENERATION_SLOTS;

/// The slot order of one generation.
///
/// Slots are sorted by the 32-byte keyed BLAKE2s of their number, read as big-endian; position `p`
/// of the sorted list is the `p`-th slot handed out. With a secret key this is a uniformly random
/// permutation up to BLAKE2s collisions; it costs 2048 hashes, once a refill at most.
#[derive(Clone)]
pub struct SlotOrder(Vec<u16>);

impl core::fmt::Debug for SlotOrder {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("SlotOrder[redacted]")
    }
}

impl SlotOrder {
    /// Computes the order under `key`.
    #[must_use]
    pub fn new(key: &SecretBytes<32>) -> Self {
        let mut slots: Vec<([u8; 32], u16)> = (0..GENERATION_SLOTS)
            .map(|slot| {
                let slot = u16::try_from(slot).expect("2048 slots fit 16 bits");
                let mut mac = <Blake2sMac256 as KeyInit>::new_from_slice(key.expose())
                    .expect("BLAKE2s takes a 32-byte key");
                mac.update(&slot.to_be_bytes());
                (mac.finalize_fixed().into(), slot)
            })
            .collect();
        slots.sort_unstable();
        Self(slots.into_iter().map(|(_, slot)| slot).collect())
    }

    /// The slot at `position`, or `None` past the generation's end.
    #[must_use]
    pub fn slot(&self, position: u16) -> Option<u16> {
        self.0.get(usize::from(position)).copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_slot_appears_once_and_the_key_matters() {
        let a = SlotOrder::new(&SecretBytes::new([1; 32]));
        let b = SlotOrder::new(&SecretBytes::new([2; 32]));
        assert_ne!(a.0, b.0);
        let mut seen = a.0.clone();
        seen.sort_unstable();
        assert!(seen.iter().copied().eq(0..2048));
        assert_eq!(a.slot(2048), None);
    }
}
