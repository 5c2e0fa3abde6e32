//! Whole exchanges in memory: join, call, refill, resync, resume, over an operated and an embedded
//! server.
#![allow(clippy::unwrap_used)]

mod common;

use common::{Invite, Pair, SERVER, World, attaches, offer, psk_of, reply, rng, secs};
use core::time::Duration;
use tacit_crypto::{
    BatchNumber, Generation, HolderWallet, IssuerWallet, Mailbox, SessionKeys, StaticKeypair,
};
use tacit_signaling::payload::{
    AddressMove, Candidates, ContactAddress, Hosting, JoinOffer, JoinReply, ResyncOffer,
    ResyncReply, Status,
};
use tacit_signaling::*;
use tacit_types::{LegKind, Role, SecretBytes};

fn address(mailbox: &Mailbox) -> AddressMove {
    let address = ContactAddress {
        hosting: Hosting::Embedded,
        server: SERVER,
        mailbox: mailbox.id(),
        discovery: Some(SecretBytes::new([8; 32])),
    };
    AddressMove {
        sequence: 1,
        address,
        resync: Some(mailbox.reserved_token(0)),
    }
}

fn answered(events: Vec<CallerEvent>) -> (Response, SessionKeys) {
    for event in events {
        if let CallerEvent::Answered { response, keys } = event {
            return (*response, *keys);
        }
    }
    panic!("no answer")
}

fn the_message(events: Vec<CalleeEvent>) -> (Handle, PipeMessage) {
    let mut messages = events.into_iter().filter_map(|event| match event {
        CalleeEvent::Message { handle, message } => Some((handle, message)),
        _ => None,
    });
    messages.next().expect("a message")
}

/// Join over an invite's own mailbox, then a call and a call back with the tokens that it brought.
#[test]
fn a_join_gives_both_sides_what_they_need_to_ring() {
    let mut rng = rng(3);
    let invite = Invite::new(&mut rng);
    let joiner = StaticKeypair::generate(&mut rng);
    let (mut inviter_box, mut joiner_box) =
        (Mailbox::generate(&mut rng), Mailbox::generate(&mut rng));
    let mut world = World::new(ServerConfig::Embedded);
    let owner = world.add_owner(&attaches(&invite.mailbox, common::FAST));
    let conn = world.add_caller();

    let opening = Opening::Join(JoinOffer {
        highest_version: 1,
        address: address(&joiner_box),
        refill: None,
    });
    let ring = invite.join(&mut world, (owner, conn), &joiner, &opening);
    let now = world.now;
    assert_eq!(ring.remote_static(), joiner.public());
    assert_eq!(ring.opening(), &opening);

    let handle = ring.handle();
    let response = Response::Join(JoinReply {
        status: Status::Done,
        highest_version: 1,
        address: Some(address(&inviter_box)),
        refill: None,
    });
    let callee_keys = world.callee(owner).answer(ring, &response, now).unwrap();
    world.settle();
    let (got, caller_keys) = answered(world.caller_events(conn));
    assert_eq!(got, response);
    assert_eq!(caller_keys.handshake_hash(), callee_keys.handshake_hash());

    // First batches stand on the handshake's root, which exists now: they go by PIPE.
    let wallets = |keys: &SessionKeys, mailbox: &mut Mailbox, me: Role| {
        let mut issuer = IssuerWallet::new(keys.first_batch_secret(me), me);
        let refill = issuer.refill(mailbox, BatchNumber(0), 16, 16);
        let holder = HolderWallet::new(keys.first_batch_secret(me.peer()), me.peer());
        (
            holder,
            PipeMessage::Refill {
                last_batch: BatchNumber(0),
                refill,
            },
        )
    };
    let (mut joiners, refill) = wallets(&caller_keys, &mut joiner_box, Role::Caller);
    assert!(world.caller(conn).send(&refill));
    world.settle();
    let (mut inviters, back) = wallets(&callee_keys, &mut inviter_box, Role::Callee);
    let (from, message) = the_message(world.callee_events(owner));
    assert_eq!((from, &message), (handle, &refill));
    take(&mut inviters, &joiner_box, message);
    assert!(world.callee(owner).send(handle, &back));
    world.settle();
    let [CallerEvent::Message(message)] = &world.caller_events(conn)[..] else {
        panic!()
    };
    take(&mut joiners, &inviter_box, message.clone());
    assert_eq!((joiners.remaining(), inviters.remaining()), (16, 16));
    let confirm = PipeMessage::Confirm {
        last_batch: joiners.last_batch(),
    };
    assert!(world.caller(conn).send(&confirm));
    world.settle();
    assert_eq!(the_message(world.callee_events(owner)).1, confirm);
    // A silent purpose does not ring, so nothing ends by a timer.
    world.advance(secs(100));
    assert!(
        !world
            .caller_events(conn)
            .iter()
            .any(|e| matches!(e, CallerEvent::NoAnswer))
    );
}

