//! When a leg gives way to a new one.
//!
//! ```text
//!   a new leg is opened ──► it is up ──► paths of the new one are added, the old one is dropped
//!                       └─► it is not to be had ──► the old one stays
//! ```
//!
//! Circuits differ, and stay what they are for minutes: the more of them were tried, the better are
//! those that are kept. Each costs the network a circuit, and shows the call's existence to three more
//! relays, so there are bounds: some in the first minute, then one every half minute or so, and so many
//! in all. A new leg that proves to be the worst says that better ones are getting rare: the wait
//! doubles, and falls back when an old leg is the worst.

use core::time::Duration;

use tacit_types::limits::MAX_LEGS;
use tacit_types::{LegIndex, LegKind, Timestamp};

use crate::leg_set::LegSet;
use crate::scheduler::{Fault, Scheduler};

/// How often legs may be replaced.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Allowance {
    /// In the first minute.
    pub first: u32,
    /// After it, one in this time at most.
    pub every: Duration,
    /// In the whole call.
    pub in_all: u32,
}

/// The first minute, less what a leg takes to come up: it is the peer's minute that counts.
const FIRST_MINUTE: Duration = Duration::from_secs(45);
/// After it, the same minute is over on the peer's clock, too.
const LATER: Duration = Duration::from_secs(75);
/// Early replacements over TURN, where no rendezvous with the peer is needed.
const FIRST_TURN: u32 = 8;
/// The wait doubles so often at most.
const DOUBLINGS_MAX: u32 = 5;

impl Allowance {
    /// What the peer takes from a side that opens `legs` at first: of onion legs 16 joins in the first
    /// minute and two a minute after it; of TURN legs 64 peers in all.
    #[must_use]
    pub fn new(kind: LegKind, legs: usize) -> Self {
        let left = u32::try_from(MAX_LEGS.saturating_sub(legs)).unwrap_or(0);
        Self {
            first: match kind {
                LegKind::Onion => left,
                LegKind::Turn => FIRST_TURN,
            },
            every: Duration::from_secs(35),
            in_all: 40,
        }
    }
}

/// Decides when a leg is replaced, and which. One for each call, of the side that opens legs: with
/// TURN legs both have one for their own.
#[derive(Clone, Debug)]
pub struct Replacer {
    allowance: Allowance,
    started: Timestamp,
    first_left: u32,
    left: u32,
    next_at: Timestamp,
    doublings: u32,
    /// Those for which new ones are being opened.
    replacing: LegSet,
    /// Those that came for others.
    newcomers: LegSet,
}

impl Replacer {
    /// The call's legs were opened at `started`.
    #[must_use]
    pub fn new(allowance: Allowance, started: Timestamp) -> Self {
        Self {
            allowance,
            started,
            first_left: allowance.first,
            left: allowance.in_all,
            next_at: started + LATER,
            doublings: 0,
            replacing: LegSet::EMPTY,
            newcomers: LegSet::EMPTY,
        }
    }

    /// The leg that should give way now, and why. The caller opens another one, and says how that
    /// ended.
    pub fn next(&mut self, scheduler: &Scheduler, now: Timestamp) -> Option<(LegIndex, Fault)> {
        self.next_if(scheduler, now, |_| true)
    }

    /// The same while another leg can be had in the place of a dead one only: a slow one stays, and
    /// nothing is spent on it.
    pub fn next_dead(
        &mut self,
        scheduler: &Scheduler,
        now: Timestamp,
    ) -> Option<(LegIndex, Fault)> {
        self.next_if(scheduler, now, |fault| fault == Fault::Dead)
    }

    fn next_if(
        &mut self,
        scheduler: &Scheduler,
        now: Timestamp,
        wanted: impl Fn(Fault) -> bool,
    ) -> Option<(LegIndex, Fault)> {
        // Both have to be up for a moment.
        if !self.may(now) || scheduler.local_legs() >= MAX_LEGS {
            return None;
        }
        let worst = scheduler.worst(&self.replacing, now);
        let (leg, fault) = worst.filter(|(_, fault)| wanted(*fault))?;
        self.doublings = if self.newcomers.contains(leg) {
            (self.doublings + 1).min(DOUBLINGS_MAX)
        } else {
            self.doublings.saturating_sub(1)
        };
        self.spend(now);
        self.replacing.insert(leg);
        Some((leg, fault))
    }

    /// Whether a leg that was lost may be opened again now: from the same allowance, if so.
    pub fn reopen(&mut self, now: Timestamp) -> bool {
        let may = self.may(now);
        if may {
            self.spend(now);
        }
        may
    }

    /// The leg that was opened in place of `old` is up: `old` is to be dropped.
    pub const fn on_up(&mut self, old: LegIndex, new: LegIndex) {
        self.on_gone(old);
        self.newcomers.insert(new);
    }

