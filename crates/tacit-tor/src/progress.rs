//! How far the connection to Tor is.

use tacit_types::Reason;

/// A snapshot of the bootstrap. It stays current after the start: it falls when Tor is lost.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TorProgress {
    /// 0 to 100; 100 means ready for streams.
    pub percent: u8,
    /// What is happening, in words for people. Names no address.
    pub stage: String,
    /// What seems to be in the way. Tor may still get past it.
    pub blocked: Option<Reason>,
}
