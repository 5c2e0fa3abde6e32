//! The scheduler and bad input: garbage for feedback, clocks that step, legs that all die and return.

use std::time::Duration;

use proptest::prelude::*;
use tacit_packet::{ArrivalReport, MediaTime};
use tacit_paths::{Allowance, Choice, ChoiceReason, Config, Fault, Replacer, Scheduler};
use tacit_types::{LegIndex, LegKind, Path, SlotNumber, Timestamp};

const SLOT: u64 = 20_000;
const START: u64 = 1_000_000_000;
/// How long the way back takes.
const BACK: u64 = 100_000;

const fn path(sender: u8, receiver: u8) -> Path {
    Path {
        sender: LegIndex(sender),
        receiver: LegIndex(receiver),
    }
}

/// Leg 0 of either side is the fastest, each further one 30 ms slower.
fn delay(path: Path) -> u64 {
    100_000 + 30_000 * (u64::from(path.sender.0) + u64::from(path.receiver.0))
}

/// A call with an honest peer, whose clock and ours can be stepped.
struct Call {
    scheduler: Scheduler,
    slot: u32,
    /// True time, and what the two clocks are off by.
    time: u64,
    ours: i64,
    theirs: i64,
    /// True arrival, slot, path.
    arriving: Vec<(u64, u32, Path)>,
    /// Nothing that is sent arrives.
    dead: bool,
    /// Nor does what is sent on this leg.
    mute: Option<LegIndex>,
    /// By how much all legs are slower than usual.
    slower: u64,
    /// When the last packet arrived over each leg of ours: a leg keeps its order.
    last: [u64; 16],
}

impl Call {
    fn new(kind: LegKind, legs: u8) -> Self {
        let mut scheduler = Scheduler::new(Config::new(kind), 5);
        add_all(&mut scheduler, kind, legs);
        Self {
            scheduler,
            slot: 0,
            time: START,
            ours: 0,
            theirs: 0,
            arriving: Vec::new(),
            dead: false,
            mute: None,
            slower: 0,
            last: [0; 16],
        }
    }

    fn now(&self) -> Timestamp {
        Timestamp::from_micros(self.time.saturating_add_signed(self.ours))
    }

    fn theirs(&self, at: u64) -> MediaTime {
        let micros = at.saturating_add_signed(self.theirs);
        MediaTime::from_elapsed(Duration::from_micros(micros))
    }

    fn step(&mut self) -> Option<Choice> {
        let told_at = self.time - BACK;
        let told = self.arriving.extract_if(.., |(at, ..)| *at <= told_at);
        let told: Vec<_> = told.collect();
        let reports: Vec<_> = told
            .into_iter()
            .map(|(at, slot, path)| ArrivalReport {
                slot: u16::try_from(slot & 0xffff).expect("masked"),
                path,
                arrived_at: self.theirs(at),
            })
            .collect();
        let (clock, now) = (self.theirs(told_at), self.now());
        if !self.dead {
            self.scheduler.on_arrival(path(0, 0), now);
            self.scheduler.on_feedback(clock, &reports, now);
        }
        let slot = SlotNumber(self.slot);
        let choice = self.scheduler.choose(slot, now);
        if let Some(choice) = choice {
            self.scheduler.on_sent(slot, choice.path, now);
            if !self.dead && self.mute != Some(choice.path.sender) {
                let last = &mut self.last[usize::from(choice.path.sender.0)];
                let arrives = (self.time + delay(choice.path) + self.slower).max(*last);
                *last = arrives;
                self.arriving.push((arrives, self.slot, choice.path));
            }
        }
        self.slot += 1;
        self.time += SLOT;
        choice
    }

    fn run(&mut self, slots: u32) -> Vec<Choice> {
        (0..slots).filter_map(|_| self.step()).collect()
    }
}

fn add_all(scheduler: &mut Scheduler, kind: LegKind, legs: u8) {
    for sender in 0..legs {
        for receiver in 0..legs {
            if kind == LegKind::Turn || sender == receiver {
                scheduler.add_path(path(sender, receiver));
            }
        }
    }
}

/// Whether the fastest legs are known and share most packets.
fn settled(choices: &[Choice]) -> bool {
    let known = |reason| matches!(reason, ChoiceReason::Best | ChoiceReason::Rested);
    let with_reason = choices.iter().filter(|choice| known(choice.reason)).count();
    with_reason * 5 > choices.len() * 4
        && used(choices, 0) > used(choices, 3)
        && most_used(choices).1 <= MOST
}

/// Largest share of the packets that one leg has in an ordinary call, in percent; and somewhat more.
const MOST: usize = 70;

fn used(choices: &[Choice], leg: u8) -> usize {
    let with = choices
        .iter()
        .filter(|choice| choice.path.sender == LegIndex(leg));
    with.count()
}

