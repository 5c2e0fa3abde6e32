//! Where namespaces send packets: all that a test of leaks needs.
use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Bound on remembered destinations of one namespace; a leak shows long before.
const MAX_CONTACTS: usize = 10_000;

/// What an IP packet carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Protocol {
    /// TCP.
    Tcp,
    /// UDP.
    Udp,
    /// Anything else, by its IANA number.
    Other(u8),
}

/// A destination to which a namespace sent packets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Contact {
    /// The destination's address.
    pub address: IpAddr,
    /// The destination's port; 0 where the protocol has none.
    pub port: u16,
    /// What was sent.
    pub protocol: Protocol,
    /// How many packets.
    pub packets: u64,
    /// How many bytes, with IP headers.
    pub bytes: u64,
}

/// Address, protocol and port.
pub(super) type Destination = (IpAddr, Protocol, u16);

#[derive(Clone, Copy, Debug, Default)]
struct Traffic {
    packets: u64,
    bytes: u64,
}

/// The contacts of every namespace.
#[derive(Debug, Default)]
pub(super) struct Capture(Mutex<BTreeMap<usize, BTreeMap<Destination, Traffic>>>);

impl Capture {
    pub(super) fn record(&self, namespace: usize, destination: Destination, length: usize) {
        let mut all = self.all();
        let contacts = all.entry(namespace).or_default();
        if contacts.len() >= MAX_CONTACTS && !contacts.contains_key(&destination) {
            return;
        }
        let traffic = contacts.entry(destination).or_default();
        traffic.packets += 1;
        traffic.bytes += length as u64;
    }

    pub(super) fn contacts(&self, namespace: usize) -> Vec<Contact> {
        let all = self.all();
        let contacts = all.get(&namespace).into_iter().flatten();
        contacts
            .map(
                |(&(address, protocol, port), &Traffic { packets, bytes })| Contact {
                    address,
                    port,
                    protocol,
                    packets,
                    bytes,
                },
            )
            .collect()
    }

    pub(super) fn forget(&self, namespace: usize) {
        self.all().remove(&namespace);
    }

    fn all(&self) -> MutexGuard<'_, BTreeMap<usize, BTreeMap<Destination, Traffic>>> {
        // Counters are whole between any two statements.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The destination of an IP packet; `None` for what is not one and for the kernel's own IPv6
/// announcements, which no program causes.
pub(super) fn destination(packet: &[u8]) -> Option<Destination> {
    match packet.first()? >> 4 {
        4 => {
            let address: [u8; 4] = packet.get(16..20)?.try_into().ok()?;
            let header = usize::from(packet[0] & 0x0f) * 4;
            Some(with_port(
                Ipv4Addr::from(address).into(),
                packet[9],
                packet.get(header..)?,
            ))
        }
        6 => {
            let address: [u8; 16] = packet.get(24..40)?.try_into().ok()?;
            let body = packet.get(40..)?;
            let announcement = is_announcement(packet[6], body);
            (!announcement).then(|| with_port(Ipv6Addr::from(address).into(), packet[6], body))
        }
        _ => None,
    }
}

fn with_port(address: IpAddr, number: u8, body: &[u8]) -> Destination {
    let port = body
        .get(2..4)
        .map_or(0, |port| u16::from_be_bytes([port[0], port[1]]));
    match number {
        6 => (address, Protocol::Tcp, port),
        17 => (address, Protocol::Udp, port),
        other => (address, Protocol::Other(other), 0),
    }
}

/// Multicast listener reports (behind a hop-by-hop header), router and neighbour solicitations.
fn is_announcement(next_header: u8, body: &[u8]) -> bool {
    const HOP_BY_HOP: u8 = 0;
    const ICMP6: u8 = 58;
    let icmp = match (next_header, body) {
        (ICMP6, _) => body.first(),
        (HOP_BY_HOP, [ICMP6, 0, ..]) => body.get(8),
        _ => None,
    };
    matches!(icmp, Some(131 | 133 | 135 | 143))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// An IPv4 packet to 10.1.2.3, port 53.
    fn ipv4(protocol: u8) -> Vec<u8> {
        let mut packet = vec![0; 28];
        packet[0] = 0x45;
        packet[9] = protocol;
        packet[16..20].copy_from_slice(&[10, 1, 2, 3]);
        packet[22..24].copy_from_slice(&53_u16.to_be_bytes());
        packet
    }

    #[test]
    fn destinations_are_read_from_packets() {
        let address = IpAddr::from([10, 1, 2, 3]);
        assert_eq!(destination(&ipv4(17)), Some((address, Protocol::Udp, 53)));
        assert_eq!(destination(&ipv4(6)), Some((address, Protocol::Tcp, 53)));
        assert_eq!(
            destination(&ipv4(1)),
            Some((address, Protocol::Other(1), 0))
        );
        assert_eq!(destination(&[]), None);
        assert_eq!(destination(&[0x45; 12]), None);
        let mut v6 = vec![0; 48];
        v6[0] = 0x60;
        v6[6] = 17;
        v6[39] = 1;
        v6[43] = 53;
        assert_eq!(
            destination(&v6),
            Some((Ipv6Addr::LOCALHOST.into(), Protocol::Udp, 53))
        );
        v6[6] = 58;
        v6[40] = 133;
        assert_eq!(destination(&v6), None, "a router solicitation");
    }

    #[test]
    fn traffic_adds_up_until_forgotten() {
        let capture = Capture::default();
        let to = destination(&ipv4(17)).unwrap();
        capture.record(3, to, 28);
        capture.record(3, to, 30);
        let contacts = capture.contacts(3);
        assert_eq!((contacts[0].packets, contacts[0].bytes), (2, 58));
        assert!(capture.contacts(4).is_empty());
        capture.forget(3);
        assert!(capture.contacts(3).is_empty());
    }
}
