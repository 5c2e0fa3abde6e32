//! What network to start.
use std::path::PathBuf;
use std::time::Duration;

use crate::Error;

/// The most relays that one loopback address range holds.
pub(crate) const MAX_RELAYS: usize = 16;
/// The most client namespaces.
pub(crate) const MAX_CLIENTS: u8 = 32;
/// A longer delay breaks Tor's own handshakes and votes.
const MAX_DELAY: Duration = Duration::from_secs(1);
/// Fewer authorities than this cannot lose one and still agree.
const MIN_AUTHORITIES: u8 = 3;

/// What network to start; `Config::default()` is three authorities, three middles and two exits.
#[derive(Clone, Debug)]
pub struct Config {
    /// Directory authorities; they also relay.
    pub authorities: u8,
    /// Relays that are neither authorities nor exits.
    pub middles: u8,
    /// Relays that let streams out, also to loopback and private addresses.
    pub exits: u8,
    /// How relays are reached.
    pub link: Link,
    /// Whether the C tor client that shows usability stays up as a SOCKS proxy.
    pub system_tor: SystemTor,
    /// The `tor` program; found in `PATH` if it has no slash.
    pub tor: PathBuf,
    /// Where keys stay between runs; by default the user's cache directory.
    pub key_cache: Option<PathBuf>,
    /// Where the relays live; a directory given here is kept, the default one is removed.
    pub directory: Option<PathBuf>,
    /// The address range, 0..12: relay i has 127.(10 + 20·range + i).0.1. By default a free one.
    pub range: Option<u8>,
    /// How long the network may take until usable, once keys exist.
    pub timeout: Duration,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            authorities: 3,
            middles: 3,
            exits: 2,
            link: Link::delayed_ms(0, 0),
            system_tor: SystemTor::Stop,
            tor: PathBuf::from("tor"),
            key_cache: None,
            directory: None,
            range: None,
            timeout: Duration::from_secs(90),
        }
    }
}

impl Config {
    pub(crate) fn relay_count(&self) -> usize {
        usize::from(self.authorities) + usize::from(self.middles) + usize::from(self.exits)
    }

    pub(crate) fn check(&self) -> Result<(), Error> {
        if self.authorities < MIN_AUTHORITIES {
            return Err(Error::Config(format!(
                "at least {MIN_AUTHORITIES} authorities"
            )));
        }
        if self.exits == 0 || self.relay_count() < 6 {
            return Err(Error::Config(
                "at least one exit and six relays in all".into(),
            ));
        }
        if self.relay_count() > MAX_RELAYS {
            return Err(Error::Config(format!("at most {MAX_RELAYS} relays in all")));
        }
        if let Link::Namespaces { clients, .. } = self.link
            && clients > MAX_CLIENTS
        {
            return Err(Error::Config(format!(
                "at most {MAX_CLIENTS} client namespaces"
            )));
        }
        if self.link.one_way() > MAX_DELAY {
            return Err(Error::Config(
                "a link delay of more than 1 s breaks Tor itself".into(),
            ));
        }
        Ok(())
    }
}

/// How relays are reached on loopback.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Link {
    /// Straight: no delay, no [`Network::stall`](crate::Network::stall).
    Direct,
    /// Through one proxy a relay, which delays and can stall.
    Proxied {
        /// Delay of each direction of each connection into a relay.
        one_way: Duration,
        /// Mean of the exponentially distributed extra delay, cut at ten times the mean.
        jitter: Duration,
        /// Whether Nagle's algorithm at tor and Arti may wait for the proxy's delayed
        /// acknowledgements. `false` acknowledges at once, which is what full links do.
        nagle: bool,
    },
    /// Every relay and every client in a network namespace of its own. Needs root.
    Namespaces {
        /// Client namespaces, see [`Network::client`](crate::Network::client).
        clients: u8,
        /// Delay of each direction between any two namespaces.
        one_way: Duration,
        /// Mean of the exponentially distributed extra delay, cut at ten times the mean.
        jitter: Duration,
    },
}

impl Link {
    /// The delay of each direction of a link.
    #[must_use]
    pub const fn one_way(self) -> Duration {
        match self {
            Self::Direct => Duration::ZERO,
            Self::Proxied { one_way, .. } | Self::Namespaces { one_way, .. } => one_way,
        }
    }

    /// Proxied with this one-way delay and mean jitter, Nagle's effect removed.
    #[must_use]
    pub const fn delayed_ms(one_way: u64, jitter: u64) -> Self {
        Self::Proxied {
            one_way: Duration::from_millis(one_way),
            jitter: Duration::from_millis(jitter),
            nagle: false,
        }
    }
}

/// What becomes of the C tor client once it showed that the network is usable.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SystemTor {
    /// It is stopped.
    Stop,
    /// It stays, with a SOCKS port and a control port with cookie authentication.
    Keep,
}
