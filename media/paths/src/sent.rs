//! What was sent lately, by slot.

use tacit_types::{LegIndex, Path, SlotNumber, Timestamp};

use crate::leg::Side;
use crate::limits::SENT_WINDOW;

#[derive(Clone, Copy, Debug)]
pub(crate) struct Sent {
    pub(crate) slot: SlotNumber,
    /// Counts what was sent, in order.
    pub(crate) order: u64,
    pub(crate) path: Path,
    pub(crate) at: Timestamp,
    pub(crate) acknowledged: bool,
}

impl Sent {
    /// Whether it went over that leg of that side.
    pub(crate) fn is_on(&self, side: Side, leg: LegIndex) -> bool {
        leg == match side {
            Side::Local => self.path.sender,
            Side::Peer => self.path.receiver,
        }
    }
}

#[derive(Clone, Debug)]
pub(crate) struct SentLog {
    by_slot: Vec<Option<Sent>>,
    /// Slot of each packet, by order.
    by_order: Vec<Option<SlotNumber>>,
    next: u64,
    /// All before this one are acknowledged, or forgotten.
    pending_from: u64,
}

impl SentLog {
    pub(crate) fn new() -> Self {
        Self {
            by_slot: vec![None; SENT_WINDOW],
            by_order: vec![None; SENT_WINDOW],
            next: 1,
            pending_from: 1,
        }
    }

    pub(crate) fn push(&mut self, slot: SlotNumber, path: Path, at: Timestamp) -> Sent {
        let sent = Sent {
            slot,
            order: self.next,
            path,
            at,
            acknowledged: false,
        };
        self.by_slot[place(u64::from(slot.0))] = Some(sent);
        self.by_order[place(self.next)] = Some(slot);
        self.next += 1;
        sent
    }

    /// Order of what was sent last.
    pub(crate) const fn newest(&self) -> u64 {
        self.next - 1
    }

    /// What was sent up to now is not remembered any more.
    pub(crate) fn forget(&mut self) {
        self.by_slot.fill(None);
        self.by_order.fill(None);
        self.pending_from = self.next;
    }

    /// The packet whose slot has these low bits, if it went over `path`.
    pub(crate) fn find(&mut self, slot_low: u16, path: Path) -> Option<&mut Sent> {
        let sent = self.by_slot[place(u64::from(slot_low))].as_mut()?;
        let low = sent.slot.0 & u32::from(u16::MAX);
        (low == u32::from(slot_low) && sent.path == path).then_some(sent)
    }

    fn get(&self, order: u64) -> Option<&Sent> {
        let slot = self.by_order[place(order)]?;
        let sent = self.by_slot[place(u64::from(slot.0))].as_ref()?;
        (sent.order == order).then_some(sent)
    }

    fn oldest(&self) -> u64 {
        self.next.saturating_sub(SENT_WINDOW as u64).max(1)
    }

    /// What is remembered, oldest first.
    pub(crate) fn all(&self) -> impl Iterator<Item = &Sent> {
        (self.oldest()..self.next).filter_map(|order| self.get(order))
    }

    /// What is not acknowledged, oldest first.
    pub(crate) fn pending(&self) -> impl Iterator<Item = &Sent> {
        let pending =
            (self.pending_from.max(self.oldest())..self.next).map(|order| self.get(order));
        pending.flatten().filter(|sent| !sent.acknowledged)
    }

    /// To be called now and then, so that [`pending`](Self::pending) need not look far.
    pub(crate) fn skip_acknowledged(&mut self) {
        self.pending_from = self.pending_from.max(self.oldest());
        while self.pending_from < self.next
            && self
                .get(self.pending_from)
                .is_none_or(|sent| sent.acknowledged)
        {
            self.pending_from += 1;
        }
    }
}

const fn place(number: u64) -> usize {
    (number % SENT_WINDOW as u64) as usize
}
