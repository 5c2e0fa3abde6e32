//! Micro-benchmarks, with divan: `cargo bench -p tacit-micro-bench`.
//!
//! - `signaling`: ring admissions a second through the whole of `Server::handle_input`, and the cost
//!   of a refusal.
//! - `mailbox_memory`: bytes of an attached mailbox, from the process's resident memory and from a
//!   counting allocator; fails above 700.
//! - `crypto`: sealing and opening packets, and a handshake's four steps.
//!
//! **Not in this crate:** benchmarks through Tor or of whole calls.
#![forbid(unsafe_code)]
