//! Arti in this process.
//!
//! Arti runs on a tokio runtime of its own, so that stopping it stops all of it: in 0.47 the
//! vanguards' maintenance task holds its directory manager while it waits for that manager's events,
//! so a client that was merely dropped would run on.

mod acks;
mod bootstrap;
mod config;
mod connect;
mod tcp;

pub(crate) mod service;

use core::time::Duration;
use std::collections::HashMap;
use std::fs::File;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tacit_types::OnionKey;
use tokio::sync::watch;
use tor_rtcompat::tokio::TokioRustlsRuntime;
use tor_rtcompat::{CompoundRuntime, RuntimeSubstExt as _};

use crate::{ArtiConfig, DiscoveryKey, TorError, TorErrorKind, TorProgress};
use acks::Acks;
use tcp::TunedTcp;

/// The runtime that Arti sees: tokio, rustls, and our TCP.
type Runtime = CompoundRuntime<
    TokioRustlsRuntime,
    TokioRustlsRuntime,
    TokioRustlsRuntime,
    TunedTcp,
    TokioRustlsRuntime,
    TokioRustlsRuntime,
    TokioRustlsRuntime,
>;

type TorClient = arti_client::TorClient<Runtime>;

/// Whether Arti takes this configuration.
pub(crate) fn check(config: &ArtiConfig) -> Result<(), TorError> {
    config::build(config).map(|_| ())
}

/// Arti's threads: circuit cryptography is the only work, 2 % of a core in a call.
const THREADS: usize = 2;

/// Shutting down waits this long for Arti's threads; a task only delays it while it computes.
const SHUTDOWN_PATIENCE: Duration = Duration::from_secs(5);

/// Handle of an Arti client; clones share it. The last one to go stops it.
#[derive(Clone)]
pub(crate) struct Client(Arc<Shared>);

struct Shared {
    /// `None` after the shutdown.
    running: Mutex<Option<Running>>,
    config: ArtiConfig,
    /// Which discovery key Arti holds for which service.
    discovery: Mutex<HashMap<OnionKey, DiscoveryKey>>,
    acks: Acks,
    /// Ends connections that are being made.
    stop: watch::Sender<bool>,
}

struct Running {
    tor: Arc<TorClient>,
    runtime: OwnRuntime,
    /// Its lock keeps other processes out of the state folder.
    lock: File,
}

impl Client {
    pub(crate) async fn start(
        config: ArtiConfig,
        progress: watch::Sender<TorProgress>,
    ) -> Result<Self, TorError> {
        // Arti's rustls brings no cryptography. An error means that one is installed already.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let lock = config::prepare_folders(&config)?;
        let arti_config = config::build(&config)?;
        let runtime = OwnRuntime::new()?;
        let tokio = runtime.for_arti()?;
        let acks = Acks::default();
        let tor = TorClient::with_runtime(tokio.with_tcp_provider(TunedTcp::new(acks.clone())))
            .config(arti_config)
            .create_unbootstrapped_async()
            .await
            .map_err(|e| bootstrap::start_error(&e))?;
        bootstrap::bootstrap(&tor, config.bootstrap_timeout, &progress).await?;
        runtime
            .handle()
            .spawn(bootstrap::monitor(tor.bootstrap_events(), progress));
        Ok(Self(Arc::new(Shared {
            running: Mutex::new(Some(Running { tor, runtime, lock })),
            config,
            discovery: Mutex::default(),
            acks,
            stop: watch::Sender::new(false),
        })))
    }

    fn running(&self) -> MutexGuard<'_, Option<Running>> {
        self.0
            .running
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    /// The client and its runtime, unless it was shut down.
    fn tor(&self) -> Result<(Arc<TorClient>, tokio::runtime::Handle), TorError> {
        let running = self.running();
        let running = running
            .as_ref()
            .ok_or(TorError::new(TorErrorKind::Stopped))?;
        Ok((Arc::clone(&running.tor), running.runtime.handle().clone()))
    }

    pub(crate) fn acknowledge_at_once(&self, wanted: bool) {
        self.0.acks.at_once(wanted);
    }

    pub(crate) async fn shutdown(&self) {
        let running = self.running().take();
        let Some(Running { tor, runtime, lock }) = running else {
            return;
        };
        self.0.stop.send_replace(true);
        drop(tor);
        runtime.stop().await;
        config::remove_service_state(&self.0.config.state_dir);
        drop(lock);
    }
}

impl Drop for Shared {
    fn drop(&mut self) {
        self.stop.send_replace(true);
    }
}

impl core::fmt::Debug for Client {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("Client")
    }
}

/// A tokio runtime that may be dropped anywhere; that ends all its tasks without waiting for them.
struct OwnRuntime(Option<tokio::runtime::Runtime>);

impl OwnRuntime {
    fn new() -> Result<Self, TorError> {
        tokio::runtime::Builder::new_multi_thread()
            .worker_threads(THREADS)
            .thread_name("tacit-tor")
            .enable_all()
            .build()
            .map(|runtime| Self(Some(runtime)))
            .map_err(|e| TorError::with_detail(TorErrorKind::Internal, e))
    }

    fn handle(&self) -> &tokio::runtime::Handle {
        self.0
            .as_ref()
            .expect("only taken when it is consumed or dropped")
            .handle()
    }

    fn for_arti(&self) -> Result<TokioRustlsRuntime, TorError> {
        let _inside = self.handle().enter();
        TokioRustlsRuntime::current().map_err(|e| TorError::with_detail(TorErrorKind::Internal, e))
    }

    /// Ends all its tasks, and waits for it.
    async fn stop(mut self) {
        let Some(runtime) = self.0.take() else { return };
        let stop = move || runtime.shutdown_timeout(SHUTDOWN_PATIENCE);
        // The closure does not panic, and whoever cancels this does not want to wait.
        let _ = tokio::task::spawn_blocking(stop).await;
    }
}

impl Drop for OwnRuntime {
    fn drop(&mut self) {
        if let Some(runtime) = self.0.take() {
            runtime.shutdown_background();
        }
    }
}
