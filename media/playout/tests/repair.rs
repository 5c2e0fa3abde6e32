//! Missing frames and the later ones that can restore them.

mod harness;

use harness::{Bench, Heard};
use tacit_playout::{Inserted, Stats};
use tacit_types::Reach;

const REACH: Reach = Reach::new(1, 24);

/// Ten seconds of a steady call, whose frames carry no DRED.
fn settled() -> Bench {
    let mut bench = Bench::new();
    bench.run(0..500);
    bench.heard.clear();
    bench
}

/// What was heard from frame 500 on.
fn after(bench: &Bench) -> Vec<Heard> {
    let before = |heard: &&Heard| matches!(heard, Heard::Decoded(frame) if *frame < 500);
    bench.heard.iter().skip_while(before).copied().collect()
}

/// Frames up to 499 came, the last three wait to be played. The next three are lost; 503, the first
/// after the gap, comes just in time.
fn over_a_gap(reach: Reach) -> (Vec<Heard>, Stats) {
    let mut bench = settled();
    for frame in 500..520 {
        if frame >= 503 {
            bench.insert(frame, if frame == 503 { reach } else { Reach::NONE });
        }
        bench.tick();
    }
    (after(&bench), bench.stats())
}

#[test]
fn a_gap_is_repaired_from_the_first_frame_after_it() {
    let (heard, stats) = over_a_gap(REACH);
    let expected = [
        Heard::Repaired(500, 503),
        Heard::Repaired(501, 503),
        Heard::Repaired(502, 503),
        Heard::Decoded(503),
    ];
    assert_eq!(heard[..4], expected);
    assert_eq!((stats.repaired, stats.concealed, stats.held), (3, 0, 0));
    assert_eq!(stats.longest_gap.as_millis(), 0, "nothing was concealed");
}

#[test]
fn what_dred_does_not_reach_is_concealed() {
    let (heard, stats) = over_a_gap(Reach::new(2, 2));
    let expected = [
        Heard::Lost(500),
        Heard::Repaired(501, 503),
        Heard::Lost(502),
        Heard::Decoded(503),
    ];
    assert_eq!(heard[..4], expected);
    assert_eq!((stats.repaired, stats.concealed), (1, 2));
    let (_, stats) = over_a_gap(Reach::NONE);
    assert_eq!((stats.repaired, stats.concealed), (0, 3));
}

#[test]
fn the_nearest_frame_that_reaches_repairs() {
    let mut bench = settled();
    bench.insert(503, REACH);
    bench.insert(502, Reach::NONE);
    bench.insert(501, REACH);
    for _ in 0..8 {
        bench.tick();
    }
    let expected = [
        Heard::Repaired(500, 501),
        Heard::Decoded(501),
        Heard::Decoded(502),
        Heard::Decoded(503),
    ];
    assert_eq!(after(&bench)[..4], expected);
}

#[test]
fn a_copy_with_dred_replaces_one_without() {
    let mut bench = settled();
    // The repeat is faster than the frame's own packet.
    assert_eq!(bench.insert(502, Reach::NONE), Inserted::New);
    assert_eq!(bench.insert(502, REACH), Inserted::Duplicate);
    assert_eq!(bench.insert(502, Reach::NONE), Inserted::Duplicate);
    for _ in 0..7 {
        bench.tick();
    }
    let expected = [
        Heard::Repaired(500, 502),
        Heard::Repaired(501, 502),
        Heard::Decoded(502),
    ];
    assert_eq!(after(&bench)[..3], expected);
    assert_eq!(bench.insert(502, REACH), Inserted::Duplicate, "remembered");
}

#[test]
fn a_frame_that_comes_after_it_was_repaired_is_late() {
    let mut bench = settled();
    bench.insert(501, REACH);
    for _ in 0..5 {
        bench.tick();
    }
    assert_eq!(after(&bench)[0], Heard::Repaired(500, 501));
    assert_eq!(bench.insert(500, REACH), Inserted::Late);
    assert_eq!(bench.stats().late, 1);
}

#[test]
fn a_dry_buffer_is_waited_out_and_then_repaired() {
    let mut bench = settled();
    for _ in 0..7 {
        bench.tick();
    }
    assert_eq!(after(&bench), [Heard::Held(500); 4]);
    for frame in 507..540 {
        bench.insert(frame, REACH);
        bench.tick();
    }
    let restored = bench
        .heard
        .iter()
        .filter(|heard| matches!(heard, Heard::Repaired(..)))
        .count();
    // To come back down a frame is skipped now and then, as when all are there.
    assert!(restored >= 5, "{:?}", bench.heard);
    assert!(bench.stats().skipped <= 3);
    assert_eq!(bench.stats().concealed, 0);
}

#[test]
fn what_the_decoder_could_not_use_counts_as_concealed() {
    let mut bench = settled();
    bench.insert(501, REACH);
    let before = bench.stats();
    while after(&bench).len() < 2 {
        let pull = bench.pull();
        bench.playout.failed(&pull);
    }
    let after = bench.stats();
    assert_eq!((after.played, after.repaired), (before.played, 0));
    let handed_out = bench.heard.len() as u64;
    assert_eq!((after.failed, after.concealed), (handed_out, handed_out));
}
