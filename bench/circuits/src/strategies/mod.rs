//! Who sends what where: the strategies that are compared, behind one trait.
//!
//! | name | packets | what it does |
//! |---|---|---|
//! | `single` | 40 ms | one circuit |
//! | `torfone` | 40 ms | every packet on both of two circuits |
//! | `donar-alternate` | 40 ms | 12 links, 3 fast and 3 slow, by turns |
//! | `donar-double` | 40 ms | the same, every packet on a fast and on a slow one |
//! | `tacit` | 20 ms | the production scheduler |
//! | `oracle` | 20 ms | each packet on the path on which it really arrives first |
//! | `bound` | 20 ms | the same if packets did not disturb each other: out of reach |
//! | `told-levels`, `told-stalls` | 20 ms | no contestants: `tacit`, told how good circuits are ([`Told`]) |
//!
//! The baselines are written from the published descriptions (Donar: NSDI 2022 and its slides; TorFone:
//! its documentation), in our own code.

mod donar;
mod fixed;
mod opener;
mod oracle;
mod tacit;
mod told;

use core::fmt;
use core::str::FromStr;
use core::time::Duration;

use tacit_packet::limits::REPORT_SLOTS;
use tacit_packet::{MediaTime, Reports};
use tacit_types::limits::FRAME_DURATION;
use tacit_types::{Path, Timestamp};

use self::oracle::{Disturbance, Oracle};
use crate::network::{Network, Side};
use crate::scenario::{Client, Scenario};

/// Copies of one packet that go out at once, at most.
pub const COPIES: usize = 2;

/// What is in a strategy's packets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Contents {
    /// Time between packets, which is also what a packet holds of new media.
    pub interval: Duration,
    /// Frames that are new in each.
    pub new: u32,
    /// Those before its newest that each has beside it; `None`: as many as there is room for.
    pub older: Option<Older>,
}

impl Contents {
    /// One frame that is new, and so many before it.
    #[must_use]
    pub const fn plain(interval: Duration, older: Older) -> Self {
        Self {
            interval,
            new: 1,
            older: Some(older),
        }
    }

    /// Ours: frames of 20 ms, so many of them new.
    fn filled(new: u32) -> Self {
        Self {
            interval: FRAME_DURATION * new,
            new,
            older: None,
        }
    }

    /// How long a frame is.
    #[must_use]
    pub fn frame(&self) -> Duration {
        self.interval / self.new.max(1)
    }

    /// The newest frame of a packet.
    #[must_use]
    pub const fn newest(&self, packet: u32) -> u32 {
        packet
            .saturating_add(1)
            .saturating_mul(self.new)
            .saturating_sub(1)
    }
}

/// Frames before the newest that are in a packet too: bit `k` is the one that is `k + 1` older.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Older(pub u8);

impl Older {
    /// None.
    pub const NONE: Self = Self(0);

    /// All frames of the packet whose newest is `newest`, that one first.
    pub fn frames(self, newest: u32) -> impl DoubleEndedIterator<Item = u32> {
        let has = move |back: &u32| *back == 0 || self.0 >> (back - 1) & 1 == 1;
        let number = move |back: u32| newest.checked_sub(back);
        (0..=u8::BITS).filter(has).filter_map(number)
    }
}

/// What a packet holds beside its newest frame.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Packed {
    /// These frames.
    pub older: Older,
    /// DRED of the newest.
    pub dred: bool,
}

impl Packed {
    /// Nothing that was not published: frames alone.
    #[must_use]
    pub const fn plain(older: Older) -> Self {
        Self { older, dred: false }
    }
}

/// A packet of ours that is being put together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Unpacked {
    /// Its newest frame.
    pub newest: u32,
    /// Frames that are in no packet before it.
    pub new: u32,
    /// Reports in it.
    pub reports: usize,
}

impl Unpacked {
    /// What there mostly is room for in speech (docs/decisions/0015): the newest and four before it
    /// where one frame is new, and without DRED five where two are.
    #[must_use]
    pub const fn usual(&self) -> Packed {
        let older = Older(if self.new > 1 { 0b1_1111 } else { 0b1111 });
        Packed {
            older,
            dred: self.new <= 1,
        }
    }
}

/// The paths of one packet.
#[derive(Clone, Copy, Debug, Default)]
pub struct Copies {
    paths: [Option<Path>; COPIES],
    arrives: Option<Timestamp>,
}

