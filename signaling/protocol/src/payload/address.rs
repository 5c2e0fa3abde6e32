//! Where a contact can be rung.

use super::refill::{read_token, write_token};
use crate::frame::Malformed;
use crate::wire::{Reader, Writer};
use tacit_crypto::token::Token;
use tacit_types::{MailboxId, OnionKey, SecretBytes};

/// Who runs the mailbox server of an address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub enum Hosting {
    /// The person's own device.
    Embedded,
    /// Somebody, for many people.
    Operated,
}

/// An address, as one contact knows it.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct ContactAddress {
    /// Who runs the mailbox server.
    pub hosting: Hosting,
    /// The mailbox server's onion service.
    pub server: OnionKey,
    /// The mailbox there.
    pub mailbox: MailboxId,
    /// The x25519 secret of restricted discovery, if the service uses it.
    pub discovery: Option<SecretBytes<32>>,
}

/// Bit of the kind byte: a discovery secret follows.
const WITH_DISCOVERY: u8 = 0x10;

impl ContactAddress {
    pub(super) fn encode<const N: usize>(&self, w: &mut Writer<N>) {
        let kind = match self.hosting {
            Hosting::Embedded => 1,
            Hosting::Operated => 2,
        };
        w.u8(kind
            | if self.discovery.is_some() {
                WITH_DISCOVERY
            } else {
                0
            });
        w.put(&self.server.0);
        w.put(&self.mailbox.0);
        match &self.discovery {
            Some(secret) => w.put(secret.expose()),
            None => w.skip(32),
        }
    }

    pub(super) fn decode(r: &mut Reader<'_>) -> Result<Self, Malformed> {
        let kind = r.u8()?;
        let hosting = match kind & !WITH_DISCOVERY {
            1 => Hosting::Embedded,
            2 => Hosting::Operated,
            _ => return Err(Malformed::Value),
        };
        let (server, mailbox) = (OnionKey(r.array()?), MailboxId(r.array()?));
        let discovery = if kind & WITH_DISCOVERY == 0 {
            r.zeros(32)?;
            None
        } else {
            Some(SecretBytes::new(r.array()?))
        };
        Ok(Self {
            hosting,
            server,
            mailbox,
            discovery,
        })
    }
}

/// "From now on ring me there." The highest sequence number wins; a lower one is old news.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AddressMove {
    /// Counts this side's moves towards this contact, from 1.
    pub sequence: u32,
    /// The address.
    pub address: ContactAddress,
    /// Opens the RESYNC slot of the new mailbox.
    pub resync: Option<Token>,
}

impl AddressMove {
    /// Bytes on the wire.
    pub(super) const BYTES: usize = 106;

    pub(super) fn encode<const N: usize>(&self, w: &mut Writer<N>) {
        w.u32(self.sequence);
        self.address.encode(w);
        write_token(w, self.resync.as_ref());
    }

    pub(super) fn decode(r: &mut Reader<'_>) -> Result<Self, Malformed> {
        Ok(Self {
            sequence: r.u32()?,
            address: ContactAddress::decode(r)?,
            resync: read_token(r)?,
        })
    }

    pub(super) fn encode_optional<const N: usize>(this: Option<&Self>, w: &mut Writer<N>) {
        w.u8(u8::from(this.is_some()));
        match this {
            Some(address) => address.encode(w),
            None => w.skip(Self::BYTES),
        }
    }

    pub(super) fn decode_optional(r: &mut Reader<'_>) -> Result<Option<Self>, Malformed> {
        if r.flag()? {
            return Self::decode(r).map(Some);
        }
        r.zeros(Self::BYTES).map(|()| None)
    }
}
