//! Which relayed addresses we send to, and how much before they answer.
//!
//! A contact names the addresses that our TURN server shall send to. Without these rules it could
//! aim a stream at a machine inside the server's network, or at a victim anywhere.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use crate::limits::MAX_UNANSWERED_PACKETS;

/// Which candidates are taken.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CandidatePolicy {
    allow_local: bool,
}

impl CandidatePolicy {
    /// Public addresses and ports from 1024 up: the only policy for real calls.
    #[must_use]
    pub const fn public_only() -> Self {
        Self { allow_local: false }
    }

    /// Lets every address through, for networks that exist only inside one machine.
    #[must_use]
    pub const fn dangerous_allow_local_candidates() -> Self {
        Self { allow_local: true }
    }

    /// Whether packets may be sent to `addr`.
    #[must_use]
    pub fn accepts(self, addr: SocketAddr) -> bool {
        self.allow_local || candidate_is_public(addr)
    }

    /// Whether a TURN server at `addr` may be connected to: a credential names it, and so whoever
    /// minted that, who may be a contact. As with candidates; but TURN servers may be at port 443,
    /// where most Tor exits let streams through.
    #[must_use]
    pub fn accepts_server(self, addr: SocketAddr) -> bool {
        self.allow_local
            || (ip_is_public(addr.ip()) && (addr.port() == 443 || port_is_public(addr)))
    }
}

/// Whether `addr` is one that a TURN server on the public internet would have: not private,
/// loopback, link-local, multicast or otherwise special, not an IPv4 address in IPv6 clothes, and
/// no port below 1024.
#[must_use]
pub fn candidate_is_public(addr: SocketAddr) -> bool {
    port_is_public(addr) && ip_is_public(addr.ip())
}

/// Below lie the ports of services that are nothing to a call.
const fn port_is_public(addr: SocketAddr) -> bool {
    addr.port() >= 1024
}

fn ip_is_public(ip: IpAddr) -> bool {
    match ip {
        IpAddr::V4(ip) => ipv4_is_public(ip),
        IpAddr::V6(ip) => ipv6_is_public(ip),
    }
}

/// The ranges of RFC 6890 and its registry that are not globally reachable.
fn ipv4_is_public(ip: Ipv4Addr) -> bool {
    let [a, b, c, _] = ip.octets();
    !(a == 0                                        // this network
        || ip.is_private()
        || ip.is_loopback()
        || ip.is_link_local()
        || (a == 100 && b & 0xc0 == 64)             // 100.64/10, carrier-grade NAT
        || (a == 192 && b == 0 && c == 0)           // 192.0.0/24, protocol assignments
        || ip.is_documentation()
        || (a == 192 && b == 88 && c == 99)         // 6to4 relays
        || (a == 198 && b & 0xfe == 18)             // 198.18/15, benchmarks
        || a >= 224) // multicast, 240/4, broadcast
}

/// Global unicast (2000::/3) alone, less what tunnels to IPv4 or is not routed.
fn ipv6_is_public(ip: Ipv6Addr) -> bool {
    let s = ip.segments();
    // Outside 2000::/3 lie ::, ::1, v4-mapped ::ffff:0:0/96, NAT64 64:ff9b::/96 and 64:ff9b:1::/48,
    // unique-local fc00::/7, link-local fe80::/10 and multicast ff00::/8.
    s[0] & 0xe000 == 0x2000
        && !(s[0] == 0x2001 && s[1] < 0x0200)       // 2001::/23: Teredo, ORCHID, benchmarks …
        && !(s[0] == 0x2001 && s[1] == 0x0db8)      // documentation
        && !(s[0] == 0x3fff && s[1] & 0xf000 == 0)  // documentation
        && s[0] != 0x2002                           // 6to4
        && s[0] != 0x3ffe // the old 6bone
}

/// Allows a few packets to a candidate until it answers authentically, so that a contact cannot
/// aim our stream at somebody else.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CandidateGate {
    /// Nothing authentic came back yet.
    Unanswered {
        /// Packets sent to it so far.
        sent: u8,
    },
    /// It belongs to the peer.
    Answered,
}

