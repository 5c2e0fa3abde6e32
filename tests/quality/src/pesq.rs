//! PESQ-WB by the Python package `pesq` and ESTOI by `pystoi`, in a virtual environment that this
//! module makes.
//!
//! Needs Debian's `python3-venv`, `python3-dev` and `build-essential`: the package is compiled on
//! the machine. Made once, in `pesq-venv` under cargo's target directory.

use crate::align::{Alignment, Search, align};
use crate::{RATE, signal};
use std::fs::{File, TryLockError};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// Shortest and longest segment that is scored, seconds (P.862.3 recommends 8 to 12).
const SEGMENT_SECONDS: (usize, usize) = (8, 12);

/// Less than this much speech is not scored at all, seconds.
const LEAST_SECONDS: usize = 3;

/// Within the call the delay wanders by less than this around its value for the whole, seconds.
const DELAY_WANDERS: f64 = 0.5;

const REQUIREMENTS: [&str; 3] = ["numpy", "pesq==0.0.4", "pystoi==0.4.1"];

/// Written when the environment is complete; another name when the requirements change.
const READY: &str = "ready-2";

/// Reads pairs of raw files of 16-bit 16 kHz samples, and prints a line for each: PESQ-WB, with ESTOI
/// for `both`; for `calls` PESQ-WB and for `nb` PESQ-NB, or -1 where nothing is heard.
const SCRIPT: &str = "\
import sys, numpy, pesq
what = sys.argv[1]
if what == 'both': import pystoi
band = 'nb' if what == 'nb' else 'wb'
on_error = pesq.PesqError.RETURN_VALUES if what in ('calls', 'nb') else pesq.PesqError.RAISE_EXCEPTION
for first, second in zip(sys.argv[2::2], sys.argv[3::2]):
    ref, deg = (numpy.fromfile(f, dtype='<i2') for f in (first, second))
    score = float(pesq.pesq(16000, ref, deg, band, on_error=on_error))
    print(score, float(pystoi.stoi(ref / 32768, deg / 32768, 16000, extended=True)) if what == 'both' else '')
";

/// Why there is no score.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PesqError {
    /// The virtual environment cannot be made.
    #[error(
        "the Python packages `pesq` and `pystoi` cannot be installed ({0}); they need python3-venv, \
         python3-dev, build-essential and a package index that pip can reach"
    )]
    Install(String),
    /// A file or program failed.
    #[error("{0}")]
    Io(#[from] std::io::Error),
    /// The heard signal does not contain the spoken one.
    #[error(
        "nothing of what was spoken from {from_s:.1} to {to_s:.1} s can be found in what was heard"
    )]
    NotFound {
        /// Begin of the part.
        from_s: f64,
        /// End of the part.
        to_s: f64,
    },
    /// Less than three seconds.
    #[error("there are fewer than {LEAST_SECONDS} seconds to score")]
    TooShort,
    /// The Python side failed.
    #[error("pesq failed: {0}")]
    Python(String),
}

/// The score of one segment.
#[derive(Clone, Debug, serde::Serialize)]
pub struct Segment {
    /// Begin in the spoken file, seconds.
    pub from_s: f64,
    /// End in the spoken file, seconds.
    pub to_s: f64,
    /// Lag of the heard file there, milliseconds.
    pub delay_ms: f64,
    /// PESQ-WB, 1 to 4.64.
    pub score: f64,
}

/// The scores of a whole file.
#[derive(Clone, Debug, serde::Serialize)]
pub struct Report {
    /// Mean of the segments' scores.
    pub mean: f64,
    /// Each segment.
    pub segments: Vec<Segment>,
}

/// Scores what was heard of `spoken[from_s .. to_s]`: segments of 8 to 12 s, each aligned on its
/// own. The heard file may lag by `search`.
///
/// # Errors
/// [`PesqError`].
pub fn score(
    spoken: &[f32],
    heard: &[f32],
    from_s: f64,
    to_s: f64,
    search: Search,
) -> Result<Report, PesqError> {
    let scorer = Scorer::prepare()?;
    let end = (to_s * RATE as f64) as usize;
    let parts = segments((from_s * RATE as f64) as usize, end.min(spoken.len()))?;
    let whole = parts[0].start..parts[parts.len() - 1].end;
    let rough = align(spoken, heard, whole.clone(), search).ok_or_else(|| not_found(&whole))?;
    let mut segments = Vec::new();
    for part in parts {
        let found = align(
            spoken,
            heard,
            part.clone(),
            Search::around(rough.delay, DELAY_WANDERS),
        )
        .ok_or_else(|| not_found(&part))?;
        let score = scorer.score(&spoken[part.clone()], &shifted(heard, &part, found))?;
        let (from_s, to_s) = in_seconds(&part);
        segments.push(Segment {
            from_s,
            to_s,
            delay_ms: found.delay_ms(),
            score,
        });
    }
    let mean = segments.iter().map(|s| s.score).sum::<f64>() / segments.len() as f64;
    Ok(Report { mean, segments })
}

