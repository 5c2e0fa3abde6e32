//! Many simulated calls.

use core::time::Duration;

use rayon::prelude::*;
use tacit_circuits::strategies::Kind;
use tacit_circuits::{Scenario, random, run};

use crate::hearing::{Buffer, Hearing};
use crate::line::{CallLine, Millis, Setting};

/// A strategy, and what its packets go through before they are heard.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Contender {
    /// Who sends what where.
    pub strategy: Kind,
    /// The playout.
    pub buffer: Buffer,
}

impl Contender {
    /// Every strategy with the production playout, and Donar's with its own beside it.
    #[must_use]
    pub fn all_of(strategies: &[Kind]) -> Vec<Self> {
        let with = |strategy: &Kind| {
            let ours = Self {
                strategy: *strategy,
                buffer: Buffer::Tacit,
            };
            let own = Self {
                strategy: *strategy,
                buffer: Buffer::DONAR,
            };
            let both = [Some(ours), (*strategy == Kind::DonarDouble).then_some(own)];
            both.into_iter().flatten()
        };
        strategies.iter().flat_map(with).collect()
    }

    const fn is_donars(self) -> bool {
        matches!(self.strategy, Kind::DonarAlternate | Kind::DonarDouble)
    }
}

/// What is simulated.
#[derive(Clone, Debug)]
pub struct Plan {
    /// A call of ours.
    pub scenario: Scenario,
    /// Guards a side that Donar's calls have: as published, two.
    pub donar_guards: usize,
    /// Links that Donar has: as published, twelve.
    pub donar_legs: usize,
    /// How many calls.
    pub calls: u32,
    /// What all calls are drawn from.
    pub seed: u64,
}

impl Plan {
    /// The scenario of a contender's calls.
    #[must_use]
    pub fn scenario_of(&self, contender: Contender) -> Scenario {
        let mut scenario = self.scenario.clone();
        if contender.is_donars() {
            scenario.guards = self.donar_guards;
            scenario.legs = self.donar_legs;
        }
        scenario
    }

    /// The seed of call number `call`, the same for every contender.
    #[must_use]
    pub const fn seed_of(&self, call: u32) -> u64 {
        random::derive(self.seed, call as u64)
    }

    /// Simulates one call.
    #[must_use]
    pub fn call(&self, contender: Contender, call: u32) -> CallLine {
        let scenario = self.scenario_of(contender);
        let dred = matches!(contender.strategy, Kind::Tacit | Kind::Oracle);
        let mut hearing = Hearing::new(contender.buffer, dred, self.seed_of(call));
        let outcome = run(
            &scenario,
            contender.strategy,
            self.seed_of(call),
            &mut hearing,
        );
        let heard = hearing.finish(scenario.length);
        let seconds = scenario.length.as_secs_f64();
        #[expect(clippy::cast_precision_loss, reason = "counts of at most millions")]
        let cells_per_s = outcome.cells as f64 / seconds / 2.0;
        CallLine {
            setting: Setting::new(self, contender),
            call,
            cells_sent_per_s: round(cells_per_s, 1),
            network_ms: Millis::of(&outcome.network),
            mouth_to_ear_ms: Millis::of(&heard.mouth_to_ear),
            concealed: round(heard.concealed(), 6),
            skipped: round(heard.skipped_share(), 6),
            repaired: round(heard.repaired(), 6),
            longest_gap_ms: millis(heard.longest_gap),
            mos: round(heard.mos(), 3),
            failures: outcome.failures,
        }
    }

    /// Simulates all calls of a contender on all cores; `done` hears of each as it ends.
    #[must_use]
    pub fn calls(&self, contender: Contender, done: impl Fn() + Sync) -> Vec<CallLine> {
        let one = |call| {
            let line = self.call(contender, call);
            done();
            line
        };
        (0..self.calls).into_par_iter().map(one).collect()
    }
}

pub(crate) fn round(value: f64, digits: i32) -> f64 {
    let scale = 10_f64.powi(digits);
    (value * scale).round() / scale
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
