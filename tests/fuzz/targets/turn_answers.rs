//! Fuzz target `turn_answers`: see tests/corpus-replay.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| tacit_corpus_replay::run("turn_answers", bytes));
