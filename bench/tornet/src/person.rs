//! One of the two people: Arti in a network namespace of its own.

use core::time::Duration;
use std::future::Future;

use tacit_tor::{ArtiConfig, Isolation, Target, Tor, TorConfig, TorProgress, TorStream};
use tacit_tornet::{Namespace, Network};
use tempfile::TempDir;
use tokio::runtime::{Builder, Runtime};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::Instant;

use crate::Error;

const BOOTSTRAP: Duration = Duration::from_secs(60);
/// Right after the network has begun a circuit may fail, or a directory lack the descriptor, and nothing
/// tells when it will not: so it is tried again after pauses that double, for so long.
const PATIENCE: Duration = Duration::from_secs(60);
const FIRST_PAUSE: Duration = Duration::from_millis(250);

/// A running Tor client, and the threads that belong to its namespace.
#[derive(Debug)]
pub(crate) struct Person {
    threads: Threads,
    tor: Tor,
    _folder: TempDir,
}

impl Person {
    /// Starts Arti in this namespace.
    pub(crate) async fn start(space: &Namespace, network: &Network) -> Result<Self, Error> {
        const WHAT: &str = "starting Arti";
        let threads = Threads::start(space).map_err(|e| Error::leg(WHAT, e))?;
        let folder = tempfile::tempdir().map_err(|e| Error::leg(WHAT, e))?;
        let root = folder.path();
        let mut config = ArtiConfig::new(root.join("state"), root.join("cache"));
        config.extra_toml = Some(network.arti_config_toml());
        config.dangerous_allow_local_exits = true;
        config.bootstrap_timeout = BOOTSTRAP;
        let (progress, _) = watch::channel(TorProgress::default());
        let start = async move {
            let tor = Tor::start(TorConfig::Arti(config), progress).await;
            tor.map_err(|e| Error::leg(WHAT, e))
        };
        let tor = threads.run(WHAT, start).await?;
        Ok(Self {
            threads,
            tor,
            _folder: folder,
        })
    }

    /// Its Tor. What is awaited of it belongs into [`inside`](Self::inside).
    pub(crate) fn tor(&self) -> Tor {
        self.tor.clone()
    }

    /// Runs a task in the namespace.
    pub(crate) async fn inside<T: Send + 'static>(
        &self,
        what: &'static str,
        task: impl Future<Output = Result<T, Error>> + Send + 'static,
    ) -> Result<T, Error> {
        self.threads.run(what, task).await
    }

    /// Ends Arti, and waits for it.
    pub(crate) async fn stop(self) {
        self.tor.shutdown().await;
    }
}

/// A runtime whose threads, and whatever they start, are in a namespace: a thread belongs to the
/// namespace of the thread that starts it, and a socket to its thread's.
#[derive(Debug)]
struct Threads(Option<Runtime>);

impl Threads {
    fn start(space: &Namespace) -> std::io::Result<Self> {
        let runtime = space.run(|| {
            Builder::new_multi_thread()
                .worker_threads(1)
                .thread_name("tornet-person")
                .enable_all()
                .build()
        });
        Ok(Self(Some(runtime?)))
    }

    /// Runs a task, which ends if nobody waits for it any more.
    async fn run<T: Send + 'static>(
        &self,
        what: &'static str,
        task: impl Future<Output = Result<T, Error>> + Send + 'static,
    ) -> Result<T, Error> {
        let Some(runtime) = &self.0 else {
            return Err(Error::leg(what, "its threads have ended"));
        };
        let mut tasks = JoinSet::new();
        tasks.spawn_on(task, runtime.handle());
        match tasks.join_next().await {
            Some(Ok(done)) => done,
            Some(Err(e)) => Err(Error::leg(what, e)),
            None => Err(Error::leg(what, "its task is gone")),
        }
    }
}

/// Without waiting, so that it may happen in a task of another runtime.
impl Drop for Threads {
    fn drop(&mut self) {
        if let Some(runtime) = self.0.take() {
            runtime.shutdown_background();
        }
    }
}

/// Opens a stream on circuits of its own, patiently.
pub(crate) async fn connect(tor: &Tor, target: &Target) -> Result<TorStream, Error> {
    let (begun, mut pause) = (Instant::now(), FIRST_PAUSE);
    loop {
        match tor.connect(target.clone(), Isolation::new()).await {
            Ok(stream) => return Ok(stream),
            Err(error) if error.is_retryable() && begun.elapsed() + pause < PATIENCE => {
                tokio::time::sleep(pause).await;
                pause *= 2;
            }
            Err(error) => return Err(Error::leg("a stream through Tor", error)),
        }
    }
}
