//! Streams through exits.

use std::collections::BTreeSet;
use std::time::Instant;

use futures::future::join_all;
use tacit_tor::{Isolation, Target, Tor, TorErrorKind};
use tokio::net::TcpListener;

use crate::support::{Bench, arti_config, echo_server, round_trip, start_with};

pub(crate) async fn exit_streams_echo(bench: &mut Bench) {
    let target = Target::Exit {
        addr: echo_server().await,
    };
    let start = Instant::now();
    let mut stream = bench
        .client
        .connect(target, Isolation::new())
        .await
        .expect("a stream");
    println!("   connected in {:.2} s", start.elapsed().as_secs_f64());
    let time = round_trip(&mut stream, &[7; 480]).await;
    println!("   first round trip {time:?}");
}

pub(crate) async fn isolation_separates_circuits(bench: &mut Bench) {
    let target = Target::Exit {
        addr: echo_server().await,
    };
    let (one, other) = (Isolation::new(), Isolation::new());
    let a = bench
        .client
        .connect(target.clone(), one.clone())
        .await
        .expect("a stream");
    let b = bench
        .client
        .connect(target.clone(), one)
        .await
        .expect("a stream");
    let c = bench.client.connect(target, other).await.expect("a stream");
    assert_eq!(a.shares_circuit_with(&b), Some(true));
    assert_eq!(a.shares_circuit_with(&c), Some(false));
    let hops = c.dangerous_circuit_hops().expect("a circuit");
    assert_eq!(hops.len(), 3);
    for hop in hops {
        assert!(
            bench
                .network()
                .relay(&hop.dangerous_fingerprint().unwrap())
                .is_some()
        );
    }
}

pub(crate) async fn eight_isolated_streams_open_together(bench: &mut Bench) {
    let target = Target::Exit {
        addr: echo_server().await,
    };
    let start = Instant::now();
    let streams = (0..8).map(|_| bench.client.connect(target.clone(), Isolation::new()));
    let mut streams: Vec<_> = join_all(streams)
        .await
        .into_iter()
        .map(|stream| stream.expect("a stream"))
        .collect();
    println!("   eight in {:.2} s", start.elapsed().as_secs_f64());
    for (n, stream) in streams.iter().enumerate() {
        for other in &streams[n + 1..] {
            assert_eq!(stream.shares_circuit_with(other), Some(false));
        }
    }
    join_all(
        streams
            .iter_mut()
            .map(|stream| round_trip(stream, &[9; 448])),
    )
    .await;
}

/// Relays that are the first hops of so many circuits.
async fn first_hops(tor: &Tor, circuits: usize) -> BTreeSet<String> {
    let target = Target::Exit {
        addr: echo_server().await,
    };
    let streams = (0..circuits).map(|_| tor.connect(target.clone(), Isolation::new()));
    let streams = join_all(streams).await.into_iter();
    let first = streams.map(|stream| {
        let hops = stream.expect("a stream").dangerous_circuit_hops();
        hops.expect("a circuit")[0].dangerous_fingerprint().unwrap()
    });
    first.collect()
}

pub(crate) async fn one_guard_carries_all_circuits_unless_two_are_asked_for(bench: &mut Bench) {
    assert_eq!(first_hops(&bench.client, 8).await.len(), 1);
    let toml = bench.network().arti_config_toml();
    let mut config = arti_config(toml, &bench.folder.path().join("two-guards"));
    config.dangerous_double_guard_exposure = true;
    let tor = start_with(config).await;
    // All of these by one guard: that would be chance once in 2^15 times.
    assert_eq!(first_hops(&tor, 16).await.len(), 2);
    tor.shutdown().await;
}

pub(crate) async fn a_refusing_host_is_told_from_a_broken_circuit(bench: &mut Bench) {
    // A port that was free a moment ago.
    let addr = TcpListener::bind("127.0.0.1:0")
        .await
        .unwrap()
        .local_addr()
        .unwrap();
    let error = bench
        .client
        .connect(Target::Exit { addr }, Isolation::new())
        .await;
    let error = error.expect_err("nobody listens");
    println!("   {error}");
    assert_eq!(error.kind(), TorErrorKind::ExitRefused);
}
