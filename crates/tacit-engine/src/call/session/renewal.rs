//! Legs that give way to others: which is decided by the scheduler's replacer, opening and closing
//! is done here, by the side that opens legs; of TURN legs each side opens its own.
//!
//! ```text
//!   a leg is bad ──► another is opened beside it ──► it works: the bad one rests and is closed
//!                                                └─► it does not come, or nothing arrives: it is let go
//! ```
//!
//! The other legs notice nothing: there is one packet every 20 ms, and each takes one leg.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use tacit_paths::limits::LEG_PROOF;
use tacit_paths::{Allowance, Fault, Replacer};
use tacit_types::limits::MAX_LEGS;
use tacit_types::{LegIndex, LegKind, Redacted, Timestamp};
use tokio::sync::Mutex;

use super::super::allocations::OneMore;
use super::super::legs::open_onion_stream;
use super::{Call, Session};
use crate::api::Event;
use crate::credentials::Purse;
use crate::shared::Shared;

/// Where no other leg is left, one that the peer was told of is waited for so long after the last packet:
/// longer than the peer takes to bind it.
const LAST_HOPE: Duration = Duration::from_secs(5);

/// What is being done about bad legs.
pub(super) struct Renewal {
    replacer: Replacer,
    /// New legs, by their numbers, until they have shown that they work.
    coming: BTreeMap<LegIndex, Coming>,
}

/// What more TURN legs are opened with.
pub(super) struct Allocating {
    pub(super) purse: Arc<Mutex<Purse>>,
    /// At which our legs are reached. The peer was told no other.
    pub(super) address: IpAddr,
}

/// A new leg and the one that it is to replace.
#[derive(Debug)]
struct Coming {
    /// Gone by itself, if there is none.
    old: Option<(LegIndex, Fault)>,
    /// Relays of its circuit, if they are to be told.
    hops: Option<Vec<String>>,
    /// Of a TURN leg: where it is reached, once that is known.
    at: Option<Redacted<SocketAddr>>,
    /// When it came up: a TURN leg when the peer was told of it.
    up: Option<Timestamp>,
}

impl Renewal {
    /// Of a call whose legs are opened now.
    pub(super) fn new(kind: LegKind, legs: u8, now: Timestamp) -> Self {
        let allowance = Allowance::new(kind, usize::from(legs));
        Self {
            replacer: Replacer::new(allowance, now),
            coming: BTreeMap::new(),
        }
    }

    /// A leg is gone, or did not come.
    pub(super) fn on_gone(&mut self, leg: LegIndex) {
        if let Some(coming) = self.coming.remove(&leg) {
            self.stays(&coming);
        }
        for coming in self.coming.values_mut() {
            coming.old = coming.old.filter(|(old, _)| *old != leg);
        }
        self.replacer.on_gone(leg);
    }

    fn stays(&mut self, coming: &Coming) {
        if let Some((old, _)) = coming.old {
            self.replacer.on_failed(old);
        }
    }

    /// Whether a leg that is expected has come up.
    fn has_come(&self, leg: LegIndex) -> bool {
        self.coming
            .get(&leg)
            .is_none_or(|coming| coming.up.is_some())
    }

    /// Whether none of these TURN legs works, or may yet, when no packet has come for so long: the peer
    /// cannot be told of a new one over itself, but of some it has been. How long ago that was does not
    /// count, or one after the other would keep a call waiting that is lost.
    fn none_left<'a>(&self, up: impl IntoIterator<Item = &'a LegIndex>, silence: Duration) -> bool {
        let may_carry = |leg| {
            let coming = self.coming.get(leg);
            coming.is_none_or(|coming| coming.up.is_some() && silence <= LAST_HOPE)
        };
        !up.into_iter().any(may_carry)
    }

    /// Takes the new legs out of which this is true.
    fn take(&mut self, of: impl Fn(LegIndex, &Coming) -> bool) -> Vec<(LegIndex, Coming)> {
        let some = self.coming.extract_if(.., |leg, coming| of(*leg, coming));
        some.collect()
    }

    /// A leg that was expected is up; tells of it from here on as of any other.
    pub(super) fn on_up(&mut self, leg: LegIndex, now: Timestamp) {
        if let Some(coming) = self.coming.get_mut(&leg) {
            coming.up = Some(now);
        }
    }

    /// Notes the relays of a leg that is to be introduced. False if it is not expected any more.
    pub(super) fn note_hops(&mut self, leg: LegIndex, hops: Option<Vec<String>>) -> bool {
        let coming = self.coming.get_mut(&leg);
        coming.map(|coming| coming.hops = hops).is_some()
    }
}

