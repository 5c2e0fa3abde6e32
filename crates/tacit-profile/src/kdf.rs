//! From a passphrase to keys.

use argon2::{Algorithm, Argon2, Params, Version};
use blake2::Blake2sMac;
use blake2::digest::Mac;
use blake2::digest::consts::U16;
use subtle::ConstantTimeEq;
use tacit_types::SecretBytes;
use zeroize::Zeroizing;

use crate::error::Damage;
use crate::format::{CHECK_BYTES, Header, Parameters};
use crate::limits::{MAX_KDF_LANES, MAX_KDF_MEMORY_KIB, MAX_KDF_PASSES};

/// Cost of one guess at the passphrase (Argon2id, RFC 9106).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KdfParams {
    pub(crate) memory_kib: u32,
    pub(crate) passes: u32,
    pub(crate) lanes: u32,
}

impl Default for KdfParams {
    /// 64 MiB, three passes (RFC 9106 §4, second recommended option) and one lane: nothing here runs
    /// in parallel, so further lanes would only help whoever guesses.
    fn default() -> Self {
        Self {
            memory_kib: 64 * 1024,
            passes: 3,
            lanes: 1,
        }
    }
}

impl KdfParams {
    /// Next to no cost, so next to no protection against guessing. For tests.
    #[must_use]
    pub const fn dangerous_fast() -> Self {
        Self {
            memory_kib: 64,
            passes: 1,
            lanes: 1,
        }
    }

    /// Whether a file may ask for this.
    pub(crate) fn check(self) -> Result<(), Damage> {
        let bounded = self.memory_kib <= MAX_KDF_MEMORY_KIB
            && self.passes <= MAX_KDF_PASSES
            && self.lanes <= MAX_KDF_LANES;
        if bounded && self.argon2().is_some() {
            Ok(())
        } else {
            Err(Damage::KdfParams)
        }
    }

    fn argon2(self) -> Option<Argon2<'static>> {
        let params = Params::new(self.memory_kib, self.passes, self.lanes, None).ok()?;
        Some(Argon2::new(Algorithm::Argon2id, Version::V0x13, params))
    }
}

/// What a passphrase opens.
#[derive(Clone)]
pub(crate) struct Keys {
    /// Seals the content.
    pub(crate) content: SecretBytes<32>,
    check: SecretBytes<32>,
}

impl Keys {
    /// Takes about as long as one guess should: tenths of a second with the default parameters.
    pub(crate) fn derive(passphrase: &[u8], parameters: &Parameters) -> Result<Self, Damage> {
        let argon2 = parameters.kdf.argon2().ok_or(Damage::KdfParams)?;
        let mut out = Zeroizing::new([0; 64]);
        argon2
            .hash_password_into(passphrase, &parameters.salt, out.as_mut_slice())
            .map_err(|_| Damage::KdfParams)?;
        let half = |at: usize| -> SecretBytes<32> {
            SecretBytes::new(
                out[at..at + 32]
                    .try_into()
                    .expect("the output has 64 bytes"),
            )
        };
        Ok(Self {
            content: half(0),
            check: half(32),
        })
    }

    /// The header that says which passphrase these keys come from.
    pub(crate) fn header(&self, parameters: Parameters) -> Header {
        Header {
            parameters,
            key_check: self.key_check(&parameters),
        }
    }

    /// Whether these are the keys that wrote `header`.
    pub(crate) fn wrote(&self, header: &Header) -> bool {
        self.key_check(&header.parameters)
            .ct_eq(&header.key_check)
            .into()
    }

    fn key_check(&self, parameters: &Parameters) -> [u8; CHECK_BYTES] {
        let mac = <Blake2sMac<U16> as Mac>::new_from_slice(self.check.expose())
            .expect("BLAKE2s takes keys of 32 bytes");
        mac.chain_update(parameters.to_bytes())
            .finalize()
            .into_bytes()
            .into()
    }
}
