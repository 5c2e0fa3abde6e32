//! The codec's promises, on synthetic voices; recorded speech is tested in `tests/quality`.

use tacit_codec::{CodecError, Decoder, Encoder, FramePayload, FrameSamples, lookahead};

const SILENCE: FrameSamples = [0.0; 960];

/// A small generator, so that a failure is repeatable.
struct Dice(u64);

impl Dice {
    fn next(&mut self) -> u64 {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        self.0 >> 33
    }

    fn noise(&mut self) -> f32 {
        self.next() as f32 / (1_u64 << 30) as f32 - 1.0
    }
}

/// A buzz with a moving pitch and the first harmonics of a vowel.
fn voice(frame: usize) -> FrameSamples {
    let mut out = SILENCE;
    for (i, sample) in out.iter_mut().enumerate() {
        let t = (frame * 960 + i) as f64 / 48_000.0;
        let pitch = 120.0 + 8.0 * (2.0 * std::f64::consts::PI * 3.0 * t).sin();
        let harmonic = |n: f64| (2.0 * std::f64::consts::PI * n * pitch * t).sin() / n;
        *sample = (1..12).map(|n| harmonic(f64::from(n))).sum::<f64>() as f32 * 0.2;
    }
    out
}

fn power(samples: &[f32]) -> f32 {
    samples.iter().map(|s| s * s).sum::<f32>() / samples.len() as f32
}

fn encode_all(frames: &[FrameSamples]) -> Vec<FramePayload> {
    let mut encoder = Encoder::new().expect("libopus starts");
    frames
        .iter()
        .map(|frame| {
            let mut payload = [0; 60];
            encoder
                .encode(frame, &mut payload)
                .expect("any sound encodes");
            payload
        })
        .collect()
}

#[test]
fn every_kind_of_sound_takes_sixty_bytes() {
    let mut dice = Dice(1);
    let mut frames: Vec<FrameSamples> = (0..20).map(voice).collect();
    frames.extend([SILENCE; 20]);
    frames.extend((0..20).map(|_| SILENCE.map(|_| dice.noise())));
    frames.extend([
        SILENCE.map(|_| 1e30),
        SILENCE.map(|_| f32::NAN),
        SILENCE.map(|_| f32::INFINITY),
    ]);
    // `encode` refuses any other size itself; what it wrote must decode as well.
    let mut decoder = Decoder::new().unwrap();
    for payload in encode_all(&frames) {
        decoder.decode(&payload, &mut SILENCE.clone()).unwrap();
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
    let mut decoder = Decoder::new().unwrap();
    let mut heard = Vec::new();
    for payload in encode_all(&frames) {
        let mut out = SILENCE;
        decoder.decode(&payload, &mut out).unwrap();
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

#[test]
fn a_missing_frame_is_filled_in_and_a_long_gap_fades_out() {
    let frames: Vec<FrameSamples> = (0..50).map(voice).collect();
    let mut decoder = Decoder::new().unwrap();
    let mut out = SILENCE;
    for payload in encode_all(&frames) {
        decoder.decode(&payload, &mut out).unwrap();
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
        let mut payload = [0; 60];
        payload[0] = toc;
        assert_eq!(
            decoder.decode(&payload, &mut out),
            Err(CodecError::Damaged),
            "{what}"
        );
    }
}

#[test]
fn any_sixty_bytes_give_sound_within_full_scale_or_damaged() {
    let mut dice = Dice(7);
    let good = encode_all(&(0..10).map(voice).collect::<Vec<_>>());
    let mut decoder = Decoder::new().unwrap();
    let (mut decoded, mut damaged) = (0, 0);
    for round in 0..6_000 {
        let mut payload = good[round % good.len()];
        if round % 2 == 0 {
            payload.fill_with(|| dice.next() as u8);
        } else {
            for _ in 0..=dice.next() % 8 {
                payload[dice.next() as usize % 60] = dice.next() as u8;
            }
        }
        let mut out = SILENCE;
        match decoder.decode(&payload, &mut out) {
            Ok(()) => decoded += 1,
            Err(CodecError::Damaged) => {
                damaged += 1;
                decoder.conceal(&mut out).unwrap();
            }
            Err(other) => panic!("{other}"),
        }
        assert!(out.iter().all(|s| s.abs() <= 1.0));
    }
    assert!(
        decoded > 2_000 && damaged > 1_000,
        "{decoded} decoded, {damaged} damaged"
    );
    // The decoder is as good as new after a few real frames.
    let mut out = SILENCE;
    for payload in &good {
        decoder.decode(payload, &mut out).unwrap();
    }
    assert!(power(&out) > 1e-3);
}
