//! The commands.

use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

use clap::CommandFactory as _;
use serde_json::json;
use tacit_engine::{AddressBook, Engine, Event};
use tacit_types::Reason;

use crate::args::{Accept, Cli, Command, ConfigAction, Global, Invite};
use crate::interact;
use crate::output::Output;
use crate::session::Session;
use crate::setup::{self, Wishes};
use crate::{Failure, args, calls, contacts, doctor, folders, manual, qr, report, server};

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
        Command::Contacts(args) => contacts::run(global, args, &mut output),
        Command::Listen(args) => calls::listen(global, args, &mut output).await,
        Command::Call(args) => calls::call(global, args, &mut output).await,
        Command::Echo(args) => crate::practice::echo(global, args, &mut output).await,
        Command::Demo(args) => crate::practice::demo(global, args, &mut output).await,
        Command::Doctor(args) => doctor::run(global, args, &mut output).await,
        Command::Server(args) => server::run(global, args, &mut output).await,
        Command::Config(args) => config(global, args.action_ref(), &mut output),
        Command::Completions { shell } => {
            clap_complete::generate(*shell, &mut Cli::command(), "tacit", &mut std::io::stdout());
            Ok(())
        }
        Command::Man => manual::write(&Cli::command(), &mut std::io::stdout())
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
                        Event::Incoming { .. } => output.hint(
                            "Only `tacit listen` and `tacit call` can answer: stop this with Ctrl-C \
                             and start one of them.",
                        ),
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
    let check = |book: &AddressBook| Ok(book.check_join(&invite, &args.name)?);
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
    outcome.map_err(|error| match error.kind() {
        // Once an invite has expired, or its maker has stopped, nobody is there to say which.
        Reason::PeerUnreachable => Failure::new(
            Reason::PeerUnreachable,
            "the invite works while they run `tacit invite` or `tacit listen`; it may also have been \
             used or withdrawn",
        ),
        _ => error.into(),
    })
}

impl args::Config {
    const fn action_ref(&self) -> &ConfigAction {
        &self.action
    }
}
