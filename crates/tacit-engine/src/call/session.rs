//! One call from its first key to its last packet.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use rand_core::{OsRng, RngCore as _};
use tacit_crypto::SessionKeys;
use tacit_legs::shell::{LegHandle, LegOutput, OnionEnd, Wiring, spawn_onion_leg};
use tacit_legs::{JoinAcceptor, LegEvent};
use tacit_packet::ControlMessage;
use tacit_playout::Playout;
use tacit_signaling::payload::{Candidates, PipeMessage};
use tacit_tor::Target;
use tacit_types::limits::{FRAME_DURATION, MAX_LEGS};
use tacit_types::{FrameNumber, LegIndex, LegKind, Path, Reason, Role, Timestamp};
use tokio::sync::{mpsc, oneshot};
use tokio::time::{Instant, MissedTickBehavior};

use super::legs::{
    LegPlan, Opened, OpenedTurn, accept_onion_streams, clock, join_onion_leg, open_onion_stream,
    outputs, peers_of,
};
use crate::api::{CallId, CallState, Event, Timing};
use crate::clock::now;
use crate::core::{MediaCore, MediaEvent, Meter};
use crate::ledger::ContactId;
use crate::shared::Shared;
use crate::trace::{Trace, TraceKind};
use crate::voice::Voice;

/// The media task looks at the clock this often: half a frame.
const TICK: Duration = Duration::from_millis(10);
/// Without an authentic packet for this long the call counts as broken.
const SILENCE_LIMIT: Duration = Duration::from_secs(20);
/// A lost leg is replaced this often at most (the peer takes two joins a minute after the first).
const REPLACE_INTERVAL: Duration = Duration::from_secs(35);
/// The meter reports this often.
const METER_INTERVAL: Duration = Duration::from_secs(1);
/// A resume that failed is tried again after this time.
const RESUME_RETRY: Duration = Duration::from_secs(3);

/// What the person or the engine wants of a call.
pub(crate) enum CallCommand {
    Accept,
    HangUp,
    SetMuted(bool),
    Verify(bool),
    /// The peer rang again to go on with this call.
    Resume(Box<Handshake>),
}

/// What comes from the peer by the mailbox server.
#[derive(Debug)]
pub(crate) enum LinkEvent {
    Pipe(PipeMessage),
    /// Nobody took the call in time.
    NoAnswer,
    Lost,
}

/// The signaling connection of a call, whichever side it is of.
#[derive(Debug)]
pub(crate) struct Link {
    pub send: mpsc::Sender<PipeMessage>,
    pub events: mpsc::Receiver<LinkEvent>,
}

/// What a finished handshake gives a call.
pub(crate) struct Handshake {
    pub keys: SessionKeys,
    pub kind: LegKind,
    pub legs: u8,
    pub link: Link,
    pub plan: LegPlan,
}

/// What ended a phase of the call.
pub(super) enum Outcome {
    Ended(Reason),
    LegsLost,
    Resumed(Box<Handshake>),
}

/// A call in progress.
pub(crate) struct Call {
    pub(super) id: CallId,
    pub(super) contact: ContactId,
    pub(super) role: Role,
    pub(super) shared: Arc<Shared>,
    pub(super) commands: mpsc::Receiver<CallCommand>,
    accepted: bool,
    verified_here: bool,
    muted: bool,
    voice: Option<Voice>,
    meter: Meter,
    connected: bool,
    /// All legs were lost and nothing was heard since.
    interrupted: bool,
    words: Option<[String; 2]>,
}

/// The parts that belong to one handshake.
pub(super) struct Session {
    pub(super) core: MediaCore,
    pub(super) link: Link,
    pub(super) handles: BTreeMap<LegIndex, LegHandle>,
    pub(super) outputs: mpsc::Receiver<LegOutput>,
    output_sender: mpsc::Sender<LegOutput>,
    opened: mpsc::Receiver<Opened>,
    opened_sender: mpsc::Sender<Opened>,
    keys: SessionKeys,
    kind: LegKind,
    target: Option<Target>,
    acceptor: Option<Arc<Mutex<JoinAcceptor>>>,
    wanted: u8,
    next_leg: u8,
    opening: usize,
    replaced_at: Timestamp,
    last_packet: Timestamp,
    had_packet: bool,
    had_legs: bool,
    link_alive: bool,
    turn: Option<oneshot::Receiver<Result<OpenedTurn, Reason>>>,
}

