//! The engine: what an embedding program holds.

use std::sync::Arc;
use std::time::Duration;

use tacit_crypto::Invite;
use tacit_legs::CandidatePolicy;
use tacit_types::limits::MAX_LEGS;
use tacit_types::{Reason, Role, UnixTime};
use tokio::sync::{broadcast, watch};
use tokio::task::JoinHandle;

use crate::agreement;
use crate::api::{
    CallId, Command, ContactInfo, DialOptions, EngineConfig, Event, InviteInfo, Removal,
};
use crate::call::{CallCommand, Handshake, Sound};
use crate::clock::{now, unix_now};
use crate::dial::{Dial, RingFor};
use crate::error::Error;
use crate::host::Phase;
use crate::ledger::Ledger;
use crate::network::NetworkState;
use crate::shared::{Factories, Settings, Shared};

/// Events that a slow reader may be behind; then the oldest are lost to it.
const EVENTS: usize = 4096;

/// A running engine. Clones are the same engine.
#[derive(Clone)]
pub struct Engine {
    shared: Arc<Shared>,
    _last: Arc<Last>,
    phase: watch::Sender<Phase>,
    hosting: Arc<tokio::sync::Mutex<Option<JoinHandle<()>>>>,
}

/// Dropped with the last handle: nobody can hang up any more, so the calls end.
struct Last {
    shared: Arc<Shared>,
    phase: watch::Sender<Phase>,
}

impl Drop for Last {
    fn drop(&mut self) {
        self.shared.hang_up_all();
        self.phase.send_replace(Phase::Over);
    }
}

impl core::fmt::Debug for Engine {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("Engine")
    }
}

/// The engine's events, in order.
#[derive(Debug)]
pub struct EventStream(broadcast::Receiver<Event>);

impl EventStream {
    /// The next event; `None` once the engine is gone. Cancelling it loses nothing. A reader that
    /// is 4096 events behind loses the oldest.
    pub async fn next(&mut self) -> Option<Event> {
        loop {
            match self.0.recv().await {
                Ok(event) => return Some(event),
                Err(broadcast::error::RecvError::Lagged(lost)) => {
                    tracing::warn!(lost, "events were not read in time");
                }
                Err(broadcast::error::RecvError::Closed) => return None,
            }
        }
    }
}

impl Engine {
    /// Starts an engine inside a tokio runtime and begins to host all its addresses.
    ///
    /// # Errors
    /// [`Reason::ProfileCorrupt`] if the snapshot is not one, [`Reason::ConfigInvalid`] if the
    /// number of legs is not 2 to 16.
    pub fn start(config: EngineConfig) -> Result<(Self, EventStream), Error> {
        if !(2..=MAX_LEGS).contains(&usize::from(config.legs)) {
            return Err(Error::with_detail(
                Reason::ConfigInvalid,
                "a call has 2 to 16 legs",
            ));
        }
        let candidates = if config.dangerous_allow_local_candidates {
            CandidatePolicy::dangerous_allow_local_candidates()
        } else {
            CandidatePolicy::public_only()
        };
        let settings = Settings {
            legs: config.legs,
            cells: config.cells,
            credentials: config.credentials,
            mailbox_server: config.mailbox_server,
            candidates,
            report_circuits: config.dangerous_report_circuits,
            measure_pings: config.measure_pings,
            resume_within: config.resume_within,
        };
        let ledger = Ledger::open(config.store, config.snapshot.as_deref())?;
        let factories = Factories {
            audio: config.audio,
            trace: config.trace,
        };
        let (events, stream) = broadcast::channel(EVENTS);
        let shared = Arc::new(Shared::new(
            config.network,
            settings,
            ledger,
            factories,
            events,
        ));
        let (phase, phases) = watch::channel(Phase::Running);
        tokio::spawn(tell_network(Arc::clone(&shared), phases.clone()));
        let hosting = tokio::spawn(crate::host::attend_all(Arc::clone(&shared), phases));
        let hosting = Arc::new(tokio::sync::Mutex::new(Some(hosting)));
        Ok((
            Self {
                _last: Arc::new(Last {
                    shared: Arc::clone(&shared),
                    phase: phase.clone(),
                }),
                shared,
                phase,
                hosting,
            },
            EventStream(stream),
        ))
    }

