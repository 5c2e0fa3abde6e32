//! One encrypted file that holds everything a person keeps: identity keys, contacts, tokens.
//!
//! ```text
//!   passphrase --Argon2id(salt)--> keys ---+---> key-check value   (wrong passphrase?)
//!                                          |
//!   content ---- length, padding ----------+---> XChaCha20-Poly1305 ---> profile.next
//!                                                                          | fsync, rename, fsync
//!   folder (0700)   profile.lock (held while open)   profile.tacit (0600) <+
//! ```
//!
//! The key is derived once, when the profile is opened; a save costs one encryption and one
//! durable write. What the file gives away: that it is a Tacit profile, when it was last saved, and
//! its size in steps of a factor of two from 64 KiB, which never goes down.
//!
//! ```
//! # fn main() -> Result<(), tacit_profile::ProfileError> {
//! # let folder = tempfile::tempdir()?;
//! # let folder = folder.path().join("alice");
//! use tacit_profile::{KdfParams, Profile};
//!
//! let mut profile = Profile::create_with(&folder, "a passphrase", b"", KdfParams::dangerous_fast())?;
//! profile.save(b"everything I know")?;
//! drop(profile);
//!
//! let (_profile, content) = Profile::open(&folder, "a passphrase")?;
//! assert_eq!(*content, b"everything I know");
//! # Ok(())
//! # }
//! ```
//!
//! **Not in this crate:** what the content means (tacit-engine), where the folder is and how the
//! passphrase is asked for (tacit-cli).
#![forbid(unsafe_code)]

mod content;
mod error;
mod folder;
pub mod format;
mod kdf;
pub mod limits;

use core::fmt;
use std::path::Path;

use rand_core::{OsRng, RngCore};
use zeroize::Zeroizing;

pub use error::{Damage, ProfileError};
pub use folder::{LOCK_FILE, PROFILE_FILE};
pub use kdf::KdfParams;

use folder::LockedFolder;
use format::{Header, NONCE_BYTES, Parameters, SALT_BYTES, file_size};
use kdf::Keys;

/// An open profile: holds the folder's lock and the content's key until it is dropped.
pub struct Profile {
    folder: LockedFolder,
    keys: Keys,
    header: Header,
    /// The file never shrinks: that would show that contacts were removed.
    file_bytes: usize,
}

impl fmt::Debug for Profile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Profile").finish_non_exhaustive()
    }
}

impl Profile {
    /// Whether `folder` holds a profile, without opening it.
    #[must_use]
    pub fn exists(folder: &Path) -> bool {
        folder::holds_profile(folder).unwrap_or(false)
    }

    /// Looks, without a passphrase and without the lock, whether the profile's file has the header and
    /// the size of one. Whether its content is whole only [`open`](Self::open) can tell.
    ///
    /// # Errors
    ///
    /// [`ProfileError::Missing`], [`ProfileError::Corrupt`], [`ProfileError::Io`].
    pub fn inspect(folder: &Path) -> Result<(), ProfileError> {
        if !folder::holds_profile(folder)? {
            return Err(ProfileError::Missing);
        }
        Header::parse(&folder::read(folder)?)?;
        Ok(())
    }

    /// Makes a profile that holds `initial`, and its folder if there is none.
    ///
    /// Blocks for the key derivation (tenths of a second) and a durable write.
    ///
    /// # Errors
    ///
    /// [`ProfileError::Exists`], [`ProfileError::InUse`], [`ProfileError::TooLarge`],
    /// [`ProfileError::Io`].
    pub fn create(
        folder: &Path,
        passphrase: impl AsRef<[u8]>,
        initial: &[u8],
    ) -> Result<Self, ProfileError> {
        Self::create_with(folder, passphrase, initial, KdfParams::default())
    }

