//! Who may open an onion leg: whoever shows one of the call's one-time leg secrets, soon and not
//! too often.

use core::time::Duration;
use std::collections::BTreeSet;
use std::sync::Arc;

use subtle::{ConditionallySelectable, ConstantTimeEq};
use tacit_types::limits::{MAX_LEGS, PACKET_BYTES};
use tacit_types::{LegIndex, SecretBytes, Timestamp};
use zeroize::Zeroize;

use super::LEG_SECRET_BYTES;
use crate::limits::{
    JOIN_BURST_PERIOD, JOIN_TIMEOUT, JOINS_FIRST_MINUTE, JOINS_PER_MINUTE, MAX_PENDING_JOINS,
};

/// Why a stream is closed instead of becoming a leg.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum JoinRefusal {
    /// No leg of the call has this secret (any more).
    #[error("no leg of this call has that secret")]
    UnknownSecret,
    /// The join packet was not complete in time, or the stream ended before.
    #[error("the join packet was not complete in time")]
    Incomplete,
    /// 16 joins in the first minute, then two a minute.
    #[error("too many joins")]
    TooManyJoins,
    /// 16 legs are live, or 16 streams are in the middle of their join packets.
    #[error("too many streams at once")]
    TooManyAtOnce,
}

/// The accepting side of a call's onion legs.
#[derive(Debug)]
pub struct JoinAcceptor {
    expected: Vec<(LegIndex, SecretBytes<LEG_SECRET_BYTES>)>,
    live: BTreeSet<LegIndex>,
    budget: JoinBudget,
    pending: Arc<()>,
    refused: u64,
}

/// A stream that has not delivered its whole join packet yet. Dropping it gives up its place.
pub struct PendingJoin {
    bytes: [u8; PACKET_BYTES],
    filled: usize,
    deadline: Timestamp,
    _place: Arc<()>,
}

impl JoinAcceptor {
    /// An acceptor for a call that starts `now`; it expects nobody yet.
    #[must_use]
    pub fn new(now: Timestamp) -> Self {
        Self {
            expected: Vec::new(),
            live: BTreeSet::new(),
            budget: JoinBudget::new(now),
            pending: Arc::new(()),
            refused: 0,
        }
    }

    /// Lets the stream that shows `secret` become `leg`, once. Full (16 expected) drops the oldest
    /// expectation: its stream never came.
    pub fn expect(&mut self, leg: LegIndex, secret: SecretBytes<LEG_SECRET_BYTES>) {
        self.expected.retain(|(known, _)| *known != leg);
        if self.expected.len() == MAX_LEGS {
            self.expected.remove(0);
        }
        self.expected.push((leg, secret));
    }

    /// A stream arrived.
    ///
    /// # Errors
    ///
    /// When the stream must be closed at once.
    pub fn open(&mut self, now: Timestamp) -> Result<PendingJoin, JoinRefusal> {
        // One count is our own.
        let at_once = Arc::strong_count(&self.pending) > MAX_PENDING_JOINS;
        if at_once || self.live.len() >= MAX_LEGS {
            return self.refuse(JoinRefusal::TooManyAtOnce);
        }
        if !self.budget.allows(now) {
            return self.refuse(JoinRefusal::TooManyJoins);
        }
        Ok(PendingJoin {
            bytes: [0; PACKET_BYTES],
            filled: 0,
            deadline: now + JOIN_TIMEOUT,
            _place: Arc::clone(&self.pending),
        })
    }

    /// The stream delivered its join packet, ended or ran out of time: decides which leg it is.
    /// The secret is used up.
    ///
    /// # Errors
    ///
    /// When the stream must be closed.
    pub fn finish(&mut self, join: PendingJoin, now: Timestamp) -> Result<LegIndex, JoinRefusal> {
        if join.filled < PACKET_BYTES || now > join.deadline {
            return self.refuse(JoinRefusal::Incomplete);
        }
        let Some(position) = self.position_of(&join.bytes) else {
            return self.refuse(JoinRefusal::UnknownSecret);
        };
        if self.live.len() >= MAX_LEGS {
            return self.refuse(JoinRefusal::TooManyAtOnce);
        }
        if !self.budget.try_spend(now) {
            return self.refuse(JoinRefusal::TooManyJoins);
        }
        let (leg, _) = self.expected.remove(position);
        self.live.insert(leg);
        Ok(leg)
    }

