//! A microphone, from the ring on.

use super::Direction;
use super::stream::Ring;
use super::supervisor::Supervised;
use crate::capture::{drop_backlog, samples_at};
use crate::meter::count;
use crate::monitor::Shared;
use crate::resample::ToBlocks;
use crate::{AudioError, Block, DeviceChoice};
use core::sync::atomic::Ordering::{Acquire, Relaxed};
use core::time::Duration;
use ringbuf::CachingCons;
use ringbuf::traits::{Consumer, Observer};
use std::sync::Arc;
use tacit_types::limits::BLOCK_SAMPLES;

/// Reads a microphone's ring in blocks of 48 kHz.
pub(crate) struct InputStream {
    stream: Supervised,
    ring: CachingCons<Ring>,
    rate: u32,
    resampler: Option<ToBlocks>,
    scratch: Vec<f32>,
    shared: Arc<Shared>,
}

impl InputStream {
    pub(crate) fn open(choice: DeviceChoice, shared: Arc<Shared>) -> Result<Self, AudioError> {
        let stream = Supervised::start(Direction::Input, choice, Arc::clone(&shared))?;
        let ring = CachingCons::new(Arc::clone(&stream.ring));
        let mut this = Self {
            stream,
            ring,
            rate: 0,
            resampler: None,
            scratch: Vec::new(),
            shared,
        };
        this.follow_rate();
        Ok(this)
    }

    pub(crate) fn pop(&mut self, block: &mut Block) -> bool {
        self.follow_rate();
        let dropped = drop_backlog(&mut self.ring, self.rate);
        count(&self.shared.counters.capture_overrun, dropped);
        let Some(resampler) = &mut self.resampler else {
            return self.ring.occupied_len() >= BLOCK_SAMPLES
                && self.ring.pop_slice(block) == BLOCK_SAMPLES;
        };
        let needed = resampler.input_needed();
        if self.ring.occupied_len() < needed {
            return false;
        }
        let input = &mut self.scratch[..needed];
        self.ring.pop_slice(input);
        resampler.process(input, block);
        true
    }

    pub(crate) fn choose(&self, choice: DeviceChoice) {
        self.stream.choose(choice);
    }

    pub(crate) fn waiting(&self) -> Duration {
        samples_at(self.ring.occupied_len(), self.rate)
    }

    pub(crate) fn delay(&self) -> Duration {
        let device = self.stream.status.delay_micros.load(Relaxed);
        self.waiting() + Duration::from_micros(device.into())
    }

    /// A device opened again may run at another rate: what is in the ring is then not worth mixing.
    fn follow_rate(&mut self) {
        let rate = self.stream.status.rate.load(Acquire);
        if rate == self.rate {
            return;
        }
        self.ring.clear();
        self.rate = rate;
        self.resampler = ToBlocks::from_rate(rate);
        self.scratch = vec![0.0; self.resampler.as_ref().map_or(0, ToBlocks::input_max)];
    }
}
