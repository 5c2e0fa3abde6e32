//! How good a call sounds: speech to send, and measures of what arrived.
//!
//! ```text
//!   speech::assemble --> spoken.wav --> (a call) --> heard.wav
//!                             \                        /
//!                              +--- align, pesq, gap -+
//! ```
//!
//! * [`speech`]: recorded human speech of any length, two texts for the two directions.
//! * [`align`]: where in the heard file each part of the spoken one is.
//! * [`pesq`]: PESQ-WB (ITU-T P.862.2) and ESTOI of aligned segments, by the Python packages `pesq`
//!   and `pystoi` in a virtual environment of its own under the target directory.
//! * [`gap`]: the longest silence where there should have been speech.
//! * [`pulse`]: a private PulseAudio with null sinks, for tests with real sound devices.
//!
//! The program `tacit-quality` offers each as a subcommand.
//!
//! # Licence of the speech
//!
//! The recordings are not in this repository. They come from Debian's package
//! `asterisk-core-sounds-en-g722`: copyright 2003-2010 Allison Smith, recorded by Allison Smith,
//! financed by Digium, Inc., licence CC-BY-SA-3.0 (`/usr/share/doc/asterisk-core-sounds-en-g722/
//! copyright`). Files that [`speech`] makes are adaptations (decoded, cut, joined, levelled): to
//! share them, name the author and the changes and keep that licence.
//!
//! **Not in this crate:** anything that a user's machine needs; it serves tests and the demo.
#![forbid(unsafe_code)]

pub mod align;
pub mod gap;
pub mod pesq;
pub mod pulse;
pub mod signal;
pub mod speech;

/// Samples a second of every signal here, unless a name says otherwise.
pub const RATE: usize = tacit_types::limits::SAMPLE_RATE as usize;

/// Says on standard output that a test did not run, past the test harness, which keeps what passing
/// tests print to itself. Whoever runs the tests treats the line as a failure where none may skip.
pub fn skipped(what: &str, why: &dyn core::fmt::Display) {
    use std::io::Write;
    // With no standard output there is nobody to tell.
    let _ = writeln!(std::io::stdout(), "\nSKIPPED: {what}: {why}");
}
