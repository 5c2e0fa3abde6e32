//! The scheduler alone: the pattern, suspicion, probes, hostile feedback.

use std::collections::BTreeSet;
use std::time::Duration;

use proptest::prelude::*;
use tacit_packet::{ArrivalReport, MediaTime};
use tacit_paths::{BestChange, Choice, ChoiceReason, Config, Fate, Scheduler, Side};
use tacit_types::{LegIndex, LegKind, Path, SlotNumber, Timestamp};

const SLOT: u64 = 20_000;
/// The peer's clock started 3 s before ours.
const PEER: u64 = 3_000_000;

fn media(micros: u64) -> MediaTime {
    MediaTime(u32::try_from((micros + PEER) / 125).expect("short"))
}

const fn path(sender: u8, receiver: u8) -> Path {
    Path {
        sender: LegIndex(sender),
        receiver: LegIndex(receiver),
    }
}

/// A scheduler whose packets arrive after a delay that depends on the legs, and whose peer reports
/// everything that has arrived, 100 ms later.
struct Bench {
    scheduler: Scheduler,
    slot: u32,
    delay: Box<dyn Fn(Path, u64) -> Option<u64>>,
    /// Arrival, slot, path.
    arriving: Vec<(u64, u32, Path)>,
}

impl Bench {
    fn new(kind: LegKind, legs: u8, delay: impl Fn(Path, u64) -> Option<u64> + 'static) -> Self {
        let mut scheduler = Scheduler::new(Config::new(kind), 5);
        for sender in 0..legs {
            for receiver in 0..legs {
                let possible = kind == LegKind::Turn || sender == receiver;
                assert_eq!(scheduler.add_path(path(sender, receiver)), possible);
            }
        }
        Self {
            scheduler,
            slot: 0,
            delay: Box::new(delay),
            arriving: Vec::new(),
        }
    }

    fn now(&self) -> u64 {
        1_000_000 + u64::from(self.slot) * SLOT
    }

    fn step(&mut self) -> Option<Choice> {
        let now = self.now();
        let told_at = now - 100_000;
        let clock = media(told_at);
        let told: Vec<_> = self
            .arriving
            .extract_if(.., |(at, _, _)| *at <= told_at)
            .collect();
        let reports: Vec<_> = told
            .into_iter()
            .map(|(at, slot, path)| ArrivalReport {
                slot: u16::try_from(slot & 0xffff).expect("masked"),
                path,
                arrived_at: media(at),
            })
            .collect();
        self.scheduler
            .on_feedback(clock, &reports, Timestamp::from_micros(now));
        let slot = SlotNumber(self.slot);
        self.slot += 1;
        let choice = self.scheduler.choose(slot, Timestamp::from_micros(now))?;
        self.scheduler
            .on_sent(slot, choice.path, Timestamp::from_micros(now));
        if let Some(delay) = (self.delay)(choice.path, now) {
            self.arriving.push((now + delay, slot.0, choice.path));
        }
        Some(choice)
    }

    fn run(&mut self, slots: u32) -> Vec<Choice> {
        (0..slots).filter_map(|_| self.step()).collect()
    }
}

/// Leg 0 is the fastest, each further one 60 ms slower: no two are alike.
fn graded(path: Path, _: u64) -> Option<u64> {
    Some(150_000 + 30_000 * (u64::from(path.sender.0) + u64::from(path.receiver.0)))
}

#[test]
fn better_legs_are_used_more_often_and_none_twice_in_a_row() {
    let mut bench = Bench::new(LegKind::Onion, 8, graded);
    bench.run(300);
    let choices = bench.run(1000);
    let used = |leg| {
        choices
            .iter()
            .filter(|c| c.path.sender == LegIndex(leg))
            .count()
    };
    assert!(used(0) > used(1) && used(1) > used(2) && used(2) > used(3));
    assert!(used(0) > 250 && used(7) < 20);
    assert!(
        (0..8).all(|leg| used(leg) > 0),
        "every leg is kept measured"
    );
    for five in choices.windows(5) {
        assert!(five[0].path != five[1].path);
        let legs: BTreeSet<_> = five.iter().map(|choice| choice.path).collect();
        assert!(legs.len() >= 3, "{five:?}");
    }
    for choice in &choices {
        let best = choice.path.sender == LegIndex(0);
        match choice.reason {
            ChoiceReason::Best => assert!(best),
            ChoiceReason::Rested => assert!(!best),
            reason => assert_eq!(reason, ChoiceReason::Remeasure),
        }
    }
}

