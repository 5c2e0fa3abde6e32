//! The two words: who has confirmed them, and comparisons that are broken off.

use tacit_engine::{CallId, CallState, Command, Event};
use tacit_types::Reason;
use tacit_types::limits::ONION_PORT_LEGS;

use crate::common::{Person, World, alice_and_bob, connect, eventually};

#[tokio::test(flavor = "multi_thread")]
async fn words_that_differ_end_the_call() {
    let world = World::new();
    let (mut alice, mut bob) = alice_and_bob(&world).await;
    let (ours, _) = connect(&mut alice, "Bob", &mut bob).await;
    alice.words().await;
    alice.command(Command::Verify(ours, false)).unwrap();
    assert_eq!(alice.ended().await, Reason::NotVerified);
    assert_eq!(bob.ended().await, Reason::PeerHungUp);
    assert!(!alice.contact("Bob").unwrap().verified);
}

async fn hang_up(caller: &mut Person, call: CallId, callee: &mut Person) {
    caller.command(Command::HangUp(call)).unwrap();
    assert_eq!(caller.ended().await, Reason::HungUp);
    assert_eq!(callee.ended().await, Reason::PeerHungUp);
}

async fn confirmed(person: &mut Person) {
    let confirmed = |e| matches!(e, Event::Verified(_)).then_some(());
    person.until("verification", confirmed).await;
}

async fn told_of_confirmation(person: &mut Person) {
    let told = |e| matches!(e, Event::PeerVerified(_)).then_some(());
    person.until("the other's verification", told).await;
}

/// What the next words come with: whether this side has confirmed, and how many were broken off.
async fn asked(person: &mut Person) -> (bool, u32) {
    let asked = |e| match e {
        Event::Words {
            verified,
            broken_off,
            ..
        } => Some((verified, broken_off)),
        _ => None,
    };
    person.until("words", asked).await
}

#[tokio::test(flavor = "multi_thread")]
async fn one_persons_confirmation_is_not_the_others() {
    let world = World::new();
    let (mut alice, mut bob) = alice_and_bob(&world).await;
    let (ours, _) = connect(&mut alice, "Bob", &mut bob).await;
    assert_eq!(asked(&mut alice).await, (false, 0));
    assert_eq!(asked(&mut bob).await, (false, 0));
    alice.command(Command::Verify(ours, true)).unwrap();
    confirmed(&mut alice).await;
    told_of_confirmation(&mut bob).await;
    let (a, b) = (alice.contact("Bob").unwrap(), bob.contact("Alice").unwrap());
    assert!(a.verified && !a.peer_verified && !b.verified && b.peer_verified);
    hang_up(&mut alice, ours, &mut bob).await;
    // Bob will ask for the words in the next call, so Alice sees them, too.
    let (ours, theirs) = connect(&mut alice, "Bob", &mut bob).await;
    assert_eq!(asked(&mut alice).await, (true, 0));
    assert_eq!(asked(&mut bob).await, (false, 0));
    bob.command(Command::Verify(theirs, true)).unwrap();
    confirmed(&mut bob).await;
    told_of_confirmation(&mut alice).await;
    hang_up(&mut alice, ours, &mut bob).await;
    for person in [&mut alice, &mut bob] {
        person.seen.clear();
    }
    connect(&mut alice, "Bob", &mut bob).await;
    alice.hears(3).await;
    bob.hears(3).await;
    for person in [&alice, &bob] {
        let again = |e: &Event| matches!(e, Event::Words { .. } | Event::PeerVerified(_));
        assert!(!person.saw(again), "{:#?}", person.seen);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn words_that_differ_later_undo_the_confirmation() {
    let world = World::new();
    let (mut alice, mut bob) = alice_and_bob(&world).await;
    let (ours, _) = connect(&mut alice, "Bob", &mut bob).await;
    alice.words().await;
    alice.command(Command::Verify(ours, true)).unwrap();
    confirmed(&mut alice).await;
    alice.command(Command::Verify(ours, false)).unwrap();
    assert_eq!(alice.ended().await, Reason::NotVerified);
    eventually("doubt", || !alice.contact("Bob").unwrap().verified).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_comparison_that_the_caller_breaks_off_is_counted_and_shown() {
    let world = World::new();
    let (mut alice, mut bob) = alice_and_bob(&world).await;
    // Alice commits herself and never learns what Bob reveals, so she never reveals, either.
    alice.tap.deafen_legs();
    let ours = alice.dial("Bob").unwrap();
    alice.state(CallState::Ringing).await;
    bob.incoming().await;
    let packets = |person: &Person| {
        let writes = person.tap.writes();
        writes.iter().filter(|w| w.port == ONION_PORT_LEGS).count()
    };
    eventually("many packets", || packets(&alice) > 200).await;
    alice.command(Command::HangUp(ours)).unwrap();
    assert_eq!(bob.ended().await, Reason::PeerHungUp);
    let disk = alice.crash().await;
    let count = || bob.contact("Alice").unwrap().broken_off;
    eventually("count", || count() == 1).await;
    let mut alice = world.restart("alice", disk);
    alice.all_reachable().await;
    // An ordinary ring that nobody answers breaks nothing off.
    let ours = alice.dial("Bob").unwrap();
    alice.state(CallState::Ringing).await;
    bob.incoming().await;
    hang_up(&mut alice, ours, &mut bob).await;
    let (_, theirs) = connect(&mut alice, "Bob", &mut bob).await;
    assert_eq!(asked(&mut bob).await, (false, 1));
    assert_eq!(asked(&mut alice).await, (false, 0));
    bob.command(Command::Verify(theirs, true)).unwrap();
    confirmed(&mut bob).await;
    assert_eq!(bob.contact("Alice").unwrap().broken_off, 0);
}
