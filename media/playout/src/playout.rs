//! The playout itself.

use core::time::Duration;

use tacit_types::limits::FRAME_DURATION;
use tacit_types::{FrameNumber, FramePayload, Reach, Timestamp};

use crate::config::Config;
use crate::frames::{Frames, State};
use crate::limits::{AHEAD, BEHIND, DELAY_MAX, ELSEWHERE, SKIPS_IN_A_PULL, STRANGERS};
use crate::pace::Pacer;
use crate::stats::Stats;
use crate::transit::Transits;
use crate::types::{Cause, Inserted, Loudness, Pace, Pull};

const FRAME_MICROS: i64 = 20_000;
/// A frame that this many newer ones have overtaken says nothing of how long the next will take: it
/// comes from a leg that was stalled.
const OVERTAKEN: u32 = 5;
/// So many concealed pulls in a row the playout waits when dry, whatever came before: who comes first
/// out of a stall should find its place still open. Stretching makes up for it if nothing was late.
const GAP_FIRST: u32 = 5;
/// How far above the target the delay may be for the last frame that is there to be played slower,
/// microseconds.
const LOW: i64 = 40_000;
/// So long only longer transits than any delay, and what was seen before is forgotten.
const BEYOND: Duration = Duration::from_secs(2);
/// Only what is shorter than the longest delay by so much ends that while.
const BEYOND_MARGIN: Duration = Duration::from_millis(150);
/// Beyond any clock, microseconds: 9000 years.
const TRANSIT_MAX: i64 = 1 << 58;
/// First copies after which the target follows what was seen instead of the start value.
const WARM: u64 = 100;
/// First copies after which enough is known to keep the delay down: 4 s.
const SETTLED: u64 = 200;
/// Played frames in which a surplus is given back more gently: 8 s of the call, not of a later restart.
const EARLY: u64 = 400;

/// Jitter buffer of one direction.
#[derive(Clone, Debug)]
pub struct Playout {
    config: Config,
    frames: Frames,
    transits: Transits,
    /// Next frame to play, once started.
    next: Option<u32>,
    newest: Option<u32>,
    /// Where the first frame came from and when it did.
    first: Option<(u32, Timestamp)>,
    /// The oldest frame of those concealed and passed over since the last one that was played.
    passed: Option<u32>,
    pacer: Pacer,
    /// Concealed pulls in a row.
    gap: u32,
    /// Skips since the last pull that played or concealed.
    skips: u32,
    /// When the last frame that could have been heard was skipped, or the delay grew by a wait.
    settled: Timestamp,
    /// Since when every transit has been longer than any delay.
    beyond_since: Option<Timestamp>,
    /// Delay of the last pull, and when it was.
    pulled: Option<(i64, Timestamp)>,
    stranger: Option<(u32, u32)>,
    stats: Stats,
}

impl Playout {
    /// Empty; nothing is played before frames come.
    #[must_use]
    pub fn new(config: Config) -> Self {
        Self {
            frames: Frames::new(),
            transits: Transits::new(config.before),
            config,
            next: None,
            newest: None,
            first: None,
            passed: None,
            pacer: Pacer::default(),
            gap: 0,
            skips: 0,
            settled: Timestamp::ZERO,
            beyond_since: None,
            pulled: None,
            stranger: None,
            stats: Stats::default(),
        }
    }

