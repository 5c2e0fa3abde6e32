//! The scheduler: a function of its state, what it is told, the time and a seed.

mod feedback;
mod status;

pub use status::BestChange;

use tacit_packet::MediaTime;
use tacit_types::{LegIndex, LegKind, Path, SlotNumber, Timestamp};

use crate::arrivals::{Arrivals, Caution};
use crate::config::Config;
use crate::leg::{Fate, Leg, Legs, Side};
use crate::limits::LEGS;
use crate::pairs::Pairs;
use crate::ranking::{Ranking, Want, Yardstick};
use crate::round_trip::{RoundTrip, RoundTrips};
use crate::sent::SentLog;

/// Why a packet takes its path.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ChoiceReason {
    /// The leg with the lowest delay, or one as good.
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
    pairs: Pairs,
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
            pairs: Pairs::default(),
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

    /// Our leg `path.sender` can send to the peer's leg `path.receiver` from now on: an onion leg is
    /// up, or a TURN channel is bound. False if that is known already, there is no room, or an onion
    /// leg would not end at itself.
    pub fn add_path(&mut self, path: Path) -> bool {
        let Path { sender, receiver } = path;
        match self.config.kind {
            LegKind::Onion => sender == receiver && self.add_leg(Side::Local, sender),
            LegKind::Turn => {
                let room = |legs: &Legs, index| legs.get(index).is_some() || !legs.is_full();
                if !room(&self.local, sender) || !room(&self.peer, receiver) {
                    return false;
                }
                self.add_leg(Side::Local, sender);
                self.add_leg(Side::Peer, receiver);
                let leg = self.local.get_mut(sender);
                leg.is_some_and(|leg| leg.reach.insert(receiver))
            }
        }
    }

    fn add_leg(&mut self, side: Side, index: LegIndex) -> bool {
        let (legs, seed) = match side {
            Side::Local => (&mut self.local, self.seed),
            Side::Peer => (&mut self.peer, !self.seed),
        };
        let added = legs.add(Leg::new(index, first_turn(seed, index)));
        if added {
            self.pairs.forget();
        }
        added
    }

    /// Our leg can no longer send to that leg of the peer. A leg of either side that has no path left
    /// is forgotten.
    pub fn remove_path(&mut self, path: Path) -> bool {
        if self.config.kind == LegKind::Onion {
            return path.sender == path.receiver && self.remove_local_leg(path.sender);
        }
        let leg = self.local.get_mut(path.sender);
        let removed = leg.is_some_and(|leg| leg.reach.remove(path.receiver));
        if removed {
            self.drop_unreachable();
        }
        removed
    }

    /// A leg of ours is gone, and all its paths. What is still unacknowledged on it is forgotten.
    pub fn remove_local_leg(&mut self, index: LegIndex) -> bool {
        let removed = self.local.remove(index);
        if removed {
            self.drop_unreachable();
        }
        removed
    }

    /// A leg of the peer is gone, and all paths to it. TURN only.
    pub fn remove_peer_leg(&mut self, index: LegIndex) -> bool {
        for leg in self.local.iter_mut() {
            leg.reach.remove(index);
        }
        let removed = self.peer.remove(index);
        if removed {
            self.drop_unreachable();
        }
        removed
    }

    fn drop_unreachable(&mut self) {
        if self.config.kind == LegKind::Turn {
            self.local.retain(|leg| !leg.reach.is_empty());
            let local = &self.local;
            self.peer.retain(|peer| local.reaches(peer.index));
        }
        self.pairs.forget();
    }

    /// A leg of the peer has had as many packets as it may have before it answers (or has answered):
    /// while it is held, no packet goes to it. TURN only.
    pub fn hold_peer_leg(&mut self, index: LegIndex, held: bool) {
        if let Some(leg) = self.peer.get_mut(index) {
            leg.held = held;
        }
    }

    /// A leg of ours did not take the packet of `slot`: [`choose`](Self::choose) for the same slot
    /// passes it over.
    pub fn on_refused(&mut self, slot: SlotNumber, index: LegIndex) {
        if let Some(leg) = self.local.get_mut(index) {
            leg.refused = Some(slot);
        }
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

    /// The path of this slot's packet; `None` if no leg can take it. Nothing is spent before
    /// [`on_sent`](Self::on_sent): if the leg refuses, say so and choose again.
    pub fn choose(&mut self, slot: SlotNumber, now: Timestamp) -> Option<Choice> {
        self.update_suspects();
        let caution = self.arrivals.caution(now);
        let (local, peer) = self.rankings(slot, caution, now)?;
        let healthy = match self.config.kind {
            LegKind::Turn => local.healthy().min(peer.healthy()),
            LegKind::Onion => local.healthy(),
        };
        let (want, reason) = self.want(slot, healthy, caution, now);
        if let Some(probe) = self.probe(slot, want, [&local, &peer], healthy, now) {
            return Some(probe);
        }
        let up = self.pick_local(&local, want)?;
        let down = match self.config.kind {
            LegKind::Turn => self.pick_peer(&local, &self.reached(&peer, up), up, want)?,
            LegKind::Onion => up,
        };
        Some(self.choice(up, down, reason))
    }

    /// The legs that can be used in this slot; `None` if none can.
    fn rankings(
        &self,
        slot: SlotNumber,
        caution: Caution,
        now: Timestamp,
    ) -> Option<(Ranking, Ranking)> {
        let turn = self.config.kind == LegKind::Turn;
        let yardstick = self.yardstick(caution, now);
        let open = |index| self.peer.get(index).is_some_and(|leg| !leg.held);
        let takes = |leg: &Leg| leg.refused != Some(slot);
        let peers = || self.peer.as_slice().iter().map(|peer| peer.index);
        let reaches_one = |leg: &Leg| peers().any(|peer| leg.reach.contains(peer) && open(peer));
        let local = Ranking::new(&self.local, &yardstick, |leg| {
            takes(leg) && (!turn || reaches_one(leg))
        });
        let reached = |peer: &Leg| {
            let mut local = self.local.as_slice().iter();
            local.any(|leg| takes(leg) && leg.reach.contains(peer.index))
        };
        let peer = Ranking::new(&self.peer, &yardstick, |leg| !leg.held && reached(leg));
        let none = local.is_empty() || turn && peer.is_empty();
        (!none).then_some((local, peer))
    }

    fn yardstick(&self, caution: Caution, now: Timestamp) -> Yardstick {
        let halves = match self.config.kind {
            LegKind::Turn => 2.0,
            LegKind::Onion => 1.0,
        };
        Yardstick {
            caution,
            alike: self.config.alike.as_secs_f64() * 1e6 / halves,
            now,
        }
    }

    /// The peer's legs that the local leg at `up` reaches.
    fn reached(&self, peer: &Ranking, up: usize) -> Ranking {
        let reach = self.local.as_slice()[up].reach;
        peer.among(|at| reach.contains(self.peer.as_slice()[at].index))
    }

    /// The local legs that reach the peer's leg at `down`.
    fn reaching(&self, local: &Ranking, down: usize) -> Ranking {
        let index = self.peer.as_slice()[down].index;
        local.among(|at| self.local.as_slice()[at].reach.contains(index))
    }

    fn pick_local(&self, local: &Ranking, want: Want) -> Option<usize> {
        let avoid = avoid(&self.local, local, want, self.last_fate[0]);
        local.pick(&self.local, want, self.config.reserve, avoid)
    }

    fn pick_peer(&self, local: &Ranking, peer: &Ranking, up: usize, want: Want) -> Option<usize> {
        let cross = match want {
            Want::Any => {
                // By turns like the other half, but one further in each round: in step with it, the
                // same few pairs would be tried over and over, and all of them may be bad.
                let (mine, theirs) = (local.positions().len(), peer.positions().len());
                let turn = usize::try_from(self.turns).unwrap_or(0);
                let mut positions = [0; LEGS];
                positions[..theirs].copy_from_slice(peer.positions());
                positions[..theirs].sort_unstable();
                return positions[..theirs]
                    .get((turn / mine + turn % mine) % theirs.max(1))
                    .copied();
            }
            // Crossing the second and third halves keeps the two sides' delays apart.
            Want::Second => Want::Third,
            Want::Third => Want::Second,
            other => other,
        };
        let avoid = avoid(&self.peer, peer, cross, self.last_fate[1]);
        let pair = |down| self.pairs.turn(up, down);
        peer.pick_paired(&self.peer, cross, self.config.reserve, avoid, pair)
    }

    fn choice(&self, up: usize, down: usize, reason: ChoiceReason) -> Choice {
        let sender = self.local.as_slice()[up].index;
        let receiver = match self.config.kind {
            LegKind::Onion => sender,
            LegKind::Turn => self.peer.as_slice()[down].index,
        };
        Choice {
            path: Path { sender, receiver },
            reason,
        }
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

    /// A path that this slot should measure instead of what the pattern asks for.
    fn probe(
        &self,
        slot: SlotNumber,
        want: Want,
        [local, peer]: [&Ranking; 2],
        healthy: usize,
        now: Timestamp,
    ) -> Option<Choice> {
        let allowed = match want {
            Want::Second | Want::Third => true,
            // With so few known, the reserve is made of the unknown.
            Want::Reserve | Want::Slow => healthy < 4 && slot.0 % 2 == 1,
            Want::Best | Want::Any => false,
        };
        if !allowed {
            return None;
        }
        let due = |legs: &Legs, ranking: &Ranking, due: &dyn Fn(&Leg) -> bool| {
            let legs = legs.as_slice();
            let due = ranking.positions().iter().filter(|&&at| due(&legs[at]));
            due.min_by_key(|&&at| legs[at].turn).copied()
        };
        let fresh = |leg: &Leg| {
            !leg.suspect && leg.is_fresh() && leg.rested(self.config.fresh_interval, now)
        };
        let suspect = |leg: &Leg| {
            // At once when it may be innocent: nothing was sent since.
            let untried =
                leg.sent_through <= leg.suspected_after && self.config.kind == LegKind::Turn;
            leg.suspect && (untried || leg.rested(self.config.suspect_interval, now))
        };
        let fresh: (&dyn Fn(&Leg) -> bool, _) = (&fresh, ChoiceReason::ProbeFresh);
        let suspect: (&dyn Fn(&Leg) -> bool, _) = (&suspect, ChoiceReason::ProbeSuspect);
        for (is_due, reason) in [fresh, suspect] {
            // The other half is the best one: it is used so often that it is not blamed for long.
            if let Some(up) = due(&self.local, local, is_due) {
                let down = match self.config.kind {
                    LegKind::Turn => self.reached(peer, up).first()?,
                    LegKind::Onion => up,
                };
                return Some(self.choice(up, down, reason));
            }
            if let Some(down) = due(&self.peer, peer, is_due) {
                let up = self.reaching(local, down).first()?;
                return Some(self.choice(up, down, reason));
            }
        }
        None
    }

    /// The packet of `slot` was taken by its leg at `now`. Not to be called for one that was
    /// dropped before.
    pub fn on_sent(&mut self, slot: SlotNumber, path: Path, now: Timestamp) {
        let sent = self.sent.push(slot, path, now);
        self.first_sent.get_or_insert(now);
        self.turns += 1;
        let halves = [
            self.local.get_mut(path.sender),
            self.peer.get_mut(path.receiver),
        ];
        for (leg, last_fate) in halves.into_iter().zip(&mut self.last_fate) {
            let Some(leg) = leg else { continue };
            leg.sent += 1;
            leg.last_sent = Some(now);
            leg.sent_through = sent.order;
            leg.turn = self.turns;
            if slot.0 % 2 == 1 {
                *last_fate = leg.fate;
            }
        }
        let local = self.local.position(path.sender);
        if let Some((up, down)) = local.zip(self.peer.position(path.receiver)) {
            self.pairs.used(up, down, self.turns);
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

/// The fates that a slot should not share: with odd slots the best leg's, and the last odd slot's.
fn avoid(legs: &Legs, ranking: &Ranking, want: Want, last: Option<Fate>) -> [Option<Fate>; 2] {
    let best = ranking.first().filter(|_| want != Want::Best);
    [best.and_then(|at| legs.as_slice()[at].fate), last]
}

/// Orders legs that were never used; below any turn that is given later.
const fn first_turn(seed: u64, index: LegIndex) -> u64 {
    // splitmix64's finaliser: cheap, and neighbouring indices come out far apart.
    let mut mixed = seed ^ (index.0 as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    (mixed ^ (mixed >> 31)) % u32::MAX as u64
}
