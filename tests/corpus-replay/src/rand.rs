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
