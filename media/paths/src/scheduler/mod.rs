//! The scheduler: a function of its state, what it is told, the time and a seed.

mod feedback;
mod status;

use tacit_packet::MediaTime;
use tacit_types::{LegIndex, LegKind, Path, SlotNumber, Timestamp};

use crate::arrivals::{Arrivals, Caution};
use crate::config::Config;
use crate::leg::{Fate, Leg, Legs, Side};
use crate::ranking::{Ranking, Want};
use crate::round_trip::{RoundTrip, RoundTrips};
use crate::sent::SentLog;

/// Why a packet takes its path.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ChoiceReason {
    /// The leg with the lowest delay.
    Best,
    /// The second.
    Second,
    /// The third.
    Third,
    /// One of the legs after the third.
    Reserve,
    /// A leg without measurement.
    ProbeFresh,
    /// A suspect that has rested: does it still work?
    ProbeSuspect,
    /// Nothing is known about any leg, or the peer tells nothing: all legs take turns.
    Blind,
    /// Every leg is suspect: all take turns.
    AllSuspect,
    /// There is only one.
    Only,
}

/// Where the packet of a slot goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Choice {
    /// The legs it takes.
    pub path: Path,
    /// Why.
    pub reason: ChoiceReason,
}

/// Feedback that changed nothing. All of it can be caused by a hostile peer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counters {
    /// Reports taken.
    pub taken: u64,
    /// Reports of packets already acknowledged: the ordinary repeats.
    pub repeated: u64,
    /// Reports of packets that were never sent, went elsewhere, or were forgotten.
    pub unknown: u64,
    /// Reports whose times cannot be.
    pub impossible: u64,
    /// Packets whose `sent_at` cannot be.
    pub impossible_clock: u64,
}

/// Decides which leg each packet takes, and learns from the peer's reports.
#[derive(Clone, Debug)]
pub struct Scheduler {
    config: Config,
    seed: u64,
    local: Legs,
    /// Empty with onion legs.
    peer: Legs,
    sent: SentLog,
    turns: u64,
    arrivals: Arrivals,
    /// First report: what relative delays count from.
    origin: Option<Origin>,
    /// Up to when, on the peer's clock relative to the origin, the peer has told what arrived.
    horizon: i64,
    last_feedback: Option<Timestamp>,
    first_sent: Option<Timestamp>,
    /// Fate of the last odd slot's leg, local and peer.
    last_fate: [Option<Fate>; 2],
    round_trips: RoundTrips,
    counters: Counters,
}

#[derive(Clone, Copy, Debug)]
struct Origin {
    local: Timestamp,
    peer: MediaTime,
}

impl Scheduler {
    /// No legs yet.
    #[must_use]
    pub fn new(config: Config, seed: u64) -> Self {
        Self {
            config,
            seed,
            local: Legs::default(),
            peer: Legs::default(),
            sent: SentLog::new(),
            turns: u64::from(u32::MAX),
            arrivals: Arrivals::default(),
            origin: None,
            horizon: 0,
            last_feedback: None,
            first_sent: None,
            last_fate: [None; 2],
            round_trips: RoundTrips::default(),
            counters: Counters::default(),
        }
    }

    /// A leg of ours is ready to carry packets; with onion legs this is all a path needs. False if
    /// it is known already or there is no room.
    pub fn add_local_leg(&mut self, index: LegIndex) -> bool {
        self.local
            .add(Leg::new(index, first_turn(self.seed, index)))
    }

    /// A leg of ours is gone. What is still unacknowledged on it is forgotten.
    pub fn remove_local_leg(&mut self, index: LegIndex) -> bool {
        self.local.remove(index)
    }

    /// A leg of the peer can be sent to. TURN only: with onion legs it changes nothing and is false.
    pub fn add_peer_leg(&mut self, index: LegIndex) -> bool {
        self.config.kind == LegKind::Turn
            && self
                .peer
                .add(Leg::new(index, first_turn(!self.seed, index)))
    }

    /// A leg of the peer is gone.
    pub fn remove_peer_leg(&mut self, index: LegIndex) -> bool {
        self.peer.remove(index)
    }

