//! The call engine: everything of Tacit that is not a user interface.
//!
//! ```text
//!   program ── Command ──▶ Engine ── Event ──▶ program
//!                            │
//!         ┌──────────────────┼───────────────────────────┐
//!       ledger             host, dial, join, resync     call (one task each)
//!   contacts, wallets,     signaling machines over       legs ◀─▶ core ◀─▶ voice
//!   invites; saved         streams: who rings whom         media packets    sound in and out
//!   before it shows          │                             │
//!         │                  └─────────── Network ─────────┘
//!       Store                        Tor, or memory
//! ```
//!
//! [`Engine::start`] hosts an onion address for each contact and gives a stream of [`Event`]s. A
//! [`Command`] never blocks; what becomes of it is an event. [`EngineConfig`] says where streams
//! ([`network::Network`]), durable state ([`store::Store`]) and sound come from. A call's media is
//! the sans-IO machine in [`core`]; the tasks around it only move bytes and look at the clock.
//!
//! Whatever must not be forgotten (a token marked as tried or spent, the first person to take an
//! invite, a new batch of tokens) is stored before anything is sent or shown that depends on it.
//!
//! Two engines in one process:
//!
//! ```
//! use std::{sync::Arc, time::Duration};
//! use tacit_audio::{Sink, Source};
//! use tacit_engine::{CallState, Command, DialOptions, Engine, EngineConfig, Error, Event};
//! use tacit_engine::{EventStream, memory::MemoryNetwork, store::MemoryStore};
//! use tacit_types::LegKind;
//!
//! fn person(network: &MemoryNetwork) -> Result<(Engine, EventStream), Error> {
//!     let mut config = EngineConfig::new(Arc::new(network.clone()), Box::<MemoryStore>::default());
//!     config.audio = Box::new(|_| (Source::Silence, Sink::Discard));
//!     Engine::start(config)
//! }
//!
//! async fn until<T>(events: &mut EventStream, pick: impl Fn(Event) -> Option<T>) -> T {
//!     loop {
//!         if let Some(found) = pick(events.next().await.expect("the engine runs")) {
//!             return found;
//!         }
//!     }
//! }
//!
//! # #[tokio::main]
//! # async fn main() -> Result<(), Error> {
//! let network = MemoryNetwork::default();
//! let (alice, mut at_alice) = person(&network)?;
//! let (bob, mut at_bob) = person(&network)?;
//!
//! let invite = bob.invite("Alice", Duration::from_secs(3600))?;
//! until(&mut at_bob, |e| matches!(e, Event::InviteReachable).then_some(())).await;
//! alice.accept_invite(&invite, "Bob").await?;
//!
//! alice.dial("Bob", DialOptions { legs: LegKind::Onion })?;
//! let call = until(&mut at_bob, |e| match e {
//!     Event::Incoming { call, .. } => Some(call),
//!     _ => None,
//! }).await;
//! bob.send(Command::Accept(call))?;
//! for events in [&mut at_alice, &mut at_bob] {
//!     until(events, |e| matches!(e, Event::State(_, CallState::Connected)).then_some(())).await;
//! }
//! # Ok(())
//! # }
//! ```
//!
//! **Not in this crate:** user interfaces, configuration files and the encrypted profile
//! (`tacit-cli`); Tor itself (`tacit-tor`); frames, packets, keys, codec and devices (a crate each,
//! from which this one is put together).
#![forbid(unsafe_code)]

mod agreement;
pub mod api;
mod call;
pub mod clock;
pub mod core;
mod credentials;
mod dial;
mod engine;
mod error;
mod frames;
mod host;
mod join;
mod ledger;
pub mod memory;
mod microphone;
pub mod network;
mod quality;
mod resync;
mod ringer;
mod shared;
mod sound;
pub mod store;
pub mod tor;
mod trace;
mod voice;

pub use api::*;
pub use engine::{AddressBook, Engine, EventStream};
pub use error::Error;
pub use tacit_crypto::Invite;
