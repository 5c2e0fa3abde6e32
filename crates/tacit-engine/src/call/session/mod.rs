//! One call from its first key to its last packet.

mod carriers;
mod events;
mod renewal;
mod resume;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use rand_core::{OsRng, RngCore as _};
use tacit_audio::DeviceChoice;
use tacit_crypto::SessionKeys;
use tacit_legs::shell::{LegHandle, LegOutput};
use tacit_legs::{JoinAcceptor, Peer};
use tacit_paths::limits::REPLACER_INTERVAL;
use tacit_playout::Playout;
use tacit_signaling::payload::PipeMessage;
use tacit_tor::Target;
use tacit_types::limits::{MAX_LEGS, RING_TIMEOUT};
use tacit_types::{LegIndex, LegKind, Reason, Role, Timestamp};
use tokio::sync::{mpsc, oneshot};
use tokio::time::{Instant, MissedTickBehavior};

use renewal::{Allocating, Renewal};

use super::legs::{LegPlan, Opened, OpenedTurn, Outputs};
use crate::api::{CallId, Event};
use crate::clock::now;
use crate::core::{BestPath, MediaCore, Meter, Surroundings, Terms};
use crate::ledger::{ContactId, Trust};
use crate::shared::Shared;
use crate::voice::Voice;

/// The media task looks at the clock this often: half a frame.
const TICK: Duration = Duration::from_millis(10);
/// Without an authentic packet for this long the person is told. Longer than most stalls of a
/// single circuit, and all of them stalled at once is rare.
const SILENCE_TOLD: Duration = Duration::from_secs(3);
/// Without an authentic packet for this long the call counts as broken.
const SILENCE_LIMIT: Duration = Duration::from_secs(20);
/// The first packet of an accepted call may take this long.
const SETUP_LIMIT: Duration = Duration::from_secs(90);
/// The mailbox machines end a ring first; this is for when their server is gone.
const RING_GRACE: Duration = Duration::from_secs(3);
/// A call whose mailbox server is lost before the first packet has come: so long its legs may still
/// come up.
const LINK_GRACE: Duration = Duration::from_secs(5);
/// The meter reports this often, and as often legs are looked at.
const METER_INTERVAL: Duration = REPLACER_INTERVAL;
/// Who has not looked for so long is told of it, and judges no legs by that time: within less none becomes
/// dead.
const LONG_STOP: Duration = METER_INTERVAL;

/// What the person or the engine wants of a call.
pub(crate) enum CallCommand {
    Accept,
    HangUp,
    /// The engine ends while this call rings, unanswered.
    Leave,
    SetMuted(bool),
    Verify(bool),
    /// Microphone, loudspeaker.
    SetDevices(DeviceChoice, DeviceChoice),
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
    /// Gone once the signaling has done its work.
    pub send: Option<mpsc::Sender<PipeMessage>>,
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
pub(in crate::call) enum Outcome {
    Ended(Reason),
    LegsLost,
    Resumed(Box<Handshake>),
}

/// What the person wants of the sound, also before it is open.
#[derive(Debug, Default)]
pub(crate) struct Sound {
    pub muted: bool,
    /// Microphone and loudspeaker, if others than at first.
    pub devices: Option<(DeviceChoice, DeviceChoice)>,
}

/// A call in progress.
pub(crate) struct Call {
    pub(in crate::call) id: CallId,
    pub(in crate::call) contact: ContactId,
    pub(in crate::call) role: Role,
    pub(in crate::call) shared: Arc<Shared>,
    pub(in crate::call) commands: mpsc::Receiver<CallCommand>,
    accepted: bool,
    /// What was known of the two words when the call began, and what came of them since.
    trust: Trust,
    sound: Sound,
    voice: Option<Voice>,
    meter: Meter,
    best: BestPath,
    /// Accepted, and sound is open.
    ready: bool,
    connected: bool,
    /// When the ring ends unless somebody accepts.
    ring_until: Timestamp,
    /// The two words are on this side's screen.
    words_shown: bool,
    /// The person was told that nothing comes, and nothing was heard since.
    interrupted: bool,
    words: Option<[String; 2]>,
    /// What was done away from the packet clock.
    done: mpsc::Receiver<Done>,
    done_sender: mpsc::Sender<Done>,
}

/// Outcomes of work that may block, done elsewhere.
pub(super) enum Done {
    /// Sound is open.
    Voice(Result<Box<Voice>, Reason>),
    /// The confirmed words are stored.
    Verified(Result<(), Reason>),
    /// The peer's confirmation is stored.
    PeerVerified(Result<(), Reason>),
}

/// The parts that belong to one handshake.
pub(in crate::call) struct Session {
    pub(in crate::call) core: MediaCore,
    pub(in crate::call) link: Link,
    pub(in crate::call) handles: BTreeMap<LegIndex, LegHandle>,
    pub(in crate::call) outputs: Outputs,
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
    /// Of the side that opens onion legs; of both with TURN legs.
    renewal: Option<Renewal>,
    /// When which of our legs binds a new one of the peer.
    to_bind: Vec<(Timestamp, LegIndex, Peer)>,
    /// With TURN legs.
    allocating: Option<Allocating>,
    last_packet: Timestamp,
    pub(in crate::call) had_packet: bool,
    had_legs: bool,
    /// When the mailbox server was lost.
    link_lost: Option<Timestamp>,
    turn: Option<oneshot::Receiver<Result<OpenedTurn, Reason>>>,
}

impl Call {
    pub(crate) fn new(
        id: CallId,
        contact: ContactId,
        role: Role,
        shared: Arc<Shared>,
        commands: mpsc::Receiver<CallCommand>,
        sound: Sound,
    ) -> Self {
        let (done_sender, done) = mpsc::channel(8);
        Self {
            id,
            contact,
            role,
            shared,
            commands,
            accepted: false,
            trust: Trust::default(),
            done,
            done_sender,
            sound,
            voice: None,
            meter: Meter::default(),
            best: BestPath::default(),
            ready: false,
            connected: false,
            ring_until: now() + RING_TIMEOUT + RING_GRACE,
            words_shown: false,
            interrupted: false,
            words: None,
        }
    }

