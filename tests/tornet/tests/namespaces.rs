//! Namespaces: TCP over delayed links between kernels, and a record of where clients send.
#![allow(clippy::unwrap_used, reason = "a failed step is a failed test")]

use std::io::{Read as _, Write as _};
use std::net::{IpAddr, SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use tacit_tornet::{Config, Link, Namespace, Network, Protocol, Role, SystemTor};

const ONE_WAY: Duration = Duration::from_millis(15);

fn network(clients: u8) -> Option<Network> {
    let config = Config {
        link: Link::Namespaces {
            clients,
            one_way: ONE_WAY,
            jitter: Duration::from_millis(1),
        },
        system_tor: SystemTor::Keep,
        ..Config::default()
    };
    match Network::start_blocking(config, |progress| eprintln!("{progress}")) {
        Ok(network) => Some(network),
        Err(error) if error.is_unavailable() => {
            println!("SKIPPED: {error}");
            None
        }
        Err(error) => panic!("{error}"),
    }
}

/// An echo server in a namespace.
fn echo_server(space: &Namespace) -> SocketAddr {
    let address = SocketAddr::from((space.address(), 4000));
    let listener = space.run(move || TcpListener::bind(address)).unwrap();
    thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            thread::spawn(move || {
                let mut buffer = [0; 4096];
                while let Ok(count @ 1..) = stream.read(&mut buffer) {
                    stream.write_all(&buffer[..count]).unwrap();
                }
            });
        }
    });
    address
}

/// A stream from a namespace through the C tor client, which is in another, and an exit.
fn through_tor(space: &Namespace, socks: SocketAddr, target: SocketAddr) -> TcpStream {
    let SocketAddr::V4(target) = target else {
        panic!("IPv4 only")
    };
    let mut stream = space.run(move || TcpStream::connect(socks)).unwrap();
    stream.set_nodelay(true).unwrap();
    stream
        .set_read_timeout(Some(Duration::from_secs(30)))
        .unwrap();
    stream.write_all(&[5, 1, 0]).unwrap();
    stream.read_exact(&mut [0; 2]).unwrap();
    let port = target.port().to_be_bytes();
    stream
        .write_all(&[&[5, 1, 0, 1][..], &target.ip().octets(), &port].concat())
        .unwrap();
    let mut reply = [0; 10];
    stream.read_exact(&mut reply).unwrap();
    assert_eq!(reply[1], 0, "the exit connects to the target");
    stream
}

fn round_trip(stream: &mut TcpStream) -> Duration {
    let begun = Instant::now();
    stream.write_all(&[7; 160]).unwrap();
    stream.read_exact(&mut [0; 160]).unwrap();
    begun.elapsed()
}

#[test]
fn packets_are_delayed_stalled_and_recorded() {
    let Some(network) = network(2) else { return };
    let (server, client) = (network.client(0).unwrap(), network.client(1).unwrap());
    assert!(network.client(2).is_none());
    let target = echo_server(server);

    // Straight from one namespace to the other: one link.
    let mut direct = client.run(move || TcpStream::connect(target)).unwrap();
    let rtt = round_trip(&mut direct);
    assert!(rtt >= ONE_WAY * 2, "{rtt:?}");

    // To the C tor client, guard, middle, exit and server: five links.
    let socks = network.socks_address().unwrap();
    let mut stream = through_tor(client, socks, target);
    let mut rtts: Vec<Duration> = (0..20).map(|_| round_trip(&mut stream)).collect();
    rtts.sort();
    println!(
        "through tor: median {:?}, links alone {:?}",
        rtts[10],
        ONE_WAY * 10
    );
    assert!(rtts[0] >= ONE_WAY * 10);

    // A stall between every exit and every other relay holds the stream, and then releases it.
    let time = Duration::from_secs(1);
    let names = |exit: bool| {
        network
            .relays()
            .iter()
            .filter(move |r| (r.role == Role::Exit) == exit)
    };
    for (exit, other) in names(true).flat_map(|e| names(false).map(move |o| (e, o))) {
        drop(network.stall(&exit.name, &other.name, time).unwrap());
    }
    let held = round_trip(&mut stream);
    println!("through a stall of {time:?}: {held:?}");
    assert!(held >= time);
    assert!(round_trip(&mut stream) < time);

    check_record(client, socks, target);
}

fn check_record(client: &Namespace, socks: SocketAddr, target: SocketAddr) {
    let sent = |address: SocketAddr| {
        client.contacts().into_iter().find(|c| {
            (c.address, c.port, c.protocol) == (address.ip(), address.port(), Protocol::Tcp)
        })
    };
    assert!(sent(target).is_some_and(|c| c.packets >= 3 && c.bytes >= 160));
    assert!(sent(socks).is_some_and(|c| c.packets >= 20));
    // Open streams may still acknowledge something after this.
    client.forget_contacts();
    assert_eq!(
        client
            .contacts()
            .iter()
            .find(|c| c.protocol == Protocol::Udp),
        None
    );

    // Planted violations, by a socket, by a child and by IPv6, are all seen.
    let datagram = |from: &'static str, to: &'static str| {
        client
            .run(move || UdpSocket::bind(from)?.send_to(&[1; 20], to))
            .unwrap()
    };
    datagram("0.0.0.0:0", "192.0.2.1:53");
    let ipv6 = std::path::Path::new("/proc/net/if_inet6").exists();
    if ipv6 {
        datagram("[::]:0", "[2001:db8::1]:53");
    }
    let mut child = Command::new("bash");
    child.args(["-c", "echo leak > /dev/udp/192.0.2.2/123"]);
    assert!(client.spawn(child).unwrap().wait().unwrap().success());
    let mut expected: Vec<(IpAddr, u16)> =
        vec![([192, 0, 2, 1].into(), 53), ([192, 0, 2, 2].into(), 123)];
    if ipv6 {
        expected.push(([0x2001, 0xdb8, 0, 0, 0, 0, 0, 1].into(), 53));
    }
    // The router reads its devices one after another, on its own thread.
    let seen = |to: &(IpAddr, u16)| {
        let contacts = client.contacts();
        contacts
            .iter()
            .any(|c| (c.address, c.port, c.protocol) == (to.0, to.1, Protocol::Udp))
    };
    let deadline = Instant::now() + Duration::from_secs(5);
    while !expected.iter().all(seen) {
        assert!(
            Instant::now() < deadline,
            "not all seen: {:?}",
            client.contacts()
        );
        thread::yield_now();
    }
}
