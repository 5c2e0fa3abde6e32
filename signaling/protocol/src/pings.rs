//! Pings at random intervals on a client's stream: cover, and news that the server is gone.

use crate::frame::{Frame, FrameBytes, Ping};
use crate::limits::{PING_SECONDS, PING_TIMEOUT};
use core::time::Duration;
use rand_chacha::ChaCha20Rng;
use rand_core::RngCore;
use tacit_types::Timestamp;

/// Draws from `[low, high)` seconds, in microseconds. The bias of the remainder is below 2^-38.
pub(crate) fn seconds_between(rng: &mut ChaCha20Rng, (low, high): (u64, u64)) -> Duration {
    Duration::from_micros(low * 1_000_000 + rng.next_u64() % ((high - low) * 1_000_000))
}

/// What a look at the clock brought.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum PingDue {
    /// Nothing yet.
    Nothing,
    /// Send this.
    Send(Box<FrameBytes>),
    /// The last ping was not echoed in time.
    Lost,
}

/// The ping clock of one stream.
#[derive(Debug)]
pub(crate) struct Pings {
    next: Timestamp,
    number: u64,
    waiting: Option<(u64, Timestamp)>,
}

impl Pings {
    pub(crate) fn new(rng: &mut ChaCha20Rng, now: Timestamp) -> Self {
        Self {
            next: now + seconds_between(rng, PING_SECONDS),
            number: 0,
            waiting: None,
        }
    }

    /// Sends a ping now, outside the random clock.
    pub(crate) fn send_now(&mut self, now: Timestamp) -> FrameBytes {
        self.number += 1;
        self.waiting = Some((self.number, now));
        Frame::Ping(Ping {
            echo: false,
            number: self.number,
        })
        .encode()
    }

    pub(crate) fn handle_timeout(&mut self, rng: &mut ChaCha20Rng, now: Timestamp) -> PingDue {
        if self
            .waiting
            .is_some_and(|(_, sent)| sent + PING_TIMEOUT <= now)
        {
            self.waiting = None;
            return PingDue::Lost;
        }
        if self.next > now {
            return PingDue::Nothing;
        }
        self.next = now + seconds_between(rng, PING_SECONDS);
        PingDue::Send(Box::new(self.send_now(now)))
    }

    /// Takes an echo: the round trip, if it is the one that is waited for.
    pub(crate) fn echo(&mut self, number: u64, now: Timestamp) -> Option<Duration> {
        let (_, sent) = self.waiting.filter(|(waiting, _)| *waiting == number)?;
        self.waiting = None;
        Some(now.saturating_since(sent))
    }

    pub(crate) fn poll_timeout(&self) -> Timestamp {
        self.waiting
            .map_or(self.next, |(_, sent)| self.next.min(sent + PING_TIMEOUT))
    }
}
