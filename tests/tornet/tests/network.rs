//! A real network: usable, delayed as asked, stalled as asked, and gone afterwards.
#![allow(clippy::unwrap_used, reason = "a failed step is a failed test")]

mod probe;

use std::net::SocketAddr;
use std::path::Path;
use std::time::{Duration, Instant};

use probe::{echo_server, echoes, percentile, socks_connect};
use tacit_tornet::{Config, Connection, Dialler, Error, Link, Network, Role, SystemTor};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::sync::oneshot;
use tokio::time::timeout;

const ONE_WAY: Duration = Duration::from_millis(15);
/// A cell on a link, before TLS adds to it; each packet takes one.
const CELL: u64 = 514;
/// Client to guard, guard to middle, middle to exit.
const LINKS: u32 = 3;

/// Starts a network; `None`, said aloud, where this machine has no tor.
async fn network(config: Config) -> Option<Network> {
    match Network::start(config, |progress| eprintln!("{progress}")).await {
        Ok(network) => Some(network),
        Err(error) if error.is_unavailable() => {
            println!("SKIPPED: {error}");
            None
        }
        Err(error) => panic!("{error}"),
    }
}

/// The relays that carry the stream to `target`, in order: guard, middle, exit. The C tor client
/// says so on its control port.
async fn path_of(network: &Network, target: SocketAddr) -> Vec<String> {
    let (address, cookie) = network.control_address().unwrap();
    let mut control = TcpStream::connect(address).await.unwrap();
    let cookie: String = std::fs::read(cookie)
        .unwrap()
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    let commands = format!(
        "AUTHENTICATE {cookie}\r\nGETINFO stream-status\r\nGETINFO circuit-status\r\nQUIT\r\n"
    );
    control.write_all(commands.as_bytes()).await.unwrap();
    let mut answers = String::new();
    control.read_to_string(&mut answers).await.unwrap();
    // `[250-stream-status=]<stream> SUCCEEDED <circuit> <target>`
    let fields = |line: &str| -> Vec<String> { line.split([' ', '=']).map(String::from).collect() };
    let circuit = answers
        .lines()
        .map(fields)
        .find(|words| words.last() == Some(&target.to_string()))
        .map(|words| words[words.len() - 2].clone())
        .expect("the stream is listed");
    // `[250-circuit-status=]<circuit> BUILT $<identity>~<name>,…`
    let hops = answers
        .lines()
        .map(|line| line.trim_start_matches("250-circuit-status="))
        .find_map(|line| line.strip_prefix(&format!("{circuit} BUILT ")))
        .expect("its circuit is listed");
    let hops = hops.split(' ').next().unwrap().split(',');
    hops.map(|hop| {
        let identity = hop.split('~').next().unwrap();
        network.relay_by_identity(identity).unwrap().name.clone()
    })
    .collect()
}

/// The connection from a client into `guard` and those along the path moved about what was sent.
fn check_connections(network: &Network, path: &[String], bytes: u64) {
    let connections = network.connections();
    let client = |c: &&Connection| c.to == path[0] && matches!(c.from, Dialler::Client(_));
    assert!(
        connections
            .iter()
            .filter(client)
            .any(|c| c.forward_bytes >= bytes)
    );
    for pair in path.windows(2) {
        let moved = |c: &&Connection| c.joins(&pair[0], &pair[1]);
        let most = connections
            .iter()
            .filter(moved)
            .map(|c| c.forward_bytes.min(c.back_bytes));
        assert!(most.max() >= Some(bytes), "{pair:?}");
    }
}

fn alive(pid: u32) -> bool {
    Path::new(&format!("/proc/{pid}")).exists()
}

#[tokio::test]
async fn streams_are_delayed_and_stalled_as_asked_and_nothing_is_left() {
    let config = Config {
        link: Link::delayed_ms(15, 1),
        system_tor: SystemTor::Keep,
        ..Config::default()
    };
    let Some(network) = network(config).await else {
        return;
    };
    check_identities(&network);

    let socks = network.socks_address().expect("it was kept");
    let target = echo_server().await;
    let mut stream = socks_connect(socks, "first", target).await;
    let measured = echoes(&mut stream, 150, |_| ()).await;
    let (p50, p95) = (percentile(&measured, 50), percentile(&measured, 95));
    let expected = ONE_WAY * 2 * LINKS;
    println!("exit round trip: p50 {p50:?}, p95 {p95:?}; links alone {expected:?}");
    assert!(p50 >= expected, "the delay of every link is in it");

    let path = path_of(&network, target).await;
    println!("path {path:?}");
    check_connections(&network, &path, 150 * CELL);
    assert_eq!(network.relay(&path[2]).unwrap().role, Role::Exit);
    check_stall(&network, &mut stream, &path).await;

    let pids = network.pids();
    let directory = network.directory().to_owned();
    assert_eq!(pids.len(), 9);
    assert!(pids.iter().all(|(_, pid)| alive(*pid)));
    network.kill_relay("mid1").unwrap();
    drop(network);
    assert!(
        pids.iter().all(|(_, pid)| !alive(*pid)),
        "every process is gone"
    );
    assert!(!directory.exists());
}

