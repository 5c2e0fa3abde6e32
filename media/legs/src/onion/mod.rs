//! Onion legs: a direct stream to the peer's onion address.
//!
//! ```text
//!   joiner  ── join packet (448) ── packet (448) ── packet (448) ──►  acceptor
//!           ◄───────────────────── packet (448) ── packet (448) ───
//!
//!   join packet = leg secret (32) ‖ random fill (416)
//! ```
//!
//! The join packet looks like any other packet in size, and the Tor stream around it is encrypted
//! from end to end, so the secret itself can travel in it.

mod acceptor;

use rand_chacha::ChaCha20Rng;
use rand_core::{RngCore, SeedableRng};
use tacit_types::limits::PACKET_BYTES;
use tacit_types::{LegIndex, SecretBytes, Timestamp};

pub use acceptor::{JoinAcceptor, JoinRefusal, PendingJoin};

use crate::leg::{DropCounts, Leg, LegEvent, Packet, SendError, Transmit, WakeReason};
use crate::queue::{EventQueue, PacketQueue};

/// Bytes of a one-time leg secret.
pub const LEG_SECRET_BYTES: usize = 32;

/// One end of an onion leg.
#[derive(Debug)]
pub struct OnionLeg {
    leg: LegIndex,
    join_packet: Option<Vec<u8>>,
    deframer: Deframer,
    packets: PacketQueue<PACKET_BYTES>,
    events: EventQueue,
    drops: DropCounts,
    closed: bool,
}

impl OnionLeg {
    /// The end that opened the stream: the first thing it writes is the join packet with the leg's
    /// one-time `secret`. `fill_seed` comes fresh from the system's entropy.
    #[must_use]
    pub fn joining(
        leg: LegIndex,
        secret: &SecretBytes<LEG_SECRET_BYTES>,
        fill_seed: [u8; 32],
    ) -> Self {
        let mut join_packet = vec![0; PACKET_BYTES];
        join_packet[..LEG_SECRET_BYTES].copy_from_slice(secret.expose());
        ChaCha20Rng::from_seed(fill_seed).fill_bytes(&mut join_packet[LEG_SECRET_BYTES..]);
        Self {
            join_packet: Some(join_packet),
            ..Self::accepted(leg)
        }
    }

    /// The end whose [`JoinAcceptor`] recognised the join packet, which is already read.
    #[must_use]
    pub fn accepted(leg: LegIndex) -> Self {
        let mut events = EventQueue::default();
        let mut drops = DropCounts::default();
        events.push(LegEvent::Bound(leg), &mut drops);
        Self {
            leg,
            join_packet: None,
            deframer: Deframer::default(),
            packets: PacketQueue::default(),
            events,
            drops,
            closed: false,
        }
    }
}

impl Leg for OnionLeg {
    fn handle_input(&mut self, bytes: &[u8], now: Timestamp) {
        if self.closed {
            return;
        }
        let Self {
            leg,
            deframer,
            events,
            drops,
            ..
        } = self;
        deframer.push(bytes, |packet| {
            let packet = Packet {
                peer: *leg,
                bytes: *packet,
                arrived_at: now,
            };
            events.push(LegEvent::Packet(packet), drops);
        });
    }

    fn handle_timeout(&mut self, _now: Timestamp) {}

    fn send(
        &mut self,
        peer: LegIndex,
        packet: &[u8; PACKET_BYTES],
        now: Timestamp,
    ) -> Result<(), SendError> {
        if self.closed {
            return Err(SendError::Closed);
        }
        if peer != self.leg {
            return Err(SendError::NotBound);
        }
        self.packets.push(*packet, now, &mut self.drops)
    }

    fn close(&mut self, _now: Timestamp) {
        self.closed = true;
        self.join_packet = None;
        self.packets.clear();
    }

    fn poll_transmit(&mut self, now: Timestamp, out: &mut Vec<u8>) -> Option<Transmit> {
        out.clear();
        if let Some(join_packet) = self.join_packet.take() {
            out.extend_from_slice(&join_packet);
            return Some(Transmit::Request);
        }
        self.packets.pop(now, out, &mut self.drops)
    }

    fn poll_event(&mut self) -> Option<LegEvent> {
        self.events.pop()
    }

    fn poll_timeout(&self) -> Option<(Timestamp, WakeReason)> {
        None
    }

