//! Real legs between the two people: TURN legs that meet at a coturn, or onion legs.

use core::time::Duration;
use std::sync::{Arc, Mutex};

use futures::future::try_join_all;
use rand_core::{OsRng, RngCore as _};
use tacit_legs::coturn::Coturn;
use tacit_legs::shell::{
    Clock, LegHandle, LegOutput, OnionEnd, TurnSecurity, Wiring, accept_join, open_turn_leg,
    spawn_onion_leg,
};
use tacit_legs::{CandidatePolicy, JoinAcceptor, LegEvent, Peer, TurnConfig};
use tacit_tor::{Audience, OnionHost, OnionIdentity, Target, Tor, TorStream};
use tacit_types::limits::ONION_PORT_LEGS;
use tacit_types::{LegIndex, OnionKey, SecretBytes};
use tokio::sync::mpsc;
use tokio::time::timeout;

use crate::Error;
use crate::person::{Person, connect};

/// Events of a leg that may wait: more than it gets in one measurement's stall.
const OUTPUTS: usize = 4096;
/// What a server or a descriptor may take.
const PATIENCE: Duration = Duration::from_secs(60);

/// One end of a leg.
#[derive(Debug)]
pub(crate) struct End {
    pub(crate) handle: LegHandle,
    pub(crate) outputs: mpsc::Receiver<LegOutput>,
}

/// A leg of one person and the other's that it is joined to.
#[derive(Debug)]
pub(crate) struct Pair {
    pub(crate) ends: [End; 2],
    /// Links of each person's half, as far as the server or the rendezvous.
    pub(crate) links: [u32; 2],
}

/// What TURN legs need.
#[derive(Clone, Copy)]
pub(crate) struct Scene<'a> {
    pub(crate) people: [&'a Person; 2],
    pub(crate) clock: &'a Clock,
    pub(crate) legs: u8,
}

/// TURN legs: leg i of one to leg i of the other.
pub(crate) async fn turn(scene: Scene<'_>, coturn: &Coturn) -> Result<Vec<Pair>, Error> {
    try_join_all((0..scene.legs).map(|leg| turn_pair(scene, coturn, LegIndex(leg)))).await
}

async fn turn_pair(scene: Scene<'_>, coturn: &Coturn, leg: LegIndex) -> Result<Pair, Error> {
    let [a, b] = scene.people;
    let (mut near, near_links) = turn_end(a, scene.clock, coturn, leg, Vec::new()).await?;
    let near_peer = Peer::new(leg, allocated(&mut near).await?);
    let (mut far, far_links) = turn_end(b, scene.clock, coturn, leg, vec![near_peer]).await?;
    let far_peer = Peer::new(leg, allocated(&mut far).await?);
    bound(&mut far).await?;
    if let Some((_, error)) = near.handle.add_peers(&[far_peer]).pop() {
        return Err(Error::leg("binding a TURN leg", error));
    }
    bound(&mut near).await?;
    Ok(Pair {
        ends: [near, far],
        links: [near_links, far_links],
    })
}

async fn turn_end(
    person: &Person,
    clock: &Clock,
    coturn: &Coturn,
    leg: LegIndex,
    peers: Vec<Peer>,
) -> Result<(End, u32), Error> {
    let (tor, addr, pin) = (person.tor(), coturn.tls_addr(), coturn.pin());
    let (wiring, outputs) = wiring(leg, clock);
    let config = TurnConfig {
        credentials: coturn.credentials(),
        peers,
        candidates: CandidatePolicy::dangerous_allow_local_candidates(),
        seed: seed(),
    };
    let open = async move {
        let stream = connect(&tor, &Target::Exit { addr }).await?;
        let relays = relays(&stream)?;
        let handle = open_turn_leg(stream, TurnSecurity::Pinned(pin), config, wiring);
        let handle = timeout(PATIENCE, handle).await;
        let handle = handle.map_err(|e| Error::leg("a TURN leg", e))?;
        Ok((handle.map_err(|e| Error::leg("a TURN leg", e))?, relays))
    };
    let (handle, relays) = person.inside("opening a TURN leg", open).await?;
    // One link to each relay, and one from the exit to the server.
    Ok((End { handle, outputs }, relays + 1))
}

