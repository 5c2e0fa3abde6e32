//! Every way to ring wrongly gets the same answer at the same time, and nothing else.
#![allow(clippy::unwrap_used)]

mod common;

use common::{Pair, Scene, World, attaches, offer, psk_of, ring_frame, rng, secs};
use core::time::Duration;
use tacit_crypto::{BatchNumber, Generation, Mailbox, Token};
use tacit_signaling::frame::{Answer, Frame, FrameBytes, Opaque, Ring};
use tacit_signaling::limits::{MESSAGE_1_BYTES, NAK_DELAY};
use tacit_signaling::{
    Callee, CalleeEvent, CallerEvent, CloseReason, DropReason, Opening, PipeMessage, Rate,
    ServerConfig,
};
use tacit_types::MailboxId;

/// Rings on a stream of its own: the frames that came back, and how long after.
fn outcome(world: &mut World, frame: &FrameBytes) -> Vec<(Duration, FrameBytes)> {
    let conn = world.add_raw();
    world.raw(conn).clear();
    let start = world.now;
    world.inject(conn, frame);
    world.advance(secs(1));
    let came = world
        .raw(conn)
        .iter()
        .map(|(at, f)| (at.saturating_since(start), *f))
        .collect();
    world.leave(conn);
    came
}

fn assert_nak(world: &mut World, frame: &FrameBytes, why: &str) {
    assert_eq!(
        outcome(world, frame),
        [(NAK_DELAY, Frame::Nak.encode())],
        "{why}"
    );
}

fn with(frame: &FrameBytes, change: impl FnOnce(&mut FrameBytes)) -> FrameBytes {
    let mut changed = *frame;
    change(&mut changed);
    changed
}

#[test]
fn all_refusals_look_alike() {
    let pair = Pair::new(1);
    let other = Pair::new(2);
    let mut world = World::new(ServerConfig::operated());
    let callee = world.add_callee(pair.attaches());
    world.add_callee(other.attaches());
    let (token, _) = pair.holder.clone().next_token().unwrap();
    let good = pair.ring_frame(token);
    let cases = [
        ("wrong version", with(&good, |f| f[1] = 2)),
        ("version 0", with(&good, |f| f[1] = 0)),
        ("unknown mailbox", with(&good, |f| f[2..18].fill(0x33))),
        ("unknown purpose", with(&good, |f| f[18] = 9)),
        ("purpose of the reserved slots", with(&good, |f| f[18] = 3)),
        ("swapped generation", with(&good, |f| f[20] ^= 1)),
        ("reserved generation", with(&good, |f| f[19..21].fill(0xff))),
        (
            "index out of range",
            with(&good, |f| {
                f[21..23].copy_from_slice(&2048_u16.to_be_bytes())
            }),
        ),
        ("highest index", with(&good, |f| f[21..23].fill(0xff))),
        ("another index", with(&good, |f| f[22] ^= 1)),
        ("wrong tag", with(&good, |f| f[23] ^= 1)),
        ("padding", with(&good, |f| f[479] = 1)),
        (
            "another mailbox's token",
            ring_frame(&pair.mailbox, other.holder.clone().next_token().unwrap().0),
        ),
        ("unknown type", with(&good, |f| f[0] = 0)),
        ("zeros", [0; 480]),
        ("ones", [0xff; 480]),
        ("HELLO from a client", world_hello()),
        ("PIPE without a handle", with(&good, |f| f[0] = 0x12)),
        ("ANSWER without a handle", with(&good, |f| f[0] = 0x11)),
        ("CRED-GET without a TURN server", Frame::CredGet.encode()),
    ];
    for (why, frame) in cases {
        assert_nak(&mut world, &frame, why);
    }
    assert!(
        outcome(&mut world, &good).is_empty(),
        "none of this has burnt the token"
    );
    assert_nak(&mut world, &good, "spent token");
    world.leave(callee);
    let (fresh, _) = {
        let mut h = pair.holder.clone();
        h.next_token();
        h.next_token().unwrap()
    };
    assert_nak(&mut world, &pair.ring_frame(fresh), "callee offline");
}

