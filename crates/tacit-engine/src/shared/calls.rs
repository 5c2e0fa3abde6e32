//! The calls of an engine: which there are, how they are reached, how they end.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use tacit_signaling::glare::RingRank;
use tacit_types::{LegKind, Reason, Role, Timestamp};
use tokio::sync::mpsc;

use super::{KeepRunning, Shared, lock};
use crate::api::{CallId, Event, Removal};
use crate::call::{Call, CallCommand, Handshake, Sound};
use crate::dial::{Dial, RingFor};
use crate::ledger::ContactId;

/// Commands that may wait for a call.
const COMMANDS: usize = 64;
/// A ring of theirs that arrives this long after they answered ours was sent before that: the two
/// go over different circuits.
const GLARE_WINDOW: Duration = Duration::from_secs(10);

/// A call that is placed, ringing or going on.
pub(super) struct Entry {
    contact: ContactId,
    role: Role,
    /// The legs that expose most of those that this person agreed to, by dialling or by answering.
    legs: LegKind,
    commands: mpsc::Sender<CallCommand>,
    accepted: bool,
    /// Rank of our ring, once it was sent.
    rank: Option<RingRank>,
    /// When our ring was answered.
    answered: Option<Timestamp>,
    /// Their ring was there before ours was sent.
    crossed: bool,
    /// A ghost's ring, or a declined one: it goes on as if nobody answered, and no event tells.
    pub(super) hidden: bool,
}

impl Entry {
    /// Whether nothing else can be placed or accepted beside this call.
    fn is_busy(&self) -> bool {
        !self.hidden && (self.accepted || self.role == Role::Caller)
    }
}

/// Where our ring to a contact is when theirs arrives.
pub(crate) enum OurRing {
    /// There is none that theirs could cross: none at all, or it has long been answered, or theirs
    /// wants legs that it would not have had.
    None,
    /// The circuit is still being built. It is not sent any more: theirs takes its place, over these
    /// legs at most.
    NotSent(CallId, LegKind),
    /// Sent, over these legs at most; not answered.
    Sent(CallId, LegKind, RingRank),
    /// Answered a moment ago.
    Answered,
}

/// All calls.
#[derive(Default)]
pub(super) struct Calls {
    /// The engine is ending.
    closing: bool,
    last: u64,
    pub(super) live: BTreeMap<CallId, Entry>,
}

/// Tells a call's end even if its task did not.
struct EndsAnyway(Arc<Shared>, CallId);

impl Drop for EndsAnyway {
    fn drop(&mut self) {
        // A poisoned lock means that more than a call is broken.
        let live = self
            .0
            .calls
            .lock()
            .is_ok_and(|calls| calls.live.contains_key(&self.1));
        if live {
            self.0.call_ended(self.1, Reason::Internal);
        }
    }
}