/// Onion legs, all to one service of the second person.
pub(crate) async fn onion(scene: Scene<'_>) -> Result<Vec<Pair>, Error> {
    let [a, b] = scene.people;
    let identity = OnionIdentity::generate(&mut OsRng);
    let key = identity.public();
    let host = OnionHost {
        identity,
        audience: Audience::Anyone,
        ports: vec![ONION_PORT_LEGS],
    };
    let secrets: Vec<_> = (0..scene.legs).map(|leg| (LegIndex(leg), seed())).collect();
    let (published, wait) = tokio::sync::oneshot::channel();
    let accept = accept_legs(
        b.tor(),
        host,
        secrets.clone(),
        scene.clock.clone(),
        published,
    );
    let accept = b.inside("hosting an onion service", accept);
    let join = async {
        // If it is dropped instead, hosting has failed and says why.
        let _ = wait.await;
        try_join_all(secrets.iter().map(|(leg, secret)| {
            let (clock, tor) = (scene.clock.clone(), a.tor());
            a.inside("an onion leg", join_leg(tor, key, *leg, *secret, clock))
        }))
        .await
    };
    let (mut far, near) = futures::try_join!(accept, join)?;
    far.sort_by_key(|(leg, ..)| *leg);
    let mut pairs = Vec::new();
    for ((mut near, near_links), (_, mut far, far_links)) in near.into_iter().zip(far) {
        bound(&mut near).await?;
        bound(&mut far).await?;
        pairs.push(Pair {
            ends: [near, far],
            links: [near_links, far_links],
        });
    }
    Ok(pairs)
}

/// Hosts the service until every leg has joined. Streams outlive it.
async fn accept_legs(
    tor: Tor,
    host: OnionHost,
    secrets: Vec<(LegIndex, [u8; 32])>,
    clock: Clock,
    published: tokio::sync::oneshot::Sender<()>,
) -> Result<Vec<(LegIndex, End, u32)>, Error> {
    let failed = |why: tacit_tor::TorError| Error::leg("hosting an onion service", why);
    let mut onion = tor.host(host).await.map_err(failed)?;
    onion.wait_reachable(PATIENCE).await.map_err(failed)?;
    let _ = published.send(());
    let mut acceptor = JoinAcceptor::new(clock());
    let wanted = secrets.len();
    for (leg, secret) in secrets {
        acceptor.expect(leg, SecretBytes::new(secret));
    }
    let acceptor = Arc::new(Mutex::new(acceptor));
    let mut legs = Vec::new();
    while legs.len() < wanted {
        let next = timeout(PATIENCE, onion.accept()).await;
        let Ok(Some((_, mut stream))) = next else {
            return Err(Error::leg("hosting an onion service", "legs do not arrive"));
        };
        let links = relays(&stream)?;
        // What joins wrongly is a stream of an attempt that was given up.
        if let Ok(leg) = accept_join(&mut stream, &acceptor, &clock).await {
            let (wiring, outputs) = wiring(leg, &clock);
            let handle = spawn_onion_leg(stream, OnionEnd::Accepted, wiring);
            legs.push((leg, End { handle, outputs }, links));
        }
    }
    Ok(legs)
}

async fn join_leg(
    tor: Tor,
    key: OnionKey,
    leg: LegIndex,
    secret: [u8; 32],
    clock: Clock,
) -> Result<(End, u32), Error> {
    let target = Target::Onion {
        key,
        port: ONION_PORT_LEGS,
        discovery: None,
    };
    let stream = connect(&tor, &target).await?;
    let links = relays(&stream)?;
    let (wiring, outputs) = wiring(leg, &clock);
    let end = OnionEnd::Joining {
        secret: SecretBytes::new(secret),
        fill_seed: seed(),
    };
    let handle = spawn_onion_leg(stream, end, wiring);
    Ok((End { handle, outputs }, links))
}

/// Relays of our half of the circuit: as many links lead to the last one.
fn relays(stream: &TorStream) -> Result<u32, Error> {
    let hops = stream.dangerous_circuit_hops();
    let hops = hops.ok_or_else(|| Error::leg("a circuit's path", "the circuit is gone"))?;
    Ok(u32::try_from(hops.len()).unwrap_or(u32::MAX))
}

fn wiring(leg: LegIndex, clock: &Clock) -> (Wiring, mpsc::Receiver<LegOutput>) {
    let (outputs, receiver) = mpsc::channel(OUTPUTS);
    let clock = Arc::clone(clock);
    let wiring = Wiring {
        leg,
        clock,
        outputs,
    };
    (wiring, receiver)
}

async fn next(end: &mut End) -> Result<LegEvent, Error> {
    match timeout(PATIENCE, end.outputs.recv()).await {
        Ok(Some(output)) => Ok(output.event),
        Ok(None) => Err(Error::leg("a leg", "it has ended")),
        Err(_) => Err(Error::leg("a leg", "nothing comes")),
    }
}

async fn allocated(end: &mut End) -> Result<std::net::SocketAddr, Error> {
    match next(end).await? {
        LegEvent::Allocated(addr) => Ok(*addr.reveal()),
        other => Err(Error::leg("a TURN allocation", format!("{other:?}"))),
    }
}

async fn bound(end: &mut End) -> Result<(), Error> {
    match next(end).await? {
        LegEvent::Bound(_) => Ok(()),
        other => Err(Error::leg("binding a leg", format!("{other:?}"))),
    }
}

fn seed() -> [u8; 32] {
    let mut seed = [0; 32];
    OsRng.fill_bytes(&mut seed);
    seed
}
