//! One handshake's worth of media: packets, legs, playout and the control lane.

use std::collections::VecDeque;

use tacit_crypto::packet::{PacketOpener, PacketSealer};
use tacit_crypto::{Sas, SasMessage, SessionKeys};
use tacit_legs::{CandidatePolicy, Peer};
use tacit_packet::{Content, ControlMessage, MediaTime, Packetizer};
use tacit_paths::{Choice, Scheduler};
use tacit_playout::{Inserted, Loudness, Playout, Pull};
use tacit_types::limits::{PACKET_BYTES, PACKET_PLAINTEXT_BYTES};
use tacit_types::{
    Cells, EncodedFrame, FrameNumber, LegIndex, LegKind, Path, SlotNumber, Timestamp,
};

use super::Record;
use super::legs::Legs;
use super::slots::Slots;

/// Most events that wait to be polled; more are dropped oldest first.
const MAX_EVENTS: usize = 64;

/// What the peer said, or what came of it; what is to be done about legs.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum MediaEvent {
    /// The callee accepted.
    Accepted,
    /// The peer hung up.
    PeerHungUp,
    /// Both screens should show these words.
    Words([String; 2]),
    /// A verification ended without words: the peer broke the exchange.
    WordsFailed,
    /// The peer's person confirmed the words.
    PeerConfirmed,
    /// The first authentic packet came in.
    PathWorks,
    /// The peer has one more TURN leg: ours are to bind it.
    PeerLegAdded(Peer),
    /// Nothing goes to this TURN leg of the peer any more, nor comes from it: ours are to forget it.
    PeerLegGone(LegIndex),
    /// Nothing goes over this leg of ours any more, and what was on its way has had time to come: it
    /// is to be closed.
    LegRested(LegIndex),
}

/// Packets that were dropped on the way in, by reason.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct DropCounts {
    /// Not authentic, replayed, or of an epoch out of reach.
    pub unauthentic: u64,
    /// Authentic, but not of this protocol's form.
    pub malformed: u64,
    /// What the peer told of its legs and cannot be, or is too much.
    pub legs: u64,
}

/// A sealed packet and where it goes.
pub struct Outgoing {
    /// The slot that it belongs to.
    pub slot: SlotNumber,
    /// Our leg and the peer's.
    pub path: Path,
    /// The packet.
    pub packet: [u8; PACKET_BYTES],
    /// Why this path.
    pub choice: Choice,
    /// What is sealed, in case another leg has to carry it.
    plain: [u8; PACKET_PLAINTEXT_BYTES],
}

impl core::fmt::Debug for Outgoing {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Outgoing")
            .field("slot", &self.slot)
            .field("choice", &self.choice)
            .finish_non_exhaustive()
    }
}

/// What is settled of a call before its first packet.
#[derive(Clone, Copy, Debug)]
pub struct Terms {
    /// Its legs.
    pub kind: LegKind,
    /// Where TURN legs of the peer may be.
    pub candidates: CandidatePolicy,
    /// How many packets a second this side sends.
    pub cells: Cells,
}

/// The machine. Time comes in as `now`, packets and frames as values; nothing is read or written.
#[derive(Debug)]
pub struct MediaCore {
    pub(super) kind: LegKind,
    cells: Cells,
    /// As the peer says; it says nothing of the usual.
    peer_cells: Option<Cells>,
    slots: Slots,
    pub(super) sealer: PacketSealer,
    pub(super) opener: PacketOpener,
    pub(super) packetizer: Packetizer,
    pub(super) scheduler: Scheduler,
    playout: Playout,
    sas: Sas,
    pub(super) legs: Legs,
    events: VecDeque<MediaEvent>,
    pub(super) drops: DropCounts,
    heard: bool,
    pub(super) record: Record,
}

impl MediaCore {
    /// A core whose media clock starts at `now`. `seed` orders legs and slots; `sas_nonce` must be
    /// fresh entropy.
    #[must_use]
    pub fn new(
        keys: &SessionKeys,
        terms: Terms,
        playout: Playout,
        seed: u64,
        sas_nonce: [u8; 32],
        now: Timestamp,
    ) -> Self {
        let Terms {
            kind,
            candidates,
            cells,
        } = terms;
        let mut core = Self {
            kind,
            cells,
            peer_cells: None,
            slots: Slots::new(now),
            sealer: PacketSealer::new(&keys.media(), now),
            opener: PacketOpener::new(&keys.media(), now),
            packetizer: Packetizer::new(cells),
            scheduler: Scheduler::new(tacit_paths::Config::new(kind), seed),
            playout,
            sas: Sas::start(keys.sas(), sas_nonce),
            legs: Legs::new(candidates),
            events: VecDeque::new(),
            drops: DropCounts::default(),
            heard: false,
            record: Record::new(now),
        };
        core.advance_words();
        if cells != Cells::default() {
            core.send_control(ControlMessage::Cells(cells));
        }
        core
    }

