//! The packet cipher: paths, ratchet, replay, masks, hostile packets.
#![allow(clippy::unwrap_used)]

use std::collections::BTreeSet;
use std::time::Duration;

use proptest::prelude::*;
use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::SeedableRng;
use tacit_crypto::packet::{EPOCH_DURATION, REPLAY_WINDOW, SealError};
use tacit_crypto::{
    DropReason, Initiator, MediaKeys, PacketCounter, PacketOpener, PacketSealer, Prologue, Purpose,
    Responder, StaticKeypair, Token,
};
use tacit_types::limits::{PACKET_BYTES, PACKET_PLAINTEXT_BYTES};
use tacit_types::{LegIndex, MailboxId, OnionKey, Path, SecretBytes, Timestamp};

type Packet = [u8; PACKET_BYTES];
const START: Timestamp = Timestamp::from_micros(77);

fn media_keys() -> (MediaKeys, MediaKeys) {
    let mut rng = ChaCha20Rng::seed_from_u64(1);
    let (a, b) = (
        StaticKeypair::generate(&mut rng),
        StaticKeypair::generate(&mut rng),
    );
    let psk = SecretBytes::new([5; 32]);
    let prologue = Prologue {
        purpose: Purpose::Call,
        hello_nonce: [1; 32],
        server: OnionKey([2; 32]),
        mailbox: MailboxId([3; 16]),
        token: Token {
            generation: 4,
            index: 5,
            tag: [6; 16],
        },
    };
    let mut caller = Initiator::call(&prologue, &a, &b.public(), &psk, &mut rng);
    let message1 = caller.write(&[]).unwrap();
    let callee = Responder::call(&prologue, &b, &a.public(), &psk);
    let (_, answer) = callee.read(&message1).unwrap();
    let (message2, callee) = answer.write(&[], &mut rng).unwrap();
    let (_, caller) = caller.read(&message2).unwrap();
    (caller.media(), callee.media())
}

fn ends() -> (PacketSealer, PacketOpener) {
    let (caller, callee) = media_keys();
    (
        PacketSealer::new(&caller, START),
        PacketOpener::new(&callee, START),
    )
}

const fn path(sender: u8, receiver: u8) -> Path {
    Path {
        sender: LegIndex(sender),
        receiver: LegIndex(receiver),
    }
}

fn at(seconds: u64) -> Timestamp {
    START + Duration::from_secs(seconds)
}

fn seal(sealer: &mut PacketSealer, path: Path, byte: u8, now: Timestamp) -> Packet {
    let mut out = [0; PACKET_BYTES];
    sealer
        .seal(path, &[byte; PACKET_PLAINTEXT_BYTES], now, &mut out)
        .unwrap();
    out
}

fn open(
    opener: &mut PacketOpener,
    path: Path,
    packet: &Packet,
    now: Timestamp,
) -> Result<(PacketCounter, u8), DropReason> {
    let mut out = [0xee; PACKET_PLAINTEXT_BYTES];
    match opener.open(path, packet, now, &mut out) {
        Ok(counter) => Ok((counter, out[0])),
        Err(reason) => {
            assert_eq!(
                out, [0; PACKET_PLAINTEXT_BYTES],
                "a drop leaves nothing behind"
            );
            Err(reason)
        }
    }
}

#[test]
fn packets_open_on_their_own_path_once() {
    let (mut sealer, mut opener) = ends();
    let first = seal(&mut sealer, path(0, 0), 1, START);
    let second = seal(&mut sealer, path(0, 1), 1, START);
    assert_eq!(
        open(&mut opener, path(0, 1), &first, START),
        Err(DropReason::Unauthentic)
    );
    assert_eq!(
        open(&mut opener, path(1, 0), &second, START),
        Err(DropReason::Unauthentic)
    );
    let counter = PacketCounter {
        epoch: 0,
        sequence: 0,
    };
    assert_eq!(
        open(&mut opener, path(0, 0), &first, START),
        Ok((counter, 1))
    );
    assert_eq!(
        open(&mut opener, path(0, 1), &second, START),
        Ok((counter, 1))
    );
    assert_eq!(
        open(&mut opener, path(0, 0), &first, START),
        Err(DropReason::Replayed)
    );
}

#[test]
fn a_packet_reflected_to_its_sender_is_dropped() {
    let (caller, _) = media_keys();
    let mut sealer = PacketSealer::new(&caller, START);
    let mut opener = PacketOpener::new(&caller, START);
    let packet = seal(&mut sealer, path(0, 0), 1, START);
    assert!(open(&mut opener, path(0, 0), &packet, START).is_err());
}

