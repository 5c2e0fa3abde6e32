//! Many simulated calls.

use core::time::Duration;

use rayon::prelude::*;
use tacit_circuits::strategies::Kind;
use tacit_circuits::{Renewal, Scenario, random, replay, run};

use crate::audio::{AudioError, Band, Studio};
use crate::hearing::{Buffer, Hearing, Voice};
use crate::line::{CallLine, Millis, Setting};
use crate::speech::Spoken;

/// How much weaker the talker's echo comes back in `mos_with_echo`, dB: G.107's default.
pub const TELR: f64 = 65.0;

/// A strategy, and what its packets go through before they are heard.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Contender {
    /// Who sends what where.
    pub strategy: Kind,
    /// The playout.
    pub buffer: Buffer,
}

impl Contender {
    /// This strategy with this playout.
    #[must_use]
    pub const fn new(strategy: Kind, buffer: Buffer) -> Self {
        Self { strategy, buffer }
    }

    /// Every strategy with the production playout; `donar-double` also with its own, and `single`
    /// with the same, as plain programs have it. Who is named twice is no other contender.
    #[must_use]
    pub fn all_of(strategies: &[Kind]) -> Vec<Self> {
        let with = |strategy: &Kind| {
            let plain = matches!(strategy, Kind::DonarDouble | Kind::Single);
            let ours = Self::new(*strategy, Buffer::Tacit);
            let own = plain.then_some(Self::new(*strategy, Buffer::DONAR));
            [Some(ours), own].into_iter().flatten()
        };
        let first = |(place, strategy): &(usize, &Kind)| !strategies[..*place].contains(strategy);
        let each = strategies.iter().enumerate().filter(first);
        each.flat_map(|(_, strategy)| with(strategy)).collect()
    }

    const fn is_donars(self) -> bool {
        matches!(self.strategy, Kind::DonarAlternate | Kind::DonarDouble)
    }

    /// Whether its packets are ours.
    const fn is_ours(self) -> bool {
        matches!(self.strategy, Kind::Tacit) || self.knows()
    }

    /// Whether it knows what only the simulator can know of the circuits that `tacit` has.
    const fn knows(self) -> bool {
        matches!(self.strategy, Kind::Oracle | Kind::Bound | Kind::Told(_))
    }

    /// Whether circuits are replaced in its calls: `tacit` has that done, and who knows more gets
    /// exactly its circuits. The others keep those that they begin with, as published.
    pub(crate) const fn replaces(self, scenario: &Scenario) -> bool {
        scenario.replace && self.is_ours()
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

    /// Packets a second and direction that a contender may send.
    #[must_use]
    pub const fn cells_of(&self, contender: Contender) -> u32 {
        match contender.strategy {
            Kind::Tacit | Kind::Told(_) => self.scenario.cells_per_second,
            other => other.cells_per_second(),
        }
    }

    /// Simulates one call. What speech, DRED and stretching are like is drawn from tables.
    #[must_use]
    pub fn call(&self, contender: Contender, call: u32) -> CallLine {
        let (line, _) = self.call_between(contender, call, self.spoken(call));
        line
    }

    /// Simulates one call with real speech through the real codec, and scores it.
    ///
    /// # Errors
    /// Codec or PESQ failed.
    pub fn call_aloud(
        &self,
        contender: Contender,
        call: u32,
        studio: &Studio,
    ) -> Result<CallLine, AudioError> {
        let listeners = studio.listeners(self.spoken(call), self.scenario.length)?;
        let (mut line, listeners) = self.call_between(contender, call, listeners);
        line.pesq = Some(round(studio.score(&listeners.each_ref(), Band::Wide)?, 3));
        Ok(line)
    }

    fn spoken(&self, call: u32) -> [Spoken; 2] {
        let seed = self.seed_of(call);
        [0, 1].map(|side| Spoken::new(random::derive(seed, 0x5bea_0000 + side)))
    }

    fn call_between<V: Voice>(
        &self,
        contender: Contender,
        call: u32,
        voices: [V; 2],
    ) -> (CallLine, [V; 2]) {
        let scenario = self.scenario_of(contender);
        let mut hearing = Hearing::new(contender.buffer, scenario.length, voices);
        let seed = self.seed_of(call);
        let renewals = renewals(&scenario, contender, seed);
        let outcome = replay(&scenario, contender.strategy, seed, &renewals, &mut hearing);
        let (heard, voices) = hearing.finish();
        let seconds = scenario.length.as_secs_f64();
        #[expect(clippy::cast_precision_loss, reason = "counts of at most millions")]
        let cells_per_s = outcome.cells as f64 / seconds / 2.0;
        let line = CallLine {
            setting: Setting::new(self, contender),
            call,
            cells_sent_per_s: round(cells_per_s, 1),
            network_ms: Millis::of(&outcome.network),
            mouth_to_ear_ms: Millis::of(&heard.mouth_to_ear),
            mouth_to_ear_speech_ms: Millis::of(&heard.speech),
            mouth_to_ear_first_ms: Millis::of(&heard.first),
            concealed: round(heard.concealed(), 6),
            skipped: round(heard.skipped_share(), 6),
            stretched: round(heard.stretched_share(), 6),
            repaired: round(heard.repaired(), 6),
            longest_gap_ms: millis(heard.longest_gap),
            mos: round(heard.mos(None), 3),
            mos_with_echo: round(heard.mos(Some(TELR)), 3),
            pesq: None,
            failures: outcome.failures,
            replacements: outcome.replacements,
        };
        (line, voices)
    }

    /// Simulates all calls of a contender on all cores, the first `aloud` of them with sound; `done`
    /// gets each as it ends. They are begun in their order, so that few end before an earlier one.
    ///
    /// # Errors
    /// A call with sound could not be scored, or `done` failed.
    pub fn calls<E: From<AudioError> + Send>(
        &self,
        contender: Contender,
        aloud: u32,
        studio: Option<&Studio>,
        done: impl Fn(&CallLine) -> Result<(), E> + Sync,
    ) -> Result<Vec<CallLine>, E> {
        let one = |call: u32| -> Result<CallLine, E> {
            let line = match studio {
                Some(studio) if call < aloud => self.call_aloud(contender, call, studio)?,
                _ => self.call(contender, call),
            };
            done(&line)?;
            Ok(line)
        };
        let calls = (0..self.calls).par_bridge().map(one);
        let mut calls = calls.collect::<Result<Vec<CallLine>, E>>()?;
        calls.sort_unstable_by_key(|line| line.call);
        Ok(calls)
    }
}

/// When `tacit` has which circuits replaced in this call, for who is to have the same.
fn renewals(scenario: &Scenario, contender: Contender, seed: u64) -> Vec<Renewal> {
    if contender.knows() && scenario.replace {
        run(scenario, Kind::Tacit, seed, &mut ()).renewals
    } else {
        Vec::new()
    }
}

pub(crate) fn round(value: f64, digits: i32) -> f64 {
    let scale = 10_f64.powi(digits);
    (value * scale).round() / scale
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