    /// How many packets a second the peer sends.
    #[must_use]
    pub fn peer_cells(&self) -> Cells {
        self.peer_cells.unwrap_or_default()
    }

    /// Takes a packet that came in on our leg `path.receiver` from the peer's leg `path.sender`.
    pub fn handle_packet(
        &mut self,
        path: Path,
        packet: &[u8; PACKET_BYTES],
        now: Timestamp,
    ) -> Arrivals {
        let mut plain = [0; PACKET_PLAINTEXT_BYTES];
        if self.opener.open(path, packet, now, &mut plain).is_err() {
            self.drops.unauthentic += 1;
            return Arrivals::default();
        }
        let Ok(content) = Content::decode(&plain) else {
            self.drops.malformed += 1;
            return Arrivals::default();
        };
        self.on_authentic(path, &content, now)
    }

    fn on_authentic(&mut self, path: Path, content: &Content, now: Timestamp) -> Arrivals {
        if !self.heard {
            self.heard = true;
            self.event(MediaEvent::PathWorks);
        }
        if self.kind == LegKind::Turn {
            self.came_over(path);
        }
        self.packetizer
            .record_arrival(content.slot, path, self.media_time(now));
        self.scheduler.on_arrival(path, now);
        self.record.received(path, content.sent_at, now);
        self.scheduler
            .on_feedback(content.sent_at, content.reports.as_slice(), now);
        if let Some(message) = self.packetizer.handle_control(&content.control) {
            self.on_control(message, now);
        }
        let mut arrivals = Arrivals {
            authentic: true,
            ..Arrivals::default()
        };
        for frame in content.frames() {
            let inserted = self
                .playout
                .insert(frame.number, frame.payload, frame.reach, now);
            if matches!(
                inserted,
                Inserted::New | Inserted::Late | Inserted::Restarted
            ) {
                arrivals.push(frame.number);
            }
            if inserted == Inserted::New {
                self.record.first_copy(frame.number, now);
            }
        }
        arrivals
    }

    fn on_control(&mut self, message: ControlMessage, now: Timestamp) {
        match message {
            ControlMessage::LegAdded { leg, port } => {
                self.on_peer_leg_added(leg, port.into_inner(), now);
            }
            ControlMessage::LegGone(leg) => self.on_peer_leg_gone(leg, now),
            ControlMessage::Cells(cells) => {
                // It is for the whole call.
                let told = *self.peer_cells.get_or_insert(cells);
                self.drops.malformed += u64::from(told != cells);
            }
            ControlMessage::Accept => self.event(MediaEvent::Accepted),
            ControlMessage::HangUp => self.event(MediaEvent::PeerHungUp),
            ControlMessage::SasConfirmed => self.event(MediaEvent::PeerConfirmed),
            ControlMessage::SasCommit(c) => self.on_words_message(SasMessage::Commit(c)),
            ControlMessage::SasReveal(r) => self.on_words_message(SasMessage::Reveal(r)),
            // Shown by nobody yet; the packets are the same either way.
            _ => {}
        }
    }

    fn on_words_message(&mut self, message: SasMessage) {
        if self.sas.handle_input(message).is_err() {
            self.event(MediaEvent::WordsFailed);
            return;
        }
        self.advance_words();
        if let Some([a, b]) = self.sas.words() {
            self.event(MediaEvent::Words([a.to_owned(), b.to_owned()]));
        }
    }

    /// Whether the peer began to compare words and did not go through with it.
    #[must_use]
    pub const fn words_broken_off(&self) -> bool {
        self.sas.broken_off()
    }

    fn advance_words(&mut self) {
        while let Some(message) = self.sas.poll_transmit() {
            self.send_control(match message {
                SasMessage::Commit(c) => ControlMessage::SasCommit(c),
                SasMessage::Reveal(r) => ControlMessage::SasReveal(r),
            });
        }
    }

    /// Sends a message on the control lane. False if the lane is full, which means a dead call, whose
    /// end is near anyway.
    pub fn send_control(&mut self, message: ControlMessage) -> bool {
        self.packetizer.send_control(message).is_ok()
    }

    /// Whether the peer has acknowledged all control messages.
    #[must_use]
    pub fn control_is_idle(&self) -> bool {
        self.packetizer.control().is_idle()
    }

    /// The frame that starts in the current slot.
    #[must_use]
    pub const fn next_frame_number(&self) -> FrameNumber {
        FrameNumber(self.slots.next().0)
    }

    /// Takes an encoded frame of ours; it rides in the next slot.
    pub fn push_frame(&mut self, number: FrameNumber, frame: &EncodedFrame) {
        self.packetizer.push_frame(number, frame);
    }

    /// When the next packet is due. The clock is fixed from the start: slot n is n · 20 ms after it.
    #[must_use]
    pub fn slot_time(&self) -> Timestamp {
        self.slots.time()
    }