    /// Takes a frame that arrived at `now`, whichever copy it is. `reach` says which frames before
    /// it its DRED restores.
    pub fn insert(
        &mut self,
        frame: FrameNumber,
        payload: &FramePayload,
        reach: Reach,
        now: Timestamp,
    ) -> Inserted {
        let frame = frame.0;
        let here = self.next.or(self.newest).unwrap_or(frame);
        // Not by adding to `here`, which may be the last number there is.
        let ahead = frame.saturating_sub(here);
        if ahead >= AHEAD || frame < here.saturating_sub(ELSEWHERE) {
            return self.insert_elsewhere(frame, payload, reach, now);
        }
        self.stranger = None;
        if frame < here.saturating_sub(BEHIND) {
            self.stats.stale += 1;
            return Inserted::Stale;
        }
        if self.frames.state(frame) != State::Missing {
            self.frames.improve(frame, payload, reach);
            self.note_restorable(frame, reach, now);
            self.stats.duplicates += 1;
            return Inserted::Duplicate;
        }
        let newest = self.newest.map_or(frame, |newest| newest.max(frame));
        self.newest = Some(newest);
        self.first.get_or_insert((frame, now));
        if newest - frame < OVERTAKEN && !self.is_beyond(transit(frame, now), now) {
            let restored = self.frames.is_restorable(frame);
            self.transits.record(transit(frame, now), restored);
        }
        self.note_restorable(frame, reach, now);
        if self.next.is_some_and(|next| frame < next) && !self.turn_back(frame, now) {
            self.stats.late += 1;
            self.frames.put_gone(frame);
            return Inserted::Late;
        }
        self.frames.put(frame, payload, reach);
        Inserted::New
    }

    /// Whether no delay would do for such a transit, so that it says nothing about the best one. If
    /// there are only such for a while, the network or a clock has changed, and all is seen anew.
    fn is_beyond(&mut self, transit: i64, now: Timestamp) -> bool {
        let longest = micros(DELAY_MAX);
        let above = self.smallest().map_or(0, |smallest| transit - smallest);
        if above <= longest {
            // About as long does not count as an end of it: packets above and below would alternate, and
            // of those above nothing would be learnt.
            if above <= longest - micros(BEYOND_MARGIN) {
                self.beyond_since = None;
            }
            return false;
        }
        let since = *self.beyond_since.get_or_insert(now);
        if now.saturating_since(since) < BEYOND {
            return true;
        }
        self.beyond_since = None;
        self.transits.clear();
        false
    }

    /// Notes which missing frames this one's DRED restores that none before did.
    fn note_restorable(&mut self, frame: u32, reach: Reach, now: Timestamp) {
        let Some((first, _)) = self.first.filter(|_| reach != Reach::NONE) else {
            return;
        };
        let farthest = u32::from(reach.farthest()).min(BEHIND);
        for back in u32::from(reach.nearest())..=farthest {
            let missing = frame.checked_sub(back).filter(|missing| *missing >= first);
            let Some(missing) = missing else {
                return;
            };
            let transit = transit(missing, now);
            if self.frames.mark_restorable(missing) && !self.is_beyond(transit, now) {
                self.transits.record_restored(transit);
            }
        }
    }

    /// Goes back to a frame whose place was concealed, if nothing was played since and the delay
    /// does not grow too much by it.
    fn turn_back(&mut self, frame: u32, now: Timestamp) -> bool {
        let (Some(next), Some(target)) = (self.next, self.target()) else {
            return false;
        };
        let delay = transit(frame, now);
        let open = self.passed.is_some_and(|passed| passed <= frame);
        if !open || delay > target + micros(self.config.late) {
            return false;
        }
        // What was passed over has been waited for, as it turns out.
        let count = u64::from(next - frame);
        self.stats.concealed = self.stats.concealed.saturating_sub(count);
        self.stats.held += count;
        self.next = Some(frame);
        true
    }

    /// A jump: a sender that started again, a resumed call or nonsense. Believed after
    /// [`STRANGERS`] in a row.
    fn insert_elsewhere(
        &mut self,
        frame: u32,
        payload: &FramePayload,
        reach: Reach,
        now: Timestamp,
    ) -> Inserted {
        let count = match self.stranger {
            Some((last, count)) if last.abs_diff(frame) < AHEAD => count + 1,
            _ => 1,
        };
        self.stranger = Some((frame, count));
        if count < STRANGERS {
            self.stats.stale += 1;
            return Inserted::Elsewhere;
        }
        self.frames.clear();
        self.transits.clear();
        self.next = None;
        self.newest = None;
        self.first = None;
        self.passed = None;
        self.stats.restarts += 1;
        self.insert(FrameNumber(frame), payload, reach, now);
        Inserted::Restarted
    }

