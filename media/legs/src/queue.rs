//! The two short queues of every leg: packets on their way to the stream, and events.

use std::collections::VecDeque;

use tacit_types::Timestamp;

use crate::leg::{DropCounts, DropReason, LegEvent};
use crate::limits::{MAX_PACKET_AGE, MAX_QUEUED_EVENTS, MAX_QUEUED_PACKETS};

/// Packets, already framed, that wait for their stream. Newest wins: full drops the oldest.
#[derive(Debug, Default)]
pub(crate) struct PacketQueue {
    waiting: VecDeque<(Timestamp, Vec<u8>)>,
}

impl PacketQueue {
    pub(crate) fn push(&mut self, framed: Vec<u8>, now: Timestamp, drops: &mut DropCounts) {
        if self.waiting.len() == MAX_QUEUED_PACKETS {
            self.waiting.pop_front();
            drops.count(DropReason::QueueFull);
        }
        self.waiting.push_back((now, framed));
    }

    pub(crate) fn pop(&mut self, now: Timestamp, drops: &mut DropCounts) -> Option<Vec<u8>> {
        loop {
            let (queued_at, framed) = self.waiting.pop_front()?;
            if now.saturating_since(queued_at) <= MAX_PACKET_AGE {
                return Some(framed);
            }
            drops.count(DropReason::Stale);
        }
    }

    pub(crate) fn clear(&mut self) {
        self.waiting.clear();
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

    #[test]
    fn a_stalled_stream_keeps_only_the_newest_packets() {
        let (mut queue, mut drops) = (PacketQueue::default(), DropCounts::default());
        for n in 0..10u8 {
            queue.push(vec![n], Timestamp::ZERO, &mut drops);
        }
        let kept: Vec<_> = std::iter::from_fn(|| queue.pop(Timestamp::ZERO, &mut drops))
            .flatten()
            .collect();
        assert_eq!(kept, [6, 7, 8, 9]);
        assert_eq!(drops.of(DropReason::QueueFull), 6);
    }

    #[test]
    fn a_packet_that_waited_too_long_is_not_written() {
        let (mut queue, mut drops) = (PacketQueue::default(), DropCounts::default());
        queue.push(vec![1], Timestamp::ZERO, &mut drops);
        let late = Timestamp::ZERO + MAX_PACKET_AGE + Duration::from_millis(1);
        queue.push(vec![2], late, &mut drops);
        assert_eq!(queue.pop(late, &mut drops), Some(vec![2]));
        assert_eq!(drops.of(DropReason::Stale), 1);
    }
}