    /// Says with which other legs this one is expected to stall.
    pub fn set_fate(&mut self, side: Side, index: LegIndex, fate: Option<Fate>) {
        let legs = match side {
            Side::Local => &mut self.local,
            Side::Peer => &mut self.peer,
        };
        if let Some(leg) = legs.get_mut(index) {
            leg.fate = fate;
        }
    }

    /// The path of this slot's packet; `None` without legs.
    pub fn choose(&mut self, slot: SlotNumber, now: Timestamp) -> Option<Choice> {
        self.update_suspects();
        let turn = self.config.kind == LegKind::Turn;
        let caution = self.arrivals.caution(now);
        let local = Ranking::new(&self.local, caution, now);
        let peer = Ranking::new(&self.peer, caution, now);
        if local.is_empty() || (turn && peer.is_empty()) {
            return None;
        }
        let healthy = if turn {
            local.healthy().min(peer.healthy())
        } else {
            local.healthy()
        };
        let (want, mut reason) = self.want(slot, healthy, caution, now);
        let pick = |legs: &Legs, ranking: &Ranking, want, last| {
            let best = ranking.pick(legs, Want::Best, 0, [None; 2]);
            let fate = best.and_then(|at| legs.as_slice()[at].fate);
            ranking.pick(legs, want, self.config.reserve, [fate, last])
        };
        let mut up = pick(&self.local, &local, want, self.last_fate[0])?;
        // Crossing the second and third halves keeps the two sides' delays apart.
        let cross = match want {
            Want::Second => Want::Third,
            Want::Third => Want::Second,
            other => other,
        };
        let mut down = if turn && want == Want::Any {
            // By turns like the other half, but one further in each round: in step with it, the
            // same few pairs would be tried over and over, and all of them may be bad.
            let (mine, theirs) = (local.len() as u64, peer.len() as u64);
            let (round, place) = (self.turns / mine, self.turns % mine);
            usize::try_from((round + place) % theirs).unwrap_or(0)
        } else if turn {
            pick(&self.peer, &peer, cross, self.last_fate[1])?
        } else {
            up
        };
        if let Some((side, at, probe)) = self.probe(slot, want, healthy, now) {
            reason = probe;
            // The other half is the best one: it is used so often that it is not blamed for long.
            let best = |legs, ranking: &Ranking| ranking.pick(legs, Want::Best, 0, [None; 2]);
            (up, down) = match side {
                Side::Local if turn => (at, best(&self.peer, &peer)?),
                Side::Local => (at, at),
                Side::Peer => (best(&self.local, &local)?, at),
            };
        }
        Some(self.take(slot, up, down, reason))
    }

    /// What the pattern asks of this slot.
    fn want(
        &self,
        slot: SlotNumber,
        healthy: usize,
        caution: Caution,
        now: Timestamp,
    ) -> (Want, ChoiceReason) {
        let silent_since = self.last_feedback.or(self.first_sent);
        let silent =
            silent_since.is_some_and(|at| now.saturating_since(at) > self.config.blind_after);
        let paths = self.local.as_slice().len().max(self.peer.as_slice().len());
        if paths == 1 {
            return (Want::Best, ChoiceReason::Only);
        }
        if silent || caution == Caution::Silence || (healthy == 0 && self.origin.is_none()) {
            return (Want::Any, ChoiceReason::Blind);
        }
        if healthy == 0 {
            return (Want::Any, ChoiceReason::AllSuspect);
        }
        match slot.0 % 16 {
            1 | 9 => (Want::Second, ChoiceReason::Second),
            5 | 13 => (Want::Third, ChoiceReason::Third),
            3 | 7 | 11 => (Want::Reserve, ChoiceReason::Reserve),
            15 => (Want::Slow, ChoiceReason::Reserve),
            _ => (Want::Best, ChoiceReason::Best),
        }
    }

