//! One-time TURN credentials from a server, over a circuit of their own.

use std::time::Duration;

use tacit_legs::TurnCredentials;
use tacit_legs::shell::TurnSecurity;
use tacit_legs::tls::SpkiPin;
use tacit_mailbox_server::client::fetch_credentials;
use tacit_signaling::frame::{Cred, Transport};
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
    let mut access: Vec<TurnAccess> = creds.iter().flat_map(usable).collect();
    access.truncate(count);
    if access.is_empty() {
        Err(Reason::TurnUnreachable)
    } else {
        Ok(access)
    }
}

fn usable(cred: &Cred) -> Vec<TurnAccess> {
    let security = match cred.transport {
        Transport::Tls => TurnSecurity::Pinned(SpkiPin(cred.key_pin)),
        Transport::DangerousPlainTcp => return Vec::new(),
    };
    let one = |c: &tacit_signaling::frame::Credential| TurnAccess {
        server: cred.server,
        security,
        credentials: TurnCredentials::new(c.user.reveal(), c.password.reveal()),
    };
    cred.credentials.iter().map(one).collect()
}
