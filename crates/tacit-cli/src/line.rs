//! A person's line: the call that is going on, who rings meanwhile, and what a key means then.
//!
//! ```text
//!   events, keys  ->  Line  ->  commands for the engine, notes for the person
//! ```
//!
//! No input and no output: whoever has both drives it.

use std::collections::VecDeque;

use serde_json::{Value, json};
use tacit_engine::{CallId, CallState, Command, ContactName, Event};
use tacit_types::{LegKind, Reason};

use crate::interact::Key;
use crate::output::over;

/// Most rings that wait for an answer; of more, the oldest, whose end is the nearest, is let go.
const MAX_RINGING: usize = 32;

/// Something to tell the person, or the program that reads the output.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Note {
    /// Nothing where only a person needs to be told.
    pub value: Option<Value>,
    pub words: String,
}

impl Note {
    fn hint(words: impl Into<String>) -> Self {
        Self {
            value: None,
            words: words.into(),
        }
    }

    /// The engine, or the moment, does not allow what was asked.
    pub(crate) fn refused(reason: Reason, words: impl Into<String>) -> Self {
        Self {
            value: Some(json!({"event": "refused", "reason": reason.code()})),
            words: words.into(),
        }
    }

    fn about(event: &str, ring: &Ring, words: String) -> Self {
        let value = json!({"event": event, "call": ring.call.0, "contact": ring.contact.reveal(),
            "legs": ring.legs});
        Self {
            value: Some(value),
            words,
        }
    }
}

/// Somebody who rings and has not been answered.
#[derive(Debug)]
struct Ring {
    call: CallId,
    contact: ContactName,
    /// What the call uses if it is answered.
    legs: LegKind,
    /// Legs that are up.
    live: usize,
}

impl Ring {
    fn name(&self) -> &str {
        self.contact.reveal()
    }
}

/// What a key asks for.
#[derive(Clone, Debug)]
pub(crate) enum Asked {
    /// Something of the engine.
    Engine(Command),
    /// To see the legs, or no longer.
    Legs,
}

/// The line. Rings are in the order of their arrival.
#[derive(Debug, Default)]
pub(crate) struct Line {
    current: Option<CallId>,
    ringing: VecDeque<Ring>,
    muted: bool,
    /// Calls and rings that have ended.
    over: u32,
    /// The call that a command is about, which tells itself why it failed.
    placed: Option<CallId>,
    /// The other person of that call is this one.
    alone: bool,
    /// Rings are answered by themselves once they have so many legs.
    answer: Option<usize>,
    /// The program ends: nobody can be answered any more.
    leaving: bool,
}

/// What to type while somebody rings.
const TO_ANSWER: &str = "Type a to answer, d to decline.";

impl Line {
    /// A line on which this person has placed a call.
    pub(crate) fn with(call: CallId) -> Self {
        Self {
            current: Some(call),
            placed: Some(call),
            ..Self::default()
        }
    }

    /// The line of somebody who calls themselves.
    pub(crate) fn alone(call: CallId) -> Self {
        Self {
            alone: true,
            ..Self::with(call)
        }
    }

    /// A line whose rings are answered by themselves once they have so many legs.
    pub(crate) fn answering(legs: Option<usize>) -> Self {
        Self {
            answer: legs,
            ..Self::default()
        }
    }

    /// The program is about to end.
    pub(crate) const fn leave(&mut self) {
        self.leaving = true;
    }

    /// The call that is placed or going on.
    pub(crate) const fn current(&self) -> Option<CallId> {
        self.current
    }

    /// Whether no call goes on and nobody rings.
    pub(crate) fn is_idle(&self) -> bool {
        self.current.is_none() && self.ringing.is_empty()
    }

    /// How many calls have ended, answered or not.
    pub(crate) const fn over(&self) -> u32 {
        self.over
    }

    /// Whether the other person hears nothing of this one.
    pub(crate) const fn is_muted(&self) -> bool {
        self.muted
    }