fn take(wallet: &mut HolderWallet, issued_by: &Mailbox, message: PipeMessage) {
    let PipeMessage::Refill {
        refill: Some(refill),
        ..
    } = message
    else {
        panic!()
    };
    wallet.accept_refill(&issued_by.id(), &refill).unwrap();
}

/// Another static key under the same invite gets an authenticated "used".
#[test]
fn a_second_joiner_is_told_that_the_invite_is_used() {
    let mut rng = rng(4);
    let invite = Invite::new(&mut rng);
    let mut world = World::new(ServerConfig::Embedded);
    let owner = world.add_owner(&attaches(&invite.mailbox, common::FAST));
    let mut first = None;
    for n in 0..3 {
        let joiner = if n == 1 {
            first.clone().unwrap()
        } else {
            StaticKeypair::generate(&mut rng)
        };
        let conn = world.add_caller();
        let opening = Opening::Join(JoinOffer {
            highest_version: 1,
            address: address(&invite.mailbox),
            refill: None,
        });
        let ring = invite.join(&mut world, (owner, conn), &joiner, &opening);
        let now = world.now;
        let taken = first.get_or_insert(joiner.clone()).public() != ring.remote_static();
        let reply = if taken {
            JoinReply::used(1)
        } else {
            let address = Some(address(&invite.mailbox));
            JoinReply {
                status: Status::Done,
                highest_version: 1,
                address,
                refill: None,
            }
        };
        world
            .callee(owner)
            .answer(ring, &Response::Join(reply), now)
            .unwrap();
        world.settle();
        let (Response::Join(got), _) = answered(world.caller_events(conn)) else {
            panic!()
        };
        assert_eq!(got.status, if n == 2 { Status::Used } else { Status::Done });
    }
}

/// Call with TURN legs: candidates in message 1, the callee's by PIPE; refills ride along; accept.
#[test]
fn a_call_over_an_operated_server() {
    let mut pair = Pair::new(1);
    let mut world = World::new(ServerConfig::operated());
    let callee = world.add_callee(pair.attaches());
    assert!(matches!(
        &world.callee_events(callee)[..],
        [CalleeEvent::Attached(Generation(0))]
    ));
    for _ in 0..3 {
        let caller = world.add_caller();
        assert!(matches!(
            &world.caller_events(caller)[..],
            [CallerEvent::Ready(_)]
        ));
        call_once(&mut world, &mut pair, callee, caller);
        assert_eq!(pair.holder.remaining(), 16, "refills keep the wallet full");
        // The stream closes after its delay.
        let now = world.now;
        world.caller(caller).close_later(now);
        world.advance(secs(60));
        assert!(
            world
                .caller_events(caller)
                .iter()
                .any(|e| matches!(e, CallerEvent::Close))
        );
        let closed = world.callee_events(callee);
        assert!(closed.iter().any(|e| matches!(e, CalleeEvent::Closed(_))));
        world.leave(caller);
    }
}

