//! Files that somebody else may have written.

use std::io::Write;

use tacit_audio::WavReader;
use tacit_profile::format;

/// Longest sound that is read to its end in one run, in blocks of 10 ms.
const MAX_BLOCKS: usize = 2000;

/// A profile's file, before any key is derived.
pub(crate) fn profile(bytes: &[u8]) {
    if let Ok((header, _, ciphertext)) = format::Header::parse(bytes) {
        assert_eq!(
            header.to_bytes().as_slice(),
            &bytes[..format::HEADER_BYTES],
            "a header has one form"
        );
        assert!(ciphertext.len() < bytes.len());
    }
}

/// A WAV file.
pub(crate) fn wav(bytes: &[u8]) {
    let mut file = tempfile::NamedTempFile::new().expect("there is room for a small file");
    file.write_all(bytes)
        .expect("there is room for a small file");
    let Ok(mut reader) = WavReader::open(file.path()) else {
        return;
    };
    let mut block = [0.0; tacit_types::limits::BLOCK_SAMPLES];
    for _ in 0..MAX_BLOCKS {
        let more = reader.next_block(&mut block);
        // The filter that changes the rate may shoot a little over full scale; the codec takes that.
        assert!(
            block.iter().all(|s| s.is_finite() && s.abs() < 2.0),
            "samples are in range"
        );
        if !more {
            return;
        }
    }
}

/// A configuration file.
#[cfg(feature = "config")]
pub(crate) fn config(bytes: &[u8]) {
    if let Ok(text) = core::str::from_utf8(bytes) {
        let _ = tacit_cli::config::Config::parse(text, "config.toml");
    }
}