    /// What to play from `now` on. To be called when the output has played what it got before, 20 ms
    /// later or what stretching made of them, and again at once after [`Pull::Skip`]; at most
    /// [`SKIPS_IN_A_PULL`] of those come in a row.
    pub fn pull(&mut self, now: Timestamp) -> Pull {
        let Some(next) = self.next.or_else(|| self.start(now)) else {
            return Pull::Wait;
        };
        self.next = Some(next);
        if self.should_skip(next, now) {
            return self.skip(next, now);
        }
        self.skips = 0;
        self.pulled = Some((transit(next, now), now));
        let frame = FrameNumber(next);
        if let Some(payload) = self.frames.take(next) {
            self.go_on(next);
            self.stats.played += 1;
            let pace = self.pace(next, now);
            return Pull::Decode {
                frame,
                payload,
                pace,
            };
        }
        if let Some((back, later)) = self.frames.repairer(next) {
            self.go_on(next);
            self.stats.repaired += 1;
            let pace = self.pace(next, now);
            return Pull::Repair {
                frame,
                back,
                later,
                pace,
            };
        }
        self.conceal(next, now)
    }

    /// `next` is played.
    const fn go_on(&mut self, next: u32) {
        self.next = Some(next.saturating_add(1));
        self.gap = 0;
        self.passed = None;
    }

    fn conceal(&mut self, next: u32, now: Timestamp) -> Pull {
        self.gap += 1;
        let gap = FRAME_DURATION.saturating_mul(self.gap);
        self.stats.longest_gap = self.stats.longest_gap.max(gap);
        let cause = if self.should_hold(next, now) {
            Cause::Held
        } else {
            Cause::Lost
        };
        match cause {
            Cause::Held => {
                self.stats.held += 1;
                self.settled = now;
            }
            Cause::Lost => {
                self.stats.concealed += 1;
                self.passed.get_or_insert(next);
                self.next = Some(next.saturating_add(1));
            }
        }
        Pull::Conceal {
            frame: FrameNumber(next),
            cause,
        }
    }

    /// Says that the decoder could do nothing with what was handed out last, and concealed instead.
    pub const fn failed(&mut self, pull: &Pull) {
        let handed_out = match pull {
            Pull::Decode { .. } => &mut self.stats.played,
            Pull::Repair { .. } => &mut self.stats.repaired,
            _ => return,
        };
        *handed_out = handed_out.saturating_sub(1);
        self.stats.concealed += 1;
        self.stats.failed += 1;
    }

    /// Says how loud what was decoded last is; the next frame is taken to be like it.
    pub const fn heard(&mut self, loudness: Loudness) {
        self.pacer.heard(loudness);
    }

    /// The first frame to play, if its time has come.
    fn start(&mut self, now: Timestamp) -> Option<u32> {
        let target = self.target()?;
        let (_, first) = self.first?;
        let at_last = now.saturating_since(first) >= self.config.start_at_last;
        loop {
            let oldest = self.frames.oldest()?;
            let delay = transit(oldest, now);
            if delay < target - FRAME_MICROS / 2 && !at_last {
                return None;
            }
            if delay <= target + FRAME_MICROS || self.newest == Some(oldest) {
                return Some(oldest);
            }
            // It would make the call start with more delay than it needs.
            self.frames.take(oldest);
        }
    }

    /// Whether, the buffer being without `next`, it is better to wait for it than to pass it over.
    fn should_hold(&self, next: u32, now: Timestamp) -> bool {
        let dry = self.newest.is_none_or(|newest| newest < next);
        let delay = transit(next, now);
        let longest = self.smallest().unwrap_or(delay) + micros(DELAY_MAX);
        let target = self.target().unwrap_or(delay);
        let patient = FRAME_DURATION.saturating_mul(self.gap) <= self.config.hold;
        let useful = self.ceiling().is_none_or(|ceiling| delay < ceiling);
        dry && delay < longest && (patient && (useful || self.gap <= GAP_FIRST) || delay < target)
    }

    fn should_skip(&mut self, next: u32, now: Timestamp) -> bool {
        let Some(target) = self.target() else {
            return false;
        };
        let surplus = transit(next, now) - target;
        let ahead = self.newest.is_some_and(|newest| newest > next);
        if !ahead || self.skips >= SKIPS_IN_A_PULL {
            return false;
        }
        if self.frames.state(next) == State::Missing && self.frames.repairer(next).is_none() {
            return surplus > FRAME_MICROS;
        }
        // Stretching takes back a third of a second each second; what is far above is left out.
        let far = surplus > micros(self.config.far);
        far && now.saturating_since(self.settled) >= self.config.skip_interval
    }

