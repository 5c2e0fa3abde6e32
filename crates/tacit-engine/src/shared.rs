//! What all tasks of an engine share: network, ledger, events, the calls that are going on.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard};

use tacit_audio::{Sink, Source};
use tacit_crypto::BatchNumber;
use tacit_legs::CandidatePolicy;
use tacit_signaling::glare::RingRank;
use tacit_signaling::payload::{Candidates, ContactAddress, PipeMessage};
use tacit_types::{LegKind, OnionKey, Reason, Redacted, Role};
use tokio::sync::{broadcast, mpsc, watch};

use crate::api::{AudioFactory, CallId, Event};
use crate::call::{Call, CallCommand, Handshake, OpenedTurn, open_turn_legs};
use crate::dial::{Dial, RingFor};
use crate::ledger::{ContactId, Ledger};
use crate::network::Network;

/// Commands that may wait for a call.
const COMMANDS: usize = 64;

/// Fixed at the engine's start.
pub(crate) struct Settings {
    pub legs: u8,
    pub credentials: Option<OnionKey>,
    pub mailbox_server: Option<OnionKey>,
    pub candidates: CandidatePolicy,
    pub report_circuits: bool,
    pub measure_pings: u8,
}

/// Asks the embedding program for files and devices.
pub(crate) struct Factories {
    pub audio: AudioFactory,
    pub trace: Box<dyn FnMut(CallId) -> Option<PathBuf> + Send>,
}

struct Entry {
    contact: ContactId,
    role: Role,
    commands: mpsc::Sender<CallCommand>,
    accepted: bool,
    /// Rank of our ring while it is not answered.
    rank: Option<RingRank>,
}

#[derive(Default)]
struct Calls {
    last: u64,
    live: BTreeMap<CallId, Entry>,
}

/// One for an engine.
pub(crate) struct Shared {
    network: Arc<dyn Network>,
    settings: Settings,
    ledger: Mutex<Ledger>,
    factories: Mutex<Factories>,
    calls: Mutex<Calls>,
    events: broadcast::Sender<Event>,
    /// Raised when the set of our addresses has changed.
    addresses: watch::Sender<u64>,
    /// Calls whose cover traffic still goes on.
    winding_down: watch::Sender<usize>,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex
        .lock()
        .expect("no code panics while it holds this lock")
}

impl Shared {
    pub(crate) fn new(
        network: Arc<dyn Network>,
        settings: Settings,
        ledger: Ledger,
        factories: Factories,
        events: broadcast::Sender<Event>,
    ) -> Self {
        Self {
            network,
            settings,
            events,
            ledger: Mutex::new(ledger),
            factories: Mutex::new(factories),
            calls: Mutex::default(),
            addresses: watch::Sender::new(0),
            winding_down: watch::Sender::new(0),
        }
    }

    pub(crate) const fn network(&self) -> &Arc<dyn Network> {
        &self.network
    }

    pub(crate) const fn legs(&self) -> u8 {
        self.settings.legs
    }

    pub(crate) const fn measure_pings(&self) -> u8 {
        self.settings.measure_pings
    }

    pub(crate) const fn report_circuits(&self) -> bool {
        self.settings.report_circuits
    }

    pub(crate) const fn mailbox_server(&self) -> Option<OnionKey> {
        self.settings.mailbox_server
    }

    pub(crate) const fn has_turn(&self) -> bool {
        self.settings.credentials.is_some()
    }

    /// Tells the embedding program. Nobody listening is no error.
    pub(crate) fn event(&self, event: Event) {
        let _ = self.events.send(event);
    }

    // ---- ledger -------------------------------------------------------------------------------

    pub(crate) fn with_ledger<T>(&self, use_it: impl FnOnce(&mut Ledger) -> T) -> T {
        use_it(&mut lock(&self.ledger))
    }

    pub(crate) fn peer_address(&self, contact: ContactId) -> Result<ContactAddress, Reason> {
        self.with_ledger(|l| l.peer_address(contact))
    }

