//! The plaintext of packets: every byte accounted for, every malformed one refused.

use proptest::prelude::*;
use tacit_packet::{
    ArrivalReport, Content, ControlBlock, ControlMessage, Malformed, MediaTime, Packetizer,
    Reports, layout,
};
use tacit_types::{
    Cells, EncodedFrame, FrameNumber, FramePayload, LegIndex, Path, Reach, SlotNumber,
};

fn full() -> Content {
    let mut reports = Reports::default();
    for index in 0..10u8 {
        let path = Path {
            sender: LegIndex(index),
            receiver: LegIndex(100 + index),
        };
        let arrived_at = MediaTime(1_000_000 - u32::from(index) * 160);
        assert!(reports.push(ArrivalReport {
            slot: 500 + u16::from(index),
            path,
            arrived_at
        }));
    }
    let path = Path {
        sender: LegIndex(0),
        receiver: LegIndex(0),
    };
    assert!(
        !reports.push(ArrivalReport {
            slot: 0,
            path,
            arrived_at: MediaTime(0)
        }),
        "no room"
    );
    let mut control = ControlBlock::message(9, 3, &[0xc3; 32]);
    control.acknowledged = 8;
    let mut payloads = [None; 7];
    payloads[0] = Some(bytes(1, 140));
    payloads[1] = Some(bytes(2, 60));
    payloads[3] = Some(bytes(4, 1));
    Content {
        slot: SlotNumber(0x0102_0304),
        sent_at: MediaTime(1_000_000),
        newest: FrameNumber(0x0506_0708),
        reach: Reach::new(2, 24),
        payloads,
        reports,
        control,
    }
}

fn bytes(value: u8, length: usize) -> FramePayload {
    FramePayload::new(&vec![value; length]).expect("1 to 140 bytes")
}

#[test]
fn every_field_is_where_the_layout_says() {
    let mut plain = [0xff; 424];
    full().encode(&mut plain);
    assert_eq!(plain[0..4], [1, 2, 3, 4]);
    assert_eq!(plain[4..8], 1_000_000u32.to_be_bytes());
    assert_eq!(plain[8..12], [5, 6, 7, 8]);
    assert_eq!(plain[12..15], [2, 24, 10]);
    assert_eq!(plain[15..21], [0, 9, 0, 8, 3, 32]);
    let [high, low] = 501u16.to_be_bytes();
    assert_eq!(plain[27..33], [high, low, 1, 101, 0, 160]);
    assert_eq!(plain[81..113], [0xc3; 32]);
    assert_eq!(plain[113], 140);
    assert_eq!(plain[114..254], [1; 140]);
    assert_eq!(plain[254], 60);
    assert_eq!(plain[255..315], [2; 60]);
    assert_eq!(plain[315..318], [0, 1, 4]);
    assert_eq!(plain[318..424], [0; 106]);
    assert_eq!(Content::decode(&plain), Ok(full()));
}

#[test]
fn values_out_of_range_are_refused() {
    let mut plain = [0; 424];
    full().encode(&mut plain);
    let with = |at: usize, value: u8| {
        let mut changed = plain;
        changed[at] = value;
        Content::decode(&changed)
    };
    assert_eq!(with(layout::REACH_NEAREST, 25), Err(Malformed::Reach));
    assert_eq!(with(layout::REACH_NEAREST, 0), Err(Malformed::Reach));
    assert_eq!(with(layout::REACH_FARTHEST, 0), Err(Malformed::Reach));
    assert_eq!(with(layout::REPORT_COUNT, 11), Err(Malformed::ReportCount));
    assert_eq!(
        with(layout::CONTROL_LENGTH, 41),
        Err(Malformed::ControlLength)
    );
    // 140 bytes at 113: 141, and all beyond the end.
    for length in [141, 255] {
        assert_eq!(with(113, length), Err(Malformed::FrameLength));
    }
    // The second, at 254: what is left is 169 bytes.
    assert_eq!(with(254, 170), Err(Malformed::FrameLength));
    let mut early = plain;
    early[layout::NEWEST..layout::NEWEST + 4].copy_from_slice(&2u32.to_be_bytes());
    assert_eq!(Content::decode(&early), Err(Malformed::FrameNumber));
    // Behind the seventh frame nothing is read.
    assert!(with(423, 77).is_ok(), "the rest is ignored");
}

/// What a packet brings: number, length and whether there is DRED.
fn carried(packetizer: &mut Packetizer) -> Vec<(u32, u8, bool)> {
    let plain = packetizer.next(SlotNumber(0), MediaTime(0));
    let content = Content::decode(&plain).expect("ours");
    content
        .frames()
        .map(|arrived| {
            let dred = arrived.reach != Reach::NONE;
            (arrived.number.0, arrived.payload.length(), dred)
        })
        .collect()
}

