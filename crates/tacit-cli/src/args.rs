//! The command line: what `tacit --help` shows.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};
use tacit_types::Cells;

/// Anonymous voice calls over Tor: no account, no number, no server.
///
/// Exit codes: 0 done, 1 failed (the reason's code is on standard error), 2 wrong usage,
/// 130 stopped with Ctrl-C, 143 by SIGTERM, 129 by the end of its terminal.
#[derive(Debug, Parser)]
#[command(name = "tacit", version, max_term_width = 100)]
pub struct Cli {
    /// What applies to every command.
    #[command(flatten)]
    pub global: Global,
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// What `tacit listen --help` and `tacit call --help` say of the keys.
const KEYS: &str = "\
Keys while it runs, each with Enter:
  a  answer the call that has rung longest    d  decline it
  m  mute, unmute                             h  hang up
  v  the two words match                      x  they differ: end the call
  l  show the legs, or no longer: delay and loss of each, and why packets take it";

/// Options of every command.
#[derive(Debug, Args)]
#[command(next_help_heading = "Options of every command")]
pub struct Global {
    /// Folder of the encrypted profile [default: tacit in the XDG data folder]
    #[arg(long, global = true, env = "TACIT_PROFILE", value_name = "DIR")]
    pub profile: Option<PathBuf>,
    /// Configuration file [default: tacit/config.toml in the XDG configuration folder]
    #[arg(long, global = true, env = "TACIT_CONFIG", value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Read the passphrase from this file instead of asking for it
    #[arg(
        long,
        global = true,
        env = "TACIT_PASSPHRASE_FILE",
        value_name = "FILE"
    )]
    pub passphrase_file: Option<PathBuf>,
    /// Print events as JSON Lines on standard output
    #[arg(long, global = true)]
    pub json: bool,
    /// More log lines on standard error; twice for still more. Never names, addresses or keys
    #[arg(long, short, global = true, action = clap::ArgAction::Count)]
    pub verbose: u8,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Make a profile: the only thing that Tacit keeps on this computer, encrypted
    Init,
    /// Make a single-use invite and wait until it is taken
    Invite(Invite),
    /// Take somebody's invite
    Accept(Accept),
    /// Show, rename or remove contacts
    Contacts(Contacts),
    /// Be reachable: wait for calls, invites and token renewals
    Listen(Listen),
    /// Call a contact
    Call(Call),
    /// Call yourself through Tor and hear yourself: checks Tor, microphone and loudspeaker
    Echo(Echo),
    /// A call between two made-up people inside this program, without Tor: shows what a call looks like
    ///
    /// It needs a microphone and a loudspeaker, or files instead. When it is over, what stands for its
    /// circuits goes on for up to half a minute, as after any call; Ctrl-C ends that.
    Demo(Demo),
    /// Check this computer: profile, configuration, Tor, sound
    Doctor(Doctor),
    /// Run a mailbox server for many people (also as the program `tacit-server`)
    Server(Server),
    /// Look at the configuration
    Config(Config),
    /// Print a completion script for a shell
    Completions {
        /// The shell
        shell: clap_complete::Shell,
    },
    /// Print the manual page
    Man,
}

/// `tacit invite`.
#[derive(Debug, Args)]
pub struct Invite {
    /// The name that you give to the person invited; it stays on this computer
    pub name: String,
    /// Show the open invite for that name again instead of making one
    #[arg(long, conflicts_with = "hours")]
    pub again: bool,
    /// Hours until the invite expires
    #[arg(long, default_value_t = 24, value_parser = clap::value_parser!(u32).range(1..=720))]
    pub hours: u32,
    /// Also write the invite to this file, which must not be there yet
    #[arg(long, value_name = "FILE")]
    pub file: Option<PathBuf>,
    /// Also write the invite as a QR code to this PNG file, which must not be there yet
    #[arg(long, value_name = "FILE")]
    pub qr: Option<PathBuf>,
    /// Do not wait: the invite works whenever `tacit listen` runs
    #[arg(long)]
    pub no_wait: bool,
}

/// `tacit accept`.
#[derive(Debug, Args)]
pub struct Accept {
    /// The link, `tacit:…`, or a file that holds it; `-` reads standard input
    pub invite: String,
    /// The name that you give to the person who invited you; it stays on this computer
    #[arg(long)]
    pub name: String,
}

/// `tacit contacts`.
#[derive(Debug, Args)]
pub struct Contacts {
    /// What to do; without it, list
    #[command(subcommand)]
    pub action: Option<ContactsAction>,
}

/// What `tacit contacts` can do.
#[derive(Debug, Subcommand)]
pub enum ContactsAction {
    /// Show all contacts and open invites
    List,
    /// Give a contact another name
    Rename {
        /// The present name
        name: String,
        /// The new name
        to: String,
    },
    /// Remove a contact, or withdraw an open invite
    Remove {
        /// The name
        name: String,
        /// Withdraw the address, so that they see you offline for good, instead of letting their
        /// calls ring unanswered for ever
        #[arg(long)]
        drop: bool,
    },
}

