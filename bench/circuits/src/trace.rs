//! Recorded delays instead of the model: CSV files with `at_ms,extra_delay_ms`, one a circuit.
//!
//! A trace says how long packets took beyond a floor, at the spacing at which it was recorded. It
//! cannot tell what another spacing would have done.

use std::fmt;
use std::fs::{self, File};
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::random::{Random, derive};

/// Shortest trace that is of use, ms.
const SHORTEST: f64 = 1_000.0;
/// Longest time without a packet in a trace, ms.
const GAP_MAX: f64 = 10_000.0;
/// A delay above this is taken for a mistake, ms.
const DELAY_MAX: f64 = 120_000.0;
/// Largest file, bytes: a day at 50 packets a second.
const BYTES_MAX: u64 = 128 << 20;

const HEADER: &str = "at_ms,extra_delay_ms";
/// Where FNV-1a begins.
const FNV_BEGIN: u64 = 0xcbf2_9ce4_8422_2325;
/// What some programs begin a file of text with.
const BYTE_ORDER_MARK: char = '\u{feff}';

/// Why traces cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TraceError {
    /// A file or the folder could not be read.
    #[error("{path}: {source}", path = path.display())]
    Read {
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// Something is wrong with a file.
    #[error("{path}: {what}", path = path.display())]
    File {
        /// Which.
        path: PathBuf,
        /// What.
        what: Problem,
    },
    /// Fewer than two: one half to tune with, one to score with.
    #[error("{path}: {found} traces (*.csv); at least 2 are needed", path = path.display())]
    TooFew {
        /// The folder.
        path: PathBuf,
        /// How many there are.
        found: usize,
    },
}

/// What is wrong with a trace. Lines count from 1.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum Problem {
    /// A folder, a device, a pipe: reading it may never end.
    #[error("is not a plain file: remove it, or move it to another folder")]
    NotFile,
    /// No bytes.
    #[error("is empty")]
    Empty,
    /// Larger than any call.
    #[error("is larger than 128 MiB")]
    Large,
    /// Another first line.
    #[error("the first line must be 'at_ms,extra_delay_ms'")]
    Header,
    /// Only a header.
    #[error("has a header and no packets")]
    NoPackets,
    /// Not two numbers.
    #[error("line {0}: not two numbers separated by a comma")]
    NotNumbers(usize),
    /// Times must rise.
    #[error("line {0}: at_ms is not later than the line before")]
    Order(usize),
    /// Nothing for a long time.
    #[error("line {0}: a gap of {gap} ms, more than 10 s: split the file there", gap = short(*.1))]
    Gap(usize, f64),
    /// Below zero.
    #[error("line {0}: negative delay")]
    Negative(usize),
    /// Above two minutes.
    #[error("line {0}: a delay of {delay} ms, more than 2 minutes", delay = short(*.1))]
    Absurd(usize, f64),
    /// Too short to draw from.
    #[error("lasts {0:.0} ms: at least 1 s is needed")]
    Short(f64),
}

/// Whole milliseconds, or of what no clock says, how many digits there would be.
fn short(ms: f64) -> String {
    if ms < 1e12 {
        format!("{ms:.0}")
    } else {
        format!("{ms:.1e}")
    }
}

/// One recorded circuit.
#[derive(Clone, Debug, PartialEq)]
pub struct Trace {
    /// Time since the first packet, and extra delay, in ms.
    points: Vec<(f64, f64)>,
}

