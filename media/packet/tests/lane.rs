//! The control lane under loss, reordering and hostility.

use proptest::prelude::*;
use tacit_packet::{ControlBlock, ControlLane, ControlMessage, LaneFull};
use tacit_types::LegIndex;

fn message(number: u8) -> ControlMessage {
    ControlMessage::SasCommit([number; 32])
}

#[test]
fn a_message_rides_until_it_is_acknowledged() {
    let (mut a, mut b) = (ControlLane::default(), ControlLane::default());
    a.send(ControlMessage::Accept).expect("room");
    a.send(message(1)).expect("room");
    let block = a.block();
    assert_eq!(a.block(), block);
    assert_eq!(b.handle_input(&block), Some(ControlMessage::Accept));
    assert_eq!(b.handle_input(&block), None, "exactly once");
    assert_eq!(b.counters().repeated, 1);
    assert_eq!(a.handle_input(&b.block()), None);
    assert_eq!(b.handle_input(&a.block()), Some(message(1)));
    a.handle_input(&b.block());
    assert!(a.is_idle());
    assert_eq!(a.block().sequence, 0);
}

#[test]
fn a_full_lane_refuses() {
    let mut lane = ControlLane::default();
    for number in 0..16 {
        lane.send(message(number)).expect("room");
    }
    assert_eq!(lane.send(message(16)), Err(LaneFull));
    assert_eq!(lane.send(ControlMessage::Accept), Err(LaneFull));
}

/// Everything that `from` still has to say to `to`, over a perfect network.
fn all_said(from: &mut ControlLane, to: &mut ControlLane) -> Vec<ControlMessage> {
    let mut heard = Vec::new();
    while !from.is_idle() {
        heard.extend(to.handle_input(&from.block()));
        from.handle_input(&to.block());
    }
    heard
}

#[test]
fn a_comparison_that_has_begun_is_brought_to_its_end_around_a_hang_up() {
    let (commit, reveal) = (
        ControlMessage::SasCommit([1; 32]),
        ControlMessage::SasReveal([2; 32]),
    );
    for before in [true, false] {
        let (mut lane, mut peer) = (ControlLane::default(), ControlLane::default());
        lane.send(commit).expect("room");
        lane.send(ControlMessage::Muted).expect("room");
        if before {
            lane.send(reveal).expect("room");
        }
        lane.send(ControlMessage::HangUp).expect("always");
        lane.send(ControlMessage::Unmuted).expect("not kept");
        if !before {
            lane.send(reveal).expect("kept");
        }
        let mut wanted = vec![commit, reveal, ControlMessage::HangUp];
        if !before {
            wanted.swap(1, 2);
        }
        assert_eq!(all_said(&mut lane, &mut peer), wanted);
    }
}

#[test]
fn a_hang_up_finds_room_in_a_full_lane_and_withdraws_what_waits() {
    let mut lane = ControlLane::default();
    for number in 0..16 {
        lane.send(message(number)).expect("room");
    }
    lane.send(ControlMessage::HangUp).expect("always");
    lane.send(ControlMessage::Muted).expect("not kept");
    let heard = all_said(&mut lane, &mut ControlLane::default());
    assert_eq!(heard, [message(0), ControlMessage::HangUp]);
}

#[test]
fn only_the_newest_mute_state_waits() {
    let mut lane = ControlLane::default();
    lane.send(ControlMessage::Muted).expect("room");
    for _ in 0..100 {
        lane.send(ControlMessage::Unmuted).expect("room");
        lane.send(ControlMessage::Muted).expect("room");
    }
    lane.send(ControlMessage::SasConfirmed).expect("room");
    lane.send(ControlMessage::Unmuted).expect("room");
    let expected = [
        ControlMessage::Muted,
        ControlMessage::SasConfirmed,
        ControlMessage::Unmuted,
    ];
    let heard = all_said(&mut lane, &mut ControlLane::default());
    assert_eq!(heard, expected);
}

#[test]
fn unknown_kinds_are_taken_counted_and_ignored() {
    let mut lane = ControlLane::default();
    assert_eq!(
        lane.handle_input(&ControlBlock::message(1, 200, b"future")),
        None
    );
    assert_eq!(
        lane.handle_input(&ControlBlock::message(2, 1, b"too long")),
        None
    );
    assert_eq!(lane.counters().unknown, 2);
    assert_eq!(lane.block().acknowledged, 2);
    assert_eq!(lane.handle_input(&ControlBlock::message(9, 1, &[])), None);
    assert_eq!(lane.counters().out_of_order, 1);
}