    /// Runs the call to its end. The `Ended` event is sent here; cover traffic goes on after it.
    pub(crate) async fn run(mut self, handshake: Handshake) {
        self.trust = self.shared.trust(self.contact);
        let mut session = self.start(handshake);
        let mut resumed = false;
        let reason = loop {
            match self.drive(&mut session).await {
                Outcome::Ended(reason) => break reason,
                Outcome::Resumed(next) => {
                    self.count_broken_off(&session);
                    self.meter = Meter::default();
                    self.best = BestPath::default();
                    session = self.start(*next);
                    resumed = true;
                }
                // A resume that brought no packet would bring none the next time.
                Outcome::LegsLost if resumed && !session.had_packet => break Reason::LegsLost,
                Outcome::LegsLost => match self.resume(&mut session).await {
                    Ok(next) => {
                        self.count_broken_off(&session);
                        session = self.start(*next);
                        resumed = true;
                    }
                    Err(reason) => break reason,
                },
            }
        };
        let voice = self.voice.take();
        let tell = async {
            // Files are completed elsewhere: the cover traffic keeps its clock meanwhile.
            let closed = tokio::task::spawn_blocking(move || voice.map(Voice::close)).await;
            if closed.is_err() {
                tracing::warn!("the call's sound could not be closed");
            }
            self.shared.call_ended(self.id, reason);
        };
        tokio::join!(tell, super::ending::wind_down(&mut session, reason));
        self.count_broken_off(&session);
    }

    fn start(&mut self, handshake: Handshake) -> Session {
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
        let terms = Terms {
            kind,
            candidates: self.shared.candidates(),
            cells: self.shared.cells(),
        };
        let core = MediaCore::new(&keys, terms, playout, OsRng.next_u64(), nonce, at);
        let (output_sender, outputs) = Outputs::channel();
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
            renewal: None,
            to_bind: Vec::new(),
            allocating: None,
            last_packet: at,
            had_packet: false,
            had_legs: false,
            link_lost: None,
            turn: None,
        };
        self.plan_legs(&mut session, plan, at);
        if let Some(voice) = &mut self.voice {
            voice.begin();
        }
        session
    }

