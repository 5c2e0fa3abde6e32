//! The proxies in front of a stand-in for a relay.
use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::timeout;

use super::{Dialler, Proxies};
use crate::identity::{HIDDEN_OR_PORT, Relay, Role};
use crate::range::AddressRange;

const ONE_WAY: Duration = Duration::from_millis(20);

struct Bench {
    proxies: Proxies,
    relays: Vec<Relay>,
    _range: AddressRange,
}

/// Two relays; `mid1` is this process, `mid2` echoes.
async fn bench() -> Bench {
    let range = AddressRange::claim(None, 2).unwrap();
    let relay = |index: usize| Relay {
        name: format!("mid{}", index + 1),
        role: Role::Middle,
        address: range.relay(index),
        rsa_identity: String::new(),
        ed_identity: String::new(),
        v3_identity: None,
    };
    let relays: Vec<Relay> = (0..2).map(relay).collect();
    let listener = TcpListener::bind((relays[1].address, HIDDEN_OR_PORT))
        .await
        .unwrap();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            tokio::spawn(async move {
                let (mut read, mut write) = stream.split();
                tokio::io::copy(&mut read, &mut write).await?;
                write.shutdown().await
            });
        }
    });
    let proxies = Proxies::start(&relays, ONE_WAY, Duration::ZERO, false).unwrap();
    Bench {
        proxies,
        relays,
        _range: range,
    }
}

impl Bench {
    async fn dial(&self) -> TcpStream {
        let stream = TcpStream::connect(self.relays[1].or_address())
            .await
            .unwrap();
        stream.set_nodelay(true).unwrap();
        stream
    }
}

async fn round_trip(stream: &mut TcpStream) -> Duration {
    let begun = Instant::now();
    stream.write_all(b"cell").await.unwrap();
    stream.read_exact(&mut [0; 4]).await.unwrap();
    begun.elapsed()
}

#[tokio::test(flavor = "multi_thread")]
async fn more_than_the_buffers_hold_passes_whole_and_ends() {
    let bench = bench().await;
    let data: Vec<u8> = (0..12_000_000_u32).map(|i| (i % 251) as u8).collect();
    let (mut read, mut write) = bench.dial().await.into_split();
    let sent = data.clone();
    let sender = tokio::spawn(async move {
        write.write_all(&sent).await.unwrap();
        write.shutdown().await.unwrap();
    });
    let mut received = Vec::new();
    let all = read.read_to_end(&mut received);
    timeout(Duration::from_secs(60), all)
        .await
        .unwrap()
        .unwrap();
    sender.await.unwrap();
    assert!(received == data, "the same bytes");
}

#[tokio::test(flavor = "multi_thread")]
async fn each_way_is_delayed_and_a_client_is_never_stalled() {
    let bench = bench().await;
    let begun = Instant::now();
    let mut stream = bench.dial().await;
    round_trip(&mut stream).await;
    assert!(
        begun.elapsed() >= ONE_WAY * 4,
        "the handshake's round trip too"
    );
    assert!(round_trip(&mut stream).await >= ONE_WAY * 2);
    let connections = bench.proxies.connections();
    assert!(matches!(connections[0].from, Dialler::Client(_)));
    assert_eq!(
        (connections[0].forward_bytes, connections[0].back_bytes),
        (8, 8)
    );
    let stall = bench
        .proxies
        .stall("mid1", "mid2", Duration::from_secs(3600));
    assert!(
        timeout(Duration::from_secs(20), round_trip(&mut stream))
            .await
            .is_ok()
    );
    drop(stall);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stall_holds_a_relays_connections_old_and_new() {
    let bench = bench().await;
    bench.proxies.add_process(std::process::id(), "mid1");
    let mut old = bench.dial().await;
    round_trip(&mut old).await;
    assert!(bench.proxies.connections()[0].joins("mid2", "mid1"));
    let time = Duration::from_millis(500);
    let begun = Instant::now();
    let stall = bench.proxies.stall("mid2", "mid1", time);
    let mut new = bench.dial().await;
    tokio::join!(round_trip(&mut old), round_trip(&mut new));
    assert!(begun.elapsed() >= time);
    let report = stall.over().await;
    assert_eq!(report.connections, Some(1), "one was open when it began");
    assert!(report.lasted >= time);
    let stalled: Vec<u64> = bench
        .proxies
        .connections()
        .iter()
        .map(|c| c.stalled_bytes)
        .collect();
    assert_eq!(stalled, [4, 4]);
}

#[tokio::test(flavor = "multi_thread")]
async fn dropping_the_proxies_closes_every_connection() {
    let bench = bench().await;
    let mut stream = bench.dial().await;
    round_trip(&mut stream).await;
    drop(bench);
    let end = timeout(Duration::from_secs(10), stream.read(&mut [0; 1]))
        .await
        .unwrap();
    assert!(matches!(end, Ok(0) | Err(_)));
}
