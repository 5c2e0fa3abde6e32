//! A delay that rises for good, by about as much as playout ever waits: the voice is whole again soon.

use tacit_playout::{Config, Loudness, Pace, Playout, Pull};
use tacit_types::{FrameNumber, FramePayload, Reach, Timestamp};

const FRAME: u64 = 20_000;
/// When the delay rises, in frames, and where the call ends.
const RISES_AT: u32 = 1_000;
const END: u32 = 2_500;
/// Frames before its own that a packet repeats.
const REPEATS: u32 = 4;

/// A fixed sequence of numbers below `below`.
struct Jitter(u64);

impl Jitter {
    fn below(&mut self, below: u64) -> u64 {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        (self.0 >> 33) % below
    }
}

/// Seconds after the rise at which frames are concealed.
fn concealed(rise: u64, jitter: u64) -> Vec<f64> {
    let mut numbers = Jitter(rise + jitter);
    let mut arrivals: Vec<(u64, u32)> = Vec::new();
    for newest in 0..END {
        let risen = if newest >= RISES_AT { rise } else { 0 };
        let arrives = FRAME * u64::from(newest) + 100_000 + numbers.below(jitter) + risen;
        let frames = newest.saturating_sub(REPEATS)..=newest;
        arrivals.extend(frames.rev().map(|frame| (arrives, frame)));
    }
    arrivals.sort_by_key(|(arrives, _)| *arrives);
    let payload = FramePayload::new(&[1]).expect("short");
    let mut playout = Playout::new(Config::default());
    let mut arrivals = arrivals.into_iter().peekable();
    let (mut now, mut concealed) = (0, Vec::new());
    while arrivals.peek().is_some() {
        while let Some((at, frame)) = arrivals.next_if(|(at, _)| *at <= now) {
            let at = Timestamp::from_micros(at);
            playout.insert(FrameNumber(frame), &payload, Reach::NONE, at);
        }
        let pulled = loop {
            match playout.pull(Timestamp::from_micros(now)) {
                Pull::Skip { .. } => {}
                pulled => break pulled,
            }
        };
        playout.heard(Loudness::Loud);
        let pace = match pulled {
            Pull::Decode { pace, .. } | Pull::Repair { pace, .. } => pace,
            Pull::Conceal { .. } => {
                let since = now as f64 - (FRAME * u64::from(RISES_AT)) as f64;
                concealed.push(since / 1e6);
                Pace::Even
            }
            _ => Pace::Even,
        };
        now += match pace {
            Pace::Even => FRAME,
            Pace::Faster => FRAME * 3 / 4,
            Pace::Slower => FRAME * 5 / 4,
        };
    }
    concealed.retain(|since| *since > 0.0);
    concealed
}

/// Packets that take more than the longest delay, and others that take a little less, alternate.
#[test]
fn a_rise_by_about_the_longest_delay_is_followed_within_five_seconds() {
    for jitter in [20_000, 60_000, 100_000] {
        for rise in [
            300, 600, 850, 900, 940, 960, 980, 990, 996, 1_000, 1_020, 1_100, 1_500,
        ] {
            let concealed = concealed(1_000 * rise, jitter);
            let late = concealed.iter().filter(|since| **since > 5.0).count();
            assert!(
                late * 100 <= END as usize,
                "{jitter} µs, {rise} ms: {late} concealed late, the last at {:?} s",
                concealed.last()
            );
        }
    }
}