/// Nothing is ever reported, so nothing else is known.
#[test]
fn what_is_assumed_counts_as_known() {
    let mut scheduler = Scheduler::new(Config::new(LegKind::Onion), 5);
    for leg in 0..4 {
        assert!(scheduler.add_path(path(leg, leg)));
    }
    let mut used = [[0; 4]; 2];
    for slot in 0..400_u32 {
        let now = Timestamp::from_micros(SLOT * u64::from(slot));
        let half = usize::from(slot >= 200);
        for leg in 0..4 {
            let slow = (leg < 2) == (half == 0);
            let takes = Duration::from_millis(if slow { 900 } else { 100 });
            scheduler.assume_delay(Side::Local, LegIndex(leg), takes, now);
        }
        let slot = SlotNumber(slot);
        let choice = scheduler.choose(slot, now).expect("has legs");
        assert_ne!(choice.reason, ChoiceReason::Blind);
        scheduler.on_sent(slot, choice.path, now);
        used[half][usize::from(choice.path.sender.0)] += 1;
    }
    // Every leg is tried once.
    assert_eq!(used, [[1, 1, 99, 99], [100, 100, 0, 0]]);
}

/// The slot clock may be slower: what counts is time.
#[test]
fn half_as_many_packets_take_the_better_legs() {
    let mean = |every: u32| {
        let mut bench = Bench::new(LegKind::Onion, 8, graded);
        let mut legs = Vec::new();
        for slot in 0..2000 {
            if slot % every == 0 {
                legs.extend(bench.step().map(|choice| f64::from(choice.path.sender.0)));
            } else {
                bench.slot += 1;
            }
        }
        let late = &legs[legs.len() / 2..];
        late.iter().sum::<f64>() / late.len() as f64
    };
    assert!(mean(2) < mean(1) - 0.05, "{} {}", mean(2), mean(1));
}

#[test]
fn delays_and_round_trip_are_measured() {
    let mut bench = Bench::new(LegKind::Onion, 4, graded);
    bench.run(300);
    for leg in bench.scheduler.legs() {
        let measured = leg.relative_delay.expect("measured").as_millis();
        assert!(
            measured.abs_diff(u128::from(leg.index.0) * 60) <= 5,
            "{leg:?}"
        );
        assert!(!leg.suspect && leg.acknowledged > 0);
    }
    // 150 ms there, at once or up to 20 ms later told, 100 ms back.
    let round_trip = bench.scheduler.round_trip().expect("measured");
    assert!(
        (240..=260).contains(&round_trip.best.as_millis()),
        "{round_trip:?}"
    );
}

#[test]
fn a_stalled_leg_is_suspected_avoided_and_taken_back() {
    let stalled = |path: Path, now: u64| {
        let normal = graded(path, now)?;
        let stall = 5_000_000..7_000_000;
        let held = path.sender.0 == 0 && stall.contains(&(now + normal));
        Some(if held { stall.end - now } else { normal })
    };
    let mut bench = Bench::new(LegKind::Onion, 8, stalled);
    bench.run(190);
    let during = bench.run(60);
    let last = during
        .iter()
        .rposition(|choice| choice.path.sender.0 == 0)
        .expect("before");
    // From the fourth slot on: 150 ms there, 60 ms patience, 100 ms back and a slot.
    assert!(last <= 20, "{last}");
    assert!(
        bench
            .scheduler
            .legs()
            .any(|leg| leg.suspect && leg.index == LegIndex(0))
    );
    let probes = bench.run(50);
    assert!(
        probes
            .iter()
            .any(|choice| choice.reason == ChoiceReason::ProbeSuspect)
    );
    bench.run(300);
    assert!(bench.scheduler.legs().all(|leg| !leg.suspect));
    let after = bench.run(20);
    let best = after
        .iter()
        .filter(|choice| choice.path.sender == LegIndex(0))
        .count();
    assert!(best >= 6, "it is the fastest again: {after:?}");
}

