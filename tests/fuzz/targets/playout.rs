//! Fuzz target `playout`: see tests/corpus-replay.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| tacit_corpus_replay::run("playout", bytes));
