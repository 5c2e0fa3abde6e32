//! `told-levels` and `told-stalls`: what `tacit`'s policy gains by knowing circuits better.
//!
//! ```text
//!   simulator ── how long each half takes now ──► the production scheduler ──► path
//! ```
//!
//! The policy is production's, but that no leg has to be measured now and then (`stale_interval`); what
//! it would have to learn is known. With stalls told it is not given the peer's feedback at all; without,
//! it finds stalls by that, as ever.
//!
//! It is no bound: crowding that is made for it gains more, and a level leaves out what guards and exits
//! hold, of which a sender knows something.

use core::time::Duration;
use std::collections::VecDeque;

use tacit_paths::Config;
use tacit_types::{LegIndex, Timestamp};

use super::tacit::{Tacit, kind};
use super::{Contents, Copies, Note, Received, Strategy, Told};
use crate::circuit::Direction;
use crate::network::{Network, Side};
use crate::scenario::{Mode, Scenario};

/// What a half took at a moment.
#[derive(Clone, Copy, Debug)]
struct Level {
    side: Side,
    leg: u8,
    /// Which of the leg's circuits it was.
    circuit: u64,
    takes: Duration,
}

/// One side of a call whose scheduler is told.
pub(super) struct Informed {
    told: Told,
    side: Side,
    mode: Mode,
    legs: u8,
    tacit: Tacit,
    /// What was so at which moment, the newest last.
    past: VecDeque<(Timestamp, Vec<Level>)>,
}

impl Informed {
    pub(super) fn new(told: Told, side: Side, scenario: &Scenario, seed: u64) -> Self {
        let mut config = Config::new(kind(scenario.mode));
        config.stale_interval = Duration::MAX;
        Self {
            told,
            side,
            mode: scenario.mode,
            legs: u8::try_from(scenario.legs).unwrap_or(u8::MAX),
            tacit: Tacit::with(config, side, scenario, seed),
            past: VecDeque::new(),
        }
    }

    /// What the halves take that the scheduler has costs for.
    fn levels(&self, network: &mut Network, now: Timestamp) -> Vec<Level> {
        network.settle(self.side, now);
        let (up, down) = (
            (self.side, Direction::Up),
            (self.side.other(), Direction::Down),
        );
        let stalls = self.told.stalls;
        let mut half =
            |leg: u8, (side, direction)| network.level(side, LegIndex(leg), direction, now, stalls);
        let mut levels = Vec::with_capacity(2 * usize::from(self.legs));
        for leg in 0..self.legs {
            let (ours, theirs) = (half(leg, up), half(leg, down));
            match self.mode {
                Mode::Turn => levels.extend([(up.0, leg, ours), (down.0, leg, theirs)]),
                Mode::Onion => {
                    let whole = ours.zip(theirs).map(|(up, down)| up + down);
                    levels.push((up.0, leg, whole));
                }
            }
        }
        let level = |(side, leg, takes): (Side, u8, Option<Duration>)| {
            takes.map(|takes| Level {
                side,
                leg,
                circuit: network.generation(side, LegIndex(leg)),
                takes,
            })
        };
        levels.into_iter().filter_map(level).collect()
    }

    /// Tells the scheduler of circuits that are still the same.
    fn tell(&mut self, network: &mut Network, now: Timestamp) {
        let levels = self.levels(network, now);
        self.past.push_back((now, levels));
        let late = Duration::from_millis(u64::from(self.told.late));
        let old = |at: Timestamp| now.saturating_since(at) >= late;
        while self.past.get(1).is_some_and(|(at, _)| old(*at)) {
            self.past.pop_front();
        }
        let Some((_, levels)) = self.past.front().filter(|(at, _)| old(*at)) else {
            return;
        };
        for level in levels {
            if network.generation(level.side, LegIndex(level.leg)) == level.circuit {
                self.tacit
                    .assume_delay(level.side, level.leg, level.takes, now);
            }
        }
    }
}

impl Strategy for Informed {
    fn contents(&self) -> Contents {
        self.tacit.contents()
    }

    fn send(&mut self, packet: u32, network: &mut Network, now: Timestamp) -> Copies {
        self.tell(network, now);
        self.tacit.send(packet, network, now)
    }

    fn note(&mut self, now: Timestamp) -> Note {
        self.tacit.note(now)
    }

    fn receive(&mut self, packet: Received<'_>, now: Timestamp) {
        if self.told.stalls {
            self.tacit.note_arrival(&packet, now);
        } else {
            self.tacit.receive(packet, now);
        }
    }

    fn leg_changed(&mut self, side: Side, leg: u8, up: bool, now: Timestamp) {
        self.tacit.leg_changed(side, leg, up, now);
    }
}
