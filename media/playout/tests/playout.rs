//! The playout alone: starting, stalls, jumps, hostile numbers.

mod harness;

use harness::{Bench, FRAME, Heard, at, payload};
use proptest::prelude::*;
use tacit_playout::{Config, Inserted, Loudness, Playout, Pull};
use tacit_types::{FrameNumber, Reach, Timestamp};

fn played(bench: &Bench) -> Vec<u32> {
    let played = bench.heard.iter().filter_map(|heard| match heard {
        Heard::Decoded(frame) => Some(*frame),
        _ => None,
    });
    played.collect()
}

fn concealed(bench: &Bench) -> Vec<Heard> {
    let concealed = |heard: &&Heard| matches!(heard, Heard::Lost(_) | Heard::Held(_));
    bench.heard.iter().filter(concealed).copied().collect()
}

#[test]
fn nothing_is_played_before_the_target_is_reached() {
    let mut bench = Bench::new();
    assert_eq!(bench.tick(), Pull::Wait);
    for frame in 0..4 {
        assert_eq!(bench.insert(frame, Reach::NONE), Inserted::New);
        assert_eq!(bench.insert(frame, Reach::NONE), Inserted::Duplicate);
        assert_eq!(bench.tick(), Pull::Wait);
    }
    bench.insert(4, Reach::NONE);
    assert!(matches!(
        bench.tick(),
        Pull::Decode {
            frame: FrameNumber(0),
            ..
        }
    ));
    assert_eq!(bench.stats().duplicates, 4);
    assert_eq!(bench.stats().delay.as_millis(), 80);
}

#[test]
fn a_first_packet_with_five_frames_starts_at_once() {
    let mut bench = Bench::new();
    for frame in (96..=100).rev() {
        bench.insert(frame, Reach::NONE);
    }
    assert!(matches!(
        bench.tick(),
        Pull::Decode {
            frame: FrameNumber(96),
            ..
        }
    ));
}

#[test]
fn a_steady_stream_is_played_whole() {
    let mut bench = Bench::new();
    bench.run(0..3000);
    let stats = bench.stats();
    assert_eq!(
        (stats.concealed, stats.held, stats.skipped, stats.late),
        (0, 0, 0, 0)
    );
    let played = played(&bench);
    let count = u32::try_from(played.len()).expect("few");
    assert!(played.into_iter().eq(0..count) && count >= 2995);
    // From the start's delay down to the floor, and no more.
    assert!(stats.faster + stats.slower <= 10, "{stats:?}");
}

#[test]
fn a_lost_frame_is_concealed_once_and_its_late_copy_counted_once() {
    let mut bench = Bench::new();
    bench.run(0..500);
    bench.tick();
    bench.run(501..520);
    assert_eq!(concealed(&bench), [Heard::Lost(500)]);
    assert_eq!(bench.insert(500, Reach::NONE), Inserted::Late);
    assert_eq!(bench.insert(500, Reach::NONE), Inserted::Duplicate);
    assert_eq!(bench.stats().late, 1);
}

#[test]
fn what_comes_after_a_short_drought_is_played_whole_and_the_delay_comes_down() {
    let mut bench = Bench::new();
    bench.run(0..500);
    for _ in 0..8 {
        bench.tick();
    }
    for frame in 500..508 {
        bench.insert(frame, Reach::NONE);
    }
    assert!(
        concealed(&bench)
            .iter()
            .all(|heard| matches!(heard, Heard::Held(_)))
    );
    let held = concealed(&bench).len();
    assert!((4..=5).contains(&held), "{held}");
    let high = bench.stats().delay;
    bench.run(508..1000);
    let stats = bench.stats();
    assert!(stats.delay + core::time::Duration::from_millis(50) <= high);
    assert!(stats.skipped <= held as u64);
    let heard = played(&bench).len() + usize::try_from(stats.skipped).expect("few");
    assert_eq!(
        heard,
        played(&bench).last().map_or(0, |&last| last as usize + 1)
    );
}

#[test]
fn a_small_surplus_is_taken_from_quiet_frames_first() {
    let stretched_after = |loudness| {
        let mut bench = Bench::new();
        bench.playout.heard(Loudness::Loud);
        // What the start has left over begins to be too much with the 200th frame.
        (0..1000u32).find(|&frame| {
            bench.run(frame..frame + 1);
            bench.playout.heard(loudness);
            bench.stats().faster > 0
        })
    };
    let (quiet, loud) = (
        stretched_after(Loudness::Quiet),
        stretched_after(Loudness::Loud),
    );
    assert!(quiet.is_some() && quiet < loud, "{quiet:?} {loud:?}");
}

