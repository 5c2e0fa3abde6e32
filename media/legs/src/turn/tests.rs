//! The client against a server that does as each test says, on a virtual clock.

use core::time::Duration;
use std::net::SocketAddr;

use proptest::prelude::*;
use rtc_stun::attributes::{ATTR_LIFETIME, ATTR_NONCE};
use rtc_stun::message::{METHOD_ALLOCATE, METHOD_CHANNEL_BIND, METHOD_REFRESH, Message, Method};
use tacit_types::limits::PACKET_BYTES;
use tacit_types::{LegIndex, Timestamp};

use super::hostile::{Answer, RELAYED, requests, respond, serve};
use super::{TurnConfig, TurnCredentials, TurnLeg, channel_data};
use crate::limits::{BIND_LAG, BIND_REFRESH, MAX_CELL_WRITE, MAX_PEERS, REQUEST_TIMEOUT};
use crate::{
    CandidatePolicy, DropReason, Failure, Leg, LegEvent, Packet, Peer, PeerError, Refusal,
    SendError, WakeReason,
};

const START: Timestamp = Timestamp::from_micros(5_000_000);
const GRANT: Answer = Answer::Grant(Duration::from_secs(600));

fn addr(n: u8) -> SocketAddr {
    ([198, 51, 100, n], 40_000 + u16::from(n)).into()
}

fn peers(n: u8) -> Vec<Peer> {
    (0..n).map(|i| Peer::new(LegIndex(i), addr(i))).collect()
}

fn leg_with(peers: Vec<Peer>, seed: u8) -> TurnLeg {
    let config = TurnConfig {
        credentials: TurnCredentials::new("user", "password"),
        peers,
        candidates: CandidatePolicy::dangerous_allow_local_candidates(),
        seed: [seed; 32],
    };
    TurnLeg::new(config, START)
}

fn written(leg: &mut TurnLeg, now: Timestamp) -> Vec<Vec<u8>> {
    let mut out = Vec::new();
    core::iter::from_fn(|| leg.poll_transmit(now, &mut out).map(|_| out.clone())).collect()
}

fn events(leg: &mut TurnLeg) -> Vec<LegEvent> {
    core::iter::from_fn(|| leg.poll_event()).collect()
}

fn methods(written: &[Vec<u8>]) -> Vec<Method> {
    requests(&written.concat())
        .iter()
        .map(|m| m.typ.method)
        .collect()
}

/// The leg after the 401, its Allocate and binds written but not answered.
fn challenged(peers: Vec<Peer>) -> (TurnLeg, Vec<Message>, Timestamp) {
    let mut leg = leg_with(peers, 1);
    let probe = written(&mut leg, START).concat();
    leg.handle_input(&serve(&probe, &GRANT), START);
    let mut sent = written(&mut leg, START).concat();
    let now = START + BIND_LAG;
    leg.handle_timeout(now);
    sent.extend(written(&mut leg, now).concat());
    let sent = requests(&sent);
    (leg, sent, now)
}

fn live(n: u8) -> (TurnLeg, Timestamp) {
    let (mut leg, sent, now) = challenged(peers(n));
    for request in &sent {
        leg.handle_input(&respond(request, &GRANT), now);
    }
    assert_eq!(events(&mut leg).len(), 1 + usize::from(n));
    (leg, now)
}

#[test]
fn two_round_trips_allocate_and_bind_everything_that_is_known() {
    let mut leg = leg_with(peers(8), 1);
    let probe = written(&mut leg, START);
    assert_eq!(methods(&probe), [METHOD_ALLOCATE]);
    leg.handle_input(&serve(&probe.concat(), &GRANT), START);
    assert_eq!(methods(&written(&mut leg, START)), [METHOD_ALLOCATE]);
    assert_eq!(
        leg.poll_timeout(),
        Some((START + BIND_LAG, WakeReason::FirstBinds))
    );
    leg.handle_timeout(START + BIND_LAG);
    let binds = written(&mut leg, START + BIND_LAG);
    assert_eq!(methods(&binds), [METHOD_CHANNEL_BIND; 8]);
    assert!(binds.iter().all(|write| write.len() <= MAX_CELL_WRITE));
    assert!(binds.len() <= 3, "three binds share a cell");
}

#[test]
fn an_allocation_that_comes_early_brings_the_binds_forward() {
    let mut leg = leg_with(peers(2), 1);
    let probe = written(&mut leg, START).concat();
    leg.handle_input(&serve(&probe, &GRANT), START);
    let allocate = written(&mut leg, START).concat();
    leg.handle_input(&serve(&allocate, &GRANT), START);
    assert_eq!(methods(&written(&mut leg, START)), [METHOD_CHANNEL_BIND; 2]);
    let relayed = LegEvent::Allocated(RELAYED.into());
    assert_eq!(events(&mut leg), [relayed]);
}

