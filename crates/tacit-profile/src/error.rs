//! What can go wrong with a profile.

use std::io;

use tacit_types::Reason;

/// Why a profile could not be made, opened or saved.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ProfileError {
    /// The key-check value does not match: the file's header is whole, the passphrase is not its.
    #[error("the passphrase is wrong")]
    Passphrase,
    /// There is no profile in the folder.
    #[error("there is no profile in this folder")]
    Missing,
    /// The folder already holds a profile.
    #[error("there is already a profile in this folder")]
    Exists,
    /// The file is not what was written.
    #[error("the profile's file is damaged: {0}")]
    Corrupt(Damage),
    /// Another process, or another [`Profile`](crate::Profile) of this one, holds the lock.
    #[error("another Tacit program is using this profile")]
    InUse,
    /// The content does not fit the largest file.
    #[error("the profile's content is too large")]
    TooLarge,
    /// The operating system refused.
    #[error("the profile's file cannot be read or written: {0}")]
    Io(#[from] io::Error),
}

impl ProfileError {
    /// The stable code that the command line and the API show.
    #[must_use]
    pub const fn reason(&self) -> Reason {
        match self {
            Self::Passphrase => Reason::ProfilePassphrase,
            Self::Missing => Reason::ProfileMissing,
            Self::Exists => Reason::ProfileExists,
            Self::Corrupt(Damage::Version) => Reason::ProfileVersion,
            Self::Corrupt(_) => Reason::ProfileCorrupt,
            Self::InUse => Reason::ProfileInUse,
            Self::TooLarge | Self::Io(_) => Reason::ProfileIo,
        }
    }
}

impl From<Damage> for ProfileError {
    fn from(damage: Damage) -> Self {
        Self::Corrupt(damage)
    }
}

/// Where a file departs from what was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Damage {
    /// Not a regular file, or of a size that is never written.
    #[error("its size is wrong")]
    Size,
    /// It does not begin as a Tacit profile does.
    #[error("it is not a Tacit profile")]
    Magic,
    /// The header does not match its checksum.
    #[error("its header was changed")]
    Header,
    /// The header is whole, but its version is not known here.
    #[error("it was written by another version of Tacit")]
    Version,
    /// The header is whole, but asks for more work or memory than is allowed.
    #[error("its key derivation parameters are out of bounds")]
    KdfParams,
    /// The passphrase is right, but the content does not authenticate.
    #[error("its content was changed")]
    Content,
}
