//! What hosting many onion addresses costs the process that does, on the private network:
//! `cargo run -p tacit-tor --example addresses`. A measurement, so nothing is asserted.
#![forbid(unsafe_code)]
#![allow(clippy::unwrap_used, reason = "a failed step ends the measurement")]

use std::time::{Duration, Instant};

use rand_core::OsRng;
use tacit_tor::{
    ArtiConfig, Audience, DiscoveryKeypair, HostedOnion, OnionHost, OnionIdentity, Tor, TorConfig,
    TorProgress,
};
use tacit_tornet::{Config, Link, Network, SystemTor};
use tokio::sync::watch;

/// What is not published by then is counted as not.
const PATIENCE: Duration = Duration::from_secs(180);
/// How long the idle cost is watched.
const WATCHED: Duration = Duration::from_secs(30);

#[tokio::main]
async fn main() {
    let config = Config {
        link: Link::delayed_ms(15, 0),
        system_tor: SystemTor::Keep,
        ..Config::default()
    };
    let network = Network::start(config, |progress| eprintln!("{progress}"))
        .await
        .unwrap();
    let folder = tempfile::tempdir().unwrap();
    let mut arti = ArtiConfig::new(folder.path().join("state"), folder.path().join("cache"));
    arti.extra_toml = Some(network.arti_config_toml());
    let (progress, _shown) = watch::channel(TorProgress::default());
    let tor = Tor::start(TorConfig::Arti(arti), progress).await.unwrap();
    println!("addresses  published      after  memory now  peak  CPU idle");
    let mut hosted: Vec<HostedOnion> = Vec::new();
    for count in [0, 1, 16, 64, 128, 192, 256] {
        let start = Instant::now();
        while hosted.len() < count {
            hosted.push(host(&tor).await);
        }
        let mut published = 0;
        for onion in &hosted {
            let left = PATIENCE.saturating_sub(start.elapsed());
            published += usize::from(onion.wait_reachable(left).await.is_ok());
        }
        let up = start.elapsed();
        let before = cpu();
        tokio::time::sleep(WATCHED).await;
        let share = (cpu() - before) / WATCHED.as_secs_f64();
        println!(
            "{count:9}  {published:9}  {:7.1} s  {:7.1} MB  {:.1} MB  {:.2} %",
            up.as_secs_f64(),
            memory("VmRSS"),
            memory("VmHWM"),
            share * 100.0
        );
    }
    tor.shutdown().await;
}

async fn host(tor: &Tor) -> HostedOnion {
    let reader = DiscoveryKeypair::generate(&mut OsRng);
    let host = OnionHost {
        identity: OnionIdentity::generate(&mut OsRng),
        audience: Audience::Only(vec![reader.public()]),
        ports: vec![1, 2],
    };
    tor.host(host).await.unwrap()
}

/// Megabytes of this process, from the kernel.
fn memory(what: &str) -> f64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|l| l.starts_with(what)).unwrap();
    let kib: f64 = line.split_whitespace().nth(1).unwrap().parse().unwrap();
    kib * 1024.0 / 1e6
}

/// Seconds of CPU so far, of all threads.
fn cpu() -> f64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap();
    let (_, fields) = stat.rsplit_once(')').unwrap();
    let ticks = fields.split_whitespace().skip(11).take(2);
    ticks.map(|t| t.parse::<f64>().unwrap()).sum::<f64>() / 100.0
}
