//! TURN legs: allocations opened side by side, each on a circuit of its own.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use futures::StreamExt as _;
use futures::future::BoxFuture;
use futures::stream::FuturesUnordered;
use tacit_legs::shell::{LegHandle, LegOutput, Wiring, open_turn_leg};
use tacit_legs::{CandidatePolicy, LegEvent, Peer, TurnConfig};
use tacit_signaling::payload::Candidates;
use tacit_tor::Target;
use tacit_types::{LegIndex, Reason};
use tokio::sync::{Mutex, mpsc};
use tokio::time::Instant;

use super::legs::{Fresh, Opened, OpenedTurn, Outputs, TurnAccess, clock, seed};
use crate::credentials::Purse;
use crate::network::Network;

/// An allocation through Tor that takes longer is given up.
const SETUP: Duration = Duration::from_secs(30);
/// Once three quarters of the legs are there, the rest has this long: nobody waits for the slowest
/// of many circuits.
const LATE: Duration = Duration::from_secs(3);
/// A call needs this many.
const FEWEST: usize = 2;

/// A leg whose stream is up; its allocation is on the way.
struct Streaming {
    leg: LegIndex,
    handle: LegHandle,
    hops: Option<Vec<String>>,
}

/// What one more leg of a call is opened with.
pub(super) struct OneMore {
    pub(super) network: Arc<dyn Network>,
    /// Legs that are opened at once take turns.
    pub(super) purse: Arc<Mutex<Purse>>,
    pub(super) leg: LegIndex,
    pub(super) policy: CandidatePolicy,
    pub(super) outputs: mpsc::Sender<LegOutput>,
    pub(super) report_circuits: bool,
    /// Whether credentials may be fetched if none are left.
    pub(super) may_visit: bool,
}

impl OneMore {
    /// Connects it in a task of its own and reports it, before or after its first events come.
    pub(super) fn open(self, report: mpsc::Sender<Opened>) {
        let leg = self.leg;
        tokio::spawn(async move {
            tokio::select! {
                biased;
                // A call that is over takes no more legs.
                () = report.closed() => {}
                fresh = tokio::time::timeout(SETUP, self.connect()) => {
                    let fresh = fresh.unwrap_or(Err(Reason::TurnUnreachable));
                    let _ = report.send(Opened { leg, fresh }).await;
                }
            }
        });
    }

    async fn connect(self) -> Result<Fresh, Reason> {
        let mut purse = self.purse.lock().await;
        let access = purse
            .take(&*self.network, self.policy, self.may_visit)
            .await?;
        drop(purse);
        let config = TurnConfig {
            credentials: access.credentials.clone(),
            // Which there are then is known when it is up.
            peers: Vec::new(),
            candidates: self.policy,
            seed: seed(),
        };
        let (network, outputs, report) = (&self.network, &self.outputs, self.report_circuits);
        let opening = open_stream(network, access, config, self.leg, outputs, report);
        let Streaming { handle, hops, .. } = opening.await.ok_or(Reason::TurnUnreachable)?;
        Ok(Fresh::Turn { handle, hops })
    }
}

/// Legs while they are being opened, by the numbers that they are opened with.
struct Opening {
    streams: FuturesUnordered<BoxFuture<'static, Option<Streaming>>>,
    legs: BTreeMap<LegIndex, Streaming>,
    allocated: BTreeMap<LegIndex, SocketAddr>,
    early: Vec<LegOutput>,
}

/// Opens allocations and waits until most of them are there.
///
/// # Errors
/// [`Reason::TurnUnreachable`] if fewer than two are, or they are not at one address.
pub(crate) async fn open_turn_legs(
    network: &Arc<dyn Network>,
    (access, purse): (Vec<TurnAccess>, Purse),
    peers: Vec<Peer>,
    policy: CandidatePolicy,
    report_circuits: bool,
) -> Result<OpenedTurn, Reason> {
    let (sender, mut outputs) = Outputs::channel();
    let wanted = access.len();
    let streams = (0_u8..).zip(access).map(|(index, access)| {
        let config = TurnConfig {
            credentials: access.credentials.clone(),
            peers: peers.clone(),
            candidates: policy,
            seed: seed(),
        };
        let leg = LegIndex(index);
        open_stream(network, access, config, leg, &sender, report_circuits)
    });
    let mut opening = Opening {
        streams: streams.collect(),
        legs: BTreeMap::new(),
        allocated: BTreeMap::new(),
        early: Vec::new(),
    };
    opening.wait_for(wanted, &mut outputs).await;
    opening.numbered(wanted, purse, sender, outputs)
}

/// Connects one leg to its server.
fn open_stream(
    network: &Arc<dyn Network>,
    access: TurnAccess,
    config: TurnConfig,
    leg: LegIndex,
    outputs: &mpsc::Sender<LegOutput>,
    report_circuits: bool,
) -> BoxFuture<'static, Option<Streaming>> {
    let addr = access.server;
    let connect = network.connect(Target::Exit { addr });
    let wiring = Wiring {
        leg,
        clock: clock(),
        outputs: outputs.clone(),
    };
    Box::pin(async move {
        let stream = connect.await.ok()?;
        let hops = report_circuits
            .then(|| stream.dangerous_circuit_hops())
            .flatten();
        let handle = open_turn_leg(stream, access.security, config, wiring)
            .await
            .inspect_err(|error| tracing::debug!(%error, "TLS failed"))
            .ok()?;
        Some(Streaming { leg, handle, hops })
    })
}

