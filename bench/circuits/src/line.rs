//! One direction of a circuit, as a call has it.

use crate::circuit::Circuit;
use crate::trace::Replay;

/// One direction of a circuit: modelled or recorded.
#[derive(Clone, Debug)]
#[expect(clippy::large_enum_variant, reason = "in any call all are of one kind")]
pub(crate) enum Line {
    Model(Circuit),
    /// A recording over the model's floor.
    Replay(Replay, f64),
}

impl Line {
    pub(crate) fn pass(&mut self, at: f64) -> f64 {
        match self {
            Self::Model(circuit) => circuit.pass(at),
            Self::Replay(replay, floor) => replay.pass(at, *floor),
        }
    }

    pub(crate) fn settle(&mut self, at: f64) {
        match self {
            Self::Model(circuit) => circuit.settle(at),
            Self::Replay(..) => {}
        }
    }

    /// What [`pass`](Self::pass) would say after these; changes nothing that comes out.
    /// Later than `limit`, it need not be exact.
    pub(crate) fn foresee(
        &mut self,
        before: impl Iterator<Item = f64>,
        at: f64,
        limit: f64,
    ) -> f64 {
        let mut before = before.peekable();
        if let Self::Model(circuit) = self {
            if before.peek().is_none() {
                return circuit.foresee(at, limit);
            }
            // Those before it only hold it up. A microsecond more is later than the limit, when rounded.
            let alone = circuit.foresee_alone(at, limit);
            if let Some(alone) = alone.filter(|alone| *alone > limit + 0.002) {
                return alone;
            }
        }
        let mut line = self.clone();
        for at in before {
            line.pass(at);
        }
        line.pass(at)
    }

    /// What a packet takes at this moment, as far as that does not change from packet to packet: of a
    /// recording, which says nothing about that, what it takes.
    pub(crate) fn level(&mut self, at: f64, stalls: bool) -> f64 {
        match self {
            Self::Model(circuit) => circuit.level(at, stalls),
            Self::Replay(replay, floor) => replay.clone().pass(at, *floor) - at,
        }
    }

    pub(crate) fn lone(&mut self, at: f64) -> f64 {
        match self {
            Self::Model(circuit) => circuit.lone(at),
            Self::Replay(replay, floor) => replay.clone().pass(at, *floor),
        }
    }

    /// What a packet takes at least that comes between this knot of the queues' fast noise and the next.
    pub(crate) fn least(&mut self, knot: i64) -> f64 {
        match self {
            Self::Model(circuit) => circuit.least(knot),
            Self::Replay(_, floor) => *floor,
        }
    }

    pub(crate) fn earliest(&self, at: f64) -> f64 {
        match self {
            Self::Model(circuit) => circuit.earliest(at),
            Self::Replay(_, floor) => at + floor,
        }
    }
}
