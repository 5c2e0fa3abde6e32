//! The client's state machine.

mod responses;

use core::fmt;
use core::time::Duration;
use std::collections::VecDeque;

use rand_chacha::ChaCha20Rng;
use rand_core::{RngCore, SeedableRng};
use rtc_stun::message::TransactionId;
use tacit_types::limits::PACKET_BYTES;
use tacit_types::{LegIndex, Timestamp};

use super::bindings::{BindState, Bindings};

use super::channel_data::{FRAMED_BYTES, framed, parse};
use super::codec::{Codec, Login, Request};
use super::stream::{NotTurn, TurnStream};
use super::{TurnConfig, TurnCredentials};
use crate::candidate::CandidatePolicy;
use crate::leg::{
    DropCounts, DropReason, Failure, Leg, LegEvent, Packet, Peer, PeerError, Refusal, SendError,
    Transmit, WakeReason,
};
use crate::limits::{MAX_CELL_WRITE, MAX_PEERS, MAX_PENDING_REQUESTS, REQUEST_TIMEOUT};
use crate::queue::{EventQueue, PacketQueue};

/// Bytes of a ChannelBind until one was encoded; only how many share a write hangs on it.
const TYPICAL_BIND_BYTES: usize = 150;

/// One allocation on a TURN server and the channels bound on it.
pub struct TurnLeg {
    credentials: TurnCredentials,
    policy: CandidatePolicy,
    codec: Codec,
    rng: ChaCha20Rng,
    phase: Phase,
    pending: Vec<Pending>,
    bindings: Bindings,
    bind_bytes: usize,
    stream: TurnStream,
    requests: VecDeque<Vec<u8>>,
    packets: PacketQueue<FRAMED_BYTES>,
    events: EventQueue,
    drops: DropCounts,
}

enum Phase {
    /// Waiting for the 401.
    Probing,
    /// The Allocate is under way; the first binds follow it at `binds_at`, or are out (`None`).
    Allocating {
        login: Login,
        binds_at: Option<Timestamp>,
    },
    /// Relaying. `refresh_at` is `None` while a Refresh is under way.
    Live {
        login: Login,
        refresh_at: Option<Timestamp>,
    },
    /// Closed or failed.
    Over,
}

/// A request that awaits its response.
struct Pending {
    id: TransactionId,
    request: Request,
    deadline: Timestamp,
    stale: u8,
}

impl TurnLeg {
    /// A client whose first write is the 401 probe. Peers that cannot be taken are reported as
    /// refused.
    #[must_use]
    pub fn new(config: TurnConfig, now: Timestamp) -> Self {
        let mut leg = Self {
            credentials: config.credentials,
            policy: config.candidates,
            codec: Codec::new(),
            rng: ChaCha20Rng::from_seed(config.seed),
            phase: Phase::Probing,
            pending: Vec::new(),
            bindings: Bindings::default(),
            bind_bytes: TYPICAL_BIND_BYTES,
            stream: TurnStream::default(),
            requests: VecDeque::new(),
            packets: PacketQueue::default(),
            events: EventQueue::default(),
            drops: DropCounts::default(),
        };
        for peer in config.peers {
            if leg.add_peer(peer, now).is_err() {
                leg.report(LegEvent::PeerRefused(peer.leg, Refusal { code: 0 }));
            }
        }
        leg.ask(Request::Probe, 0, now);
        leg
    }

    fn report(&mut self, event: LegEvent) {
        self.events.push(event, &mut self.drops);
    }

    fn fail(&mut self, failure: Failure) {
        if self.is_over() {
            return;
        }
        self.end();
        self.report(LegEvent::Failed(failure));
    }

    fn end(&mut self) {
        self.phase = Phase::Over;
        self.pending.clear();
        self.requests.clear();
        self.packets.clear();
        self.stream.clear();
    }

    const fn is_over(&self) -> bool {
        matches!(self.phase, Phase::Over)
    }

    const fn login(&self) -> Option<&Login> {
        match &self.phase {
            Phase::Allocating { login, .. } | Phase::Live { login, .. } => Some(login),
            Phase::Probing | Phase::Over => None,
        }
    }

    /// Queues a request, signed once there is something to sign with.
    fn ask(&mut self, request: Request, stale: u8, now: Timestamp) {
        debug_assert!(
            self.pending.len() < MAX_PENDING_REQUESTS,
            "add_peer and one request a binding"
        );
        let mut id = TransactionId::default();
        self.rng.fill_bytes(&mut id.0);
        match self.codec.encode(&request, id, self.login()) {
            Ok(bytes) => {
                if matches!(request, Request::Bind { .. }) {
                    self.bind_bytes = bytes.len();
                }
                self.requests.push_back(bytes);
                self.pending.push(Pending {
                    id,
                    request,
                    deadline: now + REQUEST_TIMEOUT,
                    stale,
                });
            }
            Err(failure) => self.fail(failure),
        }
    }

    fn ask_all(&mut self, requests: Vec<Request>, now: Timestamp) {
        for request in requests {
            self.ask(request, 0, now);
        }
    }

    /// A random moment in `range` from now.
    fn later(&mut self, range: (Duration, Duration), now: Timestamp) -> Timestamp {
        let span = u64::try_from((range.1 - range.0).as_micros())
            .unwrap_or(u64::MAX)
            .max(1);
        now + range.0 + Duration::from_micros(self.rng.next_u64() % span)
    }

    /// Takes the message that the stream holds.
    fn handle_message(&mut self, now: Timestamp) {
        let message = self.stream.message();
        // The stream passes on 00 (STUN) and 01 (ChannelData) alone.
        if message[0] >> 6 == 0b01 {
            return self.handle_channel_data(now);
        }
        match self.codec.decode(message, self.login()) {
            Ok(response) => self.handle_response(response, now),
            Err(reason) => self.drops.count(reason),
        }
    }

