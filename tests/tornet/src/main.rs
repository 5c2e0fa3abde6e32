//! `tornet`: runs a private Tor network until Ctrl-C.
use std::io::BufRead as _;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::{Parser, Subcommand};
use serde_json::json;
use tacit_tornet::{Config, Error, Link, Network, Progress, SystemTor};
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::mpsc;

/// A private Tor network of real relays on this machine.
#[derive(Debug, Parser)]
#[command(version)]
struct Arguments {
    #[command(subcommand)]
    command: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Start a network and keep it until Ctrl-C.
    ///
    /// Commands on standard input, one a line: `stall RELAY RELAY MS`, `connections`,
    /// `kill RELAY`, `quit`.
    Up(Up),
}

#[derive(Clone, Debug, clap::Args)]
struct Up {
    /// Directory authorities.
    #[arg(long, default_value_t = 3)]
    authorities: u8,
    /// Relays that are neither authorities nor exits.
    #[arg(long, default_value_t = 3)]
    middles: u8,
    /// Exits.
    #[arg(long, default_value_t = 2)]
    exits: u8,
    /// One-way delay of each link into a relay.
    #[arg(long, default_value_t = 0)]
    delay_ms: u64,
    /// Mean extra delay of each link into a relay.
    #[arg(long, default_value_t = 0)]
    jitter_ms: u64,
    /// Leave Nagle's algorithm at tor and Arti its effect.
    #[arg(long)]
    nagle: bool,
    /// No proxies: no delay and no stall.
    #[arg(long, conflicts_with_all = ["delay_ms", "jitter_ms", "nagle"])]
    direct: bool,
    /// Keep a C tor client with a SOCKS port and a control port.
    #[arg(long)]
    system_tor: bool,
    /// Where the relays live; kept afterwards. By default a temporary directory.
    #[arg(long)]
    dir: Option<PathBuf>,
    /// Where keys stay between runs.
    #[arg(long)]
    key_cache: Option<PathBuf>,
    /// Address range, 0 to 11. By default a free one.
    #[arg(long)]
    range: Option<u8>,
    /// Seconds until giving up.
    #[arg(long, default_value_t = 90)]
    timeout: u64,
    /// Print every message as one line of JSON.
    #[arg(long)]
    json: bool,
}

impl From<Up> for Config {
    fn from(up: Up) -> Self {
        let link = if up.direct {
            Link::Direct
        } else {
            Link::Proxied {
                one_way: Duration::from_millis(up.delay_ms),
                jitter: Duration::from_millis(up.jitter_ms),
                nagle: up.nagle,
            }
        };
        Self {
            authorities: up.authorities,
            middles: up.middles,
            exits: up.exits,
            link,
            system_tor: if up.system_tor {
                SystemTor::Keep
            } else {
                SystemTor::Stop
            },
            key_cache: up.key_cache,
            directory: up.dir,
            range: up.range,
            timeout: Duration::from_secs(up.timeout),
            ..Self::default()
        }
    }
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let Action::Up(up) = Arguments::parse().command;
    match run(up).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("tornet: {error}");
            ExitCode::FAILURE
        }
    }
}

async fn run(up: Up) -> Result<(), Error> {
    let json = up.json;
    let handler = |kind| {
        signal(kind).map_err(|source| Error::System {
            what: "catching signals",
            source,
        })
    };
    let mut interrupt = handler(SignalKind::interrupt())?;
    let mut terminate = handler(SignalKind::terminate())?;
    // Nothing is sent over it: it closes when the callback is dropped.
    let (alive, mut ended) = mpsc::channel::<()>(1);
    let start = Network::start(up.into(), move |progress| {
        let _ = &alive;
        show_progress(&progress, json);
    });
    let network = tokio::select! {
        network = start => Some(network?),
        _ = interrupt.recv() => None,
        _ = terminate.recv() => None,
    };
    let Some(network) = network else {
        ended.recv().await;
        return Ok(());
    };
    println!("{}", up_line(&network));
    let mut lines = standard_input();
    loop {
        tokio::select! {
            _ = interrupt.recv() => break,
            _ = terminate.recv() => break,
            Some(line) = lines.recv() => match obey(&network, &line).await {
                Ok(Some(answer)) => println!("{answer}"),
                Ok(None) => break,
                Err(error) => println!("{}", json!({"event": "error", "message": error})),
            },
        }
    }
    if !json {
        eprintln!("stopping");
    }
    Ok(())
}

fn show_progress(progress: &Progress, json: bool) {
    if json {
        let seconds = progress.elapsed.as_secs_f64();
        let text = progress.to_string();
        println!(
            "{}",
            json!({"event": "progress", "seconds": seconds, "text": text})
        );
    } else {
        eprintln!("{progress}");
    }
}

fn up_line(network: &Network) -> serde_json::Value {
    let (control, cookie) = network.control_address().unzip();
    json!({
        "event": "up",
        "arti_config": network.arti_config_path(),
        "directory": network.directory(),
        "tor": network.tor_version(),
        "link_delay_ms": network.link_delay().as_millis(),
        "socks": network.socks_address(),
        "control": control,
        "cookie": cookie,
        "relays": network.relays(),
        "pids": network.pids(),
    })
}

/// Lines of standard input; a thread, because reading it cannot be cancelled.
fn standard_input() -> mpsc::Receiver<String> {
    let (sender, receiver) = mpsc::channel(16);
    std::thread::spawn(move || {
        for line in std::io::stdin().lock().lines().map_while(Result::ok) {
            if sender.blocking_send(line).is_err() {
                return;
            }
        }
    });
    receiver
}

/// Does one command; `None` means quit.
async fn obey(network: &Network, line: &str) -> Result<Option<serde_json::Value>, String> {
    let words: Vec<&str> = line.split_whitespace().collect();
    match words[..] {
        ["stall", a, b, ms] => {
            let ms = ms
                .parse()
                .map_err(|_| format!("{ms} is not a number of milliseconds"))?;
            let time = Duration::from_millis(ms);
            let stall = network.stall(a, b, time).map_err(|e| e.to_string())?;
            let report = stall.over().await;
            Ok(Some(json!({
                "event": "stalled",
                "connections": report.connections,
                "lasted_ms": report.lasted.as_secs_f64() * 1e3,
            })))
        }
        ["connections"] => Ok(Some(
            json!({"event": "connections", "connections": network.connections()}),
        )),
        ["kill", relay] => {
            network.kill_relay(relay).map_err(|e| e.to_string())?;
            Ok(Some(json!({"event": "killed", "relay": relay})))
        }
        ["quit"] => Ok(None),
        [] => Ok(Some(json!({"event": "nothing"}))),
        _ => Err(format!("unknown command {line:?}")),
    }
}
