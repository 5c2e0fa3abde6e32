//! Invites that are used twice, too late, or over a bad line.

use std::time::Duration;

use tacit_engine::{Engine, Event};
use tacit_signaling::limits::SIGNALING_FRAME_BYTES;
use tacit_types::{Reason, UnixTime};

use crate::common::{World, connect};

fn reachable(event: Event) -> Option<()> {
    matches!(event, Event::InviteReachable).then_some(())
}

fn added(event: Event) -> Option<()> {
    matches!(event, Event::ContactAdded(_)).then_some(())
}

#[tokio::test(flavor = "multi_thread")]
async fn an_invite_is_good_for_one_person() {
    let world = World::new();
    let mut bob = world.person("bob");
    let alice = world.person("alice");
    let mallory = world.person("mallory");
    let invite = bob.invite("Alice");
    bob.until("invite", reachable).await;
    alice.join(&invite, "Bob").await.unwrap();
    assert_eq!(mallory.join(&invite, "Bob").await, Err(Reason::InviteUsed));
    let alarm = |e| match e {
        Event::InviteReused(name) => Some(name),
        _ => None,
    };
    assert_eq!(bob.until("alarm", alarm).await.reveal(), "Alice");
    assert!(mallory.contact("Bob").is_none());
    assert_eq!(bob.engine.contacts().len(), 1);
    // Whoever had it may try again: to them it is no second use.
    alice.join(&invite, "Bob").await.unwrap_err();
}

#[tokio::test(flavor = "multi_thread")]
async fn an_expired_invite_is_refused_and_withdrawn() {
    let world = World::new();
    let mut bob = world.person("bob");
    let alice = world.person("alice");
    let mut invite = bob.engine.invite("Alice", Duration::from_secs(2)).unwrap();
    bob.until("invite", reachable).await;
    bob.reachable(0).await;
    assert_eq!(alice.join(&invite, "Bob").await, Err(Reason::InviteExpired));
    // Whatever the guest's clock or the link says, the host's does not answer.
    invite.expires = UnixTime(invite.expires.0 + 3600);
    assert_eq!(
        alice.join(&invite, "Bob").await,
        Err(Reason::PeerUnreachable)
    );
    assert!(alice.engine.contacts().is_empty());
    assert_eq!(
        Engine::read_invite("tacit:nonsense").unwrap_err().kind(),
        Reason::InviteMalformed
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_join_survives_a_line_that_breaks_at_any_frame() {
    // HELLO, ANSWER, their tokens, their confirmation.
    for frames in 0..4 {
        let world = World::new();
        let setup = world.setup();
        setup
            .tap
            .end_streams_after(&[frames * SIGNALING_FRAME_BYTES]);
        let mut alice = world.person_with("alice", setup);
        let mut bob = world.person("bob");
        let invite = bob.invite("Alice");
        bob.until("invite", reachable).await;
        assert_eq!(alice.join(&invite, "Bob").await, Ok(()), "{frames} frames");
        bob.until("contact", added).await;
        alice.reachable(1).await;
        assert_eq!(alice.engine.contacts().len(), 1);
        assert_eq!(bob.engine.contacts().len(), 1);
        connect(&mut alice, "Bob", &mut bob).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_name_is_given_once() {
    let world = World::new();
    let bob = world.person("bob");
    let alice = world.person("alice");
    let invite = bob.invite("Alice");
    assert_eq!(
        bob.engine
            .invite("Alice", Duration::from_secs(60))
            .err()
            .map(|e| e.kind()),
        Some(Reason::ContactExists)
    );
    for (name, reason) in [
        ("Alice", Some(Reason::ContactExists)),
        (" ", Some(Reason::ContactBadName)),
        ("two\nlines", Some(Reason::ContactBadName)),
        ("Carol", None),
    ] {
        let checked = bob.engine.check_new_name(name);
        assert_eq!(checked.err().map(|e| e.kind()), reason, "{name:?}");
    }
    assert_eq!(
        bob.join(&alice.invite("Bob"), "Alice").await,
        Err(Reason::ContactExists)
    );
    drop(invite);
}