fn world_hello() -> FrameBytes {
    let mut world = World::new(ServerConfig::operated());
    let conn = world.add_raw();
    world.raw(conn)[0].1
}

#[test]
fn an_empty_bucket_looks_like_the_rest_and_burns_nothing() {
    let pair = Pair::new(1);
    let mut world = World::new(ServerConfig::operated());
    world.add_callee(attaches(
        &pair.mailbox,
        Rate {
            burst: 2,
            interval: secs(30),
        },
    ));
    let mut holder = pair.holder.clone();
    let tokens: Vec<Token> = (0..3).map(|_| holder.next_token().unwrap().0).collect();
    assert!(outcome(&mut world, &pair.ring_frame(tokens[0])).is_empty());
    assert!(outcome(&mut world, &pair.ring_frame(tokens[1])).is_empty());
    assert_nak(&mut world, &pair.ring_frame(tokens[2]), "bucket empty");
    assert_eq!(world.server.drops().of(DropReason::BucketEmpty), 1);
    world.advance(secs(60));
    assert!(
        outcome(&mut world, &pair.ring_frame(tokens[2])).is_empty(),
        "still good"
    );
}

/// Bytes 0 to 38 of RING are the server's to check and 477 to 479 are padding: any flipped bit is
/// refused. Bytes 39 to 476 are message 1, which the callee drops in silence. Nothing is burnt.
#[test]
fn every_flipped_bit_of_a_ring_is_refused() {
    let mut pair = Pair::new(1);
    let mut world = World::new(ServerConfig::operated());
    let callee = world.add_callee(pair.attaches());
    let (token, psk) = pair.holder.next_token().unwrap();
    let frame = real_ring(&mut world, &pair, token, &psk);
    for byte in (0..39).chain(477..480) {
        for bit in 0..8 {
            let flipped = with(&frame, |f| f[byte] ^= 1 << bit);
            assert_nak(&mut world, &flipped, &format!("byte {byte} bit {bit}"));
        }
    }
    world.callee_events(callee);
    for byte in 38..477 {
        // A fresh server: the tag is right, so its bit would be taken. Its nonces are the same
        // again (one seed), so that only the flipped bit is wrong; byte 38 is the control.
        let mut world = World::new(ServerConfig::operated());
        let callee = world.add_callee(pair.attaches());
        world.callee_events(callee);
        let mask = if byte == 38 { 0 } else { 1 << (byte % 8) };
        let flipped = with(&frame, |f| f[byte] ^= mask);
        assert!(outcome(&mut world, &flipped).is_empty());
        let ring = world.the_ring(callee);
        if byte == 38 {
            pair.authenticate(ring).expect("the control rings");
            continue;
        }
        assert_eq!(
            pair.authenticate(ring).unwrap_err(),
            DropReason::NotAuthentic,
            "byte {byte}"
        );
    }
    assert!(
        pair.issuer
            .authorise(Generation(token.generation), token.index)
            .is_some()
    );
}

/// What the pair's caller would send on its next stream to `world`'s server, without its nonce: good
/// enough for everything that has to fail.
fn real_ring(world: &mut World, pair: &Pair, token: Token, psk: &tacit_crypto::Psk) -> FrameBytes {
    let conn = world.add_caller();
    let remote = pair.callee.public();
    let now = world.now;
    let opening = Opening::Call(offer(pair.holder.last_batch()));
    world
        .caller(conn)
        .ring(
            &tacit_signaling::RingTo {
                server: common::SERVER,
                mailbox: pair.mailbox.id(),
                token,
                local: &pair.caller,
                remote: &remote,
                psk: Some(psk),
                opening: &opening,
            },
            now,
        )
        .unwrap();
    let frame = world.caller(conn).poll_transmit().unwrap();
    world.leave(conn);
    frame
}