#[test]
fn what_cannot_be_said_is_counted_and_ignored() {
    let mut lane = ControlLane::default();
    let nonsense: [(u8, &[u8]); 9] = [
        (8, &[]),
        (8, &[16, 0xc3]),
        (8, &[16, 0xc3, 0x50, 0]),
        // No port.
        (8, &[16, 0, 0]),
        (9, &[]),
        (9, &[16, 0]),
        (9, &[0; 40]),
        // No such rate.
        (10, &[51]),
        (10, &[0, 25]),
    ];
    for (sequence, (kind, body)) in (1..).zip(nonsense) {
        let block = ControlBlock::message(sequence, kind, body);
        assert_eq!(lane.handle_input(&block), None, "{kind} {body:?}");
    }
    assert_eq!(lane.counters().unknown, 9);
    let added = ControlMessage::LegAdded {
        leg: LegIndex(16),
        port: 50_000.into(),
    };
    assert_eq!(added.block(10).body(), [16, 0xc3, 0x50]);
    assert_eq!(lane.handle_input(&added.block(10)), Some(added));
    let gone = ControlMessage::LegGone(LegIndex(3));
    assert_eq!(lane.handle_input(&gone.block(11)), Some(gone));
}

#[test]
fn sequences_wrap_past_zero() {
    let (mut a, mut b) = (ControlLane::default(), ControlLane::default());
    for number in 0..70_000u32 {
        let sent = message(number.to_be_bytes()[3]);
        a.send(sent).expect("room");
        assert_ne!(a.block().sequence, 0);
        assert_eq!(b.handle_input(&a.block()), Some(sent));
        a.handle_input(&b.block());
    }
}

proptest! {
    /// Packets of either direction are lost, repeated and reordered; messages are not.
    #[test]
    fn messages_arrive_once_and_in_order(fates in prop::collection::vec(any::<(u8, bool)>(), 1..400)) {
        let (mut a, mut b) = (ControlLane::default(), ControlLane::default());
        let (mut to_b, mut to_a) = (Vec::new(), Vec::new());
        let (mut sent, mut got) = (0u8, 0u8);
        for (fate, forth) in fates {
            if sent < 250 && a.send(message(sent)).is_ok() {
                sent += 1;
            }
            let (from, queue) = if forth { (&a, &mut to_b) } else { (&b, &mut to_a) };
            queue.push(from.block());
            // 0: lost. Otherwise any earlier packet arrives, perhaps again.
            if fate == 0 {
                continue;
            }
            let block = queue[usize::from(fate) % queue.len()];
            let taken = if forth { b.handle_input(&block) } else { a.handle_input(&block) };
            if let Some(taken) = taken {
                prop_assert_eq!(taken, message(got));
                got += 1;
            }
        }
        prop_assert!(got <= sent);
    }

    /// Whatever was said before and however often the microphone was switched, over a lossy
    /// network: what matters arrives once and in order, then the last word.
    #[test]
    fn the_last_word_always_arrives(
        said in prop::collection::vec(0u8..8, 0..120),
        losses in prop::collection::vec(any::<(bool, bool)>(), 200),
    ) {
        let (mut a, mut b) = (ControlLane::default(), ControlLane::default());
        let (mut sent, mut heard) = (Vec::new(), Vec::new());
        let mut muted = None;
        for (&what, &(forth, back)) in said.iter().zip(&losses) {
            let mute = if what % 2 == 0 { ControlMessage::Muted } else { ControlMessage::Unmuted };
            let next = if what > 5 { message(what) } else { mute };
            if a.send(next).is_ok() {
                sent.push(next);
                if what <= 5 {
                    muted = Some(mute);
                }
            }
            if forth {
                heard.extend(b.handle_input(&a.block()));
            }
            if back {
                a.handle_input(&b.block());
            }
        }
        let told = |heard: &[ControlMessage]| {
            let mut states = heard.iter().rev();
            states.find(|m| matches!(m, ControlMessage::Muted | ControlMessage::Unmuted)).copied()
        };
        let waiting = all_said(&mut a.clone(), &mut b.clone());
        prop_assert_eq!(a.send(ControlMessage::HangUp), Ok(()));
        heard.extend(all_said(&mut a, &mut b));
        prop_assert_eq!(heard.pop(), Some(ControlMessage::HangUp));
        prop_assert!(!heard.contains(&ControlMessage::HangUp), "once");
        // In order: what was heard is what was sent, less what was withdrawn.
        let mut rest = sent.iter();
        prop_assert!(heard.iter().all(|m| rest.any(|s| s == m)), "{heard:?} of {sent:?}");
        // Without a hang-up the newest state of the microphone would have been told.
        prop_assert_eq!(told(&waiting).or_else(|| told(&heard)), muted);
    }

    #[test]
    fn hostile_blocks_never_break_the_lane(blocks in prop::collection::vec(any::<(u16, u16, u8)>(), 0..300)) {
        let mut lane = ControlLane::default();
        for (sequence, acknowledged, kind) in blocks {
            let _ = lane.send(ControlMessage::Muted);
            let mut block = ControlBlock::message(sequence, kind, &[]);
            block.acknowledged = acknowledged;
            lane.handle_input(&block);
        }
        let _ = lane.block();
    }
}
