//! What goes into a caller's machine and what comes out.

use crate::frame::Hello;
use crate::payload::{Opening, PipeMessage, Response};
use core::time::Duration;
use tacit_crypto::keys::{StaticKeypair, StaticPublic};
use tacit_crypto::session::SessionKeys;
use tacit_crypto::token::{Psk, Token};
use tacit_types::{MailboxId, OnionKey};

/// What happens at the caller's.
#[derive(Debug)]
#[non_exhaustive]
pub enum CallerEvent {
    /// A measured round trip, if measuring was asked for.
    RoundTrip(Duration),
    /// The server has greeted us (and round trips are measured): [`Caller::ring`](crate::Caller::ring) may be called.
    Ready(Hello),
    /// The server said no, and not why. Another ring may follow on the same stream.
    Refused,
    /// The callee's device has answered: ringback, and keys.
    Answered {
        /// What message 2 says.
        response: Box<Response>,
        /// Keys of this handshake.
        keys: Box<SessionKeys>,
    },
    /// An authentic message from the callee.
    Message(PipeMessage),
    /// No answer, or nobody took the call, in time. The stream closes by itself after its delay.
    NoAnswer,
    /// An authentic answer that this version cannot read.
    Unreadable,
    /// The server does not greet, does not echo, or speaks no version of ours.
    ServerLost,
    /// Close the stream now.
    Close,
}

/// Whom to ring and with what.
#[derive(Clone, Copy, Debug)]
pub struct RingTo<'a> {
    /// The mailbox server that this stream leads to.
    pub server: OnionKey,
    /// The mailbox.
    pub mailbox: MailboxId,
    /// One-time admission; "tried" must be on disk before this is called.
    pub token: Token,
    /// Our static key for this contact.
    pub local: &'a StaticKeypair,
    /// The contact's static key.
    pub remote: &'a StaticPublic,
    /// The token's PSK; none for a resync only.
    pub psk: Option<&'a Psk>,
    /// Message 1.
    pub opening: &'a Opening,
}

/// Why a ring did not start.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RingError {
    /// HELLO has not come, or a ring is under way.
    #[error("the stream is not ready for a ring")]
    NotReady,
    /// Only a resync goes without a PSK.
    #[error("this purpose needs the token's PSK")]
    PskMissing,
}
