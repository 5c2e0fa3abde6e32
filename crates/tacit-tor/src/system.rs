//! A tor that already runs on this computer.

mod control;
mod socks;

pub(crate) mod service;

use core::time::Duration;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use tacit_types::{OnionKey, SecretBytes};
use tokio::net::TcpStream;
use tokio::sync::watch;
use zeroize::Zeroizing;

use crate::{
    DiscoveryKey, DiscoveryKeypair, HostedOnion, Isolation, OnionHost, SystemTorConfig, Target,
    TorError, TorErrorKind, TorProgress, TorStream, address::onion_address, tor::stopped,
};
use control::ControlConnection;

/// The system tor has started long ago, or somebody is looking at its log.
const START_TIMEOUT: Duration = Duration::from_secs(60);

/// How often the bootstrap is asked for.
const ASK_EVERY: Duration = Duration::from_millis(500);

/// Bound of each conversation with the control port.
const CONTROL_TIMEOUT: Duration = Duration::from_secs(10);

/// Handle of a system tor; clones share it.
#[derive(Clone)]
pub(crate) struct Client(Arc<Shared>);

struct Shared {
    config: SystemTorConfig,
    /// Discovery keys that we gave it, to be taken back at shutdown.
    discovery: Mutex<BTreeMap<OnionKey, DiscoveryKey>>,
    stop: watch::Sender<bool>,
    /// Kept so that its readers see the end.
    _progress: watch::Sender<TorProgress>,
}

impl Client {
    pub(crate) async fn start(
        config: SystemTorConfig,
        progress: watch::Sender<TorProgress>,
    ) -> Result<Self, TorError> {
        show(&progress, 0, "Looking for the system's Tor");
        TcpStream::connect(config.socks).await.map_err(|e| {
            TorError::with_detail(
                TorErrorKind::Blocked,
                format_args!("its SOCKS port: {}", e.kind()),
            )
        })?;
        if let Some(port) = &config.control {
            let mut control = ControlConnection::open(port).await?;
            tokio::time::timeout(START_TIMEOUT, wait_for_bootstrap(&mut control, &progress))
                .await
                .map_err(|_| TorError::new(TorErrorKind::BootstrapTimeout))??;
        }
        show(&progress, 100, "Using the system's Tor");
        Ok(Self(Arc::new(Shared {
            config,
            discovery: Mutex::default(),
            stop: watch::Sender::new(false),
            _progress: progress,
        })))
    }

    pub(crate) async fn connect(
        &self,
        target: &Target,
        isolation: &Isolation,
    ) -> Result<TorStream, TorError> {
        let mut stop = self.0.stop.subscribe();
        if *stop.borrow() {
            return Err(TorError::new(TorErrorKind::Stopped));
        }
        let config = &self.0.config;
        if let Target::Onion {
            key,
            discovery: Some(secret),
            ..
        } = target
        {
            self.learn_discovery_key(*key, secret).await?;
        }
        let timeout = if target.is_onion() {
            config.onion_timeout
        } else {
            config.exit_timeout
        };
        let connect =
            tokio::time::timeout(timeout, socks::connect(config.socks, target, isolation));
        tokio::select! {
            outcome = connect => match outcome {
                Ok(stream) => stream.map(TorStream::from_system),
                Err(_) if target.is_onion() => Err(TorError::new(TorErrorKind::OnionUnreachable)),
                Err(_) => Err(TorError::new(TorErrorKind::ExitFailed)),
            },
            () = stopped(&mut stop) => Err(TorError::new(TorErrorKind::Stopped)),
        }
    }

    pub(crate) async fn host(&self, host: OnionHost) -> Result<HostedOnion, TorError> {
        let stop = self.0.stop.subscribe();
        if *stop.borrow() {
            return Err(TorError::new(TorErrorKind::Stopped));
        }
        let control = self.control().await?;
        service::host(control, host, stop).await
    }

    /// Gives the tor the secret for a restricted service, once; a changed one replaces the old.
    async fn learn_discovery_key(
        &self,
        key: OnionKey,
        secret: &SecretBytes<32>,
    ) -> Result<(), TorError> {
        let public = DiscoveryKeypair::from_secret(secret.clone()).public();
        let known = || {
            self.0
                .discovery
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
        };
        if known().get(&key) == Some(&public) {
            return Ok(());
        }
        let mut control = self.control().await?;
        let secret = Zeroizing::new(STANDARD.encode(secret.expose()));
        let command = Zeroizing::new(format!(
            "ONION_CLIENT_AUTH_ADD {} x25519:{}",
            service_id(key),
            secret.as_str(),
        ));
        control.command(&command).await?;
        known().insert(key, public);
        Ok(())
    }

    async fn control(&self) -> Result<ControlConnection, TorError> {
        let port = self.0.config.control.as_ref();
        ControlConnection::open(port.ok_or(TorError::new(TorErrorKind::NeedsControlPort))?).await
    }

    pub(crate) async fn shutdown(&self) {
        self.0.stop.send_replace(true);
        let keys = core::mem::take(
            &mut *self
                .0
                .discovery
                .lock()
                .unwrap_or_else(PoisonError::into_inner),
        );
        if keys.is_empty() {
            return;
        }
        let forget = async {
            let mut control = self.control().await?;
            for key in keys.into_keys() {
                control
                    .command(&format!("ONION_CLIENT_AUTH_REMOVE {}", service_id(key)))
                    .await?;
            }
            Ok::<_, TorError>(())
        };
        if !matches!(
            tokio::time::timeout(CONTROL_TIMEOUT, forget).await,
            Ok(Ok(()))
        ) {
            tracing::warn!("the system tor keeps our discovery keys until it is restarted");
        }
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

/// An address without `.onion`, as the control port wants it.
fn service_id(key: OnionKey) -> String {
    let mut address = onion_address(key);
    address.truncate(address.len() - ".onion".len());
    address
}

fn show(progress: &watch::Sender<TorProgress>, percent: u8, stage: &str) {
    progress.send_replace(TorProgress {
        percent,
        stage: stage.into(),
        blocked: None,
    });
}

async fn wait_for_bootstrap(
    control: &mut ControlConnection,
    progress: &watch::Sender<TorProgress>,
) -> Result<(), TorError> {
    loop {
        let reply = control.command("GETINFO status/bootstrap-phase").await?;
        let percent = reply
            .iter()
            .find_map(|line| bootstrap_percent(line))
            .unwrap_or(0);
        if percent >= 100 {
            return Ok(());
        }
        show(progress, percent, "The system's Tor is starting");
        tokio::time::sleep(ASK_EVERY).await;
    }
}

/// The number in `status/bootstrap-phase=NOTICE BOOTSTRAP PROGRESS=80 TAG=…`.
fn bootstrap_percent(line: &str) -> Option<u8> {
    line.split_once("PROGRESS=")?
        .1
        .split(' ')
        .next()?
        .parse()
        .ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bootstrap_phases_are_read() {
        let line = "status/bootstrap-phase=NOTICE BOOTSTRAP PROGRESS=80 TAG=ap_conn SUMMARY=\"x\"";
        assert_eq!(bootstrap_percent(line), Some(80));
        assert_eq!(bootstrap_percent("status/bootstrap-phase=NOTICE"), None);
    }

    #[test]
    fn service_ids_have_56_letters() {
        assert_eq!(service_id(OnionKey([1; 32])).len(), 56);
    }
}