/// Where sound comes from and goes to.
#[derive(Debug, Args)]
#[command(next_help_heading = "Sound")]
pub struct Audio {
    /// WAV file to send instead of the microphone
    #[arg(long, value_name = "FILE")]
    pub audio_in: Option<PathBuf>,
    /// WAV file to write instead of the loudspeaker, in the place of one that is there; `{call}` in it
    /// becomes the call's number
    #[arg(long, value_name = "FILE")]
    pub audio_out: Option<PathBuf>,
    /// Microphone, as `tacit doctor` names it
    #[arg(long, value_name = "NAME")]
    pub input: Option<String>,
    /// Loudspeaker, as `tacit doctor` names it
    #[arg(long, value_name = "NAME")]
    pub output: Option<String>,
}

/// For the test network and benchmarks.
#[derive(Debug, Args)]
#[command(next_help_heading = "For test networks and benchmarks")]
pub struct Lab {
    /// Write when each frame was sent and played to this file; `{call}` becomes the call's number
    #[arg(long, value_name = "FILE", hide_short_help = true)]
    pub trace: Option<PathBuf>,
    /// Send this many PINGs before the ring and report their round trips
    #[arg(long, value_name = "N", default_value_t = 0, hide_short_help = true)]
    pub measure_pings: u8,
    /// Name the relays of each leg's circuit in the events. They identify your guard: test networks
    /// only
    #[arg(long, hide_short_help = true)]
    pub dangerous_report_circuits: bool,
}

/// `tacit listen`.
#[derive(Debug, Args)]
#[command(after_help = KEYS)]
pub struct Listen {
    /// Answer every call by itself once this many legs are up and no other call goes on
    #[arg(long, value_name = "LEGS")]
    pub answer: Option<usize>,
    /// End after this many calls, answered or not
    #[arg(long, value_name = "N")]
    pub calls: Option<u32>,
    /// Sound
    #[command(flatten)]
    pub audio: Audio,
    /// Benchmarks
    #[command(flatten)]
    pub lab: Lab,
}

/// Kind of legs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Legs {
    /// Straight to the other person's onion address; no third party
    Onion,
    /// Through a TURN server behind Tor exits; lower delay
    Turn,
}

/// `tacit call`.
#[derive(Debug, Args)]
#[command(after_help = KEYS)]
pub struct Call {
    /// The contact's name
    pub name: String,
    /// How the voice travels
    #[arg(long, value_enum, default_value_t = Legs::Onion)]
    pub legs: Legs,
    /// Packets a second that this side sends, 50 or 25, instead of what the configuration says
    #[arg(long, value_name = "A_SECOND")]
    pub cells: Option<Cells>,
    /// Hang up this many seconds after the answer
    #[arg(long, value_name = "SECONDS")]
    pub duration: Option<u64>,
    /// Sound
    #[command(flatten)]
    pub audio: Audio,
    /// Benchmarks
    #[command(flatten)]
    pub lab: Lab,
}

/// `tacit echo`.
#[derive(Debug, Args)]
pub struct Echo {
    /// Length in seconds
    #[arg(long, value_name = "SECONDS", default_value_t = 20)]
    pub duration: u64,
    /// Sound
    #[command(flatten)]
    pub audio: Audio,
}

/// `tacit demo`.
#[derive(Debug, Args)]
pub struct Demo {
    /// Length in seconds
    #[arg(long, value_name = "SECONDS", default_value_t = 10)]
    pub duration: u64,
    /// One-way delay of the made-up network, in milliseconds
    #[arg(long, value_name = "MS", default_value_t = 150, value_parser = clap::value_parser!(u64).range(..=5_000))]
    pub delay_ms: u64,
    /// Sound
    #[command(flatten)]
    pub audio: Audio,
}

/// `tacit doctor`.
#[derive(Debug, Args)]
pub struct Doctor {
    /// Leave Tor out
    #[arg(long)]
    pub offline: bool,
}

/// `tacit server`.
#[derive(Debug, Args)]
pub struct Server {
    /// File with the server's onion identity; made if it is missing. Without it the address changes
    /// at every start
    #[arg(long, value_name = "FILE")]
    pub identity: Option<PathBuf>,
    /// TURN server that credentials are minted for
    #[arg(long, value_name = "ADDRESS:PORT", requires_all = ["turn_secret_file", "turn_certificate"])]
    pub turn: Option<SocketAddr>,
    /// File with the secret that the TURN server shares (coturn's `static-auth-secret`)
    #[arg(long, value_name = "FILE")]
    pub turn_secret_file: Option<PathBuf>,
    /// The TURN server's certificate in PEM form; its key is pinned in every credential
    #[arg(long, value_name = "FILE")]
    pub turn_certificate: Option<PathBuf>,
    /// Most connections at once
    #[arg(long, value_name = "N", default_value_t = 100_000)]
    pub max_connections: usize,
}

/// `tacit config`.
#[derive(Debug, Args)]
pub struct Config {
    /// What to do
    #[command(subcommand)]
    pub action: ConfigAction,
}

/// What `tacit config` can do.
#[derive(Debug, Subcommand)]
pub enum ConfigAction {
    /// Check the configuration and say what is wrong with it
    Check,
    /// Print the configuration with every default filled in
    Show,
    /// Print where the configuration is looked for
    Path,
}
