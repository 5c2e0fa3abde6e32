//! TURN legs: a small pipelining TURN client (RFC 8656) on the message codec of `rtc-stun` and the
//! attributes of `rtc-turn`.
mod client;
pub use client::{TurnConfig, TurnCredentials, TurnLeg};
