//! Who the relays are: names, addresses and fingerprints.
use std::net::{Ipv4Addr, SocketAddrV4};

/// A relay's part in the network.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// Directory authority, also a relay.
    Authority,
    /// Neither an authority nor an exit.
    Middle,
    /// Lets streams out.
    Exit,
}

impl Role {
    pub(crate) const fn stem(self) -> &'static str {
        match self {
            Self::Authority => "auth",
            Self::Middle => "mid",
            Self::Exit => "exit",
        }
    }
}

/// One relay of the network.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Relay {
    /// `auth1`, `mid2`, `exit1`…; also its Tor nickname.
    pub name: String,
    /// Its part.
    pub role: Role,
    /// Its own address; it also dials other relays from here.
    pub address: Ipv4Addr,
    /// RSA identity, 40 upper-case hex digits.
    pub rsa_identity: String,
    /// Ed25519 identity, unpadded base64.
    pub ed_identity: String,
    /// The authority's v3 identity, upper-case hex.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub v3_identity: Option<String>,
}

/// The port that relays advertise.
pub(crate) const OR_PORT: u16 = 5000;
/// The port on which relays behind a proxy really listen.
pub(crate) const HIDDEN_OR_PORT: u16 = 6000;
/// The directory port of authorities.
pub(crate) const DIR_PORT: u16 = 7000;

impl Relay {
    /// The address that clients and relays dial.
    #[must_use]
    pub const fn or_address(&self) -> SocketAddrV4 {
        SocketAddrV4::new(self.address, OR_PORT)
    }

    /// Whether `id` is this relay's name, RSA identity (hex, `$` allowed) or Ed25519 identity
    /// (base64, padding and the prefix `ed25519:` allowed).
    #[must_use]
    pub fn is_called(&self, id: &str) -> bool {
        let ed = id
            .strip_prefix("ed25519:")
            .unwrap_or(id)
            .trim_end_matches('=');
        let rsa = id.strip_prefix('$').unwrap_or(id);
        self.name == id || self.ed_identity == ed || self.rsa_identity.eq_ignore_ascii_case(rsa)
    }
}

/// Names and roles of a network's relays, authorities first.
pub(crate) fn plan(authorities: u8, middles: u8, exits: u8) -> Vec<(String, Role)> {
    [
        (Role::Authority, authorities),
        (Role::Middle, middles),
        (Role::Exit, exits),
    ]
    .into_iter()
    .flat_map(|(role, count)| (1..=count).map(move |i| (format!("{}{i}", role.stem()), role)))
    .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_relay_is_found_by_any_of_its_names() {
        let relay = Relay {
            name: "mid1".into(),
            role: Role::Middle,
            address: Ipv4Addr::new(127, 13, 0, 1),
            rsa_identity: "AB".repeat(20),
            ed_identity: "Zm9v".into(),
            v3_identity: None,
        };
        for id in [
            "mid1",
            &"ab".repeat(20),
            &format!("${}", "AB".repeat(20)),
            "ed25519:Zm9v=",
        ] {
            assert!(relay.is_called(id), "{id}");
        }
        assert!(!relay.is_called("mid2"));
    }

    #[test]
    fn authorities_come_first() {
        let names: Vec<String> = plan(3, 1, 1).into_iter().map(|(name, _)| name).collect();
        assert_eq!(names, ["auth1", "auth2", "auth3", "mid1", "exit1"]);
    }
}
