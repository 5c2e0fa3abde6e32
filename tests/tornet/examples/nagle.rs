//! What TCP_NODELAY and acknowledging at once are worth on every link of the private network:
//! `cargo run -p tacit-tornet --example nagle`. A measurement, so nothing is asserted.
#![forbid(unsafe_code)]
#![allow(clippy::unwrap_used, reason = "a failed step ends the measurement")]

#[path = "../tests/probe/mod.rs"]
mod probe;

use std::time::Duration;

use probe::{echo_server, echoes, percentile, socks_connect};
use tacit_tornet::{Config, Link, Network, SystemTor};

#[tokio::main]
async fn main() {
    for nagle in [false, true] {
        let config = Config {
            link: Link::Proxied {
                one_way: Duration::from_millis(15),
                jitter: Duration::from_millis(1),
                nagle,
            },
            system_tor: SystemTor::Keep,
            ..Config::default()
        };
        let network = Network::start(config, |progress| eprintln!("{progress}"))
            .await
            .unwrap();
        let target = echo_server().await;
        let socks = network.socks_address().expect("it was kept");
        for user in ["first", "second", "third"] {
            let mut stream = socks_connect(socks, user, target).await;
            let rtt = echoes(&mut stream, 500, |_| ()).await;
            let [p50, p95, p99] = [50, 95, 99].map(|percent| percentile(&rtt, percent));
            println!("nagle {nagle}: p50 {p50:?} p95 {p95:?} p99 {p99:?}");
        }
    }
}
