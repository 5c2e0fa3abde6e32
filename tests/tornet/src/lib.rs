//! A private Tor network of real relays (Debian's `tor`) on this machine, for tests and the demo.
//!
//! ```text
//!                    +-- this process ----------------------------------------+
//!                    |  keys (cached) -> torrc -> start -> first vote -> usable|
//!                    +---------------------------------------------------------+
//!  client 127.0.0.1 --->  127.B.0.1:5000 [proxy: delay, stall] --> :6000  mid1
//!  mid1 ----------------> 127.C.0.1:5000 [proxy] ----------------> :6000  exit1 --> target
//! ```
//!
//! Every relay has its own loopback /16, so clients need no exception from their path rules. The
//! proxies find out which two relays a connection joins; that is what [`Network::stall`] and
//! [`Network::connections`] work with.
//!
//! ```no_run
//! use tacit_tornet::{Config, Link, Network};
//! # async fn example() -> Result<(), tacit_tornet::Error> {
//! let config = Config { link: Link::delayed_ms(15, 1), ..Config::default() };
//! let network = Network::start(config, |progress| eprintln!("{progress}")).await?;
//! println!("{}", network.arti_config_toml());
//! # Ok(()) }
//! ```
//!
//! As root, [`Link::Namespaces`] gives every relay and every client a network namespace of its own
//! instead, joined by a router in this process that delays packets and records where each
//! [`Namespace`] sends them.
//!
//! All that was started stops when [`Network`] is dropped, also by a panic; when the process is
//! killed hard, each `tor` notices that its owning control connection closed and exits.
//!
//! **Not in this crate:** Tor clients of ours (tacit-tor), onion services, TURN servers, calls.
#![deny(unsafe_code)]

mod addresses;
mod arti;
mod bringup;
mod config;
mod control;
mod delay;
mod error;
mod history;
mod identity;
mod keys;
mod netns;
mod network;
mod nodelay;
mod process;
mod progress;
mod proxy;
mod range;
mod stall;
mod torrc;
mod workdir;

pub use config::{Config, Link, SystemTor};
pub use error::Error;
pub use identity::{Relay, Role};
pub use netns::{Contact, Namespace, Protocol};
pub use network::Network;
pub use nodelay::{Nodelay, set_nodelay};
pub use progress::{Progress, Stage};
pub use proxy::{Connection, Dialler};
pub use stall::{Stall, StallReport};
