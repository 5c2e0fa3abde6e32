//! Media packets over several paths and ratchet steps.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::{Value, json};
use tacit_crypto::{PacketOpener, PacketSealer, vectors};
use tacit_types::limits::{PACKET_BYTES, PACKET_PLAINTEXT_BYTES};
use tacit_types::{LegIndex, Path, Role, Timestamp};

use crate::fixed::{counting, hex};

/// Seconds after the start, sender's leg, receiver's leg.
const PACKETS: [(u64, u8, u8); 10] = [
    (0, 0, 0),
    (0, 0, 0),
    (1, 0, 1),
    (2, 1, 0),
    (59, 0, 0),
    (60, 0, 0),
    (61, 7, 7),
    (119, 0, 1),
    (120, 0, 0),
    (300, 255, 254),
];

/// The chain's first epochs, and packets on a fixed schedule.
#[must_use]
pub fn vectors() -> Value {
    let keys = |role| vectors::session(role, counting(0x01), &counting(0x21), &counting(0x41));
    let media = keys(Role::Caller).media();
    let (first, mask_key) = vectors::media(&media);
    let chain: Vec<_> =
        core::iter::successors(Some(first), |chain| Some(vectors::next_epoch(*chain)))
            .take(6)
            .collect();
    let mut sealer = PacketSealer::new(&media, Timestamp::ZERO);
    let mut opener = PacketOpener::new(&keys(Role::Callee).media(), Timestamp::ZERO);
    let mut sequences: BTreeMap<Path, u64> = BTreeMap::new();
    let mut packets = Vec::new();
    for (n, (seconds, sender, receiver)) in PACKETS.into_iter().enumerate() {
        let path = Path {
            sender: LegIndex(sender),
            receiver: LegIndex(receiver),
        };
        let now = Timestamp::ZERO + Duration::from_secs(seconds);
        let plaintext = counting::<PACKET_PLAINTEXT_BYTES>(u8::try_from(n).unwrap_or(0));
        let mut packet = [0; PACKET_BYTES];
        let counter = sealer
            .seal(path, &plaintext, now, &mut packet)
            .expect("a counter is left");
        let expected = sequences.entry(path).or_default();
        assert_eq!(counter.sequence, *expected, "each path counts for itself");
        *expected += 1;
        let mut opened = [0; PACKET_PLAINTEXT_BYTES];
        assert_eq!(
            opener.open(path, &packet, now, &mut opened),
            Ok(counter),
            "the peer opens it"
        );
        assert_eq!(opened, plaintext, "and finds the plaintext");
        let sample = packet[8..24].try_into().expect("sixteen bytes");
        packets.push(json!({
            "seconds": seconds, "sender_leg": sender, "receiver_leg": receiver,
            "epoch": counter.epoch, "sequence": counter.sequence, "counter": hex(counter.to_bytes()),
            "path_key": hex(vectors::path_key(chain[usize::from(counter.epoch)], path)),
            "sample": hex(sample), "mask": hex(vectors::mask(mask_key, &sample)),
            "plaintext": hex(plaintext), "packet": hex(packet),
        }));
    }
    let chain: Vec<_> = chain.iter().map(hex).collect();
    json!({ "direction": "caller", "mask_key": hex(mask_key), "chain": chain, "packets": packets })
}
