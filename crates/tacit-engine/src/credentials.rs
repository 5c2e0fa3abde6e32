//! One-time TURN credentials from a server, over a circuit of their own.

use std::net::SocketAddr;
use std::time::Duration;

use tacit_legs::shell::TurnSecurity;
use tacit_legs::tls::SpkiPin;
use tacit_legs::{CandidatePolicy, TurnCredentials};
use tacit_mailbox_server::client::fetch_credentials;
use tacit_paths::limits::SPARE_TURN_LEGS;
use tacit_signaling::frame::{Cred, Credential, Transport};
use tacit_signaling::limits::{CRED_BURST, MAX_CREDENTIALS};
use tacit_tor::Target;
use tacit_types::limits::ONION_PORT_SIGNALING;
use tacit_types::{OnionKey, Reason, Timestamp};

use crate::call::TurnAccess;
use crate::clock::now;
use crate::network::Network;

/// A server that takes longer is given up.
const LIMIT: Duration = Duration::from_secs(60);

/// A credential that is good for less than this is not begun with.
const MARGIN: Duration = Duration::from_secs(5 * 60);
/// As far as one visit gives them, those for legs that replace others are fetched with the first ones: a
/// later visit would tell the server that the call goes on, and when its legs change.
const ONE_VISIT: usize = MAX_CREDENTIALS * CRED_BURST as usize;
/// A server that gave nothing is not asked again for so long.
const REST: Duration = Duration::from_secs(60);

/// The credentials of one call: all are for one TURN server, and each is for one leg.
pub(crate) struct Purse {
    server: OnionKey,
    place: (SocketAddr, TurnSecurity),
    spare: Vec<TurnAccess>,
    good_until: Timestamp,
    /// The server was asked again: what it gave then is for dead legs.
    visited: bool,
    /// When a visit began that has brought nothing so far.
    asked_at: Option<Timestamp>,
}

/// What one visit to a server gave; never empty.
struct Minted {
    access: Vec<TurnAccess>,
    good_until: Timestamp,
}

impl Purse {
    /// Fetches `count` credentials, and keeps what comes beyond them for legs that are opened later.
    pub(crate) async fn open(
        network: &dyn Network,
        server: OnionKey,
        count: usize,
        policy: CandidatePolicy,
    ) -> Result<(Vec<TurnAccess>, Self), Reason> {
        let wanted = (count + SPARE_TURN_LEGS).min(ONE_VISIT).max(count);
        let mut minted = fetch(network, server, wanted, policy).await?;
        let first = minted.access.first().ok_or(Reason::TurnUnreachable)?;
        let place = (first.server, first.security);
        let spare = minted.access.split_off(count.min(minted.access.len()));
        let purse = Self {
            server,
            place,
            spare,
            good_until: minted.good_until,
            visited: false,
            asked_at: None,
        };
        Ok((minted.access, purse))
    }

    /// One more credential, from those that are left or, if it `may_visit` it, from the server.
    pub(crate) async fn take(
        &mut self,
        network: &dyn Network,
        policy: CandidatePolicy,
        may_visit: bool,
    ) -> Result<TurnAccess, Reason> {
        if let Some(spare) = self.take_spare(now()) {
            return Ok(spare);
        }
        let rests = |asked| now().saturating_since(asked) < REST;
        if !may_visit || self.asked_at.is_some_and(rests) {
            return Err(Reason::TurnUnreachable);
        }
        // Before the visit: it may be given up from outside.
        self.asked_at = Some(now());
        let minted = fetch(network, self.server, 1, policy).await?;
        self.refill(minted)?;
        self.asked_at = None;
        self.take_spare(now()).ok_or(Reason::TurnUnreachable)
    }

    /// Whether there is one for a leg that takes the place of a slow one.
    pub(crate) fn has_spare(&self) -> bool {
        !self.visited && !self.spare.is_empty() && now() < self.good_until
    }

    fn take_spare(&mut self, now: Timestamp) -> Option<TurnAccess> {
        if now >= self.good_until {
            self.spare.clear();
        }
        self.spare.pop()
    }

    /// In the middle of a call nobody sends us to another TURN server.
    fn refill(&mut self, minted: Minted) -> Result<(), Reason> {
        let here = |access: &TurnAccess| (access.server, access.security) == self.place;
        if !minted.access.iter().all(here) {
            tracing::debug!("TURN credentials for another server than the call's");
            return Err(Reason::TurnUnreachable);
        }
        self.spare = minted.access;
        self.good_until = minted.good_until;
        self.visited = true;
        Ok(())
    }
}

