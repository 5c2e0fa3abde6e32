//! The call engine.

pub mod api;
mod call;
pub mod clock;
pub mod core;
mod credentials;
mod dial;
mod engine;
mod frames;
mod host;
mod join;
mod ledger;
pub mod memory;
pub mod network;
mod resync;
mod ringer;
mod shared;
pub mod store;
pub mod tor;
mod trace;
mod voice;

pub use api::*;
pub use engine::{AddressBook, Engine, EventStream};
pub use tacit_crypto::Invite;
