//! Level meters and counters: plain atomics, so that a callback may touch them.

use core::sync::atomic::{AtomicU32, AtomicU64, Ordering::Relaxed};

/// Loudness of the last block. Linear, 1.0 is full scale.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Level {
    /// Largest sample.
    pub peak: f32,
    /// Root mean square.
    pub rms: f32,
}

impl Level {
    /// Measures samples.
    #[must_use]
    pub fn of(samples: &[f32]) -> Self {
        let peak = samples.iter().fold(0.0_f32, |peak, s| peak.max(s.abs()));
        let power = samples.iter().map(|s| s * s).sum::<f32>() / samples.len().max(1) as f32;
        Self {
            peak,
            rms: power.sqrt(),
        }
    }

    /// The root mean square in decibels below full scale, at least -120.
    #[must_use]
    pub fn dbfs(self) -> f32 {
        20.0 * self.rms.max(1e-6).log10()
    }
}

/// A [`Level`] that two threads share.
#[derive(Debug, Default)]
pub(crate) struct SharedLevel {
    peak: AtomicU32,
    rms: AtomicU32,
}

impl SharedLevel {
    pub(crate) fn set(&self, level: Level) {
        self.peak.store(level.peak.to_bits(), Relaxed);
        self.rms.store(level.rms.to_bits(), Relaxed);
    }

    pub(crate) fn get(&self) -> Level {
        Level {
            peak: f32::from_bits(self.peak.load(Relaxed)),
            rms: f32::from_bits(self.rms.load(Relaxed)),
        }
    }
}

/// What was lost or made up between the devices and the call, since the start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counters {
    /// Captured samples dropped because nobody popped them in time.
    pub capture_overrun_samples: u64,
    /// Silent samples that a device or host was given because nobody had pushed any.
    pub playback_underrun_samples: u64,
    /// Blocks refused because the playback ring was full.
    pub playback_overrun_blocks: u64,
    /// Glitches that the system itself reported.
    pub device_xruns: u64,
    /// Times a device was opened again.
    pub reopened: u64,
}

/// The counters as the callbacks see them.
#[derive(Debug, Default)]
pub(crate) struct SharedCounters {
    pub(crate) capture_overrun: AtomicU64,
    pub(crate) playback_underrun: AtomicU64,
    pub(crate) playback_overrun: AtomicU64,
    pub(crate) xruns: AtomicU64,
    pub(crate) reopened: AtomicU64,
}

impl SharedCounters {
    pub(crate) fn snapshot(&self) -> Counters {
        Counters {
            capture_overrun_samples: self.capture_overrun.load(Relaxed),
            playback_underrun_samples: self.playback_underrun.load(Relaxed),
            playback_overrun_blocks: self.playback_overrun.load(Relaxed),
            device_xruns: self.xruns.load(Relaxed),
            reopened: self.reopened.load(Relaxed),
        }
    }
}

/// Adds to a counter from any thread.
pub(crate) fn count(counter: &AtomicU64, n: usize) {
    counter.fetch_add(n as u64, Relaxed);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_scale_sine_reads_minus_three_decibels() {
        let sine: Vec<f32> = (0..480)
            .map(|i| (i as f32 * core::f32::consts::TAU / 48.0).sin())
            .collect();
        let level = Level::of(&sine);
        assert!((level.dbfs() + 3.01).abs() < 0.05, "{level:?}");
        assert!((level.peak - 1.0).abs() < 1e-3);
        assert_eq!(Level::of(&[]).dbfs(), -120.0);
    }
}
