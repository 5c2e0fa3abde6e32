//! tacit-packet and tacit-codec: what an authentic peer may get wrong.

use tacit_codec::{CodecError, Decoder};
use tacit_packet::layout;
use tacit_packet::limits::CONTROL_BODY_BYTES;
use tacit_packet::{Content, ControlLane, ControlMessage};
use tacit_types::FramePayload;
use tacit_types::limits::{FRAME_SAMPLES, PACKET_PLAINTEXT_BYTES};

/// Bytes of a control block in front of the frames, if there are no reports.
const CONTROL_BYTES: usize = layout::REPORTS - layout::CONTROL_SEQUENCE + CONTROL_BODY_BYTES;

use crate::rand::padded;

/// A packet's plaintext.
pub(crate) fn packet_content(bytes: &[u8]) {
    let plain = padded::<PACKET_PLAINTEXT_BYTES>(bytes);
    let Ok(content) = Content::decode(&plain) else {
        return;
    };
    let mut first = [0; PACKET_PLAINTEXT_BYTES];
    content.encode(&mut first);
    // Bytes that mean nothing, such as those of absent frames, are not kept; but what is read once
    // is read the same for ever.
    let again = Content::decode(&first).expect("what was written can be read");
    let mut second = [0; PACKET_PLAINTEXT_BYTES];
    again.encode(&mut second);
    assert_eq!(first, second);
    assert_eq!(content.frames().count(), again.frames().count());
}

/// Control blocks in whatever order, into a lane that is sending as well.
pub(crate) fn control(bytes: &[u8]) {
    let mut lane = ControlLane::default();
    lane.send(ControlMessage::Accept).expect("it is empty");
    let mut taken = 0;
    for chunk in bytes.chunks(CONTROL_BYTES).take(500) {
        let mut plain = [0; PACKET_PLAINTEXT_BYTES];
        plain[layout::CONTROL_SEQUENCE..][..chunk.len()].copy_from_slice(chunk);
        let Ok(content) = Content::decode(&plain) else {
            continue;
        };
        taken += usize::from(lane.handle_input(&content.control).is_some());
        let kept = lane.handle_input(&content.control);
        assert!(kept.is_none(), "a message is taken once");
    }
    assert!(taken <= 500);
}

/// Frames, each with its length in front, into one decoder, after the missing frames before them.
pub(crate) fn codec(bytes: &[u8]) {
    let mut decoder = Decoder::new().expect("libopus starts");
    let mut out = [0.0; FRAME_SAMPLES];
    let mut rest = bytes;
    for _ in 0..8 {
        let Some(([back, length], behind)) = rest.split_first_chunk() else {
            return;
        };
        let (frame, behind) = behind.split_at(behind.len().min(usize::from(*length)));
        rest = behind;
        let Some(payload) = FramePayload::new(frame) else {
            continue;
        };
        let back = u32::from(*back);
        let reaches = decoder
            .reach(&payload)
            .is_ok_and(|reach| reach.covers(back));
        let repaired = decoder.repair(&payload, back, &mut out);
        assert_eq!(repaired.is_ok(), reaches, "what reaches repairs");
        for result in [repaired, decoder.decode(&payload, &mut out)] {
            match result {
                Ok(()) => {}
                Err(CodecError::Damaged | CodecError::OutOfReach) => {
                    decoder.conceal(&mut out).expect("it always conceals");
                }
                Err(other) => panic!("{other}"),
            }
            assert!(out.iter().all(|sample| sample.abs() <= 1.0));
        }
    }
}
