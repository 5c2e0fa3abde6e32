//! The network, two Tors on it, echo servers, and small tools.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use rand_core::OsRng;
use tacit_tor::{
    ArtiConfig, Audience, DiscoveryKeypair, HostedOnion, Isolation, LOG_FILTER, OnionHost,
    OnionIdentity, Target, Tor, TorConfig, TorError, TorProgress, TorStream, onion_address,
};
use tacit_tornet::Network;
use tacit_types::OnionKey;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::TcpListener;
use tokio::sync::watch;

/// What every case works with.
pub(crate) struct Bench {
    network: Network,
    /// The one who connects.
    pub(crate) client: Tor,
    /// The one who hosts.
    pub(crate) server: Tor,
    /// A restricted echo service of `server`, and who may read it.
    pub(crate) identity: OnionIdentity,
    pub(crate) reader: DiscoveryKeypair,
    pub(crate) service: Option<Echo>,
    pub(crate) folder: tempfile::TempDir,
    pub(crate) logs: Logs,
    /// What no log may hold.
    pub(crate) secrets: Vec<String>,
}

impl Bench {
    pub(crate) async fn start(network: Network, logs: Logs) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let client = start_tor(&network, &folder.path().join("client")).await;
        let server = start_tor(&network, &folder.path().join("server")).await;
        let identity = OnionIdentity::generate(&mut OsRng);
        let reader = DiscoveryKeypair::generate(&mut OsRng);
        let secrets = vec![onion_address(identity.public())];
        Self {
            network,
            client,
            server,
            identity,
            reader,
            service: None,
            folder,
            logs,
            secrets,
        }
    }

    pub(crate) const fn network(&self) -> &Network {
        &self.network
    }

    pub(crate) fn target(&self) -> Target {
        target(self.identity.public(), Some(&self.reader))
    }

    pub(crate) fn onion_host(&self) -> OnionHost {
        OnionHost {
            identity: self.identity.clone(),
            audience: Audience::Only(vec![self.reader.public()]),
            ports: vec![1, 2],
        }
    }
}

pub(crate) fn target(key: OnionKey, reader: Option<&DiscoveryKeypair>) -> Target {
    Target::Onion {
        key,
        port: 1,
        discovery: reader.map(|keys| keys.secret().clone()),
    }
}

pub(crate) fn arti_config(network_toml: String, folder: &Path) -> ArtiConfig {
    let mut config = ArtiConfig::new(folder.join("state"), folder.join("cache"));
    config.extra_toml = Some(network_toml);
    config.dangerous_allow_local_exits = true;
    config.bootstrap_timeout = Duration::from_secs(60);
    config
}

pub(crate) async fn start_tor(network: &Network, folder: &Path) -> Tor {
    start_with(arti_config(network.arti_config_toml(), folder)).await
}

pub(crate) async fn start_with(config: ArtiConfig) -> Tor {
    let (progress, mut shown) = watch::channel(TorProgress::default());
    let start = Instant::now();
    let stages = tokio::spawn(async move {
        let mut stages = Vec::new();
        while shown.changed().await.is_ok() {
            let now = shown.borrow_and_update().clone();
            stages.push(now.percent);
            if now.percent == 100 {
                break;
            }
        }
        stages
    });
    let tor = Tor::start(TorConfig::Arti(config), progress)
        .await
        .expect("bootstrap");
    let stages = stages.await.unwrap();
    println!(
        "Arti ready in {:.2} s, by way of {stages:?} per cent",
        start.elapsed().as_secs_f64()
    );
    assert_eq!(stages.last(), Some(&100));
    tor
}

/// A hosted service that sends back what it gets.
pub(crate) struct Echo {
    pub(crate) onion: Arc<tokio::sync::Mutex<HostedOnion>>,
    task: tokio::task::JoinHandle<()>,
}

impl Echo {
    pub(crate) async fn host(tor: &Tor, host: OnionHost) -> Self {
        let start = Instant::now();
        let key = host.identity.public();
        let onion = tor.host(host).await.expect("launched");
        assert_eq!(onion.onion_key(), key);
        onion
            .wait_reachable(Duration::from_secs(60))
            .await
            .expect("published");
        println!("   published in {:.2} s", start.elapsed().as_secs_f64());
        Self::serve(onion)
    }

    pub(crate) fn serve(onion: HostedOnion) -> Self {
        let (sender, mut incoming) = tokio::sync::mpsc::channel(8);
        let onion = Arc::new(tokio::sync::Mutex::new(onion));
        let shared = Arc::clone(&onion);
        let task = tokio::spawn(async move {
            loop {
                let next = shared.lock().await.accept().await;
                let Some((_, stream)) = next else { break };
                if sender.send(stream).await.is_err() {
                    break;
                }
            }
        });
        tokio::spawn(async move {
            while let Some(stream) = incoming.recv().await {
                tokio::spawn(echo(stream));
            }
        });
        Self { onion, task }
    }