fn call_once(world: &mut World, pair: &mut Pair, callee: ConnectionId, caller: ConnectionId) {
    let (token, psk) = pair.holder.next_token().unwrap();
    let candidates =
        |last| Candidates::new([192, 0, 2, last].into(), (50_000..50_016).collect()).unwrap();
    let mut wanted = offer(pair.holder.last_batch());
    wanted.leg_kind = LegKind::Turn;
    wanted.candidates = Some(candidates(1));
    let opening = Opening::Call(wanted.clone());
    world.ring(caller, pair, token, &psk, &opening);
    let ring = world.the_ring(callee);
    let ring = pair.authenticate(ring).unwrap();
    assert_eq!(ring.opening(), &opening);
    assert_eq!(world.caller(caller).rank(), Some(ring.rank()));
    let (generation, index) = (Generation(token.generation), token.index);
    assert!(pair.issuer.spend(&mut pair.mailbox, generation, index));
    let mut answer = reply();
    answer.leg_kind = LegKind::Turn;
    answer.refill = pair
        .issuer
        .refill(&mut pair.mailbox, wanted.last_batch, 16, 16);
    let now = world.now;
    let keys = world
        .callee(callee)
        .answer(ring, &Response::Call(answer), now)
        .unwrap();
    world.settle();
    let (Response::Call(got), mine) = answered(world.caller_events(caller)) else {
        panic!()
    };
    assert_eq!(
        keys.leg_secret(tacit_types::LegIndex(3)),
        mine.leg_secret(tacit_types::LegIndex(3))
    );
    assert!(pair.holder.consumed(&token));
    pair.holder
        .accept_refill(&pair.mailbox.id(), &got.refill.unwrap())
        .unwrap();
    let confirm = PipeMessage::Confirm {
        last_batch: pair.holder.last_batch(),
    };
    world.caller(caller).send(&confirm);
    world.settle();
    let (handle, message) = the_message(world.callee_events(callee));
    assert_eq!(message, confirm);
    pair.issuer
        .acknowledge(&mut pair.mailbox, pair.holder.last_batch());
    for message in [PipeMessage::Candidates(candidates(2)), PipeMessage::Accept] {
        world.callee(callee).send(handle, &message);
        world.settle();
        let events = world.caller_events(caller);
        assert!(matches!(&events[..], [CallerEvent::Message(m)] if *m == message));
    }
    world.advance(secs(46));
    let late = world.caller_events(caller);
    assert!(
        !late.iter().any(|e| matches!(e, CallerEvent::NoAnswer)),
        "accepted in time"
    );
    world.callee(callee).close_later(handle, now);
}

#[test]
fn an_unanswered_call_ends_after_45_seconds_on_both_sides_then_closes_at_random() {
    let mut delays = Vec::new();
    for n in 1..6 {
        let mut pair = Pair::new(n);
        let mut world = World::new(ServerConfig::operated());
        for _ in 0..n {
            world.id();
        }
        let callee = world.add_callee(pair.attaches());
        let caller = world.add_caller();
        let (token, psk) = pair.holder.next_token().unwrap();
        world.ring_call(caller, &pair, (token, &psk), BatchNumber(0));
        world.answer_call(callee, &pair);
        world.settle();
        world.caller_events(caller);
        world.advance(Duration::from_millis(44_999));
        assert!(world.caller_events(caller).is_empty() && world.callee_events(callee).is_empty());
        world.advance(Duration::from_millis(1));
        assert!(matches!(
            &world.caller_events(caller)[..],
            [CallerEvent::NoAnswer]
        ));
        assert!(matches!(
            &world.callee_events(callee)[..],
            [CalleeEvent::RingEnded(_)]
        ));
        let ended = world.now;
        while world.caller_events(caller).is_empty() {
            let before = world.now;
            world.advance(Duration::from_millis(100));
            assert!(before < ended + secs(60), "closes within a minute");
        }
        delays.push(world.now.saturating_since(ended));
    }
    assert!(
        delays
            .iter()
            .all(|d| *d >= secs(5) && *d <= secs(60) + Duration::from_millis(100))
    );
    assert!(delays.iter().any(|d| *d != delays[0]), "{delays:?}");
}

#[test]
fn a_ring_that_no_device_answers_ends_too() {
    let mut pair = Pair::new(1);
    let mut world = World::new(ServerConfig::operated());
    world.add_callee(pair.attaches());
    let caller = world.add_caller();
    let (token, psk) = pair.holder.next_token().unwrap();
    world.ring_call(caller, &pair, (token, &psk), BatchNumber(0));
    world.caller_events(caller);
    world.advance(secs(45));
    assert!(matches!(
        &world.caller_events(caller)[..],
        [CallerEvent::NoAnswer]
    ));
}

#[test]
fn a_refused_ring_can_be_tried_again_on_the_same_stream() {
    let mut pair = Pair::new(1);
    let mut world = World::new(ServerConfig::operated());
    let caller = world.add_caller();
    let (token, psk) = pair.holder.next_token().unwrap();
    world.ring_call(caller, &pair, (token, &psk), BatchNumber(0));
    world.advance(secs(1));
    let events = world.caller_events(caller);
    assert!(
        matches!(&events[..], [CallerEvent::Ready(_), CallerEvent::Refused]),
        "{events:?}"
    );
    let callee = world.add_callee(pair.attaches());
    let (next, psk) = pair.holder.next_token().unwrap();
    assert_ne!(next, token, "the tried one waits");
    world.ring(
        caller,
        &pair,
        next,
        &psk,
        &Opening::Call(offer(BatchNumber(0))),
    );
    let ring = world.the_ring(callee);
    pair.authenticate(ring).unwrap();
}

