//! What is told of a call's delay and legs once a second, and how true it is.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Instant;

use tacit_engine::{Command, Event, LegState, PathChange, Quality, Side};
use tacit_types::Cells;
use tacit_types::limits::{ONION_PORT_LEGS, PACKET_BYTES};

use crate::common::{Person, World, alice_and_bob, connect, meet};

/// The codec's look-ahead, in microseconds: what a frame holds was spoken that much earlier.
const LOOK_AHEAD_US: u64 = 6_500;
/// What the meter may be off where the network takes the same time both ways.
const ERROR_MS: f64 = 30.0;

/// Frames of one kind in a trace, with their times in microseconds.
fn times(trace: &Path, kinds: &[&str]) -> BTreeMap<u32, u64> {
    let text = std::fs::read_to_string(trace).unwrap();
    let lines = text.lines().map(|line| line.split(' ').collect::<Vec<_>>());
    let lines = lines.filter(|words| kinds.contains(&words[0]));
    lines
        .map(|words| (words[1].parse().unwrap(), words[2].parse().unwrap()))
        .collect()
}

fn reports(person: &Person) -> Vec<Quality> {
    let reports = person.seen.iter().filter_map(|event| match event {
        Event::Quality(_, quality) => Some((**quality).clone()),
        _ => None,
    });
    reports.collect()
}

/// What the listener's meter said, minus what the frames took that were heard in the second before.
#[expect(clippy::cast_precision_loss, reason = "delays are short")]
fn errors(speaker: &Person, listener: &Person) -> Vec<f64> {
    let captured = times(&speaker.trace, &["captured"]);
    let played = times(&listener.trace, &["played", "repaired"]);
    let error = |quality: Quality| {
        let window = quality.at_us - 1_000_000..quality.at_us;
        let heard = played.iter().filter(|(_, at)| window.contains(at));
        let delay = |(n, at): (&u32, &u64)| Some(at - captured.get(n)? + LOOK_AHEAD_US);
        let delays: Vec<u64> = heard.filter_map(delay).collect();
        let mean = delays.iter().sum::<u64>() as f64 / delays.len() as f64 / 1e3;
        (delays.len() > 40).then(|| f64::from(quality.latency.mouth_to_ear()) - mean)
    };
    reports(listener).into_iter().filter_map(error).collect()
}

/// Whether all eight legs are measured, in use in both directions, and say why.
fn all_known(quality: &Quality) -> bool {
    let known = quality.legs.iter().filter(|leg| {
        leg.side == Side::Local
            && leg.state == LegState::Good
            && leg.relative_delay_ms.is_some()
            && leg.inward_delay_ms.is_some()
            && leg.loss.is_some_and(|loss| loss < 0.1)
            && leg.sent > 5
            && leg.received > 5
            && leg.send_queue_ms.is_some()
            && leg.last_reason.is_some()
    });
    known.count() == 8 && quality.legs.len() == 8
}