impl Call {
    /// Lets legs rest whose successors work, opens what is missing, and has a bad leg replaced. To be
    /// asked every [`REPLACER_INTERVAL`](tacit_paths::limits::REPLACER_INTERVAL).
    pub(super) fn renew_legs(&self, s: &mut Session, at: Timestamp) {
        self.settle(s, at);
        let Some(renewal) = &mut s.renewal else {
            return;
        };
        // A call without legs is resumed, with all that it needs. And of a TURN leg the peer has to be
        // told, over others that work.
        let alone = s.kind == LegKind::Turn && !s.had_packet;
        let legs = s.handles.len() + s.opening;
        let mut up = s.handles.keys();
        let all_unproven =
            s.kind == LegKind::Turn && up.all(|leg| renewal.coming.contains_key(leg));
        if s.handles.is_empty() || alone || all_unproven || legs >= MAX_LEGS {
            return;
        }
        // Without a credential at hand a slow leg stays. Who holds the purse just now is about to know.
        let poor = s.allocating.as_ref().is_some_and(|own| {
            let purse = own.purse.try_lock();
            purse.is_ok_and(|purse| !purse.has_spare())
        });
        let old = if legs < usize::from(s.wanted) {
            if !renewal.replacer.reopen(at) {
                return;
            }
            None
        } else {
            let scheduler = s.core.scheduler();
            let next = if poor {
                renewal.replacer.next_dead(scheduler, at)
            } else {
                renewal.replacer.next(scheduler, at)
            };
            let Some((old, fault)) = next else {
                return;
            };
            tracing::debug!(leg = old.0, %fault, "a leg is to be replaced");
            Some((old, fault))
        };
        let coming = Coming {
            old,
            hops: None,
            at: None,
            up: None,
        };
        // Not for a leg that works: the server would learn that the call goes on.
        let may_visit = old.is_none_or(|(_, fault)| fault == Fault::Dead);
        let new = s.open_next(&self.shared, may_visit);
        let Some(renewal) = &mut s.renewal else {
            return;
        };
        match new {
            Some(new) => drop(renewal.coming.insert(new, coming)),
            // The call has used all the numbers that there are.
            None => renewal.stays(&coming),
        }
    }

    fn settle(&self, s: &mut Session, at: Timestamp) {
        let Some(renewal) = &mut s.renewal else {
            return;
        };
        let settled = renewal.take(|leg, _| s.core.scheduler().works(leg));
        let useless = renewal.take(|_, coming| {
            let waited = |up| at.saturating_since(up) > LEG_PROOF;
            coming.up.is_some_and(waited)
        });
        for (_, coming) in &useless {
            renewal.stays(coming);
        }
        for (new, coming) in settled {
            if let (Some((old, reason)), Some(renewal)) = (coming.old, &mut s.renewal) {
                renewal.replacer.on_up(old, new);
                s.core.rest_leg(old, at);
                self.shared.event(Event::LegReplaced {
                    call: self.id,
                    leg: old.0,
                    by: new.0,
                    reason,
                });
            }
        }
        for (new, _) in useless {
            s.core.rest_leg(new, at);
        }
    }

    /// A TURN leg that was opened during the call is reached there.
    pub(super) fn on_allocated(&self, s: &mut Session, leg: LegIndex, addr: SocketAddr) {
        let coming = s.renewal.as_mut().and_then(|r| r.coming.get_mut(&leg));
        if let Some(coming) = coming {
            coming.at = Some(Redacted::new(addr));
            self.introduce(s, leg);
        }
    }

    /// Tells the peer of a new TURN leg as soon as it is ours and allocated, in whatever order.
    pub(super) fn introduce(&self, s: &mut Session, leg: LegIndex) {
        let coming = s.renewal.as_mut().and_then(|r| r.coming.get_mut(&leg));
        let (Some(coming), Some(handle)) = (coming, s.handles.get(&leg)) else {
            return;
        };
        let (Some(addr), None) = (coming.at, coming.up) else {
            return;
        };
        let at = crate::clock::now();
        let addr = addr.into_inner();
        let home = s.allocating.as_ref().map(|own| own.address);
        if home != Some(addr.ip()) || !s.core.introduce_leg(leg, addr.port(), at) {
            tracing::debug!(leg = leg.0, "a new leg cannot be told to the peer");
            handle.close();
            return;
        }
        coming.up = Some(at);
        let hops = coming.hops.take();
        self.tell_leg_up(s, leg, hops);
    }
}

