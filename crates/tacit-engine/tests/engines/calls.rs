//! Calls that go well, and people who ring at awkward moments.

use tacit_engine::{CallState, Command, Event, Timing};
use tacit_types::Reason;

use crate::common::{World, alice_and_bob, connect, meet, share_of};

#[tokio::test(flavor = "multi_thread")]
async fn a_call_carries_sound_both_ways_and_the_words_match() {
    let world = World::new();
    let (mut alice, mut bob) = alice_and_bob(&world).await;
    let (ours, theirs) = connect(&mut alice, "Bob", &mut bob).await;
    assert_eq!(alice.words().await, bob.words().await);
    alice.command(Command::Verify(ours, true)).unwrap();
    bob.command(Command::Verify(theirs, true)).unwrap();
    alice.hears(3).await;
    bob.hears(3).await;
    alice.command(Command::HangUp(ours)).unwrap();
    assert_eq!(alice.ended().await, Reason::HungUp);
    assert_eq!(bob.ended().await, Reason::PeerHungUp);
    assert!(
        share_of(&alice.heard, 660.0) > 0.5,
        "Alice hears Bob's tone"
    );
    assert!(share_of(&bob.heard, 440.0) > 0.5, "Bob hears Alice's tone");
    for (person, name) in [(&alice, "Bob"), (&bob, "Alice")] {
        let contact = person.contact(name).unwrap();
        assert!(contact.verified && contact.peer_verified);
        assert!(person.saw(|e| matches!(e, Event::PeerVerified(_))));
    }
    // Once verified, no words are asked for again; this time the callee hangs up.
    let (_, theirs) = connect(&mut alice, "Bob", &mut bob).await;
    alice.hears(1).await;
    bob.command(Command::HangUp(theirs)).unwrap();
    assert_eq!(bob.ended().await, Reason::HungUp);
    assert_eq!(alice.ended().await, Reason::PeerHungUp);
    let asked = |e: &&Event| matches!(e, Event::Words { .. });
    assert_eq!(alice.seen.iter().filter(asked).count(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn somebody_who_is_away_cannot_be_reached() {
    let world = World::new();
    let (mut alice, bob) = alice_and_bob(&world).await;
    bob.crash().await;
    let tokens = alice.contact("Bob").unwrap().tokens;
    alice.dial("Bob").unwrap();
    assert_eq!(alice.ended().await, Reason::PeerUnreachable);
    assert_eq!(alice.contact("Bob").unwrap().tokens, tokens);
    assert_eq!(alice.dial("Bobby"), Err(Reason::ContactUnknown));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_ring_does_no_harm_to_a_call() {
    let world = World::new();
    let (mut alice, mut bob) = alice_and_bob(&world).await;
    let mut carol = world.person("carol");
    meet(&mut bob, "Bob", &mut carol, "Carol").await;
    let (ours, theirs) = connect(&mut alice, "Bob", &mut bob).await;
    bob.hears(1).await;
    carol.dial("Bob").unwrap();
    carol.state(CallState::Ringing).await;
    let (second, busy) = bob.incoming().await;
    assert!(busy);
    assert_eq!(bob.command(Command::Accept(second)), Err(Reason::Busy));
    assert_eq!(alice.dial("Bob"), Err(Reason::Busy));
    bob.hears(2).await;
    alice.hears(2).await;
    alice.command(Command::HangUp(ours)).unwrap();
    assert_eq!(bob.ended().await, Reason::PeerHungUp);
    assert_eq!(
        bob.command(Command::HangUp(theirs)),
        Err(Reason::PeerHungUp)
    );
    // Now there is room for the second one.
    bob.command(Command::Accept(second)).unwrap();
    carol.state(CallState::Connected).await;
    bob.state(CallState::Connected).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn both_ring_at_once_and_get_one_call() {
    for late in [false, true, false, true] {
        let world = World::new();
        let (mut alice, mut bob) = alice_and_bob(&world).await;
        alice.dial("Bob").unwrap();
        if late {
            let sent = |e| matches!(e, Event::Timing(_, Timing::RingSent(_))).then_some(());
            alice.until("ring", sent).await;
        }
        bob.dial("Alice").unwrap();
        alice.state(CallState::Connected).await;
        bob.state(CallState::Connected).await;
        alice.hears(2).await;
        bob.hears(2).await;
        for person in [&alice, &bob] {
            let calls = person.seen.iter().filter_map(Event::call);
            let calls: std::collections::BTreeSet<_> = calls.collect();
            assert_eq!(calls.len(), 1, "{:#?}", person.seen);
            let incoming = |e: &Event| matches!(e, Event::Incoming { .. });
            assert!(!person.seen.iter().any(incoming), "{:#?}", person.seen);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn calling_somebody_who_rings_takes_their_call() {
    let world = World::new();
    let (mut alice, mut bob) = alice_and_bob(&world).await;
    alice.dial("Bob").unwrap();
    let (theirs, _) = bob.incoming().await;
    assert_eq!(bob.dial("Alice"), Ok(theirs));
    alice.state(CallState::Connected).await;
    bob.state(CallState::Connected).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_caller_who_gives_up_stops_the_ringing() {
    let world = World::new();
    let (mut alice, mut bob) = alice_and_bob(&world).await;
    let ours = alice.dial("Bob").unwrap();
    alice.state(CallState::Ringing).await;
    bob.incoming().await;
    alice.command(Command::HangUp(ours)).unwrap();
    assert_eq!(alice.ended().await, Reason::HungUp);
    assert_eq!(bob.ended().await, Reason::PeerHungUp);
}
