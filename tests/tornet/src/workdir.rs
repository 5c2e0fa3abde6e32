//! The directory a network lives in: removed at the end, and swept by the next start if its
//! owner was killed before it could.
use std::fs::{self, DirBuilder, File, TryLockError};
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use crate::Error;

const PREFIX: &str = "tacit-tornet-run-";
const LOCK: &str = "owner.lock";
/// A directory younger than this may belong to an owner that has not locked it yet.
const SWEEP_AFTER: Duration = Duration::from_secs(60);
/// Unix socket paths are limited to 107 bytes; this leaves room for `/client/control`.
const MAX_PATH: usize = 85;

/// A network's directory.
#[derive(Debug)]
pub(crate) struct WorkDir {
    path: PathBuf,
    keep: bool,
    _lock: File,
}

impl WorkDir {
    /// Makes a fresh temporary directory, or uses (and later keeps) the one given.
    pub(crate) fn create(given: Option<&Path>) -> Result<Self, Error> {
        sweep(&std::env::temp_dir());
        let (path, keep) = match given {
            Some(path) => {
                private_directory(path)?;
                (path.canonicalize().map_err(|e| Error::file(path, e))?, true)
            }
            None => (temporary()?, false),
        };
        if path.as_os_str().len() > MAX_PATH {
            return Err(Error::Config(format!(
                "{} is too long a path for control sockets (at most {MAX_PATH} bytes)",
                path.display()
            )));
        }
        let lock_path = path.join(LOCK);
        let lock = File::create(&lock_path).map_err(|e| Error::file(&lock_path, e))?;
        match lock.try_lock() {
            Ok(()) => Ok(Self {
                path,
                keep,
                _lock: lock,
            }),
            Err(TryLockError::WouldBlock) => Err(Error::Config(format!(
                "{} is in use by another network",
                path.display()
            ))),
            Err(TryLockError::Error(e)) => Err(Error::file(lock_path, e)),
        }
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// A node's data directory, made empty and private.
    pub(crate) fn fresh_node(&self, name: &str) -> Result<PathBuf, Error> {
        let path = self.path.join(name);
        if path.exists() {
            fs::remove_dir_all(&path).map_err(|e| Error::file(&path, e))?;
        }
        private_directory(&path)?;
        Ok(path)
    }
}

impl Drop for WorkDir {
    fn drop(&mut self) {
        if !self.keep {
            // Nothing can be done about a failure here; the next start sweeps.
            let _ = fs::remove_dir_all(&self.path);
        }
    }
}

fn temporary() -> Result<PathBuf, Error> {
    tempfile::Builder::new()
        .prefix(PREFIX)
        .tempdir()
        .map(tempfile::TempDir::keep)
        .map_err(|source| Error::System {
            what: "making a temporary directory",
            source,
        })
}

/// Makes a directory (and its parents) that only this user can enter, as tor demands.
pub(crate) fn private_directory(path: &Path) -> Result<(), Error> {
    DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(path)
        .map_err(|e| Error::file(path, e))
}

/// Removes directories whose owner is gone. What cannot be read or removed is left alone.
fn sweep(parent: &Path) {
    let Ok(entries) = fs::read_dir(parent) else {
        return;
    };
    for entry in entries.flatten() {
        if entry.file_name().to_string_lossy().starts_with(PREFIX) && abandoned(&entry) {
            let _ = fs::remove_dir_all(entry.path());
        }
    }
}

fn abandoned(entry: &fs::DirEntry) -> bool {
    let old = entry
        .metadata()
        .and_then(|m| m.modified())
        .ok()
        .and_then(|t| SystemTime::now().duration_since(t).ok())
        .is_some_and(|age| age > SWEEP_AFTER);
    old && File::open(entry.path().join(LOCK)).is_ok_and(|file| file.try_lock().is_ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_old_directories_without_an_owner_are_swept() {
        let parent = tempfile::tempdir().unwrap();
        let make = |name: &str| {
            let path = parent.path().join(name);
            fs::create_dir(&path).unwrap();
            File::create(path.join(LOCK)).unwrap();
            path
        };
        let dirs =
            ["run-old", "run-young", "run-owned"].map(|name| make(&name.replace("run-", PREFIX)));
        let other = make("somebody-else");
        let [old, young, owned] = &dirs;
        for path in [old, owned, &other] {
            let long_ago = SystemTime::now() - SWEEP_AFTER * 2;
            File::open(path).unwrap().set_modified(long_ago).unwrap();
        }
        let lock = File::open(owned.join(LOCK)).unwrap();
        lock.lock().unwrap();
        sweep(parent.path());
        assert!(!old.exists());
        assert!(young.exists() && owned.exists() && other.exists());
    }

    #[test]
    fn the_directory_goes_with_its_owner_and_a_given_one_stays() {
        let dir = WorkDir::create(None).unwrap();
        let path = dir.path().to_owned();
        assert!(path.is_dir());
        assert!(WorkDir::create(Some(&path)).is_err(), "locked by its owner");
        drop(dir);
        assert!(!path.exists());

        let given = tempfile::tempdir().unwrap();
        drop(WorkDir::create(Some(given.path())).unwrap());
        assert!(given.path().is_dir());
    }
}