/// Flips a bit in each byte of each frame that callee and caller get: nobody moves, nobody panics.
#[test]
fn every_flipped_bit_of_an_answer_and_a_pipe_is_dropped() {
    let Scene {
        pair,
        mut world,
        callee,
        caller,
        ..
    } = Scene::rung();
    world.caller_events(caller);
    let ring = world.the_ring(callee);
    let handle = ring.handle();
    world.answer_ring(callee, &pair, ring);
    let now = world.now;
    let answer = world.callee(callee).poll_transmit().unwrap();
    for byte in 0..480 {
        let flipped = with(&answer, |f| f[byte] ^= 1 << (byte % 8));
        if (1..5).contains(&byte) {
            world.inject(callee, &flipped);
            assert!(
                world.caller_events(caller).is_empty(),
                "message 2 for another handle"
            );
        } else {
            world.caller(caller).handle_input(&flipped, now);
            assert!(world.caller_events(caller).is_empty(), "byte {byte}");
        }
    }
    world.inject(callee, &answer);
    assert!(matches!(
        &world.caller_events(caller)[..],
        [CallerEvent::Answered { .. }]
    ));
    world.caller(caller).send(&PipeMessage::Accept);
    let pipe = world.caller(caller).poll_transmit().unwrap();
    for byte in 0..480 {
        let flipped = with(&pipe, |f| f[byte] ^= 1 << (byte % 8));
        world.callee(callee).handle_input(&flipped, now);
    }
    assert!(world.callee_events(callee).is_empty());
    world.callee(callee).handle_input(&pipe, now);
    let events = world.callee_events(callee);
    assert!(
        matches!(&events[..], [CalleeEvent::Message { handle: h, message: PipeMessage::Accept }] if *h == handle)
    );
    world.callee(callee).handle_input(&pipe, now);
    assert!(
        world.callee_events(callee).is_empty(),
        "a replayed PIPE is dropped"
    );
}

#[test]
fn every_flipped_bit_of_an_attach_attaches_nothing_of_ours() {
    let pair = Pair::new(1);
    let attach = Frame::Attach(pair.attaches().remove(0)).encode();
    let (token, _) = pair.holder.clone().next_token().unwrap();
    for byte in 0..480 {
        let mut world = World::new(ServerConfig::operated());
        let conn = world.add_raw();
        world.inject(conn, &with(&attach, |f| f[byte] ^= 1 << (byte % 8)));
        let rang = outcome(&mut world, &pair.ring_frame(token)).is_empty();
        let rate_or_bitmap = (68..328).contains(&byte);
        assert!(!rang || rate_or_bitmap, "byte {byte}");
    }
}

#[test]
fn one_token_from_two_circuits_rings_once() {
    let pair = Pair::new(1);
    let mut world = World::new(ServerConfig::operated());
    let callee = world.add_callee(pair.attaches());
    let (a, b) = (world.add_raw(), world.add_raw());
    let frame = pair.ring_frame(pair.holder.clone().next_token().unwrap().0);
    world.server.handle_input(a, &frame, world.now);
    world.server.handle_input(b, &frame, world.now);
    world.settle();
    world.the_ring(callee);
    world.advance(secs(1));
    assert_eq!((world.raw(a).len(), world.raw(b).len()), (1, 2));
}

#[test]
fn a_replay_after_a_restart_is_refused_by_the_bitmap_and_by_the_callee() {
    let Scene {
        mut pair,
        mut world,
        callee,
        caller,
        token,
        psk,
    } = Scene::new();
    let stale = pair.attaches();
    world.ring_call(caller, &pair, (token, &psk), pair.holder.last_batch());
    let ring = world.the_ring(callee);
    let replay = ring.clone();
    pair.authenticate(ring).unwrap();
    assert!(
        pair.issuer
            .spend(&mut pair.mailbox, Generation(token.generation), token.index)
    );
    assert_eq!(
        pair.authenticate(replay).unwrap_err(),
        DropReason::BadIndex,
        "its PSK is gone"
    );

    let mut restarted = World::new(ServerConfig::operated());
    restarted.add_callee(pair.attaches());
    assert_nak(
        &mut restarted,
        &pair.ring_frame(token),
        "bitmap of the re-attach",
    );
    let mut rolled_back = World::new(ServerConfig::operated());
    let callee = rolled_back.add_callee(stale);
    assert!(outcome(&mut rolled_back, &pair.ring_frame(token)).is_empty());
    let ring = rolled_back.the_ring(callee);
    assert_eq!(pair.authenticate(ring).unwrap_err(), DropReason::BadIndex);
}

