//! One-time TURN credentials, after the convention that coturn calls the TURN REST API
//! (draft-uberti-behave-turn-rest-00 §2.2): user `expiry:random`, password
//! `base64(HMAC-SHA1(shared secret, user))`. The random part is fresh for each: a stable one would
//! link a person's legs.

use crate::limits::{CREDENTIAL_EXPIRY_STEP, CREDENTIAL_LIFETIME};
use base64::Engine as _;
use core::fmt::Write as _;
use core::net::SocketAddr;
use hmac::{Hmac, Mac};
use rand_core::CryptoRngCore;
use sha1::Sha1;
use tacit_signaling::frame::{Cred, Credential, CredentialText, Transport};
use tacit_signaling::limits::MAX_CREDENTIALS;
use tacit_types::UnixTime;
use zeroize::Zeroizing;

/// Random bytes of a user name: twenty hexadecimal digits.
const RANDOM_BYTES: usize = 10;

/// Makes credentials for one TURN server.
pub struct CredentialMint {
    transport: Transport,
    server: SocketAddr,
    key_pin: [u8; 32],
    shared_secret: Zeroizing<Vec<u8>>,
}

impl core::fmt::Debug for CredentialMint {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("CredentialMint")
            .field("transport", &self.transport)
            .finish_non_exhaustive()
    }
}

impl CredentialMint {
    /// `shared_secret` is coturn's `static-auth-secret`; `key_pin` the SHA-256 of its TLS key's
    /// SubjectPublicKeyInfo. Run coturn with `user-quota=1`, so that each is good for one allocation.
    #[must_use]
    pub const fn new(
        transport: Transport,
        server: SocketAddr,
        key_pin: [u8; 32],
        shared_secret: Zeroizing<Vec<u8>>,
    ) -> Self {
        Self {
            transport,
            server,
            key_pin,
            shared_secret,
        }
    }

    /// One CRED frame's worth.
    #[must_use]
    pub fn mint(&self, now: UnixTime, rng: &mut impl CryptoRngCore) -> Cred {
        let step = CREDENTIAL_EXPIRY_STEP.as_secs();
        let expiry = (now.0 + CREDENTIAL_LIFETIME.as_secs()).next_multiple_of(step);
        Cred {
            transport: self.transport,
            server: self.server,
            key_pin: self.key_pin,
            lifetime_seconds: u32::try_from(expiry - now.0).unwrap_or(u32::MAX),
            credentials: (0..MAX_CREDENTIALS)
                .map(|_| self.credential(expiry, rng))
                .collect(),
        }
    }

    fn credential(&self, expiry: u64, rng: &mut impl CryptoRngCore) -> Credential {
        let mut random = [0; RANDOM_BYTES];
        rng.fill_bytes(&mut random);
        let mut user = format!("{expiry}:");
        for byte in random {
            write!(user, "{byte:02x}").expect("strings take everything");
        }
        let mut mac = Hmac::<Sha1>::new_from_slice(&self.shared_secret)
            .expect("HMAC takes a key of any length");
        mac.update(user.as_bytes());
        let digest = Zeroizing::new(<[u8; 20]>::from(mac.finalize().into_bytes()));
        let password = Zeroizing::new(base64::engine::general_purpose::STANDARD.encode(*digest));
        let text = |text: &str| CredentialText::new(text).expect("31 or 28 ASCII characters");
        Credential {
            user: text(&user),
            password: text(&password),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand_chacha::ChaCha20Rng;
    use rand_core::SeedableRng;
    use std::collections::BTreeSet;

    fn mint() -> CredentialMint {
        let secret = Zeroizing::new(b"north".to_vec());
        CredentialMint::new(
            Transport::Tls,
            ([192, 0, 2, 1], 5349).into(),
            [7; 32],
            secret,
        )
    }

    /// `printf '1763826000:00112233445566778899' | openssl dgst -sha1 -hmac north -binary | base64`
    #[test]
    fn passwords_are_what_coturn_computes() {
        struct Fixed(u8);
        impl rand_core::RngCore for Fixed {
            fn next_u32(&mut self) -> u32 {
                0
            }
            fn next_u64(&mut self) -> u64 {
                0
            }
            fn fill_bytes(&mut self, dest: &mut [u8]) {
                for byte in dest {
                    *byte = self.0;
                    self.0 = self.0.wrapping_add(0x11);
                }
            }
            fn try_fill_bytes(&mut self, dest: &mut [u8]) -> Result<(), rand_core::Error> {
                self.fill_bytes(dest);
                Ok(())
            }
        }
        impl rand_core::CryptoRng for Fixed {}
        let credential = mint().credential(1_763_826_000, &mut Fixed(0));
        assert_eq!(credential.user.reveal(), "1763826000:00112233445566778899");
        assert_eq!(credential.password.reveal(), "pRXmAHYZjmEh6YAkjUQNf+fcP80=");
    }

    #[test]
    fn every_user_name_is_new_and_times_are_coarse() {
        let mut rng = ChaCha20Rng::from_seed([1; 32]);
        let mint = mint();
        let (a, b) = (
            mint.mint(UnixTime(1_000_000), &mut rng),
            mint.mint(UnixTime(1_000_100), &mut rng),
        );
        let users: BTreeSet<_> = a
            .credentials
            .iter()
            .chain(&b.credentials)
            .map(|c| c.user.reveal().to_owned())
            .collect();
        assert_eq!(users.len(), 12);
        let expiries: BTreeSet<_> = users.iter().map(|u| u.split(':').next().unwrap()).collect();
        assert_eq!(expiries.into_iter().collect::<Vec<_>>(), ["1007400"]);
        assert_eq!(a.lifetime_seconds, 7400);
    }
}
