//! The two kinds of key that an onion service and its readers need.

use core::fmt;

use rand_core::CryptoRngCore;
use tacit_types::{OnionKey, SecretBytes};
use tor_hscrypto::pk::{HsClientDescEncKey, HsClientDescEncSecretKey, HsIdKeypair};
use tor_llcrypto::pk::{curve25519, ed25519};
use zeroize::Zeroizing;

/// The long-term secret of an onion service: whoever holds it can be that address.
///
/// It is an ed25519 seed (RFC 8032 §5.1.5); the address follows from it, so it is known before
/// anything is published. It belongs in the encrypted profile.
#[derive(Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(transparent)]
pub struct OnionIdentity(SecretBytes<32>);

impl OnionIdentity {
    /// A new identity.
    pub fn generate(rng: &mut impl CryptoRngCore) -> Self {
        Self(random_secret(rng))
    }

    /// The identity with this seed.
    #[must_use]
    pub const fn from_seed(seed: SecretBytes<32>) -> Self {
        Self(seed)
    }

    /// The seed, for keeping it elsewhere.
    #[must_use]
    pub const fn seed(&self) -> &SecretBytes<32> {
        &self.0
    }

    /// The public key inside the onion address.
    #[must_use]
    pub fn public(&self) -> OnionKey {
        OnionKey(self.keypair().verifying_key().to_bytes())
    }

    fn keypair(&self) -> ed25519::Keypair {
        ed25519::Keypair::from_bytes(self.0.expose())
    }

    /// The form that Arti wants.
    pub(crate) fn to_arti(&self) -> HsIdKeypair {
        ed25519::ExpandedKeypair::from(&self.keypair()).into()
    }

    /// The 64 bytes (scalar, then hash prefix) that C tor's `ADD_ONION ED25519-V3` wants.
    pub(crate) fn to_expanded_bytes(&self) -> Zeroizing<[u8; 64]> {
        Zeroizing::new(ed25519::ExpandedKeypair::from(&self.keypair()).to_secret_key_bytes())
    }
}

impl fmt::Debug for OnionIdentity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("OnionIdentity[secret]")
    }
}

/// Allows its holder to read the descriptor of one restricted onion service (x25519; "client
/// authorisation" in Tor's specification). The service knows the public half.
#[derive(Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(transparent)]
pub struct DiscoveryKeypair(SecretBytes<32>);

impl DiscoveryKeypair {
    /// A new key pair.
    pub fn generate(rng: &mut impl CryptoRngCore) -> Self {
        Self(random_secret(rng))
    }

    /// The pair with this secret.
    #[must_use]
    pub const fn from_secret(secret: SecretBytes<32>) -> Self {
        Self(secret)
    }

    /// The secret half, for [`Target::Onion`](crate::Target::Onion).
    #[must_use]
    pub const fn secret(&self) -> &SecretBytes<32> {
        &self.0
    }

    /// The public half, for [`Audience::Only`](crate::Audience::Only).
    #[must_use]
    pub fn public(&self) -> DiscoveryKey {
        let secret = curve25519::StaticSecret::from(*self.0.expose());
        DiscoveryKey(*curve25519::PublicKey::from(&secret).as_bytes())
    }

    pub(crate) fn to_arti(&self) -> HsClientDescEncSecretKey {
        curve25519::StaticSecret::from(*self.0.expose()).into()
    }
}

impl fmt::Debug for DiscoveryKeypair {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("DiscoveryKeypair[secret]")
    }
}

/// Public half of a [`DiscoveryKeypair`].
#[derive(
    Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize,
)]
#[serde(transparent)]
pub struct DiscoveryKey(pub [u8; 32]);

impl DiscoveryKey {
    pub(crate) fn to_arti(self) -> HsClientDescEncKey {
        curve25519::PublicKey::from(self.0).into()
    }
}

impl fmt::Debug for DiscoveryKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("DiscoveryKey[redacted]")
    }
}

fn random_secret(rng: &mut impl CryptoRngCore) -> SecretBytes<32> {
    let mut bytes = Zeroizing::new([0; 32]);
    rng.fill_bytes(bytes.as_mut());
    SecretBytes::new(*bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand_core::OsRng;

    #[test]
    fn identities_survive_the_profile() {
        let identity = OnionIdentity::generate(&mut OsRng);
        let stored = postcard::to_allocvec(&identity).expect("serialises");
        let back: OnionIdentity = postcard::from_bytes(&stored).expect("reads back");
        assert_eq!(identity.public(), back.public());
        assert_ne!(
            identity.public(),
            OnionIdentity::generate(&mut OsRng).public()
        );

        let keys = DiscoveryKeypair::generate(&mut OsRng);
        let stored = postcard::to_allocvec(&keys).expect("serialises");
        let back: DiscoveryKeypair = postcard::from_bytes(&stored).expect("reads back");
        assert_eq!(keys.public(), back.public());
    }

    #[test]
    fn both_forms_of_an_identity_have_one_address() {
        let identity = OnionIdentity::from_seed(SecretBytes::new([7; 32]));
        let expanded =
            ed25519::ExpandedKeypair::from_secret_key_bytes(*identity.to_expanded_bytes())
                .expect("came from an expanded key");
        assert_eq!(expanded.public().to_bytes(), identity.public().0);
        let arti = tor_hscrypto::pk::HsIdKey::from(identity.to_arti());
        assert_eq!(<[u8; 32]>::from(arti.id()), identity.public().0);
    }

    /// RFC 7748 §6.1, Alice's key pair.
    #[test]
    fn discovery_keys_are_x25519() {
        let alice = [
            0x77, 0x07, 0x6d, 0x0a, 0x73, 0x18, 0xa5, 0x7d, 0x3c, 0x16, 0xc1, 0x72, 0x51, 0xb2,
            0x66, 0x45, 0xdf, 0x4c, 0x2f, 0x87, 0xeb, 0xc0, 0x99, 0x2a, 0xb1, 0x77, 0xfb, 0xa5,
            0x1d, 0xb9, 0x2c, 0x2a,
        ];
        let public = [
            0x85, 0x20, 0xf0, 0x09, 0x89, 0x30, 0xa7, 0x54, 0x74, 0x8b, 0x7d, 0xdc, 0xb4, 0x3e,
            0xf7, 0x5a, 0x0d, 0xbf, 0x3a, 0x0d, 0x26, 0x38, 0x1a, 0xf4, 0xeb, 0xa4, 0xa9, 0x8e,
            0xaa, 0x9b, 0x4e, 0x6a,
        ];
        let pair = DiscoveryKeypair::from_secret(SecretBytes::new(alice));
        assert_eq!(pair.public(), DiscoveryKey(public));
    }

    #[test]
    fn debug_shows_nothing() {
        let identity = OnionIdentity::from_seed(SecretBytes::new([7; 32]));
        let keys = DiscoveryKeypair::from_secret(SecretBytes::new([7; 32]));
        let text = format!("{identity:?} {keys:?} {:?}", keys.public());
        assert!(!text.contains('7'), "{text}");
    }
}
