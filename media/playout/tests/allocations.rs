//! The media path allocates nothing once it has settled: packetizer, scheduler and playout.

use std::collections::VecDeque;

use tacit_packet::{Content, MediaTime, Packetizer};
use tacit_paths::{Config as PathsConfig, Scheduler};
use tacit_playout::{Config, Playout, Pull};
use tacit_types::{
    Cells, EncodedFrame, FrameNumber, FramePayload, LegIndex, LegKind, Path, Reach, SlotNumber,
    Timestamp,
};

/// Slots that a packet is under way.
const DELAY: usize = 10;

/// A call with itself: what it sends comes back 200 ms later.
struct Echo {
    packetizer: Packetizer,
    scheduler: Scheduler,
    playout: Playout,
    under_way: VecDeque<([u8; 424], Path)>,
    slot: u32,
}

impl Echo {
    fn step(&mut self) {
        let now = Timestamp::from_micros(1_000_000 + u64::from(self.slot) * 20_000);
        let clock = MediaTime(self.slot * 160);
        let slot = SlotNumber(self.slot);
        self.slot += 1;
        let payload = FramePayload::new(&[1; 60]).expect("not too long");
        let frame = EncodedFrame {
            reach: Reach::new(1, 24),
            ..EncodedFrame::plain(payload)
        };
        self.packetizer.push_frame(FrameNumber(slot.0), &frame);
        let plain = self.packetizer.next(slot, clock);
        let choice = self.scheduler.choose(slot, now).expect("has legs");
        self.scheduler.on_sent(slot, choice.path, now);
        self.under_way.push_back((plain, choice.path));
        if self.under_way.len() > DELAY {
            let (plain, path) = self.under_way.pop_front().expect("more than none");
            let content = Content::decode(&plain).expect("ours");
            self.packetizer.record_arrival(content.slot, path, clock);
            let reports = content.reports.as_slice();
            self.scheduler.on_feedback(content.sent_at, reports, now);
            // Now and then only what DRED can make good.
            let few = if slot.0 % 50 < 8 { 0 } else { 7 };
            for arrived in content.frames().take(few) {
                let (number, payload) = (arrived.number, arrived.payload);
                self.playout.insert(number, payload, arrived.reach, now);
            }
        }
        while let Pull::Skip { .. } = self.playout.pull(now) {}
        assert!(self.scheduler.legs().count() > 0);
        let _ = self.playout.stats(now);
    }
}

fn allocations(kind: LegKind) -> u64 {
    let mut echo = Echo {
        packetizer: Packetizer::new(Cells::Fifty),
        scheduler: Scheduler::new(PathsConfig::new(kind), 1),
        playout: Playout::new(Config::default()),
        under_way: VecDeque::with_capacity(DELAY + 2),
        slot: 0,
    };
    for leg in 0..8 {
        for other in 0..8 {
            let (sender, receiver) = (LegIndex(leg), LegIndex(other));
            echo.scheduler.add_path(Path { sender, receiver });
        }
    }
    for _ in 0..100 {
        echo.step();
    }
    let counted = allocation_counter::measure(|| {
        for _ in 0..2000 {
            echo.step();
        }
    });
    let stats = echo.playout.stats(Timestamp::ZERO);
    assert!(stats.played > 1800 && stats.repaired > 50, "{stats:?}");
    counted.count_total
}

#[test]
fn a_settled_call_allocates_nothing() {
    assert_eq!(allocations(LegKind::Onion), 0);
    assert_eq!(allocations(LegKind::Turn), 0);
}
