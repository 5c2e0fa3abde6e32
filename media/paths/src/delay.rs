//! The delay of one leg, estimated from the packets that arrived.
//!
//! Delays are relative: the two clocks share no origin, so an unknown constant is in all of them and
//! falls out when legs are compared.
//!
//! Queues at relays make single packets far slower than usual and never far faster, and a stall says
//! nothing about the delay after it: residuals are cut off in units of the usual one. What is left is
//! averaged, each measurement weighing as much as the last; what is known fades with time, so that
//! legs which are not used become doubtful instead of staying what they were.

use core::time::Duration;

use tacit_types::Timestamp;

/// Doubt about a leg never measured, and the most there ever is: a first measurement that fell into a
/// stall must not be believed.
const UNKNOWN: f64 = 16.0;
/// Usual residual that is assumed before any is known, and the least that is ever assumed, µs.
const NOISE_FIRST: f64 = 20_000.0;
const NOISE_MIN: f64 = 1_000.0;
/// Share of a new residual in the usual one.
const NOISE_GAIN: f64 = 0.05;
/// Residuals are cut off at so many usual ones above, and below: early packets are no accident.
const LATE_MAX: f64 = 2.0;
const EARLY_MAX: f64 = 4.0;
/// A residual of so much is never cut off, in units of [`LATE_MAX`] and [`EARLY_MAX`], µs: where
/// there is no noise, what changes has to be followed too.
const CUT_MIN: f64 = 10_000.0;
/// Below this, in variances of one measurement, a residual says something about the noise.
const WELL_KNOWN: f64 = 3.0;
/// Share of a new residual in the recent one, how fast that is forgotten, in seconds, and its
/// weight: queues stay long or short for a second or two.
const RECENT_GAIN: f64 = 0.1;
const RECENT_HALF_LIFE: f64 = 1.0;
const RECENT_WEIGHT: f64 = 0.8;

/// Delay of one leg, in microseconds above an unknown constant.
#[derive(Clone, Debug)]
pub(crate) struct Delay {
    mean: f64,
    /// Variance of the mean, in variances of one measurement.
    doubt: f64,
    /// Usual distance of a measurement from the mean.
    noise: f64,
    recent: f64,
    measured: bool,
    updated: Timestamp,
}

impl Delay {
    pub(crate) const fn unknown() -> Self {
        Self {
            mean: 0.0,
            doubt: UNKNOWN,
            noise: NOISE_FIRST,
            recent: 0.0,
            measured: false,
            updated: Timestamp::ZERO,
        }
    }

    /// As if it were known without a doubt what the next packet takes.
    pub(crate) const fn assume(&mut self, expected: f64, now: Timestamp) {
        self.mean = expected;
        self.recent = 0.0;
        self.doubt = 0.0;
        self.measured = true;
        self.updated = now;
    }

    /// Something has changed that may have changed this, too: what is known is believed until the next
    /// measurement says otherwise.
    pub(crate) const fn doubt(&mut self, now: Timestamp) {
        self.doubt = UNKNOWN;
        self.recent = 0.0;
        self.updated = now;
    }

    pub(crate) const fn is_measured(&self) -> bool {
        self.measured
    }

    pub(crate) const fn mean(&self) -> f64 {
        self.mean
    }

    pub(crate) const fn noise(&self) -> f64 {
        self.noise
    }

    /// What the next packet is expected to take.
    pub(crate) fn expected(&self, now: Timestamp) -> f64 {
        self.mean + RECENT_WEIGHT * self.recent_at(now)
    }

    /// How far that may be wrong, for what was never or not lately measured.
    pub(crate) fn uncertainty(&self, forgotten: Duration, now: Timestamp) -> f64 {
        self.noise * self.doubt_at(forgotten, now).sqrt()
    }

    fn recent_at(&self, now: Timestamp) -> f64 {
        self.recent * (-seconds(self.updated, now) / RECENT_HALF_LIFE).exp2()
    }

    fn doubt_at(&self, forgotten: Duration, now: Timestamp) -> f64 {
        let half_lives = seconds(self.updated, now) / forgotten.as_secs_f64().max(1e-3);
        (self.doubt * half_lives.exp2()).min(UNKNOWN)
    }
}

