//! The commands.

use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

use clap::CommandFactory as _;
use serde_json::json;
use tacit_engine::{
    AddressBook, CallId, CallState, Command as EngineCommand, DialOptions, Engine, Event, Removal,
};
use tacit_types::{LegKind, Reason};

use crate::args::{
    Accept, Call, Cli, Command, ConfigAction, Contacts, ContactsAction, Global, Invite, Legs,
    Listen,
};
use crate::interact::{self, Key, act};
use crate::output::Output;
use crate::session::Session;
use crate::setup::{self, Wishes};
use crate::{Failure, args, doctor, folders, qr, report, server};

/// Exit code after Ctrl-C, as shells have it.
const INTERRUPTED: u8 = 130;
/// Largest invite file that is read, in bytes.
const MAX_INVITE_BYTES: u64 = 16 * 1024;

/// Runs the program and returns its exit code.
#[must_use]
pub fn run(cli: Cli) -> ExitCode {
    start_logging(cli.global.verbose);
    let outcome = match tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
    {
        Ok(runtime) => {
            let outcome = runtime.block_on(dispatch(&cli));
            // A blocked read of standard input must not hold the program up.
            runtime.shutdown_background();
            outcome
        }
        Err(e) => Err(Failure::new(Reason::Internal, e)),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            report(&failure);
            ExitCode::from(if failure.reason == Reason::Interrupted {
                INTERRUPTED
            } else {
                1
            })
        }
    }
}

/// Logs go to standard error; Arti's are kept at warnings at most, since more would tell circuits.
fn start_logging(verbose: u8) {
    let (level, tor) = match verbose {
        0 => ("warn", tacit_tor::QUIET_LOG_FILTER),
        1 => ("info", tacit_tor::LOG_FILTER),
        2 => ("debug", tacit_tor::LOG_FILTER),
        _ => ("trace", tacit_tor::LOG_FILTER),
    };
    // The sound server's client calls its own end an error.
    let filter = format!("{level},pulseaudio=off,{tor}");
    let filter = tracing_subscriber::EnvFilter::new(filter);
    let logs = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr);
    // A second subscriber in one process (tests) is not ours to fight over.
    let _ = logs.with_ansi(false).try_init();
}

async fn dispatch(cli: &Cli) -> Result<(), Failure> {
    let global = &cli.global;
    let mut output = Output::new(global.json);
    interact::listen_for_ctrl_c().map_err(|e| Failure::new(Reason::Internal, e))?;
    match &cli.command {
        Command::Init => init(global, &mut output),
        Command::Invite(args) => invite(global, args, &mut output).await,
        Command::Accept(args) => accept(global, args, &mut output).await,
        Command::Contacts(args) => contacts(global, args, &mut output).await,
        Command::Listen(args) => listen(global, args, &mut output).await,
        Command::Call(args) => call(global, args, &mut output).await,
        Command::Echo(args) => crate::practice::echo(global, args, &mut output).await,
        Command::Demo(args) => crate::practice::demo(global, args, &mut output).await,
        Command::Doctor(args) => doctor::run(global, args, &mut output).await,
        Command::Server(args) => server::run(global, args, &mut output).await,
        Command::Config(args) => config(global, args.action_ref(), &mut output),
        Command::Completions { shell } => {
            clap_complete::generate(*shell, &mut Cli::command(), "tacit", &mut std::io::stdout());
            Ok(())
        }
        Command::Man => clap_mangen::Man::new(Cli::command())
            .render(&mut std::io::stdout())
            .map_err(|e| Failure::new(Reason::Internal, e)),
    }
}

fn init(global: &Global, output: &mut Output) -> Result<(), Failure> {
    let folder = setup::create_profile(global)?;
    let words = format!(
        "Your profile is ready in {}.\nNext: `tacit invite NAME`, or `tacit accept LINK --name NAME`.",
        folder.display()
    );
    output.say(&json!({"event": "profile", "folder": folder}), &words);
    Ok(())
}

fn config(global: &Global, action: &ConfigAction, output: &mut Output) -> Result<(), Failure> {
    let (path, _) = folders::config(global);
    match action {
        ConfigAction::Path => {
            output.say(
                &json!({"event": "config", "path": path}),
                &path.display().to_string(),
            );
        }
        ConfigAction::Check => {
            setup::config(global)?;
            let there = if path.exists() {
                "is in order"
            } else {
                "is not there, so the defaults hold"
            };
            let words = format!("{} {there}.", path.display());
            output.say(
                &json!({"event": "config", "path": path, "valid": true}),
                &words,
            );
        }
        ConfigAction::Show => {
            let config = setup::config(global)?;
            let text = toml::to_string(&config).map_err(|e| Failure::new(Reason::Internal, e))?;
            output.say(
                &json!({"event": "config", "config": config}),
                text.trim_end(),
            );
        }
    }
    Ok(())
}

