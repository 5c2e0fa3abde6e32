//! `tacit`: the production scheduler, told by production reports that ride in the packets.

use core::time::Duration;

use tacit_packet::{MediaTime, ReportCollector};
use tacit_paths::{Config, Scheduler};
use tacit_types::{Cells, LegIndex, LegKind, Path, SlotNumber, Timestamp};

use super::opener::Opener;
use super::{Contents, Copies, Note, Received, Strategy};
use crate::network::{Network, Side};
use crate::scenario::{Mode, Scenario};

/// One side of a call as the engine runs it, without the audio.
pub(super) struct Tacit {
    side: Side,
    mode: Mode,
    legs: u8,
    scheduler: Scheduler,
    reports: ReportCollector,
    contents: Contents,
    /// Of the side that opens legs; of onion legs that is who calls.
    opener: Option<Opener>,
}

impl Tacit {
    /// As it is shipped.
    pub(super) fn new(side: Side, scenario: &Scenario, seed: u64) -> Self {
        Self::with(Config::new(kind(scenario.mode)), side, scenario, seed)
    }

    pub(super) fn with(config: Config, side: Side, scenario: &Scenario, seed: u64) -> Self {
        let kind = kind(scenario.mode);
        let cells = match scenario.cells_per_second {
            ..=25 => Cells::TwentyFive,
            _ => Cells::Fifty,
        };
        let opens = scenario.replace && (kind == LegKind::Turn || side == Side::A);
        let mut tacit = Self {
            side,
            mode: scenario.mode,
            legs: u8::try_from(scenario.legs).unwrap_or(u8::MAX),
            scheduler: Scheduler::new(config, seed),
            reports: ReportCollector::new(cells),
            contents: Contents::filled(cells.slots()),
            opener: opens.then(|| Opener::new(kind, scenario.legs)),
        };
        for leg in 0..tacit.legs {
            tacit.add(Side::A, leg);
        }
        tacit
    }

    /// All paths with this leg of that side.
    fn add(&mut self, side: Side, leg: u8) {
        let others = match self.mode {
            Mode::Turn => 0..self.legs,
            Mode::Onion => leg..leg + 1,
        };
        for other in others {
            let (sender, receiver) = if side == self.side {
                (leg, other)
            } else {
                (other, leg)
            };
            self.scheduler.add_path(Path {
                sender: LegIndex(sender),
                receiver: LegIndex(receiver),
            });
        }
    }

    /// A leg of that side is known to take this long at this moment.
    pub(super) fn assume_delay(&mut self, side: Side, leg: u8, takes: Duration, now: Timestamp) {
        let side = if side == self.side {
            tacit_paths::Side::Local
        } else {
            tacit_paths::Side::Peer
        };
        self.scheduler.assume_delay(side, LegIndex(leg), takes, now);
    }

    /// A packet of the other side has arrived, which will be reported; nothing is learnt from it.
    pub(super) fn note_arrival(&mut self, packet: &Received<'_>, now: Timestamp) {
        let slot = SlotNumber(packet.packet);
        self.reports
            .record(slot, packet.path, Self::media_time(now));
    }

    fn media_time(now: Timestamp) -> MediaTime {
        MediaTime::from_elapsed(now.saturating_since(Timestamp::ZERO))
    }
}

/// What legs of a mode are called in production.
pub(super) const fn kind(mode: Mode) -> LegKind {
    match mode {
        Mode::Turn => LegKind::Turn,
        Mode::Onion => LegKind::Onion,
    }
}

impl Strategy for Tacit {
    fn contents(&self) -> Contents {
        self.contents
    }

    fn send(&mut self, packet: u32, _: &mut Network, now: Timestamp) -> Copies {
        let mut copies = Copies::default();
        let slot = SlotNumber(packet);
        if let Some(choice) = self.scheduler.choose(slot, now) {
            self.scheduler.on_sent(slot, choice.path, now);
            copies.push(choice.path);
        }
        copies
    }

    fn note(&mut self, now: Timestamp) -> Note {
        let sent_at = Self::media_time(now);
        Note::Arrivals {
            sent_at,
            reports: self.reports.take(sent_at),
        }
    }

    fn receive(&mut self, packet: Received<'_>, now: Timestamp) {
        self.note_arrival(&packet, now);
        self.scheduler.on_arrival(packet.path, now);
        if let Note::Arrivals { sent_at, reports } = packet.note {
            self.scheduler
                .on_feedback(*sent_at, reports.as_slice(), now);
        }
    }

    fn leg_changed(&mut self, side: Side, leg: u8, up: bool, _: Timestamp) {
        let index = LegIndex(leg);
        let ours = side == self.side || self.mode == Mode::Onion;
        if up {
            self.add(side, leg);
        } else if ours {
            self.scheduler.remove_local_leg(index);
        } else {
            self.scheduler.remove_peer_leg(index);
        }
        if let Some(opener) = self.opener.as_mut().filter(|_| ours && !up) {
            opener.on_gone(index);
        }
    }

    fn replace(&mut self, now: Timestamp) -> Option<u8> {
        let leg = self.opener.as_mut()?.next(&self.scheduler, now)?;
        Some(leg.0)
    }

    fn replaced(&mut self, leg: u8, now: Timestamp) {
        if let Some(opener) = &mut self.opener {
            opener.on_up(LegIndex(leg), now);
        }
    }
}