#[test]
fn one_stalled_half_of_turn_paths_is_found() {
    let stalled = |path: Path, now: u64| {
        let held = path.receiver.0 == 0 && now > 5_000_000;
        if held { None } else { graded(path, now) }
    };
    let mut bench = Bench::new(LegKind::Turn, 6, stalled);
    bench.run(260);
    let suspects = |bench: &Bench| {
        let legs = bench.scheduler.legs().filter(|leg| leg.suspect);
        legs.map(|leg| (leg.side, leg.index.0)).collect::<Vec<_>>()
    };
    assert_eq!(suspects(&bench), [(Side::Peer, 0)]);
    let lost = bench
        .run(200)
        .iter()
        .filter(|choice| choice.path.receiver.0 == 0)
        .count();
    assert!(lost <= 5, "{lost}");
    assert_eq!(suspects(&bench), [(Side::Peer, 0)]);
}

#[test]
fn fresh_legs_are_probed_early() {
    let mut bench = Bench::new(LegKind::Onion, 2, graded);
    bench.run(100);
    assert!(bench.scheduler.add_path(path(9, 9)));
    assert!(!bench.scheduler.add_path(path(9, 9)), "known");
    let probes = bench.run(4);
    let probe = probes
        .iter()
        .find(|choice| choice.path.sender == LegIndex(9))
        .expect("soon");
    assert_eq!(probe.reason, ChoiceReason::ProbeFresh);
    bench.run(50);
    assert!(
        bench
            .scheduler
            .legs()
            .all(|leg| leg.relative_delay.is_some())
    );
}

#[test]
fn no_leg_one_leg_and_legs_that_go() {
    let mut bench = Bench::new(LegKind::Onion, 0, graded);
    assert_eq!(bench.step(), None);
    bench.scheduler.add_path(path(3, 3));
    assert!(
        bench
            .run(50)
            .iter()
            .all(|choice| choice.reason == ChoiceReason::Only)
    );
    bench.scheduler.add_path(path(4, 4));
    bench.run(50);
    assert!(bench.scheduler.remove_local_leg(LegIndex(3)));
    assert!(!bench.scheduler.remove_local_leg(LegIndex(3)));
    assert!(
        bench
            .run(50)
            .iter()
            .all(|choice| choice.path.sender == LegIndex(4))
    );
    bench.scheduler.remove_local_leg(LegIndex(4));
    assert_eq!(bench.step(), None);
    for leg in 0..40 {
        assert_eq!(bench.scheduler.add_path(path(leg, leg)), leg < 16);
    }
}

#[test]
fn without_feedback_all_legs_take_turns() {
    let mut bench = Bench::new(LegKind::Onion, 5, graded);
    bench.run(100);
    let mut used = BTreeSet::new();
    for slot in 100..160 {
        let now = Timestamp::from_micros(1_000_000 + slot * SLOT);
        let slot = SlotNumber(u32::try_from(slot).expect("small"));
        let choice = bench.scheduler.choose(slot, now).expect("has legs");
        bench.scheduler.on_sent(slot, choice.path, now);
        if choice.reason == ChoiceReason::Blind {
            used.insert(choice.path);
        }
    }
    assert_eq!(used.len(), 5);
}

#[test]
fn without_feedback_all_pairs_of_turn_legs_take_turns() {
    for legs in [7, 8] {
        let mut bench = Bench::new(LegKind::Turn, 8, |_, _| None);
        if legs == 7 {
            assert!(bench.scheduler.remove_local_leg(LegIndex(3)));
        }
        let used: BTreeSet<Path> = bench.run(80).iter().map(|c| c.path).collect();
        assert!(used.len() > 50, "{legs}: {}", used.len());
    }
}

#[test]
fn when_packets_are_missing_the_legs_of_those_that_come_are_best() {
    let mut bench = Bench::new(LegKind::Turn, 8, graded);
    for _ in 0..100 {
        let now = Timestamp::from_micros(bench.now());
        bench.scheduler.on_arrival(path(0, 0), now);
        bench.step();
    }
    // Every other packet comes, over slower legs than before.
    let mut paths = Vec::new();
    for slot in 0..48 {
        let now = Timestamp::from_micros(bench.now());
        if slot < 24 {
            bench.scheduler.on_arrival(path(0, 0), now);
        } else if slot % 2 == 0 {
            bench.scheduler.on_arrival(path(6, 7), now);
        }
        paths.push(bench.step().expect("has legs").path);
    }
    let seen = |of: &[Path]| {
        let seen = of
            .iter()
            .filter(|path| path.sender.0 == 7 || path.receiver.0 == 6);
        seen.count()
    };
    let (before, after) = (seen(&paths[..24]), seen(&paths[30..]));
    assert!(
        after >= 9 && after > 3 * before,
        "{before} {after}: {paths:?}"
    );
}

