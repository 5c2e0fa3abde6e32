//! The sender's half of the packet cipher.

use core::fmt;
use std::collections::BTreeMap;

use chacha20poly1305::ChaCha20Poly1305;
use chacha20poly1305::aead::AeadInPlace;
use tacit_types::limits::{PACKET_BYTES, PACKET_COUNTER_BYTES, PACKET_PLAINTEXT_BYTES};
use tacit_types::{LegIndex, Path, Timestamp};

use super::keys::{Chain, LegSet, SAMPLE_BYTES, epoch_at, mask, nonce};
use super::{MAX_PATHS, PacketCounter, SEQUENCE_END};
use crate::kdf::Key;
use crate::session::MediaKeys;

/// A packet could not be sealed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SealError {
    /// The epoch or a path's sequence number is used up; a new handshake (resume) is needed.
    #[error("the packet counter is used up")]
    Exhausted,
    /// A leg of the path was retired.
    #[error("the leg was retired")]
    RetiredLeg,
    /// More paths than a call may have.
    #[error("too many paths")]
    TooManyPaths,
}

/// Seals packets, each for one path. Every copy of the same content comes out different.
pub struct PacketSealer {
    start: Timestamp,
    chain: Chain,
    mask: Key,
    paths: BTreeMap<Path, PathState>,
    retired_senders: LegSet,
    retired_receivers: LegSet,
}

struct PathState {
    next: u64,
    epoch: u16,
    cipher: ChaCha20Poly1305,
}

impl PacketSealer {
    /// Epoch 0 begins at `start`.
    #[must_use]
    pub fn new(keys: &MediaKeys, start: Timestamp) -> Self {
        Self {
            start,
            chain: Chain::new(keys.seal_chain.clone()),
            mask: keys.seal_mask.clone(),
            paths: BTreeMap::new(),
            retired_senders: LegSet::default(),
            retired_receivers: LegSet::default(),
        }
    }

    /// Seals `plaintext` for `path`. Allocates only on a path's first packet.
    pub fn seal(
        &mut self,
        path: Path,
        plaintext: &[u8; PACKET_PLAINTEXT_BYTES],
        now: Timestamp,
        out: &mut [u8; PACKET_BYTES],
    ) -> Result<PacketCounter, SealError> {
        let epoch = epoch_at(now.saturating_since(self.start)).ok_or(SealError::Exhausted)?;
        self.chain.advance_to(epoch);
        let state = self.path(path)?;
        if state.next >= SEQUENCE_END {
            return Err(SealError::Exhausted);
        }
        let counter = PacketCounter {
            epoch: state.epoch,
            sequence: state.next,
        };
        state.next += 1;
        let mut header = counter.to_bytes();
        let (front, sealed) = out.split_at_mut(PACKET_COUNTER_BYTES);
        let (body, tag_out) = sealed.split_at_mut(PACKET_PLAINTEXT_BYTES);
        body.copy_from_slice(plaintext);
        let tag = state
            .cipher
            .encrypt_in_place_detached(&nonce(counter).into(), &header, body)
            .expect("a packet is far below the cipher's limit");
        tag_out.copy_from_slice(&tag);
        let sample = body
            .first_chunk::<SAMPLE_BYTES>()
            .expect("a packet holds a sample");
        mask(&self.mask, sample, &mut header);
        front.copy_from_slice(&header);
        Ok(counter)
    }

    /// Forgets every path of one of this side's legs. Its index must not come back.
    pub fn retire_sender_leg(&mut self, leg: LegIndex) {
        self.retired_senders.insert(leg);
        self.paths.retain(|path, _| path.sender != leg);
    }

    /// Forgets every path to one of the other side's legs. Its index must not come back.
    pub fn retire_receiver_leg(&mut self, leg: LegIndex) {
        self.retired_receivers.insert(leg);
        self.paths.retain(|path, _| path.receiver != leg);
    }

    /// The path's state, with the key of the chain's epoch.
    fn path(&mut self, path: Path) -> Result<&mut PathState, SealError> {
        // A path that was forgotten would count from zero again, under the same key.
        if self.retired_senders.contains(path.sender)
            || self.retired_receivers.contains(path.receiver)
        {
            return Err(SealError::RetiredLeg);
        }
        if self.paths.len() >= MAX_PATHS && !self.paths.contains_key(&path) {
            return Err(SealError::TooManyPaths);
        }
        let (chain, epoch) = (&self.chain, self.chain.epoch());
        let state = self.paths.entry(path).or_insert_with(|| PathState {
            next: 0,
            epoch,
            cipher: chain.path_cipher(path),
        });
        if state.epoch != epoch {
            *state = PathState {
                next: state.next,
                epoch,
                cipher: chain.path_cipher(path),
            };
        }
        Ok(state)
    }
}

impl fmt::Debug for PacketSealer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PacketSealer")
            .field("epoch", &self.chain.epoch())
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tacit_types::SecretBytes;

    #[test]
    fn the_sequence_ends_instead_of_wrapping() {
        let key = || SecretBytes::new([1; 32]);
        let (seal_chain, seal_mask, open_chain, open_mask) = (key(), key(), key(), key());
        let keys = MediaKeys {
            seal_chain,
            seal_mask,
            open_chain,
            open_mask,
        };
        let mut sealer = PacketSealer::new(&keys, Timestamp::ZERO);
        let path = Path {
            sender: LegIndex(0),
            receiver: LegIndex(0),
        };
        let mut out = [0; PACKET_BYTES];
        let mut seal = |sealer: &mut PacketSealer| {
            sealer.seal(
                path,
                &[0; PACKET_PLAINTEXT_BYTES],
                Timestamp::ZERO,
                &mut out,
            )
        };
        seal(&mut sealer).unwrap();
        sealer.paths.get_mut(&path).unwrap().next = SEQUENCE_END - 1;
        assert_eq!(seal(&mut sealer).unwrap().sequence, SEQUENCE_END - 1);
        assert_eq!(seal(&mut sealer), Err(SealError::Exhausted));
        assert_eq!(seal(&mut sealer), Err(SealError::Exhausted));
    }
}
