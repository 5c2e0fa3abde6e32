//! Invites that are used twice, too late, or over a bad line.

use std::time::Duration;

use tacit_engine::{Engine, Event, Invite, Removal};
use tacit_signaling::limits::SIGNALING_FRAME_BYTES;
use tacit_types::{Reason, UnixTime};

use crate::common::{PATIENCE, Person, World, connect};

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
    assert!(bob.contact("Alice").unwrap().invite_reused);
    // Who had it has Bob already, and bothers nobody, whatever became of the contact.
    for name in ["Bob", "Robert"] {
        assert_eq!(alice.join(&invite, name).await, Err(Reason::InviteTaken));
    }
    alice.engine.remove("Bob", Removal::Drop).unwrap();
    let disk = alice.crash().await;
    let alice = world.restart("alice", disk);
    assert_eq!(alice.join(&invite, "Bob").await, Err(Reason::InviteTaken));
    assert_eq!(alarms(&bob), 1, "Mallory's");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_open_invite_is_listed_shown_again_and_withdrawn() {
    let world = World::new();
    let mut bob = world.person("bob");
    let alice = world.person("alice");
    let invite = bob.invite("Alice");
    bob.until("invite", reachable).await;
    let listed = bob.engine.invites();
    let [open] = &listed[..] else {
        panic!("{listed:?}")
    };
    assert_eq!((open.name.reveal().as_str(), open.begun), ("Alice", false));
    assert_eq!(open.expires, invite.expires);
    let again = bob.engine.open_invite("Alice").unwrap();
    assert_eq!(again.to_link(), invite.to_link());
    for name in ["Bob", ""] {
        let none = bob.engine.withdraw_invite(name).unwrap_err();
        assert_eq!(none.kind(), Reason::InviteNone);
    }
    bob.engine.withdraw_invite("Alice").unwrap();
    bob.reachable(0).await;
    let refused = alice.join(&invite, "Bob").await;
    assert_eq!(refused, Err(Reason::PeerUnreachable));
    // The name is free, for another invite with other secrets; after a restart, too.
    let disk = bob.crash().await;
    let mut bob = world.restart("bob", disk);
    assert!(bob.engine.invites().is_empty());
    let second = bob.invite("Alice");
    assert_ne!(second.to_link(), invite.to_link());
    bob.until("invite", reachable).await;
    alice.join(&second, "Bob").await.unwrap();
    bob.until("contact", added).await;
    // One that has made a contact is open no longer: the contact is what can be removed.
    assert!(bob.engine.invites().is_empty());
    let none = bob.engine.withdraw_invite("Alice").unwrap_err();
    assert_eq!(none.kind(), Reason::InviteNone);
}

fn alarms(person: &Person) -> usize {
    let alarm = |e: &&Event| matches!(e, Event::InviteReused(_));
    person.seen.iter().filter(alarm).count()
}

/// Tries until the invite's address is up: no event tells when one is that is used already.
async fn join_late(person: &Person, invite: &Invite) -> Result<(), Reason> {
    let mut outcome = Err(Reason::PeerUnreachable);
    let tries = async {
        while outcome == Err(Reason::PeerUnreachable) {
            outcome = person.join(invite, "Bob").await;
        }
    };
    tokio::time::timeout(PATIENCE, tries).await.unwrap();
    outcome
}