    fn drops(&self) -> DropCounts {
        self.drops
    }
}

/// Cuts a stream into packets; holds at most one unfinished packet.
struct Deframer {
    partial: [u8; PACKET_BYTES],
    filled: usize,
}

impl Default for Deframer {
    fn default() -> Self {
        Self {
            partial: [0; PACKET_BYTES],
            filled: 0,
        }
    }
}

impl core::fmt::Debug for Deframer {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Deframer")
            .field("filled", &self.filled)
            .finish_non_exhaustive()
    }
}

impl Deframer {
    fn push(&mut self, mut bytes: &[u8], mut on_packet: impl FnMut(&[u8; PACKET_BYTES])) {
        while !bytes.is_empty() {
            let taken = bytes.len().min(PACKET_BYTES - self.filled);
            let (head, rest) = bytes.split_at(taken);
            self.partial[self.filled..self.filled + taken].copy_from_slice(head);
            self.filled += taken;
            bytes = rest;
            if self.filled == PACKET_BYTES {
                self.filled = 0;
                on_packet(&self.partial);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const LEG: LegIndex = LegIndex(3);
    const NOW: Timestamp = Timestamp::ZERO;

    fn packets(leg: &mut OnionLeg) -> Vec<[u8; PACKET_BYTES]> {
        std::iter::from_fn(|| leg.poll_event())
            .filter_map(|e| match e {
                LegEvent::Packet(p) => Some(p.bytes),
                _ => None,
            })
            .collect()
    }

    #[test]
    fn the_joiner_writes_the_join_packet_first_and_it_has_the_size_of_any_packet() {
        let secret = SecretBytes::new([7; 32]);
        let mut leg = OnionLeg::joining(LEG, &secret, [1; 32]);
        leg.send(LEG, &[9; PACKET_BYTES], NOW).unwrap();
        let mut join = Vec::new();
        assert_eq!(leg.poll_transmit(NOW, &mut join), Some(Transmit::Request));
        assert_eq!(join.len(), PACKET_BYTES);
        assert_eq!(&join[..32], secret.expose());
        assert!(
            join[32..].iter().any(|&b| b != join[32]),
            "the fill is random"
        );
        let (mut out, queued_at) = (Vec::new(), NOW);
        let packet = leg.poll_transmit(NOW, &mut out);
        assert_eq!(packet, Some(Transmit::Packet { queued_at }));
        assert_eq!(out, [9; PACKET_BYTES]);
        assert_eq!(leg.poll_transmit(NOW, &mut out), None);
        assert!(out.is_empty());
    }

    #[test]
    fn only_its_own_index_is_a_peer() {
        let mut leg = OnionLeg::accepted(LEG);
        assert_eq!(leg.poll_event(), Some(LegEvent::Bound(LEG)));
        assert_eq!(
            leg.send(LegIndex(4), &[0; PACKET_BYTES], NOW),
            Err(SendError::NotBound)
        );
        leg.close(NOW);
        assert_eq!(
            leg.send(LEG, &[0; PACKET_BYTES], NOW),
            Err(SendError::Closed)
        );
    }

    #[test]
    fn a_flood_without_a_reader_keeps_a_bounded_number_of_packets() {
        let mut leg = OnionLeg::accepted(LEG);
        for _ in 0..1000 {
            leg.handle_input(&[0; PACKET_BYTES], NOW);
        }
        assert!(packets(&mut leg).len() <= crate::limits::MAX_QUEUED_EVENTS);
        assert!(leg.drops().of(crate::DropReason::EventsFull) > 700);
    }

    proptest! {
        #[test]
        fn packets_survive_any_cut_of_the_stream(cuts in prop::collection::vec(1usize..700, 1..40)) {
            let sent: Vec<[u8; PACKET_BYTES]> = (0..8).map(|n| [n; PACKET_BYTES]).collect();
            let stream = sent.concat();
            let mut leg = OnionLeg::accepted(LEG);
            let mut at = 0;
            for cut in cuts.iter().cycle() {
                let end = (at + cut).min(stream.len());
                leg.handle_input(&stream[at..end], NOW);
                at = end;
                if at == stream.len() { break; }
            }
            prop_assert_eq!(packets(&mut leg), sent);
        }
    }
}
