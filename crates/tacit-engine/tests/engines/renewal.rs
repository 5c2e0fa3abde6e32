//! Bad legs give way to new ones, and the rest of the call notices nothing.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use tacit_engine::{Event, LegFault, Side};
use tacit_types::limits::{DEFAULT_LEGS, ONION_PORT_LEGS, ONION_PORT_SIGNALING, PACKET_BYTES};
use tacit_types::{LegKind, Reason};

use crate::common::{
    Person, RESUME_WITHIN, World, Write, alice_and_bob, connect, connect_over, eventually,
};
use crate::operated::Town;

/// A packet in a TURN channel, in a record of TLS 1.2 or 1.3, as the server has it.
fn is_packet(write: &Write) -> bool {
    let len = write.len - (PACKET_BYTES + 4).min(write.len);
    write.port == 0 && (21..=22).contains(&len)
}

/// How many packets a second went out on legs between two moments.
fn rate(writes: &[Write], from: Instant, to: Instant) -> f64 {
    let during = writes.iter().filter(|w| (from..to).contains(&w.at));
    during.count() as f64 / (to - from).as_secs_f64()
}

/// Waits until so many slow and so many dead legs of one's own were replaced, and maybe others that a
/// busy machine held up; tells which, by which, and why.
async fn replaced(person: &mut Person, slow: usize, dead: usize) -> Vec<(u8, u8, LegFault)> {
    let mut replaced = Vec::new();
    let count = |replaced: &[(u8, u8, LegFault)], of| {
        let some = replaced.iter().filter(|(.., reason)| *reason == of);
        some.count()
    };
    while count(&replaced, LegFault::Slow) < slow || count(&replaced, LegFault::Dead) < dead {
        let next = person.until("replacement", |e| match e {
            Event::LegReplaced {
                leg, by, reason, ..
            } => Some((leg, by, reason)),
            _ => None,
        });
        replaced.push(next.await);
    }
    // The new one was up before the old one went, and is not numbered as any before it.
    let up = |leg| move |e: &Event| matches!(e, Event::LegUp { leg: up, .. } if *up == leg);
    for (old, new, _) in &replaced {
        assert!(*new >= 8, "{replaced:?}");
        assert!(person.saw(up(*new)) && person.saw(up(*old)));
    }
    for (old, ..) in &replaced {
        let down = |e: &Event| matches!(e, Event::LegDown { leg, .. } if leg == old);
        if !person.saw(down) {
            person.until("end", |e| down(&e).then_some(())).await;
        }
    }
    replaced
}

fn interrupted(person: &Person) -> bool {
    person.saw(|e| matches!(e, Event::Interrupted(_)))
}

#[tokio::test(flavor = "multi_thread")]
async fn slow_and_dead_legs_give_way_to_new_ones_that_work() {
    let world = World::new();
    let (mut alice, mut bob) = alice_and_bob(&world).await;
    let slower = Duration::from_millis(300);
    // The first two are opened at once, the others one by one.
    let zero = Duration::ZERO;
    world.network.slow_next_legs(&[zero, zero, zero, slower]);
    let began = Instant::now();
    connect(&mut alice, "Bob", &mut bob).await;
    // One of the fast ones takes nothing any more.
    alice.hears(2).await;
    let first = alice.tap.writes();
    let first = first.iter().find(|w| w.port == ONION_PORT_LEGS).unwrap();
    alice.tap.stall(first.stream);
    replaced(&mut alice, 1, 1).await;
    let eight = |e| match e {
        Event::Quality(_, quality) => (quality.legs.len() == 8).then_some(()),
        _ => None,
    };
    alice.until("eight legs", eight).await;
    bob.until("eight legs", eight).await;
    alice.hears(2).await;
    bob.hears(2).await;
    assert!(!interrupted(&alice) && !interrupted(&bob));

    // One packet every 20 ms, and each the same size, before and during and after.
    for person in [&alice, &bob] {
        let mut writes = person.tap.writes();
        writes.retain(|w| w.port == ONION_PORT_LEGS);
        assert!(writes.iter().all(|w| w.len == PACKET_BYTES));
        let (first, last) = (began + Duration::from_secs(4), Instant::now());
        let rate = rate(&writes, first, last);
        assert!((47.0..53.0).contains(&rate), "{rate}");
    }
}

