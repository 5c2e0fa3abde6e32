//! The server's limits, attachments, pings and credentials.
#![allow(clippy::unwrap_used)]

mod common;

use common::{FAST, Pair, World, attaches, rng, secs};
use core::time::Duration;
use tacit_crypto::{BatchNumber, Generation, Mailbox};
use tacit_signaling::frame::{
    AttachStatus, Attached, Cred, Credential, CredentialText, Frame, Ping, Transport,
};
use tacit_signaling::server::MAILBOX_BYTES;
use tacit_signaling::*;

fn last(world: &mut World, conn: ConnectionId) -> Frame {
    Frame::decode(&world.raw(conn).last().unwrap().1).unwrap()
}

fn attached(status: AttachStatus, generation: u16) -> Frame {
    Frame::Attached(Attached {
        status,
        generation: Generation(generation),
    })
}

fn attach_frame(mailbox: &Mailbox) -> FrameBytes {
    Frame::Attach(attaches(mailbox, FAST).pop().unwrap()).encode()
}

#[test]
fn hello_comes_first_with_a_nonce_of_its_own() {
    let mut world = World::new(ServerConfig::operated());
    let (a, b) = (world.add_raw(), world.add_raw());
    let (Frame::Hello(a), Frame::Hello(b)) = (last(&mut world, a), last(&mut world, b)) else {
        panic!()
    };
    assert_ne!(a.nonce, b.nonce);
    assert!(a.services.attach && !a.services.credentials);
}

#[test]
fn a_second_attach_replaces_the_first_and_tells_it_but_clears_nothing() {
    let pair = Pair::new(1);
    let mut world = World::new(ServerConfig::operated());
    let (first, second) = (world.add_raw(), world.add_raw());
    world.inject(first, &attach_frame(&pair.mailbox));
    assert_eq!(last(&mut world, first), attached(AttachStatus::Accepted, 0));
    let frame = pair.ring_frame(pair.holder.clone().next_token().unwrap().0);
    let caller = world.add_raw();
    world.inject(caller, &frame);
    assert!(matches!(last(&mut world, first), Frame::RingIn(_)));
    // The bitmap of this ATTACH does not have that bit.
    world.inject(second, &attach_frame(&pair.mailbox));
    assert_eq!(
        last(&mut world, second),
        attached(AttachStatus::Accepted, 0)
    );
    assert_eq!(last(&mut world, first), attached(AttachStatus::Replaced, 0));
    let replay = world.add_raw();
    world.inject(replay, &frame);
    world.advance(secs(1));
    assert_eq!(last(&mut world, replay), Frame::Nak);
    // The first one's leaving takes nothing from the second.
    world.leave(first);
    assert_eq!(world.server.mailboxes(), 1);
    world.leave(second);
    assert_eq!(world.server.mailboxes(), 0);
}

#[test]
fn at_most_two_generations_and_never_an_older_one_again() {
    let mut mailbox = Mailbox::generate(&mut rng(1));
    let mut frames = vec![attach_frame(&mailbox)];
    for _ in 0..3 {
        mailbox.open_generation();
        frames.push(attach_frame(&mailbox));
    }
    let mut world = World::new(ServerConfig::operated());
    let conn = world.add_raw();
    for (n, frame) in frames.iter().enumerate() {
        world.inject(conn, frame);
        assert_eq!(
            last(&mut world, conn),
            attached(AttachStatus::Accepted, n as u16)
        );
    }
    for n in [0_u16, 1] {
        world.inject(conn, &frames[usize::from(n)]);
        assert_eq!(last(&mut world, conn), attached(AttachStatus::Refused, n));
    }
    world.inject(conn, &frames[2]);
    assert_eq!(last(&mut world, conn), attached(AttachStatus::Accepted, 2));
    // A live generation's key is fixed.
    let mut other_key = frames[3];
    other_key[40] ^= 1;
    world.inject(conn, &other_key);
    assert_eq!(last(&mut world, conn), attached(AttachStatus::Refused, 3));
}

#[test]
fn a_connection_attaches_or_rings_never_both() {
    let (pair, own) = (Pair::new(1), Mailbox::generate(&mut rng(8)));
    let mut world = World::new(ServerConfig::operated());
    let callee = world.add_raw();
    world.inject(callee, &attach_frame(&pair.mailbox));
    let ring = pair.ring_frame(pair.holder.clone().next_token().unwrap().0);
    let conn = world.add_raw();
    world.inject(conn, &attach_frame(&own));
    world.inject(conn, &ring);
    world.advance(secs(1));
    assert_eq!(
        last(&mut world, conn),
        attached(AttachStatus::Accepted, 0),
        "nothing came of it"
    );
    let caller = world.add_raw();
    world.inject(caller, &ring);
    world.inject(caller, &attach_frame(&own));
    world.advance(secs(1));
    assert!(matches!(last(&mut world, caller), Frame::Hello(_)));
    // One mailbox a connection.
    world.inject(conn, &attach_frame(&Mailbox::generate(&mut rng(9))));
    assert_eq!(last(&mut world, conn), attached(AttachStatus::Refused, 0));
    assert_eq!(world.server.mailboxes(), 2);
}

