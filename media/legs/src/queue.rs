//! The two short queues of every leg: packets on their way to the stream, and events.

use std::collections::VecDeque;

use tacit_types::Timestamp;

use crate::leg::{DropCounts, DropReason, LegEvent, SendError, Transmit};
use crate::limits::{MAX_PACKET_AGE, MAX_QUEUED_EVENTS, MAX_QUEUED_PACKETS};

/// Packets, already framed, that wait for their stream: a ring without allocation.
#[derive(Debug)]
pub(crate) struct PacketQueue<const N: usize> {
    ring: [Waiting<N>; MAX_QUEUED_PACKETS],
    oldest: usize,
    len: usize,
}

#[derive(Clone, Copy)]
struct Waiting<const N: usize> {
    queued_at: Timestamp,
    framed: [u8; N],
}

impl<const N: usize> Default for PacketQueue<N> {
    fn default() -> Self {
        let nothing = Waiting {
            queued_at: Timestamp::ZERO,
            framed: [0; N],
        };
        Self {
            ring: [nothing; MAX_QUEUED_PACKETS],
            oldest: 0,
            len: 0,
        }
    }
}

impl<const N: usize> PacketQueue<N> {
    /// Takes a packet, unless the queue is full of packets that are still worth writing.
    pub(crate) fn push(
        &mut self,
        framed: [u8; N],
        now: Timestamp,
        drops: &mut DropCounts,
    ) -> Result<(), SendError> {
        self.drop_stale(now, drops);
        if self.len == MAX_QUEUED_PACKETS {
            return Err(SendError::Full);
        }
        self.ring[(self.oldest + self.len) % MAX_QUEUED_PACKETS] = Waiting {
            queued_at: now,
            framed,
        };
        self.len += 1;
        Ok(())
    }

    /// Appends the oldest packet to `out`.
    pub(crate) fn pop(
        &mut self,
        now: Timestamp,
        out: &mut Vec<u8>,
        drops: &mut DropCounts,
    ) -> Option<Transmit> {
        self.drop_stale(now, drops);
        let Waiting { queued_at, framed } = self.front()?;
        let queued_at = *queued_at;
        out.extend_from_slice(framed);
        self.drop_front();
        Some(Transmit::Packet { queued_at })
    }

    pub(crate) const fn clear(&mut self) {
        self.len = 0;
    }

    fn front(&self) -> Option<&Waiting<N>> {
        (self.len > 0).then(|| &self.ring[self.oldest])
    }

    const fn drop_front(&mut self) {
        self.oldest = (self.oldest + 1) % MAX_QUEUED_PACKETS;
        self.len -= 1;
    }

    fn drop_stale(&mut self, now: Timestamp, drops: &mut DropCounts) {
        while let Some(front) = self.front()
            && now.saturating_since(front.queued_at) > MAX_PACKET_AGE
        {
            self.drop_front();
            drops.count(DropReason::Stale);
        }
    }
}

impl<const N: usize> core::fmt::Debug for Waiting<N> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Waiting")
            .field("queued_at", &self.queued_at)
            .finish_non_exhaustive()
    }
}

/// Events that wait to be polled. Packets make room for newer events; the others are few.
#[derive(Debug, Default)]
pub(crate) struct EventQueue {
    waiting: VecDeque<LegEvent>,
}

impl EventQueue {
    pub(crate) fn push(&mut self, event: LegEvent, drops: &mut DropCounts) {
        if self.waiting.len() >= MAX_QUEUED_EVENTS {
            let oldest = self
                .waiting
                .iter()
                .position(|e| matches!(e, LegEvent::Packet(_)));
            // Only packets come without limit: the other events are one a peer and one a leg.
            if let Some(oldest) = oldest {
                self.waiting.remove(oldest);
                drops.count(DropReason::EventsFull);
            }
        }
        self.waiting.push_back(event);
    }

    pub(crate) fn pop(&mut self) -> Option<LegEvent> {
        self.waiting.pop_front()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use core::time::Duration;

    fn all(queue: &mut PacketQueue<1>, now: Timestamp, drops: &mut DropCounts) -> Vec<u8> {
        let mut out = Vec::new();
        while queue.pop(now, &mut out, drops).is_some() {}
        out
    }

    #[test]
    fn a_full_queue_refuses_and_forgets_nothing() {
        let (mut queue, mut drops) = (PacketQueue::default(), DropCounts::default());
        for round in 0..3 {
            let now = Timestamp::ZERO + Duration::from_secs(round);
            for n in 0..10u8 {
                let taken = queue.push([n], now, &mut drops);
                assert_eq!(taken.is_ok(), n < 4, "{taken:?}");
            }
            assert_eq!(all(&mut queue, now, &mut drops), [0, 1, 2, 3]);
        }
        assert_eq!(drops.total(), 0);
    }

    #[test]
    fn a_packet_that_waited_too_long_is_not_written_and_makes_room() {
        let (mut queue, mut drops) = (PacketQueue::default(), DropCounts::default());
        for n in 0..4 {
            queue.push([n], Timestamp::ZERO, &mut drops).unwrap();
        }
        let late = Timestamp::ZERO + MAX_PACKET_AGE + Duration::from_millis(1);
        queue.push([9], late, &mut drops).unwrap();
        assert_eq!(all(&mut queue, late, &mut drops), [9]);
        assert_eq!(drops.of(DropReason::Stale), 4);
    }
}
