//! How good a circuit is: what it shares with the others behind its guard, what is its own, and what
//! changes in the course of a call.

use crate::noise::Noise;
use crate::params::Persistence;
use crate::random::{derive, gauss};

/// Seeds that a circuit is drawn from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Seeds {
    /// The same for all circuits behind one guard.
    pub guard: u64,
    /// The circuit's own.
    pub circuit: u64,
}

/// One standard normal number about a circuit, over time.
#[derive(Clone, Debug)]
pub(crate) struct Quality {
    lasting: f64,
    share: f64,
    wander: Noise,
}

impl Quality {
    /// `label` says which of the circuit's qualities it is.
    pub(crate) fn new(seeds: Seeds, label: u64, persistence: &Persistence) -> Self {
        let Persistence {
            guard,
            wander,
            period,
        } = *persistence;
        let own = (1.0 - guard - wander).max(0.0);
        Self {
            lasting: guard.sqrt() * gauss(derive(seeds.guard, label))
                + own.sqrt() * gauss(derive(seeds.circuit, label)),
            share: wander.sqrt(),
            wander: Noise::new(derive(seeds.circuit, !label), period),
        }
    }

    pub(crate) fn at(&mut self, at: f64) -> f64 {
        self.lasting + self.share * self.wander.at(at)
    }

    /// From one moment to another it is nowhere below this.
    pub(crate) fn least(&mut self, from: f64, to: f64) -> f64 {
        self.lasting + self.share * self.wander.least(from, to)
    }

    /// Gets ready for moments near `at`.
    pub(crate) fn settle(&mut self, at: f64) {
        self.wander.settle(at);
    }
}

/// A standard normal number about a circuit that does not change: its floor.
pub(crate) fn lasting(seeds: Seeds, label: u64, guard: f64) -> f64 {
    of_guard(seeds.guard, label, guard) + (1.0 - guard).sqrt() * gauss(derive(seeds.circuit, label))
}

/// The part of it that is the guard's.
pub(crate) fn of_guard(seed: u64, label: u64, guard: f64) -> f64 {
    guard.sqrt() * gauss(derive(seed, label))
}
