//! What an observer of one end sees: one packet size, one clock.

use tacit_engine::{Command, Event};
use tacit_types::limits::{
    ONION_PORT_LEGS, ONION_PORT_SIGNALING, PACKET_BYTES, SIGNALING_FRAME_BYTES,
};

use crate::common::{Person, World, Write, alice_and_bob, connect};

/// Packets in one look at a call.
const WINDOW: usize = 150;
/// By this much the rate of a window may be off.
const TOLERANCE: f64 = 0.05;

/// Every packet has the one size, and together they come at 50 a second.
fn check(packets: &[Write]) -> Result<(), String> {
    if let Some(odd) = packets.iter().find(|w| w.len != PACKET_BYTES) {
        return Err(format!("a write of {} bytes", odd.len));
    }
    let (Some(first), Some(last)) = (packets.first(), packets.last()) else {
        return Err("no packets".to_owned());
    };
    #[expect(clippy::cast_precision_loss)]
    let rate = (packets.len() - 1) as f64 / last.at.duration_since(first.at).as_secs_f64();
    if (rate / 50.0 - 1.0).abs() > TOLERANCE {
        return Err(format!("{rate:.1} packets a second"));
    }
    Ok(())
}

fn leg_writes(person: &Person) -> Vec<Write> {
    let mut writes = person.tap.writes();
    writes.retain(|w| w.port == ONION_PORT_LEGS);
    writes
}

/// The next packets of a person.
async fn look(person: &mut Person) -> Vec<Write> {
    let before = leg_writes(person).len();
    loop {
        person
            .until("report", |e| matches!(e, Event::Quality(..)).then_some(()))
            .await;
        let mut writes = leg_writes(person).split_off(before);
        if writes.len() >= WINDOW {
            writes.truncate(WINDOW);
            return writes;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn speech_silence_and_mute_look_the_same() {
    let world = World::new();
    let (mut alice, mut bob) = alice_and_bob(&world).await;
    let mut carol = world.person("carol");
    crate::common::meet(&mut bob, "Bob", &mut carol, "Carol").await;
    let (ours, theirs) = connect(&mut alice, "Bob", &mut bob).await;
    alice.hears(1).await;
    let speech = look(&mut alice).await;
    check(&speech).unwrap();
    alice.command(Command::SetMuted(ours, true)).unwrap();
    // Bob hears nothing any more, so Alice is mute.
    bob.until("mute", |e| match e {
        Event::Quality(_, q) => (q.output_level < -60.0).then_some(()),
        _ => None,
    })
    .await;
    check(&look(&mut alice).await).unwrap();
    alice.command(Command::SetMuted(ours, false)).unwrap();
    bob.hears(1).await;
    bob.command(Command::HangUp(theirs)).unwrap();
    alice.ended().await;
    bob.ended().await;
    // Carol says nothing at all.
    connect(&mut carol, "Bob", &mut bob).await;
    carol.hears(1).await;
    check(&look(&mut carol).await).unwrap();
    for person in [&alice, &bob, &carol] {
        let writes = person.tap.writes();
        let frames = writes.iter().filter(|w| w.port == ONION_PORT_SIGNALING);
        assert!(frames.clone().all(|w| w.len == SIGNALING_FRAME_BYTES));
        assert!(frames.count() > 0);
        assert!(leg_writes(person).iter().all(|w| w.len == PACKET_BYTES));
    }
    controls(&speech);
}

/// The check sees what it is there to see.
fn controls(packets: &[Write]) {
    let mut short = packets.to_vec();
    short[WINDOW / 2].len = PACKET_BYTES - 1;
    check(&short).unwrap_err();
    let mut sparse = packets.to_vec();
    let mut number = 0;
    sparse.retain(|_| {
        number += 1;
        number % 5 != 0
    });
    check(&sparse).unwrap_err();
    check(&[]).unwrap_err();
}
