//! Ghosts, declined calls and dropped contacts.

use std::collections::BTreeMap;

use tacit_engine::{CallState, Command, Event, Removal};
use tacit_signaling::Frame;
use tacit_types::limits::{ONION_PORT_LEGS, ONION_PORT_SIGNALING, PACKET_BYTES};
use tacit_types::{OnionKey, Reason};

use crate::common::{Person, World, Write, alice_and_bob, meet};

/// What one caller could have seen of the callee: signaling frames in order without the echoes of
/// pings, whose times are random, and packets on each leg.
#[derive(Debug, PartialEq, Eq)]
struct Seen {
    frames: Vec<(u8, usize)>,
    packet_sizes: Vec<usize>,
    legs: usize,
}

fn seen_by(caller: &Person, writes: &[Write]) -> (Seen, usize) {
    let rung = caller
        .tap
        .writes()
        .into_iter()
        .rfind(|w| w.port == ONION_PORT_LEGS);
    let key: OnionKey = rung.expect("it opened legs").key;
    let theirs: Vec<_> = writes.iter().filter(|w| w.key == key).collect();
    let ping = Frame::Ping(tacit_signaling::frame::Ping {
        echo: true,
        number: 0,
    })
    .encode()[0];
    let frames = theirs
        .iter()
        .filter(|w| w.port == ONION_PORT_SIGNALING && w.first != ping)
        .map(|w| (w.first, w.len));
    let packets: Vec<_> = theirs
        .iter()
        .filter(|w| w.port == ONION_PORT_LEGS)
        .collect();
    let mut legs: BTreeMap<usize, usize> = BTreeMap::new();
    for packet in &packets {
        *legs.entry(packet.stream).or_default() += 1;
    }
    let mut packet_sizes: Vec<_> = packets.iter().map(|w| w.len).collect();
    packet_sizes.dedup();
    let seen = Seen {
        frames: frames.collect(),
        packet_sizes,
        legs: legs.len(),
    };
    (seen, packets.len())
}

/// Three people ring: nobody takes the first, the second is a ghost, the third is declined.
#[tokio::test(flavor = "multi_thread")]
async fn a_ghost_and_a_declined_call_look_like_no_answer() {
    let world = World::new();
    let mut bob = world.person("bob");
    let mut people = Vec::new();
    for name in ["Ann", "Gus", "Dee"] {
        let mut person = world.person(name);
        meet(&mut bob, "Bob", &mut person, name).await;
        people.push(person);
    }
    bob.engine.remove("Gus", Removal::Ghost).unwrap();
    assert!(bob.contact("Gus").is_none());
    assert_eq!(bob.dial("Gus"), Err(Reason::ContactUnknown));
    let before = bob.tap.writes().len();
    let shown = bob.seen.len();
    // The ghost first: it must not make Bob busy.
    for at in [1, 0, 2] {
        people[at].dial("Bob").unwrap();
        people[at].state(CallState::Ringing).await;
    }
    let mut rings = BTreeMap::new();
    while rings.len() < 2 {
        let ring = |e| match e {
            Event::Incoming {
                call,
                contact,
                busy,
                ..
            } => Some((call, contact, busy)),
            _ => None,
        };
        let (call, contact, busy) = bob.until("ring", ring).await;
        assert!(!busy);
        rings.insert(contact.reveal().clone(), call);
    }
    let declined = rings["Dee"];
    bob.command(Command::Decline(declined)).unwrap();
    assert_eq!(bob.ended().await, Reason::HungUp);
    let after_decline = bob.seen.len();
    assert_eq!(
        bob.command(Command::Accept(declined)),
        Err(Reason::PeerHungUp)
    );
    for person in &mut people {
        assert_eq!(person.ended().await, Reason::PeerNoAnswer);
    }
    assert_eq!(bob.ended().await, Reason::PeerNoAnswer);
    // The ghost's call and the declined one have ended unseen when this one arrives.
    people[0].dial("Bob").unwrap();
    let (_, busy) = bob.incoming().await;
    assert!(!busy);

    let known = [rings["Ann"], rings["Dee"]];
    let last = bob.seen.len() - 1;
    for event in &bob.seen[shown..last] {
        let call = event.call();
        assert!(call.is_none_or(|c| known.contains(&c)), "{event:?}");
    }
    for event in &bob.seen[after_decline..] {
        assert_ne!(event.call(), Some(declined), "{event:?}");
    }
    let writes = bob.tap.writes().split_off(before);
    let [ann, gus, dee] = [0, 1, 2].map(|at| seen_by(&people[at], &writes));
    assert_eq!(gus.0, dee.0);
    assert_eq!(gus.0.packet_sizes, [PACKET_BYTES]);
    // Ann rang a second time, so there is more for her to see.
    assert!(ann.0.frames.starts_with(&gus.0.frames[..2]));
    assert_eq!(ann.0.packet_sizes, gus.0.packet_sizes);
    assert!(
        gus.1.abs_diff(dee.1) * 20 < gus.1,
        "{} and {}",
        gus.1,
        dee.1
    );
    let tokens = |p: &Person| p.contact("Bob").unwrap().tokens;
    assert_eq!(tokens(&people[1]), tokens(&people[2]), "refills go on");
}

