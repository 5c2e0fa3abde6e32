//! Known-answer vectors of the Tacit protocol, made by our code with fixed inputs, and reproduced by
//! a second implementation in Python that was written from `docs/protocol.md`.
//!
//! ```text
//!   topic::*  ──►  vectors/<topic>.json  ◄──  python/topic_<topic>.py
//!             write: cargo run -p tacit-conformance --bin vectors
//!             check: cargo test -p tacit-conformance
//! ```
//!
//! To add a topic: a module in [`mod@topic`] with `pub fn vectors() -> Value`, a line in [`TOPICS`], a
//! Python module `topic_<name>.py` with `def check(vectors)`, then run the writer. Bytes are lower-case
//! hex, everything else is plain JSON.
//!
//! **Not in this crate:** protocol logic.
#![forbid(unsafe_code)]

pub mod fixed;
pub mod topic;

use std::path::PathBuf;

use serde_json::Value;

/// A topic's name, and the function that makes its vectors.
pub type Topic = (&'static str, fn() -> Value);

/// Every topic: one file of vectors and one Python module each.
pub const TOPICS: &[Topic] = &[
    ("derivations", topic::derivations::vectors),
    ("mailbox", topic::mailbox::vectors),
    ("wallet", topic::wallet::vectors),
    ("handshake", topic::handshake::vectors),
    ("pipe", topic::pipe::vectors),
    ("frames", topic::frames::vectors),
    ("packet", topic::packet::vectors),
    ("contents", topic::contents::vectors),
    ("sas", topic::sas::vectors),
    ("invite", topic::invite::vectors),
];

/// The folder of this package.
#[must_use]
pub fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// The committed file of a topic.
#[must_use]
pub fn vector_file(topic: &str) -> PathBuf {
    folder().join("vectors").join(format!("{topic}.json"))
}
