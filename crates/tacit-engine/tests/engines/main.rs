//! Whole engines against each other over the in-memory network.
#![expect(clippy::unwrap_used, reason = "what fails here fails the test")]

mod calls;
mod common;
mod exposure;
mod invites;
mod meter;
mod network;
mod operated;
mod recovery;
mod removal;
mod renewal;
mod secrets;
mod snapshot;
mod wire;
mod words;