impl Default for CandidateGate {
    fn default() -> Self {
        Self::Unanswered { sent: 0 }
    }
}

impl CandidateGate {
    /// A leg has taken a packet for it.
    pub const fn spend(&mut self) {
        if let Self::Unanswered { sent } = self {
            *sent = sent.saturating_add(1);
        }
    }

    /// Whether one more packet may go out.
    #[must_use]
    pub const fn is_open(&self) -> bool {
        matches!(
            self,
            Self::Answered
                | Self::Unanswered {
                    sent: 0..MAX_UNANSWERED_PACKETS
                }
        )
    }

    /// A packet from that candidate opened under the call's keys.
    pub const fn on_authentic_packet(&mut self) {
        *self = Self::Answered;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn is_public(text: &str) -> bool {
        candidate_is_public(text.parse().unwrap())
    }

    #[test]
    fn special_ranges_are_refused_to_their_last_address() {
        let refused = [
            "0.0.0.0",
            "0.255.255.255",
            "10.0.0.0",
            "10.255.255.255",
            "100.64.0.0",
            "100.127.255.255",
            "127.0.0.1",
            "127.255.255.255",
            "169.254.0.0",
            "169.254.255.255",
            "172.16.0.0",
            "172.31.255.255",
            "192.0.0.0",
            "192.0.0.255",
            "192.168.0.0",
            "192.168.255.255",
            "198.18.0.0",
            "198.19.255.255",
            "224.0.0.0",
            "239.255.255.255",
            "240.0.0.0",
            "255.255.255.255",
            "[::]",
            "[::1]",
            "[::ffff:8.8.8.8]",
            "[::8.8.8.8]",
            "[64:ff9b::8.8.8.8]",
            "[64:ff9b:1::1]",
            "[2001::1]",
            "[2001:0:ffff::1]",
            "[2001:db8::1]",
            "[2002:808:808::1]",
            "[fc00::1]",
            "[fdff::1]",
            "[fe80::1]",
            "[febf::1]",
            "[fec0::1]",
            "[ff02::1]",
            "[ffff::1]",
        ];
        for ip in refused {
            assert!(!is_public(&format!("{ip}:5000")), "{ip}");
        }
    }

    #[test]
    fn their_neighbours_are_taken() {
        let taken = [
            "1.0.0.0",
            "9.255.255.255",
            "11.0.0.0",
            "100.63.255.255",
            "100.128.0.0",
            "126.255.255.255",
            "128.0.0.0",
            "172.15.255.255",
            "172.32.0.0",
            "192.0.1.0",
            "198.17.255.255",
            "198.20.0.0",
            "223.255.255.255",
            "[2001:200::1]",
            "[2600::1]",
            "[2a01:4f8::1]",
            "[2003::1]",
        ];
        for ip in taken {
            assert!(is_public(&format!("{ip}:5000")), "{ip}");
        }
    }

    #[test]
    fn ports_below_1024_are_refused() {
        for (port, taken) in [
            (0, false),
            (53, false),
            (1023, false),
            (1024, true),
            (65535, true),
        ] {
            assert_eq!(is_public(&format!("9.9.9.9:{port}")), taken, "{port}");
        }
    }

    #[test]
    fn only_the_option_that_says_so_lets_local_addresses_through() {
        let local = "127.0.0.1:5000".parse().unwrap();
        assert!(!CandidatePolicy::default().accepts(local));
        assert!(!CandidatePolicy::public_only().accepts(local));
        assert!(CandidatePolicy::dangerous_allow_local_candidates().accepts(local));
    }

    #[test]
    fn a_silent_candidate_gets_three_packets() {
        let mut gate = CandidateGate::default();
        for _ in 0..3 {
            assert!(gate.is_open());
            gate.spend();
        }
        assert!(!gate.is_open());
        gate.on_authentic_packet();
        for _ in 0..1000 {
            gate.spend();
        }
        assert!(gate.is_open());
    }
}