/// Fetches at least `count` credentials, in as many requests as it takes.
async fn fetch(
    network: &dyn Network,
    server: OnionKey,
    count: usize,
    policy: CandidatePolicy,
) -> Result<Minted, Reason> {
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
    let access = usable(&creds, policy).ok_or_else(|| {
        tracing::debug!("TURN credentials for a server that is not to be connected to");
        Reason::TurnUnreachable
    })?;
    let shortest = creds.iter().map(|c| c.lifetime_seconds).min();
    let lifetime = Duration::from_secs(u64::from(shortest.unwrap_or_default()));
    Ok(Minted {
        access,
        good_until: now() + lifetime.saturating_sub(MARGIN),
    })
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
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use rand_core::OsRng;
    use tacit_mailbox_server::{
        BoxedStream, CredentialMint, OperatedConfig, ServerTask, serve_operated,
    };
    use tacit_signaling::frame::CredentialText;
    use tacit_tor::{Audience, OnionHost, OnionIdentity};
    use tokio::sync::mpsc;
    use zeroize::Zeroizing;

    use super::*;
    use crate::memory::MemoryNetwork;

    /// A mailbox server on a network in memory, which counts its visitors.
    struct Counted {
        network: MemoryNetwork,
        key: OnionKey,
        visits: Arc<AtomicUsize>,
        _server: ServerTask,
    }

    impl Counted {
        async fn start(mints: bool) -> Self {
            let network = MemoryNetwork::default();
            let identity = OnionIdentity::generate(&mut OsRng);
            let key = identity.public();
            let host = OnionHost {
                identity,
                audience: Audience::Anyone,
                ports: vec![ONION_PORT_SIGNALING],
            };
            let mut hosted = network.host(host).await.expect("in memory");
            let mint = mints.then(|| {
                let place = "9.9.9.9:443".parse().expect("an address");
                CredentialMint::new(Transport::Tls, place, [1; 32], Zeroizing::new(vec![7; 32]))
            });
            let config = OperatedConfig {
                mint,
                ..OperatedConfig::default()
            };
            let (streams, incoming) = mpsc::channel::<BoxedStream>(4);
            let visits = Arc::new(AtomicUsize::new(0));
            let counter = Arc::clone(&visits);
            tokio::spawn(async move {
                while let Some((_, stream)) = hosted.accept().await {
                    counter.fetch_add(1, Ordering::SeqCst);
                    if streams.send(Box::new(stream)).await.is_err() {
                        break;
                    }
                }
            });
            Self {
                network,
                key,
                visits,
                _server: serve_operated(config, incoming),
            }
        }

        async fn open(&self, legs: usize) -> Result<(Vec<TurnAccess>, Purse), Reason> {
            Purse::open(&self.network, self.key, legs, PUBLIC).await
        }

        async fn take(&self, purse: &mut Purse, may_visit: bool) -> Result<TurnAccess, Reason> {
            purse.take(&self.network, PUBLIC, may_visit).await
        }

        fn visits(&self) -> usize {
            self.visits.load(Ordering::SeqCst)
        }
    }

    /// All at once: of a call with twelve legs as many can be replaced before the server could learn
    /// of it, and after that only dead ones are.
    #[tokio::test]
    async fn a_call_visits_the_server_once_before_it_begins() {
        let server = Counted::start(true).await;
        let (access, mut purse) = server.open(12).await.expect("it mints");
        assert_eq!((access.len(), purse.spare.len()), (12, 12));
        for _ in 0..12 {
            assert!(server.take(&mut purse, true).await.is_ok());
        }
        assert!(server.take(&mut purse, false).await.is_err());
        assert_eq!(server.visits(), 1);
        assert!(server.take(&mut purse, true).await.is_ok());
        assert_eq!(server.visits(), 2);
        // More came than was asked for, and that is not for slow ones.
        assert!(!purse.spare.is_empty() && !purse.has_spare());
    }

    #[tokio::test]
    async fn a_server_that_gives_nothing_is_left_alone_for_a_while() {
        let (server, other) = (Counted::start(true).await, Counted::start(false).await);
        assert!(other.open(12).await.is_err());
        let (_, mut purse) = server.open(12).await.expect("it mints");
        purse.spare.clear();
        purse.server = other.key;
        for _ in 0..3 {
            assert!(other.take(&mut purse, true).await.is_err());
        }
        assert_eq!((server.visits(), other.visits()), (1, 2));
    }

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

    #[test]
    fn a_call_stays_with_its_turn_server() {
        let minted = |cred: Cred| Minted {
            access: usable(&[cred], PUBLIC).expect("usable"),
            good_until: Timestamp::from_micros(7),
        };
        let first = minted(tls("9.9.9.9:443")).access.remove(0);
        let mut purse = Purse {
            server: OnionKey([1; 32]),
            place: (first.server, first.security),
            spare: Vec::new(),
            good_until: Timestamp::ZERO,
            visited: false,
            asked_at: None,
        };
        for elsewhere in [
            tls("9.9.9.10:443"),
            tls("9.9.9.9:5349"),
            cred(Transport::Tls, "9.9.9.9:443", 2),
        ] {
            assert!(purse.refill(minted(elsewhere)).is_err());
            assert!(purse.spare.is_empty());
        }
        assert!(purse.refill(minted(tls("9.9.9.9:443"))).is_ok());
        assert_eq!(purse.spare.len(), 1);
        assert_eq!(purse.good_until, Timestamp::from_micros(7));
    }
}
