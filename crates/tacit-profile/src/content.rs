//! Seals and opens the content of a file.

use chacha20poly1305::aead::{AeadInPlace, KeyInit};
use chacha20poly1305::{Key, Tag, XChaCha20Poly1305, XNonce};
use tacit_types::SecretBytes;
use zeroize::Zeroizing;

use crate::error::Damage;
use crate::format::{HEADER_BYTES, LENGTH_BYTES, NONCE_BYTES, TAG_BYTES};

/// The bytes of a file of `file_bytes` bytes; the caller has made sure that `content` fits.
pub(crate) fn seal(
    key: &SecretBytes<32>,
    header: &[u8; HEADER_BYTES],
    nonce: &[u8; NONCE_BYTES],
    content: &[u8],
    file_bytes: usize,
) -> Vec<u8> {
    let plain_at = HEADER_BYTES + NONCE_BYTES;
    let content_at = plain_at + LENGTH_BYTES;
    let tag_at = file_bytes - TAG_BYTES;
    let length = u32::try_from(content.len()).expect("a file is at most 16 MiB");
    // Encrypted in place: the plaintext is never copied into memory that is not overwritten.
    let mut file = vec![0; file_bytes];
    file[..HEADER_BYTES].copy_from_slice(header);
    file[HEADER_BYTES..plain_at].copy_from_slice(nonce);
    file[plain_at..content_at].copy_from_slice(&length.to_be_bytes());
    file[content_at..content_at + content.len()].copy_from_slice(content);
    let tag = cipher(key)
        .encrypt_in_place_detached(
            XNonce::from_slice(nonce),
            header,
            &mut file[plain_at..tag_at],
        )
        .expect("16 MiB is under XChaCha20-Poly1305's bound");
    file[tag_at..].copy_from_slice(&tag);
    file
}

/// The content that was sealed under this key with exactly this header and nonce.
pub(crate) fn open(
    key: &SecretBytes<32>,
    header: &[u8; HEADER_BYTES],
    nonce: &[u8; NONCE_BYTES],
    ciphertext: &[u8],
) -> Result<Zeroizing<Vec<u8>>, Damage> {
    let (ciphertext, tag) = ciphertext
        .split_last_chunk::<TAG_BYTES>()
        .ok_or(Damage::Size)?;
    let mut plain = Zeroizing::new(ciphertext.to_vec());
    cipher(key)
        .decrypt_in_place_detached(
            XNonce::from_slice(nonce),
            header,
            &mut plain,
            Tag::from_slice(tag),
        )
        .map_err(|_| Damage::Content)?;
    let (length, rest) = plain
        .split_first_chunk::<LENGTH_BYTES>()
        .ok_or(Damage::Content)?;
    let length = usize::try_from(u32::from_be_bytes(*length)).map_err(|_| Damage::Content)?;
    let content = rest.get(..length).ok_or(Damage::Content)?;
    Ok(Zeroizing::new(content.to_vec()))
}

fn cipher(key: &SecretBytes<32>) -> XChaCha20Poly1305 {
    XChaCha20Poly1305::new(Key::from_slice(key.expose()))
}