    /// [`create`](Self::create) with another cost of a guess at the passphrase.
    ///
    /// # Errors
    ///
    /// As [`create`](Self::create).
    pub fn create_with(
        folder: &Path,
        passphrase: impl AsRef<[u8]>,
        initial: &[u8],
        kdf: KdfParams,
    ) -> Result<Self, ProfileError> {
        let file_bytes = file_size(initial.len())?;
        if folder::holds_profile(folder)? {
            return Err(ProfileError::Exists);
        }
        folder::make(folder)?;
        let locked = LockedFolder::lock(folder)?;
        // Asked again under the lock: another process may have been faster.
        if folder::holds_profile(folder)? {
            return Err(ProfileError::Exists);
        }
        let (keys, header) = new_keys(passphrase.as_ref(), kdf)?;
        let mut profile = Self {
            folder: locked,
            keys,
            header,
            file_bytes,
        };
        profile.save(initial)?;
        Ok(profile)
    }

    /// Opens the profile in `folder` and gives its content, which is wiped when dropped.
    ///
    /// Blocks for the key derivation (tenths of a second).
    ///
    /// # Errors
    ///
    /// [`ProfileError::Missing`], [`ProfileError::InUse`], [`ProfileError::Passphrase`],
    /// [`ProfileError::Corrupt`], [`ProfileError::Io`].
    pub fn open(
        folder: &Path,
        passphrase: impl AsRef<[u8]>,
    ) -> Result<(Self, Zeroizing<Vec<u8>>), ProfileError> {
        if !folder::holds_profile(folder)? {
            return Err(ProfileError::Missing);
        }
        let locked = LockedFolder::lock(folder)?;
        let file = folder::read(folder)?;
        let (header, nonce, ciphertext) = Header::parse(&file)?;
        let keys = Keys::derive(passphrase.as_ref(), &header.parameters)?;
        if !keys.wrote(&header) {
            return Err(ProfileError::Passphrase);
        }
        let content = content::open(&keys.content, &header.to_bytes(), &nonce, ciphertext)?;
        Ok((
            Self {
                folder: locked,
                keys,
                header,
                file_bytes: file.len(),
            },
            content,
        ))
    }

    /// Replaces the content. Once this returns, the new content is on disk; if it fails or the
    /// process dies, the old content is still there, whole.
    ///
    /// Blocks for a durable write (milliseconds; more on a slow disk).
    ///
    /// # Errors
    ///
    /// [`ProfileError::TooLarge`], [`ProfileError::Io`].
    pub fn save(&mut self, content: &[u8]) -> Result<(), ProfileError> {
        let file_bytes = file_size(content.len())?.max(self.file_bytes);
        let nonce = random::<NONCE_BYTES>();
        let header = self.header.to_bytes();
        let file = content::seal(&self.keys.content, &header, &nonce, content, file_bytes);
        self.folder.replace(&file)?;
        self.file_bytes = file_bytes;
        Ok(())
    }

    /// Puts the content that was last saved under a new passphrase and a new salt, at the same cost
    /// of a guess. A copy of the file made before still opens with the old passphrase.
    ///
    /// # Errors
    ///
    /// [`ProfileError::Corrupt`] if the file was damaged meanwhile, [`ProfileError::Io`]. The
    /// passphrase is then unchanged.
    pub fn change_passphrase(&mut self, passphrase: impl AsRef<[u8]>) -> Result<(), ProfileError> {
        let file = folder::read(self.folder.path())?;
        let (header, nonce, ciphertext) = Header::parse(&file)?;
        let content = content::open(&self.keys.content, &header.to_bytes(), &nonce, ciphertext)?;
        let (keys, header) = new_keys(passphrase.as_ref(), header.parameters.kdf)?;
        let old = (
            core::mem::replace(&mut self.keys, keys),
            core::mem::replace(&mut self.header, header),
        );
        self.save(&content)
            .inspect_err(|_| (self.keys, self.header) = old)
    }
}

fn new_keys(passphrase: &[u8], kdf: KdfParams) -> Result<(Keys, Header), ProfileError> {
    let parameters = Parameters {
        kdf,
        salt: random::<SALT_BYTES>(),
    };
    let keys = Keys::derive(passphrase, &parameters)?;
    let header = keys.header(parameters);
    Ok((keys, header))
}

fn random<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    OsRng.fill_bytes(&mut bytes);
    bytes
}