    /// `old` is gone, whatever becomes of the leg that was to come in its place.
    pub const fn on_gone(&mut self, old: LegIndex) {
        self.replacing.remove(old);
        self.newcomers.remove(old);
    }

    /// The leg that was to come in place of `old` is not to be had: `old` stays for the time being.
    pub const fn on_failed(&mut self, old: LegIndex) {
        self.replacing.remove(old);
    }

    fn in_first_minute(&self, now: Timestamp) -> bool {
        now.saturating_since(self.started) < FIRST_MINUTE
    }

    fn may(&self, now: Timestamp) -> bool {
        let now_is_free = if self.in_first_minute(now) {
            self.first_left > 0
        } else {
            now >= self.next_at
        };
        now_is_free && self.left > 0
    }

    fn spend(&mut self, now: Timestamp) {
        self.left = self.left.saturating_sub(1);
        if self.in_first_minute(now) {
            self.first_left = self.first_left.saturating_sub(1);
        } else {
            self.next_at = now + self.allowance.every * (1 << self.doublings);
        }
    }
}

#[cfg(test)]
mod tests {
    use tacit_packet::{ArrivalReport, MediaTime};
    use tacit_types::{Path, SlotNumber};

    use super::*;
    use crate::config::Config;

    const START: u64 = 20_000;

    fn at(millis: u64) -> Timestamp {
        Timestamp::from_micros(1000 * millis)
    }

    fn media(millis: u64) -> MediaTime {
        MediaTime::from_elapsed(Duration::from_millis(millis))
    }

    /// Legs with these delays in ms, TURN legs to four of the peer; every arrival is told at once.
    struct Bench {
        kind: LegKind,
        scheduler: Scheduler,
        replacer: Replacer,
        delays: Vec<Option<u64>>,
        slot: u32,
        flying: Vec<(u64, u32, Path)>,
    }

    impl Bench {
        fn new(delays: &[u64]) -> Self {
            Self::of(LegKind::Onion, delays)
        }

        fn of(kind: LegKind, delays: &[u64]) -> Self {
            let scheduler = Scheduler::new(Config::new(kind), 1);
            let allowance = Allowance::new(kind, 12);
            let mut bench = Self {
                kind,
                scheduler,
                replacer: Replacer::new(allowance, at(START)),
                delays: Vec::new(),
                slot: 0,
                flying: Vec::new(),
            };
            for delay in delays {
                bench.add(Some(*delay));
            }
            bench
        }

        fn add(&mut self, delay: Option<u64>) -> LegIndex {
            let leg = LegIndex(u8::try_from(self.delays.len()).expect("few"));
            self.delays.push(delay);
            let receivers = match self.kind {
                LegKind::Onion => vec![leg],
                LegKind::Turn => (0..4).map(LegIndex).collect(),
            };
            for receiver in receivers {
                let sender = leg;
                assert!(self.scheduler.add_path(Path { sender, receiver }));
            }
            leg
        }

        fn now(&self) -> u64 {
            START + 20 * u64::from(self.slot)
        }

        fn step(&mut self) -> Option<(LegIndex, Fault)> {
            let now = self.now();
            let come = self.flying.extract_if(.., |(arrives, ..)| *arrives <= now);
            for (arrives, slot, path) in come.collect::<Vec<_>>() {
                let slot = u16::try_from(slot & 0xffff).expect("masked");
                let arrived_at = media(arrives);
                let report = ArrivalReport {
                    slot,
                    path,
                    arrived_at,
                };
                self.scheduler.on_feedback(media(now), &[report], at(now));
            }
            self.scheduler.on_feedback(media(now), &[], at(now));
            let slot = SlotNumber(self.slot);
            let choice = self.scheduler.choose(slot, at(now)).expect("has legs");
            self.scheduler.on_sent(slot, choice.path, at(now));
            if let Some(delay) = self.delays[usize::from(choice.path.sender.0)] {
                self.flying.push((now + delay, self.slot, choice.path));
            }
            self.slot += 1;
            self.replacer.next(&self.scheduler, at(now))
        }

        /// Replaces whatever is to be, by legs of this delay, for so many seconds; tells when.
        fn run(&mut self, seconds: u32, delay: u64) -> Vec<(u64, LegIndex, Fault)> {
            let mut replaced = Vec::new();
            for _ in 0..50 * seconds {
                if let Some((old, why)) = self.step() {
                    replaced.push((self.now() - START, old, why));
                    let new = self.add(Some(delay));
                    self.replacer.on_up(old, new);
                    assert!(self.scheduler.remove_local_leg(old));
                }
            }
            replaced
        }
    }