fn seconds(earlier: Timestamp, now: Timestamp) -> f64 {
    now.saturating_since(earlier).as_secs_f64()
}

/// One measured path delay updates the halves it is the sum of (one half: an onion leg), the more
/// doubtful one by more.
pub(crate) fn measure(
    halves: &mut [&mut Delay],
    measured: f64,
    forgotten: Duration,
    now: Timestamp,
) {
    let residual = measured - halves.iter().map(|half| half.mean).sum::<f64>();
    let noise = halves.iter().map(|half| half.noise).fold(0.0, f64::max);
    let doubt = |half: &Delay| half.doubt_at(forgotten, now);
    let total = 1.0 + halves.iter().map(|half| doubt(half)).sum::<f64>();
    let usual = noise.max(CUT_MIN) * total.sqrt();
    let cut = residual.clamp(-EARLY_MAX * usual, LATE_MAX * usual);
    let known = total < WELL_KNOWN;
    for half in halves {
        let before = doubt(half);
        let gain = before / total;
        if known {
            let recent = half.recent_at(now);
            half.recent = recent + RECENT_GAIN * (cut - recent);
            let off = residual.abs().min(EARLY_MAX * noise.max(CUT_MIN));
            half.noise = (half.noise + NOISE_GAIN * (off - half.noise)).max(NOISE_MIN);
        } else {
            half.recent = 0.0;
        }
        half.mean += gain * cut;
        half.doubt = before * (1.0 - gain);
        half.measured = true;
        half.updated = now;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FORGOTTEN: Duration = Duration::from_secs(10);

    fn at(millis: u64) -> Timestamp {
        Timestamp::from_micros(millis * 1000)
    }

    /// A leg of 100 ms with batches of up to 40 ms, measured every 100 ms.
    fn measured(delay: &mut Delay, from: u64, to: u64) {
        for step in from..to {
            let micros = 80_000.0 + 20_000.0 * (step % 3) as f64;
            measure(&mut [delay], micros, FORGOTTEN, at(step * 100));
        }
    }

    #[test]
    fn a_stall_says_nothing_about_the_delay_after_it() {
        let mut delay = Delay::unknown();
        measured(&mut delay, 0, 100);
        assert!((delay.mean() - 100_000.0).abs() < 5_000.0, "{delay:?}");
        for _ in 0..10 {
            measure(&mut [&mut delay], 2_000_000.0, FORGOTTEN, at(10_000));
        }
        assert!(delay.mean() < 130_000.0, "{delay:?}");
        measured(&mut delay, 101, 200);
        assert!((delay.expected(at(20_000)) - 100_000.0).abs() < 10_000.0);
    }

    #[test]
    fn a_first_measurement_in_a_stall_is_got_over() {
        let mut delay = Delay::unknown();
        measure(&mut [&mut delay], 3_000_000.0, FORGOTTEN, at(0));
        measured(&mut delay, 1, 30);
        assert!((delay.mean() - 100_000.0).abs() < 25_000.0, "{delay:?}");
    }

    #[test]
    fn what_is_not_measured_becomes_uncertain() {
        let mut delay = Delay::unknown();
        measured(&mut delay, 0, 100);
        let after = |seconds: u64| delay.uncertainty(FORGOTTEN, at(10_000 + 1000 * seconds));
        assert!(after(0) < 0.3 * delay.noise());
        assert!(after(20) > 1.9 * after(0) && after(20) < 2.1 * after(0));
        assert!(after(3600) <= 4.0 * delay.noise());
    }

    #[test]
    fn halves_are_told_apart_by_whom_they_met() {
        let mut ups = [Delay::unknown(), Delay::unknown()];
        let mut downs = [Delay::unknown(), Delay::unknown()];
        for step in 0..200 {
            let (up, down) = (step % 2, step / 2 % 2);
            let micros = [20_000.0, 70_000.0][up] + [30_000.0, 40_000.0][down];
            let halves = &mut [&mut ups[up], &mut downs[down]];
            measure(halves, micros, FORGOTTEN, at(20 * step as u64));
        }
        assert!((ups[1].mean() - ups[0].mean() - 50_000.0).abs() < 3_000.0);
        assert!((downs[1].mean() - downs[0].mean() - 10_000.0).abs() < 3_000.0);
    }
}
