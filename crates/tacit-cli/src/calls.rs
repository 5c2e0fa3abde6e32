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
use crate::line::{Asked, Line, Note, went_well};
use crate::output::Output;
use crate::session::Session;
use crate::setup::{self, Wishes};

/// Waits for calls.
pub(crate) async fn listen(
    global: &Global,
    args: &Listen,
    output: &mut Output,
) -> Result<(), Failure> {
    setup::check_files(&args.audio)?;
    let wishes = Wishes {
        audio: Some(&args.audio),
        lab: Some(&args.lab),
        cells: None,
    };
    let mut s = Session::start(global, &wishes, |_| Ok(()), output).await?;
    let config = setup::config(global)?;
    // Invites are taken and tokens renewed without sound, too: what is missing is told, no more.
    if let Err(failure) = setup::check_chosen_devices(&config, &args.audio).await {
        crate::report(&failure);
    }
    if setup::is_unreachable(&config) {
        output.hint(Reason::TorNeedsControl.text());
        output.hint("Until then nobody can call you, and nobody can take an invite of yours.");
    }
    let words = if s.engine.contacts().is_empty() {
        "You have no contacts yet. `tacit invite NAME` invites somebody; invites that you have made \
         can be taken while this runs. Ctrl-C to stop."
    } else {
        "Waiting for calls. Ctrl-C to stop."
    };
    output.say(&json!({"event": "ready"}), words);
    s.line = Line::answering(args.answer);
    let outcome = loop {
        tokio::select! {
            event = s.events.next() => {
                let Some(event) = event else { break Err(Reason::Internal.into()) };
                show(&mut s.line, &event, output);
                if let Event::Stopped(reason) = event {
                    break Err(told(reason, output));
                }
                if let Some(accept) = s.line.to_answer() {
                    submit(&s.engine, &mut s.line, &accept, output);
                }
                if args.calls.is_some_and(|n| s.line.over() >= n) && s.line.is_idle() {
                    break Ok(());
                }
            }
            key = s.keys.next() => {
                output.typed();
                press(&s.engine, &mut s.line, key, output);
            }
            () = interact::ctrl_c() => break Err(Reason::Interrupted.into()),
        }
    };
    s.end(output).await;
    outcome
}

/// Places a call.
pub(crate) async fn call(global: &Global, args: &Call, output: &mut Output) -> Result<(), Failure> {
    setup::check_files(&args.audio)?;
    let wishes = Wishes {
        audio: Some(&args.audio),
        lab: Some(&args.lab),
        cells: args.cells,
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
    let config = setup::config(global)?;
    let outcome = match setup::check_chosen_devices(&config, &args.audio).await {
        Ok(()) => match s.engine.dial(&args.name, DialOptions { legs }) {
            Ok(call) => {
                s.line = Line::with(call);
                talk(&mut s, call, args.duration, output).await
            }
            Err(error) => Err(error.into()),
        },
        Err(failure) => Err(failure),
    };
    s.end(output).await;
    outcome
}

/// Follows a call to its end, and then whoever rang meanwhile, while the person can still answer.
/// Hanging up oneself is success, as is the other's.
pub(crate) async fn talk(
    s: &mut Session,
    call: CallId,
    seconds: Option<u64>,
    output: &mut Output,
) -> Result<(), Failure> {
    let mut interrupted = false;
    let mut outcome = None;
    let mut end_at: Option<tokio::time::Instant> = None;
    loop {
        tokio::select! {
            event = s.events.next() => {
                let Some(event) = event else { return Err(Reason::Internal.into()) };
                if let Event::Ended(id, reason) = event && id == call {
                    outcome = Some(judge(reason, output));
                }
                show(&mut s.line, &event, output);
                match event {
                    Event::State(id, CallState::Connected) if s.line.current() == Some(id) => {
                        end_at = seconds.map(|s| tokio::time::Instant::now() + Duration::from_secs(s));
                    }
                    Event::Stopped(reason) => return Err(told(reason, output)),
                    _ => {}
                }
            }
            key = s.keys.next() => {
                output.typed();
                // A call of a fixed length ends without keys.
                if key != Key::Closed || seconds.is_none() {
                    press(&s.engine, &mut s.line, key, output);
                }
            }
            () = at(end_at) => {
                end_at = None;
                press(&s.engine, &mut s.line, Key::HangUp, output);
            }
            () = interact::ctrl_c() => {
                interrupted = true;
                s.line.leave();
                if let Some(call) = s.line.current() {
                    // Over already: then its end is among the events.
                    let _ = s.engine.send(EngineCommand::HangUp(call));
                }
            }
        }
        if s.line.current().is_some() {
            continue;
        }
        if interrupted {
            return Err(Reason::Interrupted.into());
        }
        end_at = None;
        // A call of a fixed length is a script's, which answers nobody.
        let leave = s.line.is_idle() || !s.keys.is_open() || seconds.is_some();
        if leave && let Some(outcome) = outcome.take() {
            return outcome;
        }
    }
}

/// What the end of a command's own call means for it.
fn judge(reason: Reason, output: &mut Output) -> Result<(), Failure> {
    if went_well(reason) {
        Ok(())
    } else {
        Err(told(reason, output))
    }
}

/// A failure that is told at once: the close of the circuits that comes next takes its time.
fn told(reason: Reason, output: &mut Output) -> Failure {
    let mut failure = Failure::from(reason);
    output.failed(&mut failure);
    failure
}

/// Prints an event and what it means for the line.
pub(crate) fn show(line: &mut Line, event: &Event, output: &mut Output) {
    if output.is_json() || !line.is_aside(event) {
        output.event(event);
    }
    if let Event::Quality(_, quality) = event {
        output.meter(quality, line.is_muted());
    }
    if event.call() == line.current() {
        output.follow(event);
    }
    for note in line.on_event(event) {
        output.note(&note);
    }
}

fn press(engine: &Engine, line: &mut Line, key: Key, output: &mut Output) {
    match line.on_key(key) {
        Ok(Asked::Engine(command)) => submit(engine, line, &command, output),
        Ok(Asked::Legs) => output.toggle_legs(),
        Err(note) => output.note(&note),
    }
}

fn submit(engine: &Engine, line: &mut Line, command: &EngineCommand, output: &mut Output) {
    match engine.send(command.clone()) {
        Ok(()) => {
            if let Some(note) = line.sent(command) {
                output.note(&note);
            }
        }
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
