//! Onion services.

use std::time::{Duration, Instant};

use rand_core::OsRng;
use tacit_tor::{
    Audience, DiscoveryKeypair, Isolation, OnionHost, OnionIdentity, Target, TorErrorKind,
    onion_address,
};
use tacit_types::OnionKey;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use crate::support::{Bench, Echo, connect, round_trip, target};

pub(crate) async fn authorised_clients_reach_a_restricted_service(bench: &mut Bench) {
    let service = Echo::host(&bench.server, bench.onion_host()).await;
    bench.service = Some(service);
    let mut stream = connect(&bench.client, &bench.target())
        .await
        .expect("a stream");
    round_trip(&mut stream, &[1; 480]).await;
    // The second connection asks the directories again, by its isolation, and finds the key known.
    let mut again = connect(&bench.client, &bench.target())
        .await
        .expect("a second stream");
    round_trip(&mut again, &[2; 480]).await;
    assert_eq!(stream.shares_circuit_with(&again), Some(false));
}

pub(crate) async fn everybody_else_is_refused(bench: &mut Bench) {
    let kind = |target: Target| async {
        let start = Instant::now();
        let error = bench
            .server
            .connect(target, Isolation::new())
            .await
            .expect_err("refused");
        println!("   {error}, after {:.2} s", start.elapsed().as_secs_f64());
        error.kind()
    };
    let key = bench.identity.public();
    assert_eq!(kind(target(key, None)).await, TorErrorKind::OnionDenied);
    let stranger = DiscoveryKeypair::generate(&mut OsRng);
    assert_eq!(
        kind(target(key, Some(&stranger))).await,
        TorErrorKind::OnionDenied
    );
    let nobody = OnionIdentity::generate(&mut OsRng).public();
    assert_eq!(
        kind(target(nobody, None)).await,
        TorErrorKind::OnionNotFound
    );
    // y = 2 is not on the curve.
    let mut no_key = [0; 32];
    no_key[0] = 2;
    assert_eq!(
        kind(target(OnionKey(no_key), None)).await,
        TorErrorKind::OnionAddress
    );
    // A port that is not hosted ends like a service that broke off.
    let Target::Onion { key, discovery, .. } = bench.target() else {
        unreachable!()
    };
    let closed = Target::Onion {
        key,
        port: 99,
        discovery,
    };
    let error = bench
        .client
        .connect(closed, Isolation::new())
        .await
        .expect_err("not hosted");
    println!("   {error}");
    assert_eq!(error.kind(), TorErrorKind::OnionUnreachable);
}

pub(crate) async fn both_ends_know_their_half_of_the_circuit(bench: &mut Bench) {
    let identity = OnionIdentity::generate(&mut OsRng);
    bench.secrets.push(onion_address(identity.public()));
    let target = target(identity.public(), None);
    let host = OnionHost {
        identity,
        audience: Audience::Anyone,
        ports: vec![1],
    };
    let mut onion = bench.server.host(host).await.expect("launched");
    onion
        .wait_reachable(Duration::from_secs(60))
        .await
        .expect("published");
    let (near, far) = tokio::join!(connect(&bench.client, &target), onion.accept());
    let (near, (port, far)) = (near.expect("a stream"), far.expect("a stream"));
    assert_eq!(port, 1);
    for (who, stream) in [("caller", &near), ("callee", &far)] {
        let hops = stream.dangerous_circuit_hops().expect("a circuit");
        let relay = |hop: &tacit_tor::RelayIdentity| {
            bench
                .network()
                .relay(&hop.dangerous_fingerprint().unwrap())
                .unwrap()
                .name
                .clone()
        };
        println!("   {who}: {:?}", hops.iter().map(relay).collect::<Vec<_>>());
        assert!((3..=5).contains(&hops.len()), "{}", hops.len());
        assert_eq!(format!("{hops:?}").matches("redacted").count(), hops.len());
    }
    onion.close().await;
}

