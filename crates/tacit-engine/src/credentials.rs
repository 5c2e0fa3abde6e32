//! One-time TURN credentials from a server, over a circuit of their own.

use std::time::Duration;

use tacit_legs::shell::TurnSecurity;
use tacit_legs::tls::SpkiPin;
use tacit_legs::{CandidatePolicy, TurnCredentials};
use tacit_mailbox_server::client::fetch_credentials;
use tacit_signaling::frame::{Cred, Credential, Transport};
use tacit_tor::Target;
use tacit_types::limits::ONION_PORT_SIGNALING;
use tacit_types::{OnionKey, Reason};

use crate::call::TurnAccess;
use crate::network::Network;

/// A server that takes longer is given up.
const LIMIT: Duration = Duration::from_secs(60);

/// Fetches `count` credentials, in as many requests as it takes.
pub(crate) async fn fetch(
    network: &dyn Network,
    server: OnionKey,
    count: usize,
    policy: CandidatePolicy,
) -> Result<Vec<TurnAccess>, Reason> {
    let fetch = async {
        let target = Target::Onion {
            key: server,
            port: ONION_PORT_SIGNALING,
            discovery: None,
        };
        let mut stream = network
            .connect(target)
            .await
            .map_err(|_| Reason::TurnUnreachable)?;
        let creds = fetch_credentials(&mut stream, count).await;
        creds.map_err(|error| {
            tracing::debug!(%error, "no TURN credentials");
            Reason::TurnUnreachable
        })
    };
    let creds: Vec<Cred> = tokio::time::timeout(LIMIT, fetch)
        .await
        .map_err(|_| Reason::TurnUnreachable)??;
    let mut access = usable(&creds, policy).ok_or_else(|| {
        tracing::debug!("TURN credentials for a server that is not to be connected to");
        Reason::TurnUnreachable
    })?;
    access.truncate(count);
    Ok(access)
}

/// What may be connected to. Whoever mints chooses where our streams go, and for a caller that may be
/// the server of the contact: so they all go to one TURN server, by TLS with its key pinned, and it is
/// at an address and a port that TURN servers have.
fn usable(creds: &[Cred], policy: CandidatePolicy) -> Option<Vec<TurnAccess>> {
    let first = creds.first()?;
    let place = |c: &Cred| (c.transport, c.server, c.key_pin);
    let one_place = creds.iter().all(|c| place(c) == place(first));
    if first.transport != Transport::Tls || !one_place || !policy.accepts_server(first.server) {
        return None;
    }
    let access = |c: &Credential| TurnAccess {
        server: first.server,
        security: TurnSecurity::Pinned(SpkiPin(first.key_pin)),
        credentials: TurnCredentials::new(c.user.reveal(), c.password.reveal()),
    };
    let all: Vec<TurnAccess> = creds
        .iter()
        .flat_map(|c| &c.credentials)
        .map(access)
        .collect();
    (!all.is_empty()).then_some(all)
}

#[cfg(test)]
mod tests {
    use tacit_signaling::frame::CredentialText;

    use super::*;

    fn cred(transport: Transport, server: &str, pin: u8) -> Cred {
        let text = |s: &str| CredentialText::new(s).expect("printable");
        Cred {
            transport,
            server: server.parse().expect("an address"),
            key_pin: [pin; 32],
            lifetime_seconds: 7200,
            credentials: vec![Credential {
                user: text("1:a"),
                password: text("b"),
            }],
        }
    }

    fn tls(server: &str) -> Cred {
        cred(Transport::Tls, server, 1)
    }

    const PUBLIC: CandidatePolicy = CandidatePolicy::public_only();

    #[test]
    fn credentials_lead_to_one_public_turn_server() {
        for server in ["9.9.9.9:443", "9.9.9.9:5349", "[2620:fe::9]:3478"] {
            let found = usable(&[tls(server), tls(server)], PUBLIC).expect(server);
            assert_eq!(found.len(), 2);
            assert!(found.iter().all(|a| a.server.to_string() == server));
        }
    }

    #[test]
    fn credentials_for_other_places_are_refused() {
        for server in [
            "127.0.0.1:3478",
            "192.168.1.1:443",
            "10.0.0.1:5349",
            "169.254.169.254:443",
            "[::1]:443",
            "[::ffff:9.9.9.9]:443",
            "9.9.9.9:22",
            "9.9.9.9:25",
            "9.9.9.9:80",
            "9.9.9.9:0",
        ] {
            assert!(usable(&[tls(server)], PUBLIC).is_none(), "{server}");
        }
        let test_network = CandidatePolicy::dangerous_allow_local_candidates();
        assert!(usable(&[tls("127.0.0.1:3478")], test_network).is_some());
    }

    #[test]
    fn credentials_for_more_than_one_place_are_refused() {
        let first = tls("9.9.9.9:443");
        for other in [
            tls("9.9.9.10:443"),
            tls("9.9.9.9:5349"),
            cred(Transport::Tls, "9.9.9.9:443", 2),
            cred(Transport::DangerousPlainTcp, "9.9.9.9:443", 1),
        ] {
            assert!(usable(&[first.clone(), other], PUBLIC).is_none());
        }
        let plain = cred(Transport::DangerousPlainTcp, "9.9.9.9:443", 1);
        assert!(usable(&[plain], PUBLIC).is_none());
        assert!(usable(&[], PUBLIC).is_none());
    }
}
