//! A mailbox: its secrets, the keys of its tokens, and what its owner keeps about it.

mod owner;

pub use self::owner::{Mailbox, SpentBitmap};

use rand_core::CryptoRngCore;
use serde::{Deserialize, Serialize};
use subtle::ConstantTimeEq;
use tacit_types::limits::GENERATION_SLOTS;
use tacit_types::{MailboxId, SecretBytes};

use crate::kdf::{self, label};
use crate::slots::SlotOrder;
use crate::token::{Generation, Token};

/// Generations whose tokens are good at one time. ATTACH carries at most two.
pub const LIVE_GENERATIONS: usize = 2;

/// Bytes of a spent bitmap: slot `i` is bit `i % 8` (0 is the least significant) of byte `i / 8`.
pub const BITMAP_BYTES: usize = GENERATION_SLOTS / 8;

/// The master secret of a mailbox. Never leaves the callee's device.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MailboxSecret(SecretBytes<32>);

impl MailboxSecret {
    /// Draws a mailbox. Nothing is granted by anybody, so nothing can be withheld.
    #[must_use]
    pub fn generate(rng: &mut impl CryptoRngCore) -> Self {
        let mut bytes = [0; 32];
        rng.fill_bytes(&mut bytes);
        Self(SecretBytes::new(bytes))
    }

    /// The mailbox of a given secret.
    #[must_use]
    pub const fn from_secret(secret: SecretBytes<32>) -> Self {
        Self(secret)
    }

    /// What an ATTACH shows the server.
    #[must_use]
    pub fn attach_secret(&self) -> AttachSecret {
        AttachSecret(kdf::expand(&self.0, label::ATTACH, &[]))
    }

    /// The mailbox's public name.
    #[must_use]
    pub fn mailbox_id(&self) -> MailboxId {
        self.attach_secret().mailbox_id()
    }

    /// The key under which a generation's tags are made. The reserved generation's key follows from
    /// the attach secret.
    #[must_use]
    pub fn token_key(&self, generation: Generation) -> TokenKey {
        if generation == Generation::RESERVED {
            return self.attach_secret().reserved_key();
        }
        TokenKey(kdf::expand(
            &self.0,
            label::TOKEN_KEY,
            &[&generation.0.to_be_bytes()],
        ))
    }

    fn slot_order(&self, generation: Generation) -> SlotOrder {
        SlotOrder::new(&self.slot_key(generation))
    }

    /// The key of a generation's slot order. Unlike the token key the server never learns it.
    #[must_use]
    pub fn slot_key(&self, generation: Generation) -> SecretBytes<32> {
        kdf::expand(&self.0, label::SLOT_ORDER, &[&generation.0.to_be_bytes()])
    }
}

/// Proves to a server that one owns the mailbox; the server derives the mailbox's name from it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AttachSecret(SecretBytes<32>);

impl AttachSecret {
    /// Takes the 32 bytes of an ATTACH frame.
    #[must_use]
    pub const fn new(bytes: [u8; 32]) -> Self {
        Self(SecretBytes::new(bytes))
    }

    /// The 32 bytes for an ATTACH frame.
    #[must_use]
    pub const fn expose(&self) -> &[u8; 32] {
        self.0.expose()
    }

    /// The mailbox's public name.
    #[must_use]
    pub fn mailbox_id(&self) -> MailboxId {
        let digest = kdf::hash(label::MAILBOX_ID, &[self.0.expose()]);
        let mut id = [0; 16];
        id.copy_from_slice(&digest[..16]);
        MailboxId(id)
    }

    /// The token key of [`Generation::RESERVED`]. A server checks reserved tokens with it and takes
    /// from the bucket, but marks nothing as spent.
    #[must_use]
    pub fn reserved_key(&self) -> TokenKey {
        TokenKey(kdf::expand(&self.0, label::RESERVED_KEY, &[]))
    }
}

/// Makes and checks the tags of one generation's tokens.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TokenKey(SecretBytes<32>);

impl TokenKey {
    /// Takes the 32 bytes of an ATTACH frame.
    #[must_use]
    pub const fn new(bytes: [u8; 32]) -> Self {
        Self(SecretBytes::new(bytes))
    }

    /// The 32 bytes for an ATTACH frame.
    #[must_use]
    pub const fn expose(&self) -> &[u8; 32] {
        self.0.expose()
    }

    /// Makes the token of a slot.
    #[must_use]
    pub fn token(&self, mailbox: &MailboxId, generation: Generation, index: u16) -> Token {
        let tag = self.tag(mailbox, generation.0, index);
        Token {
            generation: generation.0,
            index,
            tag,
        }
    }

    /// Whether `token` was made for `mailbox` with this key; the tag is compared in constant time,
    /// and an index past the generation's end is refused.
    #[must_use]
    pub fn verify(&self, mailbox: &MailboxId, token: &Token) -> bool {
        let tag = self.tag(mailbox, token.generation, token.index);
        let genuine: bool = tag.ct_eq(&token.tag).into();
        genuine & (usize::from(token.index) < GENERATION_SLOTS)
    }

    fn tag(&self, mailbox: &MailboxId, generation: u16, index: u16) -> [u8; 16] {
        kdf::mac128(
            &self.0,
            &[&mailbox.0, &generation.to_be_bytes(), &index.to_be_bytes()],
        )
    }
}