#[test]
fn packets_travel_as_channel_data_of_452_bytes() {
    let (mut leg, now) = live(2);
    leg.send(LegIndex(1), &[5; PACKET_BYTES], now).unwrap();
    assert_eq!(
        written(&mut leg, now),
        [channel_data(0x4001, &[5; PACKET_BYTES])]
    );
    assert_eq!(channel_data(0x4001, &[5; PACKET_BYTES]).len(), 452);
    leg.handle_input(&channel_data(0x4000, &[6; PACKET_BYTES]), now);
    let packet = Packet {
        peer: LegIndex(0),
        bytes: [6; PACKET_BYTES],
        arrived_at: now,
    };
    assert_eq!(events(&mut leg), [LegEvent::Packet(packet)]);
}

#[test]
fn what_does_not_belong_is_dropped_and_counted() {
    let (mut leg, now) = live(1);
    leg.handle_input(&channel_data(0x4000, &[6; 447]), now);
    leg.handle_input(&channel_data(0x4001, &[6; PACKET_BYTES]), now);
    leg.handle_input(&channel_data(0x4fff, &[]), now);
    assert_eq!(events(&mut leg), []);
    assert_eq!(leg.drops().of(DropReason::WrongSize), 1);
    assert_eq!(leg.drops().of(DropReason::UnknownChannel), 2);
    assert_eq!(
        leg.send(LegIndex(9), &[0; PACKET_BYTES], now),
        Err(SendError::NotBound)
    );
}

#[test]
fn binds_that_overtook_the_allocate_are_repeated() {
    for early in [400, 437] {
        let (mut leg, sent, now) = challenged(peers(2));
        leg.handle_input(&respond(&sent[1], &Answer::SignedError(early)), now);
        leg.handle_input(&respond(&sent[0], &GRANT), now);
        leg.handle_input(&respond(&sent[2], &GRANT), now);
        let again = written(&mut leg, now);
        assert_eq!(methods(&again), [METHOD_CHANNEL_BIND]);
        leg.handle_input(&serve(&again.concat(), &GRANT), now);
        let bound = |n| LegEvent::Bound(LegIndex(n));
        assert_eq!(events(&mut leg)[1..], [bound(1), bound(0)]);
    }
}

#[test]
fn a_stale_nonce_is_replaced_and_the_request_repeated() {
    let (mut leg, sent, now) = challenged(peers(1));
    for request in &sent {
        leg.handle_input(&respond(request, &Answer::Error(438)), now);
    }
    let again = requests(&written(&mut leg, now).concat());
    let methods: Vec<_> = again.iter().map(|m| m.typ.method).collect();
    assert_eq!(methods, [METHOD_ALLOCATE, METHOD_CHANNEL_BIND]);
    assert!(
        again
            .iter()
            .all(|m| m.get(ATTR_NONCE).unwrap() == b"nonce438")
    );
    for request in &again {
        leg.handle_input(&respond(request, &GRANT), now);
    }
    assert_eq!(events(&mut leg).len(), 2);
}

#[test]
fn a_server_whose_nonces_are_always_stale_is_given_up() {
    let (mut leg, _, now) = challenged(Vec::new());
    let mut leg2 = leg_with(Vec::new(), 2);
    for _ in 0..6 {
        let sent = written(&mut leg2, now).concat();
        leg2.handle_input(&serve(&sent, &Answer::Error(438)), now);
    }
    assert_eq!(events(&mut leg2), [LegEvent::Failed(Failure::BadResponse)]);
    leg.close(now);
}

#[test]
fn every_error_has_its_failure() {
    let cases = [
        (Answer::Error(401), Failure::WrongCredentials { code: 401 }),
        (
            Answer::SignedError(441),
            Failure::WrongCredentials { code: 441 },
        ),
        (Answer::SignedError(437), Failure::AllocationMismatch),
        (Answer::SignedError(486), Failure::Quota { code: 486 }),
        (Answer::Error(508), Failure::Quota { code: 508 }),
        (Answer::Error(403), Failure::Refused { code: 403 }),
        (Answer::Error(300), Failure::Refused { code: 300 }),
        (Answer::Unsigned, Failure::NotAuthentic),
        (Answer::Forged, Failure::NotAuthentic),
        (Answer::Empty, Failure::BadResponse),
        (Answer::Grant(Duration::from_secs(1)), Failure::BadResponse),
    ];
    for (answer, failure) in cases {
        let (mut leg, sent, now) = challenged(peers(1));
        leg.handle_input(&respond(&sent[0], &answer), now);
        assert_eq!(events(&mut leg), [LegEvent::Failed(failure)], "{answer:?}");
        assert_eq!(leg.poll_timeout(), None);
        assert_eq!(
            leg.send(LegIndex(0), &[0; PACKET_BYTES], now),
            Err(SendError::Closed)
        );
    }
}

