//! The task that owns the server machine, and what starts and stops it.

use crate::connection::{self, FromConnection};
use crate::handle::{FromOwner, MailboxHandle, MailboxSender};
use crate::io::BoxedStream;
use crate::limits::{CONNECTION_QUEUE, OWNER_QUEUE, SERVER_QUEUE, STOP_TIMEOUT};
use crate::turn::CredentialMint;
use core::time::Duration;
use rand_core::{OsRng, RngCore};
use std::collections::BTreeMap;
use std::time::SystemTime;
use tacit_signaling::limits::OPERATED_CONNECTIONS;
use tacit_signaling::{
    Attach, ConnectionId, DropCounts, FrameBytes, Server, ServerConfig, ServerEvent,
};
use tacit_types::{Timestamp, UnixTime};
use tokio::sync::mpsc::error::TrySendError;
use tokio::sync::{mpsc, oneshot};
use tokio::task::{AbortHandle, JoinHandle, JoinSet};
use tokio::time::{Instant, sleep_until, timeout};

/// How an operated server runs.
#[derive(Debug)]
pub struct OperatedConfig {
    /// Connections in all.
    pub max_connections: usize,
    /// Makes TURN credentials, if a TURN server stands behind this one.
    pub mint: Option<CredentialMint>,
}

impl Default for OperatedConfig {
    fn default() -> Self {
        Self {
            max_connections: OPERATED_CONNECTIONS,
            mint: None,
        }
    }
}

/// What a server did, in numbers that name nobody.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Summary {
    /// Streams that arrived.
    pub streams: u64,
    /// Frames thrown away, by reason.
    pub drops: DropCounts,
    /// Connections closed because they did not take what was queued for them.
    pub overflows: u64,
}

/// A running server. Dropping it stops the server too, without waiting.
#[derive(Debug)]
pub struct ServerTask {
    stop: oneshot::Sender<()>,
    task: JoinHandle<Summary>,
}

impl ServerTask {
    /// Stops the server: what is queued leaves, every stream is closed.
    pub async fn stop(self) -> Summary {
        let _ = self.stop.send(());
        self.task.await.unwrap_or_default()
    }
}

/// Serves one owner in process. Streams come from `incoming`, rings go to the handle.
///
/// Call it within a tokio runtime.
#[must_use]
pub fn serve_embedded(
    attaches: Vec<Attach>,
    incoming: mpsc::Receiver<BoxedStream>,
) -> (MailboxHandle, ServerTask) {
    let (to_server, from_owner) = mpsc::channel(OWNER_QUEUE);
    let (to_owner, frames) = mpsc::channel(OWNER_QUEUE);
    let mut shell = Shell::new(ServerConfig::Embedded, None);
    shell.owner = Some(to_owner);
    for attach in attaches {
        shell.attach_owner(&attach);
    }
    let handle = MailboxHandle {
        sender: MailboxSender(to_server),
        frames,
    };
    (handle, shell.start(incoming, Some(from_owner)))
}

/// Serves many people.
///
/// Call it within a tokio runtime.
#[must_use]
pub fn serve_operated(config: OperatedConfig, incoming: mpsc::Receiver<BoxedStream>) -> ServerTask {
    let OperatedConfig {
        max_connections,
        mint,
    } = config;
    let server = ServerConfig::Operated {
        max_connections,
        credentials: mint.is_some(),
    };
    Shell::new(server, mint).start(incoming, None)
}

/// The embedded owner's connection; network connections count from 1.
const OWNER: ConnectionId = ConnectionId(0);

struct Connection {
    queue: mpsc::Sender<FrameBytes>,
    task: AbortHandle,
}

struct Shell {
    server: Server,
    mint: Option<CredentialMint>,
    owner: Option<mpsc::Sender<FrameBytes>>,
    connections: BTreeMap<ConnectionId, Connection>,
    tasks: JoinSet<()>,
    next_id: u64,
    origin: Instant,
    summary: Summary,
}

impl Shell {
    fn new(config: ServerConfig, mint: Option<CredentialMint>) -> Self {
        let mut seed = [0; 32];
        OsRng.fill_bytes(&mut seed);
        Self {
            server: Server::new(config, seed),
            mint,
            owner: None,
            connections: BTreeMap::new(),
            tasks: JoinSet::new(),
            next_id: 1,
            origin: Instant::now(),
            summary: Summary::default(),
        }
    }

    fn start(
        self,
        incoming: mpsc::Receiver<BoxedStream>,
        owner: Option<mpsc::Receiver<FromOwner>>,
    ) -> ServerTask {
        let (stop, stopped) = oneshot::channel();
        ServerTask {
            stop,
            task: tokio::spawn(self.run(incoming, owner, stopped)),
        }
    }

