//! What a simulated call is like.

use core::fmt;
use core::str::FromStr;
use core::time::Duration;

use crate::circuit::Direction;
use crate::params::Params;
use crate::place::Place;
use crate::trace::{Part, Traces};

/// How two people's circuits meet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Mode {
    /// At a TURN server: n × m paths.
    Turn,
    /// At rendezvous points: n paths, each of which joins two halves.
    Onion,
}

impl Mode {
    /// How much longer a leg takes to build than a circuit: with onion legs the rendezvous circuit,
    /// the introduction and the other side's circuit follow each other.
    pub(crate) const fn build_factor(self) -> f64 {
        match self {
            Self::Turn => 1.0,
            Self::Onion => 3.0,
        }
    }
}

impl fmt::Display for Mode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Turn => "turn",
            Self::Onion => "onion",
        })
    }
}

/// No such mode.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("unknown mode '{0}': known are turn and onion")]
pub struct UnknownMode(String);

impl FromStr for Mode {
    type Err = UnknownMode;
    fn from_str(text: &str) -> Result<Self, UnknownMode> {
        match text {
            "turn" => Ok(Self::Turn),
            "onion" => Ok(Self::Onion),
            other => Err(UnknownMode(other.to_owned())),
        }
    }
}

/// Where Nagle's algorithm is on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Nagle {
    /// At relays, servers and the client's Tor, as with C tor.
    Everywhere,
    /// The client's own connection to its guard has it off.
    NotAtClient,
    /// Nowhere: what would be if relays turned it off too.
    Nowhere,
}

/// Everything about a call but its seed and its strategy.
#[derive(Clone, Debug)]
pub struct Scenario {
    /// The circuits' model.
    pub params: Params,
    /// How the two people's circuits meet.
    pub mode: Mode,
    /// Where A and B are.
    pub places: [Place; 2],
    /// Circuits a side.
    pub legs: usize,
    /// Guards a side; circuits take them by turns.
    pub guards: usize,
    /// Share of stall time that circuits behind one guard share.
    pub correlation: f64,
    /// Stretches the floors of onion circuits: 1.0 to 2.0 is the range of what was measured.
    pub floor_factor: f64,
    /// Where Nagle's algorithm is on.
    pub nagle: Nagle,
    /// Packets a second and direction of `tacit`: 50, or 25 with two new frames in each. The others
    /// send what they were published with.
    pub cells_per_second: u32,
    /// Whether `tacit` replaces bad circuits in the course of the call.
    pub replace: bool,
    /// How often a circuit fails. Nothing was published: an assumption.
    pub failures_per_hour: f64,
    /// How long the call is.
    pub length: Duration,
    /// Recorded delays instead of modelled ones.
    pub traces: Option<(Traces, Part)>,
}

impl Scenario {
    /// A call of five minutes between two people in Germany over the calibrated network.
    #[must_use]
    pub fn new(mode: Mode) -> Self {
        Self {
            params: Params::calibrated(),
            mode,
            places: [Place::De, Place::De],
            legs: 12,
            guards: 1,
            correlation: 0.0,
            floor_factor: 1.0,
            nagle: Nagle::Everywhere,
            cells_per_second: 50,
            replace: true,
            failures_per_hour: 0.1,
            length: Duration::from_secs(300),
            traces: None,
        }
    }

    /// On which of the two hops of a half Nagle's algorithm is on: between client and guard, and
    /// behind the exit. A rendezvous joins two relays, whose connection is busy with other traffic.
    pub(crate) fn nagle_hops(&self, direction: Direction) -> [bool; 2] {
        let far = self.mode == Mode::Turn && self.nagle != Nagle::Nowhere;
        let client = match self.nagle {
            Nagle::Everywhere => true,
            Nagle::NotAtClient => direction == Direction::Down,
            Nagle::Nowhere => false,
        };
        match direction {
            Direction::Up => [client, far],
            Direction::Down => [far, client],
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nagle_is_on_at_the_ends_of_a_circuit_but_not_at_a_rendezvous() {
        let hops = |mode, nagle| {
            let mut scenario = Scenario::new(mode);
            scenario.nagle = nagle;
            [Direction::Up, Direction::Down].map(|way| scenario.nagle_hops(way))
        };
        use Nagle::{Everywhere, NotAtClient, Nowhere};
        assert_eq!(hops(Mode::Turn, Everywhere), [[true, true], [true, true]]);
        assert_eq!(hops(Mode::Turn, NotAtClient), [[false, true], [true, true]]);
        assert_eq!(
            hops(Mode::Onion, Everywhere),
            [[true, false], [false, true]]
        );
        assert_eq!(
            hops(Mode::Onion, NotAtClient),
            [[false, false], [false, true]]
        );
        assert_eq!(hops(Mode::Turn, Nowhere), [[false; 2]; 2]);
    }
}
