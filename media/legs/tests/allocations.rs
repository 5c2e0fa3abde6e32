//! Legs allocate nothing once they have settled: from the engine's hand to the stream, and from the
//! stream to the engine's hand.
#![expect(clippy::unwrap_used, reason = "a test may")]

mod common;

use common::{clock, packet, seed};
use tacit_legs::shell::{LegHandle, LegOutput, OnionEnd, Wiring, spawn_onion_leg};
use tacit_legs::{LegEvent, OnionLeg};
use tacit_types::limits::PACKET_BYTES;
use tacit_types::{LegIndex, SecretBytes, Timestamp};
use tokio::io::duplex;
use tokio::sync::mpsc;

const LEG: LegIndex = LegIndex(2);

/// What `steps` cost once as many others have been made.
fn settled(steps: u32, mut step: impl FnMut(u32)) -> u64 {
    (0..steps).for_each(&mut step);
    allocation_counter::measure(|| (steps..2 * steps).for_each(&mut step)).count_total
}

#[test]
fn settled_machines_allocate_nothing() {
    let secret = SecretBytes::new([42; 32]);
    let mut onion = OnionLeg::joining(LEG, &secret, seed());
    let mut out = Vec::new();
    assert_eq!(settled(1000, |n| carry(&mut onion, LEG, n, &mut out)), 0);
    // A TURN leg with a channel: what it writes comes back to it on the same channel.
    let mut turn = tacit_legs::fuzz::live_turn_leg();
    let peer = LegIndex(1);
    assert_eq!(settled(1000, |n| carry(&mut turn, peer, n, &mut out)), 0);
}

fn carry(leg: &mut impl tacit_legs::Leg, peer: LegIndex, number: u32, out: &mut Vec<u8>) {
    let now = Timestamp::from_micros(2_000_000 + u64::from(number) * 20_000);
    let sent = packet(1, 2, number);
    leg.send(peer, &sent, now).unwrap();
    let mut heard = 0;
    while leg.poll_transmit(now, out).is_some() {
        // Cut where a stream may cut.
        let (head, tail) = out.split_at(out.len() / 3);
        leg.handle_input(head, now);
        leg.handle_input(tail, now);
    }
    while let Some(event) = leg.poll_event() {
        heard += u32::from(matches!(event, LegEvent::Packet(p) if p.bytes == sent));
    }
    assert_eq!(heard, 1, "packet {number}");
}

struct End {
    handle: LegHandle,
    outputs: mpsc::Receiver<LegOutput>,
}

impl End {
    fn new(stream: tokio::io::DuplexStream) -> Self {
        let (sender, outputs) = mpsc::channel(1024);
        let wiring = Wiring {
            leg: LEG,
            clock: clock(),
            outputs: sender,
        };
        let handle = spawn_onion_leg(stream, OnionEnd::Accepted, wiring);
        Self { handle, outputs }
    }

    async fn packet(&mut self) -> [u8; PACKET_BYTES] {
        loop {
            if let LegEvent::Packet(packet) = self.outputs.recv().await.unwrap().event {
                return packet.bytes;
            }
        }
    }
}

#[test]
fn settled_tasks_allocate_nothing() {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .build()
        .unwrap();
    let (ours, theirs) = duplex(1 << 16);
    let (mut a, mut b) = runtime.block_on(async { (End::new(ours), End::new(theirs)) });
    let step = |number| {
        let sent = packet(1, 2, number);
        a.handle.try_send(LEG, &sent).unwrap();
        b.handle.try_send(LEG, &sent).unwrap();
        runtime.block_on(async {
            assert_eq!(b.packet().await, sent);
            assert_eq!(a.packet().await, sent);
        });
    };
    assert_eq!(settled(2000, step), 0);
    assert_eq!(a.handle.take_written().packets, 4000);
}