    /// Another stream of the events from now on.
    #[must_use]
    pub fn subscribe(&self) -> EventStream {
        EventStream(self.shared.subscribe())
    }

    /// All contacts that are shown, by name.
    #[must_use]
    pub fn contacts(&self) -> Vec<ContactInfo> {
        self.shared.with_ledger(|l| l.contacts())
    }

    /// Whether somebody could be invited or accepted under this name.
    ///
    /// # Errors
    /// [`Reason::ContactBadName`], [`Reason::ContactExists`], [`Reason::InviteOpen`] or
    /// [`Reason::ContactsFull`].
    pub fn check_new_name(&self, name: &str) -> Result<(), Error> {
        Ok(self.shared.with_ledger(|l| l.check_new_name(name))?)
    }

    /// Gives a contact another name. Blocks for one durable write.
    ///
    /// # Errors
    /// [`Reason::ContactUnknown`], [`Reason::ContactExists`], or why it could not be stored.
    pub fn rename(&self, name: &str, to: &str) -> Result<(), Error> {
        Ok(self.shared.with_ledger(|l| l.rename(name, to))?)
    }

    /// Removes a contact. Blocks for one durable write.
    ///
    /// # Errors
    /// [`Reason::ContactUnknown`], or why it could not be stored.
    pub fn remove(&self, name: &str, how: Removal) -> Result<(), Error> {
        let contact = self.shared.with_ledger(|l| l.remove(name, how))?;
        self.shared.contact_removed(contact, how);
        self.shared.addresses_changed();
        Ok(())
    }

    /// Makes a single-use invite for somebody who will have this name. It works as long as this
    /// engine runs (or runs again) before it expires. Blocks for one durable write.
    ///
    /// # Errors
    /// As [`check_new_name`](Self::check_new_name), or why it could not be stored.
    pub fn invite(&self, name: &str, valid: Duration) -> Result<Invite, Error> {
        let expires = UnixTime(unix_now().0.saturating_add(valid.as_secs()));
        let server = self.shared.mailbox_server();
        let (_, invite) = self
            .shared
            .with_ledger(|l| l.invite(name, expires, server))?;
        self.shared.addresses_changed();
        Ok(invite)
    }

    /// All invites that are open, by name.
    #[must_use]
    pub fn invites(&self) -> Vec<InviteInfo> {
        self.shared.with_ledger(|l| l.invites())
    }

    /// The open invite for a name once more, as [`invite`](Self::invite) gave it.
    ///
    /// # Errors
    /// [`Reason::InviteNone`].
    pub fn open_invite(&self, name: &str) -> Result<Invite, Error> {
        Ok(self.shared.with_ledger(|l| l.open_invite(name))?)
    }

    /// Withdraws an open invite: its address goes down, its secrets are forgotten, and its name is
    /// free. Blocks for one durable write.
    ///
    /// # Errors
    /// [`Reason::InviteNone`], or why it could not be stored.
    pub fn withdraw_invite(&self, name: &str) -> Result<(), Error> {
        self.shared.with_ledger(|l| l.withdraw_invite(name))?;
        self.shared.addresses_changed();
        Ok(())
    }

    /// Takes somebody's invite; resolves when both sides have each other as contacts.
    ///
    /// # Errors
    /// [`Reason::InviteTaken`] if this person has become a contact by this invite before; why it
    /// failed otherwise: trying again with the same invite is safe.
    pub async fn accept_invite(&self, invite: &Invite, name: &str) -> Result<(), Error> {
        Ok(crate::join::join(Arc::clone(&self.shared), invite, name).await?)
    }

    /// Reads an invite's link.
    ///
    /// # Errors
    /// [`Reason::InviteMalformed`] or [`Reason::InviteVersion`].
    pub fn read_invite(link: &str) -> Result<Invite, Error> {
        Invite::from_link(link.trim()).map_err(|e| e.reason().into())
    }

