//! How it ends.

use std::time::{Duration, Instant};

use tacit_tor::{Isolation, Target, Tor, TorConfig, TorErrorKind, TorProgress};
use tacit_types::Reason;
use tokio::io::AsyncReadExt as _;
use tokio::sync::watch;

use crate::support::{Bench, arti_config, connect, echo_server, start_tor};

pub(crate) async fn shutdown_ends_everything(bench: &mut Bench) {
    let folder = bench.folder.path().join("brief");
    let tor = start_tor(bench.network(), &folder).await;
    let target = Target::Exit {
        addr: echo_server().await,
    };
    let mut stream = tor
        .connect(target.clone(), Isolation::new())
        .await
        .expect("a stream");
    let mut onion = tor.host(bench.onion_host()).await.expect("launched");
    let start = Instant::now();
    tor.shutdown().await;
    println!("   stopped in {:.2} s", start.elapsed().as_secs_f64());
    assert!(start.elapsed() < Duration::from_secs(1));
    assert!(!matches!(stream.read(&mut [0; 1]).await, Ok(1..)));
    assert!(onion.accept().await.is_none());
    let error = tor
        .connect(target, Isolation::new())
        .await
        .expect_err("it was shut down");
    assert_eq!(error.kind(), TorErrorKind::Stopped);
    // The folder is free at once, with streams and services of the old one still held.
    drop(tor);
    let config = arti_config(bench.network().arti_config_toml(), &folder);
    let progress = watch::Sender::new(TorProgress::default());
    let mut shown = progress.subscribe();
    let again = Tor::start(TorConfig::Arti(config), progress)
        .await
        .expect("the directory is there");
    assert_eq!(shown.borrow_and_update().percent, 100);
    let target = Target::Exit {
        addr: echo_server().await,
    };
    let works = again.connect(target, Isolation::new()).await;
    works.expect("a stream");
    // Arti's status says so only now; what it said until then was no loss of Tor.
    assert!(!shown.has_changed().expect("it runs"));
    drop((again, stream, onion));
}

pub(crate) async fn dead_relays_give_errors_and_no_hang(bench: &mut Bench) {
    let exit = Target::Exit {
        addr: echo_server().await,
    };
    let mut to_exit = bench
        .client
        .connect(exit.clone(), Isolation::new())
        .await
        .expect("a stream");
    let mut to_onion = connect(&bench.client, &bench.target())
        .await
        .expect("a stream");
    let toml = bench.network().arti_config_toml();
    // Killed one by one: the network keeps its addresses, so that no other can answer there.
    for relay in bench.network().relays() {
        bench.network().kill_relay(&relay.name).expect("it ran");
    }

    let start = Instant::now();
    assert!(!matches!(to_exit.read(&mut [0; 1]).await, Ok(1..)));
    assert!(!matches!(to_onion.read(&mut [0; 1]).await, Ok(1..)));
    println!(
        "   open streams ended after {:.2} s",
        start.elapsed().as_secs_f64()
    );
    for target in [exit, bench.target()] {
        let start = Instant::now();
        let error = bench
            .client
            .connect(target, Isolation::new())
            .await
            .expect_err("no relays");
        println!("   {error}, after {:.1} s", start.elapsed().as_secs_f64());
        assert!(error.is_retryable());
    }

    let mut config = arti_config(toml, &bench.folder.path().join("late"));
    config.bootstrap_timeout = Duration::from_secs(10);
    let progress = watch::Sender::new(TorProgress::default());
    let error = Tor::start(TorConfig::Arti(config), progress)
        .await
        .expect_err("no relays");
    println!("   {error}");
    assert!(
        matches!(error.reason(), Reason::TorBlocked | Reason::TorTimeout),
        "{error:?}"
    );

    let start = Instant::now();
    bench.client.shutdown().await;
    bench.server.shutdown().await;
    assert!(start.elapsed() < Duration::from_secs(2));
}