/// A frame of so many bytes with DRED, half of it speech.
fn frame(length: usize) -> EncodedFrame {
    EncodedFrame {
        full: bytes(7, length),
        short: bytes(8, length / 2),
        reach: Reach::new(1, 24),
    }
}

#[test]
fn the_last_frames_ride_along_without_their_dred() {
    let mut packetizer = Packetizer::new(Cells::Fifty);
    assert_eq!(carried(&mut packetizer), []);
    for number in 0..9 {
        assert!(packetizer.push_frame(FrameNumber(number), &frame(100)));
    }
    let repeats = |numbers: &[u32]| numbers.iter().map(|n| (*n, 50, false)).collect::<Vec<_>>();
    let found = carried(&mut packetizer);
    assert_eq!(found[0], (8, 100, true));
    assert_eq!(found[1..], repeats(&[7, 6, 5, 4, 3]));
    assert_eq!(carried(&mut packetizer), found, "also in the next packet");
    assert!(
        !packetizer.push_frame(FrameNumber(8), &frame(60)),
        "not newer"
    );
    assert!(packetizer.push_frame(FrameNumber(11), &frame(60)));
    let found = carried(&mut packetizer);
    assert_eq!(found[0], (11, 30, false), "two are missing");
    assert_eq!(found[1..], repeats(&[8, 7, 6, 5]));
    assert!(packetizer.push_frame(FrameNumber(1000), &frame(60)));
    assert_eq!(carried(&mut packetizer), [(1000, 30, false)]);
    packetizer.clear_frames();
    assert_eq!(carried(&mut packetizer), []);
}

#[test]
fn dred_restores_nothing_from_before_a_hole() {
    let mut packetizer = Packetizer::new(Cells::Fifty);
    let mut reach = |number| {
        let frame = EncodedFrame {
            reach: Reach::new(2, 24),
            ..frame(100)
        };
        assert!(packetizer.push_frame(FrameNumber(number), &frame));
        let plain = packetizer.next(SlotNumber(number), MediaTime(0));
        Content::decode(&plain).expect("ours").reach
    };
    for first in [1, 1000] {
        assert_eq!(reach(first), Reach::NONE);
        assert_eq!(reach(first + 1), Reach::NONE);
        for known in 2..24 {
            let farthest = u8::try_from(known).expect("small");
            assert_eq!(reach(first + known), Reach::new(2, farthest));
        }
        assert_eq!(reach(first + 24), Reach::new(2, 24));
        assert_eq!(reach(first + 25), Reach::new(2, 24));
    }
    // One is missing.
    assert_eq!(reach(1027), Reach::NONE);
    assert_ne!(reach(1028), reach(1029));
    packetizer.clear_frames();
    assert!(packetizer.push_frame(FrameNumber(1030), &frame(100)));
    assert_eq!(carried(&mut packetizer), [(1030, 50, false)]);
}

#[test]
fn as_many_repeats_ride_along_as_there_is_room_for() {
    let mut packetizer = Packetizer::new(Cells::Fifty);
    let path = Path {
        sender: LegIndex(0),
        receiver: LegIndex(0),
    };
    let mut counts = Vec::new();
    for number in 0..60 {
        // Long, median, and short as in a pause.
        let length = [140, 104, 60][number / 20];
        let number = u32::try_from(number).expect("small");
        packetizer.record_arrival(SlotNumber(number), path, MediaTime(number * 160));
        packetizer.push_frame(FrameNumber(number), &frame(length));
        let plain = packetizer.next(SlotNumber(number), MediaTime(number * 160));
        let content = Content::decode(&plain).expect("ours");
        counts.push((
            content.reports.as_slice().len(),
            content.frames().count() - 1,
        ));
    }
    // Long ones are left out for shorter ones before them.
    assert_eq!(
        [counts[19], counts[39], counts[59]],
        [(8, 3), (8, 4), (8, 6)]
    );
    packetizer
        .send_control(ControlMessage::SasCommit([1; 32]))
        .expect("it is empty");
    packetizer.push_frame(FrameNumber(60), &frame(140));
    let most = Content::decode(&packetizer.next(SlotNumber(60), MediaTime(9600))).expect("ours");
    assert_eq!(most.frames().next().map(|f| f.payload.length()), Some(140));
}

