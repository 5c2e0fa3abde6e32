//! The scheduler: a function of its state, what it is told, the time and a seed.

mod choose;
mod early;
mod feedback;
mod status;
mod words;
mod worst;

pub use status::BestChange;
pub use worst::Fault;

use tacit_packet::MediaTime;
use tacit_types::{LegIndex, LegKind, Path, SlotNumber, Timestamp};

use crate::arrivals::Arrivals;
use crate::config::Config;
use crate::leg::{Fate, Leg, Legs, Side};
use crate::pairs::Pairs;
use crate::round_trip::{RoundTrip, RoundTrips};
use crate::sent::SentLog;
use early::Early;

/// Why a packet takes its path.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ChoiceReason {
    /// The path with the lowest expected delay.
    Best,
    /// The cheapest one: those that are faster have just had packets, or have some overdue.
    Rested,
    /// A path that seems slower, and may have become faster: it was not measured for a while.
    Remeasure,
    /// A leg without measurement.
    ProbeFresh,
    /// A suspect that has rested: does it still work?
    ProbeSuspect,
    /// Nothing is known about any leg, or the peer tells nothing: all legs take turns.
    Blind,
    /// Every leg that could take it is suspect: all take turns.
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
    /// How often all legs were found to be faster by as much at once, which changes nothing between
    /// them: the peer's clock fell behind, or congestion is over that all shared.
    pub shifted: u64,
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
    round_trips: RoundTrips,
    early: Early,
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
            round_trips: RoundTrips::default(),
            early: Early::default(),
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
        let leg = Leg::new(index, first_turn(seed, index), self.sent.newest());
        let added = legs.add(leg);
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

    /// Our legs that have a path.
    pub fn local_legs(&self) -> usize {
        self.local.as_slice().len()
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

    /// The packet of `slot` was taken by its leg at `now`. Not to be called for one that was
    /// dropped before.
    pub fn on_sent(&mut self, slot: SlotNumber, path: Path, now: Timestamp) {
        self.sent.push(slot, path, now);
        self.first_sent.get_or_insert(now);
        self.turns += 1;
        let halves = [
            self.local.get_mut(path.sender),
            self.peer.get_mut(path.receiver),
        ];
        for leg in halves.into_iter().flatten() {
            leg.sent += 1;
            leg.first_sent.get_or_insert(now);
            leg.last_sent = Some(now);
            leg.turn = self.turns;
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

/// Orders legs that were never used; below any turn that is given later.
const fn first_turn(seed: u64, index: LegIndex) -> u64 {
    // splitmix64's finaliser: cheap, and neighbouring indices come out far apart.
    let mut mixed = seed ^ (index.0 as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    (mixed ^ (mixed >> 31)) % u32::MAX as u64
}