impl Opening {
    /// Waits until every leg has its relayed address or has failed, or it has taken long enough.
    async fn wait_for(&mut self, wanted: usize, outputs: &mut Outputs) {
        let mut end = Instant::now() + SETUP;
        let enough = (wanted * 3 / 4).max(FEWEST);
        let mut hurried = false;
        while !self.streams.is_empty() || self.allocated.len() < self.legs.len() {
            tokio::select! {
                Some(stream) = self.streams.next() => {
                    self.legs.extend(stream.map(|s| (s.leg, s)));
                }
                Some(output) = outputs.recv() => self.on_output(output),
                () = tokio::time::sleep_until(end) => {
                    tracing::debug!("some TURN allocations are late");
                    return;
                }
            }
            if self.allocated.len() >= enough && !std::mem::replace(&mut hurried, true) {
                end = end.min(Instant::now() + LATE);
            }
        }
    }

    fn on_output(&mut self, output: LegOutput) {
        match output.event {
            LegEvent::Allocated(addr) => {
                self.allocated.insert(output.leg, addr.into_inner());
            }
            LegEvent::Closed(end) => {
                tracing::debug!(%end, "a TURN leg ended during its set-up");
                self.legs.remove(&output.leg);
                self.allocated.remove(&output.leg);
            }
            LegEvent::Packet(_) => {}
            _ => self.early.push(output),
        }
    }

    /// The peer is told one address and the ports in the order of the legs, so they are numbered
    /// anew, without gaps.
    fn numbered(
        mut self,
        wanted: usize,
        purse: Purse,
        sender: mpsc::Sender<LegOutput>,
        mut outputs: Outputs,
    ) -> Result<OpenedTurn, Reason> {
        let (address, chosen) = at_one_address(&self.allocated).ok_or(Reason::TurnUnreachable)?;
        let ports = chosen.iter().map(|(_, port)| *port).collect();
        let candidates = Candidates::new(address, ports).map_err(|_| Reason::TurnUnreachable)?;
        let numbers: BTreeMap<LegIndex, LegIndex> = chosen
            .iter()
            .zip(0_u8..)
            .map(|((leg, _), number)| (*leg, LegIndex(number)))
            .collect();
        let (mut handles, mut hops) = (BTreeMap::new(), BTreeMap::new());
        for (leg, number) in &numbers {
            if let Some(streaming) = self.legs.remove(leg) {
                handles.insert(*number, streaming.handle);
                hops.extend(streaming.hops.map(|hops| (*number, hops)));
            }
        }
        let known = |output: LegOutput| {
            let leg = *numbers.get(&output.leg)?;
            Some(LegOutput { leg, ..output })
        };
        let early = self.early.into_iter().filter_map(known).collect();
        outputs.renumber(numbers);
        Ok(OpenedTurn {
            handles,
            candidates,
            hops,
            purse: Arc::new(Mutex::new(purse)),
            wanted: u8::try_from(wanted).map_err(|_| Reason::Internal)?,
            sender,
            outputs,
            early,
        })
    }
}

/// The address that most allocations have, and their ports; `None` if too few share one.
fn at_one_address(
    allocated: &BTreeMap<LegIndex, SocketAddr>,
) -> Option<(IpAddr, Vec<(LegIndex, u16)>)> {
    let mut by_address: BTreeMap<IpAddr, Vec<(LegIndex, u16)>> = BTreeMap::new();
    for (leg, addr) in allocated {
        let same = by_address.entry(addr.ip()).or_default();
        same.push((*leg, addr.port()));
    }
    let most = by_address.into_iter().max_by_key(|(_, legs)| legs.len())?;
    (most.1.len() >= FEWEST).then_some(most)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn allocated(legs: &[(u8, &str)]) -> BTreeMap<LegIndex, SocketAddr> {
        let parsed = |(leg, addr): &(u8, &str)| (LegIndex(*leg), addr.parse().expect("an address"));
        legs.iter().map(parsed).collect()
    }

    #[test]
    fn legs_that_failed_leave_the_others_in_order() {
        let left = allocated(&[(2, "192.0.2.1:50002"), (5, "192.0.2.1:50005")]);
        let (address, legs) = at_one_address(&left).expect("enough");
        assert_eq!(address, IpAddr::from([192, 0, 2, 1]));
        assert_eq!(legs, [(LegIndex(2), 50_002), (LegIndex(5), 50_005)]);
    }

    #[test]
    fn most_decide_where_a_servers_addresses_differ() {
        let mixed = allocated(&[
            (0, "192.0.2.9:50000"),
            (1, "192.0.2.1:50001"),
            (3, "192.0.2.1:50003"),
        ]);
        let (_, legs) = at_one_address(&mixed).expect("enough");
        assert_eq!(legs, [(LegIndex(1), 50_001), (LegIndex(3), 50_003)]);
        let apart = allocated(&[(0, "192.0.2.9:50000"), (1, "192.0.2.1:50001")]);
        assert!(at_one_address(&apart).is_none());
    }
}
