//! Hosting onion services.

use core::time::Duration;

use tacit_types::OnionKey;
use tokio::sync::{mpsc, watch};

use crate::{
    DiscoveryKey, OnionIdentity, TorError, TorErrorKind, TorStream, arti::service::ArtiService,
    system::service::SystemService,
};

/// Most discovery keys of one service: each adds to the descriptor, which directories limit to 50 kB
/// (Arti's measurement: 165 fit).
pub const MAX_AUTHORISED: usize = 160;

/// Accepted streams that wait for [`HostedOnion::accept`]; more wait at their clients.
pub(crate) const BACKLOG: usize = 32;

/// Open streams that one circuit may have; C tor and Arti close a circuit that wants more. Callers
/// use one stream a circuit.
pub(crate) const MAX_STREAMS_PER_CIRCUIT: u32 = 32;

/// An onion service to publish.
#[derive(Clone, Debug)]
pub struct OnionHost {
    /// Its secret, which fixes its address.
    pub identity: OnionIdentity,
    /// Who can read its descriptor, and so find it.
    pub audience: Audience,
    /// Ports at which it answers. A request for another port closes the circuit.
    pub ports: Vec<u16>,
}

/// Who can find an onion service.
///
/// There is no way from an empty list to "everybody": a service whose last reader is removed must be
/// closed, not opened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Audience {
    /// Everybody who knows the address.
    Anyone,
    /// Holders of these keys' secrets; 1 to [`MAX_AUTHORISED`].
    Only(Vec<DiscoveryKey>),
}

impl Audience {
    pub(crate) fn check(&self) -> Result<(), TorError> {
        match self {
            Self::Only(keys) if keys.is_empty() || keys.len() > MAX_AUTHORISED => {
                let detail = format!("a restricted service needs 1 to {MAX_AUTHORISED} keys");
                Err(TorError::with_detail(TorErrorKind::Config, detail))
            }
            _ => Ok(()),
        }
    }
}

/// Whether people can reach a hosted service.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Reachability {
    /// Not published yet, or no longer.
    #[default]
    Starting,
    /// Its descriptor is at the directories, or at most of them: connections succeed. (Arti uploads
    /// once a minute at most, and calls a service degraded until its second upload.)
    Published,
    /// Tor gave up; a new [`Tor::host`](crate::Tor::host) may succeed.
    Broken,
}

/// A hosted onion service. Dropping it withdraws it, as [`close`](Self::close) does: no new streams
/// arrive; those already accepted stay open.
#[must_use = "dropping it withdraws the service"]
#[derive(Debug)]
pub struct HostedOnion {
    key: OnionKey,
    incoming: mpsc::Receiver<(u16, TorStream)>,
    reachability: watch::Receiver<Reachability>,
    service: Service,
}

#[derive(Debug)]
pub(crate) enum Service {
    Arti(ArtiService),
    System(SystemService),
}

impl HostedOnion {
    pub(crate) const fn new(
        key: OnionKey,
        incoming: mpsc::Receiver<(u16, TorStream)>,
        reachability: watch::Receiver<Reachability>,
        service: Service,
    ) -> Self {
        Self {
            key,
            incoming,
            reachability,
            service,
        }
    }

    /// Key inside its address.
    #[must_use]
    pub const fn onion_key(&self) -> OnionKey {
        self.key
    }

    /// The next stream, and the port that it came for; `None` when the service ended. Cancelling
    /// loses nothing.
    pub async fn accept(&mut self) -> Option<(u16, TorStream)> {
        self.incoming.recv().await
    }

    /// Whether people can reach it now.
    #[must_use]
    pub fn reachability(&self) -> Reachability {
        *self.reachability.borrow()
    }

    /// A view of the reachability that outlives borrows of the service.
    #[must_use]
    pub fn watch_reachability(&self) -> watch::Receiver<Reachability> {
        self.reachability.clone()
    }

    /// Waits until it is published. Directories may need some seconds more: the first connection may
    /// have to be retried.
    pub async fn wait_reachable(&self, timeout: Duration) -> Result<(), TorError> {
        let mut reachability = self.reachability.clone();
        let settled = reachability.wait_for(|now| *now != Reachability::Starting);
        match tokio::time::timeout(timeout, settled).await {
            Ok(Ok(now)) if *now == Reachability::Published => Ok(()),
            Ok(Ok(_)) => Err(TorError::new(TorErrorKind::HostFailed)),
            Ok(Err(_)) => Err(TorError::new(TorErrorKind::Stopped)),
            Err(_) => Err(TorError::with_detail(
                TorErrorKind::HostFailed,
                "not published in time",
            )),
        }
    }

    /// Changes who can find it; the address stays. The new descriptor may be up to a minute away.
    /// Open streams stay. Opening a restricted service, or restricting an open one, works too.
    pub async fn set_audience(&self, audience: Audience) -> Result<(), TorError> {
        audience.check()?;
        match &self.service {
            Service::Arti(service) => service.set_audience(&audience),
            Service::System(service) => service.set_audience(audience).await,
        }
    }

    /// Withdraws the service.
    pub async fn close(self) {
        match self.service {
            Service::Arti(service) => service.close().await,
            Service::System(service) => service.close().await,
        }
    }
}
