//! One leg as the scheduler knows it.

use core::time::Duration;

use tacit_types::{LegIndex, SlotNumber, Timestamp};

use crate::delay::Delay;
use crate::leg_set::LegSet;
use crate::limits::LEGS;

/// Whose leg it is. Onion legs belong to both and are listed as local ones.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Side {
    /// A leg on which we write.
    Local,
    /// A leg on which the peer reads; TURN only.
    Peer,
}

/// Legs with the same number are expected to stall together, for example because they share a
/// relay. The number itself means nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Fate(pub u32);

/// What the latency meter shows of a leg.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct LegStatus {
    /// Whose leg it is.
    pub side: Side,
    /// Its index on that side.
    pub index: LegIndex,
    /// Delay above the fastest leg of its side; `None` until a packet on it was acknowledged.
    pub relative_delay: Option<Duration>,
    /// Mean deviation from the expected delay.
    pub noise: Duration,
    /// Whether its oldest unacknowledged packet is overdue.
    pub suspect: bool,
    /// Whether it has had as many packets as it may have before it answers.
    pub held: bool,
    /// Packets sent on it.
    pub sent: u64,
    /// Packets on it that the peer reported.
    pub acknowledged: u64,
    /// Share of the packets of the last ten seconds that should have arrived by what the peer has
    /// told, and did not; `None` without any. What is late only counts until it comes.
    pub loss: Option<f32>,
    /// How far its oldest unacknowledged packet is beyond its expected arrival, by what the peer
    /// has told so far.
    pub overdue: Duration,
    /// How often it became suspect.
    pub suspected: u64,
}

#[derive(Clone, Debug)]
pub(crate) struct Leg {
    pub(crate) index: LegIndex,
    pub(crate) fate: Option<Fate>,
    /// The peer's legs that this one can send to. Empty with onion legs and on the peer's side.
    pub(crate) reach: LegSet,
    /// The peer's leg has had what it may have before it answers.
    pub(crate) held: bool,
    /// The slot whose packet it did not take.
    pub(crate) refused: Option<SlotNumber>,
    pub(crate) delay: Delay,
    /// Order of the last packet before the leg came: those are another leg's, whatever its index.
    pub(crate) born_after: u64,
    /// Order of the latest-sent packet that was acknowledged.
    pub(crate) acknowledged_through: u64,
    /// When the peer last told of a packet on it for the first time.
    pub(crate) acknowledged_at: Option<Timestamp>,
    /// Since when it carries packets, or since when they are measured by clocks that have not stepped.
    pub(crate) first_sent: Option<Timestamp>,
    pub(crate) last_sent: Option<Timestamp>,
    /// When a packet of the peer last came over it.
    pub(crate) seen: Option<Timestamp>,
    /// For rotation: when it was last used; seeded so that legs start in random order.
    pub(crate) turn: u64,
    pub(crate) suspect: bool,
    /// By how much its oldest unacknowledged packet is later than it usually would be, microseconds.
    pub(crate) late: f64,
    pub(crate) sent: u64,
    pub(crate) acknowledged: u64,
    pub(crate) suspected: u64,
}

impl Leg {
    pub(crate) const fn new(index: LegIndex, turn: u64, born_after: u64) -> Self {
        Self {
            index,
            fate: None,
            reach: LegSet::EMPTY,
            held: false,
            refused: None,
            delay: Delay::unknown(),
            born_after,
            acknowledged_through: born_after,
            acknowledged_at: None,
            first_sent: None,
            last_sent: None,
            seen: None,
            turn,
            suspect: false,
            late: 0.0,
            sent: 0,
            acknowledged: 0,
            suspected: 0,
        }
    }

    pub(crate) const fn is_fresh(&self) -> bool {
        !self.delay.is_measured()
    }

    /// For how long nothing was sent on it; `None` if nothing ever was.
    pub(crate) fn rest(&self, now: Timestamp) -> Option<Duration> {
        self.last_sent.map(|at| now.saturating_since(at))
    }

