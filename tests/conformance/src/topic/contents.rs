//! What is inside media packets: frames with their reach, repeats, reports, control messages.

use serde_json::{Value, json};
use tacit_packet::{ArrivalReport, Content, ControlBlock, MediaTime, Reports};
use tacit_types::limits::PACKET_PLAINTEXT_BYTES;
use tacit_types::{FrameNumber, FramePayload, LegIndex, Path, Reach, SlotNumber};

use crate::fixed::hex;

/// The reporting packet's clock, 1/8 ms.
const SENT_AT: u32 = 1_000_000;

/// Lengths of the frames, the newest first, 0 for an absent one; reports; bytes of the control body.
const PACKETS: [(&[usize], u8, usize); 6] = [
    (&[], 0, 0),
    (&[102, 53, 54, 55, 52, 50, 49], 8, 0),
    (&[140, 76, 76, 76, 76, 20, 3], 10, 32),
    (&[60, 0, 30, 0, 31, 0, 33], 0, 0),
    (&[10, 11, 12, 13, 14, 15, 16], 1, 40),
    (&[0, 1], 2, 0),
];

/// Packets of each kind, and what of the frames found room.
#[must_use]
pub fn vectors() -> Value {
    let packets = PACKETS.into_iter().zip(0_u8..).map(|(packet, number)| {
        let (lengths, reports, body) = packet;
        let content = content(number, lengths, reports, body);
        let mut plain = [0; PACKET_PLAINTEXT_BYTES];
        content.encode(&mut plain);
        let read = Content::decode(&plain).expect("what we write, we read");
        let frames: Vec<_> = content
            .payloads
            .iter()
            .map(|payload| payload.map(|payload| hex(payload.as_slice())))
            .collect();
        let carried: Vec<_> = read.payloads.iter().map(Option::is_some).collect();
        let reports: Vec<_> = content.reports.iter().map(|r| report(*r)).collect();
        json!({
            "slot": content.slot.0, "sent_at": content.sent_at.0, "newest": content.newest.0,
            "nearest": content.reach.nearest(), "farthest": content.reach.farthest(),
            "frames": frames, "carried": carried, "reports": reports,
            "sequence": content.control.sequence, "acknowledged": content.control.acknowledged,
            "kind": content.control.kind(), "body": hex(content.control.body()),
            "plaintext": hex(plain),
        })
    });
    Value::Array(packets.collect())
}

fn content(number: u8, lengths: &[usize], reports: u8, body: usize) -> Content {
    let mut payloads = [None; 7];
    for ((payload, &length), value) in payloads.iter_mut().zip(lengths).zip(0x10_u8..) {
        *payload = FramePayload::new(&vec![value; length]);
    }
    let mut all = Reports::default();
    for index in 0..reports {
        let path = Path {
            sender: LegIndex(index),
            receiver: LegIndex(15 - index),
        };
        all.push(ArrivalReport {
            slot: 65_530_u16.wrapping_add(index.into()),
            path,
            arrived_at: MediaTime(SENT_AT - 160 * u32::from(index) - 3),
        });
    }
    let mut control = match body {
        0 => ControlBlock::default(),
        body => ControlBlock::message(u16::from(number), 3, &vec![0xc3; body]),
    };
    control.acknowledged = 7;
    let with_dred = payloads[0].is_some();
    Content {
        slot: SlotNumber(0x0102_0300 + u32::from(number)),
        sent_at: MediaTime(SENT_AT),
        newest: FrameNumber(0x0102_0300 + u32::from(number)),
        reach: if with_dred {
            Reach::new(1 + number, 24)
        } else {
            Reach::NONE
        },
        payloads,
        reports: all,
        control,
    }
}

fn report(report: ArrivalReport) -> Value {
    let hold = report.hold_ticks(MediaTime(SENT_AT));
    json!({
        "slot": report.slot, "sender_leg": report.path.sender.0,
        "receiver_leg": report.path.receiver.0, "hold": hold,
    })
}