#[test]
fn an_embedded_server_takes_no_attach_from_the_network() {
    let pair = Pair::new(1);
    let mut world = World::new(ServerConfig::Embedded);
    let conn = world.add_raw();
    world.inject(conn, &attach_frame(&pair.mailbox));
    world.advance(secs(1));
    assert_eq!(last(&mut world, conn), Frame::Nak);
    assert_eq!(world.server.mailboxes(), 0);
}

#[test]
fn only_eight_streams_may_be_unauthenticated_and_silent_ones_go_first() {
    let mut pair = Pair::new(1);
    let mut world = World::new(ServerConfig::Embedded);
    let owner = world.add_owner(&pair.attaches());
    // One that has authenticated does not count.
    let (token, psk) = pair.holder.next_token().unwrap();
    let caller = world.add_caller();
    world.ring_call(caller, &pair, (token, &psk), BatchNumber(1));
    world.answer_call(owner, &pair);
    world.settle();
    let streams: Vec<_> = (0..8).map(|_| world.add_raw()).collect();
    assert!(world.closed.is_empty());
    // The oldest has spoken, so the second oldest goes.
    world.inject(
        streams[0],
        &Frame::Ping(Ping {
            echo: false,
            number: 1,
        })
        .encode(),
    );
    world.add_raw();
    assert_eq!(world.closed.keys().collect::<Vec<_>>(), [&streams[1]]);
    assert_eq!(world.closed[&streams[1]].1, CloseReason::Crowded);
}

#[test]
fn an_operated_server_has_a_hard_total() {
    let config = ServerConfig::Operated {
        max_connections: 3,
        credentials: false,
    };
    let mut world = World::new(config);
    let conns: Vec<_> = (0..4).map(|_| world.add_raw()).collect();
    assert_eq!(world.closed.keys().collect::<Vec<_>>(), [&conns[3]]);
    assert!(world.raw(conns[3]).is_empty());
    world.leave(conns[0]);
    let again = world.add_raw();
    assert_eq!(world.raw(again).len(), 1);
}

#[test]
fn silence_and_partial_frames_close_a_connection() {
    let mut world = World::new(ServerConfig::operated());
    let (silent, slow, talker) = (world.add_raw(), world.add_raw(), world.add_raw());
    let start = world.now;
    world.server.frame_started(slow, start);
    world.advance(secs(2));
    world.server.frame_started(slow, world.now);
    world.inject(
        talker,
        &Frame::Ping(Ping {
            echo: false,
            number: 1,
        })
        .encode(),
    );
    world.advance(secs(200));
    let closed = |conn| {
        let (at, reason): (tacit_types::Timestamp, _) = world.closed[&conn];
        (at.saturating_since(start), reason)
    };
    assert_eq!(closed(slow), (secs(5), CloseReason::PartialFrame));
    assert_eq!(closed(silent), (secs(60), CloseReason::Idle));
    assert_eq!(closed(talker), (secs(122), CloseReason::Idle));
    assert_eq!(world.server.connections(), 0);
    assert_eq!(world.server.poll_timeout(), None);
}

#[test]
fn a_ping_is_echoed_once_and_rationed() {
    let mut world = World::new(ServerConfig::operated());
    let conn = world.add_raw();
    for number in 0..30 {
        world.inject(
            conn,
            &Frame::Ping(Ping {
                echo: false,
                number,
            })
            .encode(),
        );
        world.inject(conn, &Frame::Ping(Ping { echo: true, number }).encode());
    }
    let echoes = world.raw(conn).len() - 1;
    assert_eq!(echoes, 8, "sixteen at once, every other one an echo");
    assert_eq!(
        last(&mut world, conn),
        Frame::Ping(Ping {
            echo: true,
            number: 7
        })
    );
}

#[test]
fn honest_clients_ping_between_20_and_40_seconds_and_stay_connected() {
    let pair = Pair::new(1);
    let mut world = World::new(ServerConfig::operated());
    let (callee, caller) = (world.add_callee(pair.attaches()), world.add_caller());
    world.advance(secs(3600));
    assert!(world.closed.is_empty());
    assert!(
        world
            .callee_events(callee)
            .iter()
            .all(|e| matches!(e, CalleeEvent::Attached(_)))
    );
    assert!(
        world
            .caller_events(caller)
            .iter()
            .all(|e| matches!(e, CallerEvent::Ready(_)))
    );
    assert_eq!(world.server.drops().total(), 0);
}

