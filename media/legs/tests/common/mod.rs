//! What the tests against a real coturn share.
#![allow(dead_code, unreachable_pub, missing_docs, clippy::unwrap_used)]

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use rand_core::{OsRng, RngCore};
use tacit_legs::coturn::{Coturn, CoturnOptions};
use tacit_legs::shell::{Clock, LegHandle, LegOutput, TurnSecurity, Wiring, open_turn_leg};
use tacit_legs::{CandidatePolicy, LegEvent, Packet, Peer, TurnConfig, TurnCredentials};
use tacit_types::limits::PACKET_BYTES;
use tacit_types::{LegIndex, Timestamp};
use tokio::net::TcpStream;
use tokio::sync::mpsc;

/// Nothing here takes longer unless it is broken.
pub const PATIENCE: Duration = Duration::from_secs(20);

/// A coturn, or `None` (and a line that says so) where it is not installed.
pub fn coturn(options: CoturnOptions) -> Option<Coturn> {
    if !Coturn::is_installed() {
        println!("SKIPPED: coturn not installed");
        return None;
    }
    Some(Coturn::start(options).unwrap())
}

pub fn clock() -> Clock {
    let origin = Instant::now();
    Arc::new(move || Timestamp::from_micros(origin.elapsed().as_micros() as u64))
}

pub fn seed() -> [u8; 32] {
    let mut seed = [0; 32];
    OsRng.fill_bytes(&mut seed);
    seed
}

pub fn config(credentials: TurnCredentials, peers: &[Peer]) -> TurnConfig {
    TurnConfig {
        credentials,
        peers: peers.to_vec(),
        candidates: CandidatePolicy::dangerous_allow_local_candidates(),
        seed: seed(),
    }
}

/// A leg with a channel of its own.
pub struct TestLeg {
    pub handle: LegHandle,
    pub outputs: mpsc::Receiver<LegOutput>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Over {
    Tls,
    PlainTcp,
}

impl TestLeg {
    pub async fn open(coturn: &Coturn, over: Over, index: u8, config: TurnConfig) -> Self {
        let (addr, security) = match over {
            Over::Tls => (coturn.tls_addr(), TurnSecurity::Pinned(coturn.pin())),
            Over::PlainTcp => (coturn.plain_addr(), TurnSecurity::dangerous_plain_tcp()),
        };
        let stream = TcpStream::connect(addr).await.unwrap();
        stream.set_nodelay(true).unwrap();
        let (sender, outputs) = mpsc::channel(1024);
        let wiring = Wiring {
            leg: LegIndex(index),
            clock: clock(),
            outputs: sender,
        };
        let handle = open_turn_leg(stream, security, config, wiring)
            .await
            .unwrap();
        Self { handle, outputs }
    }

    pub async fn next(&mut self) -> LegEvent {
        let next = tokio::time::timeout(PATIENCE, self.outputs.recv()).await;
        next.expect("an event in time")
            .expect("the leg still reports")
            .event
    }

    pub async fn allocated(&mut self) -> SocketAddr {
        match self.next().await {
            LegEvent::Allocated(addr) => *addr.reveal(),
            other => panic!("expected Allocated, got {other:?}"),
        }
    }

    pub async fn bound(&mut self) -> LegIndex {
        match self.next().await {
            LegEvent::Bound(peer) => peer,
            other => panic!("expected Bound, got {other:?}"),
        }
    }

    pub async fn packet(&mut self) -> Packet {
        match self.next().await {
            LegEvent::Packet(packet) => packet,
            other => panic!("expected a packet, got {other:?}"),
        }
    }
}

/// A packet that says where it comes from.
pub fn packet(from: u8, to: u8, number: u32) -> [u8; PACKET_BYTES] {
    let mut packet = [from.wrapping_mul(31).wrapping_add(to); PACKET_BYTES];
    packet[..2].copy_from_slice(&[from, to]);
    packet[2..6].copy_from_slice(&number.to_be_bytes());
    packet
}
