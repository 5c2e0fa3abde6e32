//! A 48 kHz mono 16-bit WAV file that is valid at every moment, also when the process is killed.

use super::require_regular_file;
use crate::limits::WAV_FLUSH_BLOCKS;
use crate::{BadFile, Block};
use std::fs::{File, OpenOptions};
use std::io::BufWriter;
use std::path::Path;
use tacit_types::limits::SAMPLE_RATE;

const SPEC: hound::WavSpec = hound::WavSpec {
    channels: 1,
    sample_rate: SAMPLE_RATE,
    bits_per_sample: 16,
    sample_format: hound::SampleFormat::Int,
};

/// A RIFF file counts its bytes in 32 bits; 6 hours stay well below.
const MAX_BLOCKS: u32 = 6 * 3600 * 100;

/// Writes blocks as they come. The header is brought up to date every 250 ms and on drop.
pub struct WavWriter {
    inner: hound::WavWriter<BufWriter<File>>,
    blocks: u32,
}

impl WavWriter {
    /// Makes the file, readable by its owner alone, and writes a valid empty header. An existing
    /// file is replaced.
    ///
    /// # Errors
    /// [`BadFile`] when the path is no regular file or cannot be written.
    pub fn create(path: &Path) -> Result<Self, BadFile> {
        if path.exists() {
            require_regular_file(path)?;
        }
        let mut options = OpenOptions::new();
        options.write(true).create(true).truncate(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let file = BufWriter::new(options.open(path)?);
        let mut inner = hound::WavWriter::new(file, SPEC).map_err(bad_file)?;
        inner.flush().map_err(bad_file)?;
        Ok(Self { inner, blocks: 0 })
    }

    /// Appends 10 ms.
    ///
    /// # Errors
    /// [`BadFile`]: the disk is full, or six hours are.
    pub fn write(&mut self, block: &Block) -> Result<(), BadFile> {
        if self.blocks == MAX_BLOCKS {
            return Err(BadFile::TooLarge);
        }
        for sample in block {
            let scaled = (sample * 32_768.0).round().clamp(-32_768.0, 32_767.0);
            self.inner.write_sample(scaled as i16).map_err(bad_file)?;
        }
        self.blocks += 1;
        if self.blocks.is_multiple_of(WAV_FLUSH_BLOCKS) {
            self.inner.flush().map_err(bad_file)?;
        }
        Ok(())
    }

    /// Completes the file. Dropping does the same, without telling of errors.
    ///
    /// # Errors
    /// [`BadFile::Io`] when the last bytes cannot be written.
    pub fn finalize(self) -> Result<(), BadFile> {
        self.inner.finalize().map_err(bad_file)
    }
}

fn bad_file(error: hound::Error) -> BadFile {
    match error {
        hound::Error::IoError(e) => BadFile::Io(e),
        other => BadFile::Io(std::io::Error::other(other)),
    }
}

impl core::fmt::Debug for WavWriter {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("WavWriter")
            .field("blocks", &self.blocks)
            .finish_non_exhaustive()
    }
}
