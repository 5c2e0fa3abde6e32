//! Inner values for the known-answer vectors of `tests/conformance`. Off unless the feature
//! `vectors` is on, and of no use to anything else: these are keys in the open.

use tacit_types::{MailboxId, Path, Role, SecretBytes};

use crate::kdf::{self, label, role_byte};
use crate::session::{MediaKeys, PipeKeys, SasKeys, SessionKeys};
use crate::token::Token;

/// `BLAKE2s-256(label ‖ 0x00 ‖ data)`.
#[must_use]
pub fn hash(label: &str, data: &[u8]) -> [u8; 32] {
    kdf::hash(label, &[data])
}

/// `HKDF-Expand(key, label ‖ 0x00 ‖ context, 32)`.
#[must_use]
pub fn expand(key: [u8; 32], label: &str, context: &[u8]) -> [u8; 32] {
    *kdf::expand(&SecretBytes::new(key), label, &[context]).expose()
}

/// `HKDF-Extract(salt, ikm)`.
#[must_use]
pub fn extract(salt: &[u8], ikm: &[u8]) -> [u8; 32] {
    *kdf::extract(salt, ikm).expose()
}

/// The keys of a session whose handshake hash and raw keys are given.
#[must_use]
pub fn session(role: Role, hash: [u8; 32], k1: &[u8; 32], k2: &[u8; 32]) -> SessionKeys {
    SessionKeys::derive(role, hash, k1, k2)
}

/// Seal and open key of the pipe.
#[must_use]
pub const fn pipe(keys: &PipeKeys) -> ([u8; 32], [u8; 32]) {
    (*keys.seal.expose(), *keys.open.expose())
}

/// Chain at epoch 0 and mask key for sealing.
#[must_use]
pub const fn media(keys: &MediaKeys) -> ([u8; 32], [u8; 32]) {
    (*keys.seal_chain.expose(), *keys.seal_mask.expose())
}

/// The SAS secret.
#[must_use]
pub const fn sas(keys: &SasKeys) -> [u8; 32] {
    *keys.secret.expose()
}

/// The chain value of the next epoch.
#[must_use]
pub fn next_epoch(chain: [u8; 32]) -> [u8; 32] {
    expand(chain, label::NEXT_EPOCH, &[])
}

/// The packet key of a path under a chain value.
#[must_use]
pub fn path_key(chain: [u8; 32], path: Path) -> [u8; 32] {
    expand(chain, label::PATH, &[path.sender.0, path.receiver.0])
}

/// The counter's mask for a sample.
#[must_use]
pub fn mask(key: [u8; 32], sample: &[u8; 16]) -> [u8; 8] {
    kdf::mac64(&SecretBytes::new(key), sample)
}

/// The next batch secret.
#[must_use]
pub fn next_batch(secret: [u8; 32]) -> [u8; 32] {
    expand(secret, label::NEXT_BATCH, &[])
}

/// The PSK of a token in the batch of `secret`.
#[must_use]
pub fn psk(secret: [u8; 32], issuer: Role, mailbox: &MailboxId, token: &Token) -> [u8; 32] {
    let mut context = vec![role_byte(issuer)];
    context.extend_from_slice(&mailbox.0);
    context.extend_from_slice(&token.to_bytes()[..4]);
    expand(secret, label::PSK, &context)
}

/// Word number `number` of the list.
#[must_use]
pub fn word(number: u16) -> &'static str {
    crate::words::word(u32::from(number))
}
