//! What a handshake is bound to beside its keys.

use tacit_types::{MailboxId, OnionKey};

use crate::token::{TOKEN_BYTES, Token};

/// Protocol name and version at the head of every prologue.
pub const PROLOGUE_LABEL: &[u8; 7] = b"tacit/1";

/// Bytes of a prologue: label 7, purpose 1, nonce 32, server 32, mailbox 16, token 20.
pub const PROLOGUE_BYTES: usize = 7 + 1 + 32 + 32 + 16 + TOKEN_BYTES;

/// Why somebody rings.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum Purpose {
    /// A call to a contact.
    Call = 1,
    /// An invite's first ring: silent, no media.
    Join = 2,
    /// Wallets that ran dry or disagree: silent, no media.
    Resync = 3,
    /// Goes on with a call whose legs all died.
    Resume = 4,
}

impl Purpose {
    /// The byte in RING and in the prologue.
    #[must_use]
    pub const fn to_byte(self) -> u8 {
        self as u8
    }

    /// Reads the byte; unknown purposes are `None`.
    #[must_use]
    pub const fn from_byte(byte: u8) -> Option<Self> {
        match byte {
            1 => Some(Self::Call),
            2 => Some(Self::Join),
            3 => Some(Self::Resync),
            4 => Some(Self::Resume),
            _ => None,
        }
    }
}

/// Binds a handshake to one purpose, one connection (the server's nonce), one server, one mailbox
/// and one token, so that no message works anywhere else.
#[derive(Clone, Debug)]
pub struct Prologue {
    /// Why.
    pub purpose: Purpose,
    /// The nonce of the HELLO on the caller's connection.
    pub hello_nonce: [u8; 32],
    /// The mailbox server's onion key.
    pub server: OnionKey,
    /// Whose mailbox.
    pub mailbox: MailboxId,
    /// What the caller shows the server.
    pub token: Token,
}

impl Prologue {
    /// `"tacit/1" ‖ purpose ‖ HELLO nonce ‖ server onion key ‖ mailbox_id ‖ token`.
    #[must_use]
    pub fn to_bytes(&self) -> [u8; PROLOGUE_BYTES] {
        let mut out = [0; PROLOGUE_BYTES];
        out[..7].copy_from_slice(PROLOGUE_LABEL);
        out[7] = self.purpose.to_byte();
        out[8..40].copy_from_slice(&self.hello_nonce);
        out[40..72].copy_from_slice(&self.server.0);
        out[72..88].copy_from_slice(&self.mailbox.0);
        out[88..].copy_from_slice(&self.token.to_bytes());
        out
    }
}
