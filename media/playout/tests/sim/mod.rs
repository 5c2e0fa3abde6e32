//! Two ends, eight legs, virtual time: packetizer, scheduler and playout together.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::time::Duration;

use tacit_packet::{Content, MediaTime, Packetizer};
use tacit_paths::{Config as PathsConfig, Scheduler, Side};
use tacit_playout::{Config, Loudness, Pace, Playout, Pull, Stats};
use tacit_types::{
    Cells, EncodedFrame, FrameNumber, FramePayload, LegIndex, LegKind, Path, Reach, SlotNumber,
    Timestamp,
};

pub(crate) const LEGS: usize = 8;
const FRAME: u64 = 20_000;
/// Look-ahead of the codec, and the output device with its block.
const CODEC_AND_OUTPUT: u64 = 6_500 + 20_000;

/// splitmix64: all the randomness a simulation needs.
#[derive(Clone)]
pub(crate) struct Random(pub u64);

impl Random {
    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    pub(crate) fn below(&mut self, limit: u64) -> u64 {
        self.next() % limit.max(1)
    }

    fn unit(&mut self) -> f64 {
        (self.next() >> 11) as f64 / (1u64 << 53) as f64
    }

    fn exponential(&mut self, mean: u64) -> u64 {
        (-(1.0 - self.unit()).ln() * mean as f64) as u64
    }
}

/// Which legs stop for two seconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stall {
    None,
    /// That many legs, drawn at random.
    Random(usize),
    /// The fastest so many, as the speaker's scheduler sees them at that moment.
    Fastest(usize),
    /// That many of the speaker's and of the hearer's circuits at once, as when one connection
    /// between two relays carries them: both directions. TURN only.
    Shared {
        fastest: bool,
        speaker: usize,
        hearer: usize,
    },
}

/// What the legs are like, in microseconds.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Network {
    pub(crate) kind: LegKind,
    pub(crate) delay: (u64, u64),
    /// How far the two directions of a leg may differ.
    pub(crate) spread: u64,
    pub(crate) jitter: u64,
    /// Bursts of extra delay a minute and leg, 100 to 300 ms long.
    pub(crate) bursts: u64,
    pub(crate) burst_delay: u64,
}

/// Like live Tor, mild: what the brief's eight synthetic legs ask for.
pub(crate) const TOR: Network = Network {
    kind: LegKind::Onion,
    delay: (150_000, 350_000),
    spread: 20_000,
    jitter: 8_000,
    bursts: 4,
    burst_delay: 60_000,
};

/// Like a private network on one machine.
pub(crate) const PRIVATE: Network = Network {
    kind: LegKind::Onion,
    delay: (90_000, 115_000),
    spread: 20_000,
    jitter: 2_000,
    bursts: 0,
    burst_delay: 0,
};

#[derive(Clone)]
struct Half {
    base: u64,
    last: u64,
    burst: (u64, u64, u64),
}

struct Leg {
    halves: [Half; 2],
    stalled: (u64, u64),
}

#[derive(PartialEq, Eq, PartialOrd, Ord)]
enum Event {
    LegUp(u8),
    Stall,
    Arrive {
        to: usize,
        path: (u8, u8),
        plain: Vec<u8>,
    },
    /// At the TURN server: on to the receiver's leg.
    Relay {
        to: usize,
        path: (u8, u8),
        plain: Vec<u8>,
    },
    Slot(usize),
    Pull(usize),
}

struct End {
    start: u64,
    packetizer: Packetizer,
    scheduler: Scheduler,
    playout: Playout,
    slot: u32,
    first_copy: Vec<Option<u64>>,
    played: Vec<Option<u64>>,
    run: u32,
    gap_in_stall: u32,
}

/// What one direction of a call came to; milliseconds.
#[derive(Clone, Debug)]
pub(crate) struct Outcome {
    pub(crate) network: [f64; 2],
    pub(crate) excess: f64,
    pub(crate) excess_all: f64,
    pub(crate) early_excess: f64,
    /// Frames from second 5 on that were not played.
    pub(crate) lost: usize,
    /// Frames of which no copy came within half a second.
    pub(crate) unrecovered: usize,
    pub(crate) longest_gap: u32,
    /// First copies' lateness beyond the median, largest during the stall.
    pub(crate) lateness: f64,
    pub(crate) end_delay: f64,
    pub(crate) stats: Stats,
}

