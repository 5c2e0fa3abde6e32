//! Files that results are written to.
//!
//! What is there stays until there is something better: lines go to `FILE.part` beside it, which gets
//! the file's name when everything is in it. Whoever breaks a run off has the whole lines so far there.

use std::ffi::OsString;
use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use crate::Failure;

/// A file that is there under its own name when it is finished, and before that as `FILE.part` from its
/// first byte on: an empty file helps nobody.
pub(crate) struct Output {
    file: Option<File>,
    /// Where it is written to: `FILE.part`, or `FILE` if that is no plain file, such as `/dev/null`.
    written_to: PathBuf,
    /// What it is called then, if it gets another name.
    name: Option<PathBuf>,
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
        if there.is_some_and(|there| !there.is_file()) {
            return Ok(Self {
                file: Some(File::options().write(true).open(path)?),
                written_to: path.to_owned(),
                name: None,
            });
        }
        // A link stays one.
        let path = fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
        let part = part_of(&path);
        // What an earlier run has left there stays until this one has something.
        let is_left = part.exists();
        drop(File::options().append(true).create(true).open(&part)?);
        if !is_left {
            fs::remove_file(&part)?;
        }
        Ok(Self {
            file: None,
            written_to: part,
            name: Some(path),
        })
    }

    /// Where it is until it is finished.
    pub(crate) fn part(&self) -> Option<&Path> {
        self.name.is_some().then_some(self.written_to.as_path())
    }

    /// Gives it its name.
    pub(crate) fn finish(mut self) -> Result<(), Failure> {
        let Some(path) = self.name.take() else {
            return Ok(());
        };
        let named = self.opened().map(drop);
        let named = named.and_then(|()| fs::rename(&self.written_to, &path));
        named.map_err(|error| format!("{}: {error}", path.display()).into())
    }

    fn opened(&mut self) -> io::Result<&mut File> {
        match &mut self.file {
            Some(file) => Ok(file),
            none => Ok(none.insert(File::create(&self.written_to)?)),
        }
    }
}

/// Each piece goes to the file at once: what ends the program leaves whole ones.
impl Write for Output {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.opened()?.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.as_mut().map_or(Ok(()), File::flush)
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
        // Whoever ends the program by a signal finds the folder as it is here.
        let mut output = Output::create(&path).unwrap();
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
        output.write_all(b"line\n").unwrap();
        drop(output);
        let part = part_of(&path);
        assert!(!path.exists() && is_part(&part));
        let mut output = Output::create(&path).unwrap();
        assert_eq!(fs::read_to_string(&part).unwrap(), "line\n");
        output.write_all(b"new\n").unwrap();
        assert_eq!(fs::read_to_string(&part).unwrap(), "new\n");
    }

    #[test]
    fn a_file_without_anything_in_it_is_there_in_the_end() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("none.jsonl");
        Output::create(&path).unwrap().finish().unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "");
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
