//! A mailbox server of somebody else's, and a TURN server beside it.

use rand_core::OsRng;
use tacit_engine::memory::MemoryNetwork;
use tacit_engine::network::Network as _;
use tacit_legs::coturn::{Coturn, CoturnOptions};
use tacit_mailbox_server::{
    BoxedStream, CredentialMint, OperatedConfig, ServerTask, serve_operated,
};
use tacit_signaling::frame::Transport;
use tacit_tor::{Audience, OnionHost, OnionIdentity};
use tacit_types::OnionKey;
use tacit_types::limits::ONION_PORT_SIGNALING;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use zeroize::Zeroizing;

/// A coturn, or `None` (and a line that says so) where it is not installed.
pub(crate) fn coturn() -> Option<Coturn> {
    if !Coturn::is_installed() {
        println!("SKIPPED: coturn not installed");
        return None;
    }
    Some(Coturn::start(CoturnOptions::default()).unwrap())
}

/// An operated server on the network in memory.
pub(crate) struct MailboxServer {
    network: MemoryNetwork,
    identity: OnionIdentity,
    running: Option<(ServerTask, JoinHandle<()>)>,
}

impl MailboxServer {
    /// A server that mints credentials for `coturn`.
    pub(crate) async fn start(network: &MemoryNetwork, coturn: &Coturn) -> Self {
        let mut server = Self::new(network);
        server.run(coturn).await;
        server
    }

    /// A server that mints nothing.
    pub(crate) async fn start_without_turn(network: &MemoryNetwork) -> Self {
        let mut server = Self::new(network);
        server.serve(None).await;
        server
    }

    fn new(network: &MemoryNetwork) -> Self {
        Self {
            network: network.clone(),
            identity: OnionIdentity::generate(&mut OsRng),
            running: None,
        }
    }

    /// Starts it again, at the same address and with nothing in its memory.
    pub(crate) async fn run(&mut self, coturn: &Coturn) {
        let mint = CredentialMint::new(
            Transport::Tls,
            coturn.tls_addr(),
            coturn.pin().0,
            Zeroizing::new(coturn.secret().as_bytes().to_vec()),
        );
        self.serve(Some(mint)).await;
    }

    async fn serve(&mut self, mint: Option<CredentialMint>) {
        let config = OperatedConfig {
            mint,
            ..OperatedConfig::default()
        };
        let host = OnionHost {
            identity: self.identity.clone(),
            audience: Audience::Anyone,
            ports: vec![ONION_PORT_SIGNALING],
        };
        let mut hosted = self.network.host(host).await.unwrap();
        let (streams, incoming) = mpsc::channel::<BoxedStream>(64);
        let server = serve_operated(config, incoming);
        let accepting = tokio::spawn(async move {
            while let Some((port, stream)) = hosted.accept().await {
                // No other port is open.
                if port == ONION_PORT_SIGNALING && streams.send(Box::new(stream)).await.is_err() {
                    break;
                }
            }
        });
        self.running = Some((server, accepting));
    }

    /// Ends it as a crash does: every stream breaks, nothing is kept.
    pub(crate) async fn crash(&mut self) {
        let (server, accepting) = self.running.take().unwrap();
        accepting.abort();
        accepting.await.unwrap_err();
        drop(server);
    }

    pub(crate) fn key(&self) -> OnionKey {
        self.identity.public()
    }
}
