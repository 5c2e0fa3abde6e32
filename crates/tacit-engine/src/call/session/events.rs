//! What a session hears from the mailbox server, from the person and from its own core.

use tacit_packet::ControlMessage;
use tacit_signaling::payload::PipeMessage;
use tacit_types::{Reason, Role};

use super::{Call, CallCommand, LinkEvent, Outcome, Session};
use crate::api::{CallState, Event, Timing};
use crate::clock::now;
use crate::core::MediaEvent;
use crate::trace::Trace;
use crate::voice::Voice;

impl Call {
    pub(super) fn on_link(&mut self, s: &mut Session, event: Option<LinkEvent>) -> Option<Outcome> {
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

    pub(super) fn on_pipe(&mut self, s: &mut Session, message: PipeMessage) -> Option<Outcome> {
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

    pub(super) fn on_command(
        &mut self,
        s: &mut Session,
        command: Option<CallCommand>,
    ) -> Option<Outcome> {
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

    pub(super) fn verify(&mut self, s: &mut Session) -> Option<Outcome> {
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
    pub(super) fn drain(&mut self, s: &mut Session) -> Option<Outcome> {
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
    pub(super) fn show_words(&mut self) {
        if self.connected
            && !self.shared.is_verified(self.contact)
            && let Some(words) = self.words.take()
        {
            self.shared.event(Event::Words(self.id, words));
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

    pub(super) fn on_accepted(&mut self, s: &mut Session) -> Option<Outcome> {
        if self.role == Role::Callee || self.accepted {
            return None;
        }
        self.accepted = true;
        self.shared
            .event(Event::Timing(self.id, Timing::Accepted(now().as_micros())));
        self.connect(s)
    }

    /// Opens the sound and lets it flow.
    pub(super) fn connect(&mut self, s: &mut Session) -> Option<Outcome> {
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

    pub(super) fn open_voice(&self) -> Result<Voice, Reason> {
        let (source, sink) = self.shared.audio(self.id);
        let io = tacit_audio::open(source, sink).map_err(|e| e.reason())?;
        let trace = self.shared.trace(self.id).map(Trace::new);
        let mut voice = Voice::new(io, trace)?;
        voice.set_muted(self.muted);
        Ok(voice)
    }
}