    pub(crate) fn last_batch(&self, contact: ContactId) -> BatchNumber {
        self.with_ledger(|l| l.last_batch(contact))
    }

    pub(crate) fn set_verified(&self, contact: ContactId) -> Result<(), Reason> {
        self.with_ledger(|l| l.set_verified(contact))
    }

    pub(crate) fn is_verified(&self, contact: ContactId) -> bool {
        self.with_ledger(|l| l.is_verified(contact))
    }

    pub(crate) fn name(&self, contact: ContactId) -> Redacted<String> {
        self.with_ledger(|l| l.name(contact))
    }

    /// Tokens, batch numbers and addresses that came by PIPE.
    pub(crate) fn on_contact_message(&self, contact: ContactId, message: PipeMessage) {
        let stored = match message {
            PipeMessage::Confirm { last_batch } => {
                self.with_ledger(|l| l.refilled(contact, last_batch, None))
            }
            PipeMessage::Refill { last_batch, refill } => {
                self.with_ledger(|l| l.refilled(contact, last_batch, refill.as_ref()))
            }
            PipeMessage::Address(address) => self.with_ledger(|l| l.peer_moved(contact, address)),
            _ => Ok(()),
        };
        if let Err(reason) = stored {
            tracing::warn!(
                code = reason.code(),
                "a contact's tokens could not be stored"
            );
        }
    }

    /// Tells the task that hosts our addresses to look at the ledger again.
    pub(crate) fn addresses_changed(&self) {
        self.addresses.send_modify(|n| *n += 1);
    }

    pub(crate) fn watch_addresses(&self) -> watch::Receiver<u64> {
        self.addresses.subscribe()
    }

    // ---- files and devices --------------------------------------------------------------------

    pub(crate) fn audio(&self, call: CallId) -> (Source, Sink) {
        (lock(&self.factories).audio)(call)
    }

    pub(crate) fn trace(&self, call: CallId) -> Option<PathBuf> {
        (lock(&self.factories).trace)(call)
    }

    // ---- TURN ---------------------------------------------------------------------------------

    pub(crate) async fn open_turn(&self, peers: Option<&Candidates>) -> Result<OpenedTurn, Reason> {
        let server = self.settings.credentials.ok_or(Reason::TurnUnreachable)?;
        let count = usize::from(self.settings.legs);
        let access = crate::credentials::fetch(&*self.network, server, count).await?;
        let (policy, report) = (self.settings.candidates, self.settings.report_circuits);
        open_turn_legs(&self.network, access, peers, policy, report).await
    }

    // ---- calls --------------------------------------------------------------------------------

    /// Enters a call. `None` if another one is going on and this one is ours to place.
    pub(crate) fn enter(
        &self,
        contact: ContactId,
        role: Role,
    ) -> Option<(CallId, mpsc::Receiver<CallCommand>)> {
        let mut calls = lock(&self.calls);
        let busy = calls
            .live
            .values()
            .any(|e| e.accepted || e.role == Role::Caller);
        if busy && role == Role::Caller {
            return None;
        }
        calls.last += 1;
        let id = CallId(calls.last);
        let (commands, receiver) = mpsc::channel(COMMANDS);
        calls.live.insert(
            id,
            Entry {
                contact,
                role,
                commands,
                accepted: false,
                rank: None,
            },
        );
        Some((id, receiver))
    }

    /// Whether a call is placed or going on.
    pub(crate) fn is_busy(&self) -> bool {
        lock(&self.calls)
            .live
            .values()
            .any(|e| e.accepted || e.role == Role::Caller)
    }