/// The leg that has most packets, and their share in percent.
fn most_used(choices: &[Choice]) -> (LegIndex, usize) {
    let most = (0..16).max_by_key(|leg| used(choices, *leg)).unwrap_or(0);
    let share = 100 * used(choices, most) / choices.len().max(1);
    (LegIndex(most), share)
}

const KINDS: [LegKind; 2] = [LegKind::Onion, LegKind::Turn];

#[test]
fn when_all_legs_are_dead_all_take_turns_until_they_return() {
    for kind in KINDS {
        let mut call = Call::new(kind, 4);
        call.run(500);
        call.dead = true;
        let during = call.run(1500);
        assert_eq!(during.len(), 1500, "something is tried in every slot");
        let late = &during[100..];
        assert!(
            late.iter()
                .all(|choice| choice.reason == ChoiceReason::Blind),
            "{kind:?}"
        );
        for leg in 0..4 {
            let used = late.iter().filter(|c| c.path.sender == LegIndex(leg));
            assert_eq!(used.count(), 350, "{kind:?} {leg}");
        }
        call.dead = false;
        call.run(150);
        assert!(settled(&call.run(200)), "{kind:?}");
    }
}

#[test]
fn legs_that_are_gone_and_return_are_fresh_ones() {
    for kind in KINDS {
        let mut call = Call::new(kind, 4);
        call.run(500);
        for leg in 0..4 {
            assert!(call.scheduler.remove_local_leg(LegIndex(leg)));
        }
        assert_eq!(call.step(), None, "{kind:?}");
        assert_eq!(call.scheduler.legs().count(), 0);
        add_all(&mut call.scheduler, kind, 4);
        let first = call.step().expect("has legs");
        assert_eq!(
            first.reason,
            ChoiceReason::AllSuspect,
            "nothing is known of them"
        );
        call.run(150);
        assert!(settled(&call.run(200)), "{kind:?}");
    }
}

/// A machine that slept: its clock has stood still, the other's has not.
#[test]
fn clocks_that_step_are_got_over() {
    let steps: [(i64, i64); 8] = [
        (0, -300_000),
        (0, -60_000_000),
        (300_000, 0),
        (60_000_000, 0),
        (-5_000_000, 0),
        (0, -5_000_000),
        (5_000_000, 0),
        (0, 5_000_000),
    ];
    for kind in KINDS {
        for (ours, theirs) in steps {
            let mut call = Call::new(kind, 4);
            call.run(500);
            (call.ours, call.theirs) = (ours, theirs);
            call.run(500);
            let after = call.run(200);
            assert!(
                settled(&after),
                "{kind:?} {ours} {theirs}: {:?} {:?}",
                after.last(),
                call.scheduler.counters()
            );
        }
    }
}

/// While the peer's machine sleeps nothing comes of it, and its clock stands still. What all legs are then
/// faster by is not one leg's.
#[test]
fn after_the_peer_slept_packets_are_shared_as_before() {
    for kind in KINDS {
        for legs in [2, 4, 12] {
            for millis in [200, 500, 1_000, 2_000, 5_000, 20_000, 60_000] {
                let mut call = Call::new(kind, legs);
                call.run(1500);
                call.dead = true;
                call.run(u32::try_from(millis / 20).expect("few"));
                call.dead = false;
                call.theirs = -millis * 1_000;
                call.run(150);
                let after = call.run(100);
                let (leg, share) = most_used(&after);
                let said = format!("{kind:?} {legs} {millis}: {leg:?} {share} %");
                assert!(legs == 2 || share <= MOST, "{said}");
                // The leg with most packets dies: that is noticed as fast as in any call.
                call.mute = Some(leg);
                call.run(50);
                let then = used(&call.run(50), leg.0);
                assert!(then <= 10, "{said}, then {then} of 50");
            }
        }
    }
}

/// Congestion that all legs share, as behind one guard, comes and goes.
#[test]
fn after_congestion_that_all_legs_shared_packets_are_shared_as_before() {
    for kind in KINDS {
        for legs in [4, 12] {
            for (millis, seconds) in [
                (100, 20),
                (200, 20),
                (300, 5),
                (300, 20),
                (500, 5),
                (500, 20),
                (1_000, 20),
                (3_000, 60),
            ] {
                let mut call = Call::new(kind, legs);
                call.run(1500);
                call.slower = millis * 1_000;
                call.run(50 * seconds);
                call.slower = 0;
                // A leg that is not used is measured every five seconds, and noise has been learnt.
                call.run(if millis > 1_000 { 1_000 } else { 500 });
                let after = call.run(100);
                let (leg, share) = most_used(&after);
                // Few legs with much noise are learnt anew more slowly.
                let most = if legs == 4 { 80 } else { MOST };
                assert!(
                    share <= most,
                    "{kind:?} {legs} {millis} ms for {seconds} s: {leg:?} {share} % {:?}",
                    call.scheduler.counters()
                );
            }
        }
    }
}