impl Call {
    pub(crate) fn new(
        id: CallId,
        contact: ContactId,
        role: Role,
        shared: Arc<Shared>,
        commands: mpsc::Receiver<CallCommand>,
    ) -> Self {
        Self {
            id,
            contact,
            role,
            shared,
            commands,
            accepted: false,
            verified_here: false,
            muted: false,
            voice: None,
            meter: Meter::default(),
            connected: false,
            interrupted: false,
            words: None,
        }
    }

    /// Runs the call to its end. The `Ended` event is sent here; cover traffic goes on after it.
    pub(crate) async fn run(mut self, handshake: Handshake) {
        let mut session = self.start(handshake);
        let mut resumed = false;
        let reason = loop {
            match self.drive(&mut session).await {
                Outcome::Ended(reason) => break reason,
                Outcome::Resumed(next) => {
                    session = self.start(*next);
                    resumed = true;
                }
                // A resume that brought no packet would bring none the next time.
                Outcome::LegsLost if resumed && !session.had_packet => break Reason::LegsLost,
                Outcome::LegsLost => match self.resume(&mut session).await {
                    Ok(next) => {
                        session = self.start(*next);
                        resumed = true;
                    }
                    Err(reason) => break reason,
                },
            }
        };
        if let Some(voice) = self.voice.take() {
            voice.close();
        }
        self.shared.call_ended(self.id, reason);
        super::ending::wind_down(session, reason).await;
    }

    fn start(&self, handshake: Handshake) -> Session {
        let Handshake {
            keys,
            kind,
            legs,
            link,
            plan,
        } = handshake;
        let at = now();
        let mut nonce = [0; 32];
        OsRng.fill_bytes(&mut nonce);
        let playout = Playout::new(tacit_playout::Config::default());
        let core = MediaCore::new(&keys, kind, playout, OsRng.next_u64(), nonce, at);
        let (output_sender, outputs) = outputs();
        let (opened_sender, opened) = mpsc::channel(2 * MAX_LEGS);
        let mut session = Session {
            core,
            link,
            outputs,
            output_sender,
            opened,
            opened_sender,
            keys,
            kind,
            handles: BTreeMap::new(),
            target: None,
            acceptor: None,
            wanted: legs,
            next_leg: 0,
            opening: 0,
            replaced_at: at,
            last_packet: at,
            had_packet: false,
            had_legs: false,
            link_alive: true,
            turn: None,
        };
        self.plan_legs(&mut session, plan, at);
        session
    }