#[test]
fn a_server_that_asks_for_no_password_is_not_trusted() {
    let mut leg = leg_with(Vec::new(), 1);
    let probe = requests(&written(&mut leg, START).concat());
    leg.handle_input(&respond(&probe[0], &Answer::Unsigned), START);
    assert_eq!(events(&mut leg), [LegEvent::Failed(Failure::NotAuthentic)]);
}

#[test]
fn a_refused_bind_ends_that_peer_alone() {
    let (mut leg, sent, now) = challenged(peers(2));
    leg.handle_input(&respond(&sent[0], &GRANT), now);
    leg.handle_input(&respond(&sent[1], &Answer::SignedError(403)), now);
    leg.handle_input(&respond(&sent[2], &GRANT), now);
    let refused = LegEvent::PeerRefused(LegIndex(0), Refusal { code: 403 });
    assert_eq!(
        events(&mut leg)[1..],
        [refused, LegEvent::Bound(LegIndex(1))]
    );
    assert_eq!(
        leg.send(LegIndex(0), &[0; PACKET_BYTES], now),
        Err(SendError::NotBound)
    );
    assert_eq!(leg.send(LegIndex(1), &[0; PACKET_BYTES], now), Ok(()));
}

#[test]
fn a_silent_server_is_given_up_in_time() {
    let (mut leg, _, now) = challenged(peers(1));
    let (at, why) = leg.poll_timeout().unwrap();
    assert_eq!(
        (at, why),
        (START + REQUEST_TIMEOUT, WakeReason::RequestTimeout)
    );
    leg.handle_timeout(at);
    assert_eq!(events(&mut leg), [LegEvent::Failed(Failure::Timeout)]);
    assert!(at > now);
}

#[test]
fn an_hour_of_refreshes_keeps_everything_alive_at_random_times() {
    let (mut leg, mut now) = live(8);
    let mut bound_at = [now; 8];
    let mut refreshed_at = now;
    let end = now + Duration::from_secs(3600);
    let mut gaps = Vec::new();
    while let Some((at, why)) = leg.poll_timeout()
        && at < end
    {
        assert!(at > now, "a deadline lies ahead");
        assert_ne!(why, WakeReason::RequestTimeout);
        now = at;
        leg.handle_timeout(now);
        let sent = written(&mut leg, now);
        assert!(sent.iter().all(|write| write.len() <= MAX_CELL_WRITE));
        for request in requests(&sent.concat()) {
            if request.typ.method == METHOD_REFRESH {
                gaps.push(now.saturating_since(refreshed_at));
                refreshed_at = now;
            } else {
                let channel = super::codec::channel_of(&request);
                let last = &mut bound_at[usize::from(channel - 0x4000)];
                let gap = now.saturating_since(*last);
                assert!(
                    gap <= BIND_REFRESH.1 && gap >= Duration::from_secs(180),
                    "{gap:?}"
                );
                *last = now;
            }
            leg.handle_input(&respond(&request, &GRANT), now);
        }
    }
    assert_eq!(events(&mut leg), []);
    assert!(
        gaps.len() >= 7,
        "every allocation of 600 s is refreshed in time"
    );
    assert!(gaps.iter().all(|gap| (300..480).contains(&gap.as_secs())));
    gaps.dedup();
    assert!(gaps.len() > 5, "no fixed clock");
    assert!(bound_at.iter().any(|at| *at != bound_at[0]));
}

#[test]
fn a_lost_allocation_is_noticed_at_the_refresh() {
    let (mut leg, _) = live(0);
    let (now, _) = leg.poll_timeout().unwrap();
    leg.handle_timeout(now);
    let sent = written(&mut leg, now).concat();
    leg.handle_input(&serve(&sent, &Answer::SignedError(437)), now);
    assert_eq!(
        events(&mut leg),
        [LegEvent::Failed(Failure::AllocationMismatch)]
    );
}

#[test]
fn closing_gives_the_allocation_back() {
    let (mut leg, now) = live(1);
    leg.send(LegIndex(0), &[0; PACKET_BYTES], now).unwrap();
    leg.close(now);
    let sent = written(&mut leg, now);
    assert_eq!(methods(&sent), [METHOD_REFRESH]);
    assert_eq!(requests(&sent[0])[0].get(ATTR_LIFETIME).unwrap(), [0; 4]);
    assert_eq!((leg.poll_timeout(), leg.poll_event()), (None, None));
}

