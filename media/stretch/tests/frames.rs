//! What stretching does to a frame.
#![allow(clippy::unwrap_used)]

use std::f32::consts::TAU;

use proptest::prelude::*;
use tacit_stretch::{Change, LONGEST, Stretcher};
use tacit_types::limits::FRAME_SAMPLES;

type Frame = [f32; FRAME_SAMPLES];

fn voice(hertz: f32) -> Frame {
    let harmonics = [(1.0, 0.4), (2.0, 0.2), (3.0, 0.1), (5.0, 0.05)];
    std::array::from_fn(|n| {
        let phase = n as f32 * TAU * hertz / 48_000.0;
        harmonics
            .iter()
            .map(|(k, gain)| gain * (k * phase).sin())
            .sum()
    })
}

/// Largest step between neighbouring samples.
fn steepest(samples: &[f32]) -> f32 {
    samples
        .windows(2)
        .map(|pair| (pair[1] - pair[0]).abs())
        .fold(0.0, f32::max)
}

#[test]
fn what_is_not_to_change_goes_through() {
    let frame = voice(170.0);
    assert_eq!(Stretcher::default().apply(&frame, Change::None), frame);
}

#[test]
fn a_voice_loses_or_gains_whole_periods_and_stays_smooth() {
    for hertz in [110.0, 150.0, 220.0, 330.0] {
        let frame = voice(hertz);
        let mut stretcher = Stretcher::default();
        for (change, sign) in [(Change::Shorten, -1.0), (Change::Lengthen, 1.0)] {
            let out = stretcher.apply(&frame, change);
            let periods = sign * (out.len() as f32 - FRAME_SAMPLES as f32) * hertz / 48_000.0;
            assert!(
                periods > 0.9 && (periods - periods.round()).abs() < 0.02,
                "{hertz}: {periods}"
            );
            assert!(steepest(out) < 1.1 * steepest(&frame), "{hertz}: a click");
            // The ends are the frame's own: neighbours fit as before.
            let ends = [
                (out[0], frame[0]),
                (out[out.len() - 1], frame[FRAME_SAMPLES - 1]),
            ];
            assert!(ends.iter().all(|(out, own)| (out - own).abs() < 0.01));
        }
    }
}

#[test]
fn quiet_frames_change_most() {
    let mut stretcher = Stretcher::default();
    let frame = [0.001; FRAME_SAMPLES];
    assert_eq!(
        stretcher.apply(&frame, Change::Shorten).len(),
        FRAME_SAMPLES / 2
    );
    assert_eq!(stretcher.apply(&frame, Change::Lengthen).len(), LONGEST);
}

#[test]
fn what_does_not_repeat_itself_is_left_alone() {
    let mut state = 1_u32;
    let noise: Frame = std::array::from_fn(|_| {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        state as f32 / u32::MAX as f32 - 0.5
    });
    let mut stretcher = Stretcher::default();
    for change in [Change::Shorten, Change::Lengthen] {
        assert_eq!(stretcher.apply(&noise, change), noise);
    }
}

#[test]
fn nothing_is_allocated() {
    let mut stretcher = Stretcher::default();
    let frame = voice(140.0);
    let info = allocation_counter::measure(|| {
        stretcher.apply(&frame, Change::Shorten);
        stretcher.apply(&frame, Change::Lengthen);
    });
    assert_eq!(info.count_total, 0);
}

proptest! {
    #[test]
    fn any_samples_come_out_within_their_range(
        samples in prop::collection::vec(prop_oneof![any::<f32>(), -1.0_f32..1.0], FRAME_SAMPLES),
        shorten in any::<bool>(),
    ) {
        let frame: Frame = samples.try_into().unwrap();
        let change = if shorten { Change::Shorten } else { Change::Lengthen };
        let mut stretcher = Stretcher::default();
        let out = stretcher.apply(&frame, change);
        prop_assert!((FRAME_SAMPLES / 2..=LONGEST).contains(&out.len()));
        let largest = |samples: &[f32]| samples.iter().fold(0.0_f32, |max, s| max.max(s.abs()));
        if largest(&frame).is_finite() && largest(&frame) < 1e30 {
            prop_assert!(largest(out) <= 1.001 * largest(&frame));
        }
    }
}
