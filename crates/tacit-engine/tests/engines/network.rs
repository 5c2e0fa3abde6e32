//! An engine whose network takes time to start, or cannot.

use std::sync::Arc;
use std::time::Duration;

use tacit_engine::network::Network as _;
use tacit_engine::store::MemoryStore;
use tacit_engine::tor::TorNetwork;
use tacit_engine::{DialOptions, Engine, EngineConfig, Event, EventStream};
use tacit_tor::{SystemTorConfig, TorConfig};
use tacit_types::{LegKind, Reason};
use tokio::net::TcpListener;

/// A system tor that is not there: its port was free a moment ago.
async fn nowhere() -> TorConfig {
    let port = TcpListener::bind("127.0.0.1:0").await.unwrap();
    TorConfig::System(SystemTorConfig::new(port.local_addr().unwrap(), None))
}

async fn next(events: &mut EventStream) -> Event {
    let event = tokio::time::timeout(Duration::from_secs(20), events.next()).await;
    event.unwrap().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_network_that_cannot_start_stops_the_engine_and_says_why() {
    let network = TorNetwork::launch(nowhere().await);
    let config = EngineConfig::new(Arc::new(network.clone()), Box::<MemoryStore>::default());
    let (engine, mut events) = Engine::start(config).unwrap();
    loop {
        match next(&mut events).await {
            Event::TorProgress { percent, .. } => assert!(percent < 100),
            Event::Stopped(reason) => {
                assert_eq!(reason, Reason::TorBlocked);
                break;
            }
            other => panic!("{other:?}"),
        }
    }
    let error = network.ready().await.unwrap_err();
    assert_eq!(error.code(), "tor.blocked");
    assert!(error.detail().is_some(), "{error}");
    // What is asked for afterwards fails at once, for the same reason.
    let legs = LegKind::Onion;
    let unknown = engine.dial("Bob", DialOptions { legs }).unwrap_err();
    assert_eq!(unknown.kind(), Reason::ContactUnknown);
    engine.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_network_that_starts_is_told_and_ends_with_the_engine() {
    // A SOCKS port that takes connections is all that a system tor without control port shows.
    let socks = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let tor = TorConfig::System(SystemTorConfig::new(socks.local_addr().unwrap(), None));
    let network = TorNetwork::launch(tor);
    let config = EngineConfig::new(Arc::new(network.clone()), Box::<MemoryStore>::default());
    let (engine, mut events) = Engine::start(config).unwrap();
    while !matches!(
        next(&mut events).await,
        Event::TorProgress { percent: 100, .. }
    ) {}
    network.ready().await.unwrap();
    engine.shutdown().await;
    // Nothing is left to wait for: what the network is asked now fails.
    let key = tacit_tor::OnionIdentity::generate(&mut rand_core::OsRng).public();
    let target = tacit_tor::Target::Onion {
        key,
        port: 1,
        discovery: None,
    };
    assert!(network.connect(target).await.is_err());
}