impl Copies {
    /// One more copy; false if there is no room.
    pub fn push(&mut self, path: Path) -> bool {
        let free = self.paths.iter_mut().find(|slot| slot.is_none());
        free.map(|slot| *slot = Some(path)).is_some()
    }

    /// One copy, of which it is known when it arrives: the bound's.
    #[must_use]
    pub const fn foreseen(path: Path, arrives: Timestamp) -> Self {
        Self {
            paths: [Some(path), None],
            arrives: Some(arrives),
        }
    }

    /// Where the copies go.
    pub fn iter(&self) -> impl Iterator<Item = Path> {
        self.paths.into_iter().flatten()
    }

    /// When they arrive, if that is known.
    #[must_use]
    pub const fn arrives(&self) -> Option<Timestamp> {
        self.arrives
    }
}

/// Links that Donar can have, and with them every table of this module.
pub const LINKS: usize = 16;

/// What a packet tells the other side beside its audio.
#[derive(Clone, Copy, Debug)]
pub enum Note {
    /// Nothing.
    Nothing,
    /// Tacit: arrivals on the sender's side, as the production packets carry them.
    Arrivals {
        /// The sender's media clock.
        sent_at: MediaTime,
        /// The arrivals.
        reports: Reports,
    },
    /// Donar: the sender's score of each link, in ms, and the links of its last packets.
    Scores {
        /// By link; `None` where nothing is known.
        scores: [Option<f32>; LINKS],
        /// The links of the packets before this one, newest first.
        past: [[Option<u8>; COPIES]; PAST_LINKS],
    },
}

impl Note {
    /// Reports of arrivals that take room in the packet; what foresees everything is taken to have as
    /// many as there are usually: one comes in each slot, and is told for so many slots.
    pub(crate) fn reports(&self) -> usize {
        match self {
            Self::Arrivals { reports, .. } => reports.as_slice().len(),
            Self::Nothing | Self::Scores { .. } => REPORT_SLOTS as usize,
        }
    }
}

/// Donar tells the links of half as many packets as there are links.
pub const PAST_LINKS: usize = 6;

/// A packet that arrives.
#[derive(Clone, Copy, Debug)]
pub struct Received<'a> {
    /// Its number, from 0.
    pub packet: u32,
    /// The path it took, named from its sender's side.
    pub path: Path,
    /// What it tells.
    pub note: &'a Note,
}

/// One side's half of a strategy. The two sides of a call never see each other's state, only packets.
pub trait Strategy {
    /// What is in its packets.
    fn contents(&self) -> Contents;

    /// The Tor client that it has, unless the scenario says otherwise.
    fn client(&self) -> Client {
        Client::Tacit
    }

    /// Where packet number `packet` goes. Only `oracle` and `bound` look at the network.
    fn send(&mut self, packet: u32, network: &mut Network, now: Timestamp) -> Copies;

    /// What the packet that is sent now tells the other side.
    fn note(&mut self, now: Timestamp) -> Note;

    /// A copy of a packet of the other side has arrived.
    fn receive(&mut self, packet: Received<'_>, now: Timestamp);

    /// A circuit of `side` has failed, or another is up in its place.
    fn leg_changed(&mut self, side: Side, leg: u8, up: bool, now: Timestamp);

    /// A circuit of this side that should give way to a new one, which is built first. Asked after
    /// every packet.
    fn replace(&mut self, _now: Timestamp) -> Option<u8> {
        None
    }

    /// The new one has taken its place, and its index.
    fn replaced(&mut self, _leg: u8, _now: Timestamp) {}
}

/// The strategies by name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// One circuit.
    Single,
    /// Two circuits, everything on both.
    Torfone,
    /// Donar, one copy.
    DonarAlternate,
    /// Donar, two copies.
    DonarDouble,
    /// The production scheduler.
    Tacit,
    /// The path on which the packet really arrives first, known beforehand.
    Oracle,
    /// The path on which it would if it were the only one.
    Bound,
    /// The production scheduler, told what it would have to learn.
    Told(Told),
}

/// What `tacit`'s scheduler is told of its circuits by the simulator, to see what knowing it is worth: no
/// call can know it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Told {
    /// The stalls that have begun too, beside how long queues are over seconds and minutes: then nothing
    /// is learnt from the peer any more. Never what is new with each packet.
    pub stalls: bool,
    /// By how many ms it is out of date.
    pub late: u16,
}

