//! Noise handshakes: one message each way, then keys.
//!
//! | purpose | pattern | message 1 | message 2 |
//! |---|---|---|---|
//! | call, resume | `KKpsk0` | 48 + payload | 48 + payload |
//! | join | `IKpsk1` | 96 + payload | 48 + payload |
//! | resync | `KK` | 48 + payload | 48 + payload |
//!
//! all `_25519_ChaChaPoly_BLAKE2s`. Message 1 alone is replayable until its PSK is deleted: put no
//! secret in it, and delete the PSK (durably) before acting on it.
//!
//! The random source handed in gives 32 bytes for each ephemeral key and nothing else, so equal
//! inputs give equal bytes. An all-zero Diffie-Hellman result ends the handshake.

mod prologue;
#[cfg(test)]
mod published;
mod resolver;
mod state;

use core::fmt;

use rand_core::CryptoRngCore;
use tacit_types::Role;

pub use self::prologue::{PROLOGUE_BYTES, PROLOGUE_LABEL, Prologue, Purpose};
use self::state::{Pattern, Setup, State};
use crate::keys::{StaticKeypair, StaticPublic};
use crate::session::SessionKeys;
use crate::token::Psk;

/// Bytes that `KKpsk0` and `KK` add to either payload, and `IKpsk1` to message 2: an ephemeral key and a tag.
pub const KK_OVERHEAD: usize = 32 + 16;

/// Bytes that `IKpsk1` adds to the payload of message 1: also a sealed static key.
pub const IK_OVERHEAD: usize = 32 + 32 + 16 + 16;

/// Longest handshake message taken or made; a signaling frame leaves less.
pub const MAX_MESSAGE_BYTES: usize = 480;

/// Why a handshake message was refused. To be dropped and counted, in silence.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
#[non_exhaustive]
pub enum HandshakeError {
    /// The message did not authenticate under these keys and this prologue.
    #[error("the handshake message did not authenticate")]
    Unauthentic,
    /// Too short or too long to be one.
    #[error("the handshake message has an impossible length")]
    Length,
    /// A key of low order, which makes a Diffie-Hellman result all zero.
    #[error("the handshake message holds a key of low order")]
    LowOrderKey,
}

/// `BLAKE2s(message 1)`: when both sides ring at once, the ring with the lower value wins.
#[must_use]
pub fn glare_rank(message1: &[u8]) -> [u8; 32] {
    use blake2::Digest;
    blake2::Blake2s256::digest(message1).into()
}

/// The caller's side.
pub struct Initiator(State);

impl Initiator {
    /// A call or a resume: `KKpsk0`.
    pub fn call(
        prologue: &Prologue,
        local: &StaticKeypair,
        remote: &StaticPublic,
        psk: &Psk,
        rng: &mut impl CryptoRngCore,
    ) -> Self {
        debug_assert!(matches!(prologue.purpose, Purpose::Call | Purpose::Resume));
        let (remote, psk) = (Some(remote), Some(psk));
        Self::start(Pattern::KkPsk0, prologue, local, remote, psk, rng)
    }

    /// An invite's first ring: `IKpsk1`, which carries the joiner's static key.
    pub fn join(
        prologue: &Prologue,
        local: &StaticKeypair,
        remote: &StaticPublic,
        psk: &Psk,
        rng: &mut impl CryptoRngCore,
    ) -> Self {
        debug_assert!(prologue.purpose == Purpose::Join);
        let (remote, psk) = (Some(remote), Some(psk));
        Self::start(Pattern::IkPsk1, prologue, local, remote, psk, rng)
    }

    /// A RESYNC: `KK`, since there may be no PSK that both still have.
    pub fn resync(
        prologue: &Prologue,
        local: &StaticKeypair,
        remote: &StaticPublic,
        rng: &mut impl CryptoRngCore,
    ) -> Self {
        debug_assert!(prologue.purpose == Purpose::Resync);
        Self::start(Pattern::Kk, prologue, local, Some(remote), None, rng)
    }

