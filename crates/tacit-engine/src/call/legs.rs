//! How a call gets its legs, and onion streams to the peer's address.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use rand_core::{OsRng, RngCore as _};
use tacit_crypto::SessionKeys;
use tacit_legs::shell::{
    Clock, LegHandle, LegOutput, OnionEnd, TurnSecurity, Wiring, accept_join, spawn_onion_leg,
};
use tacit_legs::{JoinAcceptor, TurnCredentials};
use tacit_signaling::payload::Candidates;
use tacit_tor::Target;
use tacit_types::{LegIndex, OnionKey, Reason};
use tokio::sync::mpsc;

use crate::credentials::Purse;
use crate::network::{BoxStream, Network};

/// Legs after the first two are spread over this time, so that their joins do not mark the start of
/// a call more than they must.
const SPREAD: Duration = Duration::from_secs(3);
/// Events of all legs of a call that may wait.
const OUTPUTS: usize = 1024;

/// How a call gets its legs.
pub(crate) enum LegPlan {
    /// We are the caller: open streams to the callee's address.
    OnionOpen {
        /// The callee's address, at the leg port.
        target: Target,
    },
    /// We are the callee: take streams that show a leg secret.
    OnionAccept {
        /// Streams that arrived at our address for this contact.
        streams: mpsc::Receiver<BoxStream>,
    },
    /// Allocations that are open already (caller).
    Turn(TurnPlan),
    /// Allocations to be opened while it rings (callee); the candidates follow by PIPE.
    TurnLater {
        /// Mints the credentials.
        server: OnionKey,
        /// The caller's candidates.
        peers: Option<Candidates>,
    },
}

/// What TURN legs need.
pub(crate) struct TurnPlan {
    /// The allocations.
    pub opened: OpenedTurn,
    /// The peer's candidates, as far as they are known.
    pub peers: Option<Candidates>,
}

/// A credential and the server it is for.
#[derive(Clone, Debug)]
pub(crate) struct TurnAccess {
    /// The TURN server.
    pub server: SocketAddr,
    /// Its key.
    pub security: TurnSecurity,
    /// One-time credential.
    pub credentials: TurnCredentials,
}

/// Our allocations and the channel that their events come on.
pub(crate) struct OpenedTurn {
    /// By our leg index.
    pub handles: BTreeMap<LegIndex, LegHandle>,
    /// Where each is reached.
    pub candidates: Candidates,
    /// Relays of each circuit, if they are to be told.
    pub hops: BTreeMap<LegIndex, Vec<String>>,
    /// Credentials for more legs.
    pub purse: Arc<tokio::sync::Mutex<Purse>>,
    /// How many legs were to be opened. Their numbers, and those below, are not given again.
    pub wanted: u8,
    /// Sender side, for more legs.
    pub sender: mpsc::Sender<LegOutput>,
    /// Events.
    pub outputs: Outputs,
    /// Events that came during set-up and still matter.
    pub early: Vec<LegOutput>,
}

/// Something that a task which opens legs reports.
pub(crate) struct Opened {
    pub leg: LegIndex,
    pub fresh: Result<Fresh, Reason>,
}

/// What becomes a leg.
pub(crate) enum Fresh {
    /// The stream of an onion leg.
    Onion(BoxStream),
    /// A TURN leg, whose allocation is on the way.
    Turn {
        handle: LegHandle,
        /// Relays of its circuit, if they are to be told.
        hops: Option<Vec<String>>,
    },
}

pub(crate) fn clock() -> Clock {
    Arc::new(crate::clock::now)
}

/// Events of a call's legs, by the legs' numbers in the call.
pub(crate) struct Outputs {
    receiver: mpsc::Receiver<LegOutput>,
    /// Numbers in the call by those that the legs were opened with, if these differ. Legs that are
    /// not here were left out.
    numbers: Option<BTreeMap<LegIndex, LegIndex>>,
}

impl Outputs {
    pub(crate) fn channel() -> (mpsc::Sender<LegOutput>, Self) {
        let (sender, receiver) = mpsc::channel(OUTPUTS);
        let numbers = None;
        (sender, Self { receiver, numbers })
    }

    /// From here on legs are known by these numbers.
    pub(super) fn renumber(&mut self, numbers: BTreeMap<LegIndex, LegIndex>) {
        self.numbers = Some(numbers);
    }

    /// One more leg is opened, with the number that it has in the call.
    pub(super) fn expect(&mut self, leg: LegIndex) {
        if let Some(numbers) = &mut self.numbers {
            numbers.insert(leg, leg);
        }
    }

    /// The next event; cancelling it loses nothing.
    pub(crate) async fn recv(&mut self) -> Option<LegOutput> {
        loop {
            let mut output = self.receiver.recv().await?;
            let Some(numbers) = &self.numbers else {
                return Some(output);
            };
            if let Some(number) = numbers.get(&output.leg) {
                output.leg = *number;
                return Some(output);
            }
        }
    }
}

pub(crate) fn seed() -> [u8; 32] {
    let mut seed = [0; 32];
    OsRng.fill_bytes(&mut seed);
    seed
}

/// A random time up to `most`.
pub(crate) fn random_up_to(most: Duration) -> Duration {
    most.mul_f64(f64::from(OsRng.next_u32()) / f64::from(u32::MAX))
}

/// Opens the stream of one onion leg in a task of its own and reports it.
pub(crate) fn open_onion_stream(
    network: &Arc<dyn Network>,
    target: &Target,
    leg: LegIndex,
    report: mpsc::Sender<Opened>,
) {
    let (network, target) = (Arc::clone(network), target.clone());
    // The first two start at once: sound can flow as soon as one is up.
    let wait = if leg.0 < 2 {
        Duration::ZERO
    } else {
        random_up_to(SPREAD)
    };
    tokio::spawn(async move {
        let open = async {
            tokio::time::sleep(wait).await;
            network.connect(target).await
        };
        tokio::select! {
            stream = open => {
                let fresh = stream.map(Fresh::Onion);
                // A call that is over takes no more legs.
                let _ = report.send(Opened { leg, fresh }).await;
            }
            () = report.closed() => {}
        }
    });
}

/// Starts the machine of an onion leg that we opened.
pub(crate) fn join_onion_leg(stream: BoxStream, keys: &SessionKeys, wiring: Wiring) -> LegHandle {
    let end = OnionEnd::Joining {
        secret: keys.leg_secret(wiring.leg),
        fill_seed: seed(),
    };
    spawn_onion_leg(stream, end, wiring)
}

/// Reads the join packets of arriving streams in tasks of their own and reports those that belong
/// to this call.
pub(crate) fn accept_onion_streams(
    mut streams: mpsc::Receiver<BoxStream>,
    acceptor: Arc<Mutex<JoinAcceptor>>,
    report: mpsc::Sender<Opened>,
) {
    tokio::spawn(async move {
        loop {
            let mut stream = tokio::select! {
                stream = streams.recv() => match stream { Some(s) => s, None => return },
                () = report.closed() => return,
            };
            let (acceptor, report) = (Arc::clone(&acceptor), report.clone());
            tokio::spawn(async move {
                match accept_join(&mut stream, &acceptor, &clock()).await {
                    Ok(leg) => {
                        let fresh = Ok(Fresh::Onion(stream));
                        let _ = report.send(Opened { leg, fresh }).await;
                    }
                    Err(refusal) => tracing::debug!(?refusal, "a stream was no leg of this call"),
                }
            });
        }
    });
}