impl Trace {
    /// Reads a trace from text.
    ///
    /// # Errors
    /// Says what is wrong, and in which line.
    pub fn parse(text: &str) -> Result<Self, Problem> {
        let text = text.strip_prefix(BYTE_ORDER_MARK).unwrap_or(text);
        let mut lines = text.lines().enumerate();
        let (_, header) = lines.next().ok_or(Problem::Empty)?;
        if header.trim() != HEADER {
            return Err(Problem::Header);
        }
        let mut points: Vec<(f64, f64)> = Vec::new();
        let mut first = None;
        for (index, line) in lines.filter(|(_, line)| !line.trim().is_empty()) {
            let number = index + 1;
            let (at, extra) = point(line, number)?;
            // In order as they are kept: times that differ by next to nothing may fall together here.
            let at = at - *first.get_or_insert(at);
            match points.last() {
                Some((before, _)) if at <= *before => return Err(Problem::Order(number)),
                Some((before, _)) if at - before > GAP_MAX => {
                    return Err(Problem::Gap(number, at - before));
                }
                _ => points.push((at, extra)),
            }
        }
        match points.last() {
            None => Err(Problem::NoPackets),
            Some((length, _)) if *length < SHORTEST => Err(Problem::Short(*length)),
            Some(_) => Ok(Self { points }),
        }
    }

    /// The text that [`parse`](Self::parse) reads.
    #[must_use]
    pub fn to_csv(&self) -> String {
        let rows = self
            .points
            .iter()
            .map(|(at, extra)| format!("{at},{extra}\n"));
        format!("{HEADER}\n{}", rows.collect::<String>())
    }

    /// Time from the first to the last packet, ms.
    #[must_use]
    pub fn length(&self) -> f64 {
        self.points.last().map_or(0.0, |(at, _)| *at)
    }

    /// A number for what is in it, which goes on from that of others.
    fn fingerprint(&self, others: u64) -> u64 {
        let mut hash = fnv(others, self.points.len() as u64);
        for (at, extra) in &self.points {
            hash = fnv(fnv(hash, at.to_bits()), extra.to_bits());
        }
        hash
    }

    /// Extra delay of the packet sent last up to `at`, which is taken modulo the length; ms.
    fn extra(&self, at: f64) -> f64 {
        let at = at.rem_euclid(self.length());
        let after = self.points.partition_point(|(sent, _)| *sent <= at);
        self.points[after.saturating_sub(1)].1
    }
}

/// FNV-1a of 64 bits, which is the same with every compiler and on every machine.
fn fnv(hash: u64, number: u64) -> u64 {
    number.to_le_bytes().iter().fold(hash, |hash, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3)
    })
}

fn point(line: &str, number: usize) -> Result<(f64, f64), Problem> {
    let numbers = line.split_once(',').and_then(|(at, extra)| {
        let at: f64 = at.trim().parse().ok()?;
        let extra: f64 = extra.trim().parse().ok()?;
        (at.is_finite() && extra.is_finite()).then_some((at, extra))
    });
    let (at, extra) = numbers.ok_or(Problem::NotNumbers(number))?;
    if extra < 0.0 {
        return Err(Problem::Negative(number));
    }
    if extra > DELAY_MAX {
        return Err(Problem::Absurd(number, extra));
    }
    Ok((at, extra))
}

/// Which half of the traces.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// For choosing parameters.
    Tuning,
    /// For results.
    Scoring,
}

impl fmt::Display for Part {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Tuning => "tuning",
            Self::Scoring => "scoring",
        })
    }
}

/// All traces of a folder, in two halves.
#[derive(Clone, Debug)]
pub struct Traces {
    halves: [Vec<Arc<Trace>>; 2],
    fingerprint: u64,
}

impl Traces {
    /// Reads every `*.csv` of a folder and splits them by a shuffle that depends on `seed` and on
    /// their names only.
    ///
    /// # Errors
    /// One bad file is an error: results from the others would not be what was asked for.
    pub fn read(folder: &Path, seed: u64) -> Result<Self, TraceError> {
        let mut files = csv_files(folder)?;
        if files.len() < 2 {
            return Err(TraceError::TooFew {
                path: folder.to_owned(),
                found: files.len(),
            });
        }
        files.sort();
        let traces = files.iter().map(|path| read(path));
        Ok(Self::split(traces.collect::<Result<_, _>>()?, seed))
    }

