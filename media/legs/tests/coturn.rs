//! Our client against Debian's coturn.
#![expect(clippy::unwrap_used, reason = "a test may")]

mod common;

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use common::{Over, TestLeg, config, coturn, packet};
use tacit_legs::coturn::CoturnOptions;
use tacit_legs::{DropReason, Failure, LegEnd, LegEvent, Peer, SendError};
use tacit_types::{LegIndex, Reason};

const PACKETS: u32 = 250;

async fn n_times_m(over: Over) {
    let Some(coturn) = coturn(CoturnOptions::default()) else {
        return;
    };
    let (n, m) = (3u8, 2u8);
    // The caller allocates first; the callee knows the caller's candidates and binds them in the
    // same flight; the caller binds the callee's afterwards. As in a call.
    let mut callers = Vec::new();
    let mut caller_peers = Vec::new();
    for i in 0..n {
        let mut leg = TestLeg::open(&coturn, over, i, config(coturn.credentials(), &[])).await;
        caller_peers.push(Peer::new(LegIndex(i), leg.allocated().await));
        callers.push(leg);
    }
    let mut callees = Vec::new();
    let mut callee_peers = Vec::new();
    for j in 0..m {
        let config = config(coturn.credentials(), &caller_peers);
        let mut leg = TestLeg::open(&coturn, over, j, config).await;
        callee_peers.push(Peer::new(LegIndex(j), leg.allocated().await));
        for _ in 0..n {
            leg.bound().await;
        }
        callees.push(leg);
    }
    for leg in &mut callers {
        assert!(leg.handle.add_peers(&callee_peers).is_empty());
        for _ in 0..m {
            leg.bound().await;
        }
    }
    cross(&mut callers, &mut callees).await;
    cross(&mut callees, &mut callers).await;
    for leg in callers.iter().chain(&callees) {
        assert_eq!(leg.handle.drops().total(), 0);
    }
}

/// Sends on every path by turns, each packet once the one before it has arrived.
async fn cross(senders: &mut [TestLeg], receivers: &mut [TestLeg]) {
    let mut paths = BTreeSet::new();
    for number in 0..PACKETS {
        let path = number as usize % (senders.len() * receivers.len());
        let (i, j) = (path % senders.len(), path / senders.len());
        let sent = packet(i as u8, j as u8, number);
        senders[i]
            .handle
            .try_send(LegIndex(j as u8), &sent)
            .unwrap();
        let received = receivers[j].packet().await;
        assert_eq!(received.bytes, sent);
        assert_eq!(received.peer, LegIndex(i as u8));
        paths.insert((i, j));
    }
    assert_eq!(paths.len(), senders.len() * receivers.len());
}

#[tokio::test]
async fn every_packet_crosses_on_every_path_over_tls() {
    n_times_m(Over::Tls).await;
}

#[tokio::test]
async fn every_packet_crosses_on_every_path_over_plain_tcp() {
    n_times_m(Over::PlainTcp).await;
}

/// Two legs of one call, each bound to the other.
async fn pair(coturn: &tacit_legs::coturn::Coturn) -> (TestLeg, TestLeg) {
    let mut a = TestLeg::open(coturn, Over::Tls, 0, config(coturn.credentials(), &[])).await;
    let peer = Peer::new(LegIndex(0), a.allocated().await);
    let mut b = TestLeg::open(coturn, Over::Tls, 0, config(coturn.credentials(), &[peer])).await;
    let peer = Peer::new(LegIndex(0), b.allocated().await);
    assert_eq!(b.bound().await, LegIndex(0));
    assert!(a.handle.add_peers(&[peer]).is_empty());
    assert_eq!(a.bound().await, LegIndex(0));
    (a, b)
}

/// The leg's failure and how its stream ended.
async fn end(leg: &mut TestLeg) -> (Option<Failure>, LegEnd) {
    let mut failure = None;
    loop {
        match leg.next().await {
            LegEvent::Failed(f) => failure = Some(f),
            LegEvent::Closed(end) => return (failure, end),
            _ => {}
        }
    }
}

#[tokio::test]
async fn a_wrong_password_is_told_apart() {
    let Some(coturn) = coturn(CoturnOptions::default()) else {
        return;
    };
    let wrong = tacit_legs::coturn::credentials("not the secret", common::PATIENCE);
    let peers: Vec<_> = (0..8)
        .map(|i| Peer::new(LegIndex(i), ([127, 0, 0, 1], 50_000 + u16::from(i)).into()))
        .collect();
    let mut leg = TestLeg::open(&coturn, Over::Tls, 0, config(wrong, &peers)).await;
    let (failure, ended) = end(&mut leg).await;
    let expected = Failure::WrongCredentials { code: 401 };
    assert_eq!((failure, ended), (Some(expected), LegEnd::Failed(expected)));
    assert_eq!(expected.reason(), Reason::TurnUnreachable);
}