    /// Whether the call is the one that goes on, or rings.
    pub(crate) fn knows(&self, call: CallId) -> bool {
        self.current == Some(call) || self.ringing.iter().any(|r| r.call == call)
    }

    /// Whether the event says nothing to the person: it is about the circuits of somebody who rings
    /// while a call goes on; or it speaks of another person to one who is alone.
    pub(crate) fn is_aside(&self, event: &Event) -> bool {
        match event {
            Event::LegUp { .. } | Event::LegDown { .. } => {
                self.current.is_some() && event.call() != self.current
            }
            Event::Words { .. } | Event::State(_, CallState::Connected) => self.alone,
            _ => false,
        }
    }

    /// Takes an event of the engine.
    pub(crate) fn on_event(&mut self, event: &Event) -> Vec<Note> {
        match event {
            Event::Incoming {
                call,
                contact,
                legs,
                ..
            } => self.rings(*call, contact, *legs),
            Event::LegUp { call, live, .. } | Event::LegDown { call, live, .. } => {
                if let Some(ring) = self.ringing.iter_mut().find(|r| r.call == *call) {
                    ring.live = *live;
                }
                Vec::new()
            }
            Event::State(_, CallState::Connected) if self.alone => vec![Note::hint(
                "Connected: say something, and you hear it come back. Type m to mute, h to hang up.",
            )],
            Event::Ended(call, reason) => self.ended(*call, *reason),
            _ => Vec::new(),
        }
    }

    fn rings(&mut self, call: CallId, contact: &ContactName, legs: LegKind) -> Vec<Note> {
        if self.current == Some(call) {
            // Somebody who rang was called back: that has taken their call.
            return Vec::new();
        }
        if self.ringing.len() == MAX_RINGING {
            self.ringing.pop_front();
        }
        let contact = contact.clone();
        let name = contact.reveal().clone();
        self.ringing.push_back(Ring {
            call,
            contact,
            legs,
            live: 0,
        });
        let words = match (self.current, self.ringing.front()) {
            (Some(_), _) if self.answer.is_some() => {
                "It is answered by itself when this call has ended. Type d to decline.".to_owned()
            }
            (None, _) if self.answer.is_some() => {
                "It is answered by itself once enough circuits are open. Type d to decline."
                    .to_owned()
            }
            (Some(_), _) => {
                format!("Type d to decline; or h to end this call, and then a to answer {name}.")
            }
            (None, Some(first)) if first.call != call => {
                format!(
                    "{} rang first: a answers, d declines that call.",
                    first.name()
                )
            }
            (None, _) => TO_ANSWER.to_owned(),
        };
        vec![Note::hint(words)]
    }

    fn ended(&mut self, call: CallId, reason: Reason) -> Vec<Note> {
        if let Some(at) = self.ringing.iter().position(|r| r.call == call) {
            self.over += 1;
            let ring = self.ringing.remove(at);
            return ring.iter().map(|r| gone(r, reason)).collect();
        }
        let end = self.end_of(call, reason);
        if self.current != Some(call) {
            return end.into_iter().collect();
        }
        self.over += 1;
        self.current = None;
        self.muted = false;
        let answerable = self.ringing.iter().filter(|_| !self.leaving);
        let waiting = answerable.enumerate().map(|(n, ring)| {
            let how = match (n, self.answer) {
                (0, None) => TO_ANSWER,
                (0, Some(_)) => "It is answered by itself; type d to decline.",
                _ => "",
            };
            let words = format!("{} still rings{}. {how}", ring.name(), over(ring.legs));
            Note::about("still_rings", ring, words.trim_end().to_owned())
        });
        end.into_iter().chain(waiting).collect()
    }

    /// What is said of a call's end: what happened and what to do, if there is anything. A command
    /// says itself why its own call failed.
    fn end_of(&self, call: CallId, reason: Reason) -> Option<Note> {
        if went_well(reason) {
            return Some(Note::hint(format!("{} [{}]", reason.text(), reason.code())));
        }
        let words = format!(
            "{} {} [{}]",
            reason.text(),
            reason.next_action(),
            reason.code()
        );
        (self.placed != Some(call)).then(|| Note::hint(words))
    }