pub(crate) struct Call {
    random: Random,
    network: Network,
    legs: Vec<Leg>,
    up: Vec<LegIndex>,
    ends: [End; 2],
    events: BinaryHeap<Reverse<(u64, u64, Event)>>,
    sequence: u64,
    stall: Stall,
    stall_at: u64,
    length: u64,
}

fn at(micros: u64) -> Timestamp {
    Timestamp::from_micros(micros)
}

/// A frame as long as speech's are at the median.
fn encoded(number: u32) -> EncodedFrame {
    let mut bytes = [0; 102];
    bytes[..4].copy_from_slice(&number.to_be_bytes());
    let payload = |length| FramePayload::new(&bytes[..length]).expect("not too long");
    EncodedFrame {
        full: payload(102),
        short: payload(53),
        reach: Reach::new(1, 24),
    }
}

/// The frame that is heard, having looked whether it is the one that was sent.
fn heard(pull: &Pull) -> FrameNumber {
    let (frame, payload, number) = match pull {
        Pull::Decode { frame, payload, .. } => (*frame, payload, frame.0),
        Pull::Repair {
            frame, back, later, ..
        } => (*frame, later, frame.0 + back),
        other => unreachable!("{other:?} is not heard"),
    };
    assert_eq!(payload.as_slice()[..4], number.to_be_bytes());
    frame
}

/// How long it is played: a stretch takes or gives a pause 10 ms, voiced speech a period of 200 Hz,
/// and every fourth frame of speech nothing.
fn played_length(pull: &Pull, frame: FrameNumber) -> u64 {
    let change = match frame.0 {
        frame if is_quiet(frame) => 10_000,
        frame if frame % 4 == 0 => 0,
        _ => 5_000,
    };
    match pull {
        Pull::Decode { pace, .. } | Pull::Repair { pace, .. } => match pace {
            Pace::Even => FRAME,
            Pace::Faster => FRAME - change,
            Pace::Slower => FRAME + change,
        },
        _ => FRAME,
    }
}

/// Speech with pauses: 1.3 s of talk, 0.5 s of silence.
fn is_quiet(frame: u32) -> bool {
    frame % 90 >= 65
}

impl Call {
    pub(crate) fn new(seed: u64, network: Network, stall: Stall, seconds: u64) -> Self {
        let mut random = Random(seed);
        let (low, high) = network.delay;
        // Onion: both ends' legs are the first eight. TURN: the second end has eight of its own.
        let legs = (0..2 * LEGS).map(|_| {
            let base = low + random.below(high - low);
            let half = |random: &mut Random| Half {
                base: base - network.spread / 2 + random.below(network.spread),
                last: 0,
                burst: (0, 0, 0),
            };
            let halves = [half(&mut random), half(&mut random)];
            Leg {
                halves,
                stalled: (0, 0),
            }
        });
        let legs = legs.collect();
        let end = |start, seed| End {
            start,
            packetizer: Packetizer::new(Cells::Fifty),
            scheduler: Scheduler::new(PathsConfig::new(network.kind), seed),
            playout: Playout::new(Config::default()),
            slot: 0,
            first_copy: Vec::new(),
            played: Vec::new(),
            run: 0,
            gap_in_stall: 0,
        };
        let ends = [end(1_000_000, seed), end(1_007_300, !seed)];
        let mut call = Self {
            network,
            legs,
            up: Vec::new(),
            ends,
            events: BinaryHeap::new(),
            sequence: 0,
            stall,
            stall_at: 10_000_000 + random.below(4_000_000),
            length: seconds * 1_000_000,
            random,
        };
        for leg in 0..LEGS as u8 {
            let up = if leg < 2 {
                0
            } else {
                900_000 + call.random.below(4_000_000)
            };
            call.push(up, Event::LegUp(leg));
        }
        call.push(call.stall_at, Event::Stall);
        for who in 0..2 {
            call.push(call.ends[who].start, Event::Slot(who));
            let phase = call.random.below(FRAME);
            call.push(1_000_000 + phase, Event::Pull(who));
        }
        call
    }

    fn push(&mut self, when: u64, event: Event) {
        self.sequence += 1;
        self.events.push(Reverse((when, self.sequence, event)));
    }

    /// Runs the call and returns what the second end heard of the first.
    pub(crate) fn run(mut self) -> Outcome {
        let end = 1_000_000 + self.length;
        while let Some(Reverse((now, _, event))) = self.events.pop() {
            if now > end {
                break;
            }
            match event {
                Event::LegUp(leg) => self.leg_up(LegIndex(leg)),
                Event::Stall => self.stall(now),
                Event::Slot(who) => self.slot(who, now),
                Event::Pull(who) => self.pull(who, now),
                Event::Relay { to, path, plain } => {
                    let arrival = self.half(to * LEGS + usize::from(path.1), 1, now, 2);
                    self.push(arrival, Event::Arrive { to, path, plain });
                }
                Event::Arrive { to, path, plain } => self.arrive(to, path, &plain, now),
            }
        }
        self.outcome()
    }