#[test]
fn every_flipped_bit_is_dropped_and_moves_nothing() {
    let (mut sealer, mut opener) = ends();
    let packet = seal(&mut sealer, path(2, 3), 9, at(61));
    for bit in 0..PACKET_BYTES * 8 {
        let mut bad = packet;
        bad[bit / 8] ^= 1 << (bit % 8);
        let dropped = open(&mut opener, path(2, 3), &bad, START).unwrap_err();
        assert!(
            matches!(dropped, DropReason::Unauthentic | DropReason::Epoch),
            "bit {bit}"
        );
    }
    assert_eq!(
        open(&mut opener, path(2, 3), &packet, START)
            .unwrap()
            .0
            .epoch,
        1
    );
}

#[test]
fn the_replay_window_reaches_1024_packets_back() {
    let (mut sealer, mut opener) = ends();
    let packets: Vec<_> = (0..=REPLAY_WINDOW + 1)
        .map(|_| seal(&mut sealer, path(0, 0), 1, START))
        .collect();
    open(&mut opener, path(0, 0), packets.last().unwrap(), START).unwrap();
    assert_eq!(
        open(&mut opener, path(0, 0), &packets[0], START),
        Err(DropReason::TooOld)
    );
    assert_eq!(
        open(&mut opener, path(0, 0), &packets[1], START),
        Err(DropReason::TooOld)
    );
    assert!(open(&mut opener, path(0, 0), &packets[2], START).is_ok());
    assert_eq!(
        open(&mut opener, path(0, 0), &packets[2], START),
        Err(DropReason::Replayed)
    );
}

#[test]
fn epochs_one_behind_to_four_ahead_are_taken() {
    for (own, theirs, taken) in [
        (0, 0, true),
        (0, 4, true),
        (0, 5, false),
        (6, 5, true),
        (6, 4, false),
        (6, 10, true),
        (6, 11, false),
    ] {
        let (mut sealer, mut opener) = ends();
        // The receiver's clock stands still, so that only packets move it. Two hops, since one may
        // not be wider than four.
        let later = seal(&mut sealer, path(0, 0), 1, at(60 * own.min(4)));
        open(&mut opener, path(0, 0), &later, START).unwrap();
        let (mut second, _) = ends();
        let later = seal(&mut second, path(1, 0), 1, at(60 * own));
        open(&mut opener, path(1, 0), &later, START).unwrap();
        let (mut third, _) = ends();
        let packet = seal(&mut third, path(2, 0), 1, at(60 * theirs));
        let opened = open(&mut opener, path(2, 0), &packet, START);
        assert_eq!(
            opened.is_ok(),
            taken,
            "own {own}, theirs {theirs}: {opened:?}"
        );
        if !taken {
            assert_eq!(opened, Err(DropReason::Epoch));
        }
    }
}

#[test]
fn late_packets_of_the_last_epoch_open_after_the_step() {
    let (mut sealer, mut opener) = ends();
    let old: Vec<_> = (0..3)
        .map(|_| seal(&mut sealer, path(0, 0), 1, at(59)))
        .collect();
    let new: Vec<_> = (0..3)
        .map(|_| seal(&mut sealer, path(0, 0), 2, at(60)))
        .collect();
    for (packet, epoch, sequence) in [
        (&old[0], 0, 0),
        (&new[0], 1, 3),
        (&old[2], 0, 2),
        (&new[2], 1, 5),
        (&old[1], 0, 1),
    ] {
        let counter = PacketCounter { epoch, sequence };
        assert_eq!(
            open(&mut opener, path(0, 0), packet, at(60)).unwrap().0,
            counter
        );
    }
    assert_eq!(
        open(&mut opener, path(0, 0), &old[1], at(60)),
        Err(DropReason::Replayed)
    );
}

#[test]
fn a_silence_of_hours_shuts_nobody_out_and_erases_old_keys() {
    let (mut sealer, mut opener) = ends();
    let old = seal(&mut sealer, path(0, 0), 1, START);
    let new = seal(&mut sealer, path(0, 0), 2, at(7200));
    assert_eq!(
        open(&mut opener, path(0, 0), &new, at(7201))
            .unwrap()
            .0
            .epoch,
        120
    );
    assert_eq!(
        open(&mut opener, path(0, 0), &old, at(7201)),
        Err(DropReason::Epoch)
    );
}

#[test]
fn the_epoch_counter_ends_instead_of_wrapping() {
    let (mut sealer, _) = ends();
    let mut out = [0; PACKET_BYTES];
    let mut seal_at = |epoch: u64| {
        let now = START + EPOCH_DURATION * u32::try_from(epoch).unwrap();
        sealer.seal(path(0, 0), &[0; PACKET_PLAINTEXT_BYTES], now, &mut out)
    };
    assert_eq!(seal_at(65_535).unwrap().epoch, 65_535);
    assert_eq!(seal_at(65_536), Err(SealError::Exhausted));
    let top = PacketCounter {
        epoch: u16::MAX,
        sequence: (1 << 48) - 1,
    };
    assert_eq!(PacketCounter::from_bytes(top.to_bytes()), top);
    assert_eq!(top.to_bytes(), [0xff; 8]);
}

