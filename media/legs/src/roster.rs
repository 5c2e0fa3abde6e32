//! Which TURN legs the peer has told of, and where they are.
//!
//! ```text
//!   signaling: one address, up to 16 ports ──► legs 0, 1, 2, …     once
//!   control lane: index and port           ──► one more leg        during the call
//!   control lane: index                    ──► one less
//! ```
//!
//! All of it is the peer's word, and each leg makes each of ours bind a channel. So whatever comes,
//! it is one address, at most 16 legs at once and 64 in a call, not many in a short time, and no
//! index ever means another leg than before.

use core::fmt;
use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};

use tacit_types::{LegIndex, Redacted, Timestamp};

use crate::candidate::CandidatePolicy;
use crate::leg::Peer;
use crate::limits::{MAX_CANDIDATES, MAX_PEERS, NEW_LEG_EVERY, NEW_LEGS_AT_ONCE};

/// Why what the peer told of a leg was not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RosterError {
    /// The peer has told no address at which its legs are.
    #[error("the peer has told no address for its legs")]
    NoAddress,
    /// The candidate policy refuses the address or the port.
    #[error("the leg is not at a public address")]
    NotPublic,
    /// The index is not above all before, or another leg is at that port.
    #[error("the leg is known already")]
    Known,
    /// 16 are there.
    #[error("too many legs at once")]
    TooManyAtOnce,
    /// 64 were there.
    #[error("too many legs in one call")]
    TooMany,
    /// Ten at once, then one every 30 s.
    #[error("too many new legs in a short time")]
    TooSoon,
    /// No such leg is there.
    #[error("no such leg")]
    Unknown,
}

/// The peer's TURN legs.
#[derive(Clone)]
pub struct Roster {
    policy: CandidatePolicy,
    address: Option<Redacted<IpAddr>>,
    ports: BTreeMap<LegIndex, u16>,
    /// Of legs that are gone and not forgotten: ours may still have bound them.
    parting: BTreeMap<LegIndex, u16>,
    highest: Option<LegIndex>,
    /// Legs that were ever taken.
    taken: usize,
    /// When as many new legs may come at once again as at first.
    rested_at: Timestamp,
}

impl Roster {
    /// Nothing is known yet.
    #[must_use]
    pub const fn new(policy: CandidatePolicy) -> Self {
        Self {
            policy,
            address: None,
            ports: BTreeMap::new(),
            parting: BTreeMap::new(),
            highest: None,
            taken: 0,
            rested_at: Timestamp::ZERO,
        }
    }

    /// The peer's candidates came by signaling: its legs are numbered in the order of the ports.
    /// Returns those that are new and may be used. A second address is refused, as are the indices
    /// that are known already.
    pub fn begin(&mut self, address: IpAddr, ports: &[u16]) -> Vec<Peer> {
        let address = Redacted::new(address);
        if *self.address.get_or_insert(address) != address {
            return Vec::new();
        }
        let legs = (0..).map(LegIndex).zip(ports).take(MAX_CANDIDATES);
        legs.filter_map(|(leg, port)| self.take(leg, *port).ok())
            .collect()
    }

    /// The peer has one more leg, at the address that it has told before.
    ///
    /// # Errors
    ///
    /// When the leg cannot be taken; nothing has changed.
    pub fn add(&mut self, leg: LegIndex, port: u16, now: Timestamp) -> Result<Peer, RosterError> {
        let from = self.rested_at.max(now);
        if from > now + NEW_LEG_EVERY * (NEW_LEGS_AT_ONCE - 1) {
            return Err(RosterError::TooSoon);
        }
        let peer = self.take(leg, port)?;
        self.rested_at = from + NEW_LEG_EVERY;
        Ok(peer)
    }

    fn take(&mut self, leg: LegIndex, port: u16) -> Result<Peer, RosterError> {
        let address = self.address.ok_or(RosterError::NoAddress)?;
        let addr = SocketAddr::new(*address.reveal(), port);
        let known = self.highest.is_some_and(|highest| leg <= highest);
        let mut taken = self.ports.values().chain(self.parting.values());
        if known || taken.any(|p| *p == port) {
            return Err(RosterError::Known);
        }
        if self.ports.len() >= MAX_CANDIDATES {
            return Err(RosterError::TooManyAtOnce);
        }
        if self.taken >= MAX_PEERS {
            return Err(RosterError::TooMany);
        }
        if !self.policy.accepts(addr) {
            return Err(RosterError::NotPublic);
        }
        self.highest = Some(leg);
        self.taken += 1;
        self.ports.insert(leg, port);
        Ok(Peer::new(leg, addr))
    }