#[tokio::test]
async fn a_credential_is_good_for_one_allocation() {
    let Some(coturn) = coturn(CoturnOptions::default()) else {
        return;
    };
    let credentials = coturn.credentials();
    let mut first = TestLeg::open(&coturn, Over::Tls, 0, config(credentials.clone(), &[])).await;
    first.allocated().await;
    let mut second = TestLeg::open(&coturn, Over::Tls, 1, config(credentials.clone(), &[])).await;
    assert_eq!(end(&mut second).await.0, Some(Failure::Quota { code: 486 }));
    // Given back, it can be used again.
    first.handle.close();
    assert_eq!(end(&mut first).await, (None, LegEnd::Local));
    let mut third = TestLeg::open(&coturn, Over::Tls, 2, config(credentials, &[])).await;
    third.allocated().await;
}

#[tokio::test]
async fn a_killed_server_ends_its_legs() {
    let Some(mut coturn) = coturn(CoturnOptions::default()) else {
        return;
    };
    let (mut a, mut b) = pair(&coturn).await;
    a.handle.try_send(LegIndex(0), &packet(0, 0, 1)).unwrap();
    b.packet().await;
    coturn.kill();
    for leg in [&mut a, &mut b] {
        let (failure, ended) = end(leg).await;
        assert_eq!(failure, None);
        assert!(matches!(ended, LegEnd::Remote | LegEnd::Io(_)), "{ended:?}");
        assert!(leg.handle.try_send(LegIndex(0), &packet(0, 0, 2)).is_err());
    }
}

#[tokio::test]
async fn a_refused_peer_leaves_the_leg_alive() {
    let Some(coturn) = coturn(CoturnOptions::default()) else {
        return;
    };
    let multicast = Peer::new(LegIndex(7), "224.0.0.5:5000".parse().unwrap());
    let config = config(coturn.credentials(), &[multicast]);
    let mut leg = TestLeg::open(&coturn, Over::Tls, 0, config).await;
    leg.allocated().await;
    match leg.next().await {
        LegEvent::PeerRefused(LegIndex(7), refusal) => assert_eq!(refusal.code, 403),
        other => panic!("expected PeerRefused, got {other:?}"),
    }
    assert!(
        leg.handle
            .add_peers(&[Peer::new(LegIndex(1), "127.0.0.1:5000".parse().unwrap())])
            .is_empty()
    );
    assert_eq!(leg.bound().await, LegIndex(1));
}

#[tokio::test]
async fn packets_from_an_address_that_was_not_bound_are_dropped() {
    let Some(coturn) = coturn(CoturnOptions::default()) else {
        return;
    };
    let mut a = TestLeg::open(&coturn, Over::Tls, 0, config(coturn.credentials(), &[])).await;
    let a_addr = Peer::new(LegIndex(0), a.allocated().await);
    let b_config = config(coturn.credentials(), &[a_addr]);
    let mut b = TestLeg::open(&coturn, Over::Tls, 0, b_config).await;
    let b_addr = Peer::new(LegIndex(0), b.allocated().await);
    b.bound().await;
    a.handle.add_peers(&[b_addr]);
    a.bound().await;
    // The stranger has the peer's IP address, so the permission lets it through; the server wraps
    // what comes on no channel into Data indications.
    let stranger_config = config(coturn.credentials(), &[a_addr]);
    let mut stranger = TestLeg::open(&coturn, Over::Tls, 1, stranger_config).await;
    stranger.allocated().await;
    stranger.bound().await;
    stranger
        .handle
        .try_send(LegIndex(0), &packet(6, 6, 6))
        .unwrap();
    let mut number = 0;
    while a.handle.drops().of(DropReason::Unexpected) == 0 {
        b.handle
            .try_send(LegIndex(0), &packet(1, 0, number))
            .unwrap();
        assert_eq!(a.packet().await.bytes, packet(1, 0, number));
        number += 1;
    }
    assert_eq!(
        a.handle.try_send(LegIndex(1), &packet(0, 1, 0)),
        Err(SendError::NotBound)
    );
}

#[tokio::test]
async fn a_nonce_that_expires_in_mid_call_is_replaced() {
    let lifetime = Duration::from_secs(1);
    let options = CoturnOptions {
        stale_nonce: lifetime,
        ..CoturnOptions::default()
    };
    let Some(coturn) = coturn(options) else {
        return;
    };
    let mut leg = TestLeg::open(&coturn, Over::Tls, 0, config(coturn.credentials(), &[])).await;
    leg.allocated().await;
    let started = Instant::now();
    let mut pace = tokio::time::interval(Duration::from_millis(100));
    for n in 0u8.. {
        pace.tick().await;
        let addr = ([127, 0, 0, 1], 20_000 + u16::from(n)).into();
        assert!(
            leg.handle
                .add_peers(&[Peer::new(LegIndex(n), addr)])
                .is_empty()
        );
        assert_eq!(leg.bound().await, LegIndex(n));
        if started.elapsed() > 3 * lifetime {
            break;
        }
    }
    assert!(coturn.log().contains("438"), "no nonce expired");
}
