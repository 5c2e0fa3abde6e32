//! A small reliable lane inside the media packets: messages in order, exactly once.
//!
//! One message is in flight at a time and rides in every packet until the peer acknowledges it:
//! 50 packets a second over several legs make that faster than any window. A message that has not
//! been in flight yet is withdrawn when a later one makes it void, so that the last word is never
//! behind more than two others.

use std::collections::VecDeque;

use tacit_types::{Cells, LegIndex, Redacted};

use crate::limits::{CONTROL_BODY_BYTES, CONTROL_QUEUE};

/// What the lane can say. Kinds that this version does not know are taken, counted and ignored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ControlMessage {
    /// The callee takes the call.
    Accept,
    /// The sender ends the call.
    HangUp,
    /// Commitment of the short authentication string.
    SasCommit([u8; 32]),
    /// Nonce that opens the commitment.
    SasReveal([u8; 32]),
    /// The sender's person has confirmed the two words.
    SasConfirmed,
    /// The sender's microphone was switched off; for display only, packets do not change.
    Muted,
    /// The sender's microphone was switched on again.
    Unmuted,
    /// The sender has one more TURN leg. Its relayed address is at the same host as those that its
    /// signaling told, so only the port is new.
    LegAdded {
        /// The sender's index of it, above all before.
        leg: LegIndex,
        /// Port of its relayed address.
        port: Redacted<u16>,
    },
    /// The sender uses one of its legs no more and is about to close it.
    LegGone(LegIndex),
    /// How many packets a second the sender sends; 50 if it says nothing.
    Cells(Cells),
}

impl ControlMessage {
    /// Kind on the wire.
    #[must_use]
    pub const fn kind(&self) -> u8 {
        match self {
            Self::Accept => 1,
            Self::HangUp => 2,
            Self::SasCommit(_) => 3,
            Self::SasReveal(_) => 4,
            Self::SasConfirmed => 5,
            Self::Muted => 6,
            Self::Unmuted => 7,
            Self::LegAdded { .. } => 8,
            Self::LegGone(_) => 9,
            Self::Cells(_) => 10,
        }
    }

    /// The message as it rides in a packet.
    #[must_use]
    pub fn block(&self, sequence: u16) -> ControlBlock {
        let mut few = [0; 3];
        let body: &[u8] = match self {
            Self::SasCommit(bytes) | Self::SasReveal(bytes) => bytes,
            Self::LegAdded { leg, port } => {
                let [high, low] = port.reveal().to_be_bytes();
                few = [leg.0, high, low];
                &few
            }
            Self::LegGone(leg) => {
                few[0] = leg.0;
                &few[..1]
            }
            Self::Cells(cells) => {
                few[0] = u8::from(*cells);
                &few[..1]
            }
            _ => &[],
        };
        ControlBlock::message(sequence, self.kind(), body)
    }

    /// Whether an earlier message need no longer be said once this one is.
    const fn supersedes(&self, earlier: &Self) -> bool {
        match self {
            // A comparison that has begun is brought to its end: the peer would take a reveal that
            // never comes for an attack.
            Self::HangUp => !matches!(earlier, Self::SasReveal(_)),
            Self::Muted | Self::Unmuted => matches!(earlier, Self::Muted | Self::Unmuted),
            _ => false,
        }
    }

    /// Whether this message, right after that one, says nothing new.
    fn repeats(&self, last: &Self) -> bool {
        !matches!(self, Self::SasCommit(_) | Self::SasReveal(_)) && self == last
    }

    /// Reads a message; `None` for an unknown kind or a body that none of that kind has.
    #[must_use]
    pub fn parse(kind: u8, body: &[u8]) -> Option<Self> {
        let bare = |message| body.is_empty().then_some(message);
        match kind {
            1 => bare(Self::Accept),
            2 => bare(Self::HangUp),
            3 => Some(Self::SasCommit(body.try_into().ok()?)),
            4 => Some(Self::SasReveal(body.try_into().ok()?)),
            5 => bare(Self::SasConfirmed),
            6 => bare(Self::Muted),
            7 => bare(Self::Unmuted),
            8 => match *body {
                [leg, high, low] if (high, low) != (0, 0) => Some(Self::LegAdded {
                    leg: LegIndex(leg),
                    port: Redacted::new(u16::from_be_bytes([high, low])),
                }),
                _ => None,
            },
            9 => match *body {
                [leg] => Some(Self::LegGone(LegIndex(leg))),
                _ => None,
            },
            10 => match *body {
                [cells] => Some(Self::Cells(cells.try_into().ok()?)),
                _ => None,
            },
            _ => None,
        }
    }
}

/// The lane's share of one packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ControlBlock {
    /// Sequence of the message that rides along, from 1; 0 when there is none.
    pub sequence: u16,
    /// Sequence of the last message taken in order; 0 before the first.
    pub acknowledged: u16,
    pub(crate) kind: u8,
    pub(crate) length: u8,
    body: [u8; CONTROL_BODY_BYTES],
}

impl Default for ControlBlock {
    fn default() -> Self {
        Self::message(0, 0, &[])
    }
}

