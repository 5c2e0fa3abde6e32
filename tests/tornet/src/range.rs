//! A free loopback range, so that several networks can run on one machine.
//!
//! A range is claimed by an advisory lock on a file in the temporary directory, which the kernel
//! releases however the owner ends, and then probed, in case something else listens there.
use std::fs::{File, OpenOptions, TryLockError};
use std::net::{Ipv4Addr, TcpListener};
use std::os::unix::fs::OpenOptionsExt as _;

use crate::Error;
use crate::identity::{DIR_PORT, HIDDEN_OR_PORT, OR_PORT};

/// 127.10 to 127.249 in steps of twenty.
const RANGES: u8 = 12;
const FIRST_OCTET: u8 = 10;
const OCTETS_A_RANGE: u8 = 20;
/// The C tor client's place within a range, past the last relay.
const CLIENT_OFFSET: u8 = 19;

/// A claimed range; free again when dropped.
#[derive(Debug)]
pub(crate) struct AddressRange {
    base: u8,
    _lock: File,
}

impl AddressRange {
    /// Claims the wanted range, or the first free one.
    pub(crate) fn claim(wanted: Option<u8>, relays: usize) -> Result<Self, Error> {
        let candidates = match wanted {
            Some(n) if n >= RANGES => {
                return Err(Error::Config(format!(
                    "address ranges are 0 to {}",
                    RANGES - 1
                )));
            }
            Some(n) => n..n + 1,
            None => 0..RANGES,
        };
        let count = candidates.end - candidates.start;
        candidates
            .into_iter()
            .find_map(|n| Self::try_claim(n, relays))
            .ok_or(Error::NoRange { ranges: count })
    }

    fn try_claim(number: u8, relays: usize) -> Option<Self> {
        let path = std::env::temp_dir().join(format!("tacit-tornet-range-{number}.lock"));
        // Another user's lock file cannot be opened: then the range counts as taken.
        let lock = OpenOptions::new()
            .create(true)
            .truncate(false)
            .write(true)
            .mode(0o600)
            .open(path)
            .ok()?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock | TryLockError::Error(_)) => return None,
        }
        let range = Self {
            base: FIRST_OCTET + OCTETS_A_RANGE * number,
            _lock: lock,
        };
        let free = (0..relays).all(|i| {
            [OR_PORT, HIDDEN_OR_PORT, DIR_PORT]
                .into_iter()
                .all(|port| TcpListener::bind((range.relay(i), port)).is_ok())
        });
        free.then_some(range)
    }

    /// The address of relay `index`.
    pub(crate) fn relay(&self, index: usize) -> Ipv4Addr {
        let offset = u8::try_from(index).expect("fewer relays than octets in a range");
        Ipv4Addr::new(127, self.base + offset, 0, 1)
    }

    /// The address of the C tor client's own ports.
    pub(crate) fn client(&self) -> Ipv4Addr {
        Ipv4Addr::new(127, self.base + CLIENT_OFFSET, 0, 1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_claims_never_share_a_range() {
        let first = AddressRange::claim(None, 8).unwrap();
        let second = AddressRange::claim(None, 8).unwrap();
        assert_ne!(first.relay(0), second.relay(0));
        assert!(AddressRange::claim(Some(12), 8).is_err());
    }
}
