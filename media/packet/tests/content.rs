//! The plaintext of packets: every byte accounted for, every malformed one refused.

use proptest::prelude::*;
use tacit_packet::{
    ArrivalReport, Content, ControlBlock, ControlMessage, Malformed, MediaTime, Packetizer,
    Reports, layout,
};
use tacit_types::{FrameNumber, LegIndex, Path, SlotNumber};

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
    Content {
        slot: SlotNumber(0x0102_0304),
        sent_at: MediaTime(1_000_000),
        newest: FrameNumber(0x0506_0708),
        payloads: [
            Some([1; 60]),
            Some([2; 60]),
            None,
            Some([4; 60]),
            Some([5; 60]),
        ],
        reports,
        control,
    }
}

#[test]
fn every_field_is_where_the_layout_says() {
    let mut plain = [0xff; 424];
    full().encode(&mut plain);
    assert_eq!(plain[0..4], [1, 2, 3, 4]);
    assert_eq!(plain[4..8], 1_000_000u32.to_be_bytes());
    assert_eq!(plain[8..12], [5, 6, 7, 8]);
    assert_eq!(plain[12..14], [0b1_1011, 10]);
    for (index, byte) in [1, 2, 0, 4, 5].into_iter().enumerate() {
        assert_eq!(plain[14 + 60 * index..74 + 60 * index], [byte; 60]);
    }
    let [high, low] = 501u16.to_be_bytes();
    assert_eq!(plain[320..326], [high, low, 1, 101, 0, 160]);
    assert_eq!(plain[374..380], [0, 9, 0, 8, 3, 32]);
    assert_eq!(plain[380..412], [0xc3; 32]);
    assert_eq!(plain[412..424], [0; 12]);
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
    for bit in 5..8 {
        assert_eq!(
            with(layout::FRAME_MASK, 1 << bit),
            Err(Malformed::FrameMask)
        );
    }
    assert_eq!(with(layout::REPORT_COUNT, 11), Err(Malformed::ReportCount));
    assert_eq!(
        with(layout::CONTROL_LENGTH, 41),
        Err(Malformed::ControlLength)
    );
    assert!(
        with(layout::RESERVED, 77).is_ok(),
        "reserved bytes are ignored"
    );
    let mut early = plain;
    early[layout::NEWEST..layout::NEWEST + 4].copy_from_slice(&3u32.to_be_bytes());
    assert_eq!(Content::decode(&early), Err(Malformed::FrameNumber));
}

#[test]
fn the_last_five_frames_ride_along() {
    let mut packetizer = Packetizer::new();
    let frames = |packetizer: &mut Packetizer| {
        let plain = packetizer.next(SlotNumber(0), MediaTime(0));
        let content = Content::decode(&plain).expect("ours");
        content
            .frames()
            .map(|(number, payload)| (number.0, payload[0]))
            .collect::<Vec<_>>()
    };
    assert_eq!(frames(&mut packetizer), []);
    for number in 0..7u8 {
        assert!(packetizer.push_frame(FrameNumber(number.into()), &[number; 60]));
    }
    assert_eq!(
        frames(&mut packetizer),
        [(6, 6), (5, 5), (4, 4), (3, 3), (2, 2)]
    );
    assert!(
        !packetizer.push_frame(FrameNumber(6), &[9; 60]),
        "not newer"
    );
    assert!(
        packetizer.push_frame(FrameNumber(9), &[9; 60]),
        "two are missing"
    );
    assert_eq!(frames(&mut packetizer), [(9, 9), (6, 6), (5, 5)]);
    assert!(packetizer.push_frame(FrameNumber(1000), &[1; 60]));
    assert_eq!(frames(&mut packetizer), [(1000, 1)]);
    packetizer.clear_frames();
    assert_eq!(frames(&mut packetizer), []);
}

#[test]
fn an_arrival_is_reported_in_several_packets_with_its_hold_time() {
    let mut packetizer = Packetizer::new();
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
    let mut packetizer = Packetizer::new();
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
    let mut packetizer = Packetizer::new();
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
    fn any_bytes_decode_or_are_refused(bytes in prop::collection::vec(any::<u8>(), 424), tame: bool) {
        let mut plain: [u8; 424] = bytes.try_into().expect("424");
        if tame {
            plain[layout::FRAME_MASK] &= 0x1f;
            plain[layout::REPORT_COUNT] %= 11;
            plain[layout::CONTROL_LENGTH] %= 41;
        }
        if let Ok(content) = Content::decode(&plain) {
            prop_assert!(content.frames().count() <= 5);
            let mut again = [0; 424];
            content.encode(&mut again);
            prop_assert_eq!(Content::decode(&again), Ok(content));
        } else {
            prop_assert!(!tame || plain[8..11] == [0; 3], "only a frame below zero is left");
        }
    }

    #[test]
    fn control_messages_survive_the_wire(bytes: [u8; 32], which in 0..4usize) {
        let message = [
            ControlMessage::Accept,
            ControlMessage::SasCommit(bytes),
            ControlMessage::SasReveal(bytes),
            ControlMessage::Muted,
        ][which];
        prop_assert_eq!(ControlMessage::parse(message.kind(), message.body()), Some(message));
        prop_assert_eq!(ControlMessage::parse(message.kind(), &[0; 33]), None);
    }
}
