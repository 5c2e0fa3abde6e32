//! snow's state machine in a box that is overwritten when the handshake is over.

use core::hint::black_box;

use rand_core::CryptoRngCore;
use snow::{Builder, HandshakeState};
use tacit_types::Role;
use zeroize::{Zeroize, Zeroizing};

use super::resolver::{EphemeralSource, Resolver};
use super::{HandshakeError, MAX_MESSAGE_BYTES};
use crate::keys::{StaticKeypair, StaticPublic};
use crate::session::SessionKeys;
use crate::token::Psk;

/// The three patterns in use, with where each mixes its PSK.
#[derive(Clone, Copy)]
pub(super) enum Pattern {
    KkPsk0,
    IkPsk1,
    Kk,
}

impl Pattern {
    const fn name(self) -> &'static str {
        match self {
            Self::KkPsk0 => "Noise_KKpsk0_25519_ChaChaPoly_BLAKE2s",
            Self::IkPsk1 => "Noise_IKpsk1_25519_ChaChaPoly_BLAKE2s",
            Self::Kk => "Noise_KK_25519_ChaChaPoly_BLAKE2s",
        }
    }

    const fn psk_position(self) -> Option<usize> {
        match self {
            Self::KkPsk0 => Some(0),
            Self::IkPsk1 => Some(1),
            Self::Kk => None,
        }
    }
}

/// Everything that fixes a handshake before its first message.
pub(super) struct Setup<'a> {
    pub(super) pattern: Pattern,
    pub(super) role: Role,
    pub(super) prologue: &'a [u8],
    pub(super) local: &'a StaticKeypair,
    pub(super) remote: Option<&'a StaticPublic>,
    pub(super) psk: Option<&'a Psk>,
}

/// A running handshake.
pub(super) struct State {
    role: Role,
    ephemeral: EphemeralSource,
    /// In a box so that [`Drop`] can overwrite snow's chaining key where it lies.
    noise: Box<HandshakeState>,
}

impl State {
    pub(super) fn new(setup: &Setup<'_>) -> Self {
        let ephemeral = EphemeralSource::default();
        let mut noise = Box::new(build(
            setup.pattern,
            setup.role,
            &ephemeral,
            setup.prologue,
            setup.local.secret().expose(),
            setup.remote.map(|key| key.0),
        ));
        if let (Some(position), Some(psk)) = (setup.pattern.psk_position(), setup.psk) {
            noise
                .set_psk(position, psk.expose())
                .expect("a PSK is 32 bytes at a valid position");
        }
        Self {
            role: setup.role,
            ephemeral,
            noise,
        }
    }

    /// Lays out the ephemeral key that the next written message takes.
    pub(super) fn draw_ephemeral(&self, rng: &mut impl CryptoRngCore) {
        let mut bytes = Zeroizing::new([0; 32]);
        rng.fill_bytes(&mut *bytes);
        self.ephemeral.provide(bytes);
    }

    pub(super) fn write(&mut self, payload: &[u8]) -> Result<Vec<u8>, HandshakeError> {
        let mut out = [0; MAX_MESSAGE_BYTES];
        let length = self
            .noise
            .write_message(payload, &mut out)
            .map_err(classify)?;
        Ok(out[..length].to_vec())
    }

    pub(super) fn read(&mut self, message: &[u8]) -> Result<Vec<u8>, HandshakeError> {
        if message.len() > MAX_MESSAGE_BYTES {
            return Err(HandshakeError::Length);
        }
        let mut out = Zeroizing::new([0; MAX_MESSAGE_BYTES]);
        let length = self
            .noise
            .read_message(message, &mut *out)
            .map_err(classify)?;
        Ok(out[..length].to_vec())
    }

    pub(super) fn remote_static(&self) -> Option<StaticPublic> {
        self.noise
            .get_remote_static()?
            .try_into()
            .ok()
            .map(StaticPublic)
    }

    /// Derives the session's keys; k1, k2 and snow's state are wiped on the way out.
    pub(super) fn finish(mut self) -> SessionKeys {
        let hash = self
            .noise
            .get_handshake_hash()
            .try_into()
            .expect("a BLAKE2s handshake hash is 32 bytes");
        let (mut k1, mut k2) = self.raw_split();
        let keys = SessionKeys::derive(self.role, hash, &k1, &k2);
        k1.zeroize();
        k2.zeroize();
        keys
    }

    pub(super) fn raw_split(&mut self) -> ([u8; 32], [u8; 32]) {
        self.noise.dangerously_get_raw_split()
    }
}

impl Drop for State {
    /// Puts a handshake between public keys in the place of the real one: safe Rust's way to
    /// overwrite the chaining key and the PSK, which snow does not wipe.
    fn drop(&mut self) {
        let source = EphemeralSource::default();
        *self.noise = build(
            Pattern::Kk,
            self.role,
            &source,
            &[],
            &[1; 32],
            Some([9; 32]),
        );
        black_box(&mut *self.noise);
    }
}

fn build(
    pattern: Pattern,
    role: Role,
    ephemeral: &EphemeralSource,
    prologue: &[u8],
    local: &[u8; 32],
    remote: Option<[u8; 32]>,
) -> HandshakeState {
    let params = pattern
        .name()
        .parse()
        .expect("the pattern's name is well-formed");
    let resolver = Box::new(Resolver(ephemeral.clone()));
    let mut builder = Builder::with_resolver(params, resolver)
        .prologue(prologue)
        .and_then(|builder| builder.local_private_key(local))
        .expect("each is set once");
    if let Some(remote) = &remote {
        builder = builder.remote_public_key(remote).expect("set once");
    }
    match role {
        Role::Caller => builder.build_initiator(),
        Role::Callee => builder.build_responder(),
    }
    .expect("the resolver has every primitive and the pattern every key")
}

fn classify(error: snow::Error) -> HandshakeError {
    match error {
        snow::Error::Dh => HandshakeError::LowOrderKey,
        snow::Error::Input => HandshakeError::Length,
        _ => HandshakeError::Unauthentic,
    }
}
