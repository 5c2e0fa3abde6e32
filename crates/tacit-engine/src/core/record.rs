//! What the meter tells of legs beyond what the scheduler knows of them: how much went out and came
//! in over each lately, why, and how long what came in took.
//!
//! Written for every packet, so nothing here allocates once a leg is known.

use std::collections::BTreeMap;
use std::time::Duration;

use tacit_packet::MediaTime;
use tacit_paths::{Choice, ChoiceReason, Side};
use tacit_types::limits::FRAME_DURATION;
use tacit_types::{FrameNumber, LegIndex, Path, Timestamp};

/// Packets are counted over so many seconds, the present one among them.
pub const RECENT_SECONDS: usize = 5;
/// A leg over which nothing has come for so long has no inward delay.
const FORGOTTEN: Duration = Duration::from_secs(10);
/// Share of a new transit in a leg's mean: about the last 16 packets count.
const GAIN: f64 = 1.0 / 16.0;
/// The smallest transit of frames is that of so many seconds: as long as the playout remembers.
const FLOOR_SECONDS: usize = 20;
/// Kinds of reasons that are counted apart; there are fewer.
const REASONS: usize = 16;

/// Packets of the last seconds.
#[derive(Clone, Copy, Debug, Default)]
struct Recent {
    counts: [u16; RECENT_SECONDS],
    second: u64,
}

impl Recent {
    fn advance(&mut self, now: Timestamp) {
        let second = now.as_micros() / 1_000_000;
        let passed = second.saturating_sub(self.second);
        for back in 0..passed.min(RECENT_SECONDS as u64) {
            self.counts[place(second - back)] = 0;
        }
        self.second = self.second.max(second);
    }

    fn count(&mut self, now: Timestamp) {
        self.advance(now);
        let count = &mut self.counts[place(self.second)];
        *count = count.saturating_add(1);
    }

    fn sum(mut self, now: Timestamp) -> u32 {
        self.advance(now);
        self.counts.iter().copied().map(u32::from).sum()
    }
}

const fn place(second: u64) -> usize {
    (second % RECENT_SECONDS as u64) as usize
}

/// What is noted of one leg.
#[derive(Clone, Copy, Debug, Default)]
struct Entry {
    sent: Recent,
    received: Recent,
    reason: Option<ChoiceReason>,
    /// Mean time from the peer's clock to ours, microseconds, and when the last packet came.
    inward: Option<(f64, Timestamp)>,
}

/// What the meter shows of one leg.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Noted {
    /// Packets sent on it in the last [`RECENT_SECONDS`].
    pub sent: u32,
    /// Packets that came over it in the last [`RECENT_SECONDS`].
    pub received: u32,
    /// Why its last packet took it.
    pub reason: Option<ChoiceReason>,
    /// By how much what comes over it takes longer than over the fastest leg of its side.
    pub inward: Option<Duration>,
}

/// How long the peer's frames took, by their first copies.
#[derive(Clone, Copy, Debug)]
struct Frames {
    /// Smallest transit of each of the last seconds.
    floors: [Option<(u64, i64)>; FLOOR_SECONDS],
    /// Sum and number since this was last asked.
    sum: i64,
    count: u32,
}

/// The record of a handshake's legs.
#[derive(Debug)]
pub struct Record {
    start: Timestamp,
    /// The peer's media clock at the first packet, and when that came.
    origin: Option<(MediaTime, Timestamp)>,
    ours: BTreeMap<LegIndex, Entry>,
    theirs: BTreeMap<LegIndex, Entry>,
    last: Option<Choice>,
    reasons: [Option<(ChoiceReason, u32)>; REASONS],
    frames: Frames,
}

impl Record {
    /// Of a handshake whose media clock starts at `start`.
    #[must_use]
    pub const fn new(start: Timestamp) -> Self {
        Self {
            start,
            origin: None,
            ours: BTreeMap::new(),
            theirs: BTreeMap::new(),
            last: None,
            reasons: [None; REASONS],
            frames: Frames {
                floors: [None; FLOOR_SECONDS],
                sum: 0,
                count: 0,
            },
        }
    }

    const fn side(&mut self, side: Side) -> &mut BTreeMap<LegIndex, Entry> {
        match side {
            Side::Local => &mut self.ours,
            Side::Peer => &mut self.theirs,
        }
    }

    /// Exactly these legs are known from now on.
    pub(super) fn keep(&mut self, known: impl Fn(Side, LegIndex) -> bool) {
        for side in [Side::Local, Side::Peer] {
            self.side(side).retain(|leg, _| known(side, *leg));
        }
    }

    /// A leg is there.
    pub(super) fn add(&mut self, side: Side, leg: LegIndex) {
        self.side(side).entry(leg).or_default();
    }

