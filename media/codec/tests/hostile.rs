//! Whatever a peer sends: sound within full scale or an error, and a decoder that still works.

mod common;

use common::{Dice, SILENCE, encode_all, power, voice};
use proptest::prelude::*;
use tacit_codec::{CodecError, Decoder};
use tacit_types::limits::FRAME_MAX_BYTES;
use tacit_types::{EncodedFrame, FramePayload};

fn real() -> Vec<EncodedFrame> {
    encode_all(&(0..60).map(voice).collect::<Vec<_>>())
}

/// What became of a payload that was decoded and asked for DRED.
#[derive(Debug, Default)]
struct Count {
    decoded: u32,
    damaged: u32,
    repaired: u32,
    out_of_reach: u32,
}

/// Does with a payload all that a receiver may do.
fn use_up(decoder: &mut Decoder, payload: &FramePayload, back: u32, count: &mut Count) {
    let mut out = SILENCE;
    match decoder.repair(payload, back, &mut out) {
        Ok(()) => count.repaired += 1,
        Err(CodecError::OutOfReach | CodecError::Damaged) => {
            count.out_of_reach += 1;
            decoder.conceal(&mut out).expect("it always conceals");
        }
        Err(other) => panic!("{other}"),
    }
    assert!(out.iter().all(|s| s.abs() <= 1.0));
    match decoder.decode(payload, &mut out) {
        Ok(()) => count.decoded += 1,
        Err(CodecError::Damaged) => {
            count.damaged += 1;
            decoder.conceal(&mut out).expect("it always conceals");
        }
        Err(other) => panic!("{other}"),
    }
    assert!(out.iter().all(|s| s.abs() <= 1.0));
}

fn still_works(decoder: &mut Decoder, frames: &[EncodedFrame]) {
    let mut out = SILENCE;
    for frame in frames {
        decoder
            .decode(&frame.full, &mut out)
            .expect("it is genuine");
    }
    assert!(power(&out) > 1e-3);
}

/// Chance that a frame is kept as it is but for a few bytes, or is all noise.
fn altered(dice: &mut Dice, good: &[EncodedFrame], round: usize) -> FramePayload {
    let mut bytes = good[round % good.len()].full.as_slice().to_vec();
    match round % 4 {
        0 => {
            bytes.resize(1 + dice.below(FRAME_MAX_BYTES), 0);
            bytes.fill_with(|| dice.next() as u8);
        }
        1 => bytes.truncate(1 + dice.below(bytes.len())),
        // The lengths of padding and extensions, and DRED's first fields, are at the two ends.
        2 => {
            let at = dice.below(8.min(bytes.len()));
            bytes[at] = dice.next() as u8;
        }
        _ => {
            for _ in 0..=dice.next() % 8 {
                let at = dice.below(bytes.len());
                bytes[at] = dice.next() as u8;
            }
        }
    }
    FramePayload::new(&bytes).expect("1 to 140 bytes")
}

#[test]
fn any_bytes_give_sound_within_full_scale_or_an_error() {
    let (mut dice, good) = (Dice(7), real());
    let mut decoder = Decoder::new().expect("libopus starts");
    let mut count = Count::default();
    for round in 0..8_000 {
        let payload = altered(&mut dice, &good, round);
        let back = u32::try_from(dice.below(40)).expect("small");
        use_up(&mut decoder, &payload, back, &mut count);
    }
    assert!(
        count.decoded > 2_000
            && count.damaged > 1_000
            && count.repaired > 1_000
            && count.out_of_reach > 1_000,
        "{count:?}"
    );
    still_works(&mut decoder, &good);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// One mono frame of 20 ms by its first byte, in a packet with padding: extensions that say
    /// anything.
    #[test]
    fn any_extensions_are_survived(
        config in 13_u8..16,
        rest in prop::collection::vec(any::<u8>(), 1..FRAME_MAX_BYTES - 3),
        padding in any::<u8>(),
        back in 0_u32..60,
    ) {
        let mut bytes = vec![(config << 3) | 3, 0x41, padding];
        bytes.extend(rest);
        let payload = FramePayload::new(&bytes).expect("it fits");
        let mut decoder = Decoder::new().expect("libopus starts");
        use_up(&mut decoder, &payload, back, &mut Count::default());
    }

    /// DRED's own bytes at random behind a genuine frame: every header, any latents.
    #[test]
    fn any_dred_is_survived(dred in prop::collection::vec(any::<u8>(), 8..60), back in 1_u32..30) {
        let speech = [13 << 3, 0, 0, 0, 0, 0, 0, 0];
        // Code 3, padding; one frame; its padding holds one extension 126 (temporary id `D`, 12).
        let mut bytes = vec![speech[0] | 3, 0x41];
        bytes.push(u8::try_from(dred.len() + 3).expect("small"));
        bytes.extend(&speech[1..]);
        // A long extension that ends with the padding.
        bytes.extend([126 << 1, b'D', 12]);
        bytes.extend(&dred);
        let payload = FramePayload::new(&bytes).expect("it fits");
        let mut decoder = Decoder::new().expect("libopus starts");
        let reach = decoder.reach(&payload).expect("it is one frame");
        // Room for 26 latents of 40 ms; farther back only behind what is said to be silence.
        prop_assert!(reach.farthest() - reach.nearest() <= 52);
        let mut count = Count::default();
        use_up(&mut decoder, &payload, back, &mut count);
        prop_assert_eq!(count.repaired == 1, reach.covers(back));
    }
}