type Part = core::ops::Range<usize>;

/// Equal segments of 8 to 12 s; one shorter one when there is no more.
fn segments(from: usize, to: usize) -> Result<Vec<Part>, PesqError> {
    let length = to.saturating_sub(from);
    if length < LEAST_SECONDS * RATE {
        return Err(PesqError::TooShort);
    }
    let (least, most) = SEGMENT_SECONDS;
    let number = (length / (least * RATE)).max(1);
    let each = (length / number).min(most * RATE);
    Ok((0..number)
        .map(|i| from + i * each..from + (i + 1) * each)
        .collect())
}

fn in_seconds(part: &Part) -> (f64, f64) {
    (
        part.start as f64 / RATE as f64,
        part.end as f64 / RATE as f64,
    )
}

fn not_found(part: &Part) -> PesqError {
    let (from_s, to_s) = in_seconds(part);
    PesqError::NotFound { from_s, to_s }
}

/// The heard signal's counterpart of a part, silence where the file has nothing.
fn shifted(heard: &[f32], part: &Part, found: Alignment) -> Vec<f32> {
    part.clone()
        .map(|i| {
            usize::try_from(i as i64 + found.delay)
                .ok()
                .and_then(|at| heard.get(at))
        })
        .map(|sample| sample.copied().unwrap_or(0.0))
        .collect()
}

/// Two measures of one signal.
#[derive(Clone, Copy, Debug, PartialEq, serde::Serialize)]
pub struct Measured {
    /// PESQ-WB, 1 to 4.64: how good it sounds.
    pub pesq_wb: f64,
    /// ESTOI, 0 to 1: how much of it can be understood.
    pub estoi: f64,
}

/// A working Python with `pesq` and `pystoi`.
#[derive(Debug)]
pub struct Scorer {
    python: PathBuf,
}

impl Scorer {
    /// Makes the virtual environment where it is missing, which takes half a minute; several
    /// processes may do this at once.
    ///
    /// # Errors
    /// [`PesqError::Install`] tells what is missing.
    pub fn prepare() -> Result<Self, PesqError> {
        let folder = target_folder().join("pesq-venv");
        let (python, ready) = (folder.join("bin/python"), folder.join(READY));
        if !ready.is_file() {
            std::fs::create_dir_all(target_folder())?;
            let _lock = lock(&target_folder().join("pesq-venv.lock"))?;
            if !ready.is_file() {
                install(&folder, &python)?;
                File::create(ready)?;
            }
        }
        Ok(Self { python })
    }

    /// PESQ-WB of two aligned signals of 48 kHz.
    ///
    /// # Errors
    /// [`PesqError::Python`], with what the package said.
    pub fn score(&self, spoken: &[f32], heard: &[f32]) -> Result<f64, PesqError> {
        let lines = self.run("pesq", &[(spoken, heard)])?;
        Ok(lines[0][0])
    }

    /// PESQ-WB of pairs of signals of 48 kHz, in one go; -1 where PESQ hears no speech.
    ///
    /// # Errors
    /// [`PesqError::Python`], with what the package said.
    pub fn scores(&self, pairs: &[(&[f32], &[f32])]) -> Result<Vec<f64>, PesqError> {
        self.first_numbers("calls", pairs)
    }

    /// PESQ on the narrowband scale (P.862.1) of pairs of aligned signals of 48 kHz, in one go; -1 where
    /// PESQ hears no speech.
    ///
    /// # Errors
    /// [`PesqError::Python`], with what the package said.
    pub fn narrowband(&self, pairs: &[(&[f32], &[f32])]) -> Result<Vec<f64>, PesqError> {
        self.first_numbers("nb", pairs)
    }

    fn first_numbers(&self, what: &str, pairs: &[(&[f32], &[f32])]) -> Result<Vec<f64>, PesqError> {
        if pairs.is_empty() {
            return Ok(Vec::new());
        }
        let lines = self.run(what, pairs)?;
        Ok(lines.into_iter().map(|line| line[0]).collect())
    }

