//! The frames between a client and a mailbox server. Each is 480 bytes, whatever it carries: one
//! frame, one relay cell. Integers are big-endian, gaps are zero and checked.
//!
//! | frame | type | fields: offset, name, bytes |
//! |---|---|---|
//! | HELLO | `03` | 1 lowest version 1, 2 highest version 1, 3 services 1, 4 nonce 32, 36 idle seconds 2, 38 frame seconds 2, 40 handles 2 |
//! | ATTACH | `05` | 1 version 1, 2 attach secret 32, 34 generation 2, 36 token key 32, 68 ring burst 2, 70 ring interval (seconds) 2, 72 spent bitmap 256 |
//! | ATTACHED | `06` | 1 status 1, 2 generation 2 |
//! | CRED-GET | `09` | 1 version 1 |
//! | CRED | `0a` | 1 transport 1, 2 family 1, 3 address 16, 19 port 2, 21 key pin 32, 53 lifetime (seconds) 4, 57 count 1, 58 six times (user 32, password 32) |
//! | RING | `0c` | 1 version 1, 2 mailbox 16, 18 purpose 1, 19 token 20, 39 message 1 438 |
//! | RING-IN | `0f` | 1 handle 4, 5 generation 2, 7 index 2, 9 purpose 1, 10 nonce 32, 42 message 1 438 |
//! | ANSWER | `11` | 1 handle 4, 5 message 2 475 |
//! | PIPE | `12` | 1 handle 4, 5 ciphertext 475 |
//! | NAK | `14` | nothing |
//! | PING | `17` | 1 echo 1, 2 number 8 |
//!
//! Every type has an even number of one bits, so that no single flipped bit makes one frame into
//! another.

mod attach;
mod credentials;
mod ring;
mod simple;

pub use attach::{Attach, AttachStatus, Attached};
pub use credentials::{Cred, Credential, CredentialText, Transport};
pub use ring::{Answer, Ring, RingIn};
pub use simple::{Hello, Ping, Pipe, Services};

use crate::limits::{PROTOCOL_VERSION, SIGNALING_FRAME_BYTES};
use crate::wire::Reader;
use core::fmt;

/// A frame as it travels.
pub type FrameBytes = [u8; SIGNALING_FRAME_BYTES];

/// Why bytes are not a frame or payload of this version.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
#[non_exhaustive]
pub enum Malformed {
    /// Too short or too long.
    #[error("wrong length")]
    Length,
    /// No frame or message has this type.
    #[error("unknown type")]
    Type,
    /// A version that this build does not speak.
    #[error("unknown version")]
    Version,
    /// A field's value is outside its range.
    #[error("value out of range")]
    Value,
    /// Padding that is not zero.
    #[error("padding is not zero")]
    Padding,
}

/// Names one pipe on one connection. Two connections' handles have nothing to do with each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Handle(pub u32);

/// Noise bytes that only the two ends understand.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Opaque<const N: usize>(pub [u8; N]);

impl<const N: usize> fmt::Debug for Opaque<N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "[{N} bytes]")
    }
}

pub(crate) mod kind {
    //! Frame types: byte 0.
    pub(crate) const HELLO: u8 = 0x03;
    pub(crate) const ATTACH: u8 = 0x05;
    pub(crate) const ATTACHED: u8 = 0x06;
    pub(crate) const CRED_GET: u8 = 0x09;
    pub(crate) const CRED: u8 = 0x0a;
    pub(crate) const RING: u8 = 0x0c;
    pub(crate) const RING_IN: u8 = 0x0f;
    pub(crate) const ANSWER: u8 = 0x11;
    pub(crate) const PIPE: u8 = 0x12;
    pub(crate) const NAK: u8 = 0x14;
    pub(crate) const PING: u8 = 0x17;
    #[cfg(test)]
    pub(crate) const ALL: [u8; 11] = [
        HELLO, ATTACH, ATTACHED, CRED_GET, CRED, RING, RING_IN, ANSWER, PIPE, NAK, PING,
    ];
}