    /// Hands a command to a call.
    pub(crate) fn command(&self, id: CallId, command: CallCommand) -> Result<(), Reason> {
        let mut calls = lock(&self.calls);
        if matches!(command, CallCommand::Accept) {
            let other =
                |(i, e): (&CallId, &Entry)| *i != id && (e.accepted || e.role == Role::Caller);
            if calls.live.iter().any(other) {
                return Err(Reason::Busy);
            }
        }
        let entry = calls.live.get_mut(&id).ok_or(Reason::PeerHungUp)?;
        entry.accepted |= matches!(command, CallCommand::Accept);
        entry
            .commands
            .try_send(command)
            .map_err(|_| Reason::PeerHungUp)
    }

    /// The call that is going on with a contact, to be resumed.
    pub(crate) fn resumable(&self, contact: ContactId) -> Option<CallId> {
        let calls = lock(&self.calls);
        let found = calls
            .live
            .iter()
            .find(|(_, e)| e.contact == contact && e.accepted);
        found.map(|(id, _)| *id)
    }

    /// Notes the rank of our ring to a contact, for when both ring at once.
    pub(crate) fn ringing(&self, contact: ContactId, rank: Option<RingRank>) {
        let mut calls = lock(&self.calls);
        for entry in calls.live.values_mut() {
            if entry.contact == contact && entry.role == Role::Caller {
                entry.rank = rank;
            }
        }
    }

    /// Our unanswered ring to a contact and its rank.
    pub(crate) fn our_ring(&self, contact: ContactId) -> Option<(CallId, RingRank)> {
        let calls = lock(&self.calls);
        let found = calls
            .live
            .iter()
            .find(|(_, e)| e.contact == contact && e.role == Role::Caller);
        found.and_then(|(id, e)| Some((*id, e.rank?)))
    }

    /// Our ring was answered or given up: it takes part in no glare any more.
    pub(crate) fn ring_settled(&self, id: CallId, answered: bool) {
        if let Some(entry) = lock(&self.calls).live.get_mut(&id) {
            entry.rank = None;
            entry.accepted |= answered;
        }
    }

    /// Lets a call ring out unseen: nothing is sent, so it looks like no answer.
    pub(crate) fn decline(&self, id: CallId) -> Result<(), Reason> {
        let known = lock(&self.calls).live.contains_key(&id);
        if known {
            Ok(())
        } else {
            Err(Reason::PeerHungUp)
        }
    }

    pub(crate) fn subscribe(&self) -> broadcast::Receiver<Event> {
        self.events.subscribe()
    }

    pub(crate) fn call_ended(&self, id: CallId, reason: Reason) {
        lock(&self.calls).live.remove(&id);
        self.event(Event::Ended(id, reason));
    }

    /// Starts a call's task.
    pub(crate) fn spawn_call(
        self: &Arc<Self>,
        id: CallId,
        contact: ContactId,
        role: Role,
        commands: mpsc::Receiver<CallCommand>,
        handshake: Handshake,
    ) {
        let shared = Arc::clone(self);
        let call = Call::new(id, contact, role, Arc::clone(self), commands);
        self.winding_down.send_modify(|n| *n += 1);
        tokio::spawn(async move {
            call.run(handshake).await;
            shared.winding_down.send_modify(|n| *n -= 1);
        });
    }

    /// Rings again to resume a call; the callee waits for that ring instead.
    pub(crate) async fn redial(
        self: &Arc<Self>,
        role: Role,
        call: CallId,
        contact: ContactId,
        kind: LegKind,
    ) -> Result<Handshake, Reason> {
        if role == Role::Callee {
            return std::future::pending().await;
        }
        let shared = Arc::clone(self);
        Dial {
            shared,
            call,
            contact,
            kind,
            purpose: RingFor::Resume,
        }
        .ring()
        .await
    }

    /// Ends all calls; resolves when their cover traffic is over.
    pub(crate) async fn end_calls(&self) {
        let all: Vec<CallId> = lock(&self.calls).live.keys().copied().collect();
        for id in all {
            // A call that is just ending needs no command.
            let _ = self.command(id, CallCommand::HangUp);
        }
        let mut left = self.winding_down.subscribe();
        // The sender lives as long as this value.
        let _ = left.wait_for(|n| *n == 0).await;
    }
}