#[test]
fn a_resync_replaces_both_wallets_on_its_third_message() {
    let mut pair = Pair::new(1);
    let token = pair.mailbox.reserved_token(0);
    let mut world = World::new(ServerConfig::operated());
    let callee = world.add_callee(pair.attaches());
    let caller = world.add_caller();
    let opening = Opening::Resync(ResyncOffer {
        highest_version: 1,
        last_batch: pair.holder.last_batch(),
        refill: None,
        resync: Some(token),
    });
    let (now, remote) = (world.now, pair.callee.public());
    let to = RingTo {
        server: SERVER,
        mailbox: pair.mailbox.id(),
        token,
        local: &pair.caller,
        remote: &remote,
        psk: None,
        opening: &opening,
    };
    world.caller(caller).ring(&to, now).unwrap();
    world.settle();
    let public = pair.caller.public();
    let authority = Authority {
        server: SERVER,
        mailbox: pair.mailbox.id(),
        token,
        local: &pair.callee,
        remote: Some(&public),
        psk: None,
    };
    let incoming = world.the_ring(callee);
    let replay = incoming.clone();
    let ring = incoming.authenticate(&authority).unwrap();
    let handle = ring.handle();
    let response = Response::Resync(ResyncReply {
        status: Status::Done,
        highest_version: 1,
        last_batch: BatchNumber(0),
        refill: None,
        resync: Some(token),
    });
    let keys = world.callee(callee).answer(ring, &response, now).unwrap();
    world.settle();
    let (got, caller_keys) = answered(world.caller_events(caller));
    assert_eq!(got, response);
    // The new start: issued under the handshake's root, good once the caller shows that it has it.
    let (old, last) = (
        pair.holder.clone().next_token().unwrap().0,
        pair.holder.last_batch(),
    );
    let first = keys.first_batch_secret(Role::Callee);
    let (wallet, mailbox) = (&mut pair.issuer, &mut pair.mailbox);
    let refill = wallet.begin_resync(mailbox, first, Role::Callee, last, 16);
    let message = PipeMessage::Refill {
        last_batch: BatchNumber(0),
        refill,
    };
    world.callee(callee).send(handle, &message);
    world.settle();
    let [
        CallerEvent::Message(PipeMessage::Refill {
            refill: Some(refill),
            ..
        }),
    ] = &world.caller_events(caller)[..]
    else {
        panic!()
    };
    let first = caller_keys.first_batch_secret(Role::Callee);
    pair.holder
        .accept_resync(&pair.mailbox.id(), refill, first, Role::Callee)
        .unwrap();
    let confirm = PipeMessage::Confirm {
        last_batch: pair.holder.last_batch(),
    };
    world.caller(caller).send(&confirm);
    world.settle();
    assert_eq!(the_message(world.callee_events(callee)).1, confirm);
    assert!(
        pair.issuer
            .authorise(Generation(old.generation), old.index)
            .is_some()
    );
    pair.issuer
        .acknowledge(&mut pair.mailbox, pair.holder.last_batch());
    assert!(
        pair.issuer
            .authorise(Generation(old.generation), old.index)
            .is_none()
    );
    let (fresh, _) = pair.holder.next_token().unwrap();
    assert!(
        pair.issuer
            .authorise(Generation(fresh.generation), fresh.index)
            .is_some()
    );

    // KK has no PSK, so a server could replay message 1: it authenticates, but whoever replays it
    // cannot make the third message.
    let ring = replay.authenticate(&authority).unwrap();
    world.callee(callee).answer(ring, &response, now).unwrap();
    let old = world.caller(caller);
    old.send(&confirm);
    let frame = old.poll_transmit().unwrap();
    world.callee(callee).handle_input(&frame, now);
    assert!(world.callee_events(callee).is_empty());
}

#[test]
fn a_resume_is_answered_without_ringing() {
    let mut pair = Pair::new(1);
    let mut world = World::new(ServerConfig::Embedded);
    let owner = world.add_owner(&pair.attaches());
    let caller = world.add_caller();
    let (token, psk) = pair.holder.next_token().unwrap();
    world.ring(
        caller,
        &pair,
        token,
        &psk,
        &Opening::Resume(offer(BatchNumber(1))),
    );
    let ring = world.the_ring(owner);
    assert_eq!(ring.purpose(), tacit_crypto::Purpose::Resume);
    let ring = pair.authenticate(ring).unwrap();
    assert!(matches!(ring.opening(), Opening::Resume(_)));
    let now = world.now;
    world
        .callee(owner)
        .answer(ring, &Response::Call(reply()), now)
        .unwrap();
    world.settle();
    answered(world.caller_events(caller));
    world.advance(secs(50));
    assert!(world.callee_events(owner).is_empty());
    let _ = psk_of(&pair, &token);
}