async fn invite(global: &Global, args: &Invite, output: &mut Output) -> Result<(), Failure> {
    let valid = Duration::from_secs(u64::from(args.hours) * 3600);
    if args.no_wait {
        let server = setup::mailbox_server(&setup::config(global)?)?;
        let (store, snapshot) = setup::open_profile(global)?;
        let mut book = AddressBook::open(store, snapshot.as_deref())?;
        let invite = book.invite(&args.name, valid, server)?;
        return show_invite(args, &invite.to_link(), output);
    }
    let check = |book: &AddressBook| Ok(book.check_new_name(&args.name)?);
    let mut s = Session::start(global, &Wishes::default(), check, output).await?;
    let invite = match s.engine.invite(&args.name, valid) {
        Ok(invite) => invite,
        Err(error) => {
            s.end(output).await;
            return Err(error.into());
        }
    };
    show_invite(args, &invite.to_link(), output)?;
    output.say(
        &json!({"event": "waiting"}),
        "Waiting until it is taken. Ctrl-C to stop: it stays good while `tacit listen` runs.",
    );
    let outcome = loop {
        tokio::select! {
            event = s.events.next() => match event {
                Some(event) => {
                    output.event(&event);
                    match event {
                        Event::ContactAdded(_) => break Ok(()),
                        Event::Stopped(reason) => break Err(reason.into()),
                        _ => {}
                    }
                }
                None => break Err(Reason::Internal.into()),
            },
            _ = interact::ctrl_c() => break Err(Reason::Interrupted.into()),
        }
    };
    s.end(output).await;
    outcome
}

fn show_invite(args: &Invite, link: &str, output: &mut Output) -> Result<(), Failure> {
    if let Some(path) = &args.file {
        write_private(path, link).map_err(|e| Failure::new(Reason::ProfileIo, e))?;
    }
    if let Some(path) = &args.qr {
        qr::png(link, path).map_err(|e| Failure::new(Reason::ProfileIo, e))?;
    }
    let code = if output.is_json() {
        String::new()
    } else {
        qr::text(link).unwrap_or_default()
    };
    let words = format!(
        "{code}\nGive this invite to one person, over a channel that you trust:\n\n{link}\n\n\
         It works once, for {} hours. It proves nobody's identity: compare the two words in your first call.",
        args.hours
    );
    output.say(
        &json!({"event": "invite", "link": link, "hours": args.hours}),
        &words,
    );
    Ok(())
}

/// Writes a file that only its owner can read.
pub(crate) fn write_private(path: &Path, text: &str) -> std::io::Result<()> {
    use std::io::Write as _;
    use std::os::unix::fs::OpenOptionsExt as _;
    let mut options = std::fs::OpenOptions::new();
    let mut file = options
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(path)?;
    writeln!(file, "{text}")?;
    file.sync_all()
}

/// The invite's text: the argument itself, a file, or standard input.
fn invite_text(argument: &str) -> Result<String, Failure> {
    use std::io::Read as _;
    let malformed = |e: std::io::Error| Failure::new(Reason::InviteMalformed, e);
    if argument
        .trim_start()
        .to_ascii_lowercase()
        .starts_with("tacit:")
    {
        return Ok(argument.to_owned());
    }
    let mut text = String::new();
    let source: Box<dyn std::io::Read> = if argument == "-" {
        Box::new(std::io::stdin())
    } else {
        Box::new(std::fs::File::open(argument).map_err(malformed)?)
    };
    source
        .take(MAX_INVITE_BYTES)
        .read_to_string(&mut text)
        .map_err(malformed)?;
    Ok(text)
}

async fn accept(global: &Global, args: &Accept, output: &mut Output) -> Result<(), Failure> {
    let invite = Engine::read_invite(&invite_text(&args.invite)?)?;
    let check = |book: &AddressBook| Ok(book.check_new_name(&args.name)?);
    let mut s = Session::start(global, &Wishes::default(), check, output).await?;
    output.say(
        &json!({"event": "reaching"}),
        "Reaching the person who invited you…",
    );
    let outcome = tokio::select! {
        joined = s.engine.accept_invite(&invite, &args.name) => joined,
        _ = interact::ctrl_c() => Err(Reason::Interrupted.into()),
    };
    if outcome.is_ok() {
        while let Some(event) = s.events.next().await {
            output.event(&event);
            if matches!(event, Event::ContactAdded(_)) {
                break;
            }
        }
    }
    s.end(output).await;
    outcome.map_err(Into::into)
}

