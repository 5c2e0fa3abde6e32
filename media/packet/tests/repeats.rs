//! How often a frame is said at 25 packets a second, with the sizes of frames of recorded speech.

use tacit_packet::{Content, ControlMessage, MediaTime, Packetizer};
use tacit_types::{EncodedFrame, FrameNumber, FramePayload, LegIndex, Path, Reach, SlotNumber};

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
            reach: Reach::NONE,
        })
    };
    of_text.map(|row| frame(row).expect("a frame")).collect()
}

/// In how many packets each frame is, with so many reports in each, and maybe a message that is never
/// acknowledged. `late`: whether the first packet goes out after the second frame or after the third.
fn copies(frames: &[EncodedFrame], reports: u32, message: bool, late: u32) -> Vec<u32> {
    let mut packetizer = Packetizer::new();
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
        // Those of before are told in this packet for the last time.
        for arrival in 0..reports {
            let slot = SlotNumber(reports * number + arrival);
            packetizer.record_arrival(slot, path, now);
        }
        let plain = packetizer.next(SlotNumber(number), now);
        let content = Content::decode(&plain).expect("it is ours");
        assert_eq!(content.reports.as_slice().len() as u32, reports);
        for frame in content.frames() {
            copies[frame.number.0 as usize] += 1;
        }
    }
    // The first and the last ones have fewer packets.
    copies[8..frames.len() - 8].to_vec()
}

/// Of how many frames one packet says all, in both texts, whichever frames go together.
fn said_once(reports: u32, message: bool) -> usize {
    let mut once = 0;
    for text in ["a,", "b,"] {
        for late in [0, 1] {
            let copies = copies(&frames(text), reports, message, late);
            assert_eq!(copies.len(), 1234);
            assert!(copies.iter().all(|copies| *copies >= 1));
            once += copies.iter().filter(|copies| **copies == 1).count();
        }
    }
    once
}

#[test]
fn at_25_packets_a_second_each_frame_is_in_two_unless_reports_and_a_long_message_take_the_room() {
    // A peer that sends 50 packets keeps all ten reports busy.
    assert_eq!(said_once(10, false), 0);
    // Then the exchange of words costs one frame in two hundred its second packet, while it lasts.
    let once = said_once(10, true);
    assert!((1..=25).contains(&once), "{once} of 4936");
}