    /// Splits traces that are at hand by a shuffle that depends on `seed`; `None` of fewer than two.
    #[must_use]
    pub fn new(traces: Vec<Trace>, seed: u64) -> Option<Self> {
        let traces: Vec<Arc<Trace>> = traces.into_iter().map(Arc::new).collect();
        (traces.len() >= 2).then(|| Self::split(traces, seed))
    }

    fn split(mut traces: Vec<Arc<Trace>>, seed: u64) -> Self {
        let mut random = Random::new(seed);
        for last in (1..traces.len()).rev() {
            traces.swap(last, random.below(last + 1));
        }
        let all = traces.iter();
        let fingerprint = all.fold(FNV_BEGIN, |hash, trace| trace.fingerprint(hash));
        let scoring = traces.split_off(traces.len() / 2);
        Self {
            halves: [traces, scoring],
            fingerprint,
        }
    }

    /// A number for what is in these traces, all of them, in the order in which they are drawn from: it is
    /// the same as long as a seed stands for the same circuits. The folder's name and the order in which
    /// the system lists files do not count.
    #[must_use]
    pub const fn fingerprint(&self) -> u64 {
        self.fingerprint
    }

    /// How many traces a half has.
    #[must_use]
    pub fn count(&self, part: Part) -> usize {
        self.halves[part as usize].len()
    }

    /// A trace of that half and an offset into it, both by the seed.
    #[must_use]
    pub(crate) fn draw(&self, part: Part, seed: u64) -> Replay {
        let half = &self.halves[part as usize];
        let mut random = Random::new(derive(seed, 0x7ace));
        let trace = Arc::clone(&half[random.below(half.len())]);
        let offset = random.unit() * trace.length();
        Replay {
            trace,
            offset,
            arrived_at: 0.0,
        }
    }
}

fn csv_files(folder: &Path) -> Result<Vec<PathBuf>, TraceError> {
    let failed = |source| TraceError::Read {
        path: folder.to_owned(),
        source,
    };
    if folder.is_file() {
        let wanted = "a folder of CSV files is wanted, and this is a file";
        return Err(failed(io::Error::new(io::ErrorKind::NotADirectory, wanted)));
    }
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).map_err(failed)? {
        let path = entry.map_err(failed)?.path();
        if path.extension().is_some_and(|ext| ext == "csv") {
            files.push(path);
        }
    }
    Ok(files)
}

fn read(path: &Path) -> Result<Arc<Trace>, TraceError> {
    let failed = |source| TraceError::Read {
        path: path.to_owned(),
        source,
    };
    let wrong = |what| TraceError::File {
        path: path.to_owned(),
        what,
    };
    // Before it is opened, which already waits where a pipe has no writer.
    if !fs::metadata(path).map_err(failed)?.is_file() {
        return Err(wrong(Problem::NotFile));
    }
    // What the system says of a file's length need not be true: only what is read counts.
    let mut text = String::new();
    let file = File::open(path).map_err(failed)?;
    let read = file.take(BYTES_MAX + 1).read_to_string(&mut text);
    if read.map_err(failed)? as u64 > BYTES_MAX {
        return Err(wrong(Problem::Large));
    }
    Trace::parse(&text).map(Arc::new).map_err(wrong)
}

/// A recorded circuit that packets are sent on: from an offset, round and round.
#[derive(Clone, Debug)]
pub(crate) struct Replay {
    trace: Arc<Trace>,
    offset: f64,
    arrived_at: f64,
}

impl Replay {
    /// When a packet arrives that is sent at `at`, over a floor; all in ms.
    pub(crate) fn pass(&mut self, at: f64, floor: f64) -> f64 {
        let arrives = at + floor + self.trace.extra(at + self.offset);
        self.arrived_at = self.arrived_at.max(arrives);
        self.arrived_at
    }
}