#[test]
fn a_retired_leg_stays_retired() {
    let (mut sealer, mut opener) = ends();
    let packet = seal(&mut sealer, path(3, 4), 1, START);
    open(&mut opener, path(3, 4), &packet, START).unwrap();
    opener.retire_sender_leg(LegIndex(3));
    assert_eq!(
        open(&mut opener, path(3, 4), &packet, START),
        Err(DropReason::RetiredLeg)
    );
    opener.retire_receiver_leg(LegIndex(200));
    let other = seal(&mut sealer, path(5, 200), 1, START);
    assert_eq!(
        open(&mut opener, path(5, 200), &other, START),
        Err(DropReason::RetiredLeg)
    );
    // A path that was used would count from zero again.
    seal(&mut sealer, path(1, 7), 0, START);
    sealer.retire_sender_leg(LegIndex(5));
    sealer.retire_receiver_leg(LegIndex(7));
    for retired in [path(5, 1), path(1, 7)] {
        let mut out = [0; PACKET_BYTES];
        let sealed = sealer.seal(retired, &[0; PACKET_PLAINTEXT_BYTES], START, &mut out);
        assert_eq!(sealed, Err(SealError::RetiredLeg));
    }
}

#[test]
fn paths_are_bounded() {
    let (mut sealer, mut opener) = ends();
    for n in 0..=1024u16 {
        let on = path((n / 256) as u8, (n % 256) as u8);
        let mut out = [0; PACKET_BYTES];
        let sealed = sealer.seal(on, &[0; PACKET_PLAINTEXT_BYTES], START, &mut out);
        if n < 1024 {
            sealed.unwrap();
            open(&mut opener, on, &out, START).unwrap();
        } else {
            assert_eq!(sealed, Err(SealError::TooManyPaths));
            let (mut second, _) = ends();
            let packet = seal(&mut second, on, 0, START);
            assert_eq!(
                open(&mut opener, on, &packet, START),
                Err(DropReason::TooManyPaths)
            );
        }
    }
}

/// Two copies of one content share no bytes beyond chance, and no position is constant or counts:
/// over 512 packets every byte position takes many values (a random one misses 165 of 256 with a
/// probability below 2^-200).
#[test]
fn nothing_on_the_wire_is_constant_or_countable() {
    let (mut sealer, _) = ends();
    let packets: Vec<_> = (0..512u16)
        .map(|n| seal(&mut sealer, path((n % 8) as u8, 0), 0, START))
        .collect();
    for position in 0..PACKET_BYTES {
        let values: BTreeSet<_> = packets.iter().map(|packet| packet[position]).collect();
        assert!(
            values.len() > 165,
            "position {position} takes {} values",
            values.len()
        );
    }
    for pair in packets.windows(2) {
        let same = pair[0].iter().zip(&pair[1]).filter(|(a, b)| a == b).count();
        assert!(same < 20, "{same} equal bytes");
    }
}

proptest! {
    #[test]
    fn any_bytes_are_dropped_without_panic(seed in any::<[u8; 32]>(), seconds in 0u64..100_000) {
        use rand_chacha::rand_core::RngCore;
        let (_, mut opener) = ends();
        let mut packet = [0; PACKET_BYTES];
        ChaCha20Rng::from_seed(seed).fill_bytes(&mut packet);
        prop_assert!(open(&mut opener, path(0, 0), &packet, at(seconds)).is_err());
        // A cipher used as the mask ran off its key stream at this sample once.
        packet[8..12].fill(0xff);
        prop_assert!(open(&mut opener, path(0, 0), &packet, at(seconds)).is_err());
    }

    #[test]
    fn any_order_opens_each_packet_exactly_once(order in proptest::collection::vec((0usize..200, 0u64..3), 1..400)) {
        let (mut sealer, mut opener) = ends();
        let packets: Vec<_> = (0..200u64).map(|n| {
            let on = path((n % 3) as u8, (n % 2) as u8);
            (on, seal(&mut sealer, on, n as u8, at(n / 4)))
        }).collect();
        let mut seen = BTreeSet::new();
        for (n, skew) in order {
            let (on, packet) = &packets[n];
            let opened = open(&mut opener, *on, packet, at(50 + skew));
            if seen.insert(n) {
                prop_assert_eq!(opened.unwrap().1, n as u8);
            } else {
                prop_assert_eq!(opened, Err(DropReason::Replayed));
            }
        }
    }
}
