//! The legs of a session: how they come up, what arrives on them, and how they are replaced.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use tacit_legs::shell::{LegHandle, LegOutput, OnionEnd, Wiring, spawn_onion_leg};
use tacit_legs::{JoinAcceptor, LegEvent, Peer, PeerError, Refusal, SendError};
use tacit_signaling::payload::{Candidates, PipeMessage};
use tacit_types::limits::{FRAME_DURATION, MAX_LEGS};
use tacit_types::{FrameNumber, LegIndex, LegKind, Path, Reason, Timestamp};
use tokio::sync::oneshot;

use super::super::legs::{
    Fresh, LegPlan, Opened, OpenedTurn, accept_onion_streams, clock, join_onion_leg, random_up_to,
};
use super::renewal::{Allocating, Renewal};
use super::{Call, LONG_STOP, Outcome, Session};
use crate::api::Event;
use crate::clock::now;
use crate::core::LegQueue;
use crate::network::BoxStream;
use crate::trace::TraceKind;
use crate::voice::Voice;

/// Within this time all legs bind a new one of the peer.
const BIND_SPREAD: Duration = Duration::from_secs(2);

impl Call {
    pub(super) fn plan_legs(&self, s: &mut Session, plan: LegPlan, at: Timestamp) {
        match plan {
            LegPlan::OnionOpen { target } => {
                s.target = Some(target);
                s.renewal = Some(Renewal::new(LegKind::Onion, s.wanted, at));
                while s.next_leg < s.wanted {
                    s.open_next(&self.shared, false);
                }
            }
            LegPlan::OnionAccept { streams } => {
                let mut acceptor = JoinAcceptor::new(at);
                while usize::from(s.next_leg) < MAX_LEGS {
                    let leg = LegIndex(s.next_leg);
                    acceptor.expect(leg, s.keys.leg_secret(leg));
                    s.next_leg += 1;
                }
                let acceptor = Arc::new(Mutex::new(acceptor));
                s.acceptor = Some(Arc::clone(&acceptor));
                accept_onion_streams(streams, acceptor, s.opened_sender.clone());
            }
            LegPlan::Turn(turn) => {
                self.take_turn(s, turn.opened, at);
                if let Some(candidates) = &turn.peers {
                    s.begin_peers(candidates);
                }
            }
            LegPlan::TurnLater { server, peers } => {
                if let Some(candidates) = &peers {
                    s.begin_peers(candidates);
                }
                let peers = s.core.peers();
                let (report, opened) = oneshot::channel();
                s.turn = Some(opened);
                let shared = Arc::clone(&self.shared);
                tokio::spawn(async move {
                    // A call that is over needs no allocations.
                    let _ = report.send(shared.open_turn(server, peers).await);
                });
            }
        }
    }

    pub(super) fn take_turn(&self, s: &mut Session, opened: OpenedTurn, at: Timestamp) {
        s.handles = opened.handles;
        s.outputs = opened.outputs;
        s.output_sender = opened.sender;
        s.wanted = opened.wanted;
        s.next_leg = opened.wanted;
        s.renewal = Some(Renewal::new(LegKind::Turn, opened.wanted, at));
        s.allocating = Some(Allocating {
            purse: opened.purse,
            address: opened.candidates.address,
        });
        for leg in s.handles.keys().copied().collect::<Vec<_>>() {
            self.tell_leg_up(s, leg, opened.hops.get(&leg).cloned());
        }
        for output in opened.early {
            s.on_binding(output);
        }
        // The peer may have told of more while ours were on their way.
        s.bind(&s.core.peers());
    }

    pub(super) fn on_turn(
        &self,
        s: &mut Session,
        opened: Result<OpenedTurn, Reason>,
    ) -> Option<Outcome> {
        match opened {
            Ok(opened) => {
                let candidates = opened.candidates.clone();
                self.take_turn(s, opened, now());
                s.pipe(PipeMessage::Candidates(candidates));
                None
            }
            Err(reason) => Some(Outcome::Ended(reason)),
        }
    }