    #[test]
    fn slow_legs_give_way_within_the_allowance() {
        let delays = [80, 85, 90, 95, 80, 85, 90, 400, 350, 300, 280, 260];
        let mut bench = Bench::new(&delays);
        let replaced = bench.run(130, 80);
        let mut legs: Vec<u8> = replaced.iter().map(|(_, leg, _)| leg.0).collect();
        legs.sort_unstable();
        assert_eq!(legs, [7, 8, 9, 10, 11]);
        let whens: Vec<u64> = replaced.iter().map(|(when, ..)| *when).collect();
        assert!(whens[0] >= 6_000 && whens[3] < 45_000, "{whens:?}");
        assert!(
            whens[4] >= 75_000,
            "the first minute's are used up: {whens:?}"
        );
        assert!(replaced.iter().all(|(.., why)| *why == Fault::Slow));
    }

    #[test]
    fn where_only_dead_legs_can_be_replaced_nothing_is_spent_on_slow_ones() {
        for dead in [false, true] {
            let mut bench = Bench::of(LegKind::Turn, &[80, 85, 90, 95, 400]);
            bench.delays.extend(dead.then_some(None));
            for receiver in (0..4).map(LegIndex).filter(|_| dead) {
                let sender = LegIndex(5);
                assert!(bench.scheduler.add_path(Path { sender, receiver }));
            }
            let left = bench.replacer.left;
            let mut replacer = core::mem::replace(
                &mut bench.replacer,
                Replacer::new(Allowance::new(LegKind::Turn, 16), at(u64::MAX / 2000)),
            );
            let found = (0..1500).find_map(|_| {
                bench.step();
                let now = at(bench.now());
                replacer.next_dead(&bench.scheduler, now)
            });
            assert_eq!(found, dead.then_some((LegIndex(5), Fault::Dead)));
            assert_eq!(replacer.left, left - u32::from(dead));
        }
    }

    #[test]
    fn legs_that_are_alike_stay() {
        let mut bench = Bench::new(&[80, 85, 90, 95, 80, 100, 98, 85]);
        assert_eq!(bench.run(120, 80), []);
    }

    #[test]
    fn a_dead_leg_gives_way() {
        for kind in [LegKind::Onion, LegKind::Turn] {
            let mut bench = Bench::of(kind, &[80, 85, 90, 95]);
            let dead = bench.add(None);
            let replaced = bench.run(30, 80);
            assert!(
                matches!(replaced[..], [(_, leg, Fault::Dead)] if leg == dead),
                "{replaced:?}"
            );
        }
    }

    /// What was sent on it while it worked is long forgotten when it is judged.
    #[test]
    fn a_leg_that_dies_gives_way() {
        for kind in [LegKind::Onion, LegKind::Turn] {
            let mut bench = Bench::of(kind, &[80, 85, 90, 95, 100]);
            assert_eq!(bench.run(20, 80), []);
            bench.delays[2] = None;
            let replaced = bench.run(20, 80);
            let [(when, LegIndex(2), Fault::Dead)] = replaced[..] else {
                panic!("{replaced:?}");
            };
            assert!((30_000..33_000).contains(&when), "{when}");
        }
    }

    /// What comes is no better than what was there: the wait grows, and there is an end.
    #[test]
    fn newcomers_that_are_no_better_are_a_reason_to_wait() {
        let mut bench = Bench::new(&[80, 85, 90, 95, 80, 85, 90, 300]);
        let replaced = bench.run(1800, 300);
        let gaps = replaced.windows(2).map(|pair| pair[1].0 - pair[0].0);
        let late: Vec<u64> = gaps.skip(8).collect();
        assert!(late.iter().all(|gap| *gap >= 500_000), "{late:?}");
        assert!(replaced.len() < 14, "{replaced:?}");
    }

    #[test]
    fn while_most_legs_are_late_none_gives_way() {
        let mut bench = Bench::new(&[80, 85, 90, 300]);
        for delay in &mut bench.delays {
            *delay = None;
        }
        assert!((0..3000).all(|_| bench.step().is_none()));
    }

    #[test]
    fn lost_legs_come_from_the_same_allowance() {
        let allowance = Allowance::new(LegKind::Onion, 14);
        let mut replacer = Replacer::new(allowance, at(0));
        let reopened = (0..200).filter(|second| replacer.reopen(at(1000 * second)));
        assert_eq!(reopened.collect::<Vec<_>>(), [0, 1, 75, 110, 145, 180]);
    }

    #[test]
    fn with_all_places_taken_none_is_opened() {
        let mut delays = [80; MAX_LEGS];
        delays[3] = 400;
        let mut bench = Bench::new(&delays);
        assert_eq!(bench.run(120, 80), []);
    }
}