    /// What a key means now.
    ///
    /// # Errors
    /// What to tell the person if it means nothing now.
    pub(crate) fn on_key(&self, key: Key) -> Result<Asked, Note> {
        let first = self.ringing.front();
        let going_on = || {
            self.current.ok_or_else(|| {
                Note::hint(match first {
                    Some(_) => "No call is going on. Type a to answer, d to decline.",
                    None => "No call is going on.",
                })
            })
        };
        match key {
            Key::Accept | Key::Decline if first.is_none() => {
                Err(Note::hint(if self.current.is_some() {
                    "Nobody else is calling."
                } else {
                    "Nobody is calling."
                }))
            }
            Key::Accept => self.accept(first).map(Asked::Engine),
            Key::Decline => first
                .map(|r| Asked::Engine(Command::Decline(r.call)))
                .ok_or_else(|| Note::hint("Nobody is calling.")),
            Key::HangUp => going_on().map(|call| Asked::Engine(Command::HangUp(call))),
            Key::ToggleMute => {
                going_on().map(|call| Asked::Engine(Command::SetMuted(call, !self.muted)))
            }
            Key::Verify(same) => going_on().map(|call| Asked::Engine(Command::Verify(call, same))),
            Key::Legs => going_on().map(|_| Asked::Legs),
            Key::CtrlD => Err(Note::hint(
                "Ctrl-D means nothing here. Type h to hang up; Ctrl-C also ends the program.",
            )),
            Key::Closed => Err(Note::hint(
                "Standard input has ended, so no more keys come. Ctrl-C hangs up and ends the program.",
            )),
            Key::Unknown => Err(Note::hint(
                "Keys, each with Enter: a answer, d decline, m mute, v the words match, x they \
                 differ, l legs, h hang up.",
            )),
        }
    }

    fn accept(&self, first: Option<&Ring>) -> Result<Command, Note> {
        let ring = first.ok_or_else(|| Note::hint("Nobody is calling."))?;
        if self.current.is_none() {
            return Ok(Command::Accept(ring.call));
        }
        let words = format!(
            "{} Type h to end it; then a answers {}.",
            Reason::Busy.text(),
            ring.name()
        );
        Err(Note::refused(Reason::Busy, words))
    }

    /// The engine has taken a command. What the person is told of it, if nothing else tells.
    pub(crate) fn sent(&mut self, command: &Command) -> Option<Note> {
        match command {
            Command::Accept(call) => {
                self.ringing.retain(|r| r.call != *call);
                self.current = Some(*call);
                None
            }
            Command::SetMuted(call, muted) => {
                self.muted = *muted;
                Some(Note {
                    value: Some(json!({"event": "muted", "call": call.0, "muted": muted})),
                    words: if *muted { "Muted." } else { "Unmuted." }.to_owned(),
                })
            }
            _ => None,
        }
    }

    /// The oldest ring that is to be answered by itself now: it has its legs, and no call goes on.
    pub(crate) fn to_answer(&self) -> Option<Command> {
        let legs = self.answer?;
        let ready = self.ringing.iter().find(|r| r.live >= legs)?;
        self.current
            .is_none()
            .then_some(Command::Accept(ready.call))
    }
}

/// Whether a call that ended so came to its end: by either person's hand.
pub(crate) const fn went_well(reason: Reason) -> bool {
    matches!(reason, Reason::HungUp | Reason::PeerHungUp)
}

/// A ring that has ended unanswered.
fn gone(ring: &Ring, reason: Reason) -> Note {
    let name = ring.name();
    if reason == Reason::HungUp {
        Note::about(
            "declined",
            ring,
            format!("Declined: {name} hears no answer."),
        )
    } else {
        Note::about("missed", ring, format!("You missed a call from {name}."))
    }
}

#[cfg(test)]
mod tests;
