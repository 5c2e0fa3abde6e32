//! Entry points for fuzzing: every parser of this crate, fed with hostile bytes. Nothing panics,
//! every deadline lies ahead, memory stays bounded; the functions assert it.

use tacit_types::limits::PACKET_BYTES;
use tacit_types::{LegIndex, SecretBytes, Timestamp};

use crate::candidate::CandidatePolicy;
use crate::leg::{Leg, Peer};
use crate::limits::MAX_QUEUED_EVENTS;
use crate::onion::{JoinAcceptor, OnionLeg};
use crate::turn::{TurnConfig, TurnCredentials, TurnLeg, hostile};

const NOW: Timestamp = Timestamp::from_micros(1_000_000);

/// A TURN leg with two peers, in its first state.
fn turn_leg() -> TurnLeg {
    let peer = |n: u8| Peer::new(LegIndex(n), ([192, 0, 2, n], 5000).into());
    let config = TurnConfig {
        credentials: TurnCredentials::new("user", "password"),
        peers: vec![peer(1), peer(2)],
        candidates: CandidatePolicy::dangerous_allow_local_candidates(),
        seed: [7; 32],
    };
    TurnLeg::new(config, NOW)
}

/// A TURN leg that relays to two peers, legs 1 and 2.
#[must_use]
pub fn live_turn_leg() -> TurnLeg {
    let mut leg = turn_leg();
    hostile::let_in(&mut leg, NOW);
    // The first binds follow the Allocate, whose answer came at once.
    drain(&mut leg, NOW);
    leg
}

fn drain(leg: &mut impl Leg, now: Timestamp) -> Vec<u8> {
    let events = core::iter::from_fn(|| leg.poll_event()).count();
    assert!(
        events <= MAX_QUEUED_EVENTS + usize::from(u8::MAX),
        "events are bounded"
    );
    let (mut all, mut out) = (Vec::new(), Vec::new());
    while leg.poll_transmit(now, &mut out).is_some() {
        all.extend_from_slice(&out);
    }
    all
}

/// Bytes from a TURN server that has said nothing yet, and from one that has let us in; time passes
/// until nothing is left to do.
pub fn fuzz_turn_bytes(bytes: &[u8]) {
    let mut fresh = turn_leg();
    let mut live = live_turn_leg();
    for leg in [&mut fresh, &mut live] {
        leg.handle_input(bytes, NOW);
        drain(leg, NOW);
        let mut now = NOW;
        for _ in 0..64 {
            let Some((at, _)) = leg.poll_timeout() else {
                break;
            };
            assert!(at > now, "a deadline must lie ahead");
            now = at;
            leg.handle_timeout(now);
            drain(leg, now);
        }
    }
}

/// A server that answers every request, correctly signed, in ways that the bytes choose.
pub fn fuzz_turn_answers(choices: &[u8]) {
    let mut leg = turn_leg();
    let mut now = NOW;
    for &choice in choices {
        let sent = drain(&mut leg, now);
        let answer = hostile::answer(&sent, choice);
        leg.handle_input(&answer, now);
        let _ = leg.send(LegIndex(1), &[choice; PACKET_BYTES], now);
        if let Some((at, _)) = leg.poll_timeout() {
            assert!(at > now, "a deadline must lie ahead");
            if choice & 1 == 0 {
                now = at;
                leg.handle_timeout(now);
            }
        }
    }
}

/// Bytes on an onion leg, and as somebody's join packet.
pub fn fuzz_onion_bytes(bytes: &[u8]) {
    let mut leg = OnionLeg::accepted(LegIndex(0));
    leg.handle_input(bytes, NOW);
    drain(&mut leg, NOW);
    let mut acceptor = JoinAcceptor::new(NOW);
    acceptor.expect(LegIndex(0), SecretBytes::new([1; 32]));
    let mut join = acceptor.open(NOW).expect("an idle acceptor takes a stream");
    let taken = bytes.len().min(PACKET_BYTES);
    join.unfilled()[..taken].copy_from_slice(&bytes[..taken]);
    join.advance(taken);
    let joined = acceptor.finish(join, NOW).is_ok();
    assert_eq!(joined, taken == PACKET_BYTES && bytes[..32] == [1; 32]);
}