#[test]
fn successive_slots_avoid_a_shared_fate() {
    let neighbours = |fate: Option<Fate>| {
        let mut bench = Bench::new(LegKind::Onion, 8, |_, _| Some(150_000));
        for leg in [0, 1, 2, 3] {
            bench.scheduler.set_fate(Side::Local, LegIndex(leg), fate);
        }
        bench.run(200);
        let choices = bench.run(400);
        let pairs = choices.windows(2);
        let both = |pair: &&[Choice]| pair.iter().all(|c| c.path.sender.0 < 4);
        pairs.filter(both).count()
    };
    let (shared, apart) = (neighbours(Some(Fate(1))), neighbours(None));
    assert!(shared * 2 < apart, "{shared} {apart}");
}

#[test]
fn hostile_feedback_is_counted_and_changes_nothing() {
    let mut honest = Bench::new(LegKind::Onion, 4, graded);
    let mut attacked = Bench::new(LegKind::Onion, 4, graded);
    honest.run(100);
    attacked.run(100);
    let now = Timestamp::from_micros(attacked.now());
    let clock = media(attacked.now() - 100_000);
    let report = |slot, leg, arrived_at| ArrivalReport {
        slot,
        path: path(leg, leg),
        arrived_at,
    };
    let before = attacked.scheduler.counters();
    // Never sent, the wrong leg, an unknown leg; from the future; before it was sent.
    for bad in [
        report(9999, 0, clock),
        report(99, 200, clock),
        report(60_000, 1, clock),
    ] {
        attacked.scheduler.on_feedback(clock, &[bad], now);
    }
    let counters = attacked.scheduler.counters();
    assert_eq!(counters.unknown - before.unknown, 3);
    attacked
        .scheduler
        .on_feedback(MediaTime(clock.0 + 10_000_000), &[], now);
    assert_eq!(attacked.scheduler.counters().impossible_clock, 1);
    let paths = |choices: Vec<Choice>| choices.into_iter().map(|c| c.path).collect::<Vec<_>>();
    assert_eq!(paths(honest.run(100)), paths(attacked.run(100)));
}

#[test]
fn an_arrival_before_its_departure_is_impossible() {
    let mut bench = Bench::new(LegKind::Onion, 1, graded);
    let choice = bench.step().expect("has a leg");
    let sent_at = media(bench.now());
    let arrived_at = MediaTime(sent_at.0 - 8000);
    let report = ArrivalReport {
        slot: 0,
        path: choice.path,
        arrived_at,
    };
    let now = Timestamp::from_micros(bench.now());
    bench.scheduler.on_feedback(sent_at, &[report], now);
    assert_eq!(bench.scheduler.counters().impossible, 1);
    assert_eq!(bench.scheduler.round_trip(), None);
}

/// Everything but one pair is bound: that pair is never chosen, and all others are.
#[test]
fn a_refused_pair_is_never_chosen() {
    for stalled in [false, true] {
        let delay = move |path, now| graded(path, now).filter(|_| !stalled || now < 3_000_000);
        let mut bench = Bench::new(LegKind::Turn, 4, delay);
        assert!(bench.scheduler.remove_path(path(0, 0)));
        assert!(!bench.scheduler.remove_path(path(0, 0)), "known");
        let used: BTreeSet<Path> = bench.run(600).iter().map(|c| c.path).collect();
        assert!(!used.contains(&path(0, 0)));
        assert!(used.len() >= 12, "{used:?}");
        assert!(bench.scheduler.add_path(path(0, 0)));
        // In time every leg meets every other.
        assert!(stalled || bench.run(150).iter().any(|c| c.path == path(0, 0)));
    }
}

/// Crowding of TURN halves fades within a few slots. Pairs still come round: over 1000 slots the pair of
/// the two best legs waited for its turn 75 slots at most with 4 legs, 101 with 8 and 134 with 12.
#[test]
fn graded_turn_legs_rotate_however_many_they_are() {
    for legs in [4, 8, 12] {
        let mut bench = Bench::new(LegKind::Turn, legs, graded);
        bench.run(600);
        let choices = bench.run(1000);
        let different = |some: &[Choice], leg: fn(&Choice) -> LegIndex| {
            some.iter().map(leg).collect::<BTreeSet<_>>().len()
        };
        for (slots, least) in [(5, 3), (12, 4)] {
            for some in choices.windows(slots) {
                assert!(different(some, |c| c.path.sender) >= least, "{some:?}");
                assert!(different(some, |c| c.path.receiver) >= least, "{some:?}");
            }
        }
        for some in choices.windows(150) {
            assert!(some.iter().any(|c| c.path == path(0, 0)), "{legs}");
        }
    }
}

