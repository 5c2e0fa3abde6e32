//! The commands that make and take calls.

use std::time::Duration;

use serde_json::json;
use tacit_engine::{
    AddressBook, CallId, CallState, Command as EngineCommand, DialOptions, Engine, Event,
};
use tacit_types::{LegKind, Reason};

use crate::Failure;
use crate::args::{Call, Global, Legs, Listen};
use crate::interact::{self, Key};
use crate::line::{Line, Note};
use crate::output::Output;
use crate::session::Session;
use crate::setup::{self, Wishes};

/// Waits for calls.
pub(crate) async fn listen(
    global: &Global,
    args: &Listen,
    output: &mut Output,
) -> Result<(), Failure> {
    setup::check_audio(&args.audio)?;
    let wishes = Wishes {
        audio: Some(&args.audio),
        lab: Some(&args.lab),
    };
    let mut s = Session::start(global, &wishes, |_| Ok(()), output).await?;
    let words = if s.engine.contacts().is_empty() {
        "You have no contacts yet. `tacit invite NAME` invites somebody; invites that you have made \
         can be taken while this runs. Ctrl-C to stop."
    } else {
        "Waiting for calls. Ctrl-C to stop."
    };
    output.say(&json!({"event": "ready"}), words);
    let mut line = Line::default();
    let outcome = loop {
        tokio::select! {
            event = s.events.next() => {
                let Some(event) = event else { break Err(Reason::Internal) };
                show(&mut line, &event, output);
                if let Event::Stopped(reason) = event {
                    break Err(reason);
                }
                if let Some(accept) = args.answer.and_then(|legs| line.to_answer(legs)) {
                    submit(&s.engine, &mut line, &accept, output);
                }
                if args.calls.is_some_and(|n| line.over() >= n) && line.is_idle() {
                    break Ok(());
                }
            }
            key = s.keys.next() => press(&s.engine, &mut line, key, output),
            _ = interact::ctrl_c() => break Err(Reason::Interrupted),
        }
    };
    s.end(output).await;
    outcome.map_err(Into::into)
}

/// Places a call.
pub(crate) async fn call(global: &Global, args: &Call, output: &mut Output) -> Result<(), Failure> {
    setup::check_audio(&args.audio)?;
    let wishes = Wishes {
        audio: Some(&args.audio),
        lab: Some(&args.lab),
    };
    let legs = match args.legs {
        Legs::Onion => LegKind::Onion,
        Legs::Turn => LegKind::Turn,
    };
    let check = |book: &AddressBook| {
        let all = book.contacts();
        match all.iter().find(|c| *c.name.reveal() == args.name) {
            None => Err(Reason::ContactUnknown.into()),
            Some(c) if c.needs_turn && legs == LegKind::Onion => Err(Reason::NeedsTurn.into()),
            Some(_) => Ok(()),
        }
    };
    let mut s = Session::start(global, &wishes, check, output).await?;
    let outcome = match s.engine.dial(&args.name, DialOptions { legs }) {
        Ok(call) => talk(&mut s, call, args.duration, output).await,
        Err(error) => Err(error.kind()),
    };
    s.end(output).await;
    outcome.map_err(Into::into)
}

/// Follows a call to its end, and then whoever rang meanwhile, while the person can still answer.
/// Hanging up oneself is success, as is the other's.
pub(crate) async fn talk(
    s: &mut Session,
    call: CallId,
    seconds: Option<u64>,
    output: &mut Output,
) -> Result<(), Reason> {
    let mut line = Line::with(call);
    let mut interrupted = false;
    let mut outcome = None;
    let mut end_at: Option<tokio::time::Instant> = None;
    loop {
        tokio::select! {
            event = s.events.next() => {
                let Some(event) = event else { return Err(Reason::Internal) };
                show(&mut line, &event, output);
                match event {
                    Event::State(id, CallState::Connected) if line.current() == Some(id) => {
                        end_at = seconds.map(|s| tokio::time::Instant::now() + Duration::from_secs(s));
                    }
                    Event::Ended(id, reason) if id == call => outcome = Some(judge(reason)),
                    Event::Stopped(reason) => return Err(reason),
                    _ => {}
                }
            }
            key = s.keys.next() => press(&s.engine, &mut line, key, output),
            () = at(end_at) => {
                end_at = None;
                press(&s.engine, &mut line, Key::HangUp, output);
            }
            _ = interact::ctrl_c() => {
                interrupted = true;
                if let Some(call) = line.current() {
                    // Over already: then its end is among the events.
                    let _ = s.engine.send(EngineCommand::HangUp(call));
                }
            }
        }
        if line.current().is_some() {
            continue;
        }
        if interrupted {
            return Err(Reason::Interrupted);
        }
        end_at = None;
        // A call of a fixed length is a script's, which answers nobody.
        let leave = line.is_idle() || !s.keys.is_open() || seconds.is_some();
        if let Some(outcome) = outcome.filter(|_| leave) {
            return outcome;
        }
    }
}

const fn judge(reason: Reason) -> Result<(), Reason> {
    match reason {
        Reason::HungUp | Reason::PeerHungUp => Ok(()),
        reason => Err(reason),
    }
}

/// Prints an event and what it means for the line.
fn show(line: &mut Line, event: &Event, output: &mut Output) {
    if output.is_json() || !line.is_aside(event) {
        output.event(event);
    }
    for note in line.on_event(event) {
        output.note(&note);
    }
}

fn press(engine: &Engine, line: &mut Line, key: Key, output: &mut Output) {
    match line.on_key(key) {
        Ok(command) => submit(engine, line, &command, output),
        Err(note) => output.note(&note),
    }
}

fn submit(engine: &Engine, line: &mut Line, command: &EngineCommand, output: &mut Output) {
    match engine.send(command.clone()) {
        Ok(()) => line.sent(command),
        Err(error) => {
            let words = format!("{} {}", error.kind().text(), error.next_action());
            output.note(&Note::refused(error.kind(), words));
        }
    }
}

async fn at(when: Option<tokio::time::Instant>) {
    match when {
        Some(when) => tokio::time::sleep_until(when).await,
        None => std::future::pending().await,
    }
}
