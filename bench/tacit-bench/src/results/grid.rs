//! Which calls the goals ask for.

use core::time::Duration;

use tacit_bench::hearing::Buffer;
use tacit_bench::sim::{Contender, Plan};
use tacit_circuits::strategies::Kind;
use tacit_circuits::{CORRELATION, Client, Clients, Mode, Place, Scenario};

/// Circuits a side with `turn`, and in all with `onion`, in the goals; Donar has as many.
pub(crate) const LEGS: usize = 12;
pub(crate) const MODES: [Mode; 2] = [Mode::Turn, Mode::Onion];

/// The whole grid: calls of five minutes, and with sound.
pub(crate) const CALLS: u32 = 400;
pub(crate) const ALOUD_CALLS: u32 = 40;
/// The seed of the scored calls, on which nothing is tuned, and one on which anything may be.
pub(crate) const SCORED: u64 = 9001;
pub(crate) const TUNING: u64 = 77;

/// Names of the scenes.
pub(crate) const BASE: &str = "base";
pub(crate) const LONG: &str = "90-minutes";
pub(crate) const ALOUD: &str = "aloud";
/// The baselines with real speech.
pub(crate) const ALOUD_BESIDE: &str = "aloud-baselines";
pub(crate) const CELLS: &str = "25-cells";
pub(crate) const TWO_GUARDS: &str = "two-guards";
pub(crate) const EIGHT_LEGS: &str = "8-legs";
pub(crate) const HEADLINE: &str = "headline";
/// Bad circuits give way to new ones.
pub(crate) const REPLACING: &str = "replacing";
pub(crate) const LONG_FLOORS: &str = "floor-1.5";
pub(crate) const OUR_CLIENT: &str = "our-client";
pub(crate) const C_TOR: &str = "c-tor";
pub(crate) const NO_NAGLE: &str = "no-nagle";
pub(crate) const DE_US: &str = "de-us";
pub(crate) const US_US: &str = "us-us";
/// Donar with one guard, as the others.
pub(crate) const SAME_GUARDS: [(&str, f64); 2] =
    [("correlation-0.15", 0.15), ("correlation-0.3", 0.3)];

/// How much is simulated.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Grid {
    /// Five-minute calls for the goals' rows.
    pub(crate) calls: u32,
    /// The same of what stands beside.
    pub(crate) beside: u32,
    /// Long calls, and how long they are.
    pub(crate) long: (u32, Duration),
    /// Calls with sound.
    pub(crate) aloud: u32,
    pub(crate) seed: u64,
    pub(crate) quick: bool,
}

impl Grid {
    pub(crate) const fn full(calls: u32, aloud: u32, seed: u64) -> Self {
        Self {
            calls,
            beside: calls.div_ceil(4),
            long: (calls.div_ceil(10), Duration::from_secs(5_400)),
            aloud,
            seed,
            quick: false,
        }
    }

    /// On a seed that nothing is scored on.
    pub(crate) const fn quick() -> Self {
        Self {
            calls: 8,
            beside: 4,
            long: (2, Duration::from_secs(900)),
            aloud: 2,
            seed: TUNING,
            quick: true,
        }
    }

    /// A folder's name.
    pub(crate) fn name(&self) -> String {
        format!("{}-{}", self.seed, self.calls)
    }

    /// Those of the goals first, the modes by turns.
    pub(crate) fn scenes(&self) -> Vec<Scene> {
        let both = |scenes: fn(&Self, Mode) -> Vec<Scene>| {
            let [turn, onion] = MODES.map(|mode| scenes(self, mode));
            turn.into_iter().zip(onion).flat_map(|(a, b)| [a, b])
        };
        both(Self::of_goals).chain(both(Self::beside)).collect()
    }

