//! Calls between two `tacit` processes through real Tor relays on this machine.
//!
//! ```text
//!   tornet (relays, delay, stalls)     coturn     tacit-server
//!        ▲          ▲                     ▲            ▲
//!     tacit A ══ onion legs ══ tacit B    └─ exits ────┘
//!        │ JSON Lines, traces, WAVs │
//!        └────────► this crate ◄────┘ ──► report.json
//! ```
//!
//! [`demo`] places the demonstration calls, [`analysis`] turns traces into figures, [`person`] runs
//! `tacit` as a person would. The end-to-end tests use the same parts.
//!
//! **Not in this crate:** anything that a real call needs; it only watches.
#![forbid(unsafe_code)]

pub mod analysis;
pub mod canary;
pub mod demo;
pub mod hearing;
pub mod person;
pub mod recovery;
pub mod scenarios;
pub mod speech;
pub mod stage;
pub mod stall;
pub mod tap;
