//! Randomness that is the same in every run, so that a crash can be repeated.

use rand_chacha::ChaCha20Rng;
use rand_core::SeedableRng;

pub(crate) fn fixed() -> ChaCha20Rng {
    ChaCha20Rng::from_seed([7; 32])
}

/// The first `N` bytes, filled up with zeros.
pub(crate) fn padded<const N: usize>(bytes: &[u8]) -> [u8; N] {
    let mut out = [0; N];
    let used = bytes.len().min(N);
    out[..used].copy_from_slice(&bytes[..used]);
    out
}

/// Bytes one after the other; zeros when there are no more.
pub(crate) struct Bytes<'a> {
    rest: &'a [u8],
}

impl<'a> Bytes<'a> {
    pub(crate) const fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes }
    }

    pub(crate) const fn is_empty(&self) -> bool {
        self.rest.is_empty()
    }

    pub(crate) fn array<const N: usize>(&mut self) -> [u8; N] {
        let (now, rest) = self.rest.split_at(self.rest.len().min(N));
        self.rest = rest;
        padded(now)
    }

    pub(crate) fn byte(&mut self) -> u8 {
        let [byte] = self.array();
        byte
    }

    pub(crate) fn signed(&mut self) -> i8 {
        i8::from_be_bytes(self.array())
    }

    pub(crate) fn short(&mut self) -> u16 {
        u16::from_be_bytes(self.array())
    }
}
