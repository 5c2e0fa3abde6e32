//! Fixed inputs: patterned bytes, and a random source that hands out what it is told.

use rand_core::{CryptoRng, Error, RngCore};
use tacit_types::SecretBytes;

/// Lower-case hex.
#[must_use]
pub fn hex(bytes: impl AsRef<[u8]>) -> String {
    bytes
        .as_ref()
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect()
}

/// `N` bytes that count up from `first`: easy to tell apart in a dump.
#[must_use]
pub fn counting<const N: usize>(first: u8) -> [u8; N] {
    let mut next = first;
    core::array::from_fn(|_| {
        let byte = next;
        next = next.wrapping_add(1);
        byte
    })
}

/// Counting bytes as a secret.
#[must_use]
pub fn secret(first: u8) -> SecretBytes<32> {
    SecretBytes::new(counting(first))
}

/// A random source that gives one 32-byte value, again and again.
pub struct Fixed(pub [u8; 32]);

impl RngCore for Fixed {
    fn next_u32(&mut self) -> u32 {
        u32::from_be_bytes([self.0[0], self.0[1], self.0[2], self.0[3]])
    }
    fn next_u64(&mut self) -> u64 {
        u64::from(self.next_u32())
    }
    fn fill_bytes(&mut self, dest: &mut [u8]) {
        for (byte, value) in dest.iter_mut().zip(self.0.iter().cycle()) {
            *byte = *value;
        }
    }
    fn try_fill_bytes(&mut self, dest: &mut [u8]) -> Result<(), Error> {
        self.fill_bytes(dest);
        Ok(())
    }
}

impl CryptoRng for Fixed {}