    pub(crate) async fn close(self) {
        self.task.abort();
        let _ = self.task.await;
        let onion = Arc::into_inner(self.onion)
            .expect("the task has ended")
            .into_inner();
        onion.close().await;
    }
}

pub(crate) async fn echo(mut stream: impl AsyncRead + AsyncWrite + Unpin) {
    let mut buffer = [0; 2048];
    while let Ok(length) = stream.read(&mut buffer).await {
        if length == 0 || stream.write_all(&buffer[..length]).await.is_err() {
            return;
        }
        if stream.flush().await.is_err() {
            return;
        }
    }
}

/// An echo server beyond the exits.
pub(crate) async fn echo_server() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let addr = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            stream.set_nodelay(true).unwrap();
            tokio::spawn(echo(stream));
        }
    });
    addr
}

/// Connects as a patient caller does: retries what may pass, with a new isolation each time.
pub(crate) async fn connect(tor: &Tor, target: &Target) -> Result<TorStream, TorError> {
    let deadline = Instant::now() + Duration::from_secs(60);
    loop {
        let start = Instant::now();
        match tor.connect(target.clone(), Isolation::new()).await {
            Ok(stream) => {
                println!("   connected in {:.2} s", start.elapsed().as_secs_f64());
                return Ok(stream);
            }
            Err(e) if e.is_retryable() && Instant::now() < deadline => {
                println!(
                    "   retrying after {:.2} s: {e}",
                    start.elapsed().as_secs_f64()
                );
                tokio::time::sleep(Duration::from_secs(1)).await;
            }
            Err(e) => return Err(e),
        }
    }
}

/// Sends one frame and reads it back; the time that took.
pub(crate) async fn round_trip(stream: &mut TorStream, frame: &[u8]) -> Duration {
    let start = Instant::now();
    stream.write_all(frame).await.unwrap();
    stream.flush().await.unwrap();
    let mut back = vec![0; frame.len()];
    stream.read_exact(&mut back).await.unwrap();
    assert_eq!(back, frame);
    start.elapsed()
}

/// Memory and processor time of this process.
pub(crate) fn usage(who: &str) -> String {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let field = |name: &str| {
        let line = status.lines().find_map(|line| line.strip_prefix(name));
        line.unwrap_or("?").trim().to_owned()
    };
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let fields: Vec<&str> = stat
        .rsplit(')')
        .next()
        .unwrap_or_default()
        .split_whitespace()
        .collect();
    // User and system time in ticks of 10 ms (proc(5), fields 14 and 15).
    let ticks = |at: usize| {
        fields
            .get(at)
            .and_then(|f| f.parse::<f64>().ok())
            .unwrap_or(f64::NAN)
    };
    let cpu = (ticks(11) + ticks(12)) / 100.0;
    format!(
        "{who}: RSS {}, peak {}, CPU {cpu:.2} s",
        field("VmRSS:"),
        field("VmHWM:")
    )
}

/// All that the program would log at its loudest level.
#[derive(Clone, Default)]
pub(crate) struct Logs(Arc<Mutex<Vec<u8>>>);

impl Logs {
    pub(crate) fn capture() -> Self {
        let logs = Self::default();
        let writer = logs.clone();
        tracing_subscriber::fmt()
            .with_ansi(false)
            .with_env_filter(format!("trace,{LOG_FILTER}"))
            .with_writer(move || writer.clone())
            .init();
        logs
    }

    pub(crate) fn check(&self, secrets: &[String]) {
        let logs = String::from_utf8_lossy(&self.0.lock().unwrap()).into_owned();
        println!("{} lines of log", logs.lines().count());
        for line in logs
            .lines()
            .filter(|line| line.contains("WARN") || line.contains("ERROR"))
            .take(12)
        {
            println!("   {line}");
        }
        assert!(!secrets.is_empty());
        for secret in secrets {
            assert!(!self.hold(secret), "a log line holds {secret}");
        }
        // The control: a planted address is found.
        tracing::trace!(planted = secrets[0]);
        assert!(self.hold(&secrets[0]));
    }

    /// Whether part of `secret` was logged; even a third of an address says too much.
    fn hold(&self, secret: &str) -> bool {
        String::from_utf8_lossy(&self.0.lock().unwrap()).contains(&secret[..16])
    }
}

impl std::io::Write for Logs {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}
