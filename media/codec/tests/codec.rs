//! The codec's promises, on synthetic voices; recorded speech is tested in `tests/quality`.

mod common;

use common::{Dice, SILENCE, encode_all, power, voice};
use tacit_codec::{CodecError, Decoder, Encoder, Enhancement, FrameSamples, lookahead};
use tacit_types::FramePayload;
use tacit_types::limits::FRAME_MAX_BYTES;

#[test]
fn every_kind_of_sound_fits_into_a_frame_and_decodes_in_both_forms() {
    let mut dice = Dice(1);
    let mut frames: Vec<FrameSamples> = (0..20).map(voice).collect();
    frames.extend([SILENCE; 20]);
    frames.extend((0..20).map(|_| SILENCE.map(|_| dice.noise())));
    // What makes the most of every bit: noise that starts and stops, clicks, full-scale squares.
    frames.extend((0..40).map(|n| SILENCE.map(|_| dice.noise() * f32::from(n % 3 == 0))));
    frames.extend((0..40).map(|n| {
        SILENCE.map(|_| {
            if dice.next().is_multiple_of(n + 2) {
                1.0
            } else {
                -1.0
            }
        })
    }));
    frames.extend([
        SILENCE.map(|_| 1e30),
        SILENCE.map(|_| f32::NAN),
        SILENCE.map(|_| f32::INFINITY),
    ]);
    let (mut full, mut short) = (Decoder::new().unwrap(), Decoder::new().unwrap());
    for encoded in encode_all(&frames) {
        assert!(encoded.full.as_slice().len() <= FRAME_MAX_BYTES);
        assert!(encoded.short.length() <= encoded.full.length());
        let (mut a, mut b) = (SILENCE, SILENCE);
        full.decode(&encoded.full, &mut a).unwrap();
        short.decode(&encoded.short, &mut b).unwrap();
        assert_eq!(a, b, "both forms sound the same");
    }
}

#[test]
fn the_same_samples_give_the_same_bytes() {
    let frames: Vec<FrameSamples> = (0..100).map(voice).collect();
    assert_eq!(encode_all(&frames), encode_all(&frames));
}

#[test]
fn lookahead_is_what_the_output_lags_behind_the_input() {
    // Within the decoder's resampler's rounding: libopus counts whole samples.
    let frames: Vec<FrameSamples> = (0..50).map(voice).collect();
    for enhancement in [Enhancement::Lace, Enhancement::NoLace] {
        let mut decoder = Decoder::with(enhancement).unwrap();
        let mut heard = Vec::new();
        for encoded in encode_all(&frames) {
            let mut out = SILENCE;
            decoder.decode(&encoded.short, &mut out).unwrap();
            heard.extend(out);
        }
        let spoken: Vec<f32> = frames.concat();
        let likeness = |lag: usize| -> f32 {
            (9_600..38_400)
                .map(|i| spoken[i] * heard[i + lag])
                .sum::<f32>()
        };
        let best = (0..960)
            .max_by(|a, b| likeness(*a).total_cmp(&likeness(*b)))
            .unwrap();
        assert!(best.abs_diff(lookahead()) <= 12, "{best}");
    }
}

#[test]
fn a_missing_frame_is_filled_in_and_a_long_gap_fades_out() {
    let frames: Vec<FrameSamples> = (0..50).map(voice).collect();
    let mut decoder = Decoder::new().unwrap();
    let mut out = SILENCE;
    for encoded in encode_all(&frames) {
        decoder.decode(&encoded.full, &mut out).unwrap();
    }
    let before = power(&out);
    decoder.conceal(&mut out).unwrap();
    assert!(power(&out) > before / 10.0, "{} of {before}", power(&out));
    for _ in 0..100 {
        decoder.conceal(&mut out).unwrap();
    }
    assert!(power(&out) < before / 100.0, "{} of {before}", power(&out));
}

#[test]
fn a_long_gap_is_restored_from_one_later_frame_as_far_as_it_reaches() {
    let encoded = encode_all(&(0..150).map(voice).collect::<Vec<_>>());
    let mut decoder = Decoder::new().unwrap();
    let mut out = SILENCE;
    for frame in &encoded[..100] {
        decoder.decode(&frame.full, &mut out).unwrap();
    }
    let before = power(&out);
    let later = &encoded[120];
    assert_eq!(decoder.reach(&later.full), Ok(later.reach));
    assert!(later.reach.nearest() == 1 && later.reach.farthest() >= 20);
    for back in (1..=20).rev() {
        decoder.repair(&later.full, back, &mut out).unwrap();
        // PLC would have faded out after 100 ms.
        assert!(power(&out) > before / 10.0, "{back}: {}", power(&out));
    }
    decoder.decode(&later.full, &mut out).unwrap();
    for back in [0, u32::from(later.reach.farthest()) + 1, 1000, u32::MAX] {
        let refused = decoder.repair(&later.full, back, &mut out);
        assert_eq!(refused, Err(CodecError::OutOfReach), "{back}");
    }
    let refused = decoder.repair(&later.short, 1, &mut out);
    assert_eq!(
        refused,
        Err(CodecError::OutOfReach),
        "a short form has none"
    );
}

#[test]
fn the_encoder_knows_how_far_its_own_frames_reach() {
    let mut encoder = Encoder::new().unwrap();
    let mut decoder = Decoder::new().unwrap();
    let (mut longest, mut farthest) = (0, 0);
    for number in 0..200 {
        let sound = if number % 100 < 60 {
            voice(number)
        } else {
            SILENCE
        };
        let encoded = encoder.encode(&sound).unwrap();
        assert_eq!(decoder.reach(&encoded.full), Ok(encoded.reach));
        assert_eq!(decoder.reach(&encoded.short).unwrap().farthest(), 0);
        let reach = encoded.reach;
        longest = longest.max(reach.farthest() - reach.nearest());
        farthest = farthest.max(reach.farthest());
    }
    assert!((20..=25).contains(&longest), "{longest}");
    // Silence is left out, so that the speech before it is still there.
    assert!(farthest > 35, "{farthest}");
}

#[test]
fn payloads_that_are_not_one_mono_frame_of_twenty_milliseconds_are_damaged() {
    let mut decoder = Decoder::new().unwrap();
    let mut out = SILENCE;
    let configurations = [
        (3 << 3, "60 ms of SILK"),
        (8 << 3, "10 ms of SILK"),
        (16 << 3, "2.5 ms of CELT"),
        ((13 << 3) | 4, "stereo"),
        ((13 << 3) | 1, "two frames"),
        ((13 << 3) | 3, "a count of no frames"),
    ];
    for (toc, what) in configurations {
        for length in [1, 2, 60, FRAME_MAX_BYTES] {
            let mut bytes = vec![0; length];
            bytes[0] = toc;
            let payload = FramePayload::new(&bytes).unwrap();
            let damaged = Err(CodecError::Damaged);
            assert_eq!(decoder.decode(&payload, &mut out), damaged, "{what}");
            assert_eq!(decoder.repair(&payload, 1, &mut out), damaged, "{what}");
            assert!(decoder.reach(&payload).is_err(), "{what}");
        }
    }
}
