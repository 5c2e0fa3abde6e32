//! What to stall between relays, and for how long.

use core::time::Duration;
use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;
use tacit_tornet::{Network, Stall};

/// A call and the stall in it.
#[derive(Clone, Debug)]
pub struct Plan {
    /// Seconds of sound.
    pub seconds: u64,
    /// When the stall begins, after the answer.
    pub at: Duration,
    /// How long it lasts.
    pub time: Duration,
    /// What it stops.
    pub reach: Reach,
}

impl Default for Plan {
    fn default() -> Self {
        Self {
            seconds: 24,
            at: Duration::from_secs(13),
            time: Duration::from_secs(2),
            reach: Reach::Some,
        }
    }
}

impl Plan {
    /// Seconds of sound that are left after the stall.
    #[must_use]
    pub fn afterwards(&self) -> Duration {
        Duration::from_secs(self.seconds).saturating_sub(self.at + self.time)
    }
}

/// Which connections between relays stop.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reach {
    /// One, which carries at least one leg and under half of them.
    Some,
    /// All.
    All,
}

/// A stall that has begun.
#[derive(Debug)]
pub struct Stalling {
    /// When, on the machine's monotonic clock, in microseconds: that of the traces.
    pub begun_us: u64,
    /// Legs that it stops.
    pub legs: Carried,
    /// What is stopped, in words.
    pub what: String,
    _holds: Vec<Stall>,
}

/// A side's legs, each with its hops.
pub type Legs = [(u64, Vec<String>)];

/// Legs, each with whose it is: 0, the caller's, or 1, the callee's. Onion legs are the caller's.
pub type Carried = BTreeSet<(usize, u64)>;

/// Keeps a side's legs as its events tell them.
pub fn note_leg(event: &Value, legs: &mut Vec<(u64, Vec<String>)>) {
    if event["event"] == "leg_up"
        && let (Some(leg), Some(hops)) = (event["leg"].as_u64(), event["hops"].as_array())
    {
        let hops = hops
            .iter()
            .filter_map(|h| h.as_str().map(str::to_owned))
            .collect();
        legs.retain(|(l, _)| *l != leg);
        legs.push((leg, hops));
    }
    if event["event"] == "leg_down" {
        legs.retain(|(l, _)| Some(*l) != event["leg"].as_u64());
    }
}

/// Stalls what the plan wants.
///
/// # Errors
/// If no connection is fit for it, or the network cannot stall.
pub fn begin(
    network: &Network,
    plan: &Plan,
    [caller, callee]: [&Legs; 2],
    halves: Halves,
) -> Result<Stalling, String> {
    let (pairs, legs, what) = match plan.reach {
        Reach::Some => {
            let link = choose(network, caller, callee, halves).ok_or(
                "no relay-to-relay connection carries at least one and under half of the legs",
            )?;
            let what = format!("{} – {}", link.a, link.b);
            (vec![(link.a, link.b)], link.legs, what)
        }
        Reach::All => {
            let what = "every connection between relays".into();
            (pairs(network), all(caller, callee, halves), what)
        }
    };
    let hold = |(a, b): &(String, String)| network.stall(a, b, plan.time);
    let holds: Result<Vec<Stall>, _> = pairs.iter().map(hold).collect();
    let now = rustix::time::clock_gettime(rustix::time::ClockId::Monotonic);
    let us = now.tv_sec * 1_000_000 + now.tv_nsec / 1_000;
    Ok(Stalling {
        begun_us: u64::try_from(us).unwrap_or(0),
        legs,
        what,
        _holds: holds.map_err(|e| e.to_string())?,
    })
}

/// TURN legs are each side's own; onion legs belong to both.
#[must_use]
pub fn all(caller: &Legs, callee: &Legs, halves: Halves) -> Carried {
    let of = |side, legs: &Legs| {
        legs.iter()
            .map(|(leg, _)| (side, *leg))
            .collect::<Carried>()
    };
    match halves {
        Halves::Joined => of(0, caller),
        Halves::Apart => &of(0, caller) | &of(1, callee),
    }
}

/// Every two relays.
fn pairs(network: &Network) -> Vec<(String, String)> {
    let names: Vec<&String> = network.relays().iter().map(|relay| &relay.name).collect();
    let pair = |(i, a): (usize, &&String)| {
        let others = names[i + 1..].iter();
        let a = (*a).clone();
        others
            .map(move |b| (a.clone(), (*b).clone()))
            .collect::<Vec<_>>()
    };
    names.iter().enumerate().flat_map(pair).collect()
}

/// Two relays whose connection carries some of the legs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Link {
    /// One relay's name.
    pub a: String,
    /// The other's.
    pub b: String,
    /// Legs over it.
    pub legs: Carried,
}

/// Whether both sides' circuits are halves of the same legs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Halves {
    /// Onion legs: leg i of one side is leg i of the other.
    Joined,
    /// TURN legs: each side has its own, which meet at the TURN server.
    Apart,
}

/// The connection that carries most legs, but under half of them, also of either side's, and is
/// nobody's guard link. Hops are RSA identities, first hop first, of each side's half of a circuit.
#[must_use]
pub fn choose(network: &Network, caller: &Legs, callee: &Legs, halves: Halves) -> Option<Link> {
    let name = |identity: &String| network.relay_by_identity(identity).map(|r| r.name.clone());
    busiest([caller, callee], name, halves)
}

fn busiest(
    sides: [&Legs; 2],
    name: impl Fn(&String) -> Option<String>,
    halves: Halves,
) -> Option<Link> {
    let mut legs: BTreeMap<(String, String), Carried> = BTreeMap::new();
    let both = (0..)
        .zip(sides)
        .flat_map(|(side, legs)| legs.iter().map(move |leg| (side, leg)));
    for (side, (leg, hops)) in both {
        let side = if halves == Halves::Apart { side } else { 0 };
        let names: Vec<String> = hops.iter().filter_map(&name).collect();
        // The client itself is no relay: links between two neighbouring hops are never its guard link.
        for pair in names.windows(2).filter(|p| p[0] != p[1]) {
            let mut pair = [pair[0].clone(), pair[1].clone()];
            pair.sort();
            let [a, b] = pair;
            legs.entry((a, b)).or_default().insert((side, *leg));
        }
    }
    let under_half = |carried: &Carried| {
        (0..2).all(|side| {
            let of_side = carried.iter().filter(|(s, _)| *s == side).count();
            of_side == 0 || of_side * 2 < sides[side].len()
        })
    };
    legs.into_iter()
        .filter(|(_, carried)| under_half(carried))
        .map(|((a, b), legs)| Link { a, b, legs })
        .max_by(|x, y| {
            x.legs
                .len()
                .cmp(&y.legs.len())
                .then_with(|| y.a.cmp(&x.a))
                .then_with(|| y.b.cmp(&x.b))
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn picks_the_busiest_link_under_half() {
        let hops = |s: &str| s.split(' ').map(str::to_owned).collect::<Vec<_>>();
        let caller = vec![
            (0, hops("g x y")),
            (1, hops("g x z")),
            (2, hops("g x y")),
            (3, hops("g w y")),
            (4, hops("g w z")),
        ];
        let link =
            busiest([&caller, &[]], |h| Some(h.clone()), Halves::Joined).expect("there is one");
        // g–x carries three of five legs, which is over half; several carry two.
        assert_eq!(link.legs.len(), 2);
        assert_ne!((link.a.as_str(), link.b.as_str()), ("g", "x"));
    }
}
