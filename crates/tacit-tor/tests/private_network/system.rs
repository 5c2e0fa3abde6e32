//! The same by the network's C tor client.

use rand_core::OsRng;
use tacit_tor::{
    Audience, ControlAuth, ControlPort, DiscoveryKeypair, Isolation, OnionHost, OnionIdentity,
    SystemTorConfig, Target, Tor, TorConfig, TorErrorKind, TorProgress, onion_address,
};
use tacit_types::{Reason, Redacted};
use tokio::sync::watch;

use crate::support::{Bench, Echo, connect, echo_server, round_trip, target};

async fn start(config: SystemTorConfig) -> Result<Tor, tacit_tor::TorError> {
    let progress = watch::Sender::new(TorProgress::default());
    let shown = progress.subscribe();
    let tor = Tor::start(TorConfig::System(config), progress).await?;
    assert_eq!(shown.borrow().percent, 100);
    Ok(tor)
}

fn with_control(bench: &Bench) -> SystemTorConfig {
    let socks = bench.network().socks_address().expect("kept");
    let (addr, _) = bench.network().control_address().expect("kept");
    SystemTorConfig::new(
        socks,
        Some(ControlPort {
            addr,
            auth: ControlAuth::Cookie,
        }),
    )
}

pub(crate) async fn a_system_tor_echoes_through_an_exit(bench: &mut Bench) {
    let tor = start(with_control(bench)).await.expect("a tor");
    let target = Target::Exit {
        addr: echo_server().await,
    };
    let mut stream = tor
        .connect(target, Isolation::new())
        .await
        .expect("a stream");
    round_trip(&mut stream, &[3; 480]).await;
    assert!(stream.dangerous_circuit_hops().is_none());
    // To a restricted service that Arti hosts.
    let mut stream = connect(&tor, &bench.target()).await.expect("a stream");
    round_trip(&mut stream, &[4; 480]).await;
    tor.shutdown().await;
    let error = tor
        .connect(bench.target(), Isolation::new())
        .await
        .expect_err("it was shut down");
    assert_eq!(error.kind(), TorErrorKind::Stopped);
}

pub(crate) async fn a_system_tor_hosts_by_its_control_port(bench: &mut Bench) {
    let tor = start(with_control(bench)).await.expect("a tor");
    let identity = OnionIdentity::generate(&mut OsRng);
    bench.secrets.push(onion_address(identity.public()));
    let (first, second) = (
        DiscoveryKeypair::generate(&mut OsRng),
        DiscoveryKeypair::generate(&mut OsRng),
    );
    let key = identity.public();
    let audience = Audience::Only(vec![first.public()]);
    let echo = Echo::host(
        &tor,
        OnionHost {
            identity,
            audience,
            ports: vec![1, 2],
        },
    )
    .await;
    let mut stream = connect(&bench.client, &target(key, Some(&first)))
        .await
        .expect("a stream");
    round_trip(&mut stream, &[5; 480]).await;
    let denied = bench
        .server
        .connect(target(key, Some(&second)), Isolation::new())
        .await;
    assert_eq!(
        denied.expect_err("no reader").kind(),
        TorErrorKind::OnionDenied
    );
    echo.close().await;
    // Its control connection is closed, so the tor forgets the service.
    let start = std::time::Instant::now();
    let error = loop {
        match bench
            .client
            .connect(target(key, Some(&first)), Isolation::new())
            .await
        {
            Ok(_) => assert!(start.elapsed().as_secs() < 60, "still there"),
            Err(e) => break e,
        }
    };
    println!(
        "   withdrawn: {error}, after {:.1} s",
        start.elapsed().as_secs_f64()
    );
    assert_eq!(error.reason(), Reason::PeerUnreachable);
    tor.shutdown().await;
}

pub(crate) async fn without_a_control_port_the_error_says_so(bench: &mut Bench) {
    let socks = bench.network().socks_address().expect("kept");
    let tor = start(SystemTorConfig::new(socks, None))
        .await
        .expect("a tor");
    let error = tor
        .host(bench.onion_host())
        .await
        .expect_err("no control port");
    assert_eq!(error.kind(), TorErrorKind::NeedsControlPort);
    let error = tor
        .connect(bench.target(), Isolation::new())
        .await
        .expect_err("restricted");
    assert_eq!(error.kind(), TorErrorKind::NeedsControlPort);

    let mut config = with_control(bench);
    let wrong = ControlAuth::Password(Redacted::new("wrong".into()));
    config.control = config.control.map(|port| ControlPort {
        auth: wrong,
        ..port
    });
    let error = start(config).await.expect_err("a wrong password");
    println!("   {error}");
    assert_eq!(error.kind(), TorErrorKind::Config);

    let nobody = tokio::net::TcpListener::bind("127.0.0.1:0")
        .await
        .unwrap()
        .local_addr()
        .unwrap();
    let error = start(SystemTorConfig::new(nobody, None))
        .await
        .expect_err("nobody listens");
    assert_eq!(error.kind(), TorErrorKind::Blocked);
}