    fn handle_channel_data(&mut self, now: Timestamp) {
        let Some((channel, payload)) = parse(self.stream.message()) else {
            return self.drops.count(DropReason::Malformed);
        };
        let Some(peer) = self.bindings.peer_on(channel) else {
            return self.drops.count(DropReason::UnknownChannel);
        };
        let Ok(bytes) = <[u8; PACKET_BYTES]>::try_from(payload) else {
            return self.drops.count(DropReason::WrongSize);
        };
        self.report(LegEvent::Packet(Packet {
            peer,
            bytes,
            arrived_at: now,
        }));
    }

    fn renew_bindings(&mut self, now: Timestamp) {
        if self.bindings.next_renewal().is_some_and(|at| at <= now) {
            let per_write = MAX_CELL_WRITE / self.bind_bytes;
            let renewals = self.bindings.request_renewals(now, per_write);
            self.ask_all(renewals, now);
        }
    }
}

impl Leg for TurnLeg {
    fn handle_input(&mut self, mut bytes: &[u8], now: Timestamp) {
        while !bytes.is_empty() && !self.is_over() {
            match self.stream.take(&mut bytes) {
                Ok(true) => self.handle_message(now),
                Ok(false) => {}
                Err(NotTurn) => self.fail(Failure::NotTurn),
            }
        }
    }

    fn handle_timeout(&mut self, now: Timestamp) {
        if self.pending.iter().any(|p| p.deadline <= now) {
            return self.fail(Failure::Timeout);
        }
        let due = |at: &mut Option<Timestamp>| at.take_if(|at| *at <= now).is_some();
        match &mut self.phase {
            Phase::Allocating { binds_at, .. } => {
                if due(binds_at) {
                    self.ask_wanted(now);
                }
            }
            Phase::Live { refresh_at, .. } => {
                if due(refresh_at) {
                    self.ask(Request::Refresh, 0, now);
                }
                self.renew_bindings(now);
            }
            Phase::Probing | Phase::Over => {}
        }
    }

    fn send(
        &mut self,
        peer: LegIndex,
        packet: &[u8; PACKET_BYTES],
        now: Timestamp,
    ) -> Result<(), SendError> {
        if self.is_over() {
            return Err(SendError::Closed);
        }
        let channel = self.bindings.channel_to(peer).ok_or(SendError::NotBound)?;
        self.packets
            .push(framed(channel, packet), now, &mut self.drops)
    }

    fn add_peer(&mut self, peer: Peer, now: Timestamp) -> Result<(), PeerError> {
        if self.is_over() {
            return Err(PeerError::Closed);
        }
        if !self.policy.accepts(*peer.addr.reveal()) {
            return Err(PeerError::NotPublic);
        }
        // Only peers that came and went in a hurry leave so many requests behind.
        if self.pending.len() >= MAX_PEERS {
            return Err(PeerError::TooMany);
        }
        self.bindings.add(peer)?;
        if matches!(
            self.phase,
            Phase::Allocating { binds_at: None, .. } | Phase::Live { .. }
        ) {
            self.ask_wanted(now);
        }
        Ok(())
    }

    fn remove_peer(&mut self, peer: LegIndex) {
        if let Some(binding) = self.bindings.get_mut(peer) {
            binding.state = BindState::Gone;
        }
    }

    fn close(&mut self, now: Timestamp) {
        self.packets.clear();
        if matches!(self.phase, Phase::Live { .. }) {
            self.requests.clear();
            self.ask(Request::Release, 0, now);
            let release = self.requests.pop_back();
            self.end();
            self.requests.extend(release);
        } else {
            self.end();
        }
    }

    fn poll_transmit(&mut self, now: Timestamp, out: &mut Vec<u8>) -> Option<Transmit> {
        out.clear();
        if self.requests.is_empty() {
            return self.packets.pop(now, out, &mut self.drops);
        }
        while let Some(next) = self.requests.front()
            && (out.is_empty() || out.len() + next.len() <= MAX_CELL_WRITE)
        {
            out.extend_from_slice(next);
            self.requests.pop_front();
        }
        Some(Transmit::Request)
    }

    fn poll_event(&mut self) -> Option<LegEvent> {
        self.events.pop()
    }

    fn poll_timeout(&self) -> Option<(Timestamp, WakeReason)> {
        let request = self.pending.iter().map(|p| p.deadline).min();
        let (binds, refresh, renewal) = match &self.phase {
            Phase::Allocating { binds_at, .. } => (*binds_at, None, None),
            Phase::Live { refresh_at, .. } => (None, *refresh_at, self.bindings.next_renewal()),
            Phase::Probing | Phase::Over => (None, None, None),
        };
        let deadlines = [
            (request, WakeReason::RequestTimeout),
            (binds, WakeReason::FirstBinds),
            (refresh, WakeReason::RefreshAllocation),
            (renewal, WakeReason::RefreshBindings),
        ];
        deadlines
            .into_iter()
            .filter_map(|(at, why)| Some((at?, why)))
            .min_by_key(|(at, _)| *at)
    }

    fn drops(&self) -> DropCounts {
        self.drops
    }
}

impl fmt::Debug for TurnLeg {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let phase = match self.phase {
            Phase::Probing => "probing",
            Phase::Allocating { .. } => "allocating",
            Phase::Live { .. } => "live",
            Phase::Over => "over",
        };
        f.debug_struct("TurnLeg")
            .field("phase", &phase)
            .finish_non_exhaustive()
    }
}
