//! A WAV file as 48 kHz mono blocks, read as it is played: its length costs no memory.

use super::require_regular_file;
use crate::limits::{MAX_RATE, MAX_WAV_BYTES, MIN_RATE};
use crate::resample::ToBlocks;
use crate::{BadFile, Block, SILENCE};
use core::time::Duration;
use hound::SampleFormat;
use std::fs::File;
use std::io::{BufReader, ErrorKind, Read, Seek};
use std::path::Path;
use tacit_types::limits::BLOCK_SAMPLES;

/// Reads PCM of 8, 16, 24 or 32 bits or 32-bit float, one or two channels, 8 to 192 kHz.
pub struct WavReader {
    inner: hound::WavReader<BufReader<File>>,
    spec: hound::WavSpec,
    /// Samples a channel not yet read.
    left: u32,
    resampler: Option<ToBlocks>,
    input: Vec<f32>,
}

impl WavReader {
    /// Opens and checks a file: the header, and that the samples it promises are there.
    ///
    /// # Errors
    /// [`BadFile`], which says what is wrong.
    pub fn open(path: &Path) -> Result<Self, BadFile> {
        match require_regular_file(path)? {
            0 => return Err(BadFile::Empty),
            n if n > MAX_WAV_BYTES => return Err(BadFile::TooLarge),
            _ => {}
        }
        let mut file = BufReader::new(File::open(path)?);
        require_wave(&mut file)?;
        let mut inner = hound::WavReader::new(file).map_err(bad_file)?;
        let spec = inner.spec();
        require_supported(spec)?;
        let left = inner.duration();
        require_complete(&mut inner, left)?;
        let resampler = ToBlocks::from_rate(spec.sample_rate);
        let room = resampler
            .as_ref()
            .map_or(BLOCK_SAMPLES, ToBlocks::input_max);
        Ok(Self {
            inner,
            spec,
            left,
            resampler,
            input: vec![0.0; room],
        })
    }

    /// How much sound is left.
    #[must_use]
    pub fn remaining(&self) -> Duration {
        Duration::from_secs_f64(f64::from(self.left) / f64::from(self.spec.sample_rate))
    }

    /// The next 10 ms; false, and silence, after the end.
    pub fn next_block(&mut self, block: &mut Block) -> bool {
        *block = SILENCE;
        if self.left == 0 {
            return false;
        }
        let needed = self
            .resampler
            .as_ref()
            .map_or(BLOCK_SAMPLES, ToBlocks::input_needed);
        let read = self.read(needed);
        self.input[read..needed].fill(0.0);
        match &mut self.resampler {
            Some(resampler) => resampler.process(&self.input[..needed], block),
            None => block.copy_from_slice(&self.input[..needed]),
        }
        true
    }

    /// Reads up to `needed` mono samples to the front of `input`.
    fn read(&mut self, needed: usize) -> usize {
        let wanted = needed.min(self.left as usize);
        let channels = usize::from(self.spec.channels);
        let input = &mut self.input[..wanted];
        let read = match self.spec.sample_format {
            SampleFormat::Float => mix(self.inner.samples::<f32>(), channels, input, |s| s),
            SampleFormat::Int => {
                let full_scale = (1_u64 << (self.spec.bits_per_sample - 1)) as f32;
                mix(self.inner.samples::<i32>(), channels, input, |s| {
                    s as f32 / full_scale
                })
            }
        };
        // A file that shrinks while it is played just ends.
        self.left = if read < wanted {
            0
        } else {
            self.left - wanted as u32
        };
        read
    }
}

/// Averages the channels into `out`; returns how many samples were complete.
fn mix<S>(
    mut samples: impl Iterator<Item = hound::Result<S>>,
    channels: usize,
    out: &mut [f32],
    to_float: impl Fn(S) -> f32,
) -> usize {
    for (i, slot) in out.iter_mut().enumerate() {
        let mut sum = 0.0;
        for _ in 0..channels {
            let Some(Ok(sample)) = samples.next() else {
                return i;
            };
            sum += to_float(sample);
        }
        *slot = crate::capture::within_full_scale(sum / channels as f32);
    }
    out.len()
}

fn require_wave(file: &mut BufReader<File>) -> Result<(), BadFile> {
    let mut start = [0; 12];
    match file.read_exact(&mut start) {
        Ok(()) if start.starts_with(b"RIFF") && start.ends_with(b"WAVE") => {}
        Err(e) if e.kind() != ErrorKind::UnexpectedEof => return Err(e.into()),
        _ => return Err(BadFile::NotWav),
    }
    Ok(file.rewind()?)
}

fn require_supported(spec: hound::WavSpec) -> Result<(), BadFile> {
    if spec.channels == 0 {
        return Err(BadFile::BadHeader("no audio channels"));
    }
    if spec.channels > 2 {
        return Err(BadFile::Unsupported(format!(
            "{} audio channels",
            spec.channels
        )));
    }
    if !(MIN_RATE..=MAX_RATE).contains(&spec.sample_rate) {
        return Err(BadFile::Unsupported(format!(
            "{} samples a second",
            spec.sample_rate
        )));
    }
    match (spec.sample_format, spec.bits_per_sample) {
        (SampleFormat::Int, 8 | 16 | 24 | 32) | (SampleFormat::Float, 32) => Ok(()),
        (_, bits) => Err(BadFile::Unsupported(format!("samples of {bits} bits"))),
    }
}

/// Reads the last sample and goes back: a header that promises more than the file holds fails here
/// and not in the middle of a call.
fn require_complete(
    inner: &mut hound::WavReader<BufReader<File>>,
    frames: u32,
) -> Result<(), BadFile> {
    let Some(last) = frames.checked_sub(1) else {
        return Err(BadFile::Empty);
    };
    inner.seek(last)?;
    let (channels, format) = (
        usize::from(inner.spec().channels),
        inner.spec().sample_format,
    );
    let complete = match format {
        SampleFormat::Float => inner
            .samples::<f32>()
            .take(channels)
            .filter(Result::is_ok)
            .count(),
        SampleFormat::Int => inner
            .samples::<i32>()
            .take(channels)
            .filter(Result::is_ok)
            .count(),
    };
    if complete < channels {
        return Err(BadFile::Truncated);
    }
    Ok(inner.seek(0)?)
}

fn bad_file(error: hound::Error) -> BadFile {
    match error {
        hound::Error::IoError(e) if e.kind() == ErrorKind::UnexpectedEof => BadFile::Truncated,
        // hound's own wording for the end of the file.
        hound::Error::IoError(e) if e.kind() == ErrorKind::Other => BadFile::Truncated,
        hound::Error::IoError(e) => BadFile::Io(e),
        hound::Error::FormatError(what) => BadFile::BadHeader(what),
        _ => BadFile::Unsupported("samples of this format".into()),
    }
}

impl core::fmt::Debug for WavReader {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("WavReader")
            .field("spec", &self.spec)
            .finish_non_exhaustive()
    }
}