    fn plan_legs(&self, s: &mut Session, plan: LegPlan, at: Timestamp) {
        match plan {
            LegPlan::OnionOpen { target } => {
                s.target = Some(target);
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
            LegPlan::TurnLater { peers } => {
                let (report, opened) = oneshot::channel();
                s.turn = Some(opened);
                let shared = Arc::clone(&self.shared);
                tokio::spawn(async move {
                    // A call that is over needs no allocations.
                    let _ = report.send(shared.open_turn(peers.as_ref()).await);
                });
            }
        }
    }

    fn take_turn(&self, s: &mut Session, opened: OpenedTurn) {
        s.handles = opened.handles;
        s.outputs = opened.outputs;
        s.output_sender = opened.sender;
        for leg in s.handles.keys().copied().collect::<Vec<_>>() {
            self.tell_leg_up(s, leg, opened.hops.get(&leg).cloned());
        }
        for output in opened.early {
            if let LegEvent::Bound(peer) = output.event {
                s.bound(output.leg, peer);
            }
        }
    }

    fn on_turn(&self, s: &mut Session, opened: Result<OpenedTurn, Reason>) -> Option<Outcome> {
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

    /// The main loop of one handshake.
    async fn drive(&mut self, s: &mut Session) -> Outcome {
        let mut tick = tokio::time::interval_at(Instant::now(), TICK);
        tick.set_missed_tick_behavior(MissedTickBehavior::Burst);
        let mut next_report = now() + METER_INTERVAL;
        loop {
            let outcome = tokio::select! {
                biased;
                _ = tick.tick() => {
                    let at = now();
                    if at >= next_report {
                        next_report += METER_INTERVAL;
                        self.report(s, at);
                    }
                    self.on_tick(s, at)
                }
                Some(output) = s.outputs.recv() => self.on_leg(s, output, now()),
                Some(opened) = s.opened.recv() => self.on_opened(s, opened),
                opened = turn_opened(&mut s.turn) => {
                    s.turn = None;
                    self.on_turn(s, opened)
                }
                event = s.link.events.recv(), if s.link_alive => self.on_link(s, event),
                command = self.commands.recv() => self.on_command(s, command),
            };
            if let Some(outcome) = outcome.or_else(|| self.drain(s)) {
                return outcome;
            }
        }
    }

    fn on_tick(&mut self, s: &mut Session, at: Timestamp) -> Option<Outcome> {
        while s.core.slot_time() <= at {
            if let Some(voice) = self.voice.as_mut().filter(|_| self.connected) {
                voice.capture(&mut s.core, at);
            }
            s.send_slot(at, self.voice.as_mut());
        }
        if let Some(voice) = self.voice.as_mut() {
            voice.play(&mut s.core, at);
        }
        self.watch(s, at)
    }

    /// An authentic packet came in.
    fn heard(&mut self, s: &mut Session, at: Timestamp) {
        s.last_packet = at;
        s.had_packet = true;
        if std::mem::replace(&mut self.interrupted, false) {
            self.shared.event(Event::Resumed(self.id));
        }
    }

    /// Notices what has not happened.
    fn watch(&self, s: &mut Session, at: Timestamp) -> Option<Outcome> {
        let silent = at.saturating_since(s.last_packet) > SILENCE_LIMIT;
        let none_left = s.had_legs && s.handles.is_empty() && s.opening == 0;
        if self.connected && (none_left || silent) {
            return Some(Outcome::LegsLost);
        }
        if s.target.is_some()
            && s.handles.len() + s.opening < usize::from(s.wanted)
            && at.saturating_since(s.replaced_at) > REPLACE_INTERVAL
        {
            s.replaced_at = at;
            s.open_next(&self.shared);
        }
        None
    }

    fn on_leg(&mut self, s: &mut Session, output: LegOutput, at: Timestamp) -> Option<Outcome> {
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
            LegEvent::Bound(peer) => {
                s.bound(output.leg, peer);
            }
            LegEvent::Closed(end) => {
                tracing::debug!(leg = output.leg.0, %end, "a leg ended");
                s.drop_leg(output.leg);
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

    fn on_opened(&mut self, s: &mut Session, opened: Opened) -> Option<Outcome> {
        s.opening = s.opening.saturating_sub(1);
        let Ok(stream) = opened.stream else {
            return None;
        };
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

    fn tell_leg_up(&self, s: &Session, leg: LegIndex, hops: Option<Vec<String>>) {
        let live = s.handles.len();
        self.shared.event(Event::LegUp {
            call: self.id,
            leg: leg.0,
            live,
            hops,
        });
    }

    fn on_link(&mut self, s: &mut Session, event: Option<LinkEvent>) -> Option<Outcome> {
        match event {
            Some(LinkEvent::Pipe(message)) => self.on_pipe(s, message),
            Some(LinkEvent::NoAnswer) => {
                (!self.accepted).then_some(Outcome::Ended(Reason::PeerNoAnswer))
            }
            // The legs carry the call; only a call without legs needs its server.
            Some(LinkEvent::Lost) | None => {
                s.link_alive = false;
                (!self.connected && s.handles.is_empty())
                    .then_some(Outcome::Ended(Reason::ServerLost))
            }
        }
    }

    fn on_pipe(&mut self, s: &mut Session, message: PipeMessage) -> Option<Outcome> {
        match message {
            PipeMessage::Accept => self.on_accepted(s),
            PipeMessage::Bye => Some(Outcome::Ended(Reason::PeerHungUp)),
            PipeMessage::Candidates(candidates) => {
                self.add_peers(s, &candidates);
                None
            }
            other => {
                self.shared.on_contact_message(self.contact, other);
                None
            }
        }
    }

    fn add_peers(&self, s: &mut Session, candidates: &Candidates) {
        if s.kind == LegKind::Turn {
            for handle in s.handles.values() {
                let refused = handle.add_peers(&peers_of(candidates));
                if !refused.is_empty() {
                    tracing::debug!(count = refused.len(), "candidates were not taken");
                }
            }
        }
    }

    fn on_command(&mut self, s: &mut Session, command: Option<CallCommand>) -> Option<Outcome> {
        match command {
            Some(CallCommand::Accept) if self.role == Role::Callee && !self.accepted => {
                self.accepted = true;
                self.shared
                    .event(Event::Timing(self.id, Timing::Accepted(now().as_micros())));
                s.core.send_control(ControlMessage::Accept);
                s.pipe(PipeMessage::Accept);
                self.connect(s)
            }
            Some(CallCommand::SetMuted(muted)) => {
                self.muted = muted;
                if let Some(voice) = &mut self.voice {
                    voice.set_muted(muted);
                }
                s.core.send_control(if muted {
                    ControlMessage::Muted
                } else {
                    ControlMessage::Unmuted
                });
                None
            }
            Some(CallCommand::Verify(true)) => self.verify(s),
            Some(CallCommand::Verify(false)) => Some(Outcome::Ended(Reason::NotVerified)),
            Some(CallCommand::Resume(next)) => Some(Outcome::Resumed(next)),
            Some(CallCommand::HangUp) | None => Some(Outcome::Ended(Reason::HungUp)),
            Some(CallCommand::Accept) => None,
        }
    }

    fn verify(&mut self, s: &mut Session) -> Option<Outcome> {
        self.verified_here = true;
        s.core.send_control(ControlMessage::SasConfirmed);
        match self.shared.set_verified(self.contact) {
            Ok(()) => {
                self.shared.event(Event::Verified(self.id));
                None
            }
            Err(reason) => Some(Outcome::Ended(reason)),
        }
    }

    /// Takes what the core has to say.
    fn drain(&mut self, s: &mut Session) -> Option<Outcome> {
        while let Some(event) = s.core.poll_event() {
            let outcome = match event {
                MediaEvent::Accepted => self.on_accepted(s),
                MediaEvent::PeerHungUp => Some(Outcome::Ended(Reason::PeerHungUp)),
                MediaEvent::Words(words) => {
                    self.words = Some(words);
                    self.show_words();
                    None
                }
                MediaEvent::WordsFailed => Some(Outcome::Ended(Reason::NotVerified)),
                MediaEvent::PeerConfirmed | MediaEvent::PathWorks => None,
            };
            if outcome.is_some() {
                return outcome;
            }
        }
        self.tell_first_audio();
        None
    }

    /// The words are compared by voice, so they are shown once there is one.
    fn show_words(&mut self) {
        if self.connected
            && !self.shared.is_verified(self.contact)
            && let Some(words) = self.words.take()
        {
            self.shared.event(Event::Words(self.id, words));
        }
    }

    fn tell_first_audio(&mut self) {
        let Some(voice) = &mut self.voice else { return };
        if let Some(at) = voice.take_first_played() {
            self.shared
                .event(Event::Timing(self.id, Timing::FirstAudio(at.as_micros())));
        }
        if voice.just_ended() {
            self.shared.event(Event::SourceEnded(self.id));
        }
        while let Some(reason) = voice.poll_event() {
            self.shared.event(Event::AudioChanged(self.id, reason));
        }
    }

    fn on_accepted(&mut self, s: &mut Session) -> Option<Outcome> {
        if self.role == Role::Callee || self.accepted {
            return None;
        }
        self.accepted = true;
        self.shared
            .event(Event::Timing(self.id, Timing::Accepted(now().as_micros())));
        self.connect(s)
    }

    /// Opens the sound and lets it flow.
    fn connect(&mut self, s: &mut Session) -> Option<Outcome> {
        if s.handles.is_empty() {
            self.shared
                .event(Event::State(self.id, CallState::Securing));
        }
        match self.open_voice() {
            Ok(voice) => self.voice = Some(voice),
            Err(reason) => return Some(Outcome::Ended(reason)),
        }
        self.connected = true;
        s.last_packet = now();
        self.shared
            .event(Event::State(self.id, CallState::Connected));
        self.show_words();
        None
    }

    fn open_voice(&self) -> Result<Voice, Reason> {
        let (source, sink) = self.shared.audio(self.id);
        let io = tacit_audio::open(source, sink).map_err(|e| e.reason())?;
        let trace = self.shared.trace(self.id).map(Trace::new);
        let mut voice = Voice::new(io, trace)?;
        voice.set_muted(self.muted);
        Ok(voice)
    }

    fn report(&mut self, s: &Session, at: Timestamp) {
        if let Some(voice) = self.voice.as_ref().filter(|_| self.connected) {
            let quality = self
                .meter
                .report(&s.core, voice.output_delay_ms(), voice.levels(), at);
            self.shared
                .event(Event::Quality(self.id, Box::new(quality)));
        }
    }

    /// All legs are lost: the caller rings again and again, the callee waits for it.
    async fn resume(&mut self, s: &mut Session) -> Result<Box<Handshake>, Reason> {
        if !std::mem::replace(&mut self.interrupted, true) {
            self.shared.event(Event::Interrupted(self.id));
        }
        self.meter = Meter::default();
        for (_, handle) in std::mem::take(&mut s.handles) {
            handle.close();
        }
        let (shared, role, id, contact, kind) = (
            Arc::clone(&self.shared),
            self.role,
            self.id,
            self.contact,
            s.kind,
        );
        let again = async {
            loop {
                match shared.redial(role, id, contact, kind).await {
                    Ok(next) => return Box::new(next),
                    Err(reason) => tracing::debug!(code = reason.code(), "not resumed yet"),
                }
                tokio::time::sleep(RESUME_RETRY).await;
            }
        };
        tokio::pin!(again);
        let deadline = tokio::time::sleep(self.shared.resume_within());
        tokio::pin!(deadline);
        loop {
            tokio::select! {
                next = &mut again => return Ok(next),
                command = self.commands.recv() => match command {
                    Some(CallCommand::Resume(next)) => return Ok(next),
                    Some(CallCommand::SetMuted(muted)) => {
                        self.muted = muted;
                        if let Some(voice) = &mut self.voice {
                            voice.set_muted(muted);
                        }
                    }
                    Some(CallCommand::Verify(false)) => return Err(Reason::NotVerified),
                    Some(CallCommand::HangUp) | None => return Err(Reason::HungUp),
                    Some(_) => {}
                },
                () = &mut deadline => return Err(Reason::LegsLost),
            }
        }
    }
}

/// The allocations, once they are open; for ever where none are wanted.
async fn turn_opened(
    turn: &mut Option<oneshot::Receiver<Result<OpenedTurn, Reason>>>,
) -> Result<OpenedTurn, Reason> {
    match turn {
        Some(opened) => opened.await.unwrap_or(Err(Reason::Internal)),
        None => std::future::pending().await,
    }
}

impl Session {
    /// A path from one of our legs to one of the peer's works.
    fn bound(&mut self, leg: LegIndex, peer: LegIndex) {
        self.core.add_leg(leg);
        self.core.add_peer_leg(peer);
        self.had_legs = true;
    }

    /// Opens the next onion leg, on an index that was never used in this handshake.
    fn open_next(&mut self, shared: &Shared) {
        if let Some(target) = &self.target
            && self.next_leg < u8::MAX
        {
            let leg = LegIndex(self.next_leg);
            self.next_leg += 1;
            self.opening += 1;
            open_onion_stream(shared.network(), target, leg, self.opened_sender.clone());
        }
    }

    /// A leg has joined, so one more may: the caller replaces lost legs by higher indices.
    fn expect_next(&mut self) {
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

    pub(super) fn drop_leg(&mut self, leg: LegIndex) {
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
    pub(super) fn send_slot(&mut self, at: Timestamp, voice: Option<&mut Voice>) {
        let Some(outgoing) = self.core.next_packet(at) else {
            return;
        };
        let Some(handle) = self.handles.get(&outgoing.path.sender) else {
            return;
        };
        match handle.try_send(outgoing.path.receiver, &outgoing.packet) {
            Ok(()) => {
                self.core.on_sent(&outgoing, at);
                if let Some(voice) = voice {
                    voice.note(TraceKind::Sent, FrameNumber(outgoing.slot.0), at, -1);
                }
            }
            Err(error) => tracing::trace!(%error, "a packet found no way"),
        }
    }

    /// Sends a PIPE message if there is still a server to carry it.
    pub(super) fn pipe(&self, message: PipeMessage) {
        if self.link.send.try_send(message).is_err() {
            tracing::debug!("a message found no mailbox server; the control lane carries it");
        }
    }

    /// Time of the next slot.
    pub(super) fn next_slot_in(&self) -> Duration {
        self.core
            .slot_time()
            .saturating_since(now())
            .min(FRAME_DURATION)
    }
}