    /// The main loop of one handshake.
    async fn drive(&mut self, s: &mut Session) -> Outcome {
        let mut tick = tokio::time::interval_at(Instant::now(), TICK);
        // A tick does all that is due; one for each that was missed would hold everything else up.
        tick.set_missed_tick_behavior(MissedTickBehavior::Skip);
        let mut next_report = now() + METER_INTERVAL;
        loop {
            let outcome = tokio::select! {
                biased;
                _ = tick.tick() => {
                    let at = now();
                    let stopped = s.pass_over(at);
                    if at >= next_report {
                        next_report += METER_INTERVAL;
                        if next_report <= at {
                            next_report = at + METER_INTERVAL;
                        }
                        self.report(s, at);
                        // What legs have not delivered in so long says nothing of them.
                        if stopped < LONG_STOP {
                            self.renew_legs(s, at);
                        }
                    }
                    self.on_tick(s, at)
                }
                Some(output) = s.outputs.recv() => self.on_leg(s, output, now()),
                Some(opened) = s.opened.recv() => self.on_opened(s, opened),
                opened = turn_opened(&mut s.turn) => {
                    s.turn = None;
                    self.on_turn(s, opened)
                }
                // What the person wants comes before what the mailbox server says: removing a contact
                // hangs up and then withdraws the address.
                command = self.commands.recv() => self.on_command(s, command),
                event = s.link.events.recv(), if s.link_lost.is_none() => self.on_link(s, event),
                Some(done) = self.done.recv() => self.on_done(s, done),
            };
            if let Some(outcome) = outcome.or_else(|| self.drain(s)) {
                return outcome;
            }
        }
    }

    fn on_tick(&mut self, s: &mut Session, at: Timestamp) -> Option<Outcome> {
        while s.core.is_due(at) {
            if let Some(voice) = self.voice.as_mut().filter(|_| self.ready) {
                voice.capture(&mut s.core, at);
            }
            s.send_slot(at, self.voice.as_mut());
        }
        s.bind_due(at);
        if let Some(voice) = self.voice.as_mut() {
            voice.play(&mut s.core, at);
        }
        self.watch(s, at)
    }

    /// An authentic packet came in.
    fn heard(&mut self, s: &mut Session, at: Timestamp) {
        s.last_packet = at;
        s.had_packet = true;
        self.connect_if_ready(s);
        if std::mem::replace(&mut self.interrupted, false) {
            self.shared.event(Event::Resumed(self.id));
        }
    }

    /// Notices what has not happened.
    fn watch(&mut self, s: &mut Session, at: Timestamp) -> Option<Outcome> {
        if !self.accepted && at > self.ring_until {
            return Some(Outcome::Ended(Reason::PeerNoAnswer));
        }
        let alone = s.link_lost.is_some_and(|lost| at > lost + LINK_GRACE);
        if alone && !self.connected && !s.had_packet {
            return Some(Outcome::Ended(Reason::ServerLost));
        }
        // The first packet of a call may have to wait for circuits that are still being built.
        let limit = if s.had_packet || self.interrupted {
            SILENCE_LIMIT
        } else {
            SETUP_LIMIT
        };
        let silence = at.saturating_since(s.last_packet);
        if self.connected && silence > SILENCE_TOLD {
            self.tell_interrupted();
        }
        let none_left = s.had_legs && s.none_left(at);
        if self.connected && s.acceptor.is_some() {
            // Legs come from the other side, which may be opening one at this moment, or will ring
            // again: a command brings that.
            if none_left {
                self.tell_interrupted();
            }
            let given_up = silence > self.shared.resume_within();
            return given_up.then_some(Outcome::Ended(Reason::LegsLost));
        }
        let silent = silence > limit;
        if self.ready && (none_left || silent) {
            return Some(if self.connected {
                Outcome::LegsLost
            } else {
                Outcome::Ended(Reason::LegsLost)
            });
        }
        None
    }

    /// Tells the person once that nothing comes; what is heard next ends it.
    fn tell_interrupted(&mut self) {
        if !std::mem::replace(&mut self.interrupted, true) {
            self.shared.event(Event::Interrupted(self.id));
        }
    }

    fn report(&mut self, s: &mut Session, at: Timestamp) {
        let Some(voice) = self.voice.as_ref().filter(|_| self.connected) else {
            return;
        };
        let around = Surroundings {
            queues: s.queues(),
            output_ms: voice.output_delay_ms(),
            levels: voice.levels(),
        };
        let quality = self.meter.report(&mut s.core, &around, at);
        self.shared
            .event(Event::Quality(self.id, Box::new(quality)));
        if let Some((path, reason)) = self.best.poll(&s.core, at) {
            self.shared.event(Event::PathChanged {
                call: self.id,
                sender: path.sender.0,
                receiver: path.receiver.0,
                reason,
            });
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