    /// A leg that joined is gone: its place is free, its secret stays used up.
    pub fn closed(&mut self, leg: LegIndex) {
        self.live.remove(&leg);
    }

    /// Streams that were closed instead of becoming legs.
    #[must_use]
    pub const fn refused(&self) -> u64 {
        self.refused
    }

    /// Looks at every expected secret whatever matches, so that time tells nothing.
    fn position_of(&self, join_packet: &[u8; PACKET_BYTES]) -> Option<usize> {
        let shown = &join_packet[..LEG_SECRET_BYTES];
        let mut found = u8::MAX;
        for (position, (_, secret)) in (0u8..).zip(&self.expected) {
            found.conditional_assign(&position, secret.expose().as_slice().ct_eq(shown));
        }
        (found != u8::MAX).then_some(usize::from(found))
    }

    fn refuse<T>(&mut self, refusal: JoinRefusal) -> Result<T, JoinRefusal> {
        self.refused = self.refused.saturating_add(1);
        Err(refusal)
    }
}

impl PendingJoin {
    /// Where the next bytes of the stream go. Never more than the join packet: what follows it
    /// belongs to the leg.
    pub fn unfilled(&mut self) -> &mut [u8] {
        &mut self.bytes[self.filled..]
    }

    /// `read` bytes were put into [`unfilled`](Self::unfilled). Returns whether it is complete.
    pub fn advance(&mut self, read: usize) -> bool {
        self.filled = (self.filled + read).min(PACKET_BYTES);
        self.filled == PACKET_BYTES
    }

    /// When the stream has run out of time.
    #[must_use]
    pub const fn deadline(&self) -> Timestamp {
        self.deadline
    }
}

impl Drop for PendingJoin {
    fn drop(&mut self) {
        self.bytes.zeroize();
    }
}

impl core::fmt::Debug for PendingJoin {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("PendingJoin")
            .field("filled", &self.filled)
            .finish_non_exhaustive()
    }
}

/// 16 joins in the first minute; after it a bucket of two that fills at two a minute.
#[derive(Debug)]
struct JoinBudget {
    burst_ends: Timestamp,
    left: u32,
    refilled_at: Timestamp,
}

impl JoinBudget {
    fn new(now: Timestamp) -> Self {
        let burst_ends = now + JOIN_BURST_PERIOD;
        Self {
            burst_ends,
            left: JOINS_FIRST_MINUTE,
            refilled_at: burst_ends,
        }
    }

    fn refill(&mut self, now: Timestamp) {
        const PERIOD: Duration = Duration::from_secs(60 / JOINS_PER_MINUTE as u64);
        if now < self.burst_ends {
            return;
        }
        // What the first minute left over does not carry into the slow time.
        self.left = self.left.min(JOINS_PER_MINUTE);
        while self.refilled_at + PERIOD <= now {
            self.refilled_at += PERIOD;
            if self.left == JOINS_PER_MINUTE {
                self.refilled_at = now;
                break;
            }
            self.left += 1;
        }
    }

    fn allows(&mut self, now: Timestamp) -> bool {
        self.refill(now);
        self.left > 0
    }

