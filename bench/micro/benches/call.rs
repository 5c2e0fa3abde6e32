//! What deciding costs a call, beside codec, cipher and sockets: the scheduler and the playout of one
//! person, for each 20 ms of a call. A core has 20 ms for it: 200 µs would be one percent.

use core::time::Duration;

use divan::Bencher;
use tacit_packet::{MediaTime, ReportCollector, Reports};
use tacit_paths::{Config, Scheduler};
use tacit_playout::{Loudness, Playout, Pull};
use tacit_types::limits::FRAME_DURATION;
use tacit_types::{
    Cells, FrameNumber, FramePayload, LegIndex, LegKind, Path, Reach, SlotNumber, Timestamp,
};

/// Circuits a side.
const LEGS: u8 = 12;
/// Frames before its own that a packet repeats.
const REPEATS: u32 = 4;

fn main() {
    divan::main();
}

/// One person who talks to an equal: what they send comes back as the other's a while later.
struct Person {
    scheduler: Scheduler,
    playout: Playout,
    reports: ReportCollector,
    payload: FramePayload,
    /// Packets under way: when each arrives, its path, and the reports in it.
    flying: Vec<(u32, Timestamp, Path, MediaTime, Reports)>,
    slot: u32,
}

impl Person {
    fn new(kind: LegKind) -> Self {
        let mut scheduler = Scheduler::new(Config::new(kind), 1);
        for sender in 0..LEGS {
            let receivers = match kind {
                LegKind::Turn => 0..LEGS,
                LegKind::Onion => sender..sender + 1,
            };
            for receiver in receivers {
                scheduler.add_path(Path {
                    sender: LegIndex(sender),
                    receiver: LegIndex(receiver),
                });
            }
        }
        Self {
            scheduler,
            playout: Playout::new(tacit_playout::Config::default()),
            reports: ReportCollector::new(Cells::Fifty),
            payload: FramePayload::new(&[7; 100]).expect("not too long"),
            flying: Vec::with_capacity(64),
            slot: 0,
        }
    }

    /// Sends one packet, takes what has arrived, plays one frame.
    fn step(&mut self) -> u64 {
        let now = Timestamp::ZERO + FRAME_DURATION * self.slot;
        let slot = SlotNumber(self.slot);
        let clock = media_time(now);
        if let Some(choice) = self.scheduler.choose(slot, now) {
            self.scheduler.on_sent(slot, choice.path, now);
            let at = now + delay(self.slot, choice.path);
            let reports = self.reports.take(clock);
            self.flying
                .push((self.slot, at, choice.path, clock, reports));
        }
        while let Some(at) = self.flying.iter().position(|(_, at, ..)| *at <= now) {
            let (packet, at, path, sent_at, reports) = self.flying.swap_remove(at);
            self.arrive(packet, at, path, sent_at, &reports);
        }
        self.slot += 1;
        self.play(now)
    }

    fn arrive(
        &mut self,
        packet: u32,
        at: Timestamp,
        path: Path,
        sent_at: MediaTime,
        reports: &Reports,
    ) {
        self.reports
            .record(SlotNumber(packet), path, media_time(at));
        self.scheduler.on_arrival(path, at);
        self.scheduler.on_feedback(sent_at, reports.as_slice(), at);
        for frame in packet.saturating_sub(REPEATS)..=packet {
            let reach = if frame == packet {
                Reach::new(1, 24)
            } else {
                Reach::NONE
            };
            self.playout
                .insert(FrameNumber(frame), &self.payload, reach, at);
        }
    }

    fn play(&mut self, now: Timestamp) -> u64 {
        while let Pull::Skip { .. } = self.playout.pull(now) {}
        self.playout.heard(Loudness::Loud);
        self.playout.stats(now).played
    }
}

fn media_time(at: Timestamp) -> MediaTime {
    MediaTime::from_elapsed(at.saturating_since(Timestamp::ZERO))
}

/// 60 to 250 ms, other for each leg and wandering, as Tor's are; now and then a leg stalls.
fn delay(slot: u32, path: Path) -> Duration {
    let leg = u32::from(path.sender.0) * 7 + u32::from(path.receiver.0) * 3;
    let wandering = (slot.wrapping_mul(2_654_435_761) >> 24) % 100;
    let stalled = (slot / 50 + leg).is_multiple_of(40);
    let ms = 60 + leg % 90 + wandering + if stalled { 700 } else { 0 };
    Duration::from_millis(ms.into())
}

/// Scheduler and playout together, on a call that has gone on for a minute.
#[divan::bench(args = [LegKind::Onion, LegKind::Turn])]
fn frame_of_a_call(bencher: Bencher<'_, '_>, kind: LegKind) {
    let mut person = Person::new(kind);
    for _ in 0..3_000 {
        person.step();
    }
    bencher.bench_local(|| person.step());
}
