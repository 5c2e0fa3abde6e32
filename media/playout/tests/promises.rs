//! What the playout promises: soon there, soon back, no media lost that comes, whatever the clocks do.

use proptest::prelude::*;
use tacit_playout::{Config, Inserted, Loudness, Pace, Playout, Pull, Stats};
use tacit_types::{FrameNumber, FramePayload, Reach, Timestamp};

const FRAME: u64 = 20_000;
const START: u64 = 5_000_000;
/// What one stretch changes a frame by, where it can: a period of 200 Hz.
const PERIOD: u64 = 5_000;
const DRED: Reach = Reach::new(1, 24);

fn at(micros: u64) -> Timestamp {
    Timestamp::from_micros(START + micros)
}

fn payload() -> FramePayload {
    FramePayload::new(&[1]).expect("one byte")
}

/// What a pull came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Heard {
    Nothing,
    Frame(u32),
    Restored(u32),
    Concealed,
}

/// An output that plays speech of which every third frame cannot be stretched.
struct Output {
    playout: Playout,
    next_pull: u64,
    /// Parts in a million by which its clock is slow.
    slow: i64,
    /// By how much each second pull is late, as from a task that looks at the clock now and then.
    late: u64,
    heard: Vec<(u64, Heard)>,
}

impl Output {
    fn new() -> Self {
        Self {
            playout: Playout::new(Config::default()),
            next_pull: 3_000,
            slow: 0,
            late: 0,
            heard: Vec::new(),
        }
    }

    fn insert(&mut self, frame: u32, reach: Reach, now: u64) -> Inserted {
        self.run(now);
        let frame = FrameNumber(frame);
        self.playout.insert(frame, &payload(), reach, at(now))
    }

    /// Plays until `now`.
    fn run(&mut self, now: u64) {
        loop {
            let late = if self.heard.len() % 2 == 1 {
                self.late
            } else {
                0
            };
            if self.next_pull + late > now {
                break;
            }
            let at = at(self.next_pull + late);
            let mut pull = self.playout.pull(at);
            while let Pull::Skip { .. } = pull {
                pull = self.playout.pull(at);
            }
            let (heard, pace) = match pull {
                Pull::Decode { frame, pace, .. } => (Heard::Frame(frame.0), pace),
                Pull::Repair { frame, pace, .. } => (Heard::Restored(frame.0), pace),
                Pull::Conceal { .. } => (Heard::Concealed, Pace::Even),
                _ => (Heard::Nothing, Pace::Even),
            };
            self.playout.heard(Loudness::Loud);
            self.heard.push((self.next_pull, heard));
            let change = match heard {
                Heard::Frame(frame) | Heard::Restored(frame) if frame % 3 > 0 => PERIOD,
                _ => 0,
            };
            let length = match pace {
                Pace::Even => FRAME,
                Pace::Faster => FRAME - change,
                Pace::Slower => FRAME + change,
            };
            let drift = i64::try_from(length).expect("short") * self.slow / 1_000_000;
            self.next_pull = (self.next_pull + length).saturating_add_signed(drift);
        }
    }

    fn stats(&self) -> Stats {
        self.playout.stats(at(self.next_pull))
    }

    fn concealed(&self) -> usize {
        let concealed = |(_, heard): &&(u64, Heard)| *heard == Heard::Concealed;
        self.heard.iter().filter(concealed).count()
    }

    fn heard_frames(&self) -> impl Iterator<Item = (u64, u32)> {
        self.heard.iter().filter_map(|(at, heard)| match heard {
            Heard::Frame(frame) | Heard::Restored(frame) => Some((*at, *frame)),
            _ => None,
        })
    }
}

/// Some milliseconds of jitter, the same every time.
fn jitter(frame: u32) -> u64 {
    u64::from(frame.wrapping_mul(2_654_435_761) >> 8) % 25_000
}

/// When a frame arrives.
fn arrival(frame: u32) -> u64 {
    u64::from(frame) * FRAME + 100_000 + jitter(frame)
}

#[test]
fn five_seconds_after_an_outage_of_ten_the_delay_is_what_it_was() {
    // The outage's frames all come at its end, or none of them does.
    for (released, late) in [(true, 0), (false, 0), (true, 10_000), (false, 10_000)] {
        let mut output = Output::new();
        output.late = late;
        for frame in 0..1000 {
            output.insert(frame, DRED, arrival(frame));
        }
        let before = output.stats().delay;
        let end = arrival(1500);
        for frame in 1000..1500 {
            if released {
                output.insert(frame, DRED, end);
            }
        }
        for frame in 1500..1750 {
            output.insert(frame, DRED, end.max(arrival(frame)));
        }
        let stats = output.stats();
        assert!(
            stats.delay <= before + core::time::Duration::from_millis(20),
            "{before:?} {stats:?}"
        );
        assert!(
            stats.target.as_millis() <= 100 && stats.restarts == 0,
            "{stats:?}"
        );
        // It plays again within the first 200 ms.
        let first = output.heard_frames().find(|(_, frame)| *frame >= 1490);
        assert!(
            first.is_some_and(|(at, _)| at <= end + 200_000),
            "{first:?}"
        );
    }
}

#[test]
fn drifting_clocks_are_absorbed() {
    for slow in [-200, 200] {
        let mut output = Output::new();
        output.slow = slow;
        for frame in 0..30_000 {
            output.insert(frame, DRED, arrival(frame));
        }
        let stats = output.stats();
        // 120 ms in ten minutes.
        assert_eq!(
            (output.concealed(), stats.skipped),
            (0, 0),
            "{slow}: {stats:?}"
        );
        let delay = stats.delay.as_millis();
        assert!((50..=90).contains(&delay), "{slow}: {stats:?}");
        let stretched = stats.faster + stats.slower;
        assert!((10..600).contains(&stretched), "{slow}: {stats:?}");
    }
}

