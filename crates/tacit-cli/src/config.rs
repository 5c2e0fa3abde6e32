//! The configuration file: TOML, every field optional, unknown fields refused.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use tacit_types::Cells;
use tacit_types::limits::{DEFAULT_LEGS, MAX_LEGS};

/// Largest file that is read, in bytes.
const MAX_BYTES: u64 = 64 * 1024;

/// The whole file.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// How Tor is reached.
    pub tor: Tor,
    /// Calls.
    pub calls: Calls,
    /// Servers, if any are used.
    pub servers: Servers,
    /// Sound devices.
    pub audio: Audio,
}

/// `[tor]`
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Tor {
    /// Arti in this process, or a tor that runs already (Tails, Whonix).
    pub mode: TorMode,
    /// SOCKS address of the system tor.
    pub socks: SocketAddr,
    /// Control port of the system tor; without it nobody can call this person.
    pub control: Option<SocketAddr>,
    /// Arti configuration to be merged, for bridges and private networks.
    pub arti: Option<PathBuf>,
    /// Private networks only: exits may connect to this machine.
    pub dangerous_allow_local_exits: bool,
    /// Two guards instead of one: twice as many relays know this computer's address and see when it
    /// calls.
    pub dangerous_double_guard_exposure: bool,
    /// Seconds that Tor may take to start.
    pub start_timeout_s: u64,
}

impl Default for Tor {
    fn default() -> Self {
        Self {
            mode: TorMode::Arti,
            socks: SocketAddr::from(([127, 0, 0, 1], 9050)),
            control: None,
            arti: None,
            dangerous_allow_local_exits: false,
            dangerous_double_guard_exposure: false,
            start_timeout_s: 120,
        }
    }
}

/// How Tor is reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum TorMode {
    /// Arti in this process.
    Arti,
    /// A tor that runs already.
    System,
}

/// `[calls]`
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Calls {
    /// Legs of a call, 2 to 16.
    pub legs: u8,
    /// Packets a second that this side sends, 50 or 25.
    pub cells: Cells,
}

impl Default for Calls {
    fn default() -> Self {
        Self {
            legs: DEFAULT_LEGS,
            cells: Cells::default(),
        }
    }
}

/// `[servers]`
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Servers {
    /// Onion address of the server that mints TURN credentials.
    pub credentials: Option<String>,
    /// Onion address of the mailbox server for contacts made from now on.
    pub mailbox: Option<String>,
    /// Private networks only: TURN candidates on loopback and private addresses are taken.
    pub dangerous_allow_local_candidates: bool,
}

/// `[audio]`
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Audio {
    /// Microphone.
    pub input: Option<String>,
    /// Loudspeaker.
    pub output: Option<String>,
}

/// What is wrong with a configuration, with the place.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// It cannot be read.
    #[error("{path} cannot be read: {source}")]
    Read {
        /// The file.
        path: String,
        /// Why.
        source: std::io::Error,
    },
    /// It is larger than any configuration.
    #[error("{path} is larger than {MAX_BYTES} bytes, so it is not a configuration")]
    TooLarge {
        /// The file.
        path: String,
    },
    /// It is not TOML of this form.
    #[error("{path}: {message}")]
    Parse {
        /// The file.
        path: String,
        /// Line, column and what was expected.
        message: String,
    },
    /// A value is out of range.
    #[error("{path}: {field} {expected}")]
    Value {
        /// The file.
        path: String,
        /// Which field.
        field: &'static str,
        /// What it may be.
        expected: String,
    },
}

impl Config {
    /// Reads the file; a missing default file means the defaults, a missing named one is an error.
    ///
    /// # Errors
    /// Where and what is wrong.
    pub fn load(path: &Path, named: bool) -> Result<Self, ConfigError> {
        let shown = path.display().to_string();
        let text = match read_bounded(path) {
            Ok(Some(text)) => text,
            Ok(None) => return Err(ConfigError::TooLarge { path: shown }),
            Err(e) if e.kind() == std::io::ErrorKind::NotFound && !named => {
                return Ok(Self::default());
            }
            Err(source) => {
                return Err(ConfigError::Read {
                    path: shown,
                    source,
                });
            }
        };
        Self::parse(&text, &shown)
    }