#[test]
fn a_response_of_another_kind_is_not_sent() {
    let mut pair = Pair::new(1);
    let mut world = World::new(ServerConfig::Embedded);
    let owner = world.add_owner(&pair.attaches());
    let caller = world.add_caller();
    let (token, psk) = pair.holder.next_token().unwrap();
    world.ring_call(caller, &pair, (token, &psk), BatchNumber(1));
    let ring = world.the_ring(owner);
    let ring = pair.authenticate(ring).unwrap();
    let now = world.now;
    let wrong = Response::Join(JoinReply::used(1));
    assert!(world.callee(owner).answer(ring, &wrong, now).is_err());
    assert!(world.callee(owner).poll_transmit().is_none());
}

#[test]
fn both_ring_at_once_and_agree_on_one_call() {
    let (mut ab, mut ba) = (Pair::new(1), Pair::new(2));
    // `ab`: Alice rings Bob's mailbox; `ba`: Bob rings Alice's.
    ba.caller = ab.callee.clone();
    ba.callee = ab.caller.clone();
    let mut world = World::new(ServerConfig::operated());
    let (bob, alice) = (
        world.add_callee(ab.attaches()),
        world.add_callee(ba.attaches()),
    );
    let (from_alice, from_bob) = (world.add_caller(), world.add_caller());
    let (token, psk) = ab.holder.next_token().unwrap();
    world.ring(
        from_alice,
        &ab,
        token,
        &psk,
        &Opening::Call(offer(BatchNumber(1))),
    );
    let (token, psk) = ba.holder.next_token().unwrap();
    world.ring(
        from_bob,
        &ba,
        token,
        &psk,
        &Opening::Call(offer(BatchNumber(1))),
    );
    let (at_bob, at_alice) = (world.the_ring(bob), world.the_ring(alice));
    let (at_bob, at_alice) = (
        ab.authenticate(at_bob).unwrap(),
        ba.authenticate(at_alice).unwrap(),
    );
    let ours = world.caller(from_alice).rank().unwrap();
    let alices_view = glare::resolve(&ours, &at_alice.rank());
    let ours = world.caller(from_bob).rank().unwrap();
    let bobs_view = glare::resolve(&ours, &at_bob.rank());
    assert_ne!(alices_view, bobs_view);
}

#[test]
fn round_trips_are_measured_before_the_ring() {
    let mut world = World::new(ServerConfig::operated());
    let mut caller = Caller::new([1; 32], 3, world.now);
    let conn = world.add_raw();
    let hello = world.raw(conn)[0].1;
    caller.handle_input(&hello, world.now);
    let mut trips = Vec::new();
    for n in 1..=3 {
        let ping = caller.poll_transmit().unwrap();
        assert!(caller.poll_transmit().is_none());
        world.inject(conn, &ping);
        world.advance(Duration::from_millis(n * 10));
        let echo = world.raw(conn).last().unwrap().1;
        caller.handle_input(&echo, world.now);
    }
    while let Some(event) = caller.poll_event() {
        match event {
            CallerEvent::RoundTrip(trip) => trips.push(trip.as_millis()),
            CallerEvent::Ready(_) => trips.push(0),
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(trips, [10, 20, 30, 0]);
}

#[test]
fn a_silent_server_is_noticed_at_every_stage() {
    let start = tacit_types::Timestamp::from_micros(5);
    let mut caller = Caller::new([1; 32], 0, start);
    caller.handle_timeout(start + secs(20));
    assert!(matches!(caller.poll_event(), Some(CallerEvent::ServerLost)));
    assert_eq!(caller.poll_timeout(), None);

    let mut world = World::new(ServerConfig::operated());
    let conn = world.add_caller();
    let Some(common::Peer::Caller(mut caller)) = world.peers.remove(&conn) else {
        panic!()
    };
    caller.poll_event();
    let mut now = world.now;
    let mut pings = 0;
    while let Some((at, _)) = caller.poll_timeout() {
        assert!(at > now);
        now = at;
        caller.handle_timeout(now);
        pings += usize::from(caller.poll_transmit().is_some());
    }
    assert_eq!(pings, 1);
    assert!(matches!(caller.poll_event(), Some(CallerEvent::ServerLost)));
    let silence = now.saturating_since(world.now);
    assert!(silence >= secs(40) && silence <= secs(60), "{silence:?}");
}