async fn knows_all_legs(person: &mut Person) {
    let known = |e| match e {
        Event::Quality(_, quality) => all_known(&quality).then_some(()),
        _ => None,
    };
    person.until("all legs", known).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_meter_tells_delay_by_stage_and_every_leg_and_is_right() {
    let world = World::new();
    let (mut alice, mut bob) = alice_and_bob(&world).await;
    let (ours, _) = connect(&mut alice, "Bob", &mut bob).await;
    for person in [&mut alice, &mut bob] {
        knows_all_legs(person).await;
    }
    alice.hears(4).await;
    bob.hears(4).await;
    alice.command(Command::HangUp(ours)).unwrap();
    alice.ended().await;
    bob.ended().await;
    for (speaker, listener) in [(&alice, &bob), (&bob, &alice)] {
        let mut errors = errors(speaker, listener);
        println!("the meter's estimate minus the shared clock, ms: {errors:.1?}");
        assert!(errors.len() >= 4);
        // A busy machine may hold a second's frames or its report up.
        errors.sort_by(|a, b| a.abs().total_cmp(&b.abs()));
        assert!(errors[errors.len() / 2].abs() < ERROR_MS, "{errors:?}");
        let last = reports(listener).pop().unwrap();
        let l = last.latency;
        assert!((60.0..150.0).contains(&l.network), "{l:?}");
        assert!(l.send_queue > 0.0 && l.playout_wait > 0.0, "{l:?}");
        assert!(last.round_trip_ms.is_some_and(|ms| ms >= 120.0));
        let packets: u32 = last.choices.iter().map(|(_, count)| count).sum();
        assert!((40..=60).contains(&packets), "{:?}", last.choices);
        assert!(last.last_choice.is_some());
        assert!(last.frames.played > 100 && last.frames.concealed < 50);
        let first = |e: &Event| {
            let first = PathChange::First;
            matches!(e, Event::PathChanged { reason, .. } if *reason == first)
        };
        assert!(listener.saw(first));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn packets_that_wait_for_their_streams_are_seen_in_the_send_queue() {
    let world = World::new();
    let (mut alice, mut bob) = alice_and_bob(&world).await;
    connect(&mut alice, "Bob", &mut bob).await;
    // A leg that is still joining would wait with its join packet.
    knows_all_legs(&mut alice).await;
    alice.tap.stall_legs();
    let waits = |e| match e {
        Event::Quality(_, quality) => {
            let queued = |ms: Option<f32>| ms.is_some_and(|ms| ms > 300.0);
            let legs = quality.legs.iter().filter(|l| queued(l.send_queue_ms));
            (quality.latency.send_queue > 300.0 && legs.count() > 3).then_some(())
        }
        _ => None,
    };
    alice.until("queue", waits).await;
}

/// Packets a second that somebody's legs took between two moments.
#[expect(clippy::cast_precision_loss, reason = "a few thousand")]
fn rate(person: &Person, from: Instant, to: Instant) -> f64 {
    let mut writes = person.tap.writes();
    writes.retain(|w| w.port == ONION_PORT_LEGS && (from..to).contains(&w.at));
    assert!(writes.iter().all(|w| w.len == PACKET_BYTES));
    writes.len() as f64 / (to - from).as_secs_f64()
}

/// Each direction has its sender's rate, in speech and after it, and the listener's meter knows it.
#[tokio::test(flavor = "multi_thread")]
async fn a_side_may_send_25_packets_a_second_and_is_heard_as_well() {
    let world = World::new();
    let mut setup = world.setup();
    setup.tone = Some(440.0);
    setup.cells = Cells::TwentyFive;
    let mut alice = world.person_with("alice", setup);
    let mut setup = world.setup();
    setup.tone = Some(660.0);
    let mut bob = world.person_with("bob", setup);
    meet(&mut bob, "Bob", &mut alice, "Alice").await;
    let (ours, _) = connect(&mut alice, "Bob", &mut bob).await;
    alice.hears(1).await;
    bob.hears(1).await;
    let from = Instant::now();
    for muted in [false, true] {
        alice.command(Command::SetMuted(ours, muted)).unwrap();
        for _ in 0..4 {
            let report = |e| matches!(e, Event::Quality(..)).then_some(());
            bob.until("report", report).await;
        }
    }
    alice.hears(1).await;
    let to = Instant::now();
    let rates = [rate(&alice, from, to), rate(&bob, from, to)];
    assert!((23.5..26.5).contains(&rates[0]), "{rates:?}");
    assert!((47.0..53.0).contains(&rates[1]), "{rates:?}");
    alice.command(Command::HangUp(ours)).unwrap();
    alice.ended().await;
    bob.ended().await;
    for (speaker, listener, frame) in [(&alice, &bob, 30.0), (&bob, &alice, 10.0)] {
        let mut errors = errors(speaker, listener);
        println!("the meter's estimate minus the shared clock, ms: {errors:.1?}");
        errors.sort_by(|a, b| a.abs().total_cmp(&b.abs()));
        assert!(errors[errors.len() / 2].abs() < ERROR_MS, "{errors:?}");
        let last = reports(listener).pop().unwrap();
        assert!(
            (last.latency.frame - frame).abs() < 0.1,
            "{:?}",
            last.latency
        );
        assert!(last.frames.concealed < 50, "{:?}", last.frames);
    }
}
