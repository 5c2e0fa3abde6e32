//! The folder on disk: modes, lock, atomic replacement.

use std::fs::{self, DirBuilder, File, OpenOptions, TryLockError};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use crate::ProfileError;
use crate::error::Damage;
use crate::limits::LARGEST_FILE_BYTES;

/// The profile itself.
pub const PROFILE_FILE: &str = "profile.tacit";
/// Held locked while a profile is open. Apart from the profile's file, because that is replaced at
/// every save and a lock belongs to the file that was there before.
pub const LOCK_FILE: &str = "profile.lock";
const NEXT_FILE: &str = "profile.next";

/// A folder whose lock this process holds. The kernel releases it when the process ends, however
/// it ends.
#[derive(Debug)]
pub(crate) struct LockedFolder {
    path: PathBuf,
    _lock: File,
}

/// Makes the folder if there is none. A folder that was there and holds other things keeps its mode:
/// it may be someone's home.
pub(crate) fn make(path: &Path) -> io::Result<()> {
    if path.is_dir() {
        if fs::read_dir(path)?.next().is_none() {
            make_private(path)?;
        }
        return Ok(());
    }
    let mut builder = DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(path)
}

#[cfg(unix)]
fn make_private(path: &Path) -> io::Result<()> {
    fs::set_permissions(path, std::os::unix::fs::PermissionsExt::from_mode(0o700))
}

#[cfg(not(unix))]
fn make_private(_: &Path) -> io::Result<()> {
    Ok(())
}

/// Whether the folder holds a profile, whatever its state.
pub(crate) fn holds_profile(path: &Path) -> io::Result<bool> {
    match fs::symlink_metadata(path.join(PROFILE_FILE)) {
        Ok(_) => Ok(true),
        Err(e)
            if matches!(
                e.kind(),
                io::ErrorKind::NotFound | io::ErrorKind::NotADirectory
            ) =>
        {
            Ok(false)
        }
        Err(e) => Err(e),
    }
}

/// The folder's whole file, or as much of it as shows that it is too long.
pub(crate) fn read(folder: &Path) -> Result<Vec<u8>, ProfileError> {
    let path = folder.join(PROFILE_FILE);
    // Asked before opening: opening a pipe would wait for ever.
    if !fs::metadata(&path)?.is_file() {
        return Err(Damage::Size.into());
    }
    let mut bytes = Vec::new();
    File::open(&path)?
        .take(LARGEST_FILE_BYTES as u64 + 1)
        .read_to_end(&mut bytes)?;
    if bytes.len() > LARGEST_FILE_BYTES {
        return Err(Damage::Size.into());
    }
    Ok(bytes)
}

impl LockedFolder {
    pub(crate) fn lock(path: &Path) -> Result<Self, ProfileError> {
        let lock = private_options()
            .create(true)
            .truncate(false)
            .open(path.join(LOCK_FILE))?;
        match lock.try_lock() {
            Ok(()) => Ok(Self {
                path: path.to_owned(),
                _lock: lock,
            }),
            Err(TryLockError::WouldBlock) => Err(ProfileError::InUse),
            Err(TryLockError::Error(e)) => Err(e.into()),
        }
    }

    /// Where it is.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Replaces the file so that after a crash at any moment either the old or the new one is there,
    /// whole; and once this returns, the new one, even if the power fails.
    pub(crate) fn replace(&self, bytes: &[u8]) -> io::Result<()> {
        let next = self.path.join(NEXT_FILE);
        // What a killed process left. Made anew rather than written over, so that its mode is ours.
        match fs::remove_file(&next) {
            Err(e) if e.kind() != io::ErrorKind::NotFound => return Err(e),
            _ => {}
        }
        let mut file = private_options().create_new(true).open(&next)?;
        file.write_all(bytes)?;
        file.sync_all()?;
        fs::rename(&next, self.path.join(PROFILE_FILE))?;
        sync_folder(&self.path)
    }
}

fn private_options() -> OpenOptions {
    let mut options = OpenOptions::new();
    options.write(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options
}

#[cfg(unix)]
fn sync_folder(path: &Path) -> io::Result<()> {
    File::open(path)?.sync_all()
}

#[cfg(not(unix))]
fn sync_folder(_: &Path) -> io::Result<()> {
    Ok(())
}
