//! tacit-legs: a hostile TURN server, and hostile streams at an onion address.

use std::net::{Ipv4Addr, SocketAddr};

use tacit_legs::leg::{Leg, Peer};
use tacit_legs::{CandidatePolicy, JoinAcceptor, OnionLeg, TurnConfig, TurnCredentials, TurnLeg};
use tacit_types::limits::PACKET_BYTES;
use tacit_types::{LegIndex, SecretBytes, Timestamp};

/// Most operations on a machine in one run.
const MAX_STEPS: usize = 100;

/// A TURN server answers with whatever it likes. A piece of the input is sent as it is, or with the
/// transaction id of the client's last request put where an answer has it.
pub(crate) fn turn(bytes: &[u8]) {
    let mut now = Timestamp::ZERO;
    let peer = |leg: u8| {
        Peer::new(
            LegIndex(leg),
            SocketAddr::from((Ipv4Addr::new(203, 0, 113, 7), 50_000 + u16::from(leg))),
        )
    };
    let mut leg = TurnLeg::new(
        TurnConfig {
            credentials: TurnCredentials::new("user", "password"),
            peers: vec![peer(0), peer(1)],
            candidates: CandidatePolicy::dangerous_allow_local_candidates(),
            seed: [9; 32],
        },
        now,
    );
    let mut request = drain(&mut leg, now).unwrap_or_default();
    let mut rest = bytes;
    for _ in 0..MAX_STEPS {
        let Some(([op, length], tail)) = rest.split_first_chunk() else {
            break;
        };
        let (body, tail) = tail.split_at(tail.len().min(usize::from(*length) * 2));
        rest = tail;
        let mut body = body.to_vec();
        match op % 5 {
            0 => leg.handle_input(&body, now),
            1 | 2 => {
                if let (Some(id), Some(place)) = (request.get(8..20), body.get_mut(8..20)) {
                    place.copy_from_slice(id);
                }
                leg.handle_input(&body, now);
            }
            3 => {
                now += core::time::Duration::from_secs(u64::from(*length));
                leg.handle_timeout(now);
            }
            _ => {
                let _ = leg.add_peer(peer(*length), now);
                let _ = leg.send(LegIndex(*length), &[*op; PACKET_BYTES], now);
            }
        }
        request = drain(&mut leg, now).unwrap_or(request);
    }
}

/// A stream that was let in, cut anyhow.
pub(crate) fn onion_leg(bytes: &[u8]) {
    let now = Timestamp::ZERO;
    let mut leg = OnionLeg::accepted(LegIndex(3));
    let mut at = 0;
    while at < bytes.len() {
        let end = (at + 1 + usize::from(bytes[at])).min(bytes.len());
        leg.handle_input(&bytes[at..end], now);
        drain(&mut leg, now);
        at = end;
    }
}

/// Streams that want to become legs.
pub(crate) fn onion_join(bytes: &[u8]) {
    let mut now = Timestamp::ZERO;
    let mut acceptor = JoinAcceptor::new(now);
    for leg in 0..4 {
        acceptor.expect(LegIndex(leg), SecretBytes::new([0xa0 + leg; 32]));
    }
    for chunk in bytes.chunks(PACKET_BYTES).take(MAX_STEPS) {
        let Ok(mut join) = acceptor.open(now) else {
            break;
        };
        let room = join.unfilled();
        let used = room.len().min(chunk.len());
        room[..used].copy_from_slice(&chunk[..used]);
        join.advance(used);
        if let Ok(leg) = acceptor.finish(join, now) {
            assert_eq!(
                chunk[..32],
                [0xa0 + leg.0; 32],
                "only who knows the secret comes in"
            );
        }
        now += core::time::Duration::from_secs(1);
    }
}

/// Takes all that a leg gives; the last thing that it wrote.
fn drain(leg: &mut impl Leg, now: Timestamp) -> Option<Vec<u8>> {
    let mut written = None;
    for _ in 0..1000 {
        match leg.poll_transmit(now) {
            Some(bytes) => written = Some(bytes),
            None => {
                while leg.poll_event().is_some() {}
                return written;
            }
        }
    }
    panic!("a leg that never stops sending");
}