    /// The peer uses one of its legs no more. Its index never comes back; its port is free once it is
    /// [forgotten](Self::forget).
    ///
    /// # Errors
    ///
    /// When there is no such leg.
    pub fn remove(&mut self, leg: LegIndex) -> Result<(), RosterError> {
        let port = self.ports.remove(&leg).ok_or(RosterError::Unknown)?;
        self.parting.insert(leg, port);
        Ok(())
    }

    /// None of ours binds a leg that is gone any more.
    pub fn forget(&mut self, leg: LegIndex) {
        self.parting.remove(&leg);
    }

    /// Whether the peer has this leg now.
    #[must_use]
    pub fn contains(&self, leg: LegIndex) -> bool {
        self.ports.contains_key(&leg)
    }

    /// All legs that the peer has now, as one of ours binds them.
    #[must_use]
    pub fn peers(&self) -> Vec<Peer> {
        let Some(address) = self.address else {
            return Vec::new();
        };
        let peer =
            |(leg, port): (&LegIndex, &u16)| Peer::new(*leg, (*address.reveal(), *port).into());
        self.ports.iter().map(peer).collect()
    }
}

impl fmt::Debug for Roster {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Roster")
            .field("legs", &self.ports.keys())
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use core::time::Duration;

    use proptest::prelude::*;

    use super::*;

    const HOST: [u8; 4] = [9, 9, 9, 9];
    const NOW: Timestamp = Timestamp::from_micros(1_000_000);

    fn roster(ports: &[u16]) -> Roster {
        let mut roster = Roster::new(CandidatePolicy::public_only());
        roster.begin(HOST.into(), ports);
        roster
    }

    fn seconds(n: u64) -> Timestamp {
        NOW + Duration::from_secs(n)
    }

    #[test]
    fn candidates_are_numbered_in_their_order() {
        let mut roster = Roster::new(CandidatePolicy::public_only());
        // A port that is none of a TURN server's leaves a gap, as does one that is there already.
        let peers = roster.begin(HOST.into(), &[2000, 80, 2002, 2000, 2004]);
        let expected = [(0, 2000), (2, 2002), (4, 2004)]
            .map(|(leg, port)| Peer::new(LegIndex(leg), (HOST, port).into()));
        assert_eq!(peers, expected);
        assert_eq!(roster.peers(), expected);
        // A longer list adds what is behind the first.
        let more = roster.begin(HOST.into(), &[3000, 3001, 3002, 3003, 3004, 3005]);
        assert_eq!(more, [Peer::new(LegIndex(5), (HOST, 3005).into())]);
    }

    #[test]
    fn one_address_and_sixteen_ports_are_taken() {
        let mut roster = Roster::new(CandidatePolicy::public_only());
        let ports: Vec<u16> = (2000..2040).collect();
        assert_eq!(roster.begin(HOST.into(), &ports).len(), 16);
        assert_eq!(roster.begin([8, 8, 8, 8].into(), &ports), []);
        assert!(
            roster
                .peers()
                .iter()
                .all(|p| p.addr.reveal().ip() == IpAddr::from(HOST))
        );
        let refused = Err(RosterError::TooManyAtOnce);
        assert_eq!(roster.add(LegIndex(16), 3000, NOW), refused);
        roster.remove(LegIndex(3)).unwrap();
        assert!(roster.add(LegIndex(16), 3000, NOW).is_ok());
    }

    #[test]
    fn an_address_that_is_refused_has_no_legs() {
        let mut roster = Roster::new(CandidatePolicy::public_only());
        assert_eq!(roster.begin([127, 0, 0, 1].into(), &[2000, 2001]), []);
        let refused = roster.add(LegIndex(2), 2002, NOW);
        assert_eq!(refused, Err(RosterError::NotPublic));
        assert_eq!(roster.peers(), []);
    }