#[test]
fn an_arrival_is_reported_in_several_packets_with_its_hold_time() {
    let mut packetizer = Packetizer::new(Cells::Fifty);
    let path = Path {
        sender: LegIndex(3),
        receiver: LegIndex(3),
    };
    packetizer.record_arrival(SlotNumber(70_000), path, MediaTime(1000));
    let mut told = 0;
    for slot in 0..40 {
        let now = MediaTime(1040 + slot * 160);
        let content = Content::decode(&packetizer.next(SlotNumber(slot), now)).expect("ours");
        for report in content.reports.iter() {
            let expected = ArrivalReport {
                slot: 4464,
                path,
                arrived_at: MediaTime(1000),
            };
            assert_eq!(*report, expected);
            told += 1;
        }
    }
    assert_eq!(told, 8);
}

#[test]
fn a_burst_is_told_once_before_anything_is_repeated() {
    let mut packetizer = Packetizer::new(Cells::Fifty);
    let path = Path {
        sender: LegIndex(0),
        receiver: LegIndex(0),
    };
    for slot in 0..100 {
        packetizer.record_arrival(SlotNumber(slot), path, MediaTime(0));
    }
    let mut seen = Vec::new();
    for slot in 0..7 {
        let plain = packetizer.next(SlotNumber(slot), MediaTime(slot * 160));
        seen.extend(
            Content::decode(&plain)
                .expect("ours")
                .reports
                .iter()
                .map(|r| r.slot),
        );
    }
    assert_eq!(packetizer.reports().dropped(), 36, "room for 64");
    let mut first: Vec<u16> = seen[..64].to_vec();
    assert_eq!(first[0], 99, "newest first");
    first.sort_unstable();
    assert_eq!(first, (36..100).collect::<Vec<_>>());
}

#[test]
fn old_arrivals_are_not_reported() {
    let mut packetizer = Packetizer::new(Cells::Fifty);
    let path = Path {
        sender: LegIndex(0),
        receiver: LegIndex(0),
    };
    packetizer.record_arrival(SlotNumber(1), path, MediaTime(0));
    let content = Content::decode(&packetizer.next(SlotNumber(0), MediaTime(65_536)));
    assert!(content.expect("ours").reports.as_slice().is_empty());
}

proptest! {
    #[test]
    fn any_bytes_decode_or_are_refused(
        bytes in prop::collection::vec(any::<u8>(), 424),
        lengths in prop::option::of(prop::collection::vec(0_u8..60, 7)),
    ) {
        let mut plain: [u8; 424] = bytes.try_into().expect("424");
        if let Some(lengths) = &lengths {
            plain[layout::REACH_NEAREST] = 1 + plain[layout::REACH_NEAREST] % 5;
            plain[layout::REACH_FARTHEST] |= 8;
            plain[layout::REPORT_COUNT] %= 11;
            plain[layout::CONTROL_LENGTH] %= 41;
            let mut at = 21 + 6 * usize::from(plain[layout::REPORT_COUNT])
                + usize::from(plain[layout::CONTROL_LENGTH]);
            for &length in lengths {
                if at < 424 {
                    plain[at] = length.min(u8::try_from(423 - at).unwrap_or(u8::MAX));
                    at += 1 + usize::from(plain[at]);
                }
            }
        }
        if let Ok(content) = Content::decode(&plain) {
            prop_assert!(content.frames().count() <= 7);
            let mut again = [0; 424];
            content.encode(&mut again);
            prop_assert_eq!(Content::decode(&again), Ok(content));
        } else {
            prop_assert!(lengths.is_none() || plain[8..11] == [0; 3], "only a frame below zero is left");
        }
    }

    #[test]
    fn control_messages_survive_the_wire(
        bytes: [u8; 32],
        (leg, port) in (any::<u8>(), 1u16..),
        which in 0..8usize,
        sequence: u16,
    ) {
        let leg = LegIndex(leg);
        let message = [
            ControlMessage::Accept,
            ControlMessage::SasCommit(bytes),
            ControlMessage::SasReveal(bytes),
            ControlMessage::Muted,
            ControlMessage::LegAdded { leg, port: port.into() },
            ControlMessage::LegGone(leg),
            ControlMessage::Cells(Cells::Fifty),
            ControlMessage::Cells(Cells::TwentyFive),
        ][which];
        let block = message.block(sequence);
        prop_assert_eq!(block.sequence, sequence);
        prop_assert_eq!(ControlMessage::parse(block.kind(), block.body()), Some(message));
        prop_assert_eq!(ControlMessage::parse(block.kind(), &[0; 33]), None);
    }

    /// What is taken for a message is what would have been written for it.
    #[test]
    fn no_two_bodies_are_one_message(kind in 0_u8..12, body in prop::collection::vec(any::<u8>(), 0..41)) {
        if let Some(message) = ControlMessage::parse(kind, &body) {
            let block = message.block(1);
            prop_assert_eq!((block.kind(), block.body()), (kind, &body[..]));
        }
    }
}
