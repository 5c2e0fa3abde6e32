//! Host rings, pacing and counters: what an integrator sees.

use core::time::Duration;
use tacit_audio::{AudioIo, SILENCE, Sink, Source, host_sink, host_source, open};
use tacit_types::Timestamp;

#[test]
fn a_host_hears_what_is_pushed_and_is_heard_as_it_writes() {
    let ((mut microphone, source), (mut speaker, sink)) = (host_source(), host_sink());
    let AudioIo {
        mut capture,
        mut playback,
        ..
    } = open(Source::Host(source), Sink::Host(sink)).expect("rings");
    let mut block = SILENCE;
    assert!(!capture.pop(&mut block), "nothing was written yet");
    microphone.write(&[0.5; 300]);
    assert!(!capture.pop(&mut block), "less than a block");
    microphone.write(&[0.5; 300]);
    assert!(capture.pop(&mut block));
    assert_eq!(block, [0.5; 480]);
    assert_eq!(capture.delay(), Duration::from_micros(2_500));

    assert!(playback.push(&[0.25; 480]));
    let mut out = [9.0; 600];
    assert_eq!((speaker.available(), speaker.read(&mut out)), (480, 480));
    assert_eq!((out[479], out[480]), (0.25, 9.0));
}

#[test]
fn a_source_that_was_not_popped_keeps_the_newest_and_counts_the_rest() {
    let (mut microphone, source) = host_source();
    let AudioIo {
        mut capture,
        monitor,
        ..
    } = open(Source::Host(source), Sink::Discard).expect("rings");
    for n in 0..50 {
        microphone.write(&[n as f32 / 100.0; 480]);
    }
    let mut block = SILENCE;
    assert!(capture.pop(&mut block));
    assert_eq!(block, [0.42; 480]);
    assert_eq!(monitor.counters().capture_overrun_samples, 42 * 480);
}

#[test]
fn a_sink_that_nobody_empties_refuses_and_counts() {
    let (_speaker, sink) = host_sink();
    let AudioIo {
        mut playback,
        monitor,
        ..
    } = open(Source::Silence, Sink::Host(sink)).expect("rings");
    let taken = (0..50).filter(|_| playback.push(&SILENCE)).count();
    assert_eq!(
        (taken, monitor.counters().playback_overrun_blocks),
        (20, 30)
    );
}

#[test]
fn a_sink_without_a_clock_asks_for_a_block_every_ten_milliseconds() {
    let AudioIo { mut playback, .. } = open(Source::Silence, Sink::Discard).expect("nothing");
    let mut pushed = 0;
    for ms in 0..200 {
        while playback.ready(Timestamp::from_micros(ms * 1_000)) {
            playback.push(&SILENCE);
            pushed += 1;
        }
    }
    assert_eq!(pushed, 20);
}

#[test]
fn sound_beyond_full_scale_and_no_numbers_become_harmless() {
    let (mut microphone, source) = host_source();
    let AudioIo { mut capture, .. } = open(Source::Host(source), Sink::Discard).expect("rings");
    microphone.write(&[f32::NAN; 240]);
    microphone.write(&[7.0; 240]);
    let mut block = SILENCE;
    assert!(capture.pop(&mut block));
    assert_eq!((block[0], block[300]), (0.0, 1.0));
}
