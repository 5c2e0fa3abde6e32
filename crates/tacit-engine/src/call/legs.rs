//! Opening legs: onion streams to the peer's address, or allocations on a TURN server.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use rand_core::{OsRng, RngCore as _};
use tacit_crypto::SessionKeys;
use tacit_legs::shell::{
    Clock, LegHandle, LegOutput, OnionEnd, TurnSecurity, Wiring, accept_join, open_turn_leg,
    spawn_onion_leg,
};
use tacit_legs::{CandidatePolicy, JoinAcceptor, LegEvent, Peer, TurnConfig, TurnCredentials};
use tacit_signaling::payload::Candidates;
use tacit_tor::Target;
use tacit_types::{LegIndex, OnionKey, Reason};
use tokio::sync::mpsc;

use crate::network::{BoxStream, Network};

/// Legs after the first two are spread over this time, so that their joins do not mark the start of
/// a call more than they must.
const SPREAD: Duration = Duration::from_secs(3);
/// Events of all legs of a call that may wait.
const OUTPUTS: usize = 1024;
/// A TURN allocation through Tor that takes longer is given up.
const TURN_SETUP: Duration = Duration::from_secs(30);

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
    /// Sender side, for more legs.
    pub sender: mpsc::Sender<LegOutput>,
    /// Events.
    pub outputs: mpsc::Receiver<LegOutput>,
    /// Events that came during set-up and still matter.
    pub early: Vec<LegOutput>,
}

/// Something that a task which opens legs reports.
pub(crate) struct Opened {
    pub leg: LegIndex,
    pub stream: Result<BoxStream, Reason>,
}

pub(crate) fn clock() -> Clock {
    Arc::new(crate::clock::now)
}

pub(crate) fn outputs() -> (mpsc::Sender<LegOutput>, mpsc::Receiver<LegOutput>) {
    mpsc::channel(OUTPUTS)
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
                // A call that is over takes no more legs.
                let _ = report.send(Opened { leg, stream }).await;
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
                        let _ = report
                            .send(Opened {
                                leg,
                                stream: Ok(stream),
                            })
                            .await;
                    }
                    Err(refusal) => tracing::debug!(?refusal, "a stream was no leg of this call"),
                }
            });
        }
    });
}

/// Opens allocations, one on a circuit each, and waits until all have succeeded or failed.
///
/// # Errors
/// [`Reason::TurnUnreachable`] if fewer than two succeed, or they are not at one address.
pub(crate) async fn open_turn_legs(
    network: &Arc<dyn Network>,
    access: Vec<TurnAccess>,
    peers: Option<&Candidates>,
    policy: CandidatePolicy,
    report_circuits: bool,
) -> Result<OpenedTurn, Reason> {
    let (sender, mut outputs) = outputs();
    let peers: Vec<Peer> = peers.map(peers_of).unwrap_or_default();
    // Streams first: a circuit that fails costs one leg, and the others are numbered without a gap,
    // because the peer is told them in order.
    let connecting = access.into_iter().map(|access| {
        let connect = network.connect(Target::Exit {
            addr: access.server,
        });
        async move {
            let stream = tokio::time::timeout(TURN_SETUP, connect).await.ok()?.ok()?;
            Some((access, stream))
        }
    });
    let streams = futures::future::join_all(connecting).await;
    let opening = (0_u8..)
        .zip(streams.into_iter().flatten())
        .map(|(index, (access, stream))| {
            let leg = LegIndex(index);
            let wiring = Wiring {
                leg,
                clock: clock(),
                outputs: sender.clone(),
            };
            let config = TurnConfig {
                credentials: access.credentials,
                peers: peers.clone(),
                candidates: policy,
                seed: seed(),
            };
            async move {
                let hops = report_circuits
                    .then(|| stream.dangerous_circuit_hops())
                    .flatten();
                let open = open_turn_leg(stream, access.security, config, wiring);
                let handle = tokio::time::timeout(TURN_SETUP, open).await.ok()?;
                let handle = handle
                    .inspect_err(|error| tracing::debug!(%error, "TLS failed"))
                    .ok()?;
                Some((leg, handle, hops))
            }
        });
    let opened = futures::future::join_all(opening).await;
    let mut handles = BTreeMap::new();
    let mut hops = BTreeMap::new();
    for (leg, handle, path) in opened.into_iter().flatten() {
        handles.insert(leg, handle);
        hops.extend(path.map(|p| (leg, p)));
    }
    let mut early = Vec::new();
    let mut allocated = BTreeMap::new();
    let waiting = allocations(&mut handles, &mut outputs, &mut early, &mut allocated);
    // Whoever is late is left out below.
    let late = tokio::time::timeout(TURN_SETUP, waiting).await.is_err();
    if late {
        tracing::debug!("some TURN allocations are late");
    }
    let (address, ports) = one_address(&allocated, &mut handles).ok_or(Reason::TurnUnreachable)?;
    let candidates = Candidates::new(address, ports).map_err(|_| Reason::TurnUnreachable)?;
    Ok(OpenedTurn {
        handles,
        candidates,
        hops,
        sender,
        outputs,
        early,
    })
}

/// Waits until every handle has its relayed address or is gone.
async fn allocations(
    handles: &mut BTreeMap<LegIndex, LegHandle>,
    outputs: &mut mpsc::Receiver<LegOutput>,
    early: &mut Vec<LegOutput>,
    allocated: &mut BTreeMap<LegIndex, SocketAddr>,
) {
    while allocated.len() < handles.len() {
        let Some(output) = outputs.recv().await else {
            break;
        };
        match output.event {
            LegEvent::Allocated(addr) => {
                allocated.insert(output.leg, addr.into_inner());
            }
            LegEvent::Closed(end) => {
                tracing::debug!(%end, "a TURN leg ended during its set-up");
                handles.remove(&output.leg);
                allocated.remove(&output.leg);
            }
            LegEvent::Packet(_) => {}
            _ => early.push(output),
        }
    }
}

/// The peer is told one address and the ports in the order of the legs, so the indices must be
/// 0, 1, 2, … without a gap: a leg that failed makes the later ones move down.
fn one_address(
    allocated: &BTreeMap<LegIndex, SocketAddr>,
    handles: &mut BTreeMap<LegIndex, LegHandle>,
) -> Option<(std::net::IpAddr, Vec<u16>)> {
    let address = allocated.values().next()?.ip();
    let mut ports = Vec::new();
    for (expected, (leg, addr)) in allocated.iter().enumerate() {
        // Candidates are numbered by their place; a gap would name another leg.
        if usize::from(leg.0) != expected || addr.ip() != address {
            break;
        }
        ports.push(addr.port());
    }
    handles.retain(|leg, _| usize::from(leg.0) < ports.len());
    (ports.len() >= 2).then_some((address, ports))
}

/// The candidates as the legs know them.
pub(crate) fn peers_of(candidates: &Candidates) -> Vec<Peer> {
    candidates
        .ports
        .iter()
        .enumerate()
        .filter_map(|(index, port)| {
            let leg = LegIndex(u8::try_from(index).ok()?);
            Some(Peer::new(leg, SocketAddr::new(candidates.address, *port)))
        })
        .collect()
}