impl Session {
    /// Opens one more leg, on an index that was never used in this handshake.
    /// `may_visit`: whether credentials may be fetched for it.
    pub(super) fn open_next(&mut self, shared: &Shared, may_visit: bool) -> Option<LegIndex> {
        if self.next_leg == u8::MAX {
            return None;
        }
        let leg = LegIndex(self.next_leg);
        if let Some(target) = &self.target {
            open_onion_stream(shared.network(), target, leg, self.opened_sender.clone());
        } else {
            let allocating = self.allocating.as_ref()?;
            self.core.expect_leg(leg);
            self.outputs.expect(leg);
            let one_more = OneMore {
                network: Arc::clone(shared.network()),
                purse: Arc::clone(&allocating.purse),
                leg,
                policy: shared.candidates(),
                outputs: self.output_sender.clone(),
                report_circuits: shared.report_circuits(),
                may_visit,
            };
            one_more.open(self.opened_sender.clone());
        }
        self.next_leg += 1;
        self.opening += 1;
        Some(leg)
    }

    /// A leg is gone, or did not come. Returns whether it had been up.
    pub(super) fn note_gone(&mut self, leg: LegIndex) -> bool {
        let was_up = self.renewal.as_ref().is_none_or(|r| r.has_come(leg));
        if let Some(renewal) = &mut self.renewal {
            renewal.on_gone(leg);
        }
        was_up
    }

    /// Whether no leg is left that could carry the call.
    pub(super) fn none_left(&self, at: Timestamp) -> bool {
        let silence = at.saturating_since(self.last_packet);
        match (self.kind, &self.renewal) {
            (LegKind::Onion, _) => self.handles.is_empty() && self.opening == 0,
            (LegKind::Turn, None) => self.handles.is_empty(),
            (LegKind::Turn, Some(renewal)) => renewal.none_left(self.handles.keys(), silence),
        }
    }

    /// Closes all legs, also those that are still being opened: nobody will ask for them.
    pub(super) fn close_legs(&mut self) {
        for (_, handle) in std::mem::take(&mut self.handles) {
            handle.close();
        }
        // Who opens one gives up now; what has been reported is dropped, which closes it.
        self.opened.close();
        while self.opened.try_recv().is_ok() {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const OLD: LegIndex = LegIndex(11);
    const NEW: [LegIndex; 3] = [LegIndex(12), LegIndex(13), LegIndex(14)];

    fn at(millis: u64) -> Timestamp {
        Timestamp::from_micros(1000 * millis)
    }

    /// A call in its first minute that has one old leg and expects three new ones.
    fn renewal() -> Renewal {
        let mut renewal = Renewal::new(LegKind::Turn, 1, at(0));
        for leg in NEW {
            let coming = Coming {
                old: Some((OLD, Fault::Dead)),
                hops: None,
                at: None,
                up: None,
            };
            renewal.coming.insert(leg, coming);
        }
        renewal
    }

    /// Plays a call whose last packet came at 10 s, and of whose new legs the peer is told at these
    /// times; returns when it is given up.
    fn given_up(told: [u64; 3]) -> Option<u64> {
        let (mut renewal, last_packet) = (renewal(), at(10_000));
        renewal.on_gone(OLD);
        (10_000..60_000).step_by(10).find(|now| {
            for (leg, _) in NEW.iter().zip(told).filter(|(_, told)| told == now) {
                renewal.on_up(*leg, at(*now));
            }
            let silence = at(*now).saturating_since(last_packet);
            renewal.none_left(&NEW, silence)
        })
    }

    #[test]
    fn a_lost_call_waits_five_seconds_in_all_for_new_legs() {
        for told in [
            [10_000, 10_000, 10_000],
            [10_000, 12_000, 14_990],
            [10_000, 14_990, 15_100],
        ] {
            assert_eq!(given_up(told), Some(15_010), "{told:?}");
        }
    }

    #[test]
    fn new_legs_that_the_peer_was_not_told_of_are_not_waited_for() {
        assert_eq!(given_up([10_010, 10_010, 10_010]), Some(10_000));
    }

    #[test]
    fn a_leg_that_works_is_never_given_up() {
        let mut renewal = renewal();
        let silence = Duration::from_secs(600);
        assert!(!renewal.none_left(NEW.iter().chain([&OLD]), silence));
        assert!(renewal.none_left(&NEW, silence));
        // It has shown that it works.
        renewal.take(|leg, _| leg == NEW[1]);
        assert!(!renewal.none_left(&NEW, silence));
    }
}