/// Fifty frames a second for ten seconds, as a call sends them.
pub(crate) async fn round_trips_of_one_frame(bench: &mut Bench) {
    const FRAMES: usize = 500;
    let stream = connect(&bench.client, &bench.target())
        .await
        .expect("a stream");
    let (mut reader, mut writer) = tokio::io::split(stream);
    let start = Instant::now();
    let send = async {
        let mut clock = tokio::time::interval(Duration::from_millis(20));
        let mut sent = Vec::with_capacity(FRAMES);
        for n in 0..FRAMES {
            clock.tick().await;
            sent.push(start.elapsed());
            writer
                .write_all(&[u8::try_from(n % 256).unwrap(); 480])
                .await
                .unwrap();
            writer.flush().await.unwrap();
        }
        sent
    };
    let receive = async {
        let mut received = Vec::with_capacity(FRAMES);
        let mut frame = [0; 480];
        for n in 0..FRAMES {
            reader.read_exact(&mut frame).await.unwrap();
            assert_eq!(usize::from(frame[0]), n % 256);
            received.push(start.elapsed());
        }
        received
    };
    let (sent, received) = tokio::join!(send, receive);
    let mut times: Vec<_> = received.iter().zip(&sent).map(|(r, s)| *r - *s).collect();
    times.sort_unstable();
    let at = |share: f64| times[((FRAMES as f64 * share) as usize).min(FRAMES - 1)];
    let links = bench.network().link_delay();
    println!(
        "   480 bytes, 50 a second, links of {links:?}: p50 {:?} p95 {:?} p99 {:?} max {:?}",
        at(0.5),
        at(0.95),
        at(0.99),
        at(1.0)
    );
}

pub(crate) async fn two_services_at_once(bench: &mut Bench) {
    let identity = OnionIdentity::generate(&mut OsRng);
    bench.secrets.push(onion_address(identity.public()));
    let key = identity.public();
    let host = OnionHost {
        identity,
        audience: Audience::Anyone,
        ports: vec![1],
    };
    let second = Echo::host(&bench.server, host).await;
    let mut to_second = connect(&bench.client, &target(key, None))
        .await
        .expect("a stream");
    let mut to_first = connect(&bench.client, &bench.target())
        .await
        .expect("a stream");
    round_trip(&mut to_second, b"second").await;
    round_trip(&mut to_first, b"first").await;
    second.close().await;
    // Streams outlive the service that accepted them.
    round_trip(&mut to_second, b"still here").await;
    let start = Instant::now();
    let error = bench
        .client
        .connect(target(key, None), Isolation::new())
        .await;
    let error = error.expect_err("it was withdrawn");
    println!(
        "   withdrawn: {error}, after {:.1} s",
        start.elapsed().as_secs_f64()
    );
    assert_eq!(error.kind(), TorErrorKind::OnionUnreachable);
}

pub(crate) async fn an_address_survives_a_restart(bench: &mut Bench) {
    bench.service.take().unwrap().close().await;
    bench.server.shutdown().await;
    let folder = bench.folder.path().join("server");
    assert!(
        !folder.join("state/keystore").exists(),
        "no key store on the disk"
    );
    assert!(
        !folder.join("state/hss").exists(),
        "no trace of hosted services"
    );
    let stored = postcard::to_allocvec(&bench.identity).unwrap();
    bench.identity = postcard::from_bytes(&stored).unwrap();
    bench.server = crate::support::start_tor(bench.network(), &folder).await;
    bench.service = Some(Echo::host(&bench.server, bench.onion_host()).await);
    let mut stream = connect(&bench.client, &bench.target())
        .await
        .expect("a stream");
    round_trip(&mut stream, b"the same address").await;
}

pub(crate) async fn a_new_reader_can_be_added(bench: &mut Bench) {
    let newcomer = DiscoveryKeypair::generate(&mut OsRng);
    let audience = Audience::Only(vec![bench.reader.public(), newcomer.public()]);
    // Restarted, so that nothing is left of the old reader's key.
    bench.service.take().unwrap().close().await;
    let onion = bench
        .server
        .host(bench.onion_host())
        .await
        .expect("launched");
    onion
        .wait_reachable(Duration::from_secs(60))
        .await
        .expect("published");
    onion.set_audience(audience).await.expect("changed");
    assert!(
        onion
            .set_audience(Audience::Only(Vec::new()))
            .await
            .is_err()
    );
    bench.service = Some(Echo::serve(onion));
    let target = target(bench.identity.public(), Some(&newcomer));
    let start = Instant::now();
    let mut stream = loop {
        match bench.client.connect(target.clone(), Isolation::new()).await {
            Ok(stream) => break stream,
            Err(e) => assert!(e.is_retryable() && start.elapsed().as_secs() < 120, "{e}"),
        }
        tokio::time::sleep(Duration::from_secs(2)).await;
    };
    println!("   admitted after {:.1} s", start.elapsed().as_secs_f64());
    round_trip(&mut stream, b"newcomer").await;
    bench.reader = newcomer;
}