#[tokio::test(flavor = "multi_thread")]
async fn a_used_invite_is_refused_and_noticed_until_it_expires() {
    let world = World::new();
    let mut bob = world.person("bob");
    let mut alice = world.person("alice");
    let invite = bob.invite("Alice");
    bob.until("invite", reachable).await;
    alice.join(&invite, "Bob").await.unwrap();
    bob.until("contact", added).await;
    // It counts no longer as an address at which Bob can be reached.
    bob.reachable(1).await;
    // The name that he gave her since is the one that he is warned with.
    bob.engine.rename("Alice", "Alice from work").unwrap();
    let disk = bob.crash().await;
    let mut bob = world.restart("bob", disk);
    let mallory = world.person("mallory");
    assert_eq!(join_late(&mallory, &invite).await, Err(Reason::InviteUsed));
    let alarm = |e| match e {
        Event::InviteReused(name) => Some(name),
        _ => None,
    };
    assert_eq!(bob.until("alarm", alarm).await.reveal(), "Alice from work");
    assert!(bob.contact("Alice from work").unwrap().invite_reused);
    assert!(!bob.saw(|e| matches!(e, Event::InviteReachable)));
    // The old name is free, and the contact is none the worse.
    bob.invite("Alice");
    alice.reachable(1).await;
    connect(&mut alice, "Bob", &mut bob).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_used_invite_is_withdrawn_when_it_expires() {
    let world = World::new();
    let mut bob = world.person("bob");
    let alice = world.person("alice");
    let mallory = world.person("mallory");
    let mut invite = bob.engine.invite("Alice", Duration::from_secs(4)).unwrap();
    bob.until("invite", reachable).await;
    alice.join(&invite, "Bob").await.unwrap();
    // The guest's clock and the link do not matter.
    invite.expires = UnixTime(invite.expires.0 + 3600);
    let tries =
        async { while mallory.join(&invite, "Bob").await != Err(Reason::PeerUnreachable) {} };
    tokio::time::timeout(PATIENCE, tries).await.unwrap();
    assert_eq!(bob.engine.contacts().len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_removed_contacts_invite_says_nothing_new() {
    for how in [Removal::Ghost, Removal::Drop] {
        let world = World::new();
        let mut bob = world.person("bob");
        let alice = world.person("alice");
        let mallory = world.person("mallory");
        let invite = bob.invite("Alice");
        bob.until("invite", reachable).await;
        alice.join(&invite, "Bob").await.unwrap();
        bob.until("contact", added).await;
        bob.engine.remove("Alice", how).unwrap();
        if how == Removal::Ghost {
            // To whoever watches the invite's address, nothing has changed.
            assert_eq!(mallory.join(&invite, "Bob").await, Err(Reason::InviteUsed));
        } else {
            bob.reachable(0).await;
            let refused = mallory.join(&invite, "Bob").await;
            assert_eq!(refused, Err(Reason::PeerUnreachable));
        }
        bob.invite("Carol");
        bob.until("invite", reachable).await;
        assert_eq!(alarms(&bob), 0, "{how:?}");
    }
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
        assert_eq!(alarms(&bob), 0, "an honest retry is no second use");
        alice.reachable(1).await;
        assert_eq!(alice.engine.contacts().len(), 1);
        assert_eq!(bob.engine.contacts().len(), 1);
        connect(&mut alice, "Bob", &mut bob).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_contact_removed_before_its_join_was_confirmed_stays_removed() {
    let world = World::new();
    let setup = world.setup();
    // Bob has answered, and his answer never arrives: in each of her three tries.
    setup.tap.end_streams_after(&[SIGNALING_FRAME_BYTES; 3]);
    let alice = world.person_with("alice", setup);
    let mut bob = world.person("bob");
    let invite = bob.invite("Alice");
    bob.until("invite", reachable).await;
    assert!(alice.join(&invite, "Bob").await.is_err());
    assert!(bob.contact("Alice").is_some());
    bob.engine.remove("Alice", Removal::Ghost).unwrap();
    // To her it looks as if nothing had happened; he is told nothing and shown nobody.
    assert_eq!(alice.join(&invite, "Bob").await, Ok(()));
    assert!(bob.contact("Alice").is_none());
    alice.dial("Bob").unwrap();
    assert_eq!(bob.engine.contacts().len(), 0);
    assert!(!bob.seen.iter().any(|e| added(e.clone()).is_some()));
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
        Some(Reason::InviteOpen)
    );
    for (name, reason) in [
        ("Alice", Some(Reason::InviteOpen)),
        (" ", Some(Reason::ContactBadName)),
        ("two\nlines", Some(Reason::ContactBadName)),
        ("Carol", None),
    ] {
        let checked = bob.engine.check_new_name(name);
        assert_eq!(checked.err().map(|e| e.kind()), reason, "{name:?}");
    }
    assert_eq!(
        bob.join(&alice.invite("Bob"), "Alice").await,
        Err(Reason::InviteOpen)
    );
    drop(invite);
}
