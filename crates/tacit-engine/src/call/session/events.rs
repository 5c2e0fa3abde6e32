//! What a session hears from the mailbox server, from the person and from its own core.

use std::sync::Arc;

use tacit_audio::DeviceChoice;
use tacit_packet::ControlMessage;
use tacit_signaling::payload::PipeMessage;
use tacit_types::{Reason, Role};

use super::{Call, CallCommand, Done, LinkEvent, Outcome, Session};
use crate::api::{CallId, CallState, Event, Timing};
use crate::clock::now;
use crate::core::MediaEvent;
use crate::shared::Shared;
use crate::trace::Trace;
use crate::voice::Voice;

impl Call {
    pub(super) fn on_link(&mut self, s: &mut Session, event: Option<LinkEvent>) -> Option<Outcome> {
        match event {
            Some(LinkEvent::Pipe(message)) => self.on_pipe(s, message),
            Some(LinkEvent::NoAnswer) => {
                (!self.accepted).then_some(Outcome::Ended(Reason::PeerNoAnswer))
            }
            // The legs carry the call; only a call without legs that work needs its server.
            Some(LinkEvent::Lost) | None => {
                s.link_lost = Some(now());
                (!self.connected && s.handles.is_empty())
                    .then_some(Outcome::Ended(Reason::ServerLost))
            }
        }
    }

    pub(super) fn on_pipe(&mut self, s: &mut Session, message: PipeMessage) -> Option<Outcome> {
        match message {
            PipeMessage::Accept => self.on_accepted(),
            PipeMessage::Bye => Some(Outcome::Ended(Reason::PeerHungUp)),
            PipeMessage::Candidates(candidates) => {
                s.begin_peers(&candidates);
                None
            }
            other => {
                // Stored in its own time: a disk must not hold the packet clock up.
                let (shared, contact) = (Arc::clone(&self.shared), self.contact);
                tokio::task::spawn_blocking(move || shared.on_contact_message(contact, other));
                None
            }
        }
    }