    /// A leg that this slot should measure instead of what the pattern asks for.
    fn probe(
        &self,
        slot: SlotNumber,
        want: Want,
        healthy: usize,
        now: Timestamp,
    ) -> Option<(Side, usize, ChoiceReason)> {
        let allowed = match want {
            Want::Second | Want::Third => true,
            // With so few known, the reserve is made of the unknown.
            Want::Reserve | Want::Slow => healthy < 4 && slot.0 % 2 == 1,
            Want::Best | Want::Any => false,
        };
        if !allowed {
            return None;
        }
        let due = |legs: &Legs, suspect: bool| {
            let legs = legs.as_slice().iter().enumerate();
            let due = legs.filter(|(_, leg)| match suspect {
                // At once when it may be innocent: nothing was sent since.
                true => {
                    leg.suspect
                        && (leg.sent_through <= leg.suspected_after
                            && self.config.kind == LegKind::Turn
                            || leg.rested(self.config.suspect_interval, now))
                }
                false => {
                    !leg.suspect && leg.is_fresh() && leg.rested(self.config.fresh_interval, now)
                }
            });
            due.min_by_key(|(_, leg)| leg.turn).map(|(at, _)| at)
        };
        let fresh = |side, legs| Some((side, due(legs, false)?, ChoiceReason::ProbeFresh));
        let suspect = |side, legs| Some((side, due(legs, true)?, ChoiceReason::ProbeSuspect));
        fresh(Side::Local, &self.local)
            .or_else(|| fresh(Side::Peer, &self.peer))
            .or_else(|| suspect(Side::Local, &self.local))
            .or_else(|| suspect(Side::Peer, &self.peer))
    }

    fn take(&mut self, slot: SlotNumber, up: usize, down: usize, reason: ChoiceReason) -> Choice {
        self.turns += 1;
        let turn = self.turns;
        let touch = |legs: &mut Legs, at: usize, last: &mut Option<Fate>| {
            let leg = legs.iter_mut().nth(at)?;
            leg.turn = turn;
            if slot.0 % 2 == 1 {
                *last = leg.fate;
            }
            Some(leg.index)
        };
        let sender = touch(&mut self.local, up, &mut self.last_fate[0]);
        let sender = sender.expect("picked from this side's legs");
        let receiver = match self.config.kind {
            LegKind::Onion => sender,
            LegKind::Turn => touch(&mut self.peer, down, &mut self.last_fate[1])
                .expect("picked from that side's legs"),
        };
        Choice {
            path: Path { sender, receiver },
            reason,
        }
    }

    /// The packet of `slot` was handed to its leg at `now`. Not to be called for one that was
    /// dropped before.
    pub fn on_sent(&mut self, slot: SlotNumber, path: Path, now: Timestamp) {
        let sent = self.sent.push(slot, path, now);
        self.first_sent.get_or_insert(now);
        let halves = [
            self.local.get_mut(path.sender),
            self.peer.get_mut(path.receiver),
        ];
        for leg in halves.into_iter().flatten() {
            leg.sent += 1;
            leg.last_sent = Some(now);
            leg.sent_through = sent.order;
        }
    }

    /// An authentic packet of the peer came over `path`: its legs work.
    pub fn on_arrival(&mut self, path: Path, now: Timestamp) {
        self.arrivals.record(now);
        // Onion legs are one circuit, which both sides call by the same index.
        let halves = [
            self.local.get_mut(path.receiver),
            self.peer.get_mut(path.sender),
        ];
        for leg in halves.into_iter().flatten() {
            leg.seen = Some(now);
        }
    }

    /// The call's round trip; `None` before the first report.
    #[must_use]
    pub fn round_trip(&self) -> Option<RoundTrip> {
        self.round_trips.get()
    }

    /// What became of the peer's feedback.
    #[must_use]
    pub const fn counters(&self) -> Counters {
        self.counters
    }
}

impl Origin {
    const fn local_micros(self, at: Timestamp) -> i64 {
        at.signed_micros_since(self.local)
    }

    const fn peer_micros(self, at: MediaTime) -> i64 {
        at.signed_micros_since(self.peer)
    }
}

/// Orders legs that were never used; below any turn that is given later.
const fn first_turn(seed: u64, index: LegIndex) -> u64 {
    // splitmix64's finaliser: cheap, and neighbouring indices come out far apart.
    let mut mixed = seed ^ (index.0 as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    (mixed ^ (mixed >> 31)) % u32::MAX as u64
}