    pub(super) fn on_leg(
        &mut self,
        s: &mut Session,
        output: LegOutput,
        at: Timestamp,
    ) -> Option<Outcome> {
        match output.event {
            LegEvent::Packet(packet) => {
                let path = Path {
                    sender: packet.peer,
                    receiver: output.leg,
                };
                let arrivals = s.core.handle_packet(path, &packet.bytes, packet.arrived_at);
                if arrivals.authentic {
                    self.heard(s, at);
                }
                if let Some(voice) = &mut self.voice {
                    for number in arrivals.as_slice() {
                        voice.note(TraceKind::Arrived, *number, packet.arrived_at, -1);
                    }
                }
            }
            LegEvent::Bound(_) | LegEvent::PeerRefused(..) => s.on_binding(output),
            LegEvent::Closed(end) => {
                tracing::debug!(leg = output.leg.0, %end, "a leg ended");
                s.drop_leg(output.leg);
                // Who was not told that it came is not told that it went.
                if s.note_gone(output.leg) {
                    let live = s.handles.len();
                    self.shared.event(Event::LegDown {
                        call: self.id,
                        leg: output.leg.0,
                        live,
                    });
                }
            }
            LegEvent::Allocated(addr) => self.on_allocated(s, output.leg, addr.into_inner()),
            LegEvent::Failed(failure) => tracing::debug!(%failure, "a leg failed"),
            _ => {}
        }
        None
    }

    pub(super) fn on_opened(&mut self, s: &mut Session, opened: Opened) -> Option<Outcome> {
        s.opening = s.opening.saturating_sub(1);
        let leg = opened.leg;
        match opened.fresh {
            Ok(Fresh::Onion(stream)) => self.on_onion_stream(s, leg, stream),
            Ok(Fresh::Turn { handle, hops }) => {
                // It may have failed before it was reported here.
                let renewal = s.renewal.as_mut();
                if renewal.is_some_and(|r| r.note_hops(leg, hops)) {
                    handle.add_peers(&s.core.peers());
                    s.handles.insert(leg, handle);
                    self.introduce(s, leg);
                }
            }
            Err(reason) => {
                tracing::debug!(leg = leg.0, code = reason.code(), "a leg did not come");
                s.drop_leg(leg);
                s.note_gone(leg);
            }
        }
        None
    }

    fn on_onion_stream(&self, s: &mut Session, leg: LegIndex, stream: BoxStream) {
        if let Some(renewal) = &mut s.renewal {
            renewal.on_up(leg, now());
        }
        let hops = self
            .shared
            .report_circuits()
            .then(|| stream.dangerous_circuit_hops())
            .flatten();
        let wiring = Wiring {
            leg,
            clock: clock(),
            outputs: s.output_sender.clone(),
        };
        let handle = if s.acceptor.is_some() {
            s.expect_next();
            spawn_onion_leg(stream, OnionEnd::Accepted, wiring)
        } else {
            join_onion_leg(stream, &s.keys, wiring)
        };
        s.handles.insert(leg, handle);
        self.tell_leg_up(s, leg, hops);
    }

    pub(super) fn tell_leg_up(&self, s: &Session, leg: LegIndex, hops: Option<Vec<String>>) {
        let live = s.handles.len();
        self.shared.event(Event::LegUp {
            call: self.id,
            leg: leg.0,
            live,
            hops,
        });
    }
}

impl Session {
    /// The peer's candidates came by signaling.
    pub(super) fn begin_peers(&mut self, candidates: &Candidates) {
        if self.kind == LegKind::Turn {
            let peers = self.core.begin_peers(candidates.address, &candidates.ports);
            self.bind(&peers);
        }
    }

    /// Has each of our legs bind a new leg of the peer at a random time of its own: requests on all
    /// circuits at once would mark the moment for who sees them.
    pub(super) fn bind_by_and_by(&mut self, peer: Peer, at: Timestamp) {
        let legs = self.handles.keys();
        let times = legs.map(|leg| (at + random_up_to(BIND_SPREAD), *leg, peer));
        self.to_bind.extend(times);
    }

    /// Binds what is due.
    pub(super) fn bind_due(&mut self, at: Timestamp) {
        if self.to_bind.is_empty() {
            return;
        }
        let peers = self.core.peers();
        for (_, leg, peer) in self.to_bind.extract_if(.., |(due, ..)| *due <= at) {
            if let Some(handle) = self.handles.get(&leg).filter(|_| peers.contains(&peer)) {
                handle.add_peers(&[peer]);
            }
        }
    }

    /// Has all our legs bind legs of the peer.
    pub(super) fn bind(&self, peers: &[Peer]) {
        for handle in self.handles.values() {
            let mut refused = handle.add_peers(peers);
            refused.retain(|(_, error)| *error != PeerError::Known);
            if !refused.is_empty() {
                tracing::debug!(count = refused.len(), "candidates were not taken");
            }
        }
    }