/// Somebody in a call ends the program while two others ring: one unanswered, one declined.
#[tokio::test(flavor = "multi_thread")]
async fn who_rings_somebody_who_leaves_is_not_told_that_anybody_was_there() {
    let world = World::new();
    let (mut alice, mut bob) = alice_and_bob(&world).await;
    let mut others = Vec::new();
    for name in ["Carol", "Dee"] {
        let mut person = world.person(name);
        meet(&mut bob, "Bob", &mut person, name).await;
        others.push(person);
    }
    alice.dial("Bob").unwrap();
    let (talking, _) = bob.incoming().await;
    bob.command(Command::Accept(talking)).unwrap();
    alice.state(CallState::Connected).await;
    let mut rings = Vec::new();
    for person in &mut others {
        person.dial("Bob").unwrap();
        person.state(CallState::Ringing).await;
        rings.push(bob.incoming().await.0);
    }
    bob.command(Command::Decline(rings[1])).unwrap();
    assert_eq!(bob.ended().await, Reason::HungUp);
    let leaving = bob.engine.clone();
    let leaving = tokio::spawn(async move { leaving.shutdown().await });
    let mut ends = BTreeMap::new();
    while ends.len() < 2 {
        let end = |e| match e {
            Event::Ended(call, reason) => Some((call, reason)),
            _ => None,
        };
        let (call, reason) = bob.until("end", end).await;
        ends.insert(call, reason);
    }
    // The person who leaves sees a missed call.
    let expected = [(talking, Reason::HungUp), (rings[0], Reason::PeerNoAnswer)];
    assert_eq!(ends, BTreeMap::from(expected));
    assert_eq!(alice.ended().await, Reason::PeerHungUp);
    leaving.await.unwrap();
    for person in &mut others {
        let reason = person.ended().await;
        assert!(
            matches!(reason, Reason::PeerNoAnswer | Reason::ServerLost),
            "{reason:?}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dropped_contact_finds_nobody() {
    let world = World::new();
    let (mut alice, mut bob) = alice_and_bob(&world).await;
    let mut carol = world.person("carol");
    meet(&mut bob, "Bob", &mut carol, "Carol").await;
    alice.dial("Bob").unwrap();
    alice.state(CallState::Ringing).await;
    bob.incoming().await;
    bob.engine.remove("Alice", Removal::Drop).unwrap();
    let (mut ended, mut withdrawn) = (false, false);
    bob.until("end and withdrawal", |e| {
        ended |= matches!(e, Event::Ended(_, Reason::HungUp));
        withdrawn |= matches!(e, Event::Listening { total: 1, .. });
        (ended && withdrawn).then_some(())
    })
    .await;
    alice.ended().await;
    alice.dial("Bob").unwrap();
    assert_eq!(alice.ended().await, Reason::PeerUnreachable);
    assert!(bob.contact("Alice").is_none());
    // Nobody else is touched.
    carol.dial("Bob").unwrap();
    carol.state(CallState::Ringing).await;
}
