//! A loudspeaker, up to the ring.

use super::Direction;
use super::stream::Ring;
use super::supervisor::Supervised;
use crate::capture::samples_at;
use crate::limits::{MARGIN_DECAY_PUSHES, MAX_MARGIN_BLOCKS, MIN_MARGIN_BLOCKS};
use crate::monitor::Shared;
use crate::playback::{block_at, push_whole};
use crate::resample::FromBlocks;
use crate::{AudioError, Block, DeviceChoice};
use core::sync::atomic::Ordering::{Acquire, Relaxed};
use core::time::Duration;
use ringbuf::CachingProd;
use ringbuf::traits::Observer;
use std::sync::Arc;

/// Fills a loudspeaker's ring with blocks of 48 kHz.
pub(crate) struct OutputStream {
    stream: Supervised,
    ring: CachingProd<Ring>,
    rate: u32,
    resampler: Option<FromBlocks>,
    margin: Margin,
    shared: Arc<Shared>,
}

impl OutputStream {
    pub(crate) fn open(choice: DeviceChoice, shared: Arc<Shared>) -> Result<Self, AudioError> {
        let stream = Supervised::start(Direction::Output, choice, Arc::clone(&shared))?;
        let ring = CachingProd::new(Arc::clone(&stream.ring));
        let mut this = Self {
            stream,
            ring,
            rate: 0,
            resampler: None,
            margin: Margin::default(),
            shared,
        };
        this.follow_rate();
        Ok(this)
    }

    pub(crate) fn push(&mut self, block: &Block) -> bool {
        self.follow_rate();
        if self.is_lost() {
            // Nothing plays it: taking it keeps the call's pace and leaves no old sound behind.
            return true;
        }
        self.margin
            .pushed(self.shared.counters.playback_underrun.load(Relaxed));
        self.stream.status.started.store(true, Relaxed);
        match &mut self.resampler {
            Some(resampler) => push_whole(&mut self.ring, resampler.process(block), self.rate),
            None => push_whole(&mut self.ring, block, self.rate),
        }
    }

    /// Whether the ring holds less than one callback and the margin.
    pub(crate) fn wants_block(&self) -> bool {
        let callback = self.stream.status.callback_frames.load(Relaxed) as usize;
        let margin = block_at(self.rate) * self.margin.blocks as usize;
        self.ring.occupied_len() < callback.max(block_at(self.rate)) + margin
    }

    pub(crate) fn is_lost(&self) -> bool {
        self.stream.status.lost.load(Acquire)
    }

    pub(crate) fn choose(&self, choice: DeviceChoice) {
        self.stream.choose(choice);
    }

    pub(crate) fn delay(&self) -> Duration {
        let device = self.stream.status.delay_micros.load(Relaxed);
        samples_at(self.ring.occupied_len(), self.rate) + Duration::from_micros(device.into())
    }

    fn follow_rate(&mut self) {
        let rate = self.stream.status.rate.load(Acquire);
        if rate != self.rate {
            self.rate = rate;
            self.resampler = FromBlocks::to_rate(rate);
        }
    }
}

/// How many blocks are kept ready: one more after each underrun, one less after a quiet while.
#[derive(Debug)]
struct Margin {
    blocks: u32,
    underrun: u64,
    quiet: u32,
}

impl Default for Margin {
    fn default() -> Self {
        Self {
            blocks: MIN_MARGIN_BLOCKS,
            underrun: 0,
            quiet: 0,
        }
    }
}

impl Margin {
    fn pushed(&mut self, underrun: u64) {
        self.quiet += 1;
        if underrun > self.underrun {
            self.underrun = underrun;
            self.quiet = 0;
            self.blocks = (self.blocks + 1).min(MAX_MARGIN_BLOCKS);
        } else if self.quiet >= MARGIN_DECAY_PUSHES {
            self.quiet = 0;
            self.blocks = (self.blocks - 1).max(MIN_MARGIN_BLOCKS);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_margin_grows_with_underruns_and_comes_back_down() {
        let mut margin = Margin::default();
        for underrun in 1..=20 {
            margin.pushed(underrun);
        }
        assert_eq!(margin.blocks, MAX_MARGIN_BLOCKS);
        for _ in 0..MARGIN_DECAY_PUSHES * MAX_MARGIN_BLOCKS {
            margin.pushed(20);
        }
        assert_eq!(margin.blocks, MIN_MARGIN_BLOCKS);
    }
}