    #[test]
    fn a_leg_that_cannot_be_is_refused_and_changes_nothing() {
        let mut unknown = Roster::new(CandidatePolicy::public_only());
        let refused = unknown.add(LegIndex(0), 2000, NOW);
        assert_eq!(refused, Err(RosterError::NoAddress));
        let mut roster = roster(&[2000, 2001]);
        let before = roster.peers();
        for (leg, port, why) in [
            (0, 3000, RosterError::Known),
            (1, 2001, RosterError::Known),
            (2, 2001, RosterError::Known),
            (2, 1023, RosterError::NotPublic),
            (2, 0, RosterError::NotPublic),
        ] {
            assert_eq!(
                roster.add(LegIndex(leg), port, NOW),
                Err(why),
                "{leg} {port}"
            );
        }
        assert_eq!(roster.remove(LegIndex(2)), Err(RosterError::Unknown));
        assert_eq!(roster.peers(), before);
        // An index never means another leg, gone or not.
        roster.remove(LegIndex(1)).unwrap();
        assert_eq!(roster.remove(LegIndex(1)), Err(RosterError::Unknown));
        assert_eq!(roster.add(LegIndex(1), 4000, NOW), Err(RosterError::Known));
        // The port of a leg that is gone may be anybody's next, once ours have let go of it.
        let early = roster.add(LegIndex(2), 2001, NOW);
        assert_eq!(early, Err(RosterError::Known));
        roster.forget(LegIndex(1));
        assert!(roster.add(LegIndex(2), 2001, NOW).is_ok());
    }

    /// One that comes goes at once: what an honest peer never does, but may.
    fn flood(roster: &mut Roster, leg: u8, now: Timestamp) -> Result<(), RosterError> {
        let leg = LegIndex(leg);
        roster.add(leg, 3000 + u16::from(leg.0), now)?;
        roster.remove(leg)?;
        roster.forget(leg);
        Ok(())
    }

    #[test]
    fn ten_legs_come_at_once_and_then_two_a_minute_and_sixty_four_in_all() {
        let mut roster = roster(&[2000; 1]);
        let (mut next, mut when) = (1, Vec::new());
        for second in 0..3600 {
            while flood(&mut roster, next, seconds(second)).is_ok() {
                when.push(second);
                next += 1;
            }
        }
        assert_eq!(when.len(), 63, "with the first, 64");
        assert_eq!(when[..10], [0; 10]);
        assert!(when[10..].iter().zip(1..).all(|(at, n)| *at == 30 * n));
        assert_eq!(
            flood(&mut roster, next, seconds(7200)),
            Err(RosterError::TooMany)
        );
    }

    /// Every leg that a peer of this program may replace is taken, however long the call.
    #[test]
    fn an_honest_peer_is_never_refused() {
        let mut roster = roster(&(2000..2012).collect::<Vec<_>>());
        let first = (0..8).map(|n| 5 * n);
        let later = (0..32).map(|n| 75 + 35 * n);
        for (leg, second) in (12..).zip(first.chain(later)) {
            let added = roster.add(LegIndex(leg), 3000 + u16::from(leg), seconds(second));
            assert!(added.is_ok(), "{leg} {added:?}");
            roster.remove(LegIndex(leg - 12)).unwrap();
        }
        assert_eq!(roster.peers().len(), 12);
    }

    proptest! {
        /// Whatever is told, in whatever order: the bounds hold, and no index means two legs.
        #[test]
        fn the_bounds_hold(
            told in prop::collection::vec((any::<bool>(), 0u8..80, any::<u16>(), 0u64..600), 0..400),
        ) {
            let mut roster = roster(&[2000, 2001]);
            let mut meant = BTreeMap::new();
            let mut clock = NOW;
            for (add, leg, port, wait) in told {
                clock += Duration::from_millis(100 * wait);
                let leg = LegIndex(leg);
                if !add {
                    let there = roster.contains(leg);
                    prop_assert_eq!(roster.remove(leg).is_ok(), there);
                } else if let Ok(peer) = roster.add(leg, port, clock) {
                    prop_assert!(port >= 1024 && peer.leg == leg);
                    prop_assert_eq!(meant.insert(leg, port), None);
                }
                prop_assert!(roster.peers().len() <= MAX_CANDIDATES && meant.len() <= MAX_PEERS);
            }
        }
    }
}