    /// A leg has taken a packet.
    pub(super) fn sent(&mut self, choice: Choice, now: Timestamp) {
        let Choice { path, reason } = choice;
        let halves = [
            self.ours.get_mut(&path.sender),
            self.theirs.get_mut(&path.receiver),
        ];
        for entry in halves.into_iter().flatten() {
            entry.sent.count(now);
            entry.reason = Some(reason);
        }
        self.last = Some(choice);
        let same = |place: &&mut Option<(ChoiceReason, u32)>| {
            place.is_none_or(|(counted, _)| counted == reason)
        };
        if let Some(place) = self.reasons.iter_mut().find(same) {
            *place = Some((reason, place.map_or(0, |(_, count)| count) + 1));
        }
    }

    /// An authentic packet came.
    pub(super) fn received(&mut self, path: Path, sent_at: MediaTime, now: Timestamp) {
        let (media, at) = *self.origin.get_or_insert((sent_at, now));
        let transit = now.signed_micros_since(at) - sent_at.signed_micros_since(media);
        #[expect(clippy::cast_precision_loss, reason = "microseconds of at most days")]
        let transit = transit as f64;
        let halves = [
            self.ours.get_mut(&path.receiver),
            self.theirs.get_mut(&path.sender),
        ];
        for entry in halves.into_iter().flatten() {
            entry.received.count(now);
            let fresh = |(_, at): &(f64, Timestamp)| now.saturating_since(*at) < FORGOTTEN;
            let mean = entry.inward.filter(fresh).map_or(transit, |(mean, _)| mean);
            entry.inward = Some((mean + GAIN * (transit - mean), now));
        }
    }

    /// The first copy of a frame came.
    pub(super) fn first_copy(&mut self, frame: FrameNumber, now: Timestamp) {
        let media = u64::from(frame.0) * FRAME_DURATION.as_micros() as u64;
        let transit = now.signed_micros_since(self.start) - media.cast_signed();
        let second = now.as_micros() / 1_000_000;
        let floor = &mut self.frames.floors[(second % FLOOR_SECONDS as u64) as usize];
        let before = floor.filter(|(of, _)| *of == second);
        *floor = Some((second, before.map_or(transit, |(_, t)| t.min(transit))));
        self.frames.sum = self.frames.sum.saturating_add(transit);
        self.frames.count += 1;
    }

    /// By how much first copies took longer, on average since this was last asked, than the fastest
    /// of the last seconds.
    pub(super) fn take_spread(&mut self, now: Timestamp) -> Duration {
        let frames = &mut self.frames;
        let (sum, count) = (frames.sum, frames.count);
        (frames.sum, frames.count) = (0, 0);
        let second = now.as_micros() / 1_000_000;
        let recent = frames.floors.iter().flatten();
        let recent = recent.filter(|(of, _)| second.saturating_sub(*of) < FLOOR_SECONDS as u64);
        let floor = recent.map(|(_, transit)| *transit).min();
        let mean = (count > 0).then(|| sum / i64::from(count));
        let spread = mean.zip(floor).map_or(0, |(mean, floor)| mean - floor);
        Duration::from_micros(spread.max(0).unsigned_abs())
    }

    /// How often each reason decided since this was last asked.
    pub(super) fn take_reasons(&mut self) -> Vec<(ChoiceReason, u32)> {
        let reasons = std::mem::take(&mut self.reasons);
        reasons.into_iter().flatten().collect()
    }

    /// Where the last packet went, and why.
    #[must_use]
    pub const fn last(&self) -> Option<Choice> {
        self.last
    }