    /// Reads `text`; `path` is only for messages.
    ///
    /// # Errors
    /// Where and what is wrong.
    pub fn parse(text: &str, path: &str) -> Result<Self, ConfigError> {
        let config: Self = toml::from_str(text).map_err(|e| ConfigError::Parse {
            path: path.into(),
            message: e.to_string(),
        })?;
        let wrong = |field, expected: String| {
            Err(ConfigError::Value {
                path: path.into(),
                field,
                expected,
            })
        };
        if !(2..=MAX_LEGS).contains(&usize::from(config.calls.legs)) {
            return wrong("calls.legs", format!("must be 2 to {MAX_LEGS}"));
        }
        if !(5..=3600).contains(&config.tor.start_timeout_s) {
            return wrong("tor.start_timeout_s", "must be 5 to 3600".into());
        }
        if config.tor.dangerous_double_guard_exposure && config.tor.mode == TorMode::System {
            let instead =
                "is for `mode = \"arti\"`; of a system tor, NumEntryGuards in its torrc says it";
            return wrong("tor.dangerous_double_guard_exposure", instead.into());
        }
        let addresses = [
            ("servers.credentials", &config.servers.credentials),
            ("servers.mailbox", &config.servers.mailbox),
        ];
        for (field, address) in addresses {
            if let Some(text) = address
                && tacit_tor::parse_onion_address(text).is_err()
            {
                return wrong(field, "must be a complete v3 onion address".into());
            }
        }
        Ok(config)
    }
}

fn read_bounded(path: &Path) -> std::io::Result<Option<String>> {
    use std::io::Read as _;
    let mut text = String::new();
    std::fs::File::open(path)?
        .take(MAX_BYTES + 1)
        .read_to_string(&mut text)?;
    Ok((text.len() as u64 <= MAX_BYTES).then_some(text))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_empty_file_means_the_defaults() {
        let config = Config::parse("", "x").expect("empty is valid");
        assert_eq!(config.calls.legs, 12);
        assert_eq!(config.calls.cells, Cells::Fifty);
        assert_eq!(config.tor.mode, TorMode::Arti);
    }

    #[test]
    fn a_second_guard_is_asked_for_by_name_and_of_arti_only() {
        let text = "[tor]\ndangerous_double_guard_exposure = true\n";
        let config = Config::parse(text, "c").expect("known");
        assert!(config.tor.dangerous_double_guard_exposure);
        assert!(!Config::default().tor.dangerous_double_guard_exposure);
        let system = Config::parse(&format!("{text}mode = \"system\"\n"), "c");
        let refused = system.expect_err("not ours to say").to_string();
        assert!(
            refused.contains("tor.dangerous_double_guard_exposure"),
            "{refused}"
        );
        assert!(refused.contains("NumEntryGuards"), "{refused}");
        Config::parse("[tor]\nguards = 2\n", "c").expect_err("no other name");
    }

    #[test]
    fn mistakes_name_their_place() {
        let unknown = Config::parse("[calls]\nlegz = 3\n", "c.toml").expect_err("unknown field");
        assert!(unknown.to_string().contains("line 2"), "{unknown}");
        let range = Config::parse("[calls]\nlegs = 99\n", "c.toml").expect_err("out of range");
        assert!(
            range.to_string().contains("calls.legs must be 2 to 16"),
            "{range}"
        );
        let cells = Config::parse("[calls]\ncells = 33\n", "c.toml").expect_err("no such rate");
        assert!(cells.to_string().contains("must be 50 or 25"), "{cells}");
        assert!(cells.to_string().contains("line 2"), "{cells}");
        let onion =
            Config::parse("[servers]\nmailbox = 'x.onion'\n", "c").expect_err("not an address");
        assert!(onion.to_string().contains("v3 onion address"), "{onion}");
    }
}
