//! Tacit's cryptography: invites, tokens, wallets, handshakes, media keys, packet cipher and SAS.
//!
//! ```text
//!   Mailbox ── Token, Psk ── IssuerWallet ⇄ Refill ⇄ HolderWallet
//!                                │
//!   StaticKeypair ── Initiator / Responder (Noise) ── SessionKeys ─┬─ PipeSealer, PipeOpener
//!                                                                  ├─ PacketSealer, PacketOpener
//!                                                                  ├─ Sas (two words)
//!                                                                  ├─ leg secrets
//!                                                                  └─ first batch secrets
//! ```
//!
//! Everything here is a function of its arguments: randomness is an argument, and so is time.
//! `docs/protocol.md` gives every byte; `tests/conformance` checks the two against each other.
//!
//! Durability is the caller's: **save before you send**. Whatever a method here changed in a wallet,
//! a mailbox or an invite must be on disk before a byte that depends on it leaves the device. See
//! [`wallet`] for the rule and what it buys.
//!
//! **Not in this crate:** frames and payloads (`tacit-signaling`), packet contents (`tacit-packet`),
//! sockets, clocks, operating-system entropy, storage, post-quantum key exchange.
#![forbid(unsafe_code)]

mod base32;
pub mod handshake;
pub mod invite;
mod kdf;
pub mod keys;
pub mod mailbox;
pub mod packet;
pub mod pipe;
pub mod sas;
pub mod session;
pub mod slots;
pub mod token;
#[cfg(feature = "vectors")]
pub mod vectors;
pub mod wallet;
mod words;

pub use handshake::{HandshakeError, Initiator, Prologue, Purpose, Responder, ResponderAnswer};
pub use invite::{Invite, InviteError};
pub use keys::{StaticKeypair, StaticPublic};
pub use mailbox::{AttachSecret, Mailbox, MailboxSecret, SpentBitmap, TokenKey};
pub use packet::{DropReason, PacketCounter, PacketOpener, PacketSealer};
pub use pipe::{PipeOpener, PipeSealer};
pub use sas::{Sas, SasMessage};
pub use session::{LegSecret, MediaKeys, PipeKeys, SasKeys, SessionKeys};
pub use token::{Generation, Psk, Token};
pub use wallet::{BatchNumber, HolderWallet, IssuerWallet, Refill};

// For those who need to name the random source that they pass in.
pub use rand_core;
