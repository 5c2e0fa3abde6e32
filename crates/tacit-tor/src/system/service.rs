//! Onion services at a system tor: ephemeral ones, which end with their control connection.

use std::net::{Ipv4Addr, SocketAddr};

use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::{JoinHandle, JoinSet};
use zeroize::Zeroizing;

use super::control::{ControlConnection, base64_secret};
use super::service_id;
use crate::host::{BACKLOG, MAX_STREAMS_PER_CIRCUIT, Service};
use crate::tor::stopped;
use crate::{
    Audience, HostedOnion, OnionHost, OnionIdentity, Reachability, TorError, TorErrorKind,
    TorStream,
};

/// A service at a system tor. Dropping it withdraws it.
pub(crate) struct SystemService {
    changes: mpsc::Sender<Change>,
    task: JoinHandle<()>,
}

/// A new audience, and where to say how it went.
type Change = (Audience, oneshot::Sender<Result<(), TorError>>);

pub(super) async fn host(
    control: ControlConnection,
    host: OnionHost,
    stop: watch::Receiver<bool>,
) -> Result<HostedOnion, TorError> {
    let (streams, incoming) = mpsc::channel(BACKLOG);
    let (reach, reachability) = watch::channel(Reachability::Starting);
    let (changes, requests) = mpsc::channel(1);
    let key = host.identity.public();
    let mut doors = JoinSet::new();
    let mut ports = Vec::new();
    for port in host.ports {
        // Any program on this computer can connect here as well; whoever does is as unknown to us as
        // somebody who knows the address, and the handshake above treats them so.
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))
            .await
            .map_err(failed)?;
        ports.push((port, listener.local_addr().map_err(failed)?));
        doors.spawn(listen(listener, port, streams.clone()));
    }
    let mut publisher = Publisher {
        control,
        identity: host.identity,
        ports,
        reach,
    };
    publisher.control.command("SETEVENTS HS_DESC").await?;
    publisher.add(&host.audience).await?;
    let task = tokio::spawn(publisher.run(requests, doors, stop));
    let service = Service::System(SystemService { changes, task });
    Ok(HostedOnion::new(key, incoming, reachability, service))
}

fn failed(e: std::io::Error) -> TorError {
    TorError::with_detail(TorErrorKind::HostFailed, e.kind())
}

/// Passes streams from the tor to the owner.
async fn listen(listener: TcpListener, port: u16, streams: mpsc::Sender<(u16, TorStream)>) {
    while let Ok(room) = streams.reserve().await {
        match listener.accept().await.and_then(tuned) {
            Ok(stream) => room.send((port, TorStream::from_system(stream))),
            Err(e) => tracing::debug!("a stream could not be accepted: {}", e.kind()),
        }
    }
}

fn tuned((stream, _): (TcpStream, SocketAddr)) -> std::io::Result<TcpStream> {
    stream.set_nodelay(true)?;
    Ok(stream)
}

/// Owns the control connection, and with it the service.
struct Publisher {
    control: ControlConnection,
    identity: OnionIdentity,
    ports: Vec<(u16, SocketAddr)>,
    reach: watch::Sender<Reachability>,
}

impl Publisher {
    async fn run(
        mut self,
        mut changes: mpsc::Receiver<Change>,
        doors: JoinSet<()>,
        mut stop: watch::Receiver<bool>,
    ) {
        let uploaded = format!(
            "650 HS_DESC UPLOADED {}",
            service_id(self.identity.public())
        );
        loop {
            tokio::select! {
                line = self.control.next_line() => match line {
                    Ok(line) if line.starts_with(&uploaded) => {
                        self.reach.send_replace(Reachability::Published);
                    }
                    Ok(_) => {}
                    Err(_) => break,
                },
                change = changes.recv() => {
                    let Some((audience, answer)) = change else { break };
                    // A receiver that is gone does not want to know.
                    let _ = answer.send(self.replace(&audience).await);
                }
                () = stopped(&mut stop) => break,
            }
        }
        drop(doors);
        self.reach.send_replace(Reachability::Broken);
    }

    async fn add(&mut self, audience: &Audience) -> Result<(), TorError> {
        let command = add_onion(&self.identity, &self.ports, audience);
        self.control.command(&command).await.map(drop)
    }

    /// A tor cannot change a service: it is withdrawn and added again.
    async fn replace(&mut self, audience: &Audience) -> Result<(), TorError> {
        let id = service_id(self.identity.public());
        self.reach.send_replace(Reachability::Starting);
        self.control.command(&format!("DEL_ONION {id}")).await?;
        self.add(audience).await
    }
}

fn add_onion(
    identity: &OnionIdentity,
    ports: &[(u16, SocketAddr)],
    audience: &Audience,
) -> Zeroizing<String> {
    let secret = base64_secret(identity.to_expanded_bytes().as_slice());
    let mut command = Zeroizing::new(String::with_capacity(256));
    command.push_str("ADD_ONION ED25519-V3:");
    command.push_str(&secret);
    command.push_str(" Flags=DiscardPK,MaxStreamsCloseCircuit");
    if matches!(audience, Audience::Only(_)) {
        command.push_str(",V3Auth");
    }
    command.push_str(&format!(" MaxStreams={MAX_STREAMS_PER_CIRCUIT}"));
    for (port, door) in ports {
        command.push_str(&format!(" Port={port},{door}"));
    }
    if let Audience::Only(keys) = audience {
        for key in keys {
            // `descriptor:x25519:<base32>`, of which the control port wants the last part.
            let text = key.to_arti().to_string();
            let key = text.rsplit(':').next().unwrap_or_default();
            command.push_str(&format!(" ClientAuthV3={key}"));
        }
    }
    command
}

impl SystemService {
    pub(crate) async fn set_audience(&self, audience: Audience) -> Result<(), TorError> {
        let stopped = || TorError::new(TorErrorKind::Stopped);
        let (answer, answered) = oneshot::channel();
        self.changes
            .send((audience, answer))
            .await
            .map_err(|_| stopped())?;
        answered.await.map_err(|_| stopped())?
    }

    pub(crate) async fn close(mut self) {
        self.task.abort();
        // Ends at its next await; an error says that it was cancelled, as it was.
        let _ = (&mut self.task).await;
    }
}

impl Drop for SystemService {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl core::fmt::Debug for SystemService {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("SystemService")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::DiscoveryKey;
    use tacit_types::SecretBytes;

    #[test]
    fn the_command_names_ports_and_readers() {
        let identity = OnionIdentity::from_seed(SecretBytes::new([3; 32]));
        let ports = [(1, SocketAddr::from(([127, 0, 0, 1], 4000)))];
        let open = add_onion(&identity, &ports, &Audience::Anyone);
        assert!(open.contains(" Port=1,127.0.0.1:4000") && !open.contains("V3Auth"));
        let keys = vec![DiscoveryKey([1; 32]), DiscoveryKey([2; 32])];
        let restricted = add_onion(&identity, &ports, &Audience::Only(keys));
        assert!(restricted.contains("Flags=DiscardPK,MaxStreamsCloseCircuit,V3Auth "));
        assert_eq!(restricted.matches(" ClientAuthV3=").count(), 2);
        assert!(!restricted.contains(['\r', '\n']));
    }
}