    async fn run(
        mut self,
        mut incoming: mpsc::Receiver<BoxedStream>,
        mut owner: Option<mpsc::Receiver<FromOwner>>,
        mut stopped: oneshot::Receiver<()>,
    ) -> Summary {
        let (to_server, mut inputs) = mpsc::channel(SERVER_QUEUE);
        let mut more_streams = true;
        loop {
            let wake = self.server.poll_timeout().map(|(at, _)| self.instant(at));
            tokio::select! {
                _ = &mut stopped => break,
                stream = incoming.recv(), if more_streams => match stream {
                    Some(stream) => self.accept(stream, &to_server),
                    None => more_streams = false,
                },
                Some((id, input)) = inputs.recv() => self.input(id, input),
                Some(input) = recv_owner(owner.as_mut()) => self.owner_input(input),
                () = sleep_until(wake.unwrap_or_else(Instant::now)), if wake.is_some() => {}
                Some(_) = self.tasks.join_next() => {}
            }
            let now = self.now();
            self.server.handle_timeout(now);
            self.drain();
        }
        drop((inputs, owner));
        self.finish().await
    }

    fn now(&self) -> Timestamp {
        let elapsed = self.origin.elapsed().as_micros();
        Timestamp::from_micros(u64::try_from(elapsed).unwrap_or(u64::MAX))
    }

    fn instant(&self, at: Timestamp) -> Instant {
        self.origin + Duration::from_micros(at.as_micros())
    }

    fn accept(
        &mut self,
        stream: BoxedStream,
        to_server: &mpsc::Sender<(ConnectionId, FromConnection)>,
    ) {
        let id = ConnectionId(self.next_id);
        self.next_id += 1;
        self.summary.streams += 1;
        let (queue, frames) = mpsc::channel(CONNECTION_QUEUE);
        let task = self
            .tasks
            .spawn(connection::run(id, stream, to_server.clone(), frames));
        self.connections.insert(id, Connection { queue, task });
        let now = self.now();
        self.server.connect(id, now);
    }

    fn input(&mut self, id: ConnectionId, input: FromConnection) {
        let now = self.now();
        match input {
            FromConnection::Started => self.server.frame_started(id, now),
            FromConnection::Frame(frame) => self.server.handle_input(id, &frame, now),
            FromConnection::Gone => {
                self.connections.remove(&id);
                self.server.disconnect(id, now);
            }
        }
    }

    fn owner_input(&mut self, input: FromOwner) {
        match input {
            FromOwner::Attach(attach) => self.attach_owner(&attach),
            FromOwner::Frame(frame) => {
                let now = self.now();
                self.server.handle_input(OWNER, &frame, now);
            }
        }
    }

    fn attach_owner(&mut self, attach: &Attach) {
        let now = self.now();
        if !self.server.attach_local(OWNER, attach, now) {
            tracing::warn!("the embedded mailbox server refused a generation of its owner");
        }
    }

    /// Hands out what the machine has queued, and does what it asks for.
    fn drain(&mut self) {
        loop {
            while let Some((id, frame)) = self.server.poll_transmit() {
                self.transmit(id, frame);
            }
            let Some(event) = self.server.poll_event() else {
                return;
            };
            match event {
                ServerEvent::Close { conn, reason } => {
                    tracing::debug!(?reason, "closed a connection");
                    self.connections.remove(&conn);
                }
                ServerEvent::CredentialsWanted { conn } => self.credentials(conn),
            }
        }
    }

    /// Never waits: a connection that does not drain its queue is closed.
    fn transmit(&mut self, id: ConnectionId, frame: FrameBytes) {
        if id == OWNER {
            return self.transmit_to_owner(frame);
        }
        let Some(connection) = self.connections.get(&id) else {
            return;
        };
        if connection.queue.try_send(frame).is_err() {
            connection.task.abort();
            self.connections.remove(&id);
            self.summary.overflows += 1;
            let now = self.now();
            self.server.disconnect(id, now);
        }
    }

    /// An owner that is gone takes no more rings: callers get the NAK of an absent callee.
    fn transmit_to_owner(&mut self, frame: FrameBytes) {
        let Some(owner) = &self.owner else { return };
        match owner.try_send(frame) {
            Ok(()) => {}
            Err(TrySendError::Full(_)) => self.summary.overflows += 1,
            Err(TrySendError::Closed(_)) => {
                self.owner = None;
                let now = self.now();
                self.server.disconnect(OWNER, now);
            }
        }
    }

    fn credentials(&mut self, conn: ConnectionId) {
        let Some(mint) = &self.mint else { return };
        let unix = SystemTime::now()
            .duration_since(SystemTime::UNIX_EPOCH)
            .unwrap_or_default();
        let cred = mint.mint(UnixTime(unix.as_secs()), &mut OsRng);
        let now = self.now();
        self.server.credentials(conn, &cred, now);
    }

    async fn finish(mut self) -> Summary {
        // Without its queue a connection writes what is left, then ends.
        self.connections.clear();
        self.owner = None;
        let all = async { while self.tasks.join_next().await.is_some() {} };
        if timeout(STOP_TIMEOUT, all).await.is_err() {
            self.tasks.shutdown().await;
        }
        self.summary.drops = self.server.drops().clone();
        self.summary
    }
}

/// Waits for ever where there is no owner, or none any more.
async fn recv_owner(owner: Option<&mut mpsc::Receiver<FromOwner>>) -> Option<FromOwner> {
    match owner {
        Some(owner) => owner.recv().await,
        None => None,
    }
}
