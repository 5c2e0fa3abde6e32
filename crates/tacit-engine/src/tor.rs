//! The real network: Tor.

use futures::future::BoxFuture;
use tacit_tor::{
    HostedOnion, Isolation, OnionHost, Reachability, Target, Tor, TorConfig, TorError, TorProgress,
    TorStream,
};
use tacit_types::Reason;
use tokio::sync::watch;

use crate::network::{BoxStream, ByteStream, Host, Network};

/// How often a failed connection is tried again on a fresh circuit, if it may help.
const RETRIES: u32 = 2;
/// Pause before it: a descriptor that is just being published needs a moment.
const RETRY_AFTER: std::time::Duration = std::time::Duration::from_secs(1);

/// Streams through Tor, each on a circuit of its own.
#[derive(Clone, Debug)]
pub struct TorNetwork(Tor);

impl TorNetwork {
    /// Starts Tor and waits until it is ready; `progress` is kept current.
    ///
    /// # Errors
    /// Why Tor did not start.
    pub async fn start(
        config: TorConfig,
        progress: watch::Sender<TorProgress>,
    ) -> Result<Self, TorError> {
        Tor::start(config, progress).await.map(Self)
    }
}

impl ByteStream for TorStream {
    fn dangerous_circuit_hops(&self) -> Option<Vec<String>> {
        let hops = Self::dangerous_circuit_hops(self)?;
        Some(
            hops.iter()
                .filter_map(tacit_tor::RelayIdentity::dangerous_fingerprint)
                .collect(),
        )
    }
}

impl Network for TorNetwork {
    fn connect(&self, target: Target) -> BoxFuture<'static, Result<BoxStream, Reason>> {
        let tor = self.0.clone();
        Box::pin(async move {
            let mut tried = 0;
            loop {
                match tor.connect(target.clone(), Isolation::new()).await {
                    Ok(stream) => return Ok(Box::new(stream) as BoxStream),
                    // A new isolation makes a new circuit and reads the descriptor afresh.
                    Err(e) if e.is_retryable() && tried < RETRIES => {
                        tried += 1;
                        tokio::time::sleep(RETRY_AFTER).await;
                    }
                    Err(e) => {
                        tracing::debug!(kind = ?e.kind(), "a stream could not be opened");
                        return Err(e.reason());
                    }
                }
            }
        })
    }

    fn host(&self, host: OnionHost) -> BoxFuture<'static, Result<Box<dyn Host>, Reason>> {
        let tor = self.0.clone();
        Box::pin(async move {
            let hosted = tor.host(host).await.map_err(|e| e.reason())?;
            Ok(Box::new(hosted) as Box<dyn Host>)
        })
    }

    fn shutdown(&self) -> BoxFuture<'static, ()> {
        let tor = self.0.clone();
        Box::pin(async move { tor.shutdown().await })
    }
}

impl Host for HostedOnion {
    fn accept(&mut self) -> BoxFuture<'_, Option<(u16, BoxStream)>> {
        Box::pin(async move {
            let (port, stream) = Self::accept(self).await?;
            Some((port, Box::new(stream) as BoxStream))
        })
    }

    fn reachable(&self) -> BoxFuture<'static, bool> {
        let mut watch = self.watch_reachability();
        Box::pin(async move {
            watch
                .wait_for(|r| *r == Reachability::Published)
                .await
                .is_ok()
        })
    }
}
