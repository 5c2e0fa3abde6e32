//! One running stream and its callbacks: ring, zero-fill and atomic counters, nothing else.

use super::{Direction, config};
use crate::limits::RING_SAMPLES;
use crate::meter::count;
use crate::monitor::Shared;
use core::sync::atomic::Ordering::{Acquire, Relaxed, Release};
use core::sync::atomic::{AtomicBool, AtomicU8, AtomicU32, AtomicU64};
use core::time::Duration;
use cpal::traits::{DeviceTrait, StreamTrait};
use cpal::{
    Error, ErrorKind, FromSample, I24, InputCallbackInfo, OutputCallbackInfo, SampleFormat,
    SizedSample, StreamConfig,
};
use ringbuf::traits::{Consumer, Observer, Producer};
use ringbuf::{CachingCons, CachingProd, HeapRb};
use std::sync::Arc;
use std::thread::Thread;

/// The ring between a callback and the rest. It outlives a stream: a reopened device takes the same.
pub(super) type Ring = Arc<HeapRb<f32>>;

pub(super) fn new_ring() -> Ring {
    Arc::new(HeapRb::new(RING_SAMPLES))
}

/// What the callbacks of a stream tell. All atomics.
#[derive(Debug, Default)]
pub(super) struct Status {
    /// Samples a second of what is in the ring; 0 before the first opening.
    pub(super) rate: AtomicU32,
    /// Frames of the latest callback.
    pub(super) callback_frames: AtomicU32,
    /// Delay that the device reports of itself.
    pub(super) delay_micros: AtomicU32,
    /// Callbacks so far, for the supervisor's watchdog.
    pub(super) callbacks: AtomicU64,
    /// No stream runs.
    pub(super) lost: AtomicBool,
    /// Somebody has pushed: from now on an empty ring is an underrun.
    pub(super) started: AtomicBool,
    /// Errors that may pass by themselves: a sound server that starts is full of them.
    pub(super) errors: AtomicU64,
    failure: AtomicU8,
}

const HEALTHY: u8 = 0;
const FAILED: u8 = 1;
const REFUSED: u8 = 2;
const REROUTED: u8 = 3;

/// What the error callback last told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Health {
    Healthy,
    Failed,
    Refused,
    /// The system moved the running stream to another device.
    Rerouted,
}

impl Status {
    fn called(&self, frames: usize, delay: Duration) {
        self.callback_frames.store(frames as u32, Relaxed);
        self.delay_micros.store(delay.as_micros() as u32, Relaxed);
        self.callbacks.fetch_add(1, Relaxed);
    }

    /// Takes what the error callback told.
    pub(super) fn take_health(&self) -> Health {
        match self.failure.swap(HEALTHY, Acquire) {
            HEALTHY => Health::Healthy,
            REFUSED => Health::Refused,
            REROUTED => Health::Rerouted,
            _ => Health::Failed,
        }
    }
}

/// What a stream needs to be built.
#[derive(Clone)]
pub(super) struct Wiring {
    pub(super) direction: Direction,
    pub(super) ring: Ring,
    pub(super) status: Arc<Status>,
    pub(super) shared: Arc<Shared>,
    /// Woken when the error callback has told something.
    pub(super) supervisor: Thread,
}

/// Builds a stream and starts it.
pub(super) fn start(device: &cpal::Device, wiring: &Wiring) -> Result<cpal::Stream, Error> {
    let (config, format) = config::choose(device, wiring.direction)?;
    let held = match wiring.direction {
        Direction::Input => wiring.ring.write_is_held(),
        Direction::Output => wiring.ring.read_is_held(),
    };
    if held {
        // The previous stream's callback is still being torn down.
        return Err(Error::new(ErrorKind::DeviceBusy));
    }
    let stream = match format {
        SampleFormat::F32 => build::<f32>(device, config, wiring),
        SampleFormat::I32 => build::<i32>(device, config, wiring),
        SampleFormat::I16 => build::<i16>(device, config, wiring),
        SampleFormat::I24 => build::<I24>(device, config, wiring),
        SampleFormat::F64 => build::<f64>(device, config, wiring),
        SampleFormat::U16 => build::<u16>(device, config, wiring),
        SampleFormat::U8 => build::<u8>(device, config, wiring),
        _ => Err(Error::new(ErrorKind::UnsupportedConfig)),
    }?;
    wiring.status.rate.store(config.sample_rate, Release);
    stream.play()?;
    Ok(stream)
}