#[test]
fn a_peer_can_come_go_and_come_back_at_the_same_address() {
    let (mut leg, now) = live(1);
    let again = Peer::new(LegIndex(3), addr(0));
    assert_eq!(leg.add_peer(again, now), Err(PeerError::Known));
    leg.remove_peer(LegIndex(0));
    assert_eq!(
        leg.send(LegIndex(0), &[0; PACKET_BYTES], now),
        Err(SendError::NotBound)
    );
    leg.add_peer(again, now).unwrap();
    let sent = written(&mut leg, now).concat();
    leg.handle_input(&serve(&sent, &GRANT), now);
    assert_eq!(events(&mut leg), [LegEvent::Bound(LegIndex(3))]);
    leg.send(LegIndex(3), &[1; PACKET_BYTES], now).unwrap();
    assert_eq!(
        written(&mut leg, now),
        [channel_data(0x4000, &[1; PACKET_BYTES])]
    );
}

#[test]
fn a_contact_cannot_make_us_bind_without_end() {
    let (mut leg, now) = live(0);
    let mut taken = 0;
    for n in 0..1000u16 {
        let peer = Peer::new(
            LegIndex((n % 256) as u8),
            ([198, 51, 100, 1], 2000 + n).into(),
        );
        taken += usize::from(leg.add_peer(peer, now).is_ok());
        leg.remove_peer(peer.leg);
    }
    assert_eq!(taken, MAX_PEERS);
}

#[test]
fn private_candidates_and_relays_are_refused() {
    let config = TurnConfig {
        credentials: TurnCredentials::new("user", "password"),
        peers: vec![Peer::new(LegIndex(0), "10.0.0.1:5000".parse().unwrap())],
        candidates: CandidatePolicy::public_only(),
        seed: [1; 32],
    };
    let mut leg = TurnLeg::new(config, START);
    let refused = LegEvent::PeerRefused(LegIndex(0), Refusal { code: 0 });
    assert_eq!(events(&mut leg), [refused]);
    let local = Peer::new(LegIndex(1), "127.0.0.1:5000".parse().unwrap());
    assert_eq!(leg.add_peer(local, START), Err(PeerError::NotPublic));
    // This server's relayed address is one of the documentation's.
    super::hostile::let_in(&mut leg, START);
    assert_eq!(
        events(&mut leg),
        [LegEvent::Failed(Failure::RelayNotPublic)]
    );
}

#[test]
fn an_endless_message_ends_the_leg_before_memory_does() {
    for head in [
        [0x00, 0x01, 0xff, 0xfc],
        [0x40, 0x00, 0xff, 0xff],
        [0xff; 4],
    ] {
        let (mut leg, now) = live(0);
        leg.handle_input(&[head.as_slice(), &[0; 4096]].concat(), now);
        assert_eq!(events(&mut leg), [LegEvent::Failed(Failure::NotTurn)]);
    }
}

#[test]
fn the_same_seed_makes_the_same_bytes() {
    let sent = |seed| written(&mut leg_with(peers(2), seed), START);
    assert_eq!(sent(1), sent(1));
    assert_ne!(sent(1), sent(2));
}

#[test]
fn nothing_secret_is_printed() {
    let (leg, _) = live(1);
    let config = TurnConfig {
        credentials: TurnCredentials::new("canary-user", "canary-password"),
        peers: peers(1),
        candidates: CandidatePolicy::public_only(),
        seed: [1; 32],
    };
    let printed = format!("{leg:?} {:?} {:?}", config.credentials, config.peers);
    assert!(
        !printed.contains("canary") && !printed.contains("198.51"),
        "{printed}"
    );
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn hostile_bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..6000)) {
        crate::fuzz::fuzz_turn_bytes(&bytes);
        crate::fuzz::fuzz_onion_bytes(&bytes);
    }

    #[test]
    fn hostile_answers_never_panic(choices in prop::collection::vec(any::<u8>(), 0..60)) {
        crate::fuzz::fuzz_turn_answers(&choices);
    }

    #[test]
    fn damaged_responses_never_panic_and_never_succeed(
        at in 0usize..200, flip in 1u8.., cut in 0usize..200,
    ) {
        let (mut leg, sent, now) = challenged(peers(1));
        let mut response = respond(&sent[0], &GRANT);
        let at = at % response.len();
        response[at] ^= flip;
        leg.handle_input(&response[..response.len() - cut % 4 * 4], now);
        let allocated = events(&mut leg).iter().any(|e| matches!(e, LegEvent::Allocated(_)));
        prop_assert!(!allocated);
    }

    #[test]
    fn the_stream_may_be_cut_anywhere(cuts in prop::collection::vec(1usize..600, 1..30)) {
        let (mut leg, now) = live(1);
        let stream: Vec<u8> =
            (0..6u8).flat_map(|n| channel_data(0x4000, &[n; PACKET_BYTES])).collect();
        let mut rest = stream.as_slice();
        for cut in cuts.iter().cycle() {
            let (head, tail) = rest.split_at((*cut).min(rest.len()));
            leg.handle_input(head, now);
            rest = tail;
            if rest.is_empty() { break; }
        }
        prop_assert_eq!(events(&mut leg).len(), 6);
    }
}