    /// Whether the next packet is due.
    #[must_use]
    pub fn is_due(&self, now: Timestamp) -> bool {
        self.slots.is_due(now)
    }

    /// Leaves out the slots that should have been seen to while nobody did, as when the process was
    /// stopped, but for the newest four; to be asked before what is due is sent. Returns how many were left
    /// out: packets of their numbers are never made, as if they were lost.
    pub fn pass_over(&mut self, now: Timestamp) -> u32 {
        self.slots.pass_over(now)
    }

    /// Makes the packet of the slot that is due, if one is sent in it and there is a leg to carry it.
    /// One slot passes in any case; nothing else is spent before [`on_sent`](Self::on_sent).
    pub fn next_packet(&mut self, now: Timestamp) -> Option<Outgoing> {
        let slot = self.slots.take();
        self.change_legs(now);
        if !self.cells.sends_in(slot) {
            return None;
        }
        let choice = self.scheduler.choose(slot, now)?;
        let plain = self.packetizer.next(slot, self.media_time(now));
        self.seal(slot, choice, plain, now)
    }

    /// Its leg did not take the packet: the same for another leg, if there is one.
    pub fn reroute(&mut self, refused: &Outgoing, now: Timestamp) -> Option<Outgoing> {
        self.scheduler.on_refused(refused.slot, refused.path.sender);
        let choice = self.scheduler.choose(refused.slot, now)?;
        self.seal(refused.slot, choice, refused.plain, now)
    }

    fn seal(
        &mut self,
        slot: SlotNumber,
        choice: Choice,
        plain: [u8; PACKET_PLAINTEXT_BYTES],
        now: Timestamp,
    ) -> Option<Outgoing> {
        let path = choice.path;
        let mut packet = [0; PACKET_BYTES];
        // A used-up counter needs 2^48 packets on one path, or 45 days; then only a resume helps.
        self.sealer.seal(path, &plain, now, &mut packet).ok()?;
        Some(Outgoing {
            slot,
            path,
            packet,
            choice,
            plain,
        })
    }

    /// The packet's leg has taken it. Not to be called for one that no leg took.
    pub fn on_sent(&mut self, outgoing: &Outgoing, now: Timestamp) {
        self.scheduler.on_sent(outgoing.slot, outgoing.path, now);
        self.record.sent(outgoing.choice, now);
        self.went_to(outgoing.path.receiver);
    }

    /// From here on the packets carry no frames.
    pub fn stop_frames(&mut self) {
        self.packetizer.clear_frames();
    }

    /// What the output should play next; to be asked once every 20 ms of output.
    pub fn pull(&mut self, now: Timestamp) -> Pull {
        self.playout.pull(now)
    }

    /// Says how loud the frame was that was decoded last: quiet ones may be skipped sooner.
    pub fn heard(&mut self, loudness: Loudness) {
        self.playout.heard(loudness);
    }

    /// Says that the decoder could do nothing with what was pulled last.
    pub const fn failed(&mut self, pull: &Pull) {
        self.playout.failed(pull);
    }

    /// The next event.
    pub fn poll_event(&mut self) -> Option<MediaEvent> {
        self.events.pop_front()
    }

    /// Packets dropped so far.
    #[must_use]
    pub const fn drops(&self) -> DropCounts {
        self.drops
    }

    /// Legs and round trip, for the meter.
    #[must_use]
    pub const fn scheduler(&self) -> &Scheduler {
        &self.scheduler
    }

    /// What was noted of the legs, for the meter.
    #[must_use]
    pub const fn record(&self) -> &Record {
        &self.record
    }

    pub(super) const fn record_mut(&mut self) -> &mut Record {
        &mut self.record
    }

    /// Playout, for the meter.
    #[must_use]
    pub const fn playout(&self) -> &Playout {
        &self.playout
    }

    fn media_time(&self, now: Timestamp) -> MediaTime {
        MediaTime::from_elapsed(now.saturating_since(self.slots.start()))
    }

    pub(super) fn event(&mut self, event: MediaEvent) {
        if self.events.len() == MAX_EVENTS {
            self.events.pop_front();
        }
        self.events.push_back(event);
    }
}

/// Numbers of the frames of which a packet brought the first copy.
#[derive(Clone, Copy, Debug, Default)]
pub struct Arrivals {
    /// The packet was authentic.
    pub authentic: bool,
    numbers: [FrameNumber; tacit_packet::FRAMES_IN_PACKET],
    len: usize,
}

impl Arrivals {
    fn push(&mut self, number: FrameNumber) {
        if let Some(entry) = self.numbers.get_mut(self.len) {
            *entry = number;
            self.len += 1;
        }
    }

    /// The numbers.
    #[must_use]
    pub fn as_slice(&self) -> &[FrameNumber] {
        &self.numbers[..self.len]
    }
}
