//! `oracle`: what could be reached at this budget if the future were known.

use core::time::Duration;

use tacit_types::Timestamp;

use super::{Copies, Note, Received, Strategy};
use crate::network::{Network, Side};

/// Sends each packet on the path on which it arrives first, undisturbed by the packets before it.
#[derive(Clone, Debug)]
pub(super) struct Oracle {
    side: Side,
}

impl Oracle {
    pub(super) const fn new(side: Side) -> Self {
        Self { side }
    }
}

impl Strategy for Oracle {
    fn interval(&self) -> Duration {
        Duration::from_millis(20)
    }

    fn repeats(&self) -> u32 {
        0
    }

    fn send(&mut self, _: u32, network: &mut Network, now: Timestamp) -> Copies {
        let fastest = network.fastest(self.side, now);
        fastest.map_or_else(Copies::default, |(path, at)| Copies::foreseen(path, at))
    }

    fn note(&mut self, _: Timestamp) -> Note {
        Note::Nothing
    }

    fn receive(&mut self, _: Received<'_>, _: Timestamp) {}

    fn leg_changed(&mut self, _: Side, _: u8, _: bool, _: Timestamp) {}
}
