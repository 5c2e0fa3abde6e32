//! The call's round trip, from our packet to the first report of it, without the time for which
//! the peer held the report back.

use core::time::Duration;

use tacit_types::Timestamp;

/// Seconds over which the best round trip is taken.
const SECONDS: usize = 8;

/// Round trip of the call as a whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RoundTrip {
    /// Shortest of the last 8 s: the fastest leg each way. Half of it is the best estimate of the
    /// smallest one-way delay.
    pub best: Duration,
    /// The last one measured.
    pub last: Duration,
}

#[derive(Clone, Debug, Default)]
pub(crate) struct RoundTrips {
    /// Shortest of each of the last seconds, by second modulo [`SECONDS`].
    shortest: [Option<(u64, Duration)>; SECONDS],
    last: Option<Duration>,
}

impl RoundTrips {
    pub(crate) fn record(&mut self, sample: Duration, now: Timestamp) {
        let second = second(now);
        let place = usize::try_from(second).unwrap_or(0) % SECONDS;
        let shortest = match self.shortest[place] {
            Some((at, shortest)) if at == second => shortest.min(sample),
            _ => sample,
        };
        self.shortest[place] = Some((second, shortest));
        self.last = Some(sample);
    }

    /// The best of the seconds up to the last one that measured anything.
    pub(crate) fn get(&self) -> Option<RoundTrip> {
        let newest = self.shortest.iter().flatten().map(|&(at, _)| at).max()?;
        let recent = |at: u64| newest - at < SECONDS as u64;
        let best = self
            .shortest
            .iter()
            .flatten()
            .filter(|&&(at, _)| recent(at));
        let best = best.map(|&(_, shortest)| shortest).min()?;
        Some(RoundTrip {
            best,
            last: self.last?,
        })
    }
}

fn second(now: Timestamp) -> u64 {
    now.as_micros() / 1_000_000
}
