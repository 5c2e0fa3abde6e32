//! Which relay-to-relay connection to stall.

use std::collections::{BTreeMap, BTreeSet};

use tacit_tornet::Network;

/// Two relays whose connection carries some of the legs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Link {
    /// One relay's name.
    pub a: String,
    /// The other's.
    pub b: String,
    /// Legs over it.
    pub legs: usize,
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
pub fn choose(
    network: &Network,
    caller: &[(u64, Vec<String>)],
    callee: &[(u64, Vec<String>)],
    halves: Halves,
) -> Option<Link> {
    let name = |identity: &String| network.relay_by_identity(identity).map(|r| r.name.clone());
    busiest([caller, callee], name, halves)
}

fn busiest(
    sides: [&[(u64, Vec<String>)]; 2],
    name: impl Fn(&String) -> Option<String>,
    halves: Halves,
) -> Option<Link> {
    let mut legs: BTreeMap<(String, String), BTreeSet<(usize, u64)>> = BTreeMap::new();
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
    let under_half = |carried: &BTreeSet<(usize, u64)>| {
        (0..2).all(|side| {
            let of_side = carried.iter().filter(|(s, _)| *s == side).count();
            of_side == 0 || of_side * 2 < sides[side].len()
        })
    };
    legs.into_iter()
        .filter(|(_, carried)| under_half(carried))
        .map(|((a, b), legs)| Link {
            a,
            b,
            legs: legs.len(),
        })
        .max_by(|x, y| {
            x.legs
                .cmp(&y.legs)
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
        assert_eq!(link.legs, 2);
        assert_ne!((link.a.as_str(), link.b.as_str()), ("g", "x"));
    }
}