async fn contacts(global: &Global, args: &Contacts, output: &mut Output) -> Result<(), Failure> {
    let (store, snapshot) = setup::open_profile(global)?;
    let mut book = AddressBook::open(store, snapshot.as_deref())?;
    match args.action.as_ref().unwrap_or(&ContactsAction::List) {
        ContactsAction::List => {
            let all = book.contacts();
            if all.is_empty() {
                output.say(
                    &json!({"event": "contacts", "count": 0}),
                    "No contacts yet.",
                );
            }
            for c in all {
                let mark = if c.verified {
                    "verified"
                } else {
                    "not verified"
                };
                let value = json!({"event": "contact", "name": c.name.reveal(), "verified": c.verified,
                    "tokens": c.tokens, "embedded": c.embedded, "needs_turn": c.needs_turn});
                let way = if c.needs_turn {
                    ", only with --legs turn"
                } else {
                    ""
                };
                let words = format!("{}  {mark}, {} calls left{way}", c.name.reveal(), c.tokens);
                output.say(&value, &words);
            }
        }
        ContactsAction::Rename { name, to } => {
            book.rename(name, to)?;
            output.say(&json!({"event": "renamed"}), "Renamed.");
        }
        ContactsAction::Remove { name, drop } => {
            let how = if *drop { Removal::Drop } else { Removal::Ghost };
            book.remove(name, how)?;
            output.say(&json!({"event": "removed"}), "Removed.");
        }
    }
    Ok(())
}

async fn listen(global: &Global, args: &Listen, output: &mut Output) -> Result<(), Failure> {
    setup::check_audio(&args.audio)?;
    let wishes = Wishes {
        audio: Some(&args.audio),
        lab: Some(&args.lab),
    };
    let mut s = Session::start(global, &wishes, |_| Ok(()), output).await?;
    output.say(
        &json!({"event": "ready"}),
        "Waiting for calls. Ctrl-C to stop.",
    );
    let mut current: Option<CallId> = None;
    let mut muted = false;
    let mut ended = 0;
    let outcome = loop {
        tokio::select! {
            event = s.events.next() => {
                let Some(event) = event else { break Err(Reason::Internal) };
                output.event(&event);
                match event {
                    Event::Incoming { call, busy: false, .. } => current = Some(call),
                    Event::LegUp { call, live, .. }
                        if current == Some(call) && args.answer.is_some_and(|n| live >= n) =>
                    {
                        // Answered already, or over: both are fine.
                        let _ = s.engine.send(EngineCommand::Accept(call));
                    }
                    Event::Ended(call, _) if current == Some(call) => {
                        current = None;
                        muted = false;
                        ended += 1;
                        if args.calls == Some(ended) {
                            break Ok(());
                        }
                    }
                    Event::Stopped(reason) => break Err(reason),
                    _ => {}
                }
            }
            key = s.keys.next() => if let Some(call) = current {
                tell(act(&s.engine, call, key, &mut muted), output);
            },
            _ = interact::ctrl_c() => break Err(Reason::Interrupted),
        }
    };
    s.end(output).await;
    outcome.map_err(Into::into)
}

fn tell(outcome: Result<(), Reason>, output: &mut Output) {
    if let Err(reason) = outcome {
        output.say(
            &json!({"event": "refused", "reason": reason.code()}),
            reason.text(),
        );
    }
}

async fn call(global: &Global, args: &Call, output: &mut Output) -> Result<(), Failure> {
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

/// Follows a call to its end. Hanging up oneself is success, as is the other's.
pub(crate) async fn talk(
    s: &mut Session,
    call: CallId,
    seconds: Option<u64>,
    output: &mut Output,
) -> Result<(), Reason> {
    let mut muted = false;
    let mut interrupted = false;
    let mut end_at: Option<tokio::time::Instant> = None;
    loop {
        tokio::select! {
            event = s.events.next() => {
                let Some(event) = event else { return Err(Reason::Internal) };
                output.event(&event);
                match event {
                    Event::State(id, CallState::Connected) if id == call => {
                        end_at = seconds.map(|s| tokio::time::Instant::now() + Duration::from_secs(s));
                    }
                    Event::Ended(id, _) if id == call && interrupted => return Err(Reason::Interrupted),
                    Event::Ended(id, Reason::HungUp | Reason::PeerHungUp) if id == call => return Ok(()),
                    Event::Ended(id, reason) if id == call => return Err(reason),
                    Event::Stopped(reason) => return Err(reason),
                    _ => {}
                }
            }
            key = s.keys.next() => if key != Key::Accept && key != Key::Decline {
                tell(act(&s.engine, call, key, &mut muted), output);
            },
            () = at(end_at) => {
                end_at = None;
                let sent = s.engine.send(EngineCommand::HangUp(call));
                tell(sent.map_err(Into::into), output);
            }
            _ = interact::ctrl_c() => {
                interrupted = true;
                // Over already: then its end is among the events.
                let _ = s.engine.send(EngineCommand::HangUp(call));
            }
        }
    }
}

async fn at(when: Option<tokio::time::Instant>) {
    match when {
        Some(when) => tokio::time::sleep_until(when).await,
        None => std::future::pending().await,
    }
}

impl args::Config {
    const fn action_ref(&self) -> &ConfigAction {
        &self.action
    }
}
