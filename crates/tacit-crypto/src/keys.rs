//! Pairwise X25519 keys: one pair for each contact, never a global identity.

use core::fmt;

use rand_core::CryptoRngCore;
use serde::{Deserialize, Serialize};
use tacit_types::SecretBytes;
use x25519_dalek::{PublicKey, StaticSecret};

/// The public half of a pairwise static key. Redacted when printed: it names a relation.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct StaticPublic(pub [u8; 32]);

impl fmt::Debug for StaticPublic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("StaticPublic[redacted]")
    }
}

/// A pairwise static key: fresh for each contact, kept in the encrypted profile.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(from = "SecretBytes<32>", into = "SecretBytes<32>")]
pub struct StaticKeypair {
    secret: SecretBytes<32>,
    public: StaticPublic,
}

impl StaticKeypair {
    /// Draws a key pair: 32 bytes from `rng` are the secret scalar (clamped when used).
    #[must_use]
    pub fn generate(rng: &mut impl CryptoRngCore) -> Self {
        let mut secret = [0; 32];
        rng.fill_bytes(&mut secret);
        Self::from_secret(SecretBytes::new(secret))
    }

    /// The key pair of a given secret scalar.
    #[must_use]
    pub fn from_secret(secret: SecretBytes<32>) -> Self {
        let public = StaticPublic(public_of(secret.expose()));
        Self { secret, public }
    }

    /// The half that the contact learns.
    #[must_use]
    pub const fn public(&self) -> StaticPublic {
        self.public
    }

    pub(crate) const fn secret(&self) -> &SecretBytes<32> {
        &self.secret
    }
}

impl From<SecretBytes<32>> for StaticKeypair {
    fn from(secret: SecretBytes<32>) -> Self {
        Self::from_secret(secret)
    }
}

impl From<StaticKeypair> for SecretBytes<32> {
    fn from(pair: StaticKeypair) -> Self {
        pair.secret
    }
}

/// X25519 public key of a secret scalar.
pub(crate) fn public_of(secret: &[u8; 32]) -> [u8; 32] {
    PublicKey::from(&StaticSecret::from(*secret)).to_bytes()
}

/// X25519, or `None` where the result is all zero (the other key is of low order).
pub(crate) fn diffie_hellman(secret: &[u8; 32], public: [u8; 32]) -> Option<SecretBytes<32>> {
    let shared = StaticSecret::from(*secret).diffie_hellman(&PublicKey::from(public));
    shared
        .was_contributory()
        .then(|| SecretBytes::new(shared.to_bytes()))
}
