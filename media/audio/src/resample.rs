//! Between a foreign sample rate and 48 kHz, block by block, without allocating on the way.

use crate::Block;
use rubato::audioadapter_buffers::direct::InterleavedSlice;
use rubato::{
    Async, FixedAsync, Resampler, SincInterpolationParameters, SincInterpolationType,
    WindowFunction,
};
use tacit_types::limits::{BLOCK_SAMPLES, SAMPLE_RATE};

/// Taps of the filter: over 100 dB of stop band, a few milliseconds of delay at the lowest rates.
const TAPS: usize = 128;

fn resampler(from: u32, to: u32, fixed: FixedAsync) -> Async<f32> {
    let parameters = SincInterpolationParameters {
        interpolation: SincInterpolationType::Linear,
        oversampling_factor: 256,
        ..SincInterpolationParameters::new(TAPS, WindowFunction::BlackmanHarris2)
    };
    Async::new_sinc(
        f64::from(to) / f64::from(from),
        1.0,
        &parameters,
        BLOCK_SAMPLES,
        1,
        fixed,
    )
    .expect("rates are checked against MIN_RATE and MAX_RATE, the rest is constant")
}

/// From any rate to blocks of 48 kHz.
pub(crate) struct ToBlocks {
    inner: Async<f32>,
}

impl ToBlocks {
    /// `None` where the rate is 48 kHz already.
    pub(crate) fn from_rate(rate: u32) -> Option<Self> {
        (rate != SAMPLE_RATE).then(|| Self {
            inner: resampler(rate, SAMPLE_RATE, FixedAsync::Output),
        })
    }

    /// Input samples that the next block takes.
    pub(crate) fn input_needed(&self) -> usize {
        self.inner.input_frames_next()
    }

    /// Most input samples that any block takes.
    pub(crate) fn input_max(&self) -> usize {
        self.inner.input_frames_max()
    }

    /// `input` holds exactly [`input_needed`](Self::input_needed) samples.
    pub(crate) fn process(&mut self, input: &[f32], block: &mut Block) {
        run(&mut self.inner, input, block);
    }
}

/// From blocks of 48 kHz to any rate.
pub(crate) struct FromBlocks {
    inner: Async<f32>,
    output: Vec<f32>,
}

impl FromBlocks {
    /// `None` where the rate is 48 kHz already.
    pub(crate) fn to_rate(rate: u32) -> Option<Self> {
        (rate != SAMPLE_RATE).then(|| {
            let inner = resampler(SAMPLE_RATE, rate, FixedAsync::Input);
            let output = vec![0.0; inner.output_frames_max()];
            Self { inner, output }
        })
    }

    /// The block at the other rate.
    pub(crate) fn process(&mut self, block: &Block) -> &[f32] {
        let frames = run(&mut self.inner, block, &mut self.output);
        &self.output[..frames]
    }
}

fn run(inner: &mut Async<f32>, input: &[f32], output: &mut [f32]) -> usize {
    let (frames_in, frames_out) = (input.len(), output.len());
    let input = InterleavedSlice::new(input, 1, frames_in).expect("one channel, exact length");
    let mut output =
        InterleavedSlice::new_mut(output, 1, frames_out).expect("one channel, exact length");
    let (_, written) = inner
        .process_into_buffer(&input, &mut output, None)
        .expect("both buffers have the lengths that the resampler asked for");
    written
}

impl core::fmt::Debug for ToBlocks {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("ToBlocks")
    }
}

impl core::fmt::Debug for FromBlocks {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("FromBlocks")
    }
}
