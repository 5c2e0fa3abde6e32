//! Onion services in Arti.

use core::time::Duration;
use std::pin::pin;
use std::sync::{Arc, Weak};

use arti_client::HasKind as _;
use arti_client::config::Reconfigure;
use futures::{Stream, StreamExt as _};
use rand_core::{OsRng, RngCore as _};
use tokio::sync::{Semaphore, mpsc, watch};
use tokio::task::{JoinHandle, JoinSet};
use tor_cell::relaycell::msg::Connected;
use tor_hsservice::config::OnionServiceConfigBuilder;
use tor_hsservice::status::{OnionServiceStatus, State};
use tor_hsservice::{OnionServiceConfig, RendRequest, RunningOnionService, StreamRequest};
use tor_proto::stream::IncomingStreamRequest;

use super::Client;
use crate::host::{BACKLOG, MAX_STREAMS_PER_CIRCUIT, Service};
use crate::{Audience, HostedOnion, OnionHost, Reachability, TorError, TorErrorKind, TorStream};

/// Rendezvous circuits that one restricted service keeps: up to 16 legs and a few signaling streams,
/// for both sides' retries.
const MAX_SESSIONS_RESTRICTED: usize = 64;

/// Rendezvous circuits that an open service keeps: a mailbox server has one for each attached person.
const MAX_SESSIONS_OPEN: usize = 8192;

/// A rendezvous that takes longer has failed at its client too.
const RENDEZVOUS_TIMEOUT: Duration = Duration::from_secs(60);

/// A rendezvous circuit without streams is closed after this time.
const SESSION_IDLE: Duration = Duration::from_secs(60);

/// A service in Arti. Dropping it withdraws it.
pub(crate) struct ArtiService {
    /// The task owns it: when the task ends, the service does.
    onion: Weak<RunningOnionService>,
    nickname: String,
    task: JoinHandle<()>,
}

impl Client {
    pub(crate) fn host(&self, host: OnionHost) -> Result<HostedOnion, TorError> {
        let (tor, runtime) = self.tor()?;
        let failed =
            |e: arti_client::Error| TorError::with_detail(TorErrorKind::HostFailed, e.kind());
        let nickname = random_nickname();
        let config = service_config(&nickname, &host.audience)?;
        let (onion, requests) = tor
            .launch_onion_service_with_hsid(config, host.identity.to_arti())
            .map_err(failed)?
            .ok_or(TorError::new(TorErrorKind::Internal))?;
        let (streams, incoming) = mpsc::channel(BACKLOG);
        let (reach, reachability) = watch::channel(Reachability::Starting);
        let door = Door {
            ports: host.ports.into(),
            streams,
            sessions: Arc::new(Semaphore::new(match host.audience {
                Audience::Anyone => MAX_SESSIONS_OPEN,
                Audience::Only(_) => MAX_SESSIONS_RESTRICTED,
            })),
        };
        let weak = Arc::downgrade(&onion);
        let task = runtime.spawn(run(door, requests, onion, reach));
        let service = ArtiService {
            onion: weak,
            nickname,
            task,
        };
        Ok(HostedOnion::new(
            host.identity.public(),
            incoming,
            reachability,
            Service::Arti(service),
        ))
    }
}

impl ArtiService {
    pub(crate) fn set_audience(&self, audience: &Audience) -> Result<(), TorError> {
        let onion = self
            .onion
            .upgrade()
            .ok_or(TorError::new(TorErrorKind::Stopped))?;
        let config = service_config(&self.nickname, audience)?;
        onion
            .reconfigure(config, Reconfigure::AllOrNothing)
            .map_err(|e| TorError::with_detail(TorErrorKind::HostFailed, e))
    }

    pub(crate) async fn close(mut self) {
        self.task.abort();
        // Ends at its next await; an error says that it was cancelled, as it was.
        let _ = (&mut self.task).await;
    }
}

impl Drop for ArtiService {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl core::fmt::Debug for ArtiService {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("ArtiService")
    }
}

/// A name for Arti's files and logs that says nothing, not even that two runs host the same service.
fn random_nickname() -> String {
    format!("s{:016x}", OsRng.next_u64())
}

