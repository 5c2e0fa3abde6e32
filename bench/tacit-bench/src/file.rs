//! Files that results are written to.
//!
//! What is there stays until there is something better: lines go to `FILE.part` beside it, which gets
//! the file's name when everything is in it. Whoever breaks a run off has the whole lines so far there.

use std::ffi::OsString;
use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use crate::Failure;

/// A file that is there under its own name when it is finished.
pub(crate) struct Output {
    file: File,
    /// `FILE.part` and `FILE`; nothing to be renamed if it is no plain file, such as `/dev/null`.
    names: Option<(PathBuf, PathBuf)>,
    written: bool,
}

impl Output {
    /// Opens it, so that a name that cannot be written to is told before anything is simulated.
    pub(crate) fn create(path: &Path) -> Result<Self, Failure> {
        Self::open(path).map_err(|error| format!("{}: {error}", path.display()).into())
    }

    fn open(path: &Path) -> io::Result<Self> {
        let there = fs::metadata(path).ok();
        if there.as_ref().is_some_and(fs::Metadata::is_dir) {
            return Err(io::ErrorKind::IsADirectory.into());
        }
        let (file, names) = if there.as_ref().is_some_and(|there| !there.is_file()) {
            (File::options().write(true).open(path)?, None)
        } else {
            // A link stays one.
            let path = fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
            let part = part_of(&path);
            (File::create(&part)?, Some((part, path)))
        };
        Ok(Self {
            file,
            names,
            written: false,
        })
    }

    /// Where it is until it is finished.
    pub(crate) fn part(&self) -> Option<&Path> {
        self.names.as_ref().map(|(part, _)| part.as_path())
    }

    /// Gives it its name.
    pub(crate) fn finish(mut self) -> Result<(), Failure> {
        if let Some((part, path)) = self.names.take() {
            fs::rename(&part, &path).map_err(|error| format!("{}: {error}", path.display()))?;
        }
        Ok(())
    }
}

/// Each piece goes to the file at once: what ends the program leaves whole ones.
impl Write for Output {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.written |= !bytes.is_empty();
        self.file.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

impl Drop for Output {
    fn drop(&mut self) {
        if let Some((part, _)) = self.names.take().filter(|_| !self.written) {
            // An empty file helps nobody; if it cannot be removed, it stays.
            let _ = fs::remove_file(part);
        }
    }
}

fn part_of(path: &Path) -> PathBuf {
    let mut name = OsString::from(path);
    name.push(".part");
    name.into()
}

/// Whether a file is what a run that was broken off has left.
pub(crate) fn is_part(path: &Path) -> bool {
    path.extension()
        .is_some_and(|extension| extension == "part")
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn an_older_file_stays_until_the_new_one_is_whole() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("calls.jsonl");
        let part = folder.path().join("calls.jsonl.part");
        fs::write(&path, "old\n").unwrap();
        let mut output = Output::create(&path).unwrap();
        output.write_all(b"new\n").unwrap();
        assert_eq!(output.part(), Some(part.as_path()));
        assert_eq!(fs::read_to_string(&path).unwrap(), "old\n");
        assert_eq!(fs::read_to_string(&part).unwrap(), "new\n");
        output.finish().unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "new\n");
        assert!(!part.exists());
    }

    #[test]
    fn what_was_not_finished_is_kept_if_there_is_anything_in_it() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("page.html");
        drop(Output::create(&path).unwrap());
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
        let mut output = Output::create(&path).unwrap();
        output.write_all(b"line\n").unwrap();
        drop(output);
        assert!(!path.exists() && part_of(&path).exists() && is_part(&part_of(&path)));
    }

    #[test]
    fn folders_and_devices_are_told_from_files() {
        let folder = tempfile::tempdir().unwrap();
        assert!(Output::create(folder.path()).is_err());
        assert!(Output::create(&folder.path().join("none/calls")).is_err());
        let null = Output::create(Path::new("/dev/null")).unwrap();
        assert_eq!(null.part(), None);
        null.finish().unwrap();
        assert!(!Path::new("/dev/null.part").exists());
    }
}