#[test]
fn a_reflected_message_1_is_no_answer_and_no_ring() {
    let Scene {
        pair,
        mut world,
        callee,
        caller,
        token,
        psk,
    } = Scene::rung();
    world.caller_events(caller);
    let ring = world.the_ring(callee);
    let mut message_2 = [0; 475];
    let message_1 = message_1_of(&mut world, &pair, token, &psk);
    message_2[..MESSAGE_1_BYTES].copy_from_slice(&message_1);
    let answer = Answer {
        handle: ring.handle(),
        message_2: Opaque(message_2),
    };
    world.inject(callee, &Frame::Answer(answer).encode());
    assert!(world.caller_events(caller).is_empty());
    assert_eq!(world.caller(caller).drops().of(DropReason::NotAuthentic), 1);
    // Sent back at the person who made it, under their own key pair.
    let reflected = ring.authenticate(&tacit_signaling::Authority {
        server: common::SERVER,
        mailbox: pair.mailbox.id(),
        token,
        local: &pair.caller,
        remote: Some(&pair.callee.public()),
        psk: Some(&psk),
    });
    assert_eq!(reflected.unwrap_err(), DropReason::NotAuthentic);
}

fn message_1_of(
    world: &mut World,
    pair: &Pair,
    token: Token,
    psk: &tacit_crypto::Psk,
) -> [u8; MESSAGE_1_BYTES] {
    match Frame::decode(&real_ring(world, pair, token, psk)) {
        Ok(Frame::Ring(Ring { message_1, .. })) => message_1.0,
        other => panic!("{other:?}"),
    }
}

/// The prologue binds server, mailbox, purpose, token and nonce: message 1 works nowhere else.
#[test]
fn message_1_is_bound_to_where_it_was_sent() {
    let Scene {
        pair,
        mut world,
        callee,
        token,
        psk,
        ..
    } = Scene::rung();
    let ring = world.the_ring(callee);
    let public = pair.caller.public();
    let good = tacit_signaling::Authority {
        server: common::SERVER,
        mailbox: pair.mailbox.id(),
        token,
        local: &pair.callee,
        remote: Some(&public),
        psk: Some(&psk),
    };
    let stranger = tacit_crypto::StaticKeypair::generate(&mut rng(9));
    let stranger_public = stranger.public();
    let (mut index, mut tag) = (token, token);
    index.index ^= 1;
    tag.tag[0] ^= 1;
    let wrong_psk = tacit_types::SecretBytes::new([3; 32]);
    let wrongs = [
        tacit_signaling::Authority {
            server: tacit_types::OnionKey([1; 32]),
            ..good
        },
        tacit_signaling::Authority {
            mailbox: MailboxId([1; 16]),
            ..good
        },
        tacit_signaling::Authority {
            token: index,
            ..good
        },
        tacit_signaling::Authority { token: tag, ..good },
        tacit_signaling::Authority {
            local: &stranger,
            ..good
        },
        tacit_signaling::Authority {
            remote: Some(&stranger_public),
            ..good
        },
        tacit_signaling::Authority {
            remote: None,
            ..good
        },
        tacit_signaling::Authority {
            psk: Some(&wrong_psk),
            ..good
        },
        tacit_signaling::Authority { psk: None, ..good },
    ];
    for (n, wrong) in wrongs.iter().enumerate() {
        assert_eq!(
            ring.clone().authenticate(wrong).unwrap_err(),
            DropReason::NotAuthentic,
            "{n}"
        );
    }
    assert!(ring.authenticate(&good).is_ok());
    // The same message 1 on a stream that was greeted with another nonce.
    let frame = real_ring(
        &mut world,
        &pair,
        pair.holder.clone().next_token().unwrap().0,
        &psk,
    );
    let other = world.add_raw();
    world.inject(other, &frame);
    let replayed = world.the_ring(callee);
    assert_eq!(
        replayed.authenticate(&good).unwrap_err(),
        DropReason::NotAuthentic
    );
    let _ = psk_of(&pair, &token);
}