    /// A path from one of our legs to one of the peer's is there, or is not to be had.
    fn on_binding(&mut self, output: LegOutput) {
        let path = |receiver| Path {
            sender: output.leg,
            receiver,
        };
        match output.event {
            LegEvent::Bound(peer) => {
                self.core.add_path(path(peer));
                self.had_legs = true;
            }
            LegEvent::PeerRefused(peer, Refusal { code }) => {
                tracing::debug!(leg = output.leg.0, peer = peer.0, code, "a path is refused");
                self.core.remove_path(path(peer));
            }
            _ => {}
        }
    }

    /// How long packets have waited for their legs' streams since this was last asked.
    pub(super) fn queues(&self) -> Vec<LegQueue> {
        let queue = |(leg, handle): (&LegIndex, &LegHandle)| {
            let written = handle.take_written();
            LegQueue {
                leg: *leg,
                packets: written.packets + u64::from(written.in_hand.is_some()),
                waited: written.waited + written.in_hand.unwrap_or_default(),
            }
        };
        self.handles.iter().map(queue).collect()
    }

    /// A leg has joined, so one more may: the caller replaces lost legs by higher indices.
    pub(super) fn expect_next(&mut self) {
        if let Some(acceptor) = &self.acceptor
            && self.next_leg < u8::MAX
        {
            let leg = LegIndex(self.next_leg);
            self.next_leg += 1;
            let secret = self.keys.leg_secret(leg);
            acceptor
                .lock()
                .expect("no code panics while it holds this lock")
                .expect(leg, secret);
        }
    }

    pub(in crate::call) fn drop_leg(&mut self, leg: LegIndex) {
        self.handles.remove(&leg);
        self.core.remove_leg(leg);
        if let Some(acceptor) = &self.acceptor {
            acceptor
                .lock()
                .expect("no code panics while it holds this lock")
                .closed(leg);
        }
    }

    /// Leaves out what cannot be caught up after nobody looked for a while; for how long. Nobody listened
    /// meanwhile either, so that was no silence of the peer: whether it is still there shows in what comes
    /// from now on.
    pub(in crate::call) fn pass_over(&mut self, at: Timestamp) -> Duration {
        let stopped = FRAME_DURATION * self.core.pass_over(at);
        self.last_packet = (self.last_packet + stopped).min(at);
        if stopped >= LONG_STOP {
            tracing::warn!(?stopped, "the call stood still");
        } else if !stopped.is_zero() {
            tracing::debug!(?stopped, "the call stood still");
        }
        stopped
    }

    /// Sends the packet of the slot that is due.
    pub(in crate::call) fn send_slot(&mut self, at: Timestamp, voice: Option<&mut Voice>) {
        let mut next = self.core.next_packet(at);
        // Each leg that refuses is passed over, so this ends.
        while let Some(outgoing) = next {
            let handle = self.handles.get(&outgoing.path.sender);
            let taken = handle.map_or(Err(SendError::Closed), |handle| {
                handle.try_send(outgoing.path.receiver, &outgoing.packet)
            });
            match taken {
                Ok(()) => {
                    self.core.on_sent(&outgoing, at);
                    if let Some(voice) = voice {
                        voice.note(TraceKind::Sent, FrameNumber(outgoing.slot.0), at, -1);
                    }
                    return;
                }
                Err(error) => {
                    tracing::trace!(%error, "a leg did not take a packet");
                    if error == SendError::NotBound {
                        self.core.remove_path(outgoing.path);
                    }
                    next = self.core.reroute(&outgoing, at);
                }
            }
        }
    }

    /// Sends a PIPE message if there is still a server to carry it.
    pub(in crate::call) fn pipe(&self, message: PipeMessage) {
        let sent = self.link.send.as_ref().map(|send| send.try_send(message));
        if !matches!(sent, Some(Ok(()))) {
            tracing::debug!("a message found no mailbox server; the control lane carries it");
        }
    }

    /// Lets the signaling stream go; it closes by itself after a random delay.
    pub(super) fn close_link(&mut self) {
        self.link.send = None;
    }

    /// Time of the next slot.
    pub(in crate::call) fn next_slot_in(&self) -> Duration {
        self.core
            .slot_time()
            .saturating_since(now())
            .min(FRAME_DURATION)
    }
}
