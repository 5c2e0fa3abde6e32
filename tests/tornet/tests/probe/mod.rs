//! Packets at a call's pace through the network, and when their echoes come back.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::{interval, timeout};

const PACKET: usize = 160;
const PACKET_TIME: Duration = Duration::from_millis(20);

/// Sends back whatever it receives.
pub(crate) async fn echo_server() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            stream.set_nodelay(true).unwrap();
            tokio::spawn(async move {
                let (mut read, mut write) = stream.split();
                tokio::io::copy(&mut read, &mut write).await
            });
        }
    });
    address
}

/// SOCKS5 with a user name of its own, which C tor takes as an own circuit.
pub(crate) async fn socks_connect(socks: SocketAddr, user: &str, target: SocketAddr) -> TcpStream {
    let SocketAddr::V4(target) = target else {
        panic!("IPv4 only")
    };
    let mut stream = TcpStream::connect(socks).await.unwrap();
    stream.set_nodelay(true).unwrap();
    stream.write_all(&[5, 1, 2]).await.unwrap();
    let mut answer = [0; 2];
    stream.read_exact(&mut answer).await.unwrap();
    assert_eq!(answer, [5, 2]);
    let length = u8::try_from(user.len()).unwrap();
    let login = [&[1, length], user.as_bytes(), &[1, b'x']].concat();
    stream.write_all(&login).await.unwrap();
    stream.read_exact(&mut answer).await.unwrap();
    assert_eq!(answer, [1, 0]);
    let port = target.port().to_be_bytes();
    let request = [&[5, 1, 0, 1][..], &target.ip().octets(), &port].concat();
    stream.write_all(&request).await.unwrap();
    let mut reply = [0; 10];
    stream.read_exact(&mut reply).await.unwrap();
    assert_eq!(reply[1], 0, "the exit connects to the target");
    stream
}

/// Sends `count` packets, one each 20 ms, and returns when each echo came and its round trip.
/// Tells `heard` each echo's number. Asserts order and that none is missing.
pub(crate) async fn echoes(
    stream: &mut TcpStream,
    count: u64,
    mut heard: impl FnMut(u64),
) -> Vec<(Instant, Duration)> {
    let epoch = Instant::now();
    let (mut read, mut write) = stream.split();
    let send = async {
        let mut clock = interval(PACKET_TIME);
        for number in 0..count {
            clock.tick().await;
            let mut packet = [0; PACKET];
            packet[..8].copy_from_slice(&number.to_be_bytes());
            let sent = u64::try_from(epoch.elapsed().as_nanos()).unwrap();
            packet[8..16].copy_from_slice(&sent.to_be_bytes());
            write.write_all(&packet).await.unwrap();
        }
    };
    let receive = async {
        let mut all = Vec::new();
        for number in 0..count {
            let mut packet = [0; PACKET];
            read.read_exact(&mut packet).await.unwrap();
            let at = Instant::now();
            assert_eq!(packet[..8], number.to_be_bytes(), "in order");
            let sent = u64::from_be_bytes(packet[8..16].try_into().unwrap());
            all.push((at, at - (epoch + Duration::from_nanos(sent))));
            heard(number);
        }
        all
    };
    timeout(Duration::from_secs(60), async {
        tokio::join!(send, receive).1
    })
    .await
    .unwrap()
}

/// A percentile of the round trips.
pub(crate) fn percentile(echoes: &[(Instant, Duration)], percent: usize) -> Duration {
    let mut all: Vec<Duration> = echoes.iter().map(|(_, rtt)| *rtt).collect();
    all.sort();
    all[(all.len() * percent / 100).min(all.len() - 1)]
}
