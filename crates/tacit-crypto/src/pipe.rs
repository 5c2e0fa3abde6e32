//! The cipher of PIPE frames: messages in order over a reliable stream, one size.

use chacha20poly1305::aead::AeadInPlace;
use chacha20poly1305::{ChaCha20Poly1305, KeyInit};
use tacit_types::limits::{SIGNALING_FRAME_BYTES, TAG_BYTES};

use crate::session::PipeKeys;

/// Bytes of a PIPE frame in front of the ciphertext: type 1, handle 4.
pub const PIPE_HEADER_BYTES: usize = 5;

/// Bytes of every sealed message.
pub const PIPE_SEALED_BYTES: usize = SIGNALING_FRAME_BYTES - PIPE_HEADER_BYTES;

/// Bytes of every plain message.
pub const PIPE_PLAINTEXT_BYTES: usize = PIPE_SEALED_BYTES - TAG_BYTES;

/// A message could not be sealed or opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PipeError {
    /// Forged, damaged, replayed or out of order: drop it and count. The opener has not moved.
    #[error("a pipe message did not authenticate")]
    Unauthentic,
    /// 2^64 − 1 messages were sent in this direction.
    #[error("the pipe's message counter is used up")]
    Exhausted,
}

struct Direction {
    cipher: ChaCha20Poly1305,
    counter: u64,
}

impl Direction {
    fn new(key: &[u8; 32]) -> Self {
        Self {
            cipher: ChaCha20Poly1305::new(key.into()),
            counter: 0,
        }
    }

    /// Four zero bytes, then the message counter, big-endian.
    fn nonce(&self) -> Result<[u8; 12], PipeError> {
        if self.counter == u64::MAX {
            return Err(PipeError::Exhausted);
        }
        let mut nonce = [0; 12];
        nonce[4..].copy_from_slice(&self.counter.to_be_bytes());
        Ok(nonce)
    }
}

/// Seals this side's PIPE messages.
pub struct PipeSealer(Direction);

impl PipeSealer {
    /// Starts at message 0.
    #[must_use]
    pub fn new(keys: &PipeKeys) -> Self {
        Self(Direction::new(keys.seal.expose()))
    }

    /// Seals the next message.
    pub fn seal(
        &mut self,
        plaintext: &[u8; PIPE_PLAINTEXT_BYTES],
    ) -> Result<[u8; PIPE_SEALED_BYTES], PipeError> {
        let nonce = self.0.nonce()?;
        let mut out = [0; PIPE_SEALED_BYTES];
        let (body, tag_out) = out.split_at_mut(PIPE_PLAINTEXT_BYTES);
        body.copy_from_slice(plaintext);
        let tag = self
            .0
            .cipher
            .encrypt_in_place_detached(&nonce.into(), &[], body)
            .expect("a pipe message is far below the cipher's limit");
        tag_out.copy_from_slice(&tag);
        self.0.counter += 1;
        Ok(out)
    }
}

/// Opens the peer's PIPE messages, strictly in order.
pub struct PipeOpener(Direction);

impl PipeOpener {
    /// Starts at message 0.
    #[must_use]
    pub fn new(keys: &PipeKeys) -> Self {
        Self(Direction::new(keys.open.expose()))
    }

    /// Opens the next message. On failure nothing has moved and the next one may be tried.
    pub fn open(
        &mut self,
        sealed: &[u8; PIPE_SEALED_BYTES],
    ) -> Result<[u8; PIPE_PLAINTEXT_BYTES], PipeError> {
        let nonce = self.0.nonce()?;
        let (body, tag) = sealed.split_at(PIPE_PLAINTEXT_BYTES);
        let mut out = [0; PIPE_PLAINTEXT_BYTES];
        out.copy_from_slice(body);
        self.0
            .cipher
            .decrypt_in_place_detached(&nonce.into(), &[], &mut out, tag.into())
            .map_err(|_| PipeError::Unauthentic)?;
        self.0.counter += 1;
        Ok(out)
    }
}

impl core::fmt::Debug for PipeSealer {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("PipeSealer")
    }
}

impl core::fmt::Debug for PipeOpener {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("PipeOpener")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tacit_types::SecretBytes;

    #[test]
    fn the_counter_ends_instead_of_wrapping() {
        let keys = PipeKeys {
            seal: SecretBytes::new([1; 32]),
            open: SecretBytes::new([1; 32]),
        };
        let (mut sealer, mut opener) = (PipeSealer::new(&keys), PipeOpener::new(&keys));
        sealer.0.counter = u64::MAX - 1;
        opener.0.counter = u64::MAX - 1;
        let sealed = sealer.seal(&[0; PIPE_PLAINTEXT_BYTES]).unwrap();
        assert!(opener.open(&sealed).is_ok());
        assert_eq!(
            sealer.seal(&[0; PIPE_PLAINTEXT_BYTES]),
            Err(PipeError::Exhausted)
        );
        assert_eq!(opener.open(&sealed), Err(PipeError::Exhausted));
    }
}
