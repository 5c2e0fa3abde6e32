//! The real network: Tor.

use std::sync::{Arc, Mutex, PoisonError};

use futures::future::BoxFuture;
use tacit_tor::{
    HostedOnion, Isolation, OnionHost, Reachability, Target, Tor, TorConfig, TorError, TorProgress,
    TorStream,
};
use tacit_types::Reason;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::error::Error;
use crate::network::{BoxStream, ByteStream, Host, Network, NetworkState};

/// How often a failed connection is tried again on a fresh circuit, if it may help.
const RETRIES: u32 = 2;
/// Pause before it: a descriptor that is just being published needs a moment.
const RETRY_AFTER: std::time::Duration = std::time::Duration::from_secs(1);

/// Streams through Tor, each on a circuit of its own. Clones are the same Tor.
#[derive(Clone, Debug)]
pub struct TorNetwork(Arc<Starting>);

#[derive(Debug)]
struct Starting {
    tor: watch::Receiver<Option<Result<Tor, TorError>>>,
    state: watch::Receiver<NetworkState>,
    /// Taken by the shutdown.
    start: Mutex<Option<JoinHandle<()>>>,
}

impl Starting {
    fn take_start(&self) -> Option<JoinHandle<()>> {
        let mut start = self.start.lock().unwrap_or_else(PoisonError::into_inner);
        start.take()
    }
}

impl Drop for Starting {
    fn drop(&mut self) {
        if let Some(start) = self.take_start() {
            start.abort();
        }
    }
}

impl TorNetwork {
    /// Begins to start Tor, inside a tokio runtime. Streams and addresses that are asked for
    /// meanwhile wait until Tor is ready, and fail if it cannot start.
    #[must_use]
    pub fn launch(config: TorConfig) -> Self {
        let (started, tor) = watch::channel(None);
        let (states, state) = watch::channel(NetworkState::Running(TorProgress {
            stage: "Starting Tor".into(),
            ..TorProgress::default()
        }));
        let start = tokio::spawn(async move {
            let (sender, mut progress) = watch::channel(TorProgress::default());
            let start = Tor::start(config, sender);
            tokio::pin!(start);
            let outcome = loop {
                tokio::select! {
                    outcome = &mut start => break outcome,
                    Ok(()) = progress.changed() => show(&mut progress, &states),
                }
            };
            if let Err(error) = &outcome {
                states.send_replace(NetworkState::Gone(error.reason()));
            }
            let running = outcome.is_ok();
            started.send_replace(Some(outcome));
            // Its sender lives as long as Tor does.
            while running && progress.changed().await.is_ok() {
                show(&mut progress, &states);
            }
        });
        Self(Arc::new(Starting {
            tor,
            state,
            start: Mutex::new(Some(start)),
        }))
    }

    /// Resolves once Tor is ready.
    ///
    /// # Errors
    /// Why it could not be started; [`Error::detail`] may say more.
    pub async fn ready(&self) -> Result<(), Error> {
        match tor(self.0.tor.clone()).await {
            Ok(_) => Ok(()),
            Err(Some(error)) => Err(Error::with_detail(error.reason(), error)),
            Err(None) => Err(Reason::Interrupted.into()),
        }
    }

    /// How far Tor is, now and from now on.
    #[must_use]
    pub fn watch(&self) -> watch::Receiver<NetworkState> {
        self.0.state.clone()
    }
}

fn show(progress: &mut watch::Receiver<TorProgress>, states: &watch::Sender<NetworkState>) {
    let now = progress.borrow_and_update().clone();
    states.send_replace(NetworkState::Running(now));
}

/// Waits until Tor is ready; `None` if its start was given up.
async fn tor(
    mut started: watch::Receiver<Option<Result<Tor, TorError>>>,
) -> Result<Tor, Option<TorError>> {
    match started.wait_for(Option::is_some).await.as_deref() {
        Ok(Some(outcome)) => outcome.clone().map_err(Some),
        _ => Err(None),
    }
}

/// The same, for streams and addresses.
async fn ready_tor(started: watch::Receiver<Option<Result<Tor, TorError>>>) -> Result<Tor, Reason> {
    tor(started)
        .await
        .map_err(|error| error.map_or(Reason::TorLost, |e| e.reason()))
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
        let tor = ready_tor(self.0.tor.clone());
        Box::pin(async move {
            let tor = tor.await?;
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
        let tor = ready_tor(self.0.tor.clone());
        Box::pin(async move {
            let hosted = tor.await?.host(host).await.map_err(|e| e.reason())?;
            Ok(Box::new(hosted) as Box<dyn Host>)
        })
    }

    fn watch(&self) -> Option<watch::Receiver<NetworkState>> {
        Some(Self::watch(self))
    }

    fn shutdown(&self) -> BoxFuture<'static, ()> {
        let starting = Arc::clone(&self.0);
        Box::pin(async move {
            if let Some(start) = starting.take_start() {
                start.abort();
                // Until it has ended it may still bring a Tor. Its end by force is no failure.
                let _ = start.await;
            }
            let started = starting.tor.borrow().clone();
            if let Some(Ok(tor)) = started {
                tor.shutdown().await;
            }
        })
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