impl Told {
    /// Levels, and levels and stalls, at once.
    pub const BOTH: [Self; 2] = [Self::now(false), Self::now(true)];

    const fn now(stalls: bool) -> Self {
        Self { stalls, late: 0 }
    }

    const LEVELS: &str = "told-levels";
    const STALLS: &str = "told-stalls";

    fn parse(text: &str) -> Option<Self> {
        let (stalls, rest) = match text.strip_prefix(Self::LEVELS) {
            Some(rest) => (false, rest),
            None => (true, text.strip_prefix(Self::STALLS)?),
        };
        let late = match rest.strip_prefix('-') {
            Some(late) => late.parse().ok()?,
            None if rest.is_empty() => 0,
            None => return None,
        };
        Some(Self { stalls, late })
    }
}

impl fmt::Display for Told {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = if self.stalls {
            Self::STALLS
        } else {
            Self::LEVELS
        };
        f.write_str(name)?;
        if self.late > 0 {
            write!(f, "-{}", self.late)?;
        }
        Ok(())
    }
}

impl Kind {
    /// All that are compared, in the order in which they are shown.
    pub const ALL: [Self; 7] = [
        Self::Single,
        Self::Torfone,
        Self::DonarAlternate,
        Self::DonarDouble,
        Self::Tacit,
        Self::Oracle,
        Self::Bound,
    ];

    /// One side of a call with this strategy.
    #[must_use]
    pub fn start(self, side: Side, scenario: &Scenario, seed: u64) -> Box<dyn Strategy> {
        match self {
            Self::Single => Box::new(fixed::Fixed::new(1)),
            Self::Torfone => Box::new(fixed::Fixed::new(2)),
            Self::DonarAlternate => {
                Box::new(donar::Donar::new(donar::Policy::Alternate, scenario.legs))
            }
            Self::DonarDouble => Box::new(donar::Donar::new(donar::Policy::Double, scenario.legs)),
            Self::Tacit => Box::new(tacit::Tacit::new(side, scenario, seed)),
            Self::Oracle => Box::new(Oracle::new(Disturbance::Real, side, scenario)),
            Self::Bound => Box::new(Oracle::new(Disturbance::None, side, scenario)),
            Self::Told(told) => Box::new(told::Informed::new(told, side, scenario, seed)),
        }
    }

    /// How many of a side's circuits it has: the scenario's, unless it was published with fewer.
    #[must_use]
    pub fn circuits(self, legs: usize) -> usize {
        match self {
            Self::Single => legs.min(1),
            Self::Torfone => legs.min(2),
            _ => legs,
        }
    }

    /// Names of all that there are.
    fn known() -> String {
        let names = Self::ALL.map(|kind| kind.to_string()).join(", ");
        let (levels, stalls) = (Told::LEVELS, Told::STALLS);
        format!("{names}, {levels} and {stalls} (-MS: so much later)")
    }

    /// Packets a second and direction, copies counted.
    #[must_use]
    pub const fn cells_per_second(self) -> u32 {
        match self {
            Self::Single | Self::DonarAlternate => 25,
            Self::Torfone
            | Self::DonarDouble
            | Self::Tacit
            | Self::Oracle
            | Self::Bound
            | Self::Told(_) => 50,
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = match self {
            Self::Told(told) => return f.pad(&told.to_string()),
            Self::Single => "single",
            Self::Torfone => "torfone",
            Self::DonarAlternate => "donar-alternate",
            Self::DonarDouble => "donar-double",
            Self::Tacit => "tacit",
            Self::Oracle => "oracle",
            Self::Bound => "bound",
        };
        f.pad(name)
    }
}

/// No such strategy.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("unknown strategy '{0}': known are {known}", known = Kind::known())]
pub struct UnknownStrategy(String);

impl FromStr for Kind {
    type Err = UnknownStrategy;
    fn from_str(text: &str) -> Result<Self, UnknownStrategy> {
        let known = Self::ALL.into_iter().find(|kind| kind.to_string() == text);
        known
            .or_else(|| Told::parse(text).map(Self::Told))
            .ok_or_else(|| UnknownStrategy(text.to_owned()))
    }
}