    fn try_spend(&mut self, now: Timestamp) -> bool {
        let allowed = self.allows(now);
        if allowed {
            self.left -= 1;
        }
        allowed
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const START: Timestamp = Timestamp::from_micros(7_000_000);

    fn secret(n: u8) -> SecretBytes<LEG_SECRET_BYTES> {
        SecretBytes::new([n; LEG_SECRET_BYTES])
    }

    fn show(acceptor: &mut JoinAcceptor, n: u8, now: Timestamp) -> Result<LegIndex, JoinRefusal> {
        let mut join = acceptor.open(now)?;
        join.unfilled()[..LEG_SECRET_BYTES].copy_from_slice(secret(n).expose());
        join.advance(PACKET_BYTES);
        acceptor.finish(join, now)
    }

    fn after(seconds: u64) -> Timestamp {
        START + Duration::from_secs(seconds)
    }

    #[test]
    fn each_secret_opens_its_leg_once() {
        let mut acceptor = JoinAcceptor::new(START);
        for n in 0..MAX_LEGS as u8 {
            acceptor.expect(LegIndex(n), secret(n));
        }
        for n in (0..MAX_LEGS as u8).rev() {
            assert_eq!(show(&mut acceptor, n, START), Ok(LegIndex(n)));
            acceptor.closed(LegIndex(n));
            assert!(show(&mut acceptor, n, START).is_err());
        }
        assert_eq!(acceptor.refused(), MAX_LEGS as u64);
    }

    #[test]
    fn strangers_and_the_late_are_refused_and_cost_no_secret() {
        let mut acceptor = JoinAcceptor::new(START);
        acceptor.expect(LegIndex(1), secret(1));
        assert_eq!(
            show(&mut acceptor, 2, START),
            Err(JoinRefusal::UnknownSecret)
        );
        let mut slow = acceptor.open(START).unwrap();
        assert!(!slow.advance(PACKET_BYTES - 1));
        assert_eq!(acceptor.finish(slow, START), Err(JoinRefusal::Incomplete));
        let mut late = acceptor.open(START).unwrap();
        late.unfilled()[..32].copy_from_slice(secret(1).expose());
        late.advance(PACKET_BYTES);
        let too_late = late.deadline() + Duration::from_micros(1);
        assert_eq!(
            acceptor.finish(late, too_late),
            Err(JoinRefusal::Incomplete)
        );
        assert_eq!(show(&mut acceptor, 1, START), Ok(LegIndex(1)));
    }

    #[test]
    fn sixteen_joins_in_the_first_minute_then_two_a_minute() {
        let mut acceptor = JoinAcceptor::new(START);
        let mut next = 0u8;
        let mut joins_by = |acceptor: &mut JoinAcceptor, now| {
            let mut joined = 0;
            for _ in 0..20 {
                acceptor.expect(LegIndex(next), secret(next));
                match show(acceptor, next, now) {
                    Ok(leg) => {
                        acceptor.closed(leg);
                        joined += 1;
                    }
                    Err(refusal) => assert_eq!(refusal, JoinRefusal::TooManyJoins),
                }
                next = next.wrapping_add(1);
            }
            joined
        };
        assert_eq!(joins_by(&mut acceptor, START), 16);
        assert_eq!(joins_by(&mut acceptor, after(59)), 0);
        assert_eq!(joins_by(&mut acceptor, after(89)), 0);
        assert_eq!(joins_by(&mut acceptor, after(90)), 1);
        assert_eq!(joins_by(&mut acceptor, after(120)), 1);
        assert_eq!(joins_by(&mut acceptor, after(121)), 0);
        assert_eq!(joins_by(&mut acceptor, after(3600)), 2);
        assert_eq!(joins_by(&mut acceptor, after(3600)), 0);
    }

    #[test]
    fn at_most_sixteen_are_live_and_sixteen_pending() {
        let mut acceptor = JoinAcceptor::new(START);
        let pending: Vec<_> = (0..MAX_PENDING_JOINS)
            .map(|_| acceptor.open(START).unwrap())
            .collect();
        assert_eq!(
            acceptor.open(START).unwrap_err(),
            JoinRefusal::TooManyAtOnce
        );
        drop(pending);
        for n in 0..MAX_LEGS as u8 {
            acceptor.expect(LegIndex(n), secret(n));
            assert_eq!(show(&mut acceptor, n, START), Ok(LegIndex(n)));
        }
        acceptor.expect(LegIndex(99), secret(99));
        assert_eq!(
            show(&mut acceptor, 99, after(200)),
            Err(JoinRefusal::TooManyAtOnce)
        );
        acceptor.closed(LegIndex(0));
        assert_eq!(show(&mut acceptor, 99, after(200)), Ok(LegIndex(99)));
    }

    #[test]
    fn forgotten_expectations_make_room() {
        let mut acceptor = JoinAcceptor::new(START);
        for n in 0..=MAX_LEGS as u8 {
            acceptor.expect(LegIndex(n), secret(n));
        }
        assert_eq!(
            show(&mut acceptor, 0, START),
            Err(JoinRefusal::UnknownSecret)
        );
        assert_eq!(show(&mut acceptor, 1, START), Ok(LegIndex(1)));
    }
}