/// What was sent on it before the step can no longer be acknowledged.
#[test]
fn after_a_step_a_leg_that_was_never_acknowledged_has_its_time_again() {
    let new = LegIndex(4);
    for (kind, comes) in KINDS
        .into_iter()
        .flat_map(|kind| [(kind, true), (kind, false)])
    {
        let mut call = Call::new(kind, 4);
        call.run(500);
        for receiver in 0..5 {
            if kind == LegKind::Turn || receiver == new.0 {
                call.scheduler.add_path(path(new.0, receiver));
            }
        }
        call.mute = Some(new);
        // Ten seconds without a sign are too many; they are not over when a clock steps.
        call.run(350);
        call.theirs = 30_000_000;
        let mut replacer = Replacer::new(Allowance::new(kind, 5), call.now());
        let found = (0..1000).find_map(|slot| {
            call.step();
            if slot == 300 && comes {
                call.mute = None;
            }
            let found = replacer.next(&call.scheduler, call.now());
            let dead = found.filter(|(_, fault)| *fault == Fault::Dead);
            dead.map(|(leg, _)| (slot, leg))
        });
        if comes {
            assert_eq!(found, None, "{kind:?}");
        } else {
            let (slot, leg) = found.expect("it is dead after all");
            assert_eq!(leg, new, "{kind:?}");
            assert!((550..700).contains(&slot), "{kind:?} {slot}");
        }
    }
}

#[test]
fn one_leg_takes_everything_whatever_happens() {
    for kind in KINDS {
        let mut call = Call::new(kind, 1);
        let mut choices = call.run(300);
        call.dead = true;
        choices.extend(call.run(300));
        (call.dead, call.ours) = (false, -3_000_000);
        choices.extend(call.run(300));
        assert_eq!(choices.len(), 900);
        assert!(choices.iter().all(|c| c.reason == ChoiceReason::Only));
    }
}

proptest! {
    /// Whatever the clocks do and the peer says: a path for every packet, known legs only, and numbers
    /// that can be shown.
    #[test]
    fn any_clock_and_any_feedback_is_survived(
        turn: bool,
        legs in 1u8..6,
        steps in prop::collection::vec((any::<u64>(), any::<u32>(), any::<u32>(), any::<u16>()), 1..200)
    ) {
        let kind = if turn { LegKind::Turn } else { LegKind::Onion };
        let mut scheduler = Scheduler::new(Config::new(kind), 1);
        add_all(&mut scheduler, kind, legs);
        for (slot, &(now, sent_at, arrived_at, low)) in (0u32..).zip(&steps) {
            // Forwards, backwards, and to the ends of what can be said.
            let now = Timestamp::from_micros(if low % 3 == 0 { now } else { now % 60_000_000 });
            let legs_of = low.to_le_bytes().map(|leg| leg % legs);
            let report = |slot| ArrivalReport {
                slot,
                path: path(legs_of[0], legs_of[1]),
                arrived_at: MediaTime(arrived_at),
            };
            let reports: Vec<_> = (0..64).map(report).collect();
            scheduler.on_feedback(MediaTime(sent_at), &reports, now);
            scheduler.on_arrival(path(legs_of[1], legs_of[0]), now);
            let choice = scheduler.choose(SlotNumber(slot), now);
            let choice = choice.expect("has legs");
            prop_assert!(choice.path.sender.0 < legs && choice.path.receiver.0 < legs);
            scheduler.on_sent(SlotNumber(slot), choice.path, now);
            for leg in scheduler.legs() {
                prop_assert!(leg.noise < Duration::from_secs(10), "{leg:?}");
                prop_assert!(leg.loss.is_none_or(|loss| (0.0..=1.0).contains(&loss)));
            }
        }
    }

    /// A peer that lies for a while costs no more than that while.
    #[test]
    fn after_garbage_the_call_goes_on(
        turn: bool,
        lies in prop::collection::vec((0u16..100, 0u8..4, 0u8..4, -400_000i64..400_000), 0..60)
    ) {
        let kind = if turn { LegKind::Turn } else { LegKind::Onion };
        let mut call = Call::new(kind, 4);
        call.run(50);
        for (slot, sender, receiver, off) in lies {
            call.step();
            let arrived_at = call.theirs(call.time.saturating_add_signed(off));
            let slot = u16::try_from(call.slot).expect("few").saturating_sub(slot);
            let report = ArrivalReport { slot, path: path(sender, receiver), arrived_at };
            call.scheduler.on_feedback(arrived_at, &[report], call.now());
        }
        call.run(1000);
        prop_assert!(settled(&call.run(200)));
    }
}
