//! Legs that come and go: what of it the peer is told, and what is made of what it tells.
//!
//! ```text
//!   our new TURN leg: allocated ──► the peer is told ──► it binds it, a packet comes ──► carries packets
//!   our old leg:      rests, the peer is told ──► what was on its way has come ──► is closed
//!   the peer's:       told ──► ours bind it                told ──► rests ──► ours forget it
//! ```
//!
//! A message about a leg rides in media packets, so their size, number and times do not show it.

use core::time::Duration;
use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use tacit_legs::{CandidateGate, CandidatePolicy, Peer, Roster};
use tacit_packet::ControlMessage;
use tacit_paths::Side;
use tacit_paths::limits::LEG_LINGER;
use tacit_types::{LegIndex, LegKind, Path, Redacted, Timestamp};

use super::MediaCore;
use super::media::MediaEvent;

/// A new leg of ours carries packets to a leg of the peer when one has come from there, which says that
/// the peer has bound it; or after this time: the peer may be waiting for the same.
const SHY: Duration = Duration::from_secs(3);

/// The legs of a call that are not simply there.
#[derive(Debug)]
pub(super) struct Legs {
    /// The peer's TURN legs.
    roster: Roster,
    gates: BTreeMap<LegIndex, CandidateGate>,
    newcomers: BTreeMap<LegIndex, Newcomer>,
    /// Our legs that carry nothing any more, and until when something may come; after that they are
    /// being closed.
    resting: BTreeMap<LegIndex, Option<Timestamp>>,
    /// The same of the peer's TURN legs, which are then forgotten.
    parting: BTreeMap<LegIndex, Timestamp>,
    /// Legs of ours that the peer is to be told are gone, once there is room in the lane.
    unsaid: BTreeSet<LegIndex>,
}

/// A TURN leg of ours that not all of the peer's may have bound.
#[derive(Debug, Default)]
struct Newcomer {
    /// The peer's legs that it has bound, and from which nothing has come.
    bound: BTreeSet<LegIndex>,
    /// When the peer was told, and so much later.
    shy_until: Option<Timestamp>,
}

impl Legs {
    pub(super) const fn new(candidates: CandidatePolicy) -> Self {
        Self {
            roster: Roster::new(candidates),
            gates: BTreeMap::new(),
            newcomers: BTreeMap::new(),
            resting: BTreeMap::new(),
            parting: BTreeMap::new(),
            unsaid: BTreeSet::new(),
        }
    }
}

impl MediaCore {
    /// The peer's candidates came by signaling. Returns those that our legs are to bind.
    pub fn begin_peers(&mut self, address: IpAddr, ports: &[u16]) -> Vec<Peer> {
        self.legs.roster.begin(address, ports)
    }

    /// The TURN legs that the peer has now: what a new one of ours is to bind.
    #[must_use]
    pub fn peers(&self) -> Vec<Peer> {
        self.legs.roster.peers()
    }

    /// Our leg `path.sender` can send to the peer's leg `path.receiver` from now on.
    pub fn add_path(&mut self, path: Path) {
        if self.kind == LegKind::Onion {
            if self.scheduler.add_path(path) {
                self.record.add(Side::Local, path.sender);
            }
            return;
        }
        // It may have gone while it was being bound.
        if !self.legs.roster.contains(path.receiver) || self.legs.resting.contains_key(&path.sender)
        {
            return;
        }
        if let Some(newcomer) = self.legs.newcomers.get_mut(&path.sender) {
            newcomer.bound.insert(path.receiver);
            return;
        }
        self.join(path);
    }

    /// Packets may take these two TURN legs together.
    fn join(&mut self, path: Path) {
        if self.scheduler.add_path(path) {
            self.record.add(Side::Local, path.sender);
            self.record.add(Side::Peer, path.receiver);
        }
        let gate = self.legs.gates.entry(path.receiver).or_default();
        self.scheduler.hold_peer_leg(path.receiver, !gate.is_open());
    }

    /// Our leg can no longer send to that leg of the peer, or never could.
    pub fn remove_path(&mut self, path: Path) {
        if let Some(newcomer) = self.legs.newcomers.get_mut(&path.sender) {
            newcomer.bound.remove(&path.receiver);
        }
        self.scheduler.remove_path(path);
        self.forget_legs();
    }

    /// A TURN leg of ours is being opened, with an index above all before.
    pub fn expect_leg(&mut self, leg: LegIndex) {
        self.legs.newcomers.insert(leg, Newcomer::default());
    }

    /// Tells the peer where the expected leg is reached. False if the peer cannot be told.
    pub fn introduce_leg(&mut self, leg: LegIndex, port: u16, now: Timestamp) -> bool {
        let Some(newcomer) = self.legs.newcomers.get_mut(&leg) else {
            return false;
        };
        let told = &mut newcomer.shy_until;
        let message = ControlMessage::LegAdded {
            leg,
            port: Redacted::new(port),
        };
        let taken = self.packetizer.send_control(message).is_ok();
        *told = taken.then_some(now + SHY);
        taken
    }

    fn say_gone(&mut self, leg: LegIndex) {
        if !self.send_control(ControlMessage::LegGone(leg)) {
            self.legs.unsaid.insert(leg);
        }
    }

