//! HELLO, PIPE, NAK, PING and CRED-GET.

use super::{FrameBytes, Handle, Malformed, Opaque, kind};
use crate::limits::{PIPE_CIPHERTEXT_BYTES, PROTOCOL_VERSION, SIGNALING_FRAME_BYTES};
use crate::wire::{Reader, Writer};

/// What a server offers besides ringing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Services {
    /// Takes ATTACH from the network (operated servers only).
    pub attach: bool,
    /// Answers CRED-GET.
    pub credentials: bool,
}

/// The server's greeting.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Hello {
    /// Lowest protocol version that the server speaks.
    pub lowest: u8,
    /// Highest protocol version that the server speaks.
    pub highest: u8,
    /// What the server offers.
    pub services: Services,
    /// Fresh for this stream; goes into every handshake's prologue, which gives freshness without
    /// clocks.
    pub nonce: [u8; 32],
    /// Seconds that a stream may idle before its first frame.
    pub idle_seconds: u16,
    /// Seconds from a frame's first byte to its last.
    pub frame_seconds: u16,
    /// Handles that a mailbox may have open.
    pub handles: u16,
}

impl Hello {
    /// Whether this build and the server share a version.
    #[must_use]
    pub const fn speaks_our_version(&self) -> bool {
        self.lowest <= PROTOCOL_VERSION && PROTOCOL_VERSION <= self.highest
    }

    pub(super) fn encode(&self) -> FrameBytes {
        let mut w = Writer::<SIGNALING_FRAME_BYTES>::new();
        w.u8(kind::HELLO);
        w.u8(self.lowest);
        w.u8(self.highest);
        w.u8(u8::from(self.services.attach) | u8::from(self.services.credentials) << 1);
        w.put(&self.nonce);
        w.u16(self.idle_seconds);
        w.u16(self.frame_seconds);
        w.u16(self.handles);
        w.finish()
    }

    pub(super) fn decode(body: &[u8]) -> Result<Self, Malformed> {
        let mut r = Reader::new(body);
        let (lowest, highest) = (r.u8()?, r.u8()?);
        if lowest == 0 || lowest > highest {
            return Err(Malformed::Version);
        }
        let services = match r.u8()? {
            bits @ 0..=3 => Services {
                attach: bits & 1 != 0,
                credentials: bits & 2 != 0,
            },
            _ => return Err(Malformed::Value),
        };
        let hello = Self {
            lowest,
            highest,
            services,
            nonce: r.array()?,
            idle_seconds: r.u16()?,
            frame_seconds: r.u16()?,
            handles: r.u16()?,
        };
        r.padding().map(|()| hello)
    }
}

/// A Noise transport message on its way between two people.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pipe {
    /// The pipe, by the name that the connection it travels on knows it by.
    pub handle: Handle,
    /// 459 bytes of plaintext and a tag.
    pub ciphertext: Opaque<PIPE_CIPHERTEXT_BYTES>,
}

impl Pipe {
    pub(super) fn encode(&self) -> FrameBytes {
        let mut w = Writer::<SIGNALING_FRAME_BYTES>::new();
        w.u8(kind::PIPE);
        w.u32(self.handle.0);
        w.put(&self.ciphertext.0);
        w.finish()
    }

    pub(super) fn decode(body: &[u8]) -> Result<Self, Malformed> {
        let mut r = Reader::new(body);
        Ok(Self {
            handle: Handle(r.u32()?),
            ciphertext: Opaque(r.array()?),
        })
    }
}

/// Cover and liveness; the echo carries the same number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ping {
    /// Whether this is the echo; an echo is never echoed.
    pub echo: bool,
    /// Tells pings apart.
    pub number: u64,
}

impl Ping {
    pub(super) fn encode(&self) -> FrameBytes {
        let mut w = Writer::<SIGNALING_FRAME_BYTES>::new();
        w.u8(kind::PING);
        w.u8(u8::from(self.echo));
        w.put(&self.number.to_be_bytes());
        w.finish()
    }

    pub(super) fn decode(body: &[u8]) -> Result<Self, Malformed> {
        let mut r = Reader::new(body);
        let ping = Self {
            echo: r.flag()?,
            number: u64::from_be_bytes(r.array()?),
        };
        r.padding().map(|()| ping)
    }
}

pub(super) fn encode_nak() -> FrameBytes {
    let mut w = Writer::<SIGNALING_FRAME_BYTES>::new();
    w.u8(kind::NAK);
    w.finish()
}

pub(super) fn decode_nak(body: &[u8]) -> Result<(), Malformed> {
    Reader::new(body).padding()
}

pub(super) fn encode_cred_get() -> FrameBytes {
    let mut w = Writer::<SIGNALING_FRAME_BYTES>::new();
    w.u8(kind::CRED_GET);
    w.u8(PROTOCOL_VERSION);
    w.finish()
}

pub(super) fn decode_cred_get(body: &[u8]) -> Result<(), Malformed> {
    let mut r = Reader::new(body);
    super::version(&mut r)?;
    r.padding()
}