/// Reads the version byte that client frames carry.
fn version(r: &mut Reader<'_>) -> Result<(), Malformed> {
    if r.u8()? == PROTOCOL_VERSION {
        Ok(())
    } else {
        Err(Malformed::Version)
    }
}

/// Any frame.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Frame {
    /// Server to client, first on every stream.
    Hello(Hello),
    /// Callee to operated server: receive rings for a mailbox's generation.
    Attach(Attach),
    /// Server to callee: the answer, or news that another attach took over.
    Attached(Attached),
    /// Client to operated server: asks for TURN credentials.
    CredGet,
    /// Server to client: TURN credentials.
    Cred(Cred),
    /// Caller to server.
    Ring(Ring),
    /// Server to callee.
    RingIn(RingIn),
    /// Callee to server to caller.
    Answer(Answer),
    /// Both ways, once answered.
    Pipe(Pipe),
    /// Server to caller: no, and nothing about why.
    Nak,
    /// Both ways, echoed once.
    Ping(Ping),
}

impl Frame {
    /// The frame's 480 bytes.
    #[must_use]
    pub fn encode(&self) -> FrameBytes {
        match self {
            Self::Hello(f) => f.encode(),
            Self::Attach(f) => f.encode(),
            Self::Attached(f) => f.encode(),
            Self::CredGet => simple::encode_cred_get(),
            Self::Cred(f) => f.encode(),
            Self::Ring(f) => f.encode(),
            Self::RingIn(f) => f.encode(),
            Self::Answer(f) => f.encode(),
            Self::Pipe(f) => f.encode(),
            Self::Nak => simple::encode_nak(),
            Self::Ping(f) => f.encode(),
        }
    }

    /// Reads a frame from untrusted bytes. What decodes encodes to the same bytes again.
    ///
    /// # Errors
    /// When the bytes are no frame of this version; the caller counts and drops them.
    pub fn decode(bytes: &[u8]) -> Result<Self, Malformed> {
        let bytes: &FrameBytes = bytes.try_into().map_err(|_| Malformed::Length)?;
        let [kind, body @ ..] = bytes;
        Ok(match *kind {
            kind::HELLO => Self::Hello(Hello::decode(body)?),
            kind::ATTACH => Self::Attach(Attach::decode(body)?),
            kind::ATTACHED => Self::Attached(Attached::decode(body)?),
            kind::CRED_GET => simple::decode_cred_get(body).map(|()| Self::CredGet)?,
            kind::CRED => Self::Cred(Cred::decode(body)?),
            kind::RING => Self::Ring(Ring::decode(body)?),
            kind::RING_IN => Self::RingIn(RingIn::decode(body)?),
            kind::ANSWER => Self::Answer(Answer::decode(body)?),
            kind::PIPE => Self::Pipe(Pipe::decode(body)?),
            kind::NAK => simple::decode_nak(body).map(|()| Self::Nak)?,
            kind::PING => Self::Ping(Ping::decode(body)?),
            _ => return Err(Malformed::Type),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_single_bit_makes_one_type_into_another() {
        for a in kind::ALL {
            for b in kind::ALL {
                assert!(a == b || (a ^ b).count_ones() >= 2, "{a:02x} {b:02x}");
            }
        }
    }

    #[test]
    fn short_and_long_are_malformed() {
        let nak = Frame::Nak.encode();
        assert_eq!(Frame::decode(&nak[..479]), Err(Malformed::Length));
        assert_eq!(Frame::decode(&[]), Err(Malformed::Length));
        let mut long = nak.to_vec();
        long.push(0);
        assert_eq!(Frame::decode(&long), Err(Malformed::Length));
        assert_eq!(Frame::decode(&nak), Ok(Frame::Nak));
    }
}
