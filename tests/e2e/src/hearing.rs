//! Whether a recording holds what was spoken.

use std::ops::Range;
use std::path::Path;

use tacit_quality::align::{Alignment, Search, align};
use tacit_quality::pesq;
use tacit_quality::signal::read_wav;

/// Samples of one second.
const RATE: usize = tacit_quality::RATE;
/// Correlation of speech with itself after Opus at 24 kb/s is far above this, with other speech far
/// below.
const SAME_SPEECH: f32 = 0.6;
/// Seconds that are looked for at once.
const PIECE_S: usize = 2;
/// Delays after which a recording is searched: the network's, the playout's and a late start.
const MAX_LAG_S: f64 = 4.0;

/// Finds these seconds of the spoken file in the heard one, up to four seconds later or earlier.
/// Returns the piece of median similarity.
///
/// # Errors
/// If they are not there.
pub fn heard(spoken: &Path, heard: &Path, seconds: Range<usize>) -> Result<Alignment, String> {
    heard_around(spoken, heard, seconds, Search::within(MAX_LAG_S))
}

/// As [`heard`], at the lags given.
///
/// # Errors
/// If they are not there.
pub fn heard_around(
    spoken: &Path,
    heard: &Path,
    seconds: Range<usize>,
    search: Search,
) -> Result<Alignment, String> {
    let (said, got) = (read(spoken)?, read(heard)?);
    // Piece by piece: the playout delay changes now and then, and what follows is shifted.
    let mut found: Vec<Alignment> = (seconds.start..seconds.end.saturating_sub(PIECE_S - 1))
        .step_by(PIECE_S)
        .filter_map(|s| align(&said, &got, s * RATE..(s + PIECE_S) * RATE, search))
        .collect();
    found.sort_by(|a, b| a.similarity.total_cmp(&b.similarity));
    let usual = found.get(found.len() / 2).copied();
    let usual = usual.ok_or_else(|| format!("{} holds no sound", heard.display()))?;
    if usual.similarity < SAME_SPEECH {
        return Err(format!(
            "{} does not hold what was spoken: {found:?}",
            heard.display()
        ));
    }
    Ok(usual)
}

/// PESQ-WB of a part of a call, mean of segments.
///
/// # Errors
/// If a file cannot be read or PESQ cannot be computed.
pub fn pesq_wb(spoken: &Path, heard: &Path, from_s: f64, to_s: f64) -> Result<f64, String> {
    let (said, got) = (read(spoken)?, read(heard)?);
    pesq::score(&said, &got, from_s, to_s, Search::within(2.0))
        .map(|report| report.mean)
        .map_err(|e| e.to_string())
}

/// Reads a recording.
///
/// # Errors
/// If it cannot be read.
pub fn read(path: &Path) -> Result<Vec<f32>, String> {
    read_wav(path).map_err(|e| format!("{}: {e}", path.display()))
}