#[test]
fn refusals_are_rationed_and_impatience_closes() {
    let mut world = World::new(ServerConfig::operated());
    let conn = world.add_raw();
    for _ in 0..16 {
        world.inject(conn, &[0; 480]);
        world.advance(secs(1));
    }
    assert!(world.closed.is_empty());
    world.inject(conn, &[0; 480]);
    assert_eq!(world.closed[&conn].1, CloseReason::Violation);
    let hasty = world.add_raw();
    world.inject(hasty, &[0; 480]);
    world.inject(hasty, &[0; 480]);
    assert_eq!(world.closed[&hasty].1, CloseReason::Violation);
}

/// An invite's and a RESYNC's token is in the reserved generation: checked, rationed, never spent.
#[test]
fn reserved_tokens_repeat_but_only_for_their_purposes() {
    let mailbox = Mailbox::generate(&mut rng(5));
    let mut world = World::new(ServerConfig::operated());
    world.add_callee(attaches(
        &mailbox,
        Rate {
            burst: 3,
            interval: secs(3600),
        },
    ));
    let token = mailbox.reserved_token(7);
    let join = with(&ring_frame(&mailbox, token), |f| f[18] = 2);
    assert_nak(
        &mut world,
        &ring_frame(&mailbox, token),
        "a call in a reserved slot",
    );
    for _ in 0..3 {
        assert!(outcome(&mut world, &join).is_empty());
    }
    assert_nak(&mut world, &join, "its bucket is empty");
    assert_nak(&mut world, &with(&join, |f| f[23] ^= 1), "wrong tag");
}

/// Bytes 1 to 4 of RING-IN are the handle, which only routes the answer; every other byte is bound.
#[test]
fn every_flipped_byte_of_a_ring_in_fails_at_the_callee() {
    let mut pair = Pair::new(1);
    let mut world = World::new(ServerConfig::operated());
    let callee = world.add_raw();
    world.inject(callee, &Frame::Attach(pair.attaches().remove(0)).encode());
    let caller = world.add_caller();
    let (token, psk) = pair.holder.next_token().unwrap();
    world.ring_call(caller, &pair, (token, &psk), BatchNumber(1));
    let ring_in = world.raw(callee).last().unwrap().1;
    let now = world.now;
    for byte in (5..480).chain([0, 1]) {
        let mut machine = Callee::embedded([1; 32]);
        machine.handle_input(&with(&ring_in, |f| f[byte] ^= 1 << (byte % 8)), now);
        let rings = match machine.poll_event() {
            Some(CalleeEvent::Ring(ring)) => pair.authenticate(ring).is_ok(),
            other => {
                assert!(other.is_none());
                false
            }
        };
        assert_eq!(rings, byte == 1, "byte {byte}");
    }
}

/// An ephemeral key of low order makes a Diffie-Hellman result all zero: refused in both messages.
#[test]
fn keys_of_low_order_are_dropped() {
    let Scene {
        pair,
        mut world,
        callee,
        caller,
        token,
        psk,
    } = Scene::new();
    let frame = real_ring(&mut world, &pair, token, &psk);
    let mut holder = pair.holder.clone();
    for low in [0_u8, 1] {
        let (fresh, _) = holder.next_token().unwrap();
        let conn = world.add_raw();
        let forged = with(&frame, |f| {
            f[19..39].copy_from_slice(&fresh.to_bytes());
            f[39..71].fill(0);
            f[39] = low;
        });
        world.inject(conn, &forged);
        let ring = world.the_ring(callee);
        assert_eq!(
            pair.authenticate(ring).unwrap_err(),
            DropReason::NotAuthentic
        );
    }
    world.ring_call(caller, &pair, (token, &psk), BatchNumber(1));
    let handle = world.the_ring(callee).handle();
    world.caller_events(caller);
    let answer = Answer {
        handle,
        message_2: Opaque([0; 475]),
    };
    world.inject(callee, &Frame::Answer(answer).encode());
    assert!(world.caller_events(caller).is_empty());
    assert_eq!(world.caller(caller).drops().of(DropReason::NotAuthentic), 1);
}