    /// PESQ-WB and ESTOI of pairs of aligned signals of 48 kHz, in one go.
    ///
    /// # Errors
    /// [`PesqError::Python`], with what the packages said.
    pub fn measure(&self, pairs: &[(&[f32], &[f32])]) -> Result<Vec<Measured>, PesqError> {
        let lines = self.run("both", pairs)?;
        let measured = |line: Vec<f64>| {
            let [pesq_wb, estoi] = line[..] else {
                return Err(PesqError::Python("it printed too little".into()));
            };
            Ok(Measured { pesq_wb, estoi })
        };
        lines.into_iter().map(measured).collect()
    }

    /// One line of at least one number for each pair.
    fn run(&self, what: &str, pairs: &[(&[f32], &[f32])]) -> Result<Vec<Vec<f64>>, PesqError> {
        let folder = tempfile::tempdir()?;
        let mut command = Command::new(&self.python);
        command.args(["-c", SCRIPT, what]).stdin(Stdio::null());
        for (number, (spoken, heard)) in pairs.iter().enumerate() {
            for (name, samples) in [("spoken", spoken), ("heard", heard)] {
                let file = folder.path().join(format!("{name}{number}"));
                write_raw(&file, samples)?;
                command.arg(file);
            }
        }
        let output = command.output()?;
        let printed = String::from_utf8_lossy(&output.stdout);
        let numbers = |line: &str| line.split_whitespace().map(|n| n.parse().ok()).collect();
        let lines: Option<Vec<Vec<f64>>> = printed.lines().map(numbers).collect();
        lines
            .filter(|lines| lines.len() == pairs.len() && lines.iter().all(|l| !l.is_empty()))
            .ok_or_else(|| PesqError::Python(last_line(&output.stderr)))
    }
}

fn write_raw(path: &Path, samples: &[f32]) -> Result<(), std::io::Error> {
    let bytes: Vec<u8> = signal::to_16k(samples)
        .iter()
        .flat_map(|s| ((s * 32_768.0).round().clamp(-32_768.0, 32_767.0) as i16).to_le_bytes())
        .collect();
    std::fs::write(path, bytes)
}

/// Cargo's target directory.
fn target_folder() -> PathBuf {
    match std::env::var_os("CARGO_TARGET_DIR") {
        Some(folder) => folder.into(),
        None => Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target"),
    }
}

/// Released when the file is closed, also when the process is killed.
fn lock(path: &Path) -> Result<File, PesqError> {
    let file = File::create(path)?;
    if let Err(TryLockError::WouldBlock) = file.try_lock() {
        let mut note = std::io::stderr();
        writeln!(note, "waiting for another process that installs pesq")?;
        file.lock()?;
    }
    Ok(file)
}

fn install(folder: &Path, python: &Path) -> Result<(), PesqError> {
    let place = folder.display();
    eprintln!("installing the Python package pesq in {place} (half a minute)");
    // The system's Python first: its headers are what python3-dev brings.
    let system = ["/usr/bin/python3", "python3"]
        .into_iter()
        .find(|p| run(Command::new(p).arg("--version")).is_ok())
        .ok_or_else(|| PesqError::Install("python3 is missing".into()))?;
    run(Command::new(system)
        .args(["-m", "venv", "--clear"])
        .arg(folder))?;
    run(Command::new(python)
        .args([
            "-m",
            "pip",
            "install",
            "--quiet",
            "--disable-pip-version-check",
        ])
        .args(REQUIREMENTS))
}

fn run(command: &mut Command) -> Result<(), PesqError> {
    let output = command
        .stdin(Stdio::null())
        .output()
        .map_err(|e| PesqError::Install(format!("{}: {e}", command.get_program().display())))?;
    if output.status.success() {
        return Ok(());
    }
    let told = if output.stderr.is_empty() {
        output.stdout
    } else {
        output.stderr
    };
    Err(PesqError::Install(last_line(&told)))
}

fn last_line(text: &[u8]) -> String {
    let text = String::from_utf8_lossy(text);
    text.lines()
        .rev()
        .find(|l| !l.trim().is_empty())
        .unwrap_or("no message")
        .trim()
        .to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn segments_last_eight_to_twelve_seconds() {
        for seconds in 8..100 {
            let parts = segments(RATE, (1 + seconds) * RATE).unwrap();
            let covered: usize = parts.iter().map(ExactSizeIterator::len).sum();
            assert!(
                parts
                    .iter()
                    .all(|p| (8 * RATE..=12 * RATE).contains(&p.len())),
                "{seconds}"
            );
            assert!(
                covered as f64 >= 0.74 * (seconds * RATE) as f64,
                "{seconds}"
            );
        }
        assert_eq!(segments(0, 5 * RATE).unwrap().len(), 1);
        assert!(segments(0, 2 * RATE).is_err());
    }
}
