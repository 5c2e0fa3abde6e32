//! Tor: Arti in this process, or a tor that already runs on this computer, behind one API.
//!
//! ```text
//!                         +-> arti::Client -> guard -> ... -> exit -> host:port
//!   Tor::start/connect ---|                             \--> rendezvous -> onion service
//!   Tor::host             +-> system::Client -> SOCKS and control port of a system tor
//! ```
//!
//! * [`Tor::start`] bootstraps and tells how far it is by [`TorProgress`].
//! * [`Tor::connect`] opens one stream; every [`Isolation`] has circuits of its own.
//! * [`Tor::host`] publishes an onion service for an [`OnionIdentity`] that the caller keeps, open
//!   or readable only by holders of a discovery key ([`Audience`]).
//!
//! A [`TorStream`] gathers written bytes until one Tor cell is full: flush after each frame.
//!
//! Secrets live in the caller's encrypted profile. Arti's key store is in memory, its directories
//! hold guards, vanguards and the public directory, and the names of hosted services in them are
//! random and new each time.
//!
//! # Logging
//!
//! This crate's own events name no address, key or relay. Arti scrubs addresses (its `safelog` stays
//! on) but at `debug` and `trace` it tells circuits, relays and timing, and even a scrubbed onion
//! address shows its last letters. A program that prints logs must therefore put [`LOG_FILTER`]
//! behind whatever level its user asks for; there is no reason to let a user lift it.
//!
//! # Obsolete versions
//!
//! When the Tor network requires a protocol that this Arti does not know, a start fails with
//! [`TorErrorKind::Obsolete`], which is final. Should the network come to require it while Arti runs,
//! Arti prints why and calls `exit(1)` after five seconds; it offers no way to refuse. Hence the rule
//! for programs: whatever must survive is on the disk, written atomically, before it counts.
//!
//! **Not in this crate:** what is said over the streams, retries (the caller knows how long it is
//! worth trying; [`TorError::is_retryable`] tells whether), bridges and pluggable transports (a
//! system tor that uses them works).
#![forbid(unsafe_code)]

mod address;
mod arti;
mod config;
mod error;
mod host;
mod keys;
mod progress;
mod stream;
mod system;
mod target;
mod tor;

pub use address::{OnionAddressError, onion_address, parse_onion_address};
pub use config::{ArtiConfig, ControlAuth, ControlPort, SystemTorConfig, TorConfig, Vanguards};
pub use error::{TorError, TorErrorKind};
pub use host::{Audience, HostedOnion, MAX_AUTHORISED, OnionHost, Reachability};
pub use keys::{DiscoveryKey, DiscoveryKeypair, OnionIdentity};
pub use progress::TorProgress;
pub use stream::{RelayIdentity, TorStream};
pub use target::{Isolation, Target};
pub use tor::Tor;

/// Directives for `tracing_subscriber::EnvFilter` that must follow a program's own: they keep Arti
/// and its libraries at warnings, whatever level was asked for. (On networks of a few relays
/// `tor_netdir` warns many times that it cannot choose dozens of them.)
pub const LOG_FILTER: &str =
    "arti_client=warn,tor_=warn,tor_netdir=error,fs_mistrust=warn,rustls=warn,rusqlite=warn";

/// As [`LOG_FILTER`], for a program that was asked for no logs: what Arti warns of is told by
/// [`TorProgress`] and by errors, in fewer words.
pub const QUIET_LOG_FILTER: &str =
    "arti_client=error,tor_=error,fs_mistrust=error,rustls=error,rusqlite=error";
