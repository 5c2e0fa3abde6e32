//! What a simulated call is like.

use core::fmt;
use core::str::FromStr;
use core::time::Duration;

use crate::connection::Ends;
use crate::params::{CONGESTION, MODEL, Params};
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
    /// How much longer a leg takes to build than a circuit. With onion legs the rendezvous circuit, the
    /// introduction and the other side's circuit follow each other. A TURN leg's circuit is followed by
    /// five round trips over it: connection, TLS, an allocation that is refused without credentials, one
    /// with them, and the channels of the other person, who has to be told first. In 2019 half of all
    /// circuits took longer than 2.8 median round trips to build, so these are as long as two more.
    pub(crate) const fn build_factor(self) -> f64 {
        match self {
            Self::Turn | Self::Onion => 3.0,
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

/// A person's Tor client, as its connections to guards go.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Client {
    /// Tacit's: Arti with `TCP_NODELAY`, which acknowledges at once what comes.
    Tacit,
    /// C tor as it is, which sets nothing.
    CTor,
}

/// Who has which client.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Clients {
    /// Each strategy its own: those that were published had C tor.
    Own,
    /// All the same.
    All(Client),
}

impl Clients {
    /// What a strategy has whose own client is `own`.
    pub(crate) const fn of(self, own: Client) -> Client {
        match self {
            Self::Own => own,
            Self::All(client) => client,
        }
    }
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
    /// Who has which Tor client.
    pub clients: Clients,
    /// Whether Tacit's client acknowledges at once.
    pub quick_ack: bool,
    /// Whether Nagle's algorithm is on wherever nobody turns it off. `false` is what would be if all
    /// relays and clients turned it off.
    pub nagle: bool,
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
            params: MODEL.congested(CONGESTION),
            mode,
            places: [Place::De, Place::De],
            legs: 12,
            guards: 1,
            correlation: 0.0,
            floor_factor: 1.0,
            clients: Clients::Own,
            quick_ack: true,
            nagle: true,
            cells_per_second: 50,
            replace: true,
            failures_per_hour: 0.1,
            length: Duration::from_secs(300),
            traces: None,
        }
    }

    /// How the connection between an exit and the TURN server is treated, if anything waits there. A
    /// rendezvous joins two relays, whose connection is busy with other traffic.
    pub(crate) fn exit(&self) -> Option<Ends> {
        (self.nagle && self.mode == Mode::Turn).then_some(Ends::SERVER_AND_EXIT)
    }

    /// How the connection to a guard is treated by this client.
    pub(crate) fn ends(&self, client: Client) -> Ends {
        Ends {
            held: [self.nagle && client == Client::CTor, self.nagle],
            quick_ack: self.quick_ack && client == Client::Tacit,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exits_hold_what_they_send_to_turn_servers() {
        let mut scenario = Scenario::new(Mode::Turn);
        assert_eq!(scenario.exit().map(|ends| ends.held), Some([false, true]));
        scenario.nagle = false;
        assert_eq!(scenario.exit(), None);
        assert_eq!(Scenario::new(Mode::Onion).exit(), None);
    }

    #[test]
    fn tacits_client_holds_nothing_and_acknowledges_at_once() {
        let mut scenario = Scenario::new(Mode::Onion);
        let ends = |scenario: &Scenario, own| {
            let ends = scenario.ends(scenario.clients.of(own));
            (ends.held, ends.quick_ack)
        };
        assert_eq!(ends(&scenario, Client::Tacit), ([false, true], true));
        assert_eq!(ends(&scenario, Client::CTor), ([true, true], false));
        scenario.clients = Clients::All(Client::Tacit);
        assert_eq!(ends(&scenario, Client::CTor), ([false, true], true));
        scenario.quick_ack = false;
        assert_eq!(ends(&scenario, Client::CTor), ([false, true], false));
        scenario.nagle = false;
        assert_eq!(ends(&scenario, Client::CTor), ([false, false], false));
    }
}