    /// No packet takes this leg of ours any more, and the peer is told; what comes over it is taken
    /// until [`MediaEvent::LegRested`].
    pub fn rest_leg(&mut self, leg: LegIndex, now: Timestamp) {
        self.say_gone(leg);
        self.rest(leg, now);
    }

    fn rest(&mut self, leg: LegIndex, now: Timestamp) {
        self.scheduler.remove_local_leg(leg);
        self.legs.newcomers.remove(&leg);
        let until = Some(now + LEG_LINGER);
        self.legs.resting.entry(leg).or_insert(until);
        self.forget_legs();
    }

    /// One of our legs is gone; its index never comes back. The peer of a TURN leg is told unless it
    /// knows.
    pub fn remove_leg(&mut self, leg: LegIndex) {
        let rested = self.legs.resting.remove(&leg).is_some();
        let newcomer = self.legs.newcomers.remove(&leg);
        let told = newcomer.is_none_or(|newcomer| newcomer.shy_until.is_some());
        if self.kind == LegKind::Turn && told && !rested {
            self.say_gone(leg);
        }
        self.scheduler.remove_local_leg(leg);
        self.sealer.retire_sender_leg(leg);
        self.opener.retire_receiver_leg(leg);
        self.forget_legs();
    }

    fn forget_legs(&mut self) {
        let scheduler = &self.scheduler;
        self.record.keep(|side, leg| {
            let mut known = scheduler.legs();
            known.any(|status| status.side == side && status.index == leg)
        });
    }

    /// An authentic packet came over TURN legs.
    pub(super) fn came_over(&mut self, path: Path) {
        // Back in, if its few packets without an answer were used up.
        let gate = self.legs.gates.entry(path.sender).or_default();
        gate.on_authentic_packet();
        self.scheduler.hold_peer_leg(path.sender, false);
        let newcomer = self.legs.newcomers.get_mut(&path.receiver);
        if newcomer.is_some_and(|newcomer| newcomer.bound.remove(&path.sender)) {
            self.join(Path {
                sender: path.receiver,
                receiver: path.sender,
            });
        }
    }

    /// A packet went to a leg of the peer.
    pub(super) fn went_to(&mut self, leg: LegIndex) {
        if let Some(gate) = self.legs.gates.get_mut(&leg) {
            gate.spend();
            if !gate.is_open() {
                self.scheduler.hold_peer_leg(leg, true);
            }
        }
    }

    /// Our new leg carries packets to all that it has bound.
    fn welcome(&mut self, leg: LegIndex) {
        let Some(newcomer) = self.legs.newcomers.remove(&leg) else {
            return;
        };
        for receiver in newcomer.bound {
            self.add_path(Path {
                sender: leg,
                receiver,
            });
        }
    }

    /// The peer says that it has one more leg.
    pub(super) fn on_peer_leg_added(&mut self, leg: LegIndex, port: u16, now: Timestamp) {
        match self.legs.roster.add(leg, port, now) {
            Ok(peer) => self.event(MediaEvent::PeerLegAdded(peer)),
            Err(_) => self.drops.legs += 1,
        }
    }

    /// The peer says that it uses a leg no more.
    pub(super) fn on_peer_leg_gone(&mut self, leg: LegIndex, now: Timestamp) {
        let known = match self.kind {
            // The two ends of one stream are one leg.
            LegKind::Onion => self.scheduler.remove_local_leg(leg),
            LegKind::Turn => self.legs.roster.remove(leg).is_ok(),
        };
        if !known {
            self.drops.legs += 1;
            return;
        }
        match self.kind {
            LegKind::Onion => self.rest(leg, now),
            LegKind::Turn => {
                self.scheduler.remove_peer_leg(leg);
                self.legs.parting.insert(leg, now + LEG_LINGER);
                self.forget_legs();
            }
        }
    }

    /// Does what is due about legs; to be asked in every slot.
    pub(super) fn change_legs(&mut self, now: Timestamp) {
        while let Some(leg) = self.legs.unsaid.pop_first() {
            if !self.send_control(ControlMessage::LegGone(leg)) {
                self.legs.unsaid.insert(leg);
                break;
            }
        }
        // Where there is no other leg, nothing is lost by trying those that the peer was told of.
        let alone = self.scheduler.local_legs() == 0;
        let due = |(_, newcomer): &(&LegIndex, &Newcomer)| {
            newcomer
                .shy_until
                .is_some_and(|until| alone || until <= now)
        };
        while let Some(leg) = self.legs.newcomers.iter().find(due).map(|(leg, _)| *leg) {
            self.welcome(leg);
        }
        let over = |(_, until): &(&LegIndex, &Option<Timestamp>)| until.is_some_and(|u| u <= now);
        while let Some(leg) = self.legs.resting.iter().find(over).map(|(leg, _)| *leg) {
            // It is still there: its owner closes it, and says when it is gone.
            self.legs.resting.insert(leg, None);
            self.event(MediaEvent::LegRested(leg));
        }
        let over = |(_, until): &(&LegIndex, &Timestamp)| **until <= now;
        while let Some(leg) = self.legs.parting.iter().find(over).map(|(leg, _)| *leg) {
            self.legs.parting.remove(&leg);
            self.legs.roster.forget(leg);
            self.legs.gates.remove(&leg);
            self.sealer.retire_receiver_leg(leg);
            self.opener.retire_sender_leg(leg);
            self.event(MediaEvent::PeerLegGone(leg));
        }
    }
}