#[test]
fn no_media_is_lost_in_a_stall_that_ends() {
    for stall in [100_000, 200_000, 300_000] {
        let mut output = Output::new();
        let end = arrival(500) + stall;
        for frame in 0..900 {
            let late = (500..900).contains(&frame) && arrival(frame) < end;
            output.insert(frame, Reach::NONE, if late { end } else { arrival(frame) });
        }
        let frames: Vec<u32> = output.heard_frames().map(|(_, frame)| frame).collect();
        assert!(
            frames.iter().copied().eq(0..frames.len() as u32),
            "{stall}: {:?}",
            output.stats()
        );
        assert_eq!(
            (output.stats().concealed, output.stats().skipped),
            (0, 0),
            "{stall}"
        );
    }
}

#[test]
fn what_was_passed_over_is_played_if_nothing_newer_was() {
    let mut output = Output::new();
    for frame in 0..500 {
        output.insert(frame, Reach::NONE, arrival(frame));
    }
    let end = arrival(500) + 300_000;
    output.run(end);
    let passed = output.stats().concealed;
    assert!(passed > 0);
    // The newest of a packet's frames comes first.
    for frame in (505..=512).rev() {
        assert_eq!(output.insert(frame, Reach::NONE, end), Inserted::New);
    }
    output.run(end + FRAME);
    assert_eq!(
        output.heard_frames().last().map(|(_, frame)| frame),
        Some(505)
    );
    // Much too late, and behind what was played.
    assert_eq!(output.insert(500, Reach::NONE, end + FRAME), Inserted::Late);
}

#[test]
fn what_dred_restores_is_not_waited_for() {
    let delay = |reach| {
        // Every fortieth frame comes behind those that follow it.
        let behind = |frame: u32| u64::from(frame.is_multiple_of(40)) * 75_000;
        let at = |frame: u32| u64::from(frame) * FRAME + 100_000 + behind(frame);
        let mut frames: Vec<u32> = (1..2_000).collect();
        frames.sort_by_key(|frame| at(*frame));
        let mut output = Output::new();
        for frame in frames {
            output.insert(frame, reach, at(frame));
        }
        (output.stats().target, output.concealed())
    };
    let ((with, concealed), (without, _)) = (delay(DRED), delay(Reach::NONE));
    assert!(with < without && concealed == 0, "{with:?} {without:?}");
}

/// A regression: the ring's place of a frame far back may hold one that waits.
#[test]
fn a_reach_far_back_wipes_out_nothing() {
    let mut playout = Playout::new(Config::default());
    let at = |frame: u32| Timestamp::from_micros(u64::from(frame) * FRAME + 100_000);
    for frame in 700..=1_000_u32 {
        playout.insert(FrameNumber(frame), &payload(), Reach::NONE, at(frame));
        while let Pull::Skip { .. } = playout.pull(at(frame)) {}
    }
    for frame in 1_001..=1_020_u32 {
        playout.insert(FrameNumber(frame), &payload(), Reach::NONE, at(1_000));
    }
    let buffered = playout.stats(at(1_000)).buffered;
    playout.insert(FrameNumber(830), &payload(), Reach::new(1, 192), at(1_000));
    assert!(buffered >= 20);
    assert_eq!(playout.stats(at(1_000)).buffered, buffered);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    /// However unlike the first packets' delays, and whatever they hold.
    #[test]
    fn the_first_sound_comes_within_300_ms(
        delays in prop::collection::vec(0u64..400_000, 40),
        repeats in 0u32..5,
    ) {
        let mut packets: Vec<(u64, u32)> = (100u32..)
            .zip(&delays)
            .map(|(frame, delay)| (u64::from(frame) * FRAME + delay, frame))
            .collect();
        packets.sort_unstable();
        let first = packets[0].0;
        let mut output = Output::new();
        output.next_pull = first.saturating_sub(7_000);
        for (at, frame) in packets {
            for back in 0..=repeats {
                output.insert(frame - back, Reach::NONE, at);
            }
        }
        output.run(first + 300_000);
        let heard = output.heard_frames().next();
        prop_assert!(heard.is_some_and(|(at, _)| at <= first + 300_000), "{heard:?}");
    }

    /// Repeats, disorder, jumps of the numbers and of the clock, DRED that reaches anywhere.
    #[test]
    fn nonsense_is_survived(
        steps in prop::collection::vec(
            (any::<u32>(), 0u32..80, any::<(u8, u8)>(), prop_oneof![0u64..60_000, any::<u64>()], 0u8..8),
            1..400,
        )
    ) {
        let mut playout = Playout::new(Config::default());
        let (mut now, mut frame) = (0_u64, 0_u32);
        for (number, back, (nearest, farthest), time, kind) in steps {
            now = if kind == 0 { time } else { now.wrapping_add(time % 60_000) };
            frame = if kind == 1 { number } else { frame.saturating_add(1) };
            let reach = Reach::new(nearest, farthest);
            let now = Timestamp::from_micros(now);
            for frame in [frame, frame.saturating_sub(back), frame] {
                playout.insert(FrameNumber(frame), &payload(), reach, now);
            }
            let mut pulls = 0;
            while let Pull::Skip { .. } = playout.pull(now) {
                pulls += 1;
                prop_assert!(pulls <= tacit_playout::limits::SKIPS_IN_A_PULL);
            }
            prop_assert!(playout.stats(now).buffered <= tacit_playout::limits::RING);
        }
    }
}
