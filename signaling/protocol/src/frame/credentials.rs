//! CRED: one-time credentials for a TURN server.

use super::{FrameBytes, Malformed, kind};
use crate::limits::{CREDENTIAL_TEXT_BYTES, MAX_CREDENTIALS, SIGNALING_FRAME_BYTES};
use crate::payload::{read_address, write_address};
use crate::wire::{Reader, Writer};
use core::fmt;
use core::net::{IpAddr, SocketAddr};
use tacit_types::SecretBytes;

/// How a TURN server is reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Transport {
    /// TLS with the pinned key.
    Tls,
    /// Plain TCP, for test networks: exits read it.
    DangerousPlainTcp,
}

/// Up to 32 printable ASCII characters without spaces. Never printed.
#[derive(Clone, PartialEq, Eq)]
pub struct CredentialText(SecretBytes<CREDENTIAL_TEXT_BYTES>);

impl CredentialText {
    /// # Errors
    /// When `text` is empty, longer than 32 bytes, or not printable ASCII without spaces.
    pub fn new(text: &str) -> Result<Self, Malformed> {
        let bytes = text.as_bytes();
        if bytes.is_empty() || bytes.len() > CREDENTIAL_TEXT_BYTES {
            return Err(Malformed::Length);
        }
        if !bytes.iter().all(u8::is_ascii_graphic) {
            return Err(Malformed::Value);
        }
        let mut padded = [0; CREDENTIAL_TEXT_BYTES];
        padded[..bytes.len()].copy_from_slice(bytes);
        Ok(Self(SecretBytes::new(padded)))
    }

    /// The text itself.
    #[must_use]
    pub fn reveal(&self) -> &str {
        let bytes = self.0.expose();
        let end = bytes.iter().position(|&b| b == 0).unwrap_or(bytes.len());
        core::str::from_utf8(&bytes[..end]).expect("checked to be ASCII when it was made")
    }

    fn decode(r: &mut Reader<'_>) -> Result<Self, Malformed> {
        let bytes = r.take(CREDENTIAL_TEXT_BYTES)?;
        let end = bytes.iter().position(|&b| b == 0).unwrap_or(bytes.len());
        let (text, padding) = bytes.split_at(end);
        Reader::new(padding).padding()?;
        Self::new(core::str::from_utf8(text).map_err(|_| Malformed::Value)?)
    }
}

impl fmt::Debug for CredentialText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[credential]")
    }
}

/// One user name and password, good for one allocation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Credential {
    /// `expiry:random`, as in the TURN REST convention.
    pub user: CredentialText,
    /// Base64 of HMAC-SHA1 over the user name.
    pub password: CredentialText,
}

/// Where a TURN server is and how to use it.
#[derive(Clone, PartialEq, Eq)]
pub struct Cred {
    /// How to reach it.
    pub transport: Transport,
    /// Its address; never a name, which would have to be resolved.
    pub server: SocketAddr,
    /// SHA-256 of the server key's SubjectPublicKeyInfo; zero with plain TCP.
    pub key_pin: [u8; 32],
    /// Seconds for which the credentials are good from now.
    pub lifetime_seconds: u32,
    /// Up to six credentials.
    pub credentials: Vec<Credential>,
}

impl fmt::Debug for Cred {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Cred")
            .field("credentials", &self.credentials.len())
            .finish_non_exhaustive()
    }
}

impl Cred {
    pub(super) fn encode(&self) -> FrameBytes {
        let mut w = Writer::<SIGNALING_FRAME_BYTES>::new();
        w.u8(kind::CRED);
        w.u8(match self.transport {
            Transport::Tls => 1,
            Transport::DangerousPlainTcp => 2,
        });
        write_address(&mut w, self.server.ip());
        w.u16(self.server.port());
        w.put(&self.key_pin);
        w.u32(self.lifetime_seconds);
        let listed = &self.credentials[..self.credentials.len().min(MAX_CREDENTIALS)];
        w.u8(u8::try_from(listed.len()).expect("at most six"));
        for credential in listed {
            w.put(credential.user.0.expose());
            w.put(credential.password.0.expose());
        }
        w.finish()
    }

    pub(super) fn decode(body: &[u8]) -> Result<Self, Malformed> {
        let mut r = Reader::new(body);
        let transport = match r.u8()? {
            1 => Transport::Tls,
            2 => Transport::DangerousPlainTcp,
            _ => return Err(Malformed::Value),
        };
        let ip: IpAddr = read_address(&mut r)?;
        let port = r.u16()?;
        let key_pin = r.array()?;
        let lifetime_seconds = r.u32()?;
        let count = usize::from(r.u8()?);
        if count > MAX_CREDENTIALS || port == 0 {
            return Err(Malformed::Value);
        }
        let credentials = (0..count)
            .map(|_| {
                Ok(Credential {
                    user: CredentialText::decode(&mut r)?,
                    password: CredentialText::decode(&mut r)?,
                })
            })
            .collect::<Result<_, Malformed>>()?;
        r.padding()?;
        let server = SocketAddr::new(ip, port);
        Ok(Self {
            transport,
            server,
            key_pin,
            lifetime_seconds,
            credentials,
        })
    }
}
