//! What a finished handshake leaves behind: keys by purpose, and nothing that they came from.

use core::fmt;

use tacit_types::{LegIndex, Role, SecretBytes};
use zeroize::Zeroizing;

use crate::kdf::{self, Key, label, role_byte};

/// One-time secret that opens one onion leg.
pub type LegSecret = SecretBytes<32>;

/// Keys of one handshake, seen from one side. The handshake's root is gone when this exists.
///
/// A later issue mixes a post-quantum secret into the media chains by a message in the control lane;
/// nothing here needs to change shape for it.
#[derive(Clone)]
pub struct SessionKeys {
    role: Role,
    handshake_hash: [u8; 32],
    pipe: PipeKeys,
    media: MediaKeys,
    legs: Key,
    sas: Key,
    first_batch: [Key; 2],
}

impl SessionKeys {
    /// `root = HKDF-Extract(salt = handshake hash, ikm = k1 ‖ k2)`, then everything from root.
    pub(crate) fn derive(role: Role, hash: [u8; 32], k1: &[u8; 32], k2: &[u8; 32]) -> Self {
        let mut ikm = Zeroizing::new([0; 64]);
        ikm[..32].copy_from_slice(k1);
        ikm[32..].copy_from_slice(k2);
        let root = kdf::extract(&hash, &*ikm);
        let of = |label: &str, sender: Role| kdf::expand(&root, label, &[&[role_byte(sender)]]);
        Self {
            role,
            handshake_hash: hash,
            pipe: PipeKeys {
                seal: of(label::PIPE, role),
                open: of(label::PIPE, role.peer()),
            },
            media: MediaKeys {
                seal_chain: of(label::MEDIA, role),
                seal_mask: of(label::MASK, role),
                open_chain: of(label::MEDIA, role.peer()),
                open_mask: of(label::MASK, role.peer()),
            },
            legs: kdf::expand(&root, label::LEGS, &[]),
            sas: kdf::expand(&root, label::SAS, &[]),
            first_batch: [
                of(label::FIRST_BATCH, Role::Caller),
                of(label::FIRST_BATCH, Role::Callee),
            ],
        }
    }

    /// Which side this is.
    #[must_use]
    pub const fn role(&self) -> Role {
        self.role
    }

    /// Names the handshake; the same on both sides, and public.
    #[must_use]
    pub const fn handshake_hash(&self) -> &[u8; 32] {
        &self.handshake_hash
    }

    /// Keys of the PIPE frames.
    #[must_use]
    pub fn pipe(&self) -> PipeKeys {
        self.pipe.clone()
    }

    /// Keys of the media packets.
    #[must_use]
    pub fn media(&self) -> MediaKeys {
        self.media.clone()
    }

    /// What the two words are made from.
    #[must_use]
    pub fn sas(&self) -> SasKeys {
        SasKeys {
            role: self.role,
            secret: self.sas.clone(),
            handshake_hash: self.handshake_hash,
        }
    }

    /// The secret that opens onion leg `index`; the same on both sides, good for one leg.
    #[must_use]
    pub fn leg_secret(&self, index: LegIndex) -> LegSecret {
        kdf::expand(&self.legs, label::LEG, &[&[index.0]])
    }

    /// Where the refill chain of the tokens issued by `issuer` begins (after a join or a RESYNC).
    #[must_use]
    pub fn first_batch_secret(&self, issuer: Role) -> SecretBytes<32> {
        self.first_batch[usize::from(role_byte(issuer))].clone()
    }
}

impl fmt::Debug for SessionKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SessionKeys")
            .field("role", &self.role)
            .finish_non_exhaustive()
    }
}

/// Keys of the PIPE frames, by direction as seen from one side.
#[derive(Clone, Debug)]
pub struct PipeKeys {
    pub(crate) seal: Key,
    pub(crate) open: Key,
}

/// Keys of the media packets, by direction as seen from one side.
#[derive(Clone, Debug)]
pub struct MediaKeys {
    pub(crate) seal_chain: Key,
    pub(crate) seal_mask: Key,
    pub(crate) open_chain: Key,
    pub(crate) open_mask: Key,
}

/// What [`crate::Sas`] needs from the handshake.
#[derive(Clone)]
pub struct SasKeys {
    pub(crate) role: Role,
    pub(crate) secret: Key,
    pub(crate) handshake_hash: [u8; 32],
}

impl fmt::Debug for SasKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SasKeys")
            .field("role", &self.role)
            .finish_non_exhaustive()
    }
}
