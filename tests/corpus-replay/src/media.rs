//! tacit-packet: what an authentic peer may get wrong.

use tacit_packet::layout;
use tacit_packet::{Content, ControlLane, ControlMessage};
use tacit_types::limits::PACKET_PLAINTEXT_BYTES;

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
    let blocks = bytes.chunks(layout::CONTROL_BODY + 8).take(500);
    for chunk in blocks {
        let mut plain = [0; PACKET_PLAINTEXT_BYTES];
        let room = PACKET_PLAINTEXT_BYTES - layout::CONTROL_SEQUENCE;
        let used = chunk.len().min(room);
        plain[layout::CONTROL_SEQUENCE..][..used].copy_from_slice(&chunk[..used]);
        let Ok(content) = Content::decode(&plain) else {
            continue;
        };
        taken += usize::from(lane.handle_input(&content.control).is_some());
        let kept = lane.handle_input(&content.control);
        assert!(kept.is_none(), "a message is taken once");
    }
    assert!(taken <= 500);
}