    /// How frame `next` is to be played, so that the delay comes nearer to the target.
    fn pace(&mut self, next: u32, now: Timestamp) -> Pace {
        let Some(target) = self.target() else {
            return Pace::Even;
        };
        let delay = transit(next, now);
        let surplus = delay - target;
        let early = self.stats.played < EARLY;
        let by_target = self.pacer.pace(&self.config, surplus, early, now);
        // The last one that is there, and the next should have come.
        let overdue = |usual| delay - FRAME_MICROS > usual;
        let usual = self.transits.summary().map(|summary| summary.p95);
        let low = self.newest == Some(next) && surplus < LOW && usual.is_some_and(overdue);
        let pace = if low { Pace::Slower } else { by_target };
        match pace {
            Pace::Even => {}
            Pace::Faster => self.stats.faster += 1,
            Pace::Slower => self.stats.slower += 1,
        }
        pace
    }

    fn skip(&mut self, next: u32, now: Timestamp) -> Pull {
        let repairable = self.frames.repairer(next).is_some();
        let payload = self.frames.take(next);
        self.next = Some(next.saturating_add(1));
        self.skips += 1;
        self.passed = None;
        self.stats.skipped += 1;
        if payload.is_some() || repairable {
            self.settled = now;
        }
        Pull::Skip {
            frame: FrameNumber(next),
            payload,
        }
    }

    fn smallest(&self) -> Option<i64> {
        Some(self.transits.summary()?.smallest)
    }

    /// Delay above which less than one frame in a hundred gains anything, unless frames have been
    /// late for longer than one packet's worth.
    fn ceiling(&self) -> Option<i64> {
        let summary = self.transits.summary()?;
        let warm = self.transits.total() >= SETTLED;
        let ceiling = summary.p99.max(summary.lasting) + micros(self.config.headroom);
        let never_below = summary.smallest + micros(self.config.start);
        Some(ceiling.max(never_below)).filter(|_| warm)
    }

    /// Transit for which the playout is to be prepared.
    fn target(&self) -> Option<i64> {
        let summary = self.transits.summary()?;
        let floor = if self.transits.total() < WARM {
            self.config.start
        } else {
            self.config.floor
        };
        if self.next.is_none() {
            // The first packet's repeats look late only because nothing was sent before it.
            return Some(summary.smallest + micros(self.config.start));
        }
        let needed = match self.ceiling() {
            // Little has been seen yet.
            None => summary.recent + micros(self.config.early_margin),
            Some(ceiling) => {
                let recent = summary.recent + micros(self.config.margin);
                summary.best.min(recent).min(ceiling)
            }
        };
        Some(needed.clamp(
            summary.smallest + micros(floor),
            summary.smallest + micros(DELAY_MAX),
        ))
    }

    /// Counters and present delays.
    #[must_use]
    pub fn stats(&self, now: Timestamp) -> Stats {
        let smallest = self.smallest().unwrap_or(0);
        let above =
            |transit: i64| Duration::from_micros((transit - smallest).max(0).unsigned_abs());
        Stats {
            target: self.target().map_or(Duration::ZERO, above),
            delay: self.pulled.map_or(Duration::ZERO, |(delay, at)| {
                // An output that does not pull adds its own.
                let idle = now.saturating_since(at).saturating_sub(FRAME_DURATION);
                above(delay) + idle
            }),
            buffered: self.frames.buffered(),
            ..self.stats
        }
    }
}

fn transit(frame: u32, at: Timestamp) -> i64 {
    let clock = at.signed_micros_since(Timestamp::ZERO);
    let micros = clock.saturating_sub(i64::from(frame) * FRAME_MICROS);
    // Whatever the clock says, differences of two transits must not overflow.
    micros.clamp(-TRANSIT_MAX, TRANSIT_MAX)
}

pub(crate) fn micros(duration: Duration) -> i64 {
    i64::try_from(duration.as_micros()).unwrap_or(i64::MAX)
}