    /// Calls a contact. What becomes of it arrives as events of the returned call.
    ///
    /// # Errors
    /// [`Reason::ContactUnknown`]; [`Reason::Busy`] during another call; [`Reason::OtherLegs`] if
    /// they are ringing, over legs that expose more than `options` allow.
    pub fn dial(&self, name: &str, options: DialOptions) -> Result<CallId, Error> {
        let contact = self.shared.with_ledger(|l| l.find(name))?;
        if let Some((call, legs)) = self.shared.incoming_from(contact) {
            // They are ringing: calling back is taking the call, but not over legs that nobody
            // asked for. Their ring was answered with its legs, which cannot be changed any more.
            if agreement::at_most(legs, options.legs) != legs {
                return Err(Reason::OtherLegs.into());
            }
            self.shared.command(call, CallCommand::Accept)?;
            return Ok(call);
        }
        let (call, mut commands) = self
            .shared
            .enter(contact, Role::Caller, options.legs)
            .ok_or(Reason::Busy)?;
        let shared = Arc::clone(&self.shared);
        let dial = Dial {
            shared: Arc::clone(&shared),
            call,
            contact,
            kind: options.legs,
            purpose: RingFor::Call,
        };
        tokio::spawn(async move {
            let ring = dial.ring();
            tokio::pin!(ring);
            let mut sound = Sound::default();
            loop {
                tokio::select! {
                    answered = &mut ring => {
                        match answered {
                            Ok(handshake) => {
                                shared.ring_settled(call, now());
                                shared.spawn_call(call, contact, Role::Caller, commands, handshake, sound);
                            }
                            Err(reason) => {
                                shared.call_ended(call, reason);
                                crate::resync::renew(&shared, contact);
                            }
                        }
                        return;
                    }
                    command = commands.recv() => match command {
                        Some(CallCommand::Resume(crossing)) => {
                            return cross(&shared, call, contact, commands, *crossing, sound);
                        }
                        Some(CallCommand::HangUp) | None => {
                            shared.call_ended(call, Reason::HungUp);
                            return;
                        }
                        Some(CallCommand::SetMuted(muted)) => sound.muted = muted,
                        Some(CallCommand::SetDevices(input, output)) => {
                            sound.devices = Some((input, output));
                        }
                        Some(_) => {}
                    }
                }
            }
        });
        Ok(call)
    }

    /// Hands over a command. Does not block.
    ///
    /// # Errors
    /// [`Reason::Busy`] when a call cannot be accepted beside another one,
    /// [`Reason::PeerHungUp`] when the call is over.
    pub fn send(&self, command: Command) -> Result<(), Error> {
        let (call, command) = match command {
            Command::Accept(call) => (call, CallCommand::Accept),
            Command::Decline(call) => return Ok(self.shared.decline(call)?),
            Command::HangUp(call) => (call, CallCommand::HangUp),
            Command::SetMuted(call, muted) => (call, CallCommand::SetMuted(muted)),
            Command::Verify(call, matches) => (call, CallCommand::Verify(matches)),
            Command::SetDevices {
                call,
                input,
                output,
            } => (call, CallCommand::SetDevices(input, output)),
        };
        Ok(self.shared.command(call, command)?)
    }

    /// Ends all calls, lets their cover traffic run out, withdraws all addresses and ends the network;
    /// who rings unanswered is not told of it, and ends here with [`Reason::PeerNoAnswer`]. It takes
    /// half a minute at most. Several mailboxes on servers leave one by one meanwhile, which takes up
    /// to 21 seconds also without a call. Cancelling it drops the rest at once.
    pub async fn shutdown(&self) {
        self.phase.send_if_modified(|phase| {
            let runs = *phase == Phase::Running;
            if runs {
                *phase = Phase::Leaving;
            }
            runs
        });
        self.shared.end_calls().await;
        self.phase.send_replace(Phase::Over);
        if let Some(task) = self.hosting.lock().await.take() {
            // It ends by itself; a panic in it was already reported.
            let _ = task.await;
        }
        self.shared.network().shutdown().await;
    }
}

