//! Sets the stage: relays, TURN server, mailbox server, two people.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use tacit_legs::coturn::{Coturn, CoturnOptions};
use tacit_quality::speech::Text;
use tacit_tornet::{Config, Link, Network};
use tokio::process::Command;

use crate::demo::Stage;
use crate::person::{Person, Place, Running};
use crate::speech::Speech;
use crate::stall::Plan;

/// How long `tacit-server` may take to become reachable.
const SERVER_LIMIT: Duration = Duration::from_secs(120);

/// The stage with everything that must live as long as it.
#[derive(Debug)]
pub struct Set {
    /// What the calls need.
    pub stage: Stage,
    /// The TURN server.
    pub coturn: Coturn,
    /// The mailbox and credential server.
    pub server: Running,
}

/// Where things go and what is wanted.
#[derive(Clone, Debug)]
pub struct Wanted {
    /// Folder of the programs `tacit` and `tacit-server`.
    pub programs: PathBuf,
    /// Folder for everything that is left behind.
    pub out: PathBuf,
    /// One-way delay of a link between relays.
    pub link_delay: Duration,
    /// Where relays' keys stay between runs.
    pub key_cache: Option<PathBuf>,
    /// More arguments for every program.
    pub more: Vec<String>,
    /// What is to happen in each call.
    pub plan: Plan,
}

/// Starts everything.
///
/// # Errors
/// What failed, in plain words.
pub async fn set(wanted: &Wanted, say: &(dyn Fn(&str) + Sync)) -> Result<Set, String> {
    std::fs::create_dir_all(&wanted.out).map_err(|e| format!("{}: {e}", wanted.out.display()))?;
    let speech = |text, name: &str| {
        // Whoever starts first speaks a little longer.
        let seconds = usize::try_from(wanted.plan.seconds + 2).unwrap_or(usize::MAX);
        Speech::make(text, seconds, &wanted.out.join(name))
    };
    let caller_speech = speech(Text::A, "spoken-by-alice.wav")?;
    let callee_speech = speech(Text::B, "spoken-by-bob.wav")?;
    say("Starting a private Tor network of real relays…");
    let network = Arc::new(relays(wanted).await?);
    say(&format!(
        "{} relays of tor {} are up.",
        network.relays().len(),
        network.tor_version()
    ));
    let coturn = tokio::task::spawn_blocking(|| Coturn::start(CoturnOptions::default()))
        .await
        .map_err(|e| e.to_string())?
        .map_err(|e| format!("coturn: {e}"))?;
    say("coturn is up. Starting tacit-server behind its onion service…");
    let (server, address) = server(wanted, &network, &coturn, &Place::Here).await?;
    let caller = person("alice", wanted, &network, &address)?;
    let callee = person("bob", wanted, &network, &address)?;
    let stage = Stage {
        network,
        caller,
        callee,
        caller_speech,
        callee_speech,
        plan: wanted.plan.clone(),
        out: wanted.out.clone(),
    };
    Ok(Set {
        stage,
        coturn,
        server,
    })
}

/// Starts the relays.
///
/// # Errors
/// If tor is missing or the network does not become usable.
pub async fn relays(wanted: &Wanted) -> Result<Network, String> {
    let config = Config {
        link: Link::Proxied {
            one_way: wanted.link_delay,
            jitter: Duration::from_millis(1),
            nagle: false,
        },
        key_cache: wanted.key_cache.clone(),
        ..Config::default()
    };
    Network::start(config, |progress| eprintln!("  {progress}"))
        .await
        .map_err(|e| e.to_string())
}

/// Starts `tacit-server` and waits until it can be reached; returns its address, too.
///
/// # Errors
/// If it cannot be started or is not reachable in time.
pub async fn server(
    wanted: &Wanted,
    network: &Network,
    coturn: &Coturn,
    place: &Place,
) -> Result<(Running, String), String> {
    let dir = wanted.out.join("server");
    fresh(&dir)?;
    write(&dir.join("config.toml"), &tor_section(network))?;
    write(&dir.join("turn-secret"), coturn.secret())?;
    let mut command = Command::new(wanted.programs.join("tacit-server"));
    command
        .arg("--json")
        .args(&wanted.more)
        .arg("--config")
        .arg(dir.join("config.toml"))
        .arg("--profile")
        .arg(dir.join("state"))
        .arg("--turn")
        .arg(coturn.tls_addr().to_string())
        .arg("--turn-secret-file")
        .arg(dir.join("turn-secret"))
        .arg("--turn-certificate")
        .arg(coturn.certificate_path());
    let mut running = Running::start_in("tacit-server", command, &dir.join("server.log"), place)?;
    let event = running
        .wait_for("address", SERVER_LIMIT, |e| e["event"] == "server")
        .await?;
    let address = event["address"]
        .as_str()
        .ok_or("the server named no address")?
        .to_owned();
    running
        .wait_for("reachability", SERVER_LIMIT, |e| e["event"] == "reachable")
        .await?;
    Ok((running, address))
}

/// A person with an empty folder and a configuration for the private network, whose TURN credentials
/// come from this server.
///
/// # Errors
/// If the files cannot be written.
pub fn person(
    name: &'static str,
    wanted: &Wanted,
    network: &Network,
    credentials: &str,
) -> Result<Person, String> {
    person_with(name, wanted, network, &[("credentials", credentials)])
}

/// A person with an empty folder and a configuration for the private network, with these servers.
///
/// # Errors
/// If the files cannot be written.
pub fn person_with(
    name: &'static str,
    wanted: &Wanted,
    network: &Network,
    servers: &[(&str, &str)],
) -> Result<Person, String> {
    let dir = wanted.out.join(name);
    fresh(&dir)?;
    let servers: String = servers
        .iter()
        .map(|(field, address)| format!("{field} = \"{address}\"\n"))
        .collect();
    let config = format!(
        "{}\n[servers]\n{servers}dangerous_allow_local_candidates = true\n",
        tor_section(network)
    );
    write(&dir.join("config.toml"), &config)?;
    write(
        &dir.join("passphrase"),
        &format!("the passphrase of {name}"),
    )?;
    Ok(Person {
        name,
        config: dir.join("config.toml"),
        dir,
        program: wanted.programs.join("tacit"),
        more: wanted.more.clone(),
        env: Vec::new(),
        place: Place::Here,
    })
}

fn tor_section(network: &Network) -> String {
    format!(
        "[tor]\narti = {:?}\ndangerous_allow_local_exits = true\n",
        network.arti_config_path().display().to_string()
    )
}

fn fresh(dir: &Path) -> Result<(), String> {
    match std::fs::remove_dir_all(dir) {
        Err(e) if e.kind() != std::io::ErrorKind::NotFound => {
            return Err(format!("{}: {e}", dir.display()));
        }
        _ => {}
    }
    std::fs::create_dir_all(dir).map_err(|e| format!("{}: {e}", dir.display()))
}

fn write(path: &Path, text: &str) -> Result<(), String> {
    std::fs::write(path, text).map_err(|e| format!("{}: {e}", path.display()))
}
