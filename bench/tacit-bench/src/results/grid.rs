//! Which calls the goals ask for.

use core::time::Duration;

use tacit_bench::hearing::Buffer;
use tacit_bench::sim::{Contender, Plan};
use tacit_circuits::strategies::{Kind, Told};
use tacit_circuits::{CORRELATION, Client, Clients, MODEL, Mode, Place, Scenario};

/// Circuits a side with `turn`, and in all with `onion`, in the goals; Donar has as many.
pub(crate) const LEGS: usize = 12;
pub(crate) const MODES: [Mode; 2] = [Mode::Turn, Mode::Onion];

/// The whole grid: calls of five minutes, and with sound.
pub(crate) const CALLS: u32 = 400;
pub(crate) const ALOUD_CALLS: u32 = 40;
/// The seed of the scored calls, on which nothing is tuned, and one on which anything may be.
pub(crate) const SCORED: u64 = 9001;
pub(crate) const TUNING: u64 = 77;

/// Names of the scenes: tacit as it is shipped, which replaces bad circuits, and the oracle with its.
pub(crate) const BASE: &str = "base";
pub(crate) const LONG: &str = "90-minutes";
pub(crate) const ALOUD: &str = "aloud";
pub(crate) const CELLS: &str = "25-cells";
/// Donar with one guard, as the others.
pub(crate) const SAME_GUARDS: [(&str, f64); 2] =
    [("correlation-0.15", 0.15), ("correlation-0.3", 0.3)];
