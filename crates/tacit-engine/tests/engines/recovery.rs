//! Crashes, lost legs, empty wallets.

use std::time::Instant;

use tacit_engine::{CallState, Command, Event, Invite};
use tacit_signaling::limits::SIGNALING_FRAME_BYTES;
use tacit_types::Reason;

use crate::common::{
    Disk, PATIENCE, Person, RESUME_WITHIN, Setup, World, alice_and_bob, connect, meet,
};

/// More writes than any of these stories needs.
const MANY: usize = 40;

#[tokio::test(flavor = "multi_thread")]
async fn a_call_that_loses_all_legs_comes_back() {
    let world = World::new();
    let (mut alice, mut bob) = alice_and_bob(&world).await;
    connect(&mut alice, "Bob", &mut bob).await;
    for _ in 0..2 {
        // A leg that is still being opened would bring the call back by itself.
        let complete = |e| match e {
            Event::Quality(_, quality) => (quality.legs.len() == 8).then_some(()),
            _ => None,
        };
        alice.until("all legs", complete).await;
        alice.hears(2).await;
        bob.hears(2).await;
        world.network.break_streams();
        for person in [&mut alice, &mut bob] {
            let lost = |e| matches!(e, Event::Interrupted(_)).then_some(());
            person.until("interruption", lost).await;
            let back = |e| matches!(e, Event::Resumed(_)).then_some(());
            person.until("resumption", back).await;
        }
    }
    alice.hears(3).await;
    bob.hears(3).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_leg_that_comes_late_brings_a_call_back_without_a_ring() {
    let world = World::new();
    let (mut alice, mut bob) = alice_and_bob(&world).await;
    connect(&mut alice, "Bob", &mut bob).await;
    // The later legs of a call are opened over some seconds; these now take longer than the others
    // live.
    alice.tap.hold();
    alice.hears(1).await;
    bob.hears(1).await;
    let rings = alice.tap.rings().len();
    world.network.break_streams();
    let lost = |e| matches!(e, Event::Interrupted(_)).then_some(());
    bob.until("interruption", lost).await;
    alice.tap.start();
    let back = |e| matches!(e, Event::Resumed(_)).then_some(());
    bob.until("resumption", back).await;
    alice.hears(2).await;
    bob.hears(2).await;
    assert_eq!(alice.tap.rings().len(), rings);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_whose_other_end_is_gone_ends() {
    for callee_stays in [false, true] {
        let world = World::new();
        let (mut alice, mut bob) = alice_and_bob(&world).await;
        connect(&mut alice, "Bob", &mut bob).await;
        let (mut stays, goes) = if callee_stays {
            (bob, alice)
        } else {
            (alice, bob)
        };
        stays.hears(1).await;
        goes.crash().await;
        let lost = Instant::now();
        assert_eq!(stays.ended().await, Reason::LegsLost);
        assert!(lost.elapsed() < RESUME_WITHIN * 2);
        let told = |e: &&Event| matches!(e, Event::Interrupted(_));
        assert_eq!(stays.seen.iter().filter(told).count(), 1);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_resume_of_a_call_that_the_other_side_ended_ends() {
    let world = World::new();
    let (mut alice, mut bob) = alice_and_bob(&world).await;
    connect(&mut alice, "Bob", &mut bob).await;
    alice.hears(1).await;
    // Bob's device forgets the call; his address comes back before Alice gives up.
    let disk = bob.crash().await;
    let interrupted = |e| matches!(e, Event::Interrupted(_)).then_some(());
    alice.until("interruption", interrupted).await;
    let _bob = world.restart("bob", disk);
    assert_eq!(alice.ended().await, Reason::PeerHungUp);
}

/// Alice, who knows Bob but has no token of his: whenever they met, the line broke before. Further
/// streams of hers end after so many frames.
pub(crate) async fn without_tokens(
    world: &World,
    bob: Setup,
    frames: &[usize],
) -> (Person, Person) {
    let setup = world.setup();
    // HELLO and ANSWER arrive, the tokens never do; the second try is told that the invite is used,
    // by herself; and the RESYNC does not even start.
    setup.tap.end_streams_after(&[2 * SIGNALING_FRAME_BYTES; 2]);
    setup.tap.end_streams_after(&[0]);
    let mut alice = world.person_with("alice", setup);
    let mut bob = world.person_with("bob", bob);
    let invite = bob.invite("Alice");
    bob.until("invite", |e| {
        matches!(e, Event::InviteReachable).then_some(())
    })
    .await;
    assert_eq!(
        alice.join(&invite, "Bob").await,
        Err(Reason::PeerUnreachable)
    );
    assert_eq!(alice.contact("Bob").unwrap().tokens, 0);
    alice.all_reachable().await;
    let bytes: Vec<_> = frames.iter().map(|f| f * SIGNALING_FRAME_BYTES).collect();
    alice.tap.end_streams_after(&bytes);
    (alice, bob)
}

#[tokio::test(flavor = "multi_thread")]
async fn an_empty_wallet_is_filled_again() {
    let world = World::new();
    let (mut alice, mut bob) = without_tokens(&world, world.setup(), &[]).await;
    let (ours, _) = connect(&mut alice, "Bob", &mut bob).await;
    assert!(alice.contact("Bob").unwrap().tokens >= 8);
    alice.command(Command::HangUp(ours)).unwrap();
    bob.ended().await;
    connect(&mut bob, "Alice", &mut alice).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_resync_that_breaks_off_anywhere_does_no_harm() {
    /// More frames than a ring needs.
    const WHOLE: usize = 1000;
    // HELLO; ANSWER; Bob's tokens; what follows is complete.
    for frames in 0..=3 {
        let world = World::new();
        let (mut alice, mut bob) = without_tokens(&world, world.setup(), &[WHOLE, frames]).await;
        alice.dial("Bob").unwrap();
        if frames < 3 {
            assert_eq!(alice.ended().await, Reason::PeerNoToken, "{frames} frames");
        } else {
            alice.state(CallState::Ringing).await;
        }
        if (1..3).contains(&frames) {
            // One was tried; there is none for an hour.
            alice.dial("Bob").unwrap();
            assert_eq!(alice.ended().await, Reason::PeerNoToken, "{frames} frames");
        }
        let (alice_disk, bob_disk) = (alice.crash().await, bob.crash().await);
        alice = world.restart("alice", alice_disk);
        bob = world.restart("bob", bob_disk);
        call_both_ways(&mut alice, &mut bob).await;
    }
}

/// One side crashes at one of its writes; started again from what it had stored, the two call each
/// other in both directions.
async fn crash_in_a_call(caller_crashes: bool) {
    let world = World::new();
    let (alice, bob) = alice_and_bob(&world).await;
    let (alice, bob) = (alice.crash().await, bob.crash().await);
    let (alice, bob) = (alice.snapshot(), bob.snapshot());
    for writes in 0..MANY {
        let mut alice = world.restart("alice", Disk::with(alice.clone()));
        let mut bob = world.restart("bob", Disk::with(bob.clone()));
        alice.reachable(1).await;
        bob.reachable(1).await;
        let breaks = if caller_crashes { &alice } else { &bob };
        let disk = breaks.disk.clone();
        disk.break_after(writes);
        let story = async {
            let (ours, _) = connect(&mut alice, "Bob", &mut bob).await;
            alice.words().await;
            alice.command(Command::Verify(ours, true)).unwrap();
            let verified = |e| matches!(e, Event::Verified(_)).then_some(());
            alice.until("verification", verified).await;
            alice.command(Command::HangUp(ours)).unwrap();
            bob.ended().await;
        };
        let finished = tokio::select! {
            biased;
            () = disk.broke() => false,
            () = story => true,
        };
        let (alice, bob) = (alice.crash().await, bob.crash().await);
        let mut alice = world.restart("alice", alice);
        let mut bob = world.restart("bob", bob);
        call_both_ways(&mut alice, &mut bob).await;
        if finished {
            assert!(writes > 1, "a call stores something");
            return;
        }
    }
    panic!("a call makes more writes than anybody expects");
}

async fn call_both_ways(alice: &mut Person, bob: &mut Person) {
    alice.all_reachable().await;
    bob.all_reachable().await;
    let (ours, _) = connect(alice, "Bob", bob).await;
    alice.command(Command::HangUp(ours)).unwrap();
    bob.ended().await;
    alice.ended().await;
    connect(bob, "Alice", alice).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_caller_that_crashes_at_any_write_can_call_again() {
    crash_in_a_call(true).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_callee_that_crashes_at_any_write_can_be_called_again() {
    crash_in_a_call(false).await;
}

/// One side crashes at one of its writes while they meet; trying again with the same invite helps.
async fn crash_in_a_join(guest_crashes: bool) {
    for writes in 0..MANY {
        let world = World::new();
        let mut alice = world.person("alice");
        let mut bob = world.person("bob");
        let invite = bob.invite("Alice");
        bob.until("invite", |e| {
            matches!(e, Event::InviteReachable).then_some(())
        })
        .await;
        let breaks = if guest_crashes { &alice } else { &bob };
        let disk = breaks.disk.clone();
        disk.break_after(writes);
        let added = |e| matches!(e, Event::ContactAdded(_)).then_some(());
        let finished = tokio::select! {
            biased;
            () = disk.broke() => false,
            joined = alice.join(&invite, "Bob") => {
                joined.is_ok() && {
                    bob.until("contact", added).await;
                    true
                }
            }
        };
        let (alice_disk, bob_disk) = (alice.crash().await, bob.crash().await);
        alice = world.restart("alice", alice_disk);
        bob = world.restart("bob", bob_disk);
        bob.all_reachable().await;
        if !finished {
            join_again(&alice, &invite).await;
        }
        connect(&mut alice, "Bob", &mut bob).await;
        if finished {
            assert!(writes > 1, "a join stores something");
            return;
        }
    }
    panic!("a join makes more writes than anybody expects");
}

async fn join_again(alice: &Person, invite: &Invite) {
    tokio::time::timeout(PATIENCE, alice.join(invite, "Bob"))
        .await
        .expect("a join ends")
        .unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_guest_that_crashes_at_any_write_can_join_again() {
    crash_in_a_join(true).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_host_that_crashes_at_any_write_can_be_joined_again() {
    crash_in_a_join(false).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_disk_that_is_full_ends_the_ring_and_nothing_else() {
    let world = World::new();
    let mut bob = world.person("bob");
    let mut alice = world.person("alice");
    meet(&mut bob, "Bob", &mut alice, "Alice").await;
    alice.disk.break_after(0);
    alice.dial("Bob").unwrap();
    assert_eq!(alice.ended().await, Reason::ProfileIo);
    assert!(alice.disk.is_broken());
    alice.disk.repair();
    connect(&mut alice, "Bob", &mut bob).await;
}
