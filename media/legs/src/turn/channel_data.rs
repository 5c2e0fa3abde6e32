//! ChannelData (RFC 8656 §12.4): four bytes in front of a packet.

use tacit_types::limits::PACKET_BYTES;

use crate::limits::CHANNEL_DATA_HEADER_BYTES;

/// A packet as ChannelData.
pub(super) const FRAMED_BYTES: usize = CHANNEL_DATA_HEADER_BYTES + PACKET_BYTES;

const _: () = assert!(PACKET_BYTES.is_multiple_of(4), "it needs no padding");

/// A packet as ChannelData for a stream.
pub(super) fn framed(channel: u16, packet: &[u8; PACKET_BYTES]) -> [u8; FRAMED_BYTES] {
    let mut message = [0; FRAMED_BYTES];
    message[..2].copy_from_slice(&channel.to_be_bytes());
    message[2..4].copy_from_slice(&(PACKET_BYTES as u16).to_be_bytes());
    message[4..].copy_from_slice(packet);
    message
}

/// `payload` as ChannelData for a stream: padded to a multiple of four (§12.5).
///
/// # Panics
///
/// If `payload` is longer than its 16-bit length can say.
#[must_use]
pub fn channel_data(channel: u16, payload: &[u8]) -> Vec<u8> {
    let length = u16::try_from(payload.len()).expect("packets are far shorter than 64 KiB");
    let padded = payload.len().next_multiple_of(4);
    let mut message = Vec::with_capacity(CHANNEL_DATA_HEADER_BYTES + padded);
    message.extend_from_slice(&channel.to_be_bytes());
    message.extend_from_slice(&length.to_be_bytes());
    message.extend_from_slice(payload);
    message.resize(CHANNEL_DATA_HEADER_BYTES + padded, 0);
    message
}

/// Channel and payload of a whole ChannelData message, padding cut off. `None` if it is too short
/// for what it says; the stream decoder never passes such a one on.
pub(super) fn parse(message: &[u8]) -> Option<(u16, &[u8])> {
    let (header, rest) = message.split_first_chunk::<CHANNEL_DATA_HEADER_BYTES>()?;
    let [c0, c1, l0, l1] = *header;
    let payload = rest.get(..usize::from(u16::from_be_bytes([l0, l1])))?;
    Some((u16::from_be_bytes([c0, c1]), payload))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use rtc_turn::proto::chandata::ChannelData;
    use rtc_turn::proto::channum::ChannelNumber;

    proptest! {
        #[test]
        fn every_length_is_framed_as_the_family_frames_it(
            channel in 0x4000u16..0x5000,
            payload in prop::collection::vec(any::<u8>(), 0..500),
        ) {
            let number = ChannelNumber(channel);
            let mut family = ChannelData { number, data: payload.clone(), ..Default::default() };
            family.encode();
            let ours = channel_data(channel, &payload);
            prop_assert_eq!(&ours, &family.raw);
            let mut packet = [9; PACKET_BYTES];
            packet[..payload.len().min(PACKET_BYTES)]
                .copy_from_slice(&payload[..payload.len().min(PACKET_BYTES)]);
            prop_assert_eq!(framed(channel, &packet).to_vec(), channel_data(channel, &packet));
            prop_assert_eq!(parse(&ours), Some((channel, payload.as_slice())));
        }
    }
}