    fn leg_up(&mut self, leg: LegIndex) {
        for end in &mut self.ends {
            let scheduler = &mut end.scheduler;
            let mut add = |sender, receiver| assert!(scheduler.add_path(Path { sender, receiver }));
            add(leg, leg);
            // Every leg reaches all others that are up.
            if self.network.kind == LegKind::Turn {
                for &other in &self.up {
                    add(leg, other);
                    add(other, leg);
                }
            }
        }
        self.up.push(leg);
    }

    fn stall(&mut self, now: u64) {
        let turn = self.network.kind == LegKind::Turn;
        for (side, first) in [(Side::Local, 0), (Side::Peer, LEGS)] {
            let mut order: Vec<(Duration, u8)> = (0..LEGS as u8)
                .map(|leg| (Duration::from_micros(self.random.next() >> 20), leg))
                .collect();
            let (fastest, count) = match self.stall {
                Stall::None => (false, [0, 0]),
                // With TURN legs, half as many of the hearer's circuits stall too.
                Stall::Random(count) => (false, [count, count / 2]),
                Stall::Fastest(count) => (true, [count, count / 2]),
                Stall::Shared {
                    fastest,
                    speaker,
                    hearer,
                } => (fastest, [speaker, hearer]),
            };
            if fastest {
                let legs = self.ends[0].scheduler.legs().filter(|leg| leg.side == side);
                order = legs
                    .map(|leg| (leg.relative_delay.unwrap_or(Duration::MAX), leg.index.0))
                    .collect();
            }
            let count = match side {
                Side::Local => count[0],
                Side::Peer if turn => count[1],
                Side::Peer => 0,
            };
            order.sort_unstable();
            for (_, leg) in order.into_iter().take(count) {
                self.legs[first + usize::from(leg)].stalled = (now, now + 2_000_000);
            }
        }
    }

    fn slot(&mut self, who: usize, now: u64) {
        let end = &mut self.ends[who];
        let slot = SlotNumber(end.slot);
        end.slot += 1;
        let frame = encoded(slot.0);
        assert!(end.packetizer.push_frame(FrameNumber(slot.0), &frame));
        let clock = MediaTime::from_elapsed(Duration::from_micros(now - end.start));
        let plain = end.packetizer.next(slot, clock);
        if let Some(choice) = end.scheduler.choose(slot, at(now)) {
            end.scheduler.on_sent(slot, choice.path, at(now));
            let path = (choice.path.sender.0, choice.path.receiver.0);
            let (to, plain) = (1 - who, plain.to_vec());
            match self.network.kind {
                LegKind::Onion => {
                    let arrival = self.half(usize::from(path.0), who, now, 1);
                    self.push(arrival, Event::Arrive { to, path, plain });
                }
                LegKind::Turn => {
                    let there = self.half(who * LEGS + usize::from(path.0), 0, now, 2);
                    self.push(there, Event::Relay { to, path, plain });
                }
            }
        }
        self.push(now + FRAME, Event::Slot(who));
    }

    fn half(&mut self, leg: usize, direction: usize, now: u64, share: u64) -> u64 {
        let Network {
            jitter,
            bursts,
            burst_delay,
            ..
        } = self.network;
        let random = &mut self.random;
        let Leg { halves, stalled } = &mut self.legs[leg];
        let half = &mut halves[direction];
        if now >= half.burst.1 && bursts > 0 {
            let begin = now + random.exponential(60_000_000 / bursts);
            let length = 100_000 + random.below(200_000);
            half.burst = (begin, begin + length, random.exponential(burst_delay));
        }
        let burst = if now >= half.burst.0 && now < half.burst.1 {
            half.burst.2
        } else {
            0
        };
        let mut arrival = now + half.base / share + random.exponential(jitter) + burst;
        if arrival >= stalled.0 && arrival < stalled.1 {
            arrival = stalled.1 + random.below(3_000);
        }
        // A leg is an ordered stream.
        half.last = half.last.max(arrival);
        half.last
    }