/// Passes on how far the network is, until the engine ends.
async fn tell_network(shared: Arc<Shared>, mut phase: watch::Receiver<Phase>) {
    let Some(mut states) = shared.network().watch() else {
        return;
    };
    loop {
        let state = states.borrow_and_update().clone();
        match state {
            NetworkState::Running(progress) => shared.event(Event::TorProgress {
                percent: progress.percent,
                stage: progress.stage,
                blocked: progress.blocked,
            }),
            NetworkState::Gone(reason) => return shared.event(Event::Stopped(reason)),
        }
        tokio::select! {
            changed = states.changed() => if changed.is_err() { return },
            _ = phase.wait_for(|p| *p == Phase::Over) => return,
        }
    }
}

/// Both rang at once and their ring goes on: it takes the place of ours, accepted already.
fn cross(
    shared: &Arc<Shared>,
    call: CallId,
    contact: crate::ledger::ContactId,
    commands: tokio::sync::mpsc::Receiver<CallCommand>,
    handshake: Handshake,
    sound: Sound,
) {
    shared.ring_settled(call, now());
    shared.spawn_call(call, contact, Role::Callee, commands, handshake, sound);
    // The call is there: it was entered when we dialled.
    let _ = shared.command(call, CallCommand::Accept);
}

/// The contacts of a profile without a running engine: nothing is hosted, nothing is sent.
#[derive(Debug)]
pub struct AddressBook(Ledger);

impl AddressBook {
    /// Opens a snapshot.
    ///
    /// # Errors
    /// [`Reason::ProfileCorrupt`] if it is not one.
    pub fn open(
        store: Box<dyn crate::store::Store>,
        snapshot: Option<&[u8]>,
    ) -> Result<Self, Error> {
        Ok(Self(Ledger::open(store, snapshot)?))
    }

    /// All contacts that are shown, by name.
    #[must_use]
    pub fn contacts(&self) -> Vec<ContactInfo> {
        self.0.contacts()
    }

    /// As [`Engine::check_new_name`].
    ///
    /// # Errors
    /// As there.
    pub fn check_new_name(&self, name: &str) -> Result<(), Error> {
        Ok(self.0.check_new_name(name)?)
    }

    /// Whether an invite can be taken under this name: as [`check_new_name`](Self::check_new_name),
    /// but an earlier try of the same invite is in nobody's way.
    ///
    /// # Errors
    /// [`Reason::InviteTaken`], and as there.
    pub fn check_join(&self, invite: &Invite, name: &str) -> Result<(), Error> {
        Ok(self.0.check_join(invite, name)?)
    }

    /// As [`Engine::rename`].
    ///
    /// # Errors
    /// As there.
    pub fn rename(&mut self, name: &str, to: &str) -> Result<(), Error> {
        Ok(self.0.rename(name, to)?)
    }

    /// As [`Engine::remove`].
    ///
    /// # Errors
    /// As there.
    pub fn remove(&mut self, name: &str, how: Removal) -> Result<(), Error> {
        self.0.remove(name, how)?;
        Ok(())
    }

    /// As [`Engine::invites`].
    #[must_use]
    pub fn invites(&self) -> Vec<InviteInfo> {
        self.0.invites()
    }

    /// As [`Engine::open_invite`].
    ///
    /// # Errors
    /// As there.
    pub fn open_invite(&self, name: &str) -> Result<Invite, Error> {
        Ok(self.0.open_invite(name)?)
    }

    /// As [`Engine::withdraw_invite`].
    ///
    /// # Errors
    /// As there.
    pub fn withdraw_invite(&mut self, name: &str) -> Result<(), Error> {
        Ok(self.0.withdraw_invite(name)?)
    }

    /// As [`Engine::invite`]; the invite works once an engine runs on this profile.
    ///
    /// # Errors
    /// As there.
    pub fn invite(
        &mut self,
        name: &str,
        valid: Duration,
        mailbox_server: Option<tacit_types::OnionKey>,
    ) -> Result<Invite, Error> {
        let expires = UnixTime(unix_now().0.saturating_add(valid.as_secs()));
        let (_, invite) = self.0.invite(name, expires, mailbox_server)?;
        Ok(invite)
    }
}