impl ControlBlock {
    /// A block with a message; a body above [`CONTROL_BODY_BYTES`] is cut.
    #[must_use]
    pub fn message(sequence: u16, kind: u8, body: &[u8]) -> Self {
        let used = body.len().min(CONTROL_BODY_BYTES);
        let mut room = [0; CONTROL_BODY_BYTES];
        room[..used].copy_from_slice(&body[..used]);
        #[expect(clippy::cast_possible_truncation, reason = "at most 40")]
        let length = used as u8;
        Self {
            sequence,
            acknowledged: 0,
            kind,
            length,
            body: room,
        }
    }

    /// Kind of the message.
    #[must_use]
    pub const fn kind(&self) -> u8 {
        self.kind
    }

    /// Body of the message.
    #[must_use]
    pub fn body(&self) -> &[u8] {
        &self.body[..usize::from(self.length)]
    }
}

/// The queue of messages is full: the peer acknowledges nothing, or the caller floods the lane.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{CONTROL_QUEUE} control messages are waiting for the peer's acknowledgement; try later")]
pub struct LaneFull;

/// What the lane has dropped of the peer's.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ControlCounters {
    /// In-order messages of an unknown kind or with a body that none of that kind has.
    pub unknown: u64,
    /// Messages seen before.
    pub repeated: u64,
    /// Messages ahead of the next expected one; an honest peer never sends one.
    pub out_of_order: u64,
}

/// Both directions of the lane.
#[derive(Clone, Debug)]
pub struct ControlLane {
    /// Front is in flight with sequence `sequence`.
    queue: VecDeque<ControlMessage>,
    sequence: u16,
    taken: u16,
    counters: ControlCounters,
}

impl Default for ControlLane {
    fn default() -> Self {
        Self {
            queue: VecDeque::with_capacity(CONTROL_QUEUE),
            sequence: 1,
            taken: 0,
            counters: ControlCounters::default(),
        }
    }
}

impl ControlLane {
    /// Queues a message behind those not yet acknowledged. What it supersedes is withdrawn, unless
    /// it is in flight:
    ///
    /// - [`ControlMessage::HangUp`] supersedes everything but a reveal and is the last word: it
    ///   always finds room, and of what is sent after it only a reveal is kept;
    /// - of [`ControlMessage::Muted`] and [`ControlMessage::Unmuted`] only the newest counts.
    ///
    /// # Errors
    /// [`LaneFull`] when [`CONTROL_QUEUE`] messages wait.
    pub fn send(&mut self, message: ControlMessage) -> Result<(), LaneFull> {
        let last_word = self.queue.contains(&ControlMessage::HangUp);
        if last_word && !matches!(message, ControlMessage::SasReveal(_)) {
            return Ok(());
        }
        self.withdraw(|waiting| message.supersedes(waiting));
        let said = self.queue.back().is_some_and(|last| message.repeats(last));
        if said {
            return Ok(());
        }
        if self.queue.len() == CONTROL_QUEUE {
            return Err(LaneFull);
        }
        self.queue.push_back(message);
        Ok(())
    }

    /// The front may have reached the peer already: it stays.
    fn withdraw(&mut self, superseded: impl Fn(&ControlMessage) -> bool) {
        let mut in_flight = true;
        self.queue
            .retain(|waiting| core::mem::take(&mut in_flight) || !superseded(waiting));
    }

    /// Whether a reveal was sent and the peer has not acknowledged it.
    #[must_use]
    pub fn reveal_waits(&self) -> bool {
        let reveal = |waiting: &ControlMessage| matches!(waiting, ControlMessage::SasReveal(_));
        self.queue.iter().any(reveal)
    }

    /// Whether everything sent has been acknowledged.
    #[must_use]
    pub fn is_idle(&self) -> bool {
        self.queue.is_empty()
    }

    /// The block of the next packet.
    #[must_use]
    pub fn block(&self) -> ControlBlock {
        let mut block = match self.queue.front() {
            Some(message) => message.block(self.sequence),
            None => ControlBlock::default(),
        };
        block.acknowledged = self.taken;
        block
    }

    /// Takes the peer's block; returns its message if it is the next one in order.
    pub fn handle_input(&mut self, block: &ControlBlock) -> Option<ControlMessage> {
        if block.acknowledged == self.sequence && !self.queue.is_empty() {
            self.queue.pop_front();
            self.sequence = following(self.sequence);
        }
        if block.sequence == 0 {
            return None;
        }
        if block.sequence != following(self.taken) {
            // Sequences wrap, so "before" is the nearer half of the circle.
            let repeated = self.taken.wrapping_sub(block.sequence) < u16::MAX / 2;
            let counter = if repeated {
                &mut self.counters.repeated
            } else {
                &mut self.counters.out_of_order
            };
            *counter += 1;
            return None;
        }
        self.taken = block.sequence;
        let message = ControlMessage::parse(block.kind, block.body());
        self.counters.unknown += u64::from(message.is_none());
        message
    }

    /// What was dropped.
    #[must_use]
    pub const fn counters(&self) -> ControlCounters {
        self.counters
    }
}

/// 0 means "no message", so 65535 is followed by 1.
const fn following(sequence: u16) -> u16 {
    if sequence == u16::MAX {
        1
    } else {
        sequence + 1
    }
}