/// The same with the circuits that a call begins with, for its whole length.
pub(crate) const KEPT: &str = "kept";
pub(crate) const KEPT_LONG: &str = "kept-90-minutes";
pub(crate) const KEPT_CELLS: &str = "kept-25-cells";
pub(crate) const KEPT_SAME_GUARDS: [&str; 2] = ["kept-correlation-0.15", "kept-correlation-0.3"];
/// The scheduler told what it would have to learn, with the circuits of [`BASE`].
pub(crate) const TOLD: &str = "told";
/// Those that were published.
pub(crate) const BASELINES: &str = "baselines";
/// The same with real speech.
pub(crate) const ALOUD_BESIDE: &str = "aloud-baselines";
/// With the correlation that `compare` has by default.
pub(crate) const HEADLINE: &str = "headline";
pub(crate) const EIGHT_LEGS: &str = "8-legs";
pub(crate) const HEADLINE_EIGHT_LEGS: &str = "headline-8-legs";
/// By correlation.
pub(crate) const TWO_GUARDS: [(&str, f64); 3] = [
    ("two-guards", 0.0),
    ("two-guards-0.15", 0.15),
    ("two-guards-0.3", 0.3),
];
/// By what stretches the floors.
pub(crate) const FLOORS: [(&str, f64); 2] = [("floor-1.5", 1.5), ("floor-2", 2.0)];
/// Queues as they are in 2025.
pub(crate) const TODAY: &str = "today";
/// Whose Tor client everybody has, and nobody's Nagle.
pub(crate) const OUR_CLIENT: &str = "our-client";
pub(crate) const C_TOR: &str = "c-tor";
/// Tacit's client where nothing can be acknowledged at once.
pub(crate) const DELAYED_ACKS: &str = "delayed-acks";
pub(crate) const NO_NAGLE: &str = "no-nagle";
pub(crate) const DE_US: &str = "de-us";
pub(crate) const US_US: &str = "us-us";

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
        both(Self::of_goals)
            .chain(both(Self::kept))
            .chain(both(Self::beside))
            .collect()
    }

    fn of_goals(&self, mode: Mode) -> Vec<Scene> {
        use Kind::{DonarDouble, Oracle, Tacit};
        let all = [Tacit, DonarDouble, Oracle];
        let (long, length) = self.long;
        let mut scenes = vec![
            self.scene(BASE, mode, &all, |_| {}),
            self.scene(ALOUD, mode, &[Tacit], |_| {}).aloud(self.aloud),
            self.scene(CELLS, mode, &[Tacit], |plan| {
                plan.scenario.cells_per_second = 25;
            }),
            self.scene(LONG, mode, &[Tacit, DonarDouble], |plan| {
                (plan.calls, plan.scenario.length) = (long, length);
            }),
        ];
        scenes.extend(SAME_GUARDS.map(|(name, correlation)| {
            self.scene(name, mode, &all, |plan| {
                plan.scenario.correlation = correlation;
                plan.donar_guards = 1;
            })
        }));
        scenes
    }

    /// Five-minute calls in which nobody replaces circuits, where they are not fewer.
    pub(crate) const fn kept_calls(&self) -> u32 {
        self.calls.div_ceil(2)
    }

    /// Nobody replaces circuits.
    fn kept(&self, mode: Mode) -> Vec<Scene> {
        use Kind::{Oracle, Tacit};
        let (long, length) = self.long;
        let kept = |name, kinds: &[Kind], change: &dyn Fn(&mut Plan)| {
            self.scene(name, mode, kinds, |plan| {
                plan.scenario.replace = false;
                plan.calls = self.beside;
                change(plan);
            })
        };
        let mut scenes = vec![
            kept(KEPT, &[Tacit, Oracle], &|plan| {
                plan.calls = self.kept_calls()
            }),
            kept(KEPT_CELLS, &[Tacit], &|plan| {
                plan.scenario.cells_per_second = 25;
            }),
            kept(KEPT_LONG, &[Tacit], &|plan| {
                (plan.calls, plan.scenario.length) = (long.div_ceil(4), length);
            }),
        ];
        for (name, (_, correlation)) in KEPT_SAME_GUARDS.into_iter().zip(SAME_GUARDS) {
            scenes.push(kept(name, &[Tacit, Oracle], &|plan| {
                plan.scenario.correlation = correlation;
            }));
        }
        scenes
    }

    fn beside(&self, mode: Mode) -> Vec<Scene> {
        use Kind::{DonarAlternate, DonarDouble, Single, Tacit, Torfone};
        let both = [Tacit, DonarDouble];
        let beside = |name, kinds: &[Kind], change: &dyn Fn(&mut Plan)| {
            self.scene(name, mode, kinds, |plan| {
                plan.calls = self.beside;
                change(plan);
            })
        };
        let published = Contender::all_of(&[Single, Torfone, DonarAlternate, DonarDouble]);
        let own = |kind| Contender::new(kind, Buffer::DONAR);
        let mut scenes = vec![
            beside(TOLD, &Told::BOTH.map(Kind::Told), &|_| {}),
            beside(BASELINES, &[], &|_| {}).with(published),
            self.scene(ALOUD_BESIDE, mode, &[], |_| {})
                .with(vec![own(DonarDouble), own(Single)])
                .aloud(self.aloud.div_ceil(4)),
            beside(HEADLINE, &both, &|plan| {
                plan.scenario.correlation = CORRELATION;
            }),
            beside(EIGHT_LEGS, &[Tacit], &|plan| plan.scenario.legs = 8),
            beside(HEADLINE_EIGHT_LEGS, &[Tacit], &|plan| {
                plan.scenario.correlation = CORRELATION;
                plan.scenario.legs = 8;
            }),
            beside(TODAY, &both, &|plan| plan.scenario.params = MODEL),
            beside(OUR_CLIENT, &[DonarDouble], &|plan| {
                plan.scenario.clients = Clients::All(Client::Tacit);
            }),
            beside(C_TOR, &[Tacit], &|plan| {
                plan.scenario.clients = Clients::All(Client::CTor);
            }),
            beside(DELAYED_ACKS, &[Tacit], &|plan| {
                plan.scenario.quick_ack = false;
            }),
            beside(NO_NAGLE, &both, &|plan| plan.scenario.nagle = false),
            beside(DE_US, &both, &|plan| {
                plan.scenario.places = [Place::De, Place::Us];
            }),
            beside(US_US, &both, &|plan| {
                plan.scenario.places = [Place::Us; 2];
            }),
        ];
        for (name, correlation) in TWO_GUARDS {
            // Donar has two guards in `BASE` and `HEADLINE`, too.
            let kinds = if correlation > CORRELATION {
                &both[..]
            } else {
                &[Tacit]
            };
            scenes.push(beside(name, kinds, &|plan| {
                plan.scenario.correlation = correlation;
                plan.scenario.guards = 2;
            }));
        }
        for (name, factor) in FLOORS {
            scenes.push(beside(name, &both, &|plan| {
                plan.scenario.floor_factor = factor;
            }));
        }
        scenes
    }

    /// With our playout.
    fn scene(
        &self,
        name: &'static str,
        mode: Mode,
        kinds: &[Kind],
        change: impl FnOnce(&mut Plan),
    ) -> Scene {
        let mut scenario = Scenario::new(mode);
        scenario.legs = LEGS;
        let mut plan = Plan {
            scenario,
            donar_guards: 2,
            donar_legs: LEGS,
            calls: self.calls,
            seed: self.seed,
        };
        change(&mut plan);
        let ours = |kind: &Kind| Contender::new(*kind, Buffer::Tacit);
        Scene {
            name,
            plan,
            contenders: kinds.iter().map(ours).collect(),
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
    fn with(mut self, contenders: Vec<Contender>) -> Self {
        self.contenders = contenders;
        self
    }

    /// So many calls, all with real speech.
    const fn aloud(mut self, calls: u32) -> Self {
        self.plan.calls = calls;
        self.aloud = true;
        self
    }

    /// How many in all.
    pub(crate) fn calls(&self) -> u64 {
        u64::from(self.plan.calls) * self.contenders.len() as u64
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn grid() -> Grid {
        Grid::full(CALLS, ALOUD_CALLS, TUNING)
    }

    #[test]
    fn goals_are_scored_as_the_issue_says() {
        let scenes = grid().scenes();
        for mode in MODES {
            let find = |name: &str| {
                let of_mode = |s: &&Scene| s.name == name && s.plan.scenario.mode == mode;
                let mut found = scenes.iter().filter(of_mode);
                let scene = found.next().unwrap();
                assert!(found.next().is_none(), "{name} twice");
                &scene.plan
            };
            let base = find(BASE);
            let scenario = &base.scenario;
            assert_eq!((base.calls, scenario.length.as_secs()), (400, 300));
            assert_eq!((scenario.legs, scenario.guards), (12, 1));
            assert_eq!((base.donar_legs, base.donar_guards), (12, 2));
            assert_eq!((scenario.cells_per_second, scenario.correlation), (50, 0.0));
            assert!(scenario.replace && !find(KEPT).scenario.replace);
            let long = find(LONG);
            assert_eq!((long.calls, long.scenario.length.as_secs()), (40, 5_400));
            assert_eq!((long.donar_legs, long.donar_guards), (12, 2));
            assert_eq!(find(ALOUD).calls, 40);
            assert_eq!(find(CELLS).scenario.cells_per_second, 25);
            for (name, correlation) in SAME_GUARDS {
                let plan = find(name);
                assert_eq!((plan.calls, plan.donar_guards), (400, 1));
                assert_eq!(plan.scenario.correlation, correlation);
            }
        }
    }

    #[test]
    fn every_scene_has_a_name_of_its_own() {
        let scenes = grid().scenes();
        let mut keys: Vec<String> = scenes
            .iter()
            .map(|s| format!("{}-{}", s.plan.scenario.mode, s.name))
            .collect();
        keys.sort_unstable();
        let all = keys.len();
        keys.dedup();
        assert_eq!(keys.len(), all);
    }
}
