//! WAV files in and out.

mod reader;
mod writer;

pub use reader::WavReader;
pub use writer::WavWriter;

use crate::BadFile;
use std::path::Path;

/// Opening a pipe or a device could block for ever, so only regular files are touched.
fn require_regular_file(path: &Path) -> Result<u64, BadFile> {
    let metadata = std::fs::metadata(path)?;
    if metadata.is_file() {
        Ok(metadata.len())
    } else {
        Err(BadFile::NotAFile)
    }
}

/// Opening the sink would destroy the source.
pub(crate) fn require_different(spoken: &Path, heard: &Path) -> Result<(), BadFile> {
    match (spoken.canonicalize(), heard.canonicalize()) {
        (Ok(spoken), Ok(heard)) if spoken == heard => Err(BadFile::SameFile),
        _ => Ok(()),
    }
}
