//! The commands.

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use clap::CommandFactory as _;
use serde_json::json;
use tacit_engine::{AddressBook, Engine, Event, Invite as EngineInvite};
use tacit_types::Reason;

use crate::args::{Accept, Cli, Command, ConfigAction, Global, Invite};
use crate::interact;
use crate::output::Output;
use crate::private_file::PrivateFile;
use crate::session::Session;
use crate::setup::{self, Wishes};
use crate::{Failure, args, calls, contacts, doctor, folders, manual, qr, report, server};

/// After so long without news a person is told that nothing has stopped.
const STILL_TRYING: Duration = Duration::from_secs(10);
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
                interact::exit_code()
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
    let mut output = Output::new(cli.global.json);
    interact::listen_for_signals().map_err(|e| Failure::new(Reason::Internal, e))?;
    command(cli, &mut output).await?;
    output.finish()
}

async fn command(cli: &Cli, output: &mut Output) -> Result<(), Failure> {
    let global = &cli.global;
    if !matches!(cli.command, Command::Completions { .. } | Command::Man) {
        folders::check(global)?;
    }
    match &cli.command {
        Command::Init => init(global, output),
        Command::Invite(args) => invite(global, args, output).await,
        Command::Accept(args) => accept(global, args, output).await,
        Command::Contacts(args) => contacts::run(global, args, output),
        Command::Listen(args) => calls::listen(global, args, output).await,
        Command::Call(args) => calls::call(global, args, output).await,
        Command::Echo(args) => crate::practice::echo(global, args, output).await,
        Command::Demo(args) => crate::practice::demo(global, args, output).await,
        Command::Doctor(args) => doctor::run(global, args, output).await,
        Command::Server(args) => server::run(global, args, output).await,
        Command::Config(args) => config(global, args.action_ref(), output),
        Command::Completions { shell } => {
            let mut script = Vec::new();
            clap_complete::generate(*shell, &mut Cli::command(), "tacit", &mut script);
            output.raw(&script);
            Ok(())
        }
        Command::Man => {
            let mut page = Vec::new();
            let written = manual::write(&Cli::command(), &mut page);
            output.raw(&page);
            written.map_err(|e| Failure::new(Reason::Internal, e))
        }
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
            setup::checked_config(global)?;
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
    // Before anything is made: an invite that cannot be handed over would only be in the way.
    let files = Destinations::open(args)?;
    if args.no_wait {
        let server = setup::mailbox_server(&setup::config(global)?)?;
        let (store, snapshot) = setup::open_profile(global)?;
        let mut book = AddressBook::open(store, snapshot.as_deref())?;
        let invite = if args.again {
            book.open_invite(&args.name)?
        } else {
            book.invite(&args.name, valid, server)?
        };
        let shown = show_invite(files, &invite, output);
        output.hint("It can be taken whenever `tacit listen` runs here.");
        return shown;
    }
    let check = |book: &AddressBook| {
        if args.again {
            book.open_invite(&args.name)?;
            return Ok(());
        }
        Ok(book.check_new_name(&args.name)?)
    };
    let mut s = Session::start(global, &Wishes::default(), check, output).await?;
    let invite = if args.again {
        s.engine.open_invite(&args.name)
    } else {
        s.engine.invite(&args.name, valid)
    };
    let outcome = match invite {
        Ok(invite) => match show_invite(files, &invite, output) {
            Ok(()) => until_taken(&mut s, output).await,
            Err(failure) => Err(failure),
        },
        Err(error) => Err(error.into()),
    };
    s.end(output).await;
    outcome
}

/// Waits until somebody has become a contact by the invite.
async fn until_taken(s: &mut Session, output: &mut Output) -> Result<(), Failure> {
    output.say(
        &json!({"event": "waiting"}),
        "Waiting until it is taken. Ctrl-C to stop: it stays good while `tacit listen` runs.",
    );
    loop {
        tokio::select! {
            event = s.events.next() => match event {
                Some(event) => {
                    output.event(&event);
                    let told = s.line.on_event(&event);
                    match event {
                        // Somebody who rang and is not answered here.
                        Event::Ended(..) => told.iter().for_each(|note| output.note(note)),
                        Event::ContactAdded(_) => return Ok(()),
                        Event::Incoming { .. } => output.hint(
                            "Only `tacit listen` and `tacit call` can answer: stop this with Ctrl-C \
                             and start one of them.",
                        ),
                        Event::Stopped(reason) => return Err(reason.into()),
                        _ => {}
                    }
                }
                None => return Err(Reason::Internal.into()),
            },
            () = interact::ctrl_c() => return Err(Reason::Interrupted.into()),
        }
    }
}

/// The files that an invite is to be written to, made already.
struct Destinations {
    link: Option<PrivateFile>,
    code: Option<PrivateFile>,
}

impl Destinations {
    fn open(args: &Invite) -> Result<Self, Failure> {
        let create = |path: Option<&PathBuf>| {
            let made = path.map(|p| PrivateFile::create(p).map_err(|e| not_written(p, e)));
            made.transpose()
        };
        Ok(Self {
            link: create(args.file.as_ref())?,
            code: create(args.qr.as_ref())?,
        })
    }

    fn write(self, link: &str) -> Result<(), Failure> {
        let text = self
            .link
            .map(|file| (file, Ok(format!("{link}\n").into_bytes())));
        let code = self.code.map(|file| (file, qr::png(link)));
        for (file, content) in text.into_iter().chain(code) {
            let path = file.path().to_owned();
            let bytes = content.map_err(|e| not_written(&path, e))?;
            file.write(&bytes).map_err(|e| not_written(&path, e))?;
        }
        Ok(())
    }
}

fn not_written(path: &Path, why: impl std::fmt::Display) -> Failure {
    Failure::new(Reason::OutputFile, format!("{}: {why}", path.display()))
}

/// Shows the invite, also if a file that it was to be in as well cannot be written.
fn show_invite(
    files: Destinations,
    invite: &EngineInvite,
    output: &mut Output,
) -> Result<(), Failure> {
    let link = invite.to_link();
    let written = files.write(&link);
    let code = if output.is_json() {
        String::new()
    } else {
        qr::text(&link).unwrap_or_default()
    };
    let left = contacts::seconds_left(invite.expires);
    let words = format!(
        "{code}\nGive this invite to one person, over a channel that you trust:\n\n{link}\n\n\
         It works once, for {}. It proves nobody's identity: compare the two words in your first call.",
        contacts::duration(left)
    );
    output.say(
        &json!({"event": "invite", "link": link, "hours": left.div_ceil(3600)}),
        &words,
    );
    written
}

/// The invite's text: the argument itself, a file, or standard input.
fn invite_text(argument: &str) -> Result<String, Failure> {
    use std::io::Read as _;
    // Never the argument itself: it may be a link that was copied without its beginning.
    let unreadable = |e: std::io::Error| match e.kind() {
        std::io::ErrorKind::InvalidData => Failure::new(Reason::InviteMalformed, "it is not text"),
        _ => Failure::new(Reason::InviteUnreadable, e),
    };
    if argument
        .trim_start()
        .to_ascii_lowercase()
        .starts_with("tacit:")
    {
        return Ok(argument.to_owned());
    }
    let argument = argument.to_owned();
    let read = interact::unless_interrupted(move || {
        let source: Box<dyn std::io::Read> = if argument == "-" {
            Box::new(std::io::stdin())
        } else {
            Box::new(std::fs::File::open(argument)?)
        };
        let mut text = String::new();
        source.take(MAX_INVITE_BYTES).read_to_string(&mut text)?;
        Ok(text)
    });
    read?.map_err(unreadable)
}

async fn accept(global: &Global, args: &Accept, output: &mut Output) -> Result<(), Failure> {
    let invite = Engine::read_invite(&invite_text(&args.invite)?)?;
    let check = |book: &AddressBook| Ok(book.check_join(&invite, &args.name)?);
    let mut s = Session::start(global, &Wishes::default(), check, output).await?;
    output.say(
        &json!({"event": "reaching"}),
        "Reaching the person who invited you…",
    );
    let outcome = {
        let joined = s.engine.accept_invite(&invite, &args.name);
        tokio::pin!(joined);
        loop {
            tokio::select! {
                joined = &mut joined => break joined,
                () = interact::ctrl_c() => break Err(Reason::Interrupted.into()),
                () = tokio::time::sleep(STILL_TRYING) => {
                    output.hint("Still trying: a first circuit can take a minute. Ctrl-C to stop.");
                }
            }
        }
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
