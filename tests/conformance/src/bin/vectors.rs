//! Writes every topic's vectors: `cargo run -p tacit-conformance --bin vectors`.
//! Look at the difference before committing it: a changed vector is a changed protocol.
#![forbid(unsafe_code)]

use std::io;

use tacit_conformance::{TOPICS, vector_file};

fn main() -> io::Result<()> {
    for (topic, vectors) in TOPICS {
        let mut text = serde_json::to_string_pretty(&vectors())?;
        text.push('\n');
        std::fs::write(vector_file(topic), text)?;
    }
    Ok(())
}