    fn of_goals(&self, mode: Mode) -> Vec<Scene> {
        use Kind::{DonarDouble, Oracle, Tacit};
        let ours = |kinds: &[Kind]| -> Vec<Contender> {
            let with = |kind: &Kind| Contender::new(*kind, Buffer::Tacit);
            kinds.iter().map(with).collect()
        };
        let mut scenes = vec![
            self.scene(BASE, mode, ours(&[Tacit, DonarDouble, Oracle])),
            self.scene(ALOUD, mode, ours(&[Tacit])),
            self.scene(CELLS, mode, ours(&[Tacit])),
            self.scene(LONG, mode, ours(&[Tacit])),
        ];
        scenes[1].plan.calls = self.aloud;
        scenes[1].aloud = true;
        scenes[2].plan.scenario.cells_per_second = 25;
        (scenes[3].plan.calls, scenes[3].plan.scenario.length) = self.long;
        for (name, correlation) in SAME_GUARDS {
            let mut scene = self.scene(name, mode, ours(&[Tacit, DonarDouble, Oracle]));
            scene.plan.scenario.correlation = correlation;
            scene.plan.donar_guards = 1;
            scenes.push(scene);
        }
        scenes
    }

    fn beside(&self, mode: Mode) -> Vec<Scene> {
        use Kind::{DonarAlternate, DonarDouble, Single, Tacit, Torfone};
        let with = |kinds: &[Kind]| -> Vec<Contender> {
            let ours = |kind: &Kind| Contender::new(*kind, Buffer::Tacit);
            kinds.iter().map(ours).collect()
        };
        let own = |kind| Contender::new(kind, Buffer::DONAR);
        let mut scenes = vec![
            self.scene(
                "baselines",
                mode,
                Contender::all_of(&[Single, Torfone, DonarAlternate, DonarDouble]),
            ),
            self.scene(ALOUD_BESIDE, mode, vec![own(DonarDouble), own(Single)]),
            self.scene(HEADLINE, mode, with(&[Tacit, DonarDouble])),
            self.scene(EIGHT_LEGS, mode, with(&[Tacit])),
            self.scene(TWO_GUARDS, mode, with(&[Tacit])),
            self.scene(REPLACING, mode, with(&[Tacit])),
            self.scene(LONG_FLOORS, mode, with(&[Tacit, DonarDouble])),
            self.scene(OUR_CLIENT, mode, with(&[DonarDouble])),
            self.scene(C_TOR, mode, with(&[Tacit])),
            self.scene(NO_NAGLE, mode, with(&[Tacit, DonarDouble])),
            self.scene(DE_US, mode, with(&[Tacit, DonarDouble])),
            self.scene(US_US, mode, with(&[Tacit, DonarDouble])),
        ];
        for scene in &mut scenes {
            scene.plan.calls = self.beside;
            let scenario = &mut scene.plan.scenario;
            match scene.name {
                ALOUD_BESIDE => {
                    scene.plan.calls = self.aloud.div_ceil(4);
                    scene.aloud = true;
                }
                HEADLINE => scenario.correlation = CORRELATION,
                EIGHT_LEGS => {
                    scenario.correlation = CORRELATION;
                    scenario.legs = 8;
                }
                TWO_GUARDS => scenario.guards = 2,
                REPLACING => scenario.replace = true,
                LONG_FLOORS => scenario.floor_factor = 1.5,
                OUR_CLIENT => scenario.clients = Clients::All(Client::Tacit),
                C_TOR => scenario.clients = Clients::All(Client::CTor),
                NO_NAGLE => scenario.nagle = false,
                DE_US => scenario.places = [Place::De, Place::Us],
                US_US => scenario.places = [Place::Us, Place::Us],
                _ => {}
            }
        }
        scenes
    }

    fn scene(&self, name: &'static str, mode: Mode, contenders: Vec<Contender>) -> Scene {
        let mut scenario = Scenario::new(mode);
        scenario.legs = LEGS;
        // The same number of circuits for everybody.
        scenario.replace = false;
        Scene {
            name,
            plan: Plan {
                scenario,
                donar_guards: 2,
                donar_legs: LEGS,
                calls: self.calls,
                seed: self.seed,
            },
            contenders,
            aloud: false,
        }
    }
}

/// Contenders under one setting.
pub(crate) struct Scene {
    pub(crate) name: &'static str,
    pub(crate) plan: Plan,
    pub(crate) contenders: Vec<Contender>,
    /// With real speech.
    pub(crate) aloud: bool,
}

impl Scene {
    /// How many in all.
    pub(crate) fn calls(&self) -> u64 {
        u64::from(self.plan.calls) * self.contenders.len() as u64
    }
}
