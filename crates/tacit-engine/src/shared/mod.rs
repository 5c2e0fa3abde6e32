//! What all tasks of an engine share: network, ledger, events, the calls that are going on.

mod calls;

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use tacit_audio::{Sink, Source};
use tacit_crypto::BatchNumber;
use tacit_legs::{CandidatePolicy, Peer};
use tacit_signaling::payload::{ContactAddress, PipeMessage};
use tacit_types::{Cells, OnionKey, Reason, Redacted, Role};
use tokio::sync::{broadcast, watch};

use crate::api::{AudioFactory, CallId, Event};
use crate::call::{OpenedTurn, open_turn_legs};
use crate::credentials::Purse;
use crate::ledger::{ContactId, Ledger, Trust};
use crate::network::{Network, NetworkState};
use crate::resync::ResyncTimes;
use calls::Calls;

pub(crate) use calls::OurRing;

/// Fixed at the engine's start.
pub(crate) struct Settings {
    pub legs: u8,
    pub cells: Cells,
    pub credentials: Option<OnionKey>,
    pub mailbox_server: Option<OnionKey>,
    pub candidates: CandidatePolicy,
    pub report_circuits: bool,
    pub measure_pings: u8,
    pub resume_within: Duration,
}

/// Asks the embedding program for files and devices.
pub(crate) struct Factories {
    pub audio: AudioFactory,
    pub trace: Box<dyn FnMut(CallId) -> Option<PathBuf> + Send>,
}

/// One for an engine.
pub(crate) struct Shared {
    network: Arc<dyn Network>,
    settings: Settings,
    ledger: Mutex<Ledger>,
    factories: Mutex<Factories>,
    calls: Mutex<Calls>,
    resyncs: Mutex<ResyncTimes>,
    /// Servers of our mailboxes that said that they mint no TURN credentials.
    mintless: Mutex<BTreeSet<OnionKey>>,
    events: broadcast::Sender<Event>,
    /// Raised when the set of our addresses has changed.
    addresses: watch::Sender<u64>,
    /// Calls whose cover traffic still goes on.
    winding_down: watch::Sender<usize>,
}

/// Something that the engine's shutdown waits for.
pub(crate) struct KeepRunning(watch::Sender<usize>);

impl Drop for KeepRunning {
    fn drop(&mut self) {
        self.0.send_modify(|n| *n -= 1);
    }
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
            resyncs: Mutex::default(),
            mintless: Mutex::default(),
            addresses: watch::Sender::new(0),
            winding_down: watch::Sender::new(0),
        }
    }

    pub(crate) const fn network(&self) -> &Arc<dyn Network> {
        &self.network
    }

    /// Resolves once the network has started, or will not. What is spread over time must wait for
    /// this first: else all that was to leave meanwhile leaves when the network is there.
    pub(crate) async fn network_started(&self) {
        let starting =
            |state: &NetworkState| matches!(state, NetworkState::Running(p) if p.percent < 100);
        if let Some(mut state) = self.network.watch() {
            // A network that is gone is not waited for.
            let _ = state.wait_for(|state| !starting(state)).await;
        }
    }

    pub(crate) const fn legs(&self) -> u8 {
        self.settings.legs
    }

    pub(crate) const fn cells(&self) -> Cells {
        self.settings.cells
    }

    pub(crate) const fn measure_pings(&self) -> u8 {
        self.settings.measure_pings
    }

    pub(crate) const fn resume_within(&self) -> Duration {
        self.settings.resume_within
    }

    pub(crate) const fn report_circuits(&self) -> bool {
        self.settings.report_circuits
    }

    pub(crate) const fn mailbox_server(&self) -> Option<OnionKey> {
        self.settings.mailbox_server
    }

    /// Tells the embedding program, unless the event is of a hidden call. Nobody listening is no
    /// error.
    pub(crate) fn event(&self, event: Event) {
        let calls = lock(&self.calls);
        let entry = event.call().and_then(|id| calls.live.get(&id));
        if !entry.is_some_and(|e| e.hidden) {
            let _ = self.events.send(event);
        }
    }

    pub(crate) fn subscribe(&self) -> broadcast::Receiver<Event> {
        self.events.subscribe()
    }

    // ---- ledger -------------------------------------------------------------------------------

    pub(crate) fn with_ledger<T>(&self, use_it: impl FnOnce(&mut Ledger) -> T) -> T {
        let mut ledger = lock(&self.ledger);
        let out = use_it(&mut ledger);
        if ledger.take_generation_opened() {
            self.addresses_changed();
        }
        out
    }

    pub(crate) fn with_resyncs<T>(&self, use_it: impl FnOnce(&mut ResyncTimes) -> T) -> T {
        use_it(&mut lock(&self.resyncs))
    }

    pub(crate) fn peer_address(&self, contact: ContactId) -> Result<ContactAddress, Reason> {
        self.with_ledger(|l| l.peer_address(contact))
    }

    pub(crate) fn last_batch(&self, contact: ContactId) -> BatchNumber {
        self.with_ledger(|l| l.last_batch(contact))
    }

    pub(crate) fn trust(&self, contact: ContactId) -> Trust {
        self.with_ledger(|l| l.trust(contact))
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

    /// Who mints the TURN credentials of a call with a contact, if anybody does: the server that was
    /// configured for it; a caller without one asks the server of the mailbox that it rings, so that
    /// both ends come to one TURN server by themselves; last, the server of our own mailbox. A callee
    /// never asks the caller's: nobody else chooses where it connects to. Our mailbox's server is out
    /// of the question if it has said that it mints none.
    pub(crate) fn credentials_server(&self, contact: ContactId, role: Role) -> Option<OnionKey> {
        let (ours, theirs) = self.with_ledger(|l| l.mailbox_servers(contact));
        let theirs = theirs.filter(|_| role == Role::Caller);
        let ours = ours.filter(|server| !lock(&self.mintless).contains(server));
        self.settings.credentials.or(theirs).or(ours)
    }

    /// A server of a mailbox of ours said whether it mints credentials.
    pub(crate) fn note_mint(&self, server: OnionKey, mints: bool) {
        let mut mintless = lock(&self.mintless);
        if mints {
            mintless.remove(&server);
        } else {
            mintless.insert(server);
        }
    }

    pub(crate) const fn candidates(&self) -> CandidatePolicy {
        self.settings.candidates
    }

    /// Opens allocations with credentials from `server`, bound to these legs of the peer.
    pub(crate) async fn open_turn(
        &self,
        server: OnionKey,
        peers: Vec<Peer>,
    ) -> Result<OpenedTurn, Reason> {
        let count = usize::from(self.settings.legs);
        let (policy, report) = (self.settings.candidates, self.settings.report_circuits);
        let credentials = Purse::open(&*self.network, server, count, policy).await?;
        open_turn_legs(&self.network, credentials, peers, policy, report).await
    }
}
