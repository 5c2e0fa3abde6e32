//! The file's layout, without its cryptography. Integers are big-endian.
//!
//! | offset | bytes | holds |
//! |---|---|---|
//! | 0 | 8 | magic `TACITPRF` |
//! | 8 | 2 | version, 1 |
//! | 10 | 4 | Argon2id memory, KiB |
//! | 14 | 4 | Argon2id passes |
//! | 18 | 4 | Argon2id lanes |
//! | 22 | 32 | salt |
//! | 54 | 16 | key-check value: keyed BLAKE2s over bytes 0..54 |
//! | 70 | 16 | checksum: unkeyed BLAKE2s over bytes 0..70 |
//! | 86 | 24 | XChaCha20-Poly1305 nonce, fresh at every save |
//! | 110 | n | ciphertext of `length u32 ‖ content ‖ zeros`, and its tag; bytes 0..86 are associated data |
//!
//! The whole file is 64 KiB times a power of two. The checksum tells damage to the header from a
//! wrong passphrase; it protects nothing, the key-check value and the associated data do.

use blake2::Blake2s256;
use blake2::digest::Digest;

use crate::error::Damage;
use crate::limits::{LARGEST_FILE_BYTES, SMALLEST_FILE_BYTES};
use crate::{KdfParams, ProfileError};

/// Bytes of the header, associated data of the content.
pub const HEADER_BYTES: usize = 86;
/// Bytes of the nonce.
pub const NONCE_BYTES: usize = 24;
/// Bytes of the Poly1305 tag.
pub const TAG_BYTES: usize = 16;
/// Bytes of the salt.
pub const SALT_BYTES: usize = 32;
/// Bytes of the key-check value and of the checksum.
pub const CHECK_BYTES: usize = 16;
/// Bytes of the length in front of the content.
pub const LENGTH_BYTES: usize = 4;

const MAGIC: [u8; 8] = *b"TACITPRF";
const VERSION: u16 = 1;
const CHECK_AT: usize = 54;
const CHECKSUM_AT: usize = 70;

/// All but the key-check value: what that value authenticates.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Parameters {
    /// How the key is derived.
    pub kdf: KdfParams,
    /// Drawn afresh with every passphrase.
    pub salt: [u8; SALT_BYTES],
}

impl Parameters {
    /// Bytes 0..54 of the file.
    #[must_use]
    pub fn to_bytes(&self) -> [u8; CHECK_AT] {
        let mut out = [0; CHECK_AT];
        out[..8].copy_from_slice(&MAGIC);
        out[8..10].copy_from_slice(&VERSION.to_be_bytes());
        out[10..14].copy_from_slice(&self.kdf.memory_kib.to_be_bytes());
        out[14..18].copy_from_slice(&self.kdf.passes.to_be_bytes());
        out[18..22].copy_from_slice(&self.kdf.lanes.to_be_bytes());
        out[22..].copy_from_slice(&self.salt);
        out
    }
}

/// A file's header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header {
    /// Key derivation.
    pub parameters: Parameters,
    /// Tells a right passphrase from a wrong one.
    pub key_check: [u8; CHECK_BYTES],
}

impl Header {
    /// Bytes 0..86 of the file.
    #[must_use]
    pub fn to_bytes(&self) -> [u8; HEADER_BYTES] {
        let mut out = [0; HEADER_BYTES];
        out[..CHECK_AT].copy_from_slice(&self.parameters.to_bytes());
        out[CHECK_AT..CHECKSUM_AT].copy_from_slice(&self.key_check);
        let sum = checksum(&out[..CHECKSUM_AT]);
        out[CHECKSUM_AT..].copy_from_slice(&sum);
        out
    }

    /// Splits a whole file into its header, its nonce and its ciphertext.
    ///
    /// # Errors
    ///
    /// Where the file departs from the layout above.
    pub fn parse(file: &[u8]) -> Result<(Self, [u8; NONCE_BYTES], &[u8]), Damage> {
        if file.len() < 8 || file[..8] != MAGIC {
            return Err(Damage::Magic);
        }
        let (header, rest) = file
            .split_first_chunk::<HEADER_BYTES>()
            .ok_or(Damage::Size)?;
        if checksum(&header[..CHECKSUM_AT]) != header[CHECKSUM_AT..] {
            return Err(Damage::Header);
        }
        if header[8..10] != VERSION.to_be_bytes() {
            return Err(Damage::Version);
        }
        let kdf = KdfParams {
            memory_kib: u32_at(header, 10),
            passes: u32_at(header, 14),
            lanes: u32_at(header, 18),
        };
        kdf.check()?;
        if !is_file_size(file.len()) {
            return Err(Damage::Size);
        }
        let (nonce, ciphertext) = rest
            .split_first_chunk::<NONCE_BYTES>()
            .ok_or(Damage::Size)?;
        let parameters = Parameters {
            kdf,
            salt: array_at(header, 22),
        };
        Ok((
            Self {
                parameters,
                key_check: array_at(header, CHECK_AT),
            },
            *nonce,
            ciphertext,
        ))
    }
}

fn array_at<const N: usize>(header: &[u8; HEADER_BYTES], at: usize) -> [u8; N] {
    header[at..at + N]
        .try_into()
        .expect("the header holds every field whole")
}

fn u32_at(header: &[u8; HEADER_BYTES], at: usize) -> u32 {
    u32::from_be_bytes(array_at(header, at))
}

fn checksum(bytes: &[u8]) -> [u8; CHECK_BYTES] {
    let hash = Blake2s256::new()
        .chain_update(b"tacit profile header")
        .chain_update(bytes)
        .finalize();
    hash[..CHECK_BYTES]
        .try_into()
        .expect("BLAKE2s gives 32 bytes")
}

fn is_file_size(len: usize) -> bool {
    (SMALLEST_FILE_BYTES..=LARGEST_FILE_BYTES).contains(&len) && len.is_power_of_two()
}

/// Size of the file that holds `content` bytes: a power of two, so that the size tells little of
/// how much there is.
///
/// # Errors
///
/// [`ProfileError::TooLarge`].
pub fn file_size(content: usize) -> Result<usize, ProfileError> {
    let overhead = HEADER_BYTES + NONCE_BYTES + LENGTH_BYTES + TAG_BYTES;
    let needed = content
        .checked_add(overhead)
        .ok_or(ProfileError::TooLarge)?;
    match needed.max(SMALLEST_FILE_BYTES).checked_next_power_of_two() {
        Some(size) if size <= LARGEST_FILE_BYTES => Ok(size),
        _ => Err(ProfileError::TooLarge),
    }
}
