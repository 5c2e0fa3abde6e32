//! Invites: everything that a stranger needs to become a contact, once, in one link.

use core::fmt;

use serde::{Deserialize, Serialize};
use subtle::ConstantTimeEq;
use tacit_types::{MailboxId, OnionKey, Reason, SecretBytes, UnixTime};

use crate::keys::StaticPublic;
use crate::token::{Psk, TOKEN_BYTES, Token};
use crate::{base32, kdf};

/// How every invite link begins. Letter case does not matter, so that a QR code can be dense.
pub const SCHEME: &str = "tacit:";

/// The invite version that this crate makes and reads.
pub const INVITE_VERSION: u8 = 1;

/// Seconds until an invite expires, unless told otherwise: 24 h.
pub const DEFAULT_LIFETIME_SECS: u64 = 24 * 60 * 60;

/// Bytes of an invite: version 1, expiry 8, server 32, mailbox 16, discovery 32, inviter 32,
/// token 20, PSK 32, checksum 4.
pub const INVITE_BYTES: usize = 177;

/// Longest text taken for a link, white space included.
pub const MAX_LINK_BYTES: usize = 1024;

const CHECKSUM_BYTES: usize = 4;

/// Why an invite cannot be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum InviteError {
    /// Not a whole invite: truncated, mistyped, or something else altogether.
    #[error("this is not a complete Tacit invite")]
    Malformed,
    /// Whole, but of a version that this crate does not know.
    #[error("this invite has version {0}, which is not known here")]
    Version(u8),
    /// Whole, but too late.
    #[error("this invite has expired")]
    Expired,
}

impl InviteError {
    /// The stable reason code.
    #[must_use]
    pub const fn reason(self) -> Reason {
        match self {
            Self::Malformed => Reason::InviteMalformed,
            Self::Version(_) => Reason::InviteVersion,
            Self::Expired => Reason::InviteExpired,
        }
    }
}

/// An invite: whoever holds it can become a contact, once. It verifies nobody.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Invite {
    /// When it stops working.
    pub expires: UnixTime,
    /// The onion service of the invite's own address.
    pub server: OnionKey,
    /// The invite's own mailbox.
    pub mailbox: MailboxId,
    /// The client's X25519 secret for the address's restricted discovery.
    pub discovery: SecretBytes<32>,
    /// The inviter's pairwise static key.
    pub inviter: StaticPublic,
    /// A token of the reserved generation, so that the server delivers repeats.
    pub token: Token,
    /// The PSK of the join handshake.
    pub psk: Psk,
}

impl fmt::Debug for Invite {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Invite[redacted]")
    }
}

impl Invite {
    /// The binary form, integers big-endian, the last four bytes its checksum.
    #[must_use]
    pub fn to_bytes(&self) -> [u8; INVITE_BYTES] {
        let mut out = [0; INVITE_BYTES];
        let mut at = 0;
        let mut put = |bytes: &[u8]| {
            out[at..at + bytes.len()].copy_from_slice(bytes);
            at += bytes.len();
        };
        put(&[INVITE_VERSION]);
        put(&self.expires.0.to_be_bytes());
        put(&self.server.0);
        put(&self.mailbox.0);
        put(self.discovery.expose());
        put(&self.inviter.0);
        put(&self.token.to_bytes());
        put(self.psk.expose());
        let body = INVITE_BYTES - CHECKSUM_BYTES;
        let sum = checksum(&out[..body]);
        out[body..].copy_from_slice(&sum);
        out
    }

    /// Reads the binary form. Whatever its version, an invite starts with it and ends with the
    /// checksum, so that a damaged one and a newer one are told apart. Expiry is not looked at.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, InviteError> {
        let (body, sum) = bytes
            .split_last_chunk::<CHECKSUM_BYTES>()
            .ok_or(InviteError::Malformed)?;
        let version = *body.first().ok_or(InviteError::Malformed)?;
        if !bool::from(checksum(body).ct_eq(sum)) {
            return Err(InviteError::Malformed);
        }
        if version != INVITE_VERSION {
            return Err(InviteError::Version(version));
        }
        let mut rest = &body[1..];
        let invite = Self {
            expires: UnixTime(u64::from_be_bytes(take(&mut rest)?)),
            server: OnionKey(take(&mut rest)?),
            mailbox: MailboxId(take(&mut rest)?),
            discovery: SecretBytes::new(take(&mut rest)?),
            inviter: StaticPublic(take(&mut rest)?),
            token: Token::from_bytes(&take::<TOKEN_BYTES>(&mut rest)?),
            psk: SecretBytes::new(take(&mut rest)?),
        };
        if rest.is_empty() {
            Ok(invite)
        } else {
            Err(InviteError::Malformed)
        }
    }

    /// The link: `tacit:` and the binary form in base32.
    #[must_use]
    pub fn to_link(&self) -> String {
        format!("{SCHEME}{}", base32::encode(&self.to_bytes()))
    }

    /// Reads a link. Letter case and white space (a mail program's line breaks) do not matter.
    pub fn from_link(link: &str) -> Result<Self, InviteError> {
        if link.len() > MAX_LINK_BYTES {
            return Err(InviteError::Malformed);
        }
        let text: String = link
            .chars()
            .filter(|letter| !letter.is_ascii_whitespace())
            .collect();
        let (scheme, body) = text
            .split_at_checked(SCHEME.len())
            .ok_or(InviteError::Malformed)?;
        if !scheme.eq_ignore_ascii_case(SCHEME) {
            return Err(InviteError::Malformed);
        }
        Self::from_bytes(&base32::decode(body).ok_or(InviteError::Malformed)?)
    }

    /// Refuses an invite whose time has come.
    pub const fn check_expiry(&self, now: UnixTime) -> Result<(), InviteError> {
        if now.0 >= self.expires.0 {
            Err(InviteError::Expired)
        } else {
            Ok(())
        }
    }
}

fn take<const N: usize>(rest: &mut &[u8]) -> Result<[u8; N], InviteError> {
    let (head, tail) = rest
        .split_first_chunk::<N>()
        .ok_or(InviteError::Malformed)?;
    *rest = tail;
    Ok(*head)
}

fn checksum(body: &[u8]) -> [u8; CHECKSUM_BYTES] {
    let digest = kdf::hash(kdf::label::INVITE, &[body]);
    [digest[0], digest[1], digest[2], digest[3]]
}
