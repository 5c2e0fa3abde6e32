//! Where relays live: in a range of loopback addresses, or in namespaces.
use std::net::Ipv4Addr;

use crate::Error;
use crate::config::{Config, Link};
use crate::netns::{Namespace, Namespaces};
use crate::range::AddressRange;

/// Every node's address, claimed for as long as this lives.
#[derive(Debug)]
pub(crate) enum Addresses {
    /// On loopback.
    Loopback(AddressRange),
    /// In namespaces.
    Namespaces(Namespaces),
}

impl Addresses {
    pub(crate) fn claim(config: &Config) -> Result<Self, Error> {
        let relays = config.relay_count();
        match config.link {
            Link::Direct | Link::Proxied { .. } => {
                AddressRange::claim(config.range, relays).map(Self::Loopback)
            }
            Link::Namespaces {
                clients,
                one_way,
                jitter,
            } => Namespaces::create(relays, clients.into(), one_way, jitter).map(Self::Namespaces),
        }
    }

    pub(crate) fn relay(&self, index: usize) -> Ipv4Addr {
        match self {
            Self::Loopback(range) => range.relay(index),
            Self::Namespaces(spaces) => spaces.relay(index).address(),
        }
    }

    /// The C tor client's address.
    pub(crate) fn system_tor(&self) -> Ipv4Addr {
        match self {
            Self::Loopback(range) => range.client(),
            Self::Namespaces(spaces) => spaces.system_tor().address(),
        }
    }

    /// Where to start the tor of relay `index`, or the C tor client's.
    pub(crate) fn space(&self, relay: Option<usize>) -> Option<&Namespace> {
        match (self, relay) {
            (Self::Loopback(_), _) => None,
            (Self::Namespaces(spaces), Some(index)) => Some(spaces.relay(index)),
            (Self::Namespaces(spaces), None) => Some(spaces.system_tor()),
        }
    }
}
