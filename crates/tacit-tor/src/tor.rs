//! The one entrance, whichever Tor is behind it.

use tokio::sync::watch;

use crate::{
    HostedOnion, Isolation, OnionHost, Target, TorConfig, TorError, TorErrorKind, TorProgress,
    TorStream, arti, system,
};

/// A running Tor. Clones are the same Tor; when the last is dropped, it ends.
#[derive(Clone, Debug)]
pub struct Tor(Backend);

#[derive(Clone, Debug)]
enum Backend {
    Arti(arti::Client),
    System(system::Client),
}

impl Tor {
    /// Starts Tor and waits until it is ready for streams, at most the configuration's
    /// `bootstrap_timeout`; call it in a tokio runtime. `progress` is kept current until Tor ends.
    /// Cancelling it stops the start.
    pub async fn start(
        config: TorConfig,
        progress: watch::Sender<TorProgress>,
    ) -> Result<Self, TorError> {
        Ok(Self(match config {
            TorConfig::Arti(config) => Backend::Arti(arti::Client::start(config, progress).await?),
            TorConfig::System(config) => {
                Backend::System(system::Client::start(config, progress).await?)
            }
        }))
    }

    /// Opens a stream, on circuits that only clones of `isolation` share.
    ///
    /// Ends within the configuration's timeout for the kind of target. A failure is not retried
    /// beyond what Tor does by itself: see [`TorError::is_retryable`] and retry after a second or
    /// two with a new [`Isolation`], as long as the person is willing to wait.
    pub async fn connect(
        &self,
        target: Target,
        isolation: Isolation,
    ) -> Result<TorStream, TorError> {
        match &self.0 {
            Backend::Arti(client) => client.connect(&target, &isolation).await,
            Backend::System(client) => client.connect(&target, &isolation).await,
        }
    }

    /// Launches an onion service; publication goes on in the background
    /// ([`HostedOnion::wait_reachable`]). One identity can be hosted once at a time.
    pub async fn host(&self, host: OnionHost) -> Result<HostedOnion, TorError> {
        host.audience.check()?;
        if host.ports.is_empty() {
            let detail = "an onion service needs a port";
            return Err(TorError::with_detail(TorErrorKind::Config, detail));
        }
        match &self.0 {
            Backend::Arti(client) => client.host(host),
            Backend::System(client) => client.host(host).await,
        }
    }

    /// Whether Arti's connections acknowledge at once what guards send, as they do unless this says
    /// otherwise; for measurements of what that is worth. A system tor's connections are its own.
    pub fn acknowledge_at_once(&self, wanted: bool) {
        if let Backend::Arti(client) = &self.0 {
            client.acknowledge_at_once(wanted);
        }
    }

    /// Withdraws all services, closes all circuits and waits for Tor's tasks to end, a few seconds at
    /// most. Streams that the caller still holds fail; later calls give [`TorErrorKind::Stopped`].
    pub async fn shutdown(&self) {
        match &self.0 {
            Backend::Arti(client) => client.shutdown().await,
            Backend::System(client) => client.shutdown().await,
        }
    }
}

/// Waits until a shutdown is asked for, or nobody is left to ask for it.
pub(crate) async fn stopped(stop: &mut watch::Receiver<bool>) {
    let _ = stop.wait_for(|stop| *stop).await;
}
