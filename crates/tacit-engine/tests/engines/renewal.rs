//! Bad legs give way to new ones, and the rest of the call notices nothing.

use std::time::{Duration, Instant};

use tacit_engine::{Event, LegFault};
use tacit_types::limits::{ONION_PORT_LEGS, PACKET_BYTES};

use crate::common::{World, Write, alice_and_bob, connect};

/// How many packets a second went out on legs between two moments.
fn rate(writes: &[Write], from: Instant, to: Instant) -> f64 {
    let during = writes.iter().filter(|w| (from..to).contains(&w.at));
    during.count() as f64 / (to - from).as_secs_f64()
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
    let mut replaced = Vec::new();
    while replaced.len() < 2 {
        let next = alice.until("replacement", |e| match e {
            Event::LegReplaced {
                leg, by, reason, ..
            } => Some((leg, by, reason)),
            _ => None,
        });
        replaced.push(next.await);
    }
    let (slow, dead) = (LegFault::Slow, LegFault::Dead);
    let reason = |wanted| replaced.iter().find(|(.., reason)| *reason == wanted);
    assert!(
        reason(slow).is_some() && reason(dead).is_some(),
        "{replaced:?}"
    );
    // The new one was up before the old one went, and is not numbered as any before it.
    let up = |leg| move |e: &Event| matches!(e, Event::LegUp { leg: up, .. } if *up == leg);
    for (old, new, _) in &replaced {
        assert!(*new >= 8, "{replaced:?}");
        assert!(alice.saw(up(*new)) && alice.saw(up(*old)));
    }
    let gone = replaced.iter().map(|(old, ..)| *old);
    for old in gone.collect::<Vec<_>>() {
        let down = |e: &Event| matches!(e, Event::LegDown { leg, .. } if *leg == old);
        if !alice.saw(down) {
            alice.until("end", |e| down(&e).then_some(())).await;
        }
    }
    let eight = |e| match e {
        Event::Quality(_, quality) => (quality.legs.len() == 8).then_some(()),
        _ => None,
    };
    alice.until("eight legs", eight).await;
    bob.until("eight legs", eight).await;
    alice.hears(2).await;
    bob.hears(2).await;
    let interrupted = |e: &Event| matches!(e, Event::Interrupted(_));
    assert!(!alice.saw(interrupted) && !bob.saw(interrupted));

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