fn service_config(nickname: &str, audience: &Audience) -> Result<OnionServiceConfig, TorError> {
    let internal = |e: &dyn core::fmt::Display| TorError::with_detail(TorErrorKind::Internal, e);
    let mut config = OnionServiceConfigBuilder::default();
    config.nickname(nickname.parse().map_err(|e| internal(&e))?);
    config.max_concurrent_streams_per_circuit(MAX_STREAMS_PER_CIRCUIT);
    if let Audience::Only(keys) = audience {
        let restricted = config.restricted_discovery();
        restricted.enabled(true);
        for (number, key) in keys.iter().enumerate() {
            let client = format!("c{number}").parse().map_err(|e| internal(&e))?;
            restricted
                .static_keys()
                .access()
                .push((client, key.to_arti()));
        }
    }
    config.build().map_err(|e| internal(&e))
}

/// What lets streams in.
#[derive(Clone)]
struct Door {
    ports: Arc<[u16]>,
    streams: mpsc::Sender<(u16, TorStream)>,
    sessions: Arc<Semaphore>,
}

/// Runs a service until it is dropped, Arti gives up, or Tor stops and its runtime with it.
async fn run(
    door: Door,
    requests: impl Stream<Item = RendRequest>,
    onion: Arc<RunningOnionService>,
    reach: watch::Sender<Reachability>,
) {
    let mut requests = pin!(requests);
    let mut status = onion.status_events();
    let mut sessions = JoinSet::new();
    loop {
        tokio::select! {
            request = requests.next() => {
                let Some(request) = request else { break };
                // A full house drops the request: its client tries again.
                let Ok(seat) = Arc::clone(&door.sessions).try_acquire_owned() else { continue };
                let door = door.clone();
                sessions.spawn(async move {
                    session(door, request).await;
                    drop(seat);
                });
            }
            Some(status) = status.next() => {
                reach.send_replace(reachability(&status));
            }
            Some(_) = sessions.join_next() => {}
        }
    }
    reach.send_replace(Reachability::Broken);
}

fn reachability(status: &OnionServiceStatus) -> Reachability {
    match status.state() {
        State::Running | State::DegradedReachable | State::DegradedUnreachable => {
            Reachability::Published
        }
        State::Broken => Reachability::Broken,
        _ => Reachability::Starting,
    }
}

/// One rendezvous circuit and the streams on it.
async fn session(door: Door, request: RendRequest) {
    let mut streams = match tokio::time::timeout(RENDEZVOUS_TIMEOUT, request.accept()).await {
        Ok(Ok(streams)) => streams,
        Ok(Err(e)) => return tracing::debug!("a rendezvous failed: {}", e.kind()),
        Err(_) => return tracing::debug!("a rendezvous took too long"),
    };
    let open = Arc::new(());
    loop {
        match tokio::time::timeout(SESSION_IDLE, streams.next()).await {
            Ok(Some(request)) => {
                if !admit(&door, request, &open).await {
                    return;
                }
            }
            Ok(None) => return,
            Err(_) if Arc::strong_count(&open) == 1 => return,
            Err(_) => {}
        }
    }
}

/// Passes one stream to the owner; false ends the session.
async fn admit(door: &Door, request: StreamRequest, open: &Arc<()>) -> bool {
    let port = match request.request() {
        IncomingStreamRequest::Begin(begin) if door.ports.contains(&begin.port()) => begin.port(),
        _ => {
            // As C tor does, so that the two cannot be told apart.
            let _ = request.shutdown_circuit();
            return false;
        }
    };
    // Room first: a stream that nobody would read is not accepted.
    let Ok(room) = door.streams.reserve().await else {
        return false;
    };
    match request.accept(Connected::new_empty()).await {
        Ok(stream) => {
            room.send((port, TorStream::from_arti(stream, Some(Arc::clone(open)))));
            true
        }
        Err(e) => {
            tracing::debug!("a stream could not be accepted: {}", e.kind());
            false
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::DiscoveryKey;

    #[test]
    fn configurations_are_accepted_by_arti() {
        let keys = (0..160).map(|n| DiscoveryKey([n; 32])).collect();
        for audience in [Audience::Anyone, Audience::Only(keys)] {
            audience.check().expect("allowed");
            service_config(&random_nickname(), &audience).expect("valid");
        }
        assert!(Audience::Only(Vec::new()).check().is_err());
        assert_ne!(random_nickname(), random_nickname());
    }
}
