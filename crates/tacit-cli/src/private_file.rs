//! Files that hold a secret: only their owner can read them, and none is written over.

use std::fs::{File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

/// A file made for something that is not there yet. Unless it is written, it is removed again.
#[derive(Debug)]
pub(crate) struct PrivateFile {
    path: PathBuf,
    file: File,
    written: bool,
}

impl PrivateFile {
    /// Makes the file.
    ///
    /// # Errors
    /// If it cannot be made, or is there.
    pub(crate) fn create(path: &Path) -> io::Result<Self> {
        let mut options = OpenOptions::new();
        let file = options
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(path)?;
        Ok(Self {
            path: path.to_owned(),
            file,
            written: false,
        })
    }

    /// Writes all of it, durably.
    ///
    /// # Errors
    /// If it cannot be written; then it is removed.
    pub(crate) fn write(mut self, bytes: &[u8]) -> io::Result<()> {
        self.file.write_all(bytes)?;
        self.file.sync_all()?;
        self.written = true;
        Ok(())
    }

    /// Where it is.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for PrivateFile {
    fn drop(&mut self) {
        if !self.written {
            // What is left is empty, or of no use.
            let _ = std::fs::remove_file(&self.path);
        }
    }
}
