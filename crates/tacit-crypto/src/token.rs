//! Tokens: what a caller shows a mailbox server, once, to be let through to the callee.

use core::fmt;

use serde::{Deserialize, Serialize};
use subtle::ConstantTimeEq;
use tacit_types::SecretBytes;

/// Bytes of a token on the wire.
pub const TOKEN_BYTES: usize = 20;

/// The one-time pre-shared key that goes with a token. The mailbox server never sees it.
pub type Psk = SecretBytes<32>;

/// Number of a mailbox's generation of token slots.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
pub struct Generation(pub u16);

impl Generation {
    /// The generation whose tokens a server never marks as spent: a contact's RESYNC slot, and an
    /// invite's token. Its key follows from the attach secret, so no ATTACH carries it.
    pub const RESERVED: Self = Self(0xffff);
}

/// `generation u16 ‖ index u16 ‖ tag[16]`. Good at one mailbox, once.
#[derive(Clone, Copy, Serialize, Deserialize)]
pub struct Token {
    /// Which token key made the tag.
    pub generation: u16,
    /// Slot within the generation, below 2048.
    pub index: u16,
    /// `BLAKE2s-128(token_key[generation], mailbox_id ‖ generation ‖ index)`.
    pub tag: [u8; 16],
}

impl Token {
    /// The wire form, integers big-endian.
    #[must_use]
    pub fn to_bytes(&self) -> [u8; TOKEN_BYTES] {
        let mut out = [0; TOKEN_BYTES];
        out[..2].copy_from_slice(&self.generation.to_be_bytes());
        out[2..4].copy_from_slice(&self.index.to_be_bytes());
        out[4..].copy_from_slice(&self.tag);
        out
    }

    /// Reads the wire form. Any 20 bytes are a token; whether it is good is the server's to say.
    #[must_use]
    pub fn from_bytes(bytes: &[u8; TOKEN_BYTES]) -> Self {
        let mut tag = [0; 16];
        tag.copy_from_slice(&bytes[4..]);
        Self {
            generation: u16::from_be_bytes([bytes[0], bytes[1]]),
            index: u16::from_be_bytes([bytes[2], bytes[3]]),
            tag,
        }
    }

    /// Whether this token is in the generation that is never spent.
    #[must_use]
    pub const fn is_reserved(&self) -> bool {
        self.generation == Generation::RESERVED.0
    }
}

impl PartialEq for Token {
    fn eq(&self, other: &Self) -> bool {
        self.to_bytes().ct_eq(&other.to_bytes()).into()
    }
}
impl Eq for Token {}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token[redacted]")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wire_form_round_trips_and_is_big_endian() {
        let token = Token {
            generation: 0x0102,
            index: 0x0304,
            tag: [9; 16],
        };
        let bytes = token.to_bytes();
        assert_eq!(bytes[..4], [1, 2, 3, 4]);
        assert_eq!(Token::from_bytes(&bytes), token);
        assert!(!format!("{token:?}").contains('9'));
    }
}
