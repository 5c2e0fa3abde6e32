//! Chain, path and mask keys.

use core::time::Duration;

use chacha20poly1305::{ChaCha20Poly1305, KeyInit};
use tacit_types::limits::PACKET_COUNTER_BYTES;
use tacit_types::{LegIndex, Path};

use super::{EPOCH_DURATION, PacketCounter};
use crate::kdf::{self, Key, label};

/// Ciphertext bytes that the counter's mask is made from: the first 16.
pub(super) const SAMPLE_BYTES: usize = 16;

/// The symmetric ratchet of one direction, standing at one epoch.
#[derive(Clone)]
pub(super) struct Chain {
    epoch: u16,
    value: Key,
}

impl Chain {
    pub(super) const fn new(first: Key) -> Self {
        Self {
            epoch: 0,
            value: first,
        }
    }

    pub(super) const fn epoch(&self) -> u16 {
        self.epoch
    }

    /// Steps forward to `epoch`; each value left behind is wiped.
    pub(super) fn advance_to(&mut self, epoch: u16) {
        while self.epoch < epoch {
            self.value = kdf::expand(&self.value, label::NEXT_EPOCH, &[]);
            self.epoch += 1;
        }
    }

    pub(super) fn path_cipher(&self, path: Path) -> ChaCha20Poly1305 {
        let legs = [path.sender.0, path.receiver.0];
        let key = kdf::expand(&self.value, label::PATH, &[&legs]);
        ChaCha20Poly1305::new(key.expose().into())
    }
}

/// Four zero bytes, then the counter.
pub(super) fn nonce(counter: PacketCounter) -> [u8; 12] {
    let mut nonce = [0; 12];
    nonce[4..].copy_from_slice(&counter.to_bytes());
    nonce
}

/// Masks or unmasks the counter with a pseudorandom function of the sample, as QUIC does (RFC 9001
/// §5.4); here keyed BLAKE2s with eight bytes of output. No reserved inputs, nothing to run out of.
pub(super) fn mask(
    key: &Key,
    sample: &[u8; SAMPLE_BYTES],
    counter: &mut [u8; PACKET_COUNTER_BYTES],
) {
    for (byte, mask) in counter.iter_mut().zip(kdf::mac64(key, sample)) {
        *byte ^= mask;
    }
}

/// The epoch that a clock which started at zero stands in; `None` past the last.
pub(super) fn epoch_at(elapsed: Duration) -> Option<u16> {
    u16::try_from(elapsed.as_secs() / EPOCH_DURATION.as_secs()).ok()
}

/// One bit for each leg index.
#[derive(Default)]
pub(super) struct LegSet([u64; 4]);

impl LegSet {
    pub(super) fn insert(&mut self, leg: LegIndex) {
        self.0[usize::from(leg.0 / 64)] |= 1 << (leg.0 % 64);
    }

    pub(super) const fn contains(&self, leg: LegIndex) -> bool {
        self.0[(leg.0 / 64) as usize] >> (leg.0 % 64) & 1 == 1
    }
}
