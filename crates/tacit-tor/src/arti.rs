//! Arti in this process.

mod bootstrap;
mod config;
mod connect;
mod tcp;

pub(crate) mod service;

use core::time::Duration;
use std::collections::HashMap;
use std::fs::File;
use std::sync::{Arc, Mutex, PoisonError, Weak};

use tacit_types::OnionKey;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tor_proto::ClientTunnel;
use tor_rtcompat::tokio::TokioRustlsRuntime;
use tor_rtcompat::{CompoundRuntime, RuntimeSubstExt as _};

use crate::{ArtiConfig, DiscoveryKey, TorError, TorErrorKind, TorProgress};
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

/// Shutting down waits this long for Arti's tasks; they are idle by then, or never will be.
const SHUTDOWN_PATIENCE: Duration = Duration::from_secs(5);

/// Handle of an Arti client; clones share it.
#[derive(Clone)]
pub(crate) struct Client(Arc<Shared>);

struct Shared {
    /// `None` after the shutdown.
    tor: Mutex<Option<Arc<TorClient>>>,
    config: ArtiConfig,
    /// Circuits of all open streams, for closing them at shutdown.
    tunnels: Tunnels,
    /// Which discovery key Arti holds for which service.
    discovery: Mutex<HashMap<OnionKey, DiscoveryKey>>,
    /// Ends the hosted services.
    stop: watch::Sender<bool>,
    monitor: JoinHandle<()>,
    /// Keeps other processes out of the state folder.
    _lock: File,
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
        let tokio = TokioRustlsRuntime::current()
            .map_err(|e| TorError::with_detail(TorErrorKind::Internal, e))?;
        let runtime = tokio.with_tcp_provider(TunedTcp::new(tokio.clone()));
        let tor = TorClient::with_runtime(runtime)
            .config(arti_config)
            .create_unbootstrapped_async()
            .await
            .map_err(|e| bootstrap::start_error(&e))?;
        bootstrap::bootstrap(&tor, config.bootstrap_timeout, &progress).await?;
        let monitor = tokio::spawn(bootstrap::monitor(tor.bootstrap_events(), progress));
        Ok(Self(Arc::new(Shared {
            tor: Mutex::new(Some(tor)),
            config,
            tunnels: Tunnels::default(),
            discovery: Mutex::default(),
            stop: watch::Sender::new(false),
            monitor,
            _lock: lock,
        })))
    }

    /// The client, unless it was shut down.
    fn tor(&self) -> Result<Arc<TorClient>, TorError> {
        let tor = self.0.tor.lock().unwrap_or_else(PoisonError::into_inner);
        tor.clone().ok_or(TorError::new(TorErrorKind::Stopped))
    }

    pub(crate) async fn shutdown(&self) {
        let tor = self
            .0
            .tor
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
        let Some(tor) = tor else { return };
        self.0.stop.send_replace(true);
        self.0.monitor.abort();
        self.0.tunnels.terminate_all();
        let stopped = tor.wait_for_stop();
        drop(tor);
        if tokio::time::timeout(SHUTDOWN_PATIENCE, stopped)
            .await
            .is_err()
        {
            tracing::warn!("Tor did not stop in time; leaving it to the end of the process");
        }
        config::remove_service_state(&self.0.config.state_dir);
    }
}

impl Drop for Shared {
    fn drop(&mut self) {
        self.monitor.abort();
        self.stop.send_replace(true);
    }
}

impl core::fmt::Debug for Client {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("Client")
    }
}

/// The circuits under open streams.
#[derive(Clone, Default)]
pub(crate) struct Tunnels(Arc<Mutex<Vec<Weak<ClientTunnel>>>>);

impl Tunnels {
    fn remember(&self, stream: &arti_client::DataStream) {
        use tor_proto::client::stream::ClientStreamCtrl as _;
        let Some(tunnel) = stream
            .client_stream_ctrl()
            .and_then(|control| control.tunnel())
        else {
            return;
        };
        let mut tunnels = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        // The list is bounded by the circuits that live.
        tunnels.retain(|known| known.strong_count() > 0);
        tunnels.push(Arc::downgrade(&tunnel));
    }

    fn terminate_all(&self) {
        let tunnels = core::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner));
        for tunnel in tunnels.iter().filter_map(Weak::upgrade) {
            tunnel.terminate();
        }
    }
}