fn build<T>(
    device: &cpal::Device,
    config: StreamConfig,
    wiring: &Wiring,
) -> Result<cpal::Stream, Error>
where
    T: SizedSample + FromSample<f32>,
    f32: FromSample<T>,
{
    let channels = usize::from(config.channels.max(1));
    let on_error = error_callback(wiring);
    match wiring.direction {
        Direction::Input => device.build_input_stream(
            config,
            capture_callback::<T>(wiring, channels),
            on_error,
            None,
        ),
        Direction::Output => {
            device.build_output_stream(config, play_callback::<T>(wiring, channels), on_error, None)
        }
    }
}

fn capture_callback<T: SizedSample>(
    wiring: &Wiring,
    channels: usize,
) -> impl FnMut(&[T], &InputCallbackInfo) + Send + 'static
where
    f32: FromSample<T>,
{
    let mut ring = CachingProd::new(Arc::clone(&wiring.ring));
    let (status, shared) = (Arc::clone(&wiring.status), Arc::clone(&wiring.shared));
    let scale = 1.0 / channels as f32;
    move |data, info| {
        let frames = data.len() / channels;
        let mono = data
            .chunks_exact(channels)
            .map(|frame| frame.iter().map(|s| s.to_sample::<f32>()).sum::<f32>() * scale);
        let pushed = ring.push_iter(mono);
        if pushed < frames {
            count(&shared.counters.capture_overrun, frames - pushed);
        }
        let times = info.timestamp();
        status.called(
            frames,
            times.callback.saturating_duration_since(times.capture),
        );
    }
}

fn play_callback<T: SizedSample + FromSample<f32>>(
    wiring: &Wiring,
    channels: usize,
) -> impl FnMut(&mut [T], &OutputCallbackInfo) + Send + 'static {
    let mut ring = CachingCons::new(Arc::clone(&wiring.ring));
    let (status, shared) = (Arc::clone(&wiring.status), Arc::clone(&wiring.shared));
    move |data, info| {
        let mut missing = 0;
        for frame in data.chunks_exact_mut(channels) {
            let sample = ring.try_pop().unwrap_or_else(|| {
                missing += 1;
                0.0
            });
            frame.fill(T::from_sample(sample));
        }
        if missing > 0 && status.started.load(Relaxed) {
            count(&shared.counters.playback_underrun, missing);
        }
        let times = info.timestamp();
        status.called(
            data.len() / channels,
            times.playback.saturating_duration_since(times.callback),
        );
    }
}

fn error_callback(wiring: &Wiring) -> impl FnMut(Error) + Send + 'static {
    let (status, shared) = (Arc::clone(&wiring.status), Arc::clone(&wiring.shared));
    let supervisor = wiring.supervisor.clone();
    move |error| {
        let told = match error.kind() {
            ErrorKind::Xrun => return count(&shared.counters.xruns, 1),
            ErrorKind::RealtimeDenied => return,
            ErrorKind::DeviceChanged => REROUTED,
            ErrorKind::PermissionDenied => REFUSED,
            ErrorKind::DeviceNotAvailable
            | ErrorKind::StreamInvalidated
            | ErrorKind::HostUnavailable => FAILED,
            _ => return count(&status.errors, 1),
        };
        status.failure.store(told, Release);
        supervisor.unpark();
    }
}
