//! TURN candidates: one relay address and up to sixteen ports.

use crate::frame::Malformed;
use crate::limits::MAX_CANDIDATE_PORTS;
use crate::wire::{Reader, Writer};
use core::fmt;
use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Where a side's TURN legs can be reached. Which ranges are acceptable is the legs' business.
#[derive(Clone, PartialEq, Eq)]
pub struct Candidates {
    /// The relayed address, the same for all legs.
    pub address: IpAddr,
    /// The relayed port of each leg, in the order of the legs; 1 to 16 of them, none 0.
    pub ports: Vec<u16>,
}

impl fmt::Debug for Candidates {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Candidates[{} ports]", self.ports.len())
    }
}

impl Candidates {
    /// Bytes on the wire.
    pub(super) const BYTES: usize = 50;

    /// # Errors
    /// When there is no port, more than 16, or port 0.
    pub fn new(address: IpAddr, ports: Vec<u16>) -> Result<Self, Malformed> {
        if ports.is_empty() || ports.len() > MAX_CANDIDATE_PORTS || ports.contains(&0) {
            return Err(Malformed::Value);
        }
        Ok(Self { address, ports })
    }

    pub(super) fn encode<const N: usize>(&self, w: &mut Writer<N>) {
        write_address(w, self.address);
        let ports = &self.ports[..self.ports.len().min(MAX_CANDIDATE_PORTS)];
        w.u8(u8::try_from(ports.len()).expect("at most 16"));
        ports.iter().for_each(|port| w.u16(*port));
        w.skip((MAX_CANDIDATE_PORTS - ports.len()) * 2);
    }

    pub(super) fn decode(r: &mut Reader<'_>) -> Result<Self, Malformed> {
        let address = read_address(r)?;
        let count = usize::from(r.u8()?);
        if count > MAX_CANDIDATE_PORTS {
            return Err(Malformed::Value);
        }
        let ports = (0..count).map(|_| r.u16()).collect::<Result<_, _>>()?;
        r.zeros((MAX_CANDIDATE_PORTS - count) * 2)?;
        Self::new(address, ports)
    }

    pub(super) fn encode_optional<const N: usize>(this: Option<&Self>, w: &mut Writer<N>) {
        match this {
            Some(candidates) => candidates.encode(w),
            None => w.skip(Self::BYTES),
        }
    }

    pub(super) fn decode_optional(r: &mut Reader<'_>) -> Result<Option<Self>, Malformed> {
        if r.peek()? == 0 {
            return r.zeros(Self::BYTES).map(|()| None);
        }
        Self::decode(r).map(Some)
    }
}

/// Family (4 or 6) and 16 bytes; an IPv4 address fills the first four.
pub(crate) fn write_address<const N: usize>(w: &mut Writer<N>, address: IpAddr) {
    match address {
        IpAddr::V4(v4) => {
            w.u8(4);
            w.put(&v4.octets());
            w.skip(12);
        }
        IpAddr::V6(v6) => {
            w.u8(6);
            w.put(&v6.octets());
        }
    }
}

pub(crate) fn read_address(r: &mut Reader<'_>) -> Result<IpAddr, Malformed> {
    match r.u8()? {
        4 => {
            let octets: [u8; 4] = r.array()?;
            r.zeros(12)?;
            Ok(IpAddr::V4(Ipv4Addr::from(octets)))
        }
        6 => Ok(IpAddr::V6(Ipv6Addr::from(r.array::<16>()?))),
        _ => Err(Malformed::Value),
    }
}