#[test]
fn a_handle_expires_and_a_callee_that_leaves_takes_its_callers_along() {
    let pair = Pair::new(1);
    let mut world = World::new(ServerConfig::operated());
    let callee = world.add_callee(pair.attaches());
    let mut holder = pair.holder.clone();
    let expiring = world.add_caller();
    let (token, psk) = holder.next_token().unwrap();
    world.ring_call(expiring, &pair, (token, &psk), BatchNumber(1));
    world.answer_call(callee, &pair);
    world.settle();
    world.caller(expiring).ring_over();
    world.advance(secs(181));
    assert_eq!(world.closed[&expiring].1, CloseReason::HandleExpired);
    let waiting = world.add_raw();
    world.inject(waiting, &pair.ring_frame(holder.next_token().unwrap().0));
    world.leave(callee);
    assert_eq!(world.closed[&waiting].1, CloseReason::PeerGone);
}

#[test]
fn too_many_pipe_frames_close_the_pipe() {
    let mut pair = Pair::new(1);
    let mut world = World::new(ServerConfig::operated());
    let (callee, caller) = (world.add_callee(pair.attaches()), world.add_caller());
    let (token, psk) = pair.holder.next_token().unwrap();
    world.ring_call(caller, &pair, (token, &psk), BatchNumber(1));
    let ring = world.the_ring(callee);
    let handle = ring.handle();
    world.answer_ring(callee, &pair, ring);
    world.settle();
    for _ in 0..32 {
        world.callee(callee).send(handle, &PipeMessage::Cover);
        world.caller(caller).send(&PipeMessage::Cover);
    }
    world.settle();
    assert!(world.closed.is_empty());
    world.callee(callee).send(handle, &PipeMessage::Cover);
    world.settle();
    assert_eq!(world.closed[&caller].1, CloseReason::Violation);
}

#[test]
fn handles_towards_a_mailbox_are_bounded() {
    let mailbox = Mailbox::generate(&mut rng(5));
    let mut world = World::new(ServerConfig::operated());
    world.add_callee(attaches(&mailbox, FAST));
    let mut join = common::ring_frame(&mailbox, mailbox.reserved_token(0));
    join[18] = 2;
    let conns: Vec<_> = (0..33).map(|_| world.add_raw()).collect();
    for conn in &conns {
        world.inject(*conn, &join);
    }
    world.advance(secs(1));
    assert_eq!(last(&mut world, conns[32]), Frame::Nak);
    world.leave(conns[0]);
    world.inject(conns[32], &join);
    world.advance(secs(1));
    assert_eq!(world.raw(conns[32]).len(), 2, "room again");
}

#[test]
fn credentials_come_on_a_connection_of_their_own_and_are_rationed() {
    let config = ServerConfig::Operated {
        max_connections: 10,
        credentials: true,
    };
    let (pair, mut world) = (Pair::new(1), World::new(config));
    let callee = world.add_raw();
    world.inject(callee, &attach_frame(&pair.mailbox));
    let conn = world.add_raw();
    let text = |s| CredentialText::new(s).unwrap();
    let cred = Cred {
        transport: Transport::Tls,
        server: ([192, 0, 2, 1], 5349).into(),
        key_pin: [1; 32],
        lifetime_seconds: 7200,
        credentials: vec![Credential {
            user: text("1:a"),
            password: text("p"),
        }],
    };
    let get = Frame::CredGet.encode();
    for _ in 0..4 {
        world.inject(conn, &get);
        assert_eq!(world.credentials_wanted.pop(), Some(conn));
        world.server.credentials(conn, &cred, world.now);
        world.server.credentials(conn, &cred, world.now);
        world.settle();
    }
    assert_eq!(world.raw(conn).len(), 5, "one answer for each request");
    assert_eq!(last(&mut world, conn), Frame::Cred(cred));
    world.inject(conn, &get);
    world.advance(secs(1));
    assert_eq!(last(&mut world, conn), Frame::Nak);
    world.advance(Duration::from_secs(59));
    world.inject(conn, &get);
    assert_eq!(world.credentials_wanted.pop(), Some(conn));
    world.inject(
        conn,
        &pair.ring_frame(pair.holder.clone().next_token().unwrap().0),
    );
    world.advance(secs(1));
    assert!(
        world.raw(callee).iter().all(|(_, f)| f[0] != 0x0f),
        "it does not ring as well"
    );
}

#[test]
fn a_mailbox_takes_no_more_than_promised() {
    println!("{MAILBOX_BYTES} bytes a mailbox with two generations");
    const { assert!(MAILBOX_BYTES <= 700) };
}

#[test]
fn nothing_printed_names_a_mailbox() {
    let pair = Pair::new(1);
    let mut world = World::new(ServerConfig::operated());
    world.add_callee(pair.attaches());
    let id = pair.mailbox.id().0;
    let attach = pair.attaches().remove(0);
    let shown = format!(
        "{:?} {attach:?} {:?}",
        world.server,
        Frame::Attach(attach.clone())
    );
    let bytes = format!("{}, {}, {}", id[0], id[1], id[2]);
    assert!(shown.contains("redacted") && !shown.contains(&bytes));
}