/// With TURN legs each side replaces its own, and tells the other where the new ones are.
#[tokio::test(flavor = "multi_thread")]
async fn turn_legs_of_both_sides_give_way_to_new_ones() {
    let Some(town) = Town::new().await else {
        return;
    };
    let (mut alice, mut bob) = (town.embedded(440.0), town.operated(660.0));
    // As many as by default: four at most fit beside them, and one visit to the server gives twelve
    // spare credentials.
    (alice.legs, bob.legs) = (DEFAULT_LEGS, DEFAULT_LEGS);
    let (mut alice, mut bob) = town.alice_and_bob(alice, bob).await;
    // Two of Alice's and one of Bob's.
    let mut more = [Duration::ZERO; 24];
    for slow in [3, 5, 14] {
        more[slow] = Duration::from_millis(300);
    }
    town.world.network.slow_next_legs(&more);
    connect_over(LegKind::Turn, &mut alice, "Bob", &mut bob).await;
    alice.hears(2).await;
    // And one of Alice's fast ones takes nothing any more.
    let mut sent = BTreeMap::<usize, usize>::new();
    for write in packets(&alice) {
        *sent.entry(write.stream).or_default() += 1;
    }
    let (busiest, _) = sent.into_iter().max_by_key(|(_, n)| *n).unwrap();
    alice.tap.stall(busiest);

    let of_alice = replaced(&mut alice, 2, 1).await;
    let of_bob = replaced(&mut bob, 1, 0).await;
    // Both know of both: the new ones carry packets, the old ones are gone.
    for (person, ours, theirs) in [
        (&mut alice, &of_alice, &of_bob),
        (&mut bob, &of_bob, &of_alice),
    ] {
        let settled = |e| match e {
            Event::Quality(_, quality) => {
                let has = |side, leg: u8| quality.of_side(side).any(|l| l.leg == leg && l.sent > 0);
                let changed = [(Side::Local, ours), (Side::Peer, theirs)];
                let mut each = changed.iter().flat_map(|(side, legs)| {
                    legs.iter().map(move |(old, new, _)| (*side, *old, *new))
                });
                let all = each.all(|(side, old, new)| has(side, new) && !has(side, old));
                let whole = |side| quality.of_side(side).count() == usize::from(DEFAULT_LEGS);
                (all && whole(Side::Local) && whole(Side::Peer)).then_some(())
            }
            _ => None,
        };
        person.until("all legs of both sides", settled).await;
    }
    alice.hears(2).await;
    bob.hears(2).await;
    assert!(!interrupted(&alice) && !interrupted(&bob));

    // The server that minted the credentials was visited once, before the call, and rung at.
    let mut streams = BTreeSet::new();
    for write in alice.tap.writes() {
        if write.port == ONION_PORT_SIGNALING && write.key == town.server.key() {
            streams.insert(write.stream);
        }
    }
    assert_eq!(streams.len(), 2, "{streams:?}");

    // One packet every 20 ms, before and during and after; what else is written is little, and no
    // burst.
    for (person, peer) in [(&alice, &bob), (&bob, &alice)] {
        let requests = requests(person, peer);
        assert!(requests >= usize::from(DEFAULT_LEGS) / 2, "{requests}");
        let writes = packets(person);
        let first = writes[0].at + Duration::from_secs(1);
        let rate = rate(&writes, first, Instant::now());
        assert!((47.0..53.0).contains(&rate), "{rate}");
    }
}

/// Streams of TURN legs that carry packets.
fn carrying(person: &Person) -> BTreeSet<usize> {
    packets(person).into_iter().map(|w| w.stream).collect()
}

