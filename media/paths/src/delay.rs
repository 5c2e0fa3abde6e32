//! A scalar Kalman filter for the delay of one leg.
//!
//! Delays are relative: the two clocks share no origin, so an unknown constant is in all of them and
//! falls out when legs are compared.

use tacit_types::Timestamp;

use crate::limits::RESIDUAL_MAX_MICROS;

/// Variance of one measurement, µs²: queues at relays jitter by about 20 ms.
const MEASUREMENT: f64 = 20_000.0 * 20_000.0;
/// Growth of the variance, µs² a second: a leg's delay wanders by about 17 ms in a second.
const WANDER: f64 = 17_000.0 * 17_000.0;
/// Variance of a leg never measured, µs².
const UNKNOWN: f64 = 1e6 * 1e6;
/// Share of a new residual in the running noise and in the recent residual.
const NOISE_GAIN: f64 = 0.1;
const RECENT_GAIN: f64 = 0.3;
/// Half-life of the recent residual, µs.
const RECENT_HALF_LIFE: f64 = 1e6;

/// Delay of one leg, in microseconds above an unknown constant.
#[derive(Clone, Debug)]
pub(crate) struct Delay {
    mean: f64,
    variance: f64,
    noise: f64,
    recent: f64,
    measured: u32,
    updated: Timestamp,
}

impl Delay {
    pub(crate) const fn unknown() -> Self {
        Self {
            mean: 0.0,
            variance: UNKNOWN,
            noise: 10_000.0,
            recent: 0.0,
            measured: 0,
            updated: Timestamp::ZERO,
        }
    }

    pub(crate) const fn is_measured(&self) -> bool {
        self.measured > 0
    }

    pub(crate) const fn mean(&self) -> f64 {
        self.mean
    }

    pub(crate) const fn noise(&self) -> f64 {
        self.noise
    }

    /// What legs are ranked by: a jittery leg and one that has just been slow rank lower.
    pub(crate) fn score(&self, now: Timestamp) -> f64 {
        self.mean + 0.3 * self.noise + 0.4 * self.recent_at(now)
    }

    fn recent_at(&self, now: Timestamp) -> f64 {
        let age = seconds(self.updated, now) * 1e6;
        self.recent * (-age / RECENT_HALF_LIFE).exp2()
    }

    fn grown(&self, now: Timestamp) -> f64 {
        if self.is_measured() {
            (self.variance + WANDER * seconds(self.updated, now)).min(UNKNOWN)
        } else {
            UNKNOWN
        }
    }
}

fn seconds(earlier: Timestamp, now: Timestamp) -> f64 {
    now.saturating_since(earlier).as_secs_f64()
}

/// One measured path delay updates the halves it is the sum of (one half: an onion leg).
pub(crate) fn measure(halves: &mut [&mut Delay], measured: f64, now: Timestamp) {
    let known = halves.iter().all(|half| half.is_measured());
    let raw = measured - halves.iter().map(|half| half.mean).sum::<f64>();
    let residual = if known {
        raw.clamp(-RESIDUAL_MAX_MICROS, RESIDUAL_MAX_MICROS)
    } else {
        raw
    };
    let total = MEASUREMENT + halves.iter().map(|half| half.grown(now)).sum::<f64>();
    for half in halves {
        let grown = half.grown(now);
        let gain = grown / total;
        half.recent = if known { half.recent_at(now) } else { 0.0 };
        if known {
            half.noise += NOISE_GAIN * (residual.abs() - half.noise);
            half.recent += RECENT_GAIN * (residual - half.recent);
        }
        half.mean += gain * residual;
        half.variance = grown * (1.0 - gain);
        half.measured = half.measured.saturating_add(1);
        half.updated = now;
    }
}