    pub(super) fn on_command(
        &mut self,
        s: &mut Session,
        command: Option<CallCommand>,
    ) -> Option<Outcome> {
        match command {
            Some(CallCommand::Accept) if self.role == Role::Callee && !self.accepted => {
                // Told to the caller once the sound is open: without a microphone nobody is there.
                self.accepted = true;
                self.connect();
                None
            }
            Some(CallCommand::SetMuted(muted)) => {
                self.sound.muted = muted;
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
            Some(CallCommand::SetDevices(input, output)) => {
                self.set_devices(input, output);
                None
            }
            Some(CallCommand::Verify(true)) => {
                self.verify();
                None
            }
            Some(CallCommand::Verify(false)) => {
                self.doubt();
                Some(Outcome::Ended(Reason::NotVerified))
            }
            Some(CallCommand::Resume(next)) => Some(Outcome::Resumed(next)),
            Some(CallCommand::HangUp) | None => Some(Outcome::Ended(Reason::HungUp)),
            Some(CallCommand::Leave) => Some(Outcome::Ended(Reason::PeerNoAnswer)),
            Some(CallCommand::Accept) => None,
        }
    }

    pub(super) fn set_devices(&mut self, input: DeviceChoice, output: DeviceChoice) {
        match &self.voice {
            Some(voice) => voice.set_devices(input, output),
            None => self.sound.devices = Some((input, output)),
        }
    }

    fn tell_accepted(&self, s: &mut Session) {
        self.shared
            .event(Event::Timing(self.id, Timing::Accepted(now().as_micros())));
        s.core.send_control(ControlMessage::Accept);
        // A mailbox server should not read off when a call is taken: it is told only if it must be.
        if !s.had_packet {
            s.pipe(PipeMessage::Accept);
        }
    }

    /// Sound is open and packets arrive: the call is there, and its signaling has done its work.
    pub(super) fn connect_if_ready(&mut self, s: &mut Session) {
        if !self.ready || !s.had_packet {
            return;
        }
        // The stream closes a random while later, so that it does not mark the moment.
        s.close_link();
        if !std::mem::replace(&mut self.connected, true) {
            self.shared
                .event(Event::State(self.id, CallState::Connected));
            if self.trust.verified {
                // Said in every call: if it was lost in an earlier one, words would be asked for ever.
                s.core.send_control(ControlMessage::SasConfirmed);
            }
            self.show_words();
        }
    }

    /// Only words that were on the screen can be confirmed.
    pub(super) fn verify(&self) {
        if !self.words_shown {
            return;
        }
        let (shared, contact) = (Arc::clone(&self.shared), self.contact);
        self.desk(move || Done::Verified(shared.with_ledger(|l| l.set_verified(contact, true))));
    }

    /// The words differ: whatever was confirmed before holds no longer.
    pub(super) fn doubt(&self) {
        let (shared, contact) = (Arc::clone(&self.shared), self.contact);
        tokio::task::spawn_blocking(move || {
            let stored = shared.with_ledger(|l| l.set_verified(contact, false));
            if let Err(reason) = stored {
                tracing::warn!(code = reason.code(), "a contact could not be doubted");
            }
        });
    }

    /// The peer's person has confirmed the words, now or in an earlier call.
    fn on_peer_confirmed(&mut self) {
        if std::mem::replace(&mut self.trust.peer_verified, true) {
            return;
        }
        let (shared, contact) = (Arc::clone(&self.shared), self.contact);
        self.desk(move || Done::PeerVerified(shared.with_ledger(|l| l.set_peer_verified(contact))));
    }

    /// Counts an exchange of words that the peer began and did not bring to its end.
    pub(super) fn count_broken_off(&mut self, s: &Session) {
        if !s.core.words_broken_off() {
            return;
        }
        self.trust.broken_off = self.trust.broken_off.saturating_add(1);
        let (shared, contact) = (Arc::clone(&self.shared), self.contact);
        let busy = shared.keep_running();
        tokio::task::spawn_blocking(move || {
            if let Err(reason) = shared.with_ledger(|l| l.words_broken_off(contact)) {
                tracing::warn!(
                    code = reason.code(),
                    "a comparison that was broken off could not be counted"
                );
            }
            drop(busy);
        });
    }

    /// Does something that may block away from the packet clock; the outcome comes back as
    /// [`Done`].
    fn desk(&self, work: impl FnOnce() -> Done + Send + 'static) {
        let report = self.done_sender.clone();
        tokio::task::spawn_blocking(move || {
            // A call that is over does not want to know.
            let _ = report.try_send(work());
        });
    }

    /// Something that was done away from the packet clock has come back.
    pub(super) fn on_done(&mut self, s: &mut Session, done: Done) -> Option<Outcome> {
        match done {
            Done::Voice(Ok(mut voice)) => {
                voice.set_muted(self.sound.muted);
                if let Some((input, output)) = self.sound.devices.take() {
                    voice.set_devices(input, output);
                }
                self.voice = Some(*voice);
                self.ready = true;
                s.last_packet = now();
                if self.role == Role::Callee {
                    self.tell_accepted(s);
                }
                self.connect_if_ready(s);
                None
            }
            Done::Verified(Ok(())) => {
                self.trust.verified = true;
                // Only what is stored is told: after a crash both sides know the same.
                s.core.send_control(ControlMessage::SasConfirmed);
                self.shared.event(Event::Verified(self.id));
                None
            }
            Done::PeerVerified(Ok(())) => {
                self.shared.event(Event::PeerVerified(self.id));
                None
            }
            Done::PeerVerified(Err(reason)) => {
                // They will say so again in the next call.
                tracing::warn!(code = reason.code(), "a confirmation could not be stored");
                None
            }
            Done::Voice(Err(reason)) | Done::Verified(Err(reason)) => Some(Outcome::Ended(reason)),
        }
    }

    /// Takes what the core has to say.
    pub(super) fn drain(&mut self, s: &mut Session) -> Option<Outcome> {
        while let Some(event) = s.core.poll_event() {
            let outcome = match event {
                MediaEvent::Accepted => self.on_accepted(),
                MediaEvent::PeerHungUp => Some(Outcome::Ended(Reason::PeerHungUp)),
                MediaEvent::Words(words) => {
                    self.words = Some(words);
                    self.show_words();
                    None
                }
                MediaEvent::WordsFailed => Some(Outcome::Ended(Reason::NotVerified)),
                MediaEvent::PeerConfirmed => {
                    self.on_peer_confirmed();
                    None
                }
                MediaEvent::PathWorks => None,
                MediaEvent::PeerLegAdded(peer) => {
                    s.bind_by_and_by(peer, now());
                    None
                }
                MediaEvent::PeerLegGone(leg) => {
                    s.handles
                        .values()
                        .for_each(|handle| handle.remove_peer(leg));
                    None
                }
                MediaEvent::LegRested(leg) => {
                    // It ends in its own time, and says so.
                    if let Some(handle) = s.handles.get(&leg) {
                        handle.close();
                    }
                    None
                }
            };
            if outcome.is_some() {
                return outcome;
            }
        }
        self.tell_first_audio();
        None
    }

    /// The words are compared by voice, so they are shown once there is one; and until both people
    /// have confirmed them, since who has not will ask the other.
    pub(super) fn show_words(&mut self) {
        let settled = self.trust.verified && self.trust.peer_verified;
        if self.connected
            && !settled
            && let Some(words) = self.words.take()
        {
            self.words_shown = true;
            self.shared.event(Event::Words {
                call: self.id,
                words,
                verified: self.trust.verified,
                broken_off: self.trust.broken_off,
            });
        }
    }

    pub(super) fn tell_first_audio(&mut self) {
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

    pub(super) fn on_accepted(&mut self) -> Option<Outcome> {
        if self.role == Role::Callee || self.accepted {
            return None;
        }
        self.accepted = true;
        self.shared
            .event(Event::Timing(self.id, Timing::Accepted(now().as_micros())));
        self.connect();
        None
    }

    /// Opens the sound, which may take seconds with a device; it flows once that is done.
    fn connect(&self) {
        self.shared
            .event(Event::State(self.id, CallState::Securing));
        let (shared, id) = (Arc::clone(&self.shared), self.id);
        self.desk(move || Done::Voice(open_voice(&shared, id).map(Box::new)));
    }
}

fn open_voice(shared: &Shared, id: CallId) -> Result<Voice, Reason> {
    let (source, sink) = shared.audio(id);
    let io = tacit_audio::open(source, sink).map_err(|e| e.reason())?;
    Voice::new(io, shared.trace(id).map(Trace::new))
}