/// What it was to replace is gone meanwhile, with all others; the peer was told of it before that.
#[tokio::test(flavor = "multi_thread")]
async fn a_new_turn_leg_carries_on_alone_when_all_others_are_lost() {
    let Some(town) = Town::new().await else {
        return;
    };
    let (alice, bob) = (town.embedded(440.0), town.operated(660.0));
    let (mut alice, mut bob) = town.alice_and_bob(alice, bob).await;
    connect_over(LegKind::Turn, &mut alice, "Bob", &mut bob).await;
    alice.hears(2).await;
    // So slow that nothing has come over it when the others break.
    let slow = Duration::from_secs(1);
    town.world.network.slow_next_legs(&[slow]);
    let old = carrying(&alice);
    alice.tap.break_streams(old.first().copied());
    let up = |e| matches!(e, Event::LegUp { leg: 8, .. }).then_some(());
    alice.until("new leg", up).await;
    let told = Instant::now();
    let binds = |w: &Write| w.port == 0 && w.at > told && !is_packet(w);
    eventually("Bob binds it", || bob.tap.writes().iter().any(binds)).await;
    alice.tap.break_streams(old);
    let last = |e| matches!(e, Event::LegDown { live: 1, .. }).then_some(());
    alice.until("the others' end", last).await;
    alice.hears(2).await;
    bob.hears(2).await;
    assert!(!interrupted(&alice) && !interrupted(&bob));
}

/// Nobody will ever ask for it.
#[tokio::test(flavor = "multi_thread")]
async fn a_turn_leg_that_comes_up_when_the_call_is_broken_is_not_kept() {
    let Some(town) = Town::new().await else {
        return;
    };
    let (alice, mut bob) = (town.embedded(440.0), town.operated(660.0));
    bob.resume_within = RESUME_WITHIN;
    let (mut alice, mut bob) = town.alice_and_bob(alice, bob).await;
    connect_over(LegKind::Turn, &mut alice, "Bob", &mut bob).await;
    bob.hears(2).await;
    bob.tap.hold();
    bob.tap.break_streams(carrying(&bob).first().copied());
    eventually("one more leg is opened", || bob.tap.waiting() > 0).await;
    // Alice cannot ring again.
    alice.tap.hold();
    town.world.network.break_streams();
    let lost = |e| matches!(e, Event::Interrupted(_)).then_some(());
    bob.until("interruption", lost).await;
    let broken = Instant::now();
    bob.tap.start();
    assert_eq!(bob.ended().await, Reason::LegsLost);
    let mut writes = bob.tap.writes();
    writes.retain(|w| w.port == 0 && w.at > broken);
    assert_eq!(writes.len(), 0, "{writes:?}");
}

/// The packets of TURN legs, of all writes through exits.
fn packets(person: &Person) -> Vec<Write> {
    let mut writes = person.tap.writes();
    writes.retain(is_packet);
    writes
}

/// What else was written between the packets of a stream: a bind of each new leg of the peer at most.
/// Not on all streams at once.
fn requests(person: &Person, peer: &Person) -> usize {
    let mut spans = BTreeMap::<usize, (Instant, Instant)>::new();
    for packet in packets(person) {
        let span = spans.entry(packet.stream);
        span.or_insert((packet.at, packet.at)).1 = packet.at;
    }
    let mut requests = person.tap.writes();
    requests.retain(|w| {
        let span = spans.get(&w.stream);
        let between = span.is_some_and(|(first, last)| (first..last).contains(&&w.at));
        between && !is_packet(w)
    });
    let mut of_stream = BTreeMap::<usize, usize>::new();
    for request in &requests {
        *of_stream.entry(request.stream).or_default() += 1;
    }
    let mut legs_of_peer = peer.tap.writes();
    legs_of_peer.retain(|w| w.port == 0);
    let legs_of_peer: BTreeSet<_> = legs_of_peer.iter().map(|w| w.stream).collect();
    let new_ones = legs_of_peer.len() - usize::from(DEFAULT_LEGS);
    let most = of_stream.values().max();
    assert!(most.is_none_or(|n| *n <= new_ones), "{of_stream:?}");
    let apart = |pair: &&[Write]| pair[1].at - pair[0].at > Duration::from_millis(5);
    let apart = requests.windows(2).filter(apart).count();
    assert!(2 * apart >= requests.len() - 1, "{requests:?}");
    requests.len()
}
