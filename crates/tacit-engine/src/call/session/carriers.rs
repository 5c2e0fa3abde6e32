//! The legs of a session: how they come up, what arrives on them, and how they are replaced.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use tacit_legs::shell::{LegHandle, LegOutput, OnionEnd, Wiring, spawn_onion_leg};
use tacit_legs::{JoinAcceptor, LegEvent, Refusal, SendError};
use tacit_signaling::payload::{Candidates, PipeMessage};
use tacit_types::limits::{FRAME_DURATION, MAX_LEGS};
use tacit_types::{FrameNumber, LegIndex, LegKind, Path, Reason, Timestamp};
use tokio::sync::oneshot;

use super::super::legs::{
    LegPlan, Opened, OpenedTurn, accept_onion_streams, clock, join_onion_leg, open_onion_stream,
    peers_of,
};
use super::renewal::Renewal;
use super::{Call, Outcome, Session};
use crate::api::Event;
use crate::clock::now;
use crate::core::LegQueue;
use crate::shared::Shared;
use crate::trace::TraceKind;
use crate::voice::Voice;

impl Call {
    pub(super) fn plan_legs(&self, s: &mut Session, plan: LegPlan, at: Timestamp) {
        match plan {
            LegPlan::OnionOpen { target } => {
                s.target = Some(target);
                s.renewal = Some(Renewal::new(s.wanted, at));
                while s.next_leg < s.wanted {
                    s.open_next(&self.shared);
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
                self.take_turn(s, turn.opened);
                if let Some(peers) = &turn.peers {
                    self.add_peers(s, peers);
                }
            }
            LegPlan::TurnLater { server, peers } => {
                let (report, opened) = oneshot::channel();
                s.turn = Some(opened);
                let shared = Arc::clone(&self.shared);
                tokio::spawn(async move {
                    // A call that is over needs no allocations.
                    let _ = report.send(shared.open_turn(server, peers.as_ref()).await);
                });
            }
        }
    }

    pub(super) fn take_turn(&self, s: &mut Session, opened: OpenedTurn) {
        s.handles = opened.handles;
        s.outputs = opened.outputs;
        s.output_sender = opened.sender;
        for leg in s.handles.keys().copied().collect::<Vec<_>>() {
            self.tell_leg_up(s, leg, opened.hops.get(&leg).cloned());
        }
        for output in opened.early {
            s.on_binding(output);
        }
    }

    pub(super) fn on_turn(
        &self,
        s: &mut Session,
        opened: Result<OpenedTurn, Reason>,
    ) -> Option<Outcome> {
        match opened {
            Ok(opened) => {
                let candidates = opened.candidates.clone();
                self.take_turn(s, opened);
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
                s.note_gone(output.leg);
                let live = s.handles.len();
                self.shared.event(Event::LegDown {
                    call: self.id,
                    leg: output.leg.0,
                    live,
                });
            }
            LegEvent::Failed(failure) => tracing::debug!(%failure, "a leg failed"),
            _ => {}
        }
        None
    }

    pub(super) fn on_opened(&mut self, s: &mut Session, opened: Opened) -> Option<Outcome> {
        s.opening = s.opening.saturating_sub(1);
        let Ok(stream) = opened.stream else {
            s.note_gone(opened.leg);
            return None;
        };
        if let Some(renewal) = &mut s.renewal {
            renewal.on_up(opened.leg, now());
        }
        let hops = self
            .shared
            .report_circuits()
            .then(|| stream.dangerous_circuit_hops())
            .flatten();
        let wiring = Wiring {
            leg: opened.leg,
            clock: clock(),
            outputs: s.output_sender.clone(),
        };
        let handle = if s.acceptor.is_some() {
            s.expect_next();
            spawn_onion_leg(stream, OnionEnd::Accepted, wiring)
        } else {
            join_onion_leg(stream, &s.keys, wiring)
        };
        s.handles.insert(opened.leg, handle);
        self.tell_leg_up(s, opened.leg, hops);
        None
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

    pub(super) fn add_peers(&self, s: &mut Session, candidates: &Candidates) {
        if s.kind == LegKind::Turn {
            for handle in s.handles.values() {
                let refused = handle.add_peers(&peers_of(candidates));
                if !refused.is_empty() {
                    tracing::debug!(count = refused.len(), "candidates were not taken");
                }
            }
        }
    }
}

impl Session {
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

    /// Opens the next onion leg, on an index that was never used in this handshake.
    pub(super) fn open_next(&mut self, shared: &Shared) -> Option<LegIndex> {
        let target = self.target.as_ref().filter(|_| self.next_leg < u8::MAX)?;
        let leg = LegIndex(self.next_leg);
        self.next_leg += 1;
        self.opening += 1;
        open_onion_stream(shared.network(), target, leg, self.opened_sender.clone());
        Some(leg)
    }

    fn note_gone(&mut self, leg: LegIndex) {
        if let Some(renewal) = &mut self.renewal {
            renewal.on_gone(leg);
        }
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
