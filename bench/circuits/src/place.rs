//! Where people and servers are.

use core::fmt;
use core::str::FromStr;

/// A place with an OnionPerf host of Tor Metrics, the only places whose floors are known.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Place {
    /// Germany, near most relays.
    De,
    /// The United States.
    Us,
    /// Hong Kong, far from most relays.
    Hk,
}

impl Place {
    /// All places.
    pub const ALL: [Self; 3] = [Self::De, Self::Us, Self::Hk];

    /// Its place in [`ALL`](Self::ALL).
    #[must_use]
    pub const fn index(self) -> usize {
        self as usize
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::De => "de",
            Self::Us => "us",
            Self::Hk => "hk",
        })
    }
}

/// No such place.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("unknown place '{0}': known are de, us and hk")]
pub struct UnknownPlace(String);

impl FromStr for Place {
    type Err = UnknownPlace;
    fn from_str(text: &str) -> Result<Self, UnknownPlace> {
        let known = Self::ALL.into_iter().find(|p| p.to_string() == text);
        known.ok_or_else(|| UnknownPlace(text.to_owned()))
    }
}