    /// For how long it has carried packets.
    pub(crate) fn age(&self, now: Timestamp) -> Duration {
        let since = |at| now.saturating_since(at);
        self.first_sent.map_or(Duration::ZERO, since)
    }

    /// Whether nothing was sent on it for `interval`.
    pub(crate) fn rested(&self, interval: Duration, now: Timestamp) -> bool {
        self.rest(now).is_none_or(|rest| rest >= interval)
    }
}

/// The legs of one side, by index.
#[derive(Clone, Debug)]
pub(crate) struct Legs {
    legs: Vec<Leg>,
    /// Position of each index, or [`NOWHERE`].
    positions: [u8; 256],
}

const NOWHERE: u8 = u8::MAX;
const _: () = assert!(LEGS < NOWHERE as usize, "a position fits in a byte");

impl Default for Legs {
    fn default() -> Self {
        Self {
            legs: Vec::with_capacity(LEGS),
            positions: [NOWHERE; 256],
        }
    }
}

impl Legs {
    /// False when there is no room or the leg is known already.
    pub(crate) fn add(&mut self, leg: Leg) -> bool {
        if self.is_full() || self.get(leg.index).is_some() {
            return false;
        }
        let at = self.legs.partition_point(|other| other.index < leg.index);
        self.legs.insert(at, leg);
        self.renumber();
        true
    }

    fn renumber(&mut self) {
        self.positions = [NOWHERE; 256];
        for (position, leg) in (0u8..).zip(&self.legs) {
            self.positions[usize::from(leg.index.0)] = position;
        }
    }

    pub(crate) fn remove(&mut self, index: LegIndex) -> bool {
        let before = self.legs.len();
        self.legs.retain(|leg| leg.index != index);
        self.renumber();
        self.legs.len() < before
    }

    pub(crate) const fn is_full(&self) -> bool {
        self.legs.len() == LEGS
    }

    pub(crate) fn retain(&mut self, keep: impl Fn(&Leg) -> bool) {
        self.legs.retain(keep);
        self.renumber();
    }

    /// Whether one of these legs reaches that leg of the peer.
    pub(crate) fn reaches(&self, peer: LegIndex) -> bool {
        self.legs.iter().any(|leg| leg.reach.contains(peer))
    }

    pub(crate) fn position(&self, index: LegIndex) -> Option<usize> {
        let position = self.positions[usize::from(index.0)];
        (position != NOWHERE).then_some(usize::from(position))
    }

    pub(crate) fn get(&self, index: LegIndex) -> Option<&Leg> {
        self.legs.get(self.position(index)?)
    }

    pub(crate) fn get_mut(&mut self, index: LegIndex) -> Option<&mut Leg> {
        let position = self.position(index)?;
        self.legs.get_mut(position)
    }

    /// Position of the leg, if a packet of this order on it that has not arrived speaks against it:
    /// nothing sent later has arrived.
    pub(crate) fn accused(&self, index: LegIndex, order: u64) -> Option<usize> {
        let at = self.position(index)?;
        (order > self.legs[at].acknowledged_through).then_some(at)
    }

    /// Makes exactly the legs of these positions suspect, and says how late each is. Who is not to
    /// blame is not late by more than `patience`.
    pub(crate) fn judge(&mut self, suspects: u16, late: &[f64; LEGS], patience: f64) {
        for (at, (leg, late)) in self.legs.iter_mut().zip(late).enumerate() {
            let suspect = suspects & (1 << at) != 0;
            leg.suspected += u64::from(suspect && !leg.suspect);
            leg.suspect = suspect;
            leg.late = if suspect { *late } else { late.min(patience) };
        }
    }

    pub(crate) fn as_slice(&self) -> &[Leg] {
        &self.legs
    }

    pub(crate) fn iter_mut(&mut self) -> impl Iterator<Item = &mut Leg> {
        self.legs.iter_mut()
    }
}
