//! What a program chooses about its Tor.

use core::time::Duration;
use std::net::SocketAddr;
use std::path::PathBuf;

use tacit_types::Redacted;

/// Which Tor to use.
#[derive(Clone, Debug)]
pub enum TorConfig {
    /// Arti, in this process.
    Arti(ArtiConfig),
    /// A tor that runs on this computer already (Tails, Whonix, bridges). Arti is not started.
    System(SystemTorConfig),
}

impl TorConfig {
    /// Says whether it can be used, without starting anything.
    ///
    /// # Errors
    /// [`TorErrorKind::Config`](crate::TorErrorKind::Config), with the place in its text.
    pub fn check(&self) -> Result<(), crate::TorError> {
        match self {
            Self::Arti(config) => crate::arti::check(config),
            Self::System(_) => Ok(()),
        }
    }
}

/// Settings of Tor in this process.
#[derive(Clone, Debug)]
pub struct ArtiConfig {
    /// Folder for guards and vanguards. It must persist: choosing guards anew each time would sooner
    /// or later choose a bad one. One process at a time.
    pub state_dir: PathBuf,
    /// Folder for the public directory. May be deleted between runs.
    pub cache_dir: PathBuf,
    /// More of Arti's own configuration, as TOML; used for private networks. The settings that this
    /// structure makes win over it.
    pub extra_toml: Option<String>,
    /// Lets [`Target::Exit`](crate::Target::Exit) name addresses of this computer and of private
    /// networks. For tests on loopback only: on the public network it tells exits about ours.
    pub dangerous_allow_local_exits: bool,
    /// Two guards carry the circuits instead of one: twice as many relays know this computer's address
    /// and see when it calls. Where a relay can be hostile at both ends, four pairs of guards can tell
    /// who calls whom instead of one.
    pub dangerous_double_guard_exposure: bool,
    /// Protection of onion circuits against guard discovery.
    pub vanguards: Vanguards,
    /// [`Tor::start`](crate::Tor::start) gives up after this time.
    pub bootstrap_timeout: Duration,
    /// A connection to an onion service gives up after this time.
    pub onion_timeout: Duration,
    /// A connection through an exit gives up after this time.
    pub exit_timeout: Duration,
}

impl ArtiConfig {
    /// The usual settings with these two folders.
    #[must_use]
    pub fn new(state_dir: impl Into<PathBuf>, cache_dir: impl Into<PathBuf>) -> Self {
        Self {
            state_dir: state_dir.into(),
            cache_dir: cache_dir.into(),
            extra_toml: None,
            dangerous_allow_local_exits: false,
            dangerous_double_guard_exposure: false,
            vanguards: Vanguards::default(),
            // The public network takes 5 to 40 s; censored ones never finish.
            bootstrap_timeout: Duration::from_secs(120),
            // Descriptor, introduction and rendezvous, each with retries inside Arti. A service that
            // went away leaves its descriptor behind for hours: then all of this is waited for.
            onion_timeout: Duration::from_secs(45),
            exit_timeout: Duration::from_secs(30),
        }
    }
}

/// How many layers of an onion circuit are long-lived (Tor's vanguards specification). There is no
/// "off": a hosted address without vanguards gives its guard away to whoever can call it often.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Vanguards {
    /// A long-lived second hop. Circuits keep their length.
    #[default]
    Lite,
    /// Long-lived second and third hops, and longer circuits: about 45 ms more round trip on the
    /// private network with 15 ms links.
    Full,
}

/// A tor that runs on this computer.
#[derive(Clone, Debug)]
pub struct SystemTorConfig {
    /// Its SOCKS port.
    pub socks: SocketAddr,
    /// Its control port. Without one, onion services cannot be hosted nor restricted ones reached.
    pub control: Option<ControlPort>,
    /// A connection to an onion service gives up after this time.
    pub onion_timeout: Duration,
    /// A connection through an exit gives up after this time.
    pub exit_timeout: Duration,
}

impl SystemTorConfig {
    /// A system tor with this SOCKS port, and perhaps this control port.
    #[must_use]
    pub const fn new(socks: SocketAddr, control: Option<ControlPort>) -> Self {
        Self {
            socks,
            control,
            // C tor keeps a SOCKS request for two minutes (SocksTimeout); people do not.
            onion_timeout: Duration::from_secs(45),
            exit_timeout: Duration::from_secs(30),
        }
    }
}

/// A control port and how to log in.
#[derive(Clone, Debug)]
pub struct ControlPort {
    /// Its address.
    pub addr: SocketAddr,
    /// Proof that we may use it.
    pub auth: ControlAuth,
}

/// Proof for a control port.
#[derive(Clone, Debug, Default)]
pub enum ControlAuth {
    /// No proof if none is asked for, else the cookie file that the port names.
    #[default]
    Cookie,
    /// The password behind `HashedControlPassword`.
    Password(Redacted<String>),
}