#[test]
fn a_leg_of_the_peer_that_every_leg_is_refused_is_forgotten() {
    let mut bench = Bench::new(LegKind::Turn, 3, graded);
    for leg in 0..3 {
        assert!(bench.scheduler.remove_path(path(leg, 1)));
    }
    assert_eq!(bench.scheduler.legs().count(), 5);
    assert!(
        bench
            .run(200)
            .iter()
            .all(|c| c.path.receiver != LegIndex(1))
    );
    assert!(bench.scheduler.remove_local_leg(LegIndex(0)));
    assert!(bench.scheduler.remove_path(path(1, 0)));
    assert!(bench.scheduler.remove_path(path(2, 0)));
    assert!(bench.run(50).iter().all(|c| c.path.receiver == LegIndex(2)));
    assert!(bench.scheduler.remove_peer_leg(LegIndex(2)));
    assert_eq!(bench.step(), None);
    assert_eq!(bench.scheduler.legs().count(), 0);
}

#[test]
fn a_leg_that_does_not_take_the_packet_costs_nothing() {
    for kind in [LegKind::Onion, LegKind::Turn] {
        let mut bench = Bench::new(kind, 4, graded);
        bench.run(100);
        let before: Vec<_> = bench.scheduler.legs().collect();
        let (slot, now) = (SlotNumber(bench.slot), Timestamp::from_micros(bench.now()));
        let mut refused = BTreeSet::new();
        while let Some(choice) = bench.scheduler.choose(slot, now) {
            assert!(refused.insert(choice.path.sender), "each leg is asked once");
            bench.scheduler.on_refused(slot, choice.path.sender);
        }
        assert_eq!(refused.len(), 4);
        assert_eq!(bench.scheduler.legs().collect::<Vec<_>>(), before);
        assert!(bench.step().is_none(), "this slot is lost");
        assert!(bench.step().is_some(), "the next one is not");
    }
}

#[test]
fn a_held_leg_of_the_peer_gets_nothing() {
    let mut bench = Bench::new(LegKind::Turn, 3, graded);
    bench.scheduler.hold_peer_leg(LegIndex(0), true);
    assert!(
        bench
            .run(100)
            .iter()
            .all(|c| c.path.receiver != LegIndex(0))
    );
    bench.scheduler.hold_peer_leg(LegIndex(0), false);
    assert!(bench.run(16).iter().any(|c| c.path.receiver == LegIndex(0)));
    for leg in 0..3 {
        bench.scheduler.hold_peer_leg(LegIndex(leg), true);
    }
    assert_eq!(bench.step(), None);
}

/// With legs that are equally good, no leg carries two of six packets in a row, so that a stall of
/// a few cannot take them all; and in time every leg meets every other.
#[test]
fn legs_that_are_alike_take_turns_and_meet_all_others() {
    let mut bench = Bench::new(LegKind::Turn, 8, |_, _| Some(150_000));
    bench.run(300);
    let choices = bench.run(800);
    for six in choices.windows(6) {
        let up: BTreeSet<_> = six.iter().map(|c| c.path.sender).collect();
        let down: BTreeSet<_> = six.iter().map(|c| c.path.receiver).collect();
        assert!(up.len() == 6 && down.len() >= 5, "{six:?}");
    }
    let met: BTreeSet<Path> = choices.iter().map(|c| c.path).collect();
    assert_eq!(met.len(), 64);
}

