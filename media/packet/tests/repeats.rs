//! How often a frame is said at 25 packets a second, with the sizes of frames of recorded speech.

use tacit_packet::{Content, ControlMessage, MediaTime, Packetizer};
use tacit_types::{
    Cells, EncodedFrame, FrameNumber, FramePayload, LegIndex, Path, Reach, SlotNumber,
};

/// A row for each frame of two texts: text, speech, bytes in full, bytes of the short form, reach.
const FRAMES: &str = include_str!("../../../bench/data/frames.csv");

fn frames(text: &str) -> Vec<EncodedFrame> {
    let of_text = FRAMES.lines().filter_map(|line| line.strip_prefix(text));
    let frame = |row: &str| {
        let mut sizes = row.split(',').skip(1).map(|n| n.parse().expect("a size"));
        let mut payload = || FramePayload::new(&vec![7; sizes.next()?]);
        Some(EncodedFrame {
            full: payload()?,
            short: payload()?,
            reach: Reach::new(1, 24),
        })
    };
    of_text.map(|row| frame(row).expect("a frame")).collect()
}

/// In how many packets each frame is, when so many packets come from one to the next, and maybe with a
/// message that is never acknowledged. `late`: whether the first packet goes out after the second
/// frame or after the third.
fn copies(frames: &[EncodedFrame], arrivals: u32, message: bool, late: u32) -> Vec<u32> {
    let mut packetizer = Packetizer::new(Cells::TwentyFive);
    let path = Path {
        sender: LegIndex(0),
        receiver: LegIndex(0),
    };
    if message {
        let message = ControlMessage::SasCommit([9; 32]);
        packetizer.send_control(message).expect("there is room");
    }
    let mut copies = vec![0; frames.len()];
    for (number, frame) in (0..).zip(frames) {
        assert!(packetizer.push_frame(FrameNumber(number), frame));
        if number % 2 == late % 2 {
            continue;
        }
        let now = MediaTime(160 * number);
        for arrival in 0..arrivals {
            let slot = SlotNumber(arrivals * number + arrival);
            packetizer.record_arrival(slot, path, now);
        }
        let plain = packetizer.next(SlotNumber(number), now);
        let content = Content::decode(&plain).expect("it is ours");
        if number > 8 {
            assert_eq!(
                content.reports.as_slice().len() as u32,
                (4 * arrivals).min(10)
            );
        }
        for frame in content.frames() {
            copies[frame.number.0 as usize] += 1;
        }
    }
    // The first and the last ones have fewer packets.
    copies[8..frames.len() - 8].to_vec()
}

/// How many frames of both texts are in one, two, and more packets, whichever frames go together.
fn said(arrivals: u32, message: bool) -> [usize; 3] {
    let mut said = [0; 3];
    for text in ["a,", "b,"] {
        for late in [0, 1] {
            let copies = copies(&frames(text), arrivals, message, late);
            assert_eq!(copies.len(), 1234);
            for copies in copies {
                said[copies.clamp(1, 3) as usize - 1] += 1;
            }
        }
    }
    said
}

/// What is said of it in docs/protocol.md: of 4,936 frames one in two hundred, in twenty and in three and a half is in
/// two packets, and none is in one.
#[test]
fn at_25_packets_a_second_each_frame_is_in_three_where_reports_and_messages_leave_room() {
    assert_eq!(said(1, false), [0, 28, 4908]);
    // A peer that sends 50 packets wants twice as many reports.
    assert_eq!(said(2, false), [0, 263, 4673]);
    // The exchange of words costs more frames their third packet, while it lasts.
    assert_eq!(said(2, true), [0, 1394, 3542]);
}
