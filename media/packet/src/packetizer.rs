//! Puts together what the next packet says.

use tacit_types::limits::PACKET_PLAINTEXT_BYTES;
use tacit_types::{Cells, EncodedFrame, FrameNumber, FramePayload, Path, Reach, SlotNumber};

use crate::content::{Content, FRAMES_IN_PACKET};
use crate::control::{ControlBlock, ControlLane, ControlMessage, LaneFull};
use crate::packing::{Packing, Sizes};
use crate::report::ReportCollector;
use crate::time::MediaTime;

/// One direction's outgoing packets: the last frames, the reports on what the peer sent and
/// the control lane.
#[derive(Clone, Debug)]
pub struct Packetizer {
    cells: Cells,
    newest: FrameNumber,
    /// The first of those that came without a hole up to `newest`.
    unbroken_from: FrameNumber,
    /// Frames `newest`, in full if that restores any, and `newest − 1`, …, short.
    frames: [Option<FramePayload>; FRAMES_IN_PACKET],
    /// Short form of the newest, for when it is newest no more or its DRED finds no room.
    short: Option<FramePayload>,
    reach: Reach,
    reports: ReportCollector,
    control: ControlLane,
}

impl Packetizer {
    /// Nothing to send yet: packets are full-sized all the same.
    #[must_use]
    pub fn new(cells: Cells) -> Self {
        Self {
            cells,
            newest: FrameNumber(0),
            unbroken_from: FrameNumber(0),
            frames: [None; FRAMES_IN_PACKET],
            short: None,
            reach: Reach::NONE,
            reports: ReportCollector::new(cells),
            control: ControlLane::default(),
        }
    }

    /// Takes the next encoded frame. A number that skips some leaves holes; one that is not newer
    /// than the newest is ignored and answered with false.
    ///
    /// Its reach ends at the last hole: the encoder, which knows nothing of numbers, describes in its DRED
    /// what was spoken before, and that belongs to others than those just before this one. Where it reaches
    /// none the frame goes without.
    pub fn push_frame(&mut self, number: FrameNumber, frame: &EncodedFrame) -> bool {
        if self.frames[0].is_some() && number <= self.newest {
            return false;
        }
        let ahead = number.0.saturating_sub(self.newest.0);
        if ahead != 1 || self.frames[0].is_none() {
            self.unbroken_from = number;
        }
        let ahead = usize::try_from(ahead)
            .unwrap_or(usize::MAX)
            .min(FRAMES_IN_PACKET);
        self.frames[0] = self.short;
        self.frames.rotate_right(ahead % FRAMES_IN_PACKET);
        self.frames[..ahead].fill(None);
        self.newest = number;
        self.reach = self.unbroken(frame.reach);
        let useful = self.reach != Reach::NONE;
        self.frames[0] = Some(if useful { frame.full } else { frame.short });
        self.short = Some(frame.short);
        true
    }

    fn unbroken(&self, reach: Reach) -> Reach {
        let known = self.newest.0 - self.unbroken_from.0;
        let farthest = u8::try_from(known).map_or(reach.farthest(), |k| k.min(reach.farthest()));
        Reach::new(reach.nearest(), farthest)
    }

    /// Forgets the frames: the packets that follow carry none until new ones are pushed.
    pub fn clear_frames(&mut self) {
        self.frames = [None; FRAMES_IN_PACKET];
        self.short = None;
        self.reach = Reach::NONE;
    }

    /// The plaintext of the packet of `slot`, sent at `now` on our media clock.
    #[must_use]
    pub fn next(&mut self, slot: SlotNumber, now: MediaTime) -> [u8; PACKET_PLAINTEXT_BYTES] {
        let mut content = Content {
            slot,
            sent_at: now,
            newest: self.newest,
            reach: self.reach,
            payloads: self.frames,
            reports: self.reports.take(now),
            control: self.control.block(),
        };
        if !self.packing(content.room()).in_full {
            content.payloads[0] = self.short;
            content.reach = Reach::NONE;
        }
        let mut plain = [0; PACKET_PLAINTEXT_BYTES];
        content.encode(&mut plain);
        plain
    }

    fn packing(&self, room: usize) -> Packing {
        let size = |payload: FramePayload| usize::from(payload.length());
        let mut short = self.frames.map(|payload| payload.map(size));
        let full = core::mem::replace(&mut short[0], self.short.map(size));
        Packing::new(&Sizes { full, short }, room, self.cells.slots())
    }

    /// Notes that the peer's packet of `slot` came over `path` (named from the peer's side) at
    /// `arrived_at` on our media clock; to be called once for each authentic packet.
    pub fn record_arrival(&mut self, slot: SlotNumber, path: Path, arrived_at: MediaTime) {
        self.reports.record(slot, path, arrived_at);
    }

    /// Queues a message on the control lane.
    ///
    /// # Errors
    /// [`LaneFull`] when too many wait for the peer's acknowledgement.
    pub fn send_control(&mut self, message: ControlMessage) -> Result<(), LaneFull> {
        self.control.send(message)
    }

    /// Takes the peer's control block; returns its message if it is new and in order.
    pub fn handle_control(&mut self, block: &ControlBlock) -> Option<ControlMessage> {
        self.control.handle_input(block)
    }

    /// The control lane, for its state and counters.
    #[must_use]
    pub const fn control(&self) -> &ControlLane {
        &self.control
    }

    /// The reports, for their counter.
    #[must_use]
    pub const fn reports(&self) -> &ReportCollector {
        &self.reports
    }
}
