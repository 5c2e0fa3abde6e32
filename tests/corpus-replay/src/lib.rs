//! What the fuzz targets do: one function from hostile bytes to nothing for each parser, which panics
//! if a promise is broken.
//!
//! ```text
//!   tests/fuzz/targets/NAME.rs   libFuzzer, with a sanitizer --+
//!                                                              +--> targets::NAME(bytes)
//!   tests/fuzz/corpus/NAME/*     replayed as ordinary tests ---+
//! ```
//!
//! The promises: no panic and no unbounded work whatever the bytes; what decodes encodes to the same
//! bytes; machines keep the sans-IO contract.
//!
//! **Not in this crate:** the corpora and the fuzzers' programs (tests/fuzz).
#![forbid(unsafe_code)]

mod crypto;
mod files;
mod media;
mod playout;
mod rand;
mod signaling;
mod traces;

/// A parser, fed with hostile bytes.
#[derive(Clone, Copy, Debug)]
pub struct Target {
    /// Name of the target and of its corpus.
    pub name: &'static str,
    /// Feeds it.
    pub run: fn(&[u8]),
}

/// Every target, by name.
pub const TARGETS: &[Target] = &[
    target("callee", signaling::callee),
    target("caller", signaling::caller),
    target("codec", media::codec),
    #[cfg(feature = "config")]
    target("config", files::config),
    target("control", media::control),
    target("frame", signaling::frame),
    target("handshake", crypto::handshake),
    target("invite", crypto::invite),
    target("onion", tacit_legs::fuzz::fuzz_onion_bytes),
    target("packet_content", media::packet_content),
    target("packet_opener", crypto::packet_opener),
    target("payload", signaling::payload),
    target("pipe_opener", crypto::pipe_opener),
    target("playout", playout::playout),
    target("profile", files::profile),
    target("refill", crypto::refill),
    target("server", signaling::server),
    target("token", crypto::token),
    target("trace", traces::trace),
    target("turn", tacit_legs::fuzz::fuzz_turn_bytes),
    target("turn_answers", tacit_legs::fuzz::fuzz_turn_answers),
    target("wav", files::wav),
];

/// Runs the target of that name.
///
/// # Panics
///
/// When a promise is broken, or there is no such target.
pub fn run(name: &str, bytes: &[u8]) {
    let target = TARGETS
        .iter()
        .find(|t| t.name == name)
        .expect("there is a target of this name");
    (target.run)(bytes);
}

const fn target(name: &'static str, run: fn(&[u8])) -> Target {
    Target { name, run }
}