    /// What is noted of a leg.
    #[must_use]
    pub fn leg(&self, side: Side, leg: LegIndex, now: Timestamp) -> Noted {
        let legs = match side {
            Side::Local => &self.ours,
            Side::Peer => &self.theirs,
        };
        let Some(entry) = legs.get(&leg) else {
            return Noted::default();
        };
        let inward = |entry: &Entry| {
            let fresh = entry
                .inward
                .filter(|(_, at)| now.saturating_since(*at) < FORGOTTEN);
            fresh.map(|(mean, _)| mean)
        };
        let fastest = legs.values().filter_map(inward).min_by(f64::total_cmp);
        let above = inward(entry).zip(fastest).map(|(mean, least)| mean - least);
        Noted {
            sent: entry.sent.sum(now),
            received: entry.received.sum(now),
            reason: entry.reason,
            inward: above.map(|above| Duration::from_secs_f64((above / 1e6).clamp(0.0, 1e6))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(millis: u64) -> Timestamp {
        Timestamp::from_micros(5_000_000 + millis * 1000)
    }

    fn media(millis: u64) -> MediaTime {
        MediaTime::from_elapsed(Duration::from_millis(millis))
    }

    const fn path(leg: u8) -> Path {
        Path {
            sender: LegIndex(leg),
            receiver: LegIndex(leg),
        }
    }

    fn record(legs: u8) -> Record {
        let mut record = Record::new(at(0));
        for leg in 0..legs {
            record.add(Side::Local, LegIndex(leg));
        }
        record
    }

    #[test]
    fn packets_are_counted_over_the_last_seconds() {
        let mut record = record(2);
        let choice = |leg, reason| Choice {
            path: path(leg),
            reason,
        };
        for slot in 0..500 {
            let reason = if slot % 5 == 0 {
                ChoiceReason::Best
            } else {
                ChoiceReason::Rested
            };
            record.sent(choice(0, reason), at(slot * 20));
            record.received(path(1), media(slot * 20), at(slot * 20));
        }
        let [ours, other] = [0, 1].map(|leg| record.leg(Side::Local, LegIndex(leg), at(9_990)));
        assert_eq!((ours.sent, ours.received), (250, 0));
        assert_eq!((other.sent, other.received), (0, 250));
        assert_eq!(ours.reason, Some(ChoiceReason::Rested));
        assert_eq!(other.reason, None);
        let reasons = [(ChoiceReason::Best, 100), (ChoiceReason::Rested, 400)];
        assert_eq!(record.take_reasons(), reasons);
        assert_eq!(record.take_reasons(), []);
        assert_eq!(record.last().map(|c| c.path), Some(path(0)));
        let later = record.leg(Side::Local, LegIndex(0), at(60_000));
        assert_eq!(later.sent, 0);
    }

    #[test]
    fn what_comes_in_is_compared_with_the_fastest_leg() {
        let mut record = record(3);
        for slot in 0..200 {
            let sent = slot * 20;
            for (leg, delay) in [(0, 90), (1, 130)] {
                record.received(path(leg), media(sent), at(sent + delay));
            }
        }
        let inward = |record: &Record, leg, now| record.leg(Side::Local, LegIndex(leg), now).inward;
        let near = |value: Option<Duration>, millis: f64| {
            value.is_some_and(|v| (v.as_secs_f64() * 1e3 - millis).abs() < 1.0)
        };
        assert!(near(inward(&record, 0, at(4_100)), 0.0));
        assert!(near(inward(&record, 1, at(4_100)), 40.0));
        assert_eq!(inward(&record, 2, at(4_100)), None);
        // What was not heard for long is not known any more, and nothing is compared with it.
        record.received(path(1), media(20_000), at(20_130));
        assert_eq!(inward(&record, 0, at(20_200)), None);
        assert!(near(inward(&record, 1, at(20_200)), 0.0));
    }

    #[test]
    fn a_clock_that_cannot_be_does_no_harm() {
        let mut record = record(2);
        for (n, ticks) in [0, u32::MAX, 1 << 31, 7, u32::MAX / 3]
            .into_iter()
            .enumerate()
        {
            record.received(path(n as u8 % 2), MediaTime(ticks), at(n as u64));
            record.first_copy(FrameNumber(ticks), at(n as u64));
        }
        for leg in 0..2 {
            let noted = record.leg(Side::Local, LegIndex(leg), at(10));
            assert!(noted.inward.is_some());
        }
        assert!(record.take_spread(at(10)) < Duration::from_secs(1 << 30));
    }

    #[test]
    fn the_spread_is_what_frames_took_above_the_fastest() {
        let mut record = record(1);
        for n in 0..100 {
            let late = if n % 2 == 0 { 80 } else { 120 };
            record.first_copy(FrameNumber(n), at(u64::from(n) * 20 + late));
        }
        assert_eq!(record.take_spread(at(2_100)), Duration::from_millis(20));
        assert_eq!(record.take_spread(at(2_100)), Duration::ZERO);
        // The floor holds for some seconds, and no longer.
        record.first_copy(FrameNumber(500), at(500 * 20 + 110));
        assert_eq!(record.take_spread(at(10_200)), Duration::from_millis(30));
        record.first_copy(FrameNumber(2000), at(2000 * 20 + 110));
        assert_eq!(record.take_spread(at(40_200)), Duration::ZERO);
    }

    #[test]
    fn legs_that_are_gone_are_forgotten() {
        let mut record = record(2);
        record.received(path(1), media(0), at(100));
        record.keep(|side, leg| side == Side::Local && leg == LegIndex(0));
        assert_eq!(
            record.leg(Side::Local, LegIndex(1), at(100)),
            Noted::default()
        );
    }
}
