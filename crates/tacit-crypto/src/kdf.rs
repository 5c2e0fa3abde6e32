//! The two primitives that everything else is derived with, and every label in one place.

use blake2::digest::consts::{U8, U16};
use blake2::digest::{Digest, FixedOutput, KeyInit, Mac, Update};
use blake2::{Blake2s256, Blake2sMac};
use hkdf::SimpleHkdf;
use tacit_types::{Role, SecretBytes};

/// 32 secret bytes: a key, a chain value or a secret that keys are derived from.
pub(crate) type Key = SecretBytes<32>;

/// Labels. None contains a zero byte, which is what separates a label from its context.
pub(crate) mod label {
    pub(crate) const MAILBOX_ID: &str = "tacit mailbox";
    pub(crate) const ATTACH: &str = "tacit/1 attach";
    pub(crate) const TOKEN_KEY: &str = "tacit/1 token key";
    pub(crate) const RESERVED_KEY: &str = "tacit/1 reserved key";
    pub(crate) const SLOT_ORDER: &str = "tacit/1 slot order";
    pub(crate) const FIRST_BATCH: &str = "tacit/1 first batch";
    pub(crate) const NEXT_BATCH: &str = "tacit/1 next batch";
    pub(crate) const BATCH_CHECK: &str = "tacit/1 batch check";
    pub(crate) const PSK: &str = "tacit/1 psk";
    pub(crate) const PIPE: &str = "tacit/1 pipe";
    pub(crate) const MEDIA: &str = "tacit/1 media";
    pub(crate) const MASK: &str = "tacit/1 mask";
    pub(crate) const NEXT_EPOCH: &str = "tacit/1 next epoch";
    pub(crate) const PATH: &str = "tacit/1 path";
    pub(crate) const LEGS: &str = "tacit/1 legs";
    pub(crate) const LEG: &str = "tacit/1 leg";
    pub(crate) const SAS: &str = "tacit/1 sas";
    pub(crate) const SAS_COMMIT: &str = "tacit/1 sas commit";
    pub(crate) const SAS_WORDS: &str = "tacit/1 sas words";
    pub(crate) const INVITE: &str = "tacit/1 invite";
}

/// The byte that stands for a role wherever one is hashed.
pub(crate) const fn role_byte(role: Role) -> u8 {
    match role {
        Role::Caller => 0,
        Role::Callee => 1,
    }
}

/// `BLAKE2s-256(label ‖ 0x00 ‖ parts…)`.
pub(crate) fn hash(label: &str, parts: &[&[u8]]) -> [u8; 32] {
    let mut state = Blake2s256::new();
    Update::update(&mut state, label.as_bytes());
    Update::update(&mut state, &[0]);
    for part in parts {
        Update::update(&mut state, part);
    }
    state.finalize().into()
}

/// Keyed BLAKE2s with a 16-byte output and no label: the token's tag.
pub(crate) fn mac128(key: &Key, parts: &[&[u8]]) -> [u8; 16] {
    let mut mac = <Blake2sMac<U16> as KeyInit>::new_from_slice(key.expose())
        .expect("BLAKE2s takes a 32-byte key");
    for part in parts {
        Mac::update(&mut mac, part);
    }
    mac.finalize_fixed().into()
}

/// Keyed BLAKE2s with an 8-byte output and no label: the packet counter's mask.
pub(crate) fn mac64(key: &Key, data: &[u8]) -> [u8; 8] {
    let mut mac = <Blake2sMac<U8> as KeyInit>::new_from_slice(key.expose())
        .expect("BLAKE2s takes a 32-byte key");
    Mac::update(&mut mac, data);
    mac.finalize_fixed().into()
}

/// `HKDF-Extract(salt, ikm)` with HMAC-BLAKE2s-256.
pub(crate) fn extract(salt: &[u8], ikm: &[u8]) -> Key {
    let (prk, _) = SimpleHkdf::<Blake2s256>::extract(Some(salt), ikm);
    SecretBytes::new(prk.into())
}

/// `HKDF-Expand(key, label ‖ 0x00 ‖ context…, 32)` with HMAC-BLAKE2s-256.
pub(crate) fn expand(key: &Key, label: &str, context: &[&[u8]]) -> Key {
    let hkdf =
        SimpleHkdf::<Blake2s256>::from_prk(key.expose()).expect("32 bytes are a full-length PRK");
    let mut info: [&[u8]; 8] = [&[]; 8];
    info[0] = label.as_bytes();
    info[1] = &[0];
    info[2..2 + context.len()].copy_from_slice(context);
    let mut out = [0; 32];
    hkdf.expand_multi_info(&info, &mut out)
        .expect("32 bytes is one block of output");
    SecretBytes::new(out)
}
