//! A call never comes to use legs that expose more than its person agreed to.

use tacit_engine::{CallId, CallState, Event};
use tacit_signaling::payload::{Hosting, Response};
use tacit_signaling::{Caller, CallerEvent};
use tacit_types::{LegKind, Reason};

use crate::common::{Impostor, Line, Person, Setup};
use crate::operated::{Town, mallory};

/// Alice, who could open TURN legs, and Mallory, who would have her do it.
async fn alice_and_mallory(town: &Town, mut alice: Setup) -> (Person, Impostor) {
    alice.credentials = Some(town.server.key());
    let mut alice = town.world.person_with("alice", alice);
    let mallory = mallory(town, &mut alice, Hosting::Embedded).await;
    alice.reachable(1).await;
    (alice, mallory)
}

/// The legs that a ring is answered with.
async fn answered(line: &mut Line<Caller>) -> LegKind {
    loop {
        if let CallerEvent::Answered { response, .. } = line.next().await {
            let Response::Call(reply) = *response else {
                panic!("a call is answered as a call");
            };
            return reply.leg_kind;
        }
    }
}

/// The next ring that is shown: its call, whether another one goes on, and its legs.
async fn incoming(person: &mut Person) -> (CallId, bool, LegKind) {
    let ring = |e| match e {
        Event::Incoming {
            call, busy, legs, ..
        } => Some((call, busy, legs)),
        _ => None,
    };
    person.until("ring", ring).await
}

fn saw_a_ring(person: &Person) -> bool {
    let ring = |e: &Event| matches!(e, Event::Incoming { .. });
    person.seen.iter().any(ring)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_ring_that_crosses_ours_goes_on_over_the_legs_that_we_chose() {
    for sent in [false, true] {
        let Some(town) = Town::new().await else {
            return;
        };
        let alice = town.embedded(440.0);
        let (mut alice, mut mallory) = alice_and_mallory(&town, alice).await;
        let mut line = mallory.attach().await;
        let mut crossing = if sent {
            alice.dial("Mallory").unwrap();
            let ring = mallory.rung(&mut line).await;
            mallory.ring_above(&ring.rank(), LegKind::Turn).await
        } else {
            alice.tap.hold();
            alice.dial("Mallory").unwrap();
            mallory.ring(LegKind::Turn).await
        };
        assert_eq!(answered(&mut crossing).await, LegKind::Onion);
        alice.state(CallState::Securing).await;
        assert!(!saw_a_ring(&alice), "it is the call that Alice placed");
    }
}

/// Onion legs to an operated mailbox cannot be, and TURN legs Alice has not chosen.
#[tokio::test(flavor = "multi_thread")]
async fn a_ring_that_cannot_take_the_place_of_ours_is_one_more_ring() {
    let Some(town) = Town::new().await else {
        return;
    };
    let alice = town.operated(440.0);
    let (mut alice, mut mallory) = alice_and_mallory(&town, alice).await;
    alice.tap.hold();
    let ours = alice.dial("Mallory").unwrap();
    let mut ring = mallory.ring(LegKind::Turn).await;
    assert_eq!(answered(&mut ring).await, LegKind::Turn);
    let (theirs, busy, legs) = incoming(&mut alice).await;
    assert!(theirs != ours && busy);
    assert_eq!(legs, LegKind::Turn);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_ring_over_turn_legs_is_not_taken_by_calling_back_over_onion_legs() {
    let Some(town) = Town::new().await else {
        return;
    };
    let alice = town.embedded(440.0);
    let (mut alice, mut mallory) = alice_and_mallory(&town, alice).await;
    let mut ring = mallory.ring(LegKind::Turn).await;
    assert_eq!(answered(&mut ring).await, LegKind::Turn);
    let (theirs, _, legs) = incoming(&mut alice).await;
    assert_eq!(legs, LegKind::Turn);
    assert_eq!(alice.dial("Mallory"), Err(Reason::OtherLegs));
    assert_eq!(alice.dial_over(LegKind::Turn, "Mallory"), Ok(theirs));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_over_onion_legs_is_resumed_over_onion_legs_whatever_is_offered() {
    let Some(town) = Town::new().await else {
        return;
    };
    let alice = town.embedded(440.0);
    let (mut alice, mut mallory) = alice_and_mallory(&town, alice).await;
    let mut line = mallory.attach().await;
    alice.dial("Mallory").unwrap();
    mallory.answer(&mut line, LegKind::Onion).await;
    line.flush().await;
    alice.state(CallState::Ringing).await;
    let mut again = mallory.resume(LegKind::Turn).await;
    assert_eq!(answered(&mut again).await, LegKind::Onion);
}