#[test]
fn the_best_path_changes_for_a_reason() {
    let slow = |path: Path, now: u64| {
        let later = now > 9_000_000 && path.sender.0 == 0;
        Some(graded(path, now)? + if later { 150_000 } else { 0 })
    };
    let margin = Duration::from_millis(10);
    let mut bench = Bench::new(LegKind::Turn, 3, slow);
    let change = |bench: &Bench, told| {
        let now = Timestamp::from_micros(bench.now());
        bench.scheduler.best_change(told, margin, now)
    };
    bench.run(200);
    assert_eq!(change(&bench, None), Some((path(0, 0), BestChange::First)));
    assert_eq!(change(&bench, Some(path(0, 0))), None);
    assert_eq!(
        change(&bench, Some(path(2, 2))),
        Some((path(0, 0), BestChange::Faster))
    );
    bench.run(200);
    let mut late = None;
    for _ in 0..40 {
        bench.step();
        late = late.or(change(&bench, Some(path(0, 0))));
    }
    let (best, why) = late.expect("it is late");
    assert!(
        best.sender == LegIndex(1) && why == BestChange::Overdue,
        "{best:?} {why:?}"
    );
    bench.scheduler.remove_local_leg(LegIndex(0));
    let (best, why) = change(&bench, Some(path(0, 0))).expect("it is gone");
    assert_eq!((best.sender, why), (LegIndex(1), BestChange::Gone));
    assert_eq!(
        Bench::new(LegKind::Turn, 0, graded)
            .scheduler
            .best_change(None, margin, Timestamp::ZERO),
        None
    );
}

#[test]
fn what_did_not_arrive_counts_as_lost() {
    let lossy = |path: Path, now: u64| (path.sender.0 != 1).then(|| graded(path, now))?;
    let mut bench = Bench::new(LegKind::Onion, 3, lossy);
    assert!(bench.scheduler.legs().all(|leg| leg.loss.is_none()));
    bench.run(400);
    for leg in bench.scheduler.legs() {
        let expected = if leg.index == LegIndex(1) { 1.0 } else { 0.0 };
        assert_eq!(leg.loss, Some(expected), "{leg:?}");
    }
}

proptest! {
    /// Any sequence of inputs: no panic, one packet a slot, only over legs that exist; and the same
    /// inputs give the same choices.
    #[test]
    fn any_input_is_survived_and_deterministic(
        turn: bool,
        seed: u64,
        steps in prop::collection::vec((0u8..8, any::<u8>(), any::<u32>(), any::<u16>()), 0..400)
    ) {
        let run = || {
            let kind = if turn { LegKind::Turn } else { LegKind::Onion };
            let mut scheduler = Scheduler::new(Config::new(kind), seed);
            let (mut paths, mut choices) = (BTreeSet::new(), Vec::new());
            let mut now = Timestamp::ZERO;
            for (slot, &(what, leg, number, low)) in (0u32..).zip(&steps) {
                let index = LegIndex(leg % 20);
                now = Timestamp::from_micros(now.as_micros() + u64::from(low));
                match what {
                    0 | 1 => {
                        let receiver = LegIndex(low.to_le_bytes()[0] % 20);
                        let path = Path { sender: index, receiver };
                        if scheduler.add_path(path) {
                            paths.insert(path);
                        }
                    }
                    2 if leg > 230 => {
                        scheduler.remove_local_leg(index);
                        paths.retain(|path| path.sender != index);
                    }
                    2 if leg > 210 => {
                        scheduler.remove_peer_leg(index);
                        paths.retain(|path| path.receiver != index || !turn);
                    }
                    2 => {
                        let receiver = LegIndex(low.to_le_bytes()[0] % 20);
                        let path = Path { sender: index, receiver };
                        assert_eq!(scheduler.remove_path(path), paths.remove(&path));
                    }
                    3 | 4 => {
                        let path = Path { sender: index, receiver: index };
                        let arrived_at = MediaTime(number);
                        let report = ArrivalReport { slot: low % 400, path, arrived_at };
                        scheduler.on_feedback(MediaTime(number.wrapping_add(9)), &[report; 3], now);
                    }
                    5 => {
                        let sender = LegIndex(low.to_le_bytes()[0] % 20);
                        scheduler.on_arrival(Path { sender, receiver: index }, now);
                    }
                    _ => {
                        scheduler.hold_peer_leg(index, low % 2 == 0);
                        let refuses = number % 3;
                        let mut refused = BTreeSet::new();
                        while let Some(choice) = scheduler.choose(SlotNumber(slot), now) {
                            assert!(paths.contains(&choice.path));
                            assert!(refused.len() <= 32 && !refused.contains(&choice.path.sender));
                            if refused.len() < refuses as usize {
                                scheduler.on_refused(SlotNumber(slot), choice.path.sender);
                                refused.insert(choice.path.sender);
                                continue;
                            }
                            scheduler.on_sent(SlotNumber(slot), choice.path, now);
                            choices.push(choice);
                            break;
                        }
                    }
                }
                assert!(scheduler.legs().count() <= 32);
            }
            choices
        };
        prop_assert_eq!(run(), run());
    }
}