fn check_identities(network: &Network) {
    let toml = network.arti_config_toml();
    assert_eq!(
        std::fs::read_to_string(network.arti_config_path()).unwrap(),
        toml
    );
    for relay in network.relays() {
        assert!(toml.contains(&relay.rsa_identity) && toml.contains(&relay.ed_identity));
        assert_eq!(network.relay_by_identity(&relay.ed_identity), Some(relay));
        assert_eq!(
            network.relay(&format!("${}", relay.rsa_identity)),
            Some(relay)
        );
        assert_eq!(
            (relay.rsa_identity.len(), relay.ed_identity.len()),
            (40, 43)
        );
    }
    assert!(matches!(
        network.kill_relay("nobody"),
        Err(Error::UnknownRelay(_))
    ));
}

/// Stalls guard and middle for a second in the middle of three seconds of packets.
async fn check_stall(network: &Network, stream: &mut TcpStream, path: &[String]) {
    let time = Duration::from_secs(1);
    let (flowing, flows) = oneshot::channel();
    let mut flowing = Some(flowing);
    let heard = |number| {
        if number == 25 {
            flowing.take().unwrap().send(()).unwrap();
        }
    };
    let stalled = async {
        flows.await.unwrap();
        let begun = Instant::now();
        // Another pair's stall, at the same time, changes nothing.
        let other = network.stall("exit1", "exit2", time);
        let this = network.stall(&path[0], &path[1], time);
        let (report, _) = tokio::join!(this.unwrap().over(), other.unwrap().over());
        (begun, report)
    };
    let (arrived, (begun, report)) = tokio::join!(echoes(stream, 150, heard), stalled);
    assert!(report.connections >= Some(1) && report.lasted >= time);
    // What had passed the stalled link when it began still arrives.
    let quiet_from = begun + ONE_WAY * 2 * LINKS + Duration::from_millis(50);
    let during = |at: &Instant| *at > quiet_from && *at < begun + time;
    assert_eq!(
        arrived.iter().filter(|(at, _)| during(at)).count(),
        0,
        "all was held"
    );
    let longest = arrived
        .windows(2)
        .map(|pair| pair[1].0 - pair[0].0)
        .max()
        .unwrap();
    println!("longest gap {longest:?} for a stall of {time:?}");
    assert!(longest >= time - ONE_WAY * 2);
    let held: u64 = network
        .connections()
        .iter()
        .filter(|c| c.joins(&path[0], &path[1]))
        .map(|c| c.stalled_bytes)
        .sum();
    assert!(
        held >= CELL * 20,
        "about {} packets were held, {held} bytes",
        50
    );
}

#[tokio::test]
async fn a_cancelled_start_leaves_nothing() {
    let directory = tempfile::tempdir().unwrap();
    let config = Config {
        directory: Some(directory.path().to_owned()),
        ..Config::default()
    };
    let (tell, mut told) = tokio::sync::mpsc::unbounded_channel();
    let start = Network::start(config, move |progress| drop(tell.send(progress.stage)));
    tokio::select! {
        result = start => match result {
            Err(error) if error.is_unavailable() => return println!("SKIPPED: {error}"),
            other => panic!("it should have been cancelled: {other:?}"),
        },
        () = async {
            while !matches!(told.recv().await, Some(tacit_tornet::Stage::Started { .. })) {}
        } => {}
    }
    // The callback, and with it the sender, goes when all is stopped.
    let stopped = async { while told.recv().await.is_some() {} };
    timeout(Duration::from_secs(10), stopped)
        .await
        .expect("the start ends");
    assert!(!running_in(directory.path()));
}

/// Whether any process was started with a configuration in this directory.
fn running_in(directory: &Path) -> bool {
    let needle = directory.to_str().unwrap().as_bytes();
    std::fs::read_dir("/proc").unwrap().flatten().any(|entry| {
        std::fs::read(entry.path().join("cmdline")).is_ok_and(|command| {
            command.starts_with(b"tor\0") && command.windows(needle.len()).any(|w| w == needle)
        })
    })
}

#[tokio::test]
async fn a_timeout_says_what_each_relay_complains_about() {
    let config = Config {
        timeout: Duration::ZERO,
        ..Config::default()
    };
    match Network::start(config, drop).await {
        Err(error) if error.is_unavailable() => println!("SKIPPED: {error}"),
        Err(error @ Error::Timeout { .. }) => {
            let text = error.to_string();
            assert!(text.contains("waited until"), "{text}");
            assert!(
                text.contains("auth1: ") && text.contains("exit2: "),
                "{text}"
            );
        }
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn without_tor_the_error_names_the_package() {
    let config = Config {
        tor: "/nonexistent/tor".into(),
        ..Config::default()
    };
    let error = Network::start(config, drop).await.unwrap_err();
    assert!(error.is_unavailable());
    assert!(error.to_string().contains("package `tor`"), "{error}");
}

#[tokio::test]
async fn impossible_configurations_are_refused() {
    for config in [
        Config {
            exits: 0,
            ..Config::default()
        },
        Config {
            middles: 200,
            ..Config::default()
        },
        Config {
            authorities: 1,
            ..Config::default()
        },
        Config {
            range: Some(12),
            ..Config::default()
        },
        Config {
            link: Link::delayed_ms(60_000, 0),
            ..Config::default()
        },
    ] {
        match Network::start(config, drop).await {
            Err(Error::Config(_) | Error::Missing { .. }) => {}
            other => panic!("{other:?}"),
        }
    }
}
