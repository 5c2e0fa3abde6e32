//! The channels of one allocation: which peer has which, and when each is renewed.

use std::net::SocketAddr;

use rtc_turn::proto::channum::MIN_CHANNEL_NUMBER;
use tacit_types::{LegIndex, Timestamp};

use super::codec::Request;
use crate::leg::{Peer, PeerError};
use crate::limits::{BIND_REFRESH_COMPANY, MAX_PEERS};

/// One channel, from the peer's first mention to the end of the allocation: a channel cannot be
/// unbound and its number is not used again.
#[derive(Clone, Copy)]
pub(super) struct Binding {
    pub(super) leg: LegIndex,
    addr: SocketAddr,
    channel: u16,
    pub(super) state: BindState,
    /// Times that it was asked for too early, see [`MAX_EARLY_BINDS`](crate::limits::MAX_EARLY_BINDS).
    pub(super) early: u8,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum BindState {
    /// To be asked for once there is an allocation, or with it.
    Wanted,
    /// Asked for.
    Requested,
    Bound {
        renew_at: Timestamp,
    },
    /// Bound; the renewal is under way.
    Renewing,
    /// The server refused, or the engine forgot it.
    Gone,
}

impl Binding {
    pub(super) const fn is_bound(&self) -> bool {
        matches!(self.state, BindState::Bound { .. } | BindState::Renewing)
    }

    pub(super) const fn request(&self) -> Request {
        Request::Bind {
            leg: self.leg,
            channel: self.channel,
            addr: self.addr,
        }
    }
}

/// All channels of an allocation, in the order of their numbers.
#[derive(Default)]
pub(super) struct Bindings(Vec<Binding>);

impl Bindings {
    pub(super) fn add(&mut self, peer: Peer) -> Result<(), PeerError> {
        let addr = *peer.addr.reveal();
        let live = |b: &Binding| b.state != BindState::Gone;
        if self
            .0
            .iter()
            .any(|b| live(b) && (b.leg == peer.leg || b.addr == addr))
        {
            return Err(PeerError::Known);
        }
        // An address keeps its channel for as long as the allocation lives (RFC 8656 §12).
        if let Some(known) = self.0.iter_mut().find(|b| b.addr == addr) {
            *known = Binding {
                leg: peer.leg,
                state: BindState::Wanted,
                early: 0,
                ..*known
            };
            return Ok(());
        }
        if self.0.len() == MAX_PEERS {
            return Err(PeerError::TooMany);
        }
        let ordinal = u16::try_from(self.0.len()).expect("MAX_PEERS is far below 65536");
        let channel = MIN_CHANNEL_NUMBER + ordinal;
        let state = BindState::Wanted;
        self.0.push(Binding {
            leg: peer.leg,
            addr,
            channel,
            state,
            early: 0,
        });
        Ok(())
    }

    /// The binding of a peer's leg that is not gone.
    pub(super) fn get_mut(&mut self, leg: LegIndex) -> Option<&mut Binding> {
        self.0
            .iter_mut()
            .find(|b| b.leg == leg && b.state != BindState::Gone)
    }

    /// The channel on which packets to that peer's leg travel.
    pub(super) fn channel_to(&self, leg: LegIndex) -> Option<u16> {
        self.0
            .iter()
            .find(|b| b.leg == leg && b.is_bound())
            .map(|b| b.channel)
    }

    /// Whose packets come on a channel.
    pub(super) fn peer_on(&self, channel: u16) -> Option<LegIndex> {
        let ordinal = channel.checked_sub(MIN_CHANNEL_NUMBER)?;
        self.0
            .get(usize::from(ordinal))
            .filter(|b| b.is_bound())
            .map(|b| b.leg)
    }

    pub(super) fn next_renewal(&self) -> Option<Timestamp> {
        self.0.iter().filter_map(Binding::renew_at).min()
    }

    /// Marks every wanted binding as asked for and returns the requests.
    pub(super) fn request_wanted(&mut self) -> Vec<Request> {
        let wanted = self.0.iter_mut().filter(|b| b.state == BindState::Wanted);
        wanted
            .map(|b| {
                b.state = BindState::Requested;
                b.request()
            })
            .collect()
    }

    /// Marks the bindings that are due as being renewed and returns the requests; the last write,
    /// which holds `per_write` of them, is filled up with what is due soon.
    pub(super) fn request_renewals(&mut self, now: Timestamp, per_write: usize) -> Vec<Request> {
        let mut soon: Vec<&mut Binding> = self
            .0
            .iter_mut()
            .filter(|b| b.renew_at().is_some())
            .collect();
        soon.sort_by_key(|b| b.renew_at());
        let due = soon.iter().filter(|b| b.renew_at() <= Some(now)).count();
        let company = soon
            .iter()
            .filter(|b| b.renew_at() <= Some(now + BIND_REFRESH_COMPANY))
            .count();
        let taken = due.next_multiple_of(per_write.max(1)).min(company);
        soon.into_iter()
            .take(taken)
            .map(|b| {
                b.state = BindState::Renewing;
                b.request()
            })
            .collect()
    }
}

impl Binding {
    const fn renew_at(&self) -> Option<Timestamp> {
        match self.state {
            BindState::Bound { renew_at } => Some(renew_at),
            _ => None,
        }
    }
}