impl Shared {
    /// Enters a call. `None` if another one is going on and this one is ours to place.
    pub(crate) fn enter(
        &self,
        contact: ContactId,
        role: Role,
        legs: LegKind,
    ) -> Option<(CallId, mpsc::Receiver<CallCommand>)> {
        let mut calls = lock(&self.calls);
        let busy = calls.live.values().any(Entry::is_busy);
        if calls.closing || (busy && role == Role::Caller) {
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
                legs,
                commands,
                accepted: false,
                rank: None,
                answered: None,
                crossed: false,
                hidden: false,
            },
        );
        Some((id, receiver))
    }

    /// Whether no call begins any more.
    pub(crate) fn is_closing(&self) -> bool {
        lock(&self.calls).closing
    }

    /// Whether a call is placed or going on.
    pub(crate) fn is_busy(&self) -> bool {
        lock(&self.calls).live.values().any(Entry::is_busy)
    }

    /// Hands a command to a call.
    pub(crate) fn command(&self, id: CallId, command: CallCommand) -> Result<(), Reason> {
        let mut calls = lock(&self.calls);
        if matches!(command, CallCommand::Accept) {
            let other = |(i, e): (&CallId, &Entry)| *i != id && e.is_busy();
            if calls.live.iter().any(other) {
                return Err(Reason::Busy);
            }
        }
        let entry = calls.live.get_mut(&id).filter(|e| !e.hidden);
        let entry = entry.ok_or(Reason::PeerHungUp)?;
        entry.accepted |= matches!(command, CallCommand::Accept);
        entry
            .commands
            .try_send(command)
            .map_err(|_| Reason::PeerHungUp)
    }

    /// The call that is going on with a contact, to be resumed over these legs at most.
    pub(crate) fn resumable(&self, contact: ContactId) -> Option<(CallId, LegKind)> {
        let calls = lock(&self.calls);
        let found = calls
            .live
            .iter()
            .find(|(_, e)| e.contact == contact && e.accepted && !e.hidden);
        found.map(|(id, e)| (*id, e.legs))
    }

    /// Notes the rank of our ring, for when both ring at once. False if theirs has just taken its
    /// place: then it must not be sent.
    pub(crate) fn ringing(&self, id: CallId, rank: Option<RingRank>) -> bool {
        let mut calls = lock(&self.calls);
        let Some(entry) = calls.live.get_mut(&id).filter(|e| !e.crossed) else {
            return false;
        };
        entry.rank = rank;
        true
    }

    /// Where our ring to a contact is. One that is not sent yet will not be, if theirs can take its
    /// place over the legs that ours would have had at most.
    pub(crate) fn our_ring(
        &self,
        contact: ContactId,
        now: Timestamp,
        takes_its_place: impl FnOnce(LegKind) -> bool,
    ) -> OurRing {
        let mut calls = lock(&self.calls);
        let ours = |(_, e): &(&CallId, &mut Entry)| e.contact == contact && e.role == Role::Caller;
        let Some((id, entry)) = calls.live.iter_mut().find(ours) else {
            return OurRing::None;
        };
        match (entry.answered, entry.rank) {
            (Some(at), _) if now.saturating_since(at) < GLARE_WINDOW => OurRing::Answered,
            (Some(_), _) => OurRing::None,
            (None, None) if takes_its_place(entry.legs) => {
                entry.crossed = true;
                OurRing::NotSent(*id, entry.legs)
            }
            (None, None) => OurRing::None,
            (None, Some(rank)) => OurRing::Sent(*id, entry.legs, rank),
        }
    }

    /// Our ring was answered, or theirs took its place.
    pub(crate) fn ring_settled(&self, id: CallId, now: Timestamp) {
        if let Some(entry) = lock(&self.calls).live.get_mut(&id) {
            entry.answered = Some(now);
            entry.accepted = true;
        }
    }

    /// The contact's ring that waits to be accepted, and the legs that it is answered over.
    pub(crate) fn incoming_from(&self, contact: ContactId) -> Option<(CallId, LegKind)> {
        let calls = lock(&self.calls);
        let waits = |(_, e): &(&CallId, &Entry)| {
            e.contact == contact && e.role == Role::Callee && !e.accepted && !e.hidden
        };
        let found = calls.live.iter().find(waits);
        found.map(|(id, e)| (*id, e.legs))
    }

    /// No event tells of this call any more, and no command reaches it.
    pub(crate) fn hide(&self, id: CallId) {
        if let Some(entry) = lock(&self.calls).live.get_mut(&id) {
            entry.hidden = true;
        }
    }

    /// Lets a call ring out unseen: nothing is sent, so it looks like no answer.
    pub(crate) fn decline(&self, id: CallId) -> Result<(), Reason> {
        let mut calls = lock(&self.calls);
        let entry = calls.live.get_mut(&id).filter(|e| !e.hidden);
        let entry = entry.ok_or(Reason::PeerHungUp)?;
        if entry.role == Role::Caller || entry.accepted {
            return Err(Reason::Busy);
        }
        entry.hidden = true;
        // Nobody listening is no error.
        let _ = self.events.send(Event::Ended(id, Reason::HungUp));
        Ok(())
    }

    /// A contact was removed: its calls end, or for a ghost its ring is shown no more.
    pub(crate) fn contact_removed(&self, contact: ContactId, how: Removal) {
        let calls = lock(&self.calls);
        let theirs = calls.live.iter().filter(|(_, e)| e.contact == contact);
        let theirs: Vec<(CallId, bool)> = theirs
            .map(|(id, e)| (*id, e.role == Role::Callee && !e.accepted))
            .collect();
        drop(calls);
        for (id, rings) in theirs {
            // A call that is just ending needs neither.
            let _ = match how {
                Removal::Ghost if rings => self.decline(id),
                Removal::Ghost => Ok(()),
                Removal::Drop => self.command(id, CallCommand::HangUp),
            };
        }
    }

    pub(crate) fn call_ended(&self, id: CallId, reason: Reason) {
        let entry = lock(&self.calls).live.remove(&id);
        if !entry.is_some_and(|e| e.hidden) {
            self.event(Event::Ended(id, reason));
        }
    }

    /// Starts a call's task.
    pub(crate) fn spawn_call(
        self: &Arc<Self>,
        id: CallId,
        contact: ContactId,
        role: Role,
        commands: mpsc::Receiver<CallCommand>,
        handshake: Handshake,
        sound: Sound,
    ) {
        let call = Call::new(id, contact, role, Arc::clone(self), commands, sound);
        let (busy, ended) = (self.keep_running(), EndsAnyway(Arc::clone(self), id));
        tokio::spawn(async move {
            call.run(handshake).await;
            drop((ended, busy));
        });
    }

    /// The engine's shutdown waits until what this returns is dropped.
    pub(crate) fn keep_running(&self) -> KeepRunning {
        self.winding_down.send_modify(|n| *n += 1);
        KeepRunning(self.winding_down.clone())
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

    /// Hangs up whatever is going on. Who rings unanswered, or declined, is told nothing: a hang-up
    /// would say that somebody was there. From here on no call is entered.
    pub(crate) fn hang_up_all(&self) {
        let mut calls = lock(&self.calls);
        calls.closing = true;
        for entry in calls.live.values() {
            let rings = entry.role == Role::Callee && !entry.accepted;
            // A call that is just ending needs no command.
            let _ = entry.commands.try_send(if rings {
                CallCommand::Leave
            } else {
                CallCommand::HangUp
            });
        }
    }

    /// Ends all calls; resolves when their cover traffic is over.
    pub(crate) async fn end_calls(&self) {
        self.hang_up_all();
        let mut left = self.winding_down.subscribe();
        // The sender lives as long as this value.
        let _ = left.wait_for(|n| *n == 0).await;
    }
}