    fn start(
        pattern: Pattern,
        prologue: &Prologue,
        local: &StaticKeypair,
        remote: Option<&StaticPublic>,
        psk: Option<&Psk>,
        rng: &mut impl CryptoRngCore,
    ) -> Self {
        let (role, prologue) = (Role::Caller, &prologue.to_bytes());
        let state = State::new(&Setup {
            pattern,
            role,
            prologue,
            local,
            remote,
            psk,
        });
        state.draw_ephemeral(rng);
        Self(state)
    }

    /// Makes message 1. Once only: a second call is refused.
    pub fn write(&mut self, payload: &[u8]) -> Result<Vec<u8>, HandshakeError> {
        self.0.write(payload)
    }

    /// Reads message 2. On failure the handshake stands as before, so that a forged answer does
    /// not end it: the genuine one may still come.
    pub fn read(
        mut self,
        message2: &[u8],
    ) -> Result<(Vec<u8>, SessionKeys), (Self, HandshakeError)> {
        match self.0.read(message2) {
            Ok(payload) => Ok((payload, self.0.finish())),
            Err(error) => Err((self, error)),
        }
    }
}

/// The callee's side, before message 1.
pub struct Responder(State);

impl Responder {
    /// A call or a resume: `KKpsk0`.
    #[must_use]
    pub fn call(
        prologue: &Prologue,
        local: &StaticKeypair,
        remote: &StaticPublic,
        psk: &Psk,
    ) -> Self {
        debug_assert!(matches!(prologue.purpose, Purpose::Call | Purpose::Resume));
        Self::start(Pattern::KkPsk0, prologue, local, Some(remote), Some(psk))
    }

    /// An invite's first ring: `IKpsk1`.
    #[must_use]
    pub fn join(prologue: &Prologue, local: &StaticKeypair, psk: &Psk) -> Self {
        debug_assert!(prologue.purpose == Purpose::Join);
        Self::start(Pattern::IkPsk1, prologue, local, None, Some(psk))
    }

    /// A RESYNC: `KK`.
    #[must_use]
    pub fn resync(prologue: &Prologue, local: &StaticKeypair, remote: &StaticPublic) -> Self {
        debug_assert!(prologue.purpose == Purpose::Resync);
        Self::start(Pattern::Kk, prologue, local, Some(remote), None)
    }

    fn start(
        pattern: Pattern,
        prologue: &Prologue,
        local: &StaticKeypair,
        remote: Option<&StaticPublic>,
        psk: Option<&Psk>,
    ) -> Self {
        let (role, prologue) = (Role::Callee, &prologue.to_bytes());
        Self(State::new(&Setup {
            pattern,
            role,
            prologue,
            local,
            remote,
            psk,
        }))
    }

    /// Reads message 1: its payload, and the answer to write.
    pub fn read(mut self, message1: &[u8]) -> Result<(Vec<u8>, ResponderAnswer), HandshakeError> {
        let payload = self.0.read(message1)?;
        Ok((payload, ResponderAnswer(self.0)))
    }
}

/// The callee's side, after message 1.
pub struct ResponderAnswer(State);

impl ResponderAnswer {
    /// The caller's static key: authenticated, and new to us where the purpose is a join.
    #[must_use]
    pub fn remote_static(&self) -> StaticPublic {
        self.0
            .remote_static()
            .expect("every pattern in use gives the responder a static key")
    }

    /// Makes message 2 and the session's keys.
    pub fn write(
        mut self,
        payload: &[u8],
        rng: &mut impl CryptoRngCore,
    ) -> Result<(Vec<u8>, SessionKeys), HandshakeError> {
        self.0.draw_ephemeral(rng);
        let message2 = self.0.write(payload)?;
        Ok((message2, self.0.finish()))
    }
}

macro_rules! opaque_debug {
    ($($name:ident),*) => {$(
        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(stringify!($name))
            }
        }
    )*};
}
opaque_debug!(Initiator, Responder, ResponderAnswer);