#[test]
fn a_long_outage_does_not_leave_a_long_delay() {
    let mut bench = Bench::new();
    bench.run(0..500);
    for _ in 0..250 {
        bench.tick();
    }
    // The stalled leg releases everything: leftovers first.
    for frame in 500..750 {
        bench.insert(frame, Reach::NONE);
    }
    bench.run(750..1250);
    let stats = bench.stats();
    assert!(stats.delay.as_millis() <= 250, "{stats:?}");
    assert!(
        concealed(&bench)[..5]
            .iter()
            .all(|heard| matches!(heard, Heard::Held(_)))
    );
    assert_eq!(stats.restarts, 0);
}

#[test]
fn a_lasting_rise_of_delay_is_followed() {
    let mut bench = Bench::new();
    bench.run(0..500);
    for _ in 0..25 {
        bench.tick();
    }
    bench.run(500..1500);
    let before = played(&bench).len();
    bench.run(1500..1600);
    let count = concealed(&bench).len();
    assert!(played(&bench).len() - before >= 98, "all are in time again");
    bench.run(1600..1700);
    assert_eq!(concealed(&bench).len(), count);
}

#[test]
fn a_sender_that_starts_again_is_followed_and_nonsense_is_not() {
    let mut bench = Bench::new();
    bench.run(10_000..10_500);
    assert_eq!(
        bench.insert(4_000_000_000, Reach::NONE),
        Inserted::Elsewhere
    );
    assert_eq!(bench.insert(0, Reach::NONE), Inserted::Elsewhere);
    assert_eq!(bench.insert(10_200, Reach::NONE), Inserted::Stale);
    bench.run(10_500..10_600);
    assert_eq!(bench.stats().restarts, 0);
    assert!(concealed(&bench).is_empty());
    bench.run(0..100);
    assert_eq!(bench.stats().restarts, 1);
    assert!(
        played(&bench)
            .last()
            .is_some_and(|&last| last > 80 && last < 100)
    );
}

/// Found by fuzzing: the last number counted as a jump from itself, believed again and again.
#[test]
fn the_last_frame_number_is_a_number_like_others() {
    let mut playout = Playout::new(Config::default());
    let last = u32::MAX;
    let mut insert =
        |frame, time| playout.insert(FrameNumber(frame), &payload(frame), Reach::NONE, at(time));
    assert_eq!(insert(0, 0), Inserted::New);
    for copy in 1..10 {
        assert_eq!(insert(last, copy * FRAME), Inserted::Elsewhere);
    }
    assert_eq!(insert(last, 10 * FRAME), Inserted::Restarted);
    assert_eq!(insert(last, 11 * FRAME), Inserted::Duplicate);
    assert_eq!(insert(last - 1, 12 * FRAME), Inserted::New);
    let played = (12..60).filter(|n| {
        let pull = playout.pull(at(n * FRAME));
        matches!(
            pull,
            Pull::Decode { .. }
                | Pull::Skip {
                    payload: Some(_),
                    ..
                }
        )
    });
    assert_eq!(played.count(), 2, "and none of them twice");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Any frames at any times: no panic, no endless skipping, each frame played at most once and in
    /// order between restarts.
    #[test]
    fn any_input_is_survived(
        steps in prop::collection::vec((any::<u8>(), any::<u32>(), 0u64..200_000, any::<bool>()), 1..600)
    ) {
        let mut playout = Playout::new(Config::default());
        let mut now = 0u64;
        let mut last: Option<(u32, u64)> = None;
        for (kind, number, gap, quiet) in steps {
            now += gap / (1 + u64::from(kind % 8));
            let near = u32::try_from(now / FRAME).expect("short") + number % 40;
            let frame = match kind % 16 {
                0 => number,
                1 => u32::MAX - number % 8,
                2 => number % 8,
                _ => near,
            };
            let reach = Reach::new(1 + kind % 3, kind / 4);
            playout.insert(FrameNumber(frame), &payload(frame), reach, at(now));
            if kind >= 64 {
                continue;
            }
            playout.heard(if quiet { Loudness::Quiet } else { Loudness::Loud });
            let mut pulls = 0;
            let pull = loop {
                let pull = playout.pull(at(now));
                pulls += 1;
                prop_assert!(pulls <= 9, "skipping ends");
                if !matches!(pull, Pull::Skip { .. }) {
                    break pull;
                }
            };
            let restarts = playout.stats(at(now)).restarts;
            if let Pull::Decode { frame, .. } | Pull::Repair { frame, .. } = pull {
                if let Some((before, then)) = last {
                    prop_assert!(frame.0 > before || restarts > then);
                }
                last = Some((frame.0, restarts));
            }
            prop_assert!(playout.stats(at(now)).buffered <= 256);
        }
    }

    /// A clock that stands still or jumps.
    #[test]
    fn any_clock_is_survived(times in prop::collection::vec(any::<u64>(), 1..300)) {
        let mut playout = Playout::new(Config::default());
        for (frame, time) in times.into_iter().enumerate() {
            let now = Timestamp::from_micros(time);
            let frame = u32::try_from(frame).expect("few");
            playout.insert(FrameNumber(frame), &payload(frame), Reach::NONE, now);
            playout.pull(now);
            let _ = playout.stats(now);
        }
    }
}