    fn arrive(&mut self, who: usize, path: (u8, u8), plain: &[u8], now: u64) {
        let end = &mut self.ends[who];
        let plain = plain.try_into().expect("424 bytes");
        let content = Content::decode(plain).expect("an honest peer's packet");
        let clock = MediaTime::from_elapsed(Duration::from_micros(now - end.start.min(now)));
        let path = Path {
            sender: LegIndex(path.0),
            receiver: LegIndex(path.1),
        };
        end.packetizer.record_arrival(content.slot, path, clock);
        end.scheduler.on_arrival(path, at(now));
        end.scheduler
            .on_feedback(content.sent_at, content.reports.as_slice(), at(now));
        for arrived in content.frames() {
            let index = arrived.number.0 as usize;
            if end.first_copy.len() <= index {
                end.first_copy.resize(index + 1, None);
            }
            end.first_copy[index].get_or_insert(now);
            let (number, payload) = (arrived.number, arrived.payload);
            end.playout.insert(number, payload, arrived.reach, at(now));
        }
    }

    fn pull(&mut self, who: usize, now: u64) {
        let in_stall = now >= self.stall_at && now < self.stall_at + 3_500_000;
        let end = &mut self.ends[who];
        let mut length = FRAME;
        loop {
            match end.playout.pull(at(now)) {
                Pull::Skip { .. } => continue,
                pull @ (Pull::Decode { .. } | Pull::Repair { .. }) => {
                    let frame = heard(&pull);
                    length = played_length(&pull, frame);
                    let index = frame.0 as usize;
                    if end.played.len() <= index {
                        end.played.resize(index + 1, None);
                    }
                    end.played[index] = Some(now);
                    end.run = 0;
                    let quiet = is_quiet(frame.0);
                    end.playout.heard(if quiet {
                        Loudness::Quiet
                    } else {
                        Loudness::Loud
                    });
                }
                Pull::Conceal { .. } => {
                    end.run += 20;
                    if in_stall {
                        end.gap_in_stall = end.gap_in_stall.max(end.run);
                    }
                }
                _ => {}
            }
            break;
        }
        self.push(now + length, Event::Pull(who));
    }

    fn outcome(self) -> Outcome {
        let [speaker, hearer] = &self.ends;
        // The last second is still on its way.
        let sent = (self.length - 1_500_000) / FRAME;
        let ready = |frame: u64| speaker.start + frame * FRAME;
        let get = |log: &[Option<u64>], frame: u64| log.get(frame as usize).copied().flatten();
        let network = |frame| {
            get(&hearer.first_copy, frame)
                .map_or(f64::INFINITY, |at| (at - ready(frame)) as f64 / 1e3)
        };
        let ear = |frame| {
            get(&hearer.played, frame).map_or(f64::INFINITY, |at| {
                (at + FRAME + CODEC_AND_OUTPUT - ready(frame)) as f64 / 1e3
            })
        };
        let late = 250..sent;
        let net: Vec<f64> = late.clone().map(network).collect();
        let speech = |range: core::ops::Range<u64>| range.filter(|&frame| !is_quiet(frame as u32));
        let early_net: Vec<f64> = (0..250).map(network).collect();
        let early: Vec<f64> = speech(0..250).map(ear).collect();
        let (middle, net_p99) = (percentile(&net, 0.5), percentile(&net, 0.99));
        let around = (self.stall_at - speaker.start) / FRAME;
        let lateness = (around.saturating_sub(25)..(around + 150).min(sent))
            .map(|frame| network(frame) - middle)
            .filter(|late| *late < 500.0)
            .fold(0.0, f64::max);
        let tail: Vec<f64> = (sent - 50..sent).map(ear).collect();
        Outcome {
            network: [middle, net_p99],
            excess: percentile(&speech(late.clone()).map(ear).collect::<Vec<_>>(), 0.99) - net_p99,
            excess_all: percentile(&late.clone().map(ear).collect::<Vec<_>>(), 0.99) - net_p99,
            early_excess: percentile(&early, 0.99) - percentile(&early_net, 0.99),
            lost: late
                .clone()
                .filter(|&frame| ear(frame).is_infinite())
                .count(),
            unrecovered: late
                .filter(|&frame| network(frame) > middle + 500.0)
                .count(),
            longest_gap: hearer.gap_in_stall,
            lateness,
            end_delay: percentile(&tail, 0.5) - middle,
            stats: hearer.playout.stats(at(1_000_000 + self.length)),
        }
    }
}

/// The smallest value that at least `share` of the values do not exceed.
pub(crate) fn percentile(values: &[f64], share: f64) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let rank = (share * sorted.len() as f64).ceil() as usize;
    sorted[rank.clamp(1, sorted.len()) - 1]
}
