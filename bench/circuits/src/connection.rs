//! A TCP connection that carries packets both ways, so that acknowledgements ride with them:
//!
//! - between a person's Tor and a guard, one for all legs behind that guard: what Nagle's algorithm holds
//!   on it are the packets of all of them together;
//! - between an exit and a TURN server, one for each leg.
//!
//! ```text
//!   near end   1──╮  2   3──╮          all times are by the near end's clock: a packet of the far end is
//!   (client,       ╲ │  ╱    ╲         where it will be when it comes to the near end
//!   server)         ╲│ ╱      ╲
//!   far end          ╰┼╯       ╰──
//!   (guard,          2 waits until 1 is acknowledged: by the first packet that comes
//!   exit)            the other way after 1 was there, or by a delayed acknowledgement
//! ```
//!
//! Up is from the near end to the far one: on an exit's connection that is what the server sends, whose
//! clock counts there.

use tacit_types::Timestamp;

use crate::circuit::{Direction, FIRST_SPACING, SPACING_GAIN, from_ms, guard_floor, ms};
use crate::nagle::{PACKETS_IN_SEGMENT, Segment};
use crate::params::Params;
use crate::place::Place;
use crate::random::{Random, derive, gauss};

const SPREAD: u64 = 0xc0;
const DELAYED: u64 = 0xc1;

/// How the two ends treat the connection. C tor, and so every relay, sets nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ends {
    /// Whether Nagle's algorithm holds what the near end sends, and what the far one does.
    pub held: [bool; 2],
    /// Whether the near end acknowledges at once (`TCP_QUICKACK`), without waiting for something to send
    /// along.
    pub quick_ack: bool,
}

impl Ends {
    /// A TURN server turns Nagle's algorithm off and acknowledges when its kernel likes; an exit, as
    /// every relay, turns nothing off.
    pub(crate) const SERVER_AND_EXIT: Self = Self {
        held: [false, true],
        quick_ack: false,
    };
}

/// One direction.
#[derive(Clone, Debug)]
struct Way {
    held: bool,
    /// From when a segment leaves until the other end has it, and until what that sends at that moment
    /// is back, by the client's clock: of one of the two it is all of the round trip.
    there: f64,
    back: f64,
    /// Median of how long the other end waits for something to send along; 0 for not at all.
    delay: f64,
    jitter: f64,
    random: Random,
    segment: Segment,
    /// When the other end has the segment that left last, and acknowledges it without having anything to
    /// send along.
    heard_at: f64,
    answered_at: f64,
    /// When a packet left the other end that takes the acknowledgement along.
    carried_at: Option<f64>,
    came_at: f64,
    left_at: f64,
    /// Mean time between the last packets.
    spacing: f64,
}

impl Way {
    /// Mean time between the last packets, if one comes at `at`.
    fn spacing_with(&self, at: f64) -> f64 {
        if self.came_at.is_finite() {
            self.spacing + SPACING_GAIN * (at - self.came_at - self.spacing)
        } else {
            self.spacing
        }
    }

    /// When the next packet comes, `after` this at the earliest, if it comes as those before it did.
    fn next(&self, after: f64) -> f64 {
        if !self.came_at.is_finite() {
            return f64::INFINITY;
        }
        let spacing = self.spacing.max(1.0);
        let packets = ((after - self.came_at) / spacing).ceil().max(1.0);
        self.came_at + packets * spacing
    }

    /// When what left last is acknowledged, as far as it is known or to be expected at `now`.
    fn acked_at(&self, now: f64, other: &Self) -> f64 {
        let carried = self
            .carried_at
            .unwrap_or_else(|| other.next(now.max(self.heard_at)));
        self.answered_at.min(carried) + self.back
    }

    fn pass(&mut self, at: f64, other: &Self) -> f64 {
        self.spacing = self.spacing_with(at);
        self.came_at = at;
        let leaves = if !self.held {
            self.left(at, other)
        } else if let Some(leaves) = self.segment.joined(at) {
            leaves
        } else {
            let acked_at = self.acked_at(at, other);
            let leaves = self.segment.begin(at, self.spacing, acked_at);
            self.segment.open();
            self.left(leaves, other)
        };
        self.left_at = leaves.max(self.left_at);
        self.left_at
    }

    /// What [`pass`](Self::pass) would say, which changes nothing.
    fn peek(&self, at: f64, other: &Self) -> f64 {
        let mut segment = self.segment.clone();
        let leaves = if !self.held {
            at
        } else if let Some(leaves) = segment.joined(at) {
            leaves
        } else {
            segment.begin(at, self.spacing_with(at), self.acked_at(at, other))
        };
        leaves.max(self.left_at)
    }

    /// A segment leaves.
    fn left(&mut self, leaves: f64, other: &Self) -> f64 {
        self.heard_at = leaves + self.there;
        self.answered_at =
            self.heard_at + self.delay * (self.jitter * gauss(self.random.bits())).exp();
        let carried = other.left_at >= self.heard_at;
        self.carried_at = carried.then_some(other.left_at);
        leaves
    }
}

/// Both directions.
///
/// ```
/// use tacit_circuits::{Connection, Direction, Ends, MODEL, Place};
/// use tacit_types::Timestamp;
///
/// let ends = Ends { held: [true; 2], quick_ack: false };
/// let mut connection = Connection::new(&MODEL, 1, Place::De, ends);
/// let at = Timestamp::from_micros(1_000);
/// assert_eq!(connection.pass(Direction::Up, at), at, "nothing was sent before");
/// let next = Timestamp::from_micros(2_000);
/// assert!(connection.pass(Direction::Up, next) > next, "unacknowledged");
/// ```
#[derive(Clone, Debug)]
pub struct Connection {
    ways: [Way; 2],
}

impl Connection {
    /// Between a client in this place and the guard that this seed stands for.
    #[must_use]
    pub fn new(params: &Params, guard: u64, client: Place, ends: Ends) -> Self {
        Self::over(params, guard, guard_floor(params, guard, client), ends)
    }

    /// Drawn from `seed`, on the way of circuits that have this one-way floor.
    pub(crate) fn over(params: &Params, seed: u64, floor: f64, ends: Ends) -> Self {
        let spread = (params.ack_spread * gauss(derive(seed, SPREAD))).exp();
        let round_trip = params.ack_distance * floor * spread;
        let way = |way: Direction| {
            let (there, back, delay) = match way {
                Direction::Up => (round_trip, 0.0, params.ack_delay * spread),
                Direction::Down if ends.quick_ack => (0.0, round_trip, 0.0),
                Direction::Down => (0.0, round_trip, params.ack_delay * spread),
            };
            Way {
                held: ends.held[way as usize],
                there,
                back,
                delay,
                jitter: params.ack_jitter,
                random: Random::new(derive(derive(seed, DELAYED), way as u64)),
                segment: Segment::new(PACKETS_IN_SEGMENT),
                heard_at: f64::NEG_INFINITY,
                answered_at: f64::NEG_INFINITY,
                carried_at: None,
                came_at: f64::NEG_INFINITY,
                left_at: f64::NEG_INFINITY,
                spacing: FIRST_SPACING,
            }
        };
        Self {
            ways: [way(Direction::Up), way(Direction::Down)],
        }
    }

    /// Whether what the near end sends may wait.
    pub(crate) const fn holds_up(&self) -> bool {
        self.ways[0].held
    }

    /// A packet goes up at `at`, and leaves then; or it comes down, would be at the near end at `at` if
    /// the far one held nothing, and is there then. Moments of both directions must not go back.
    pub fn pass(&mut self, direction: Direction, at: Timestamp) -> Timestamp {
        from_ms(self.pass_ms(direction, ms(at)))
    }

    pub(crate) fn pass_ms(&mut self, direction: Direction, at: f64) -> f64 {
        let [up, down] = &mut self.ways;
        let (way, other) = match direction {
            Direction::Up => (up, down),
            Direction::Down => (down, up),
        };
        let left_at = way.pass(at, other);
        if other.carried_at.is_none() && left_at >= other.heard_at {
            other.carried_at = Some(left_at);
        }
        left_at
    }

    /// What [`pass`](Self::pass) would say of a packet that comes at `at` after these, which changes
    /// nothing.
    pub(crate) fn peek_ms(
        &self,
        direction: Direction,
        before: impl Iterator<Item = f64>,
        at: f64,
    ) -> f64 {
        let mut before = before.peekable();
        if before.peek().is_some() {
            let mut connection = self.clone();
            for at in before {
                connection.pass_ms(direction, at);
            }
            return connection.pass_ms(direction, at);
        }
        let [up, down] = &self.ways;
        match direction {
            Direction::Up => up.peek(at, down),
            Direction::Down => down.peek(at, up),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::params::MODEL;

    const C_TOR: Ends = Ends {
        held: [true; 2],
        quick_ack: false,
    };
    const TACIT: Ends = Ends {
        held: [false, true],
        quick_ack: true,
    };

    /// Acknowledgements take 30 ms and, if they are delayed, 40 more.
    fn connection(ends: Ends) -> Connection {
        let mut params = MODEL;
        params.access = [0.0; 3];
        params.floor_spread = 0.0;
        params.ack_spread = 0.0;
        params.ack_jitter = 0.0;
        params.ack_delay = 40.0;
        params.ack_distance = 30.0 / params.floor;
        Connection::new(&params, 1, Place::De, ends)
    }

    /// How long the packets of one direction wait: the others are there to take acknowledgements along.
    fn waits(connection: &mut Connection, of: Direction, packets: &[(f64, Direction)]) -> Vec<f64> {
        let pass = |&(at, way): &(f64, Direction)| (way, connection.pass_ms(way, at) - at);
        let all: Vec<(Direction, f64)> = packets.iter().map(pass).collect();
        let own = all.into_iter().filter(|(way, _)| *way == of);
        own.map(|(_, wait)| (1e6 * wait).round() / 1e6).collect()
    }

    fn every(spacing: f64, phase: f64, way: Direction) -> impl Iterator<Item = (f64, Direction)> {
        (0..400).map(move |packet| (phase + spacing * f64::from(packet), way))
    }

    #[test]
    fn alone_a_packet_waits_for_a_delayed_acknowledgement() {
        for way in [Direction::Up, Direction::Down] {
            let pair = [(0.0, way), (10.0, way), (200.0, way)];
            assert_eq!(waits(&mut connection(C_TOR), way, &pair), [0.0, 60.0, 0.0]);
        }
    }

    #[test]
    fn an_acknowledgement_rides_with_the_next_packet_the_other_way() {
        use Direction::{Down, Up};
        // 1 is at the client at 0; at 15 something goes up from there, and is at the guard at 45, by
        // the clock that says when what leaves then is at the client.
        let down = [(0.0, Down), (10.0, Down), (15.0, Up), (50.0, Down)];
        let mut known = connection(C_TOR);
        assert_eq!(waits(&mut known, Down, &down), [0.0, 60.0, 20.0]);
        let known_before = [(0.0, Down), (15.0, Up), (20.0, Down)];
        let waits_known = waits(&mut connection(C_TOR), Down, &known_before);
        assert_eq!(waits_known, [0.0, 25.0]);
        // The guard has 1 at 30, and what leaves it from then on takes the acknowledgement along.
        let up = [(0.0, Up), (33.0, Down), (35.0, Up)];
        assert_eq!(waits(&mut connection(C_TOR), Up, &up), [0.0, 0.0]);
        let too_early = [(0.0, Up), (29.0, Down), (35.0, Up)];
        assert_eq!(waits(&mut connection(C_TOR), Up, &too_early), [0.0, 35.0]);
    }

    #[test]
    fn who_acknowledges_at_once_holds_up_nothing_that_is_further_apart_than_the_round_trip() {
        let down: Vec<_> = every(31.0, 0.0, Direction::Down).collect();
        let free = waits(&mut connection(TACIT), Direction::Down, &down);
        assert!(free.iter().all(|wait| *wait == 0.0));
        let dense: Vec<_> = every(20.0, 0.0, Direction::Down).collect();
        let held = waits(&mut connection(TACIT), Direction::Down, &dense);
        assert!(held.contains(&10.0) && held.iter().all(|wait| *wait <= 20.0));
    }

    #[test]
    fn what_is_written_at_one_moment_goes_together() {
        let pairs: Vec<_> = every(200.0, 0.0, Direction::Up)
            .flat_map(|packet| [packet, packet])
            .collect();
        let free = waits(&mut connection(C_TOR), Direction::Up, &pairs);
        assert!(free.iter().all(|wait| *wait == 0.0));
    }

    #[test]
    fn tacits_client_holds_nothing() {
        let up: Vec<_> = every(1.0, 0.0, Direction::Up).collect();
        let free = waits(&mut connection(TACIT), Direction::Up, &up);
        assert!(free.iter().all(|wait| *wait == 0.0));
    }

    proptest! {
        #[test]
        fn order_is_kept_and_a_peek_tells_what_passing_does(
            steps in proptest::collection::vec((0.0..40.0_f64, any::<bool>()), 1..300),
            quick_ack: bool,
            client_holds: bool,
        ) {
            let ends = Ends { held: [client_holds, true], quick_ack };
            let mut connection = connection(ends);
            let (mut now, mut before) = (0.0, [0.0_f64; 2]);
            for (gap, down) in steps {
                now += gap;
                let way = if down { Direction::Down } else { Direction::Up };
                let told = connection.peek_ms(way, core::iter::empty(), now);
                let leaves = connection.pass_ms(way, now);
                prop_assert_eq!(told.to_bits(), leaves.to_bits());
                prop_assert!(leaves >= now && leaves >= before[way as usize]);
                // Each segment waits for a delayed acknowledgement at most. How many wait behind each
                // other is bounded too: after a dozen packets at one moment, the mean spacing says that
                // they fill their segments.
                prop_assert!(leaves <= now + 8.0 * 70.0, "{}", leaves - now);
                before[way as usize] = leaves;
            }
        }

        #[test]
        fn an_exit_holds_what_comes_before_the_acknowledgement_and_no_longer(
            steps in proptest::collection::vec((0.0..120.0_f64, any::<bool>()), 1..300),
        ) {
            let mut exit = connection(Ends::SERVER_AND_EXIT);
            let (mut now, mut before) = (0.0, f64::NEG_INFINITY);
            for (gap, server) in steps {
                now += gap;
                if server {
                    let sent = exit.pass_ms(Direction::Up, now);
                    prop_assert_eq!(sent.to_bits(), now.to_bits(), "the server holds nothing");
                    continue;
                }
                let leaves = exit.pass_ms(Direction::Down, now);
                prop_assert!(leaves >= now && leaves >= before, "order is kept");
                if before < now - 70.0 {
                    prop_assert_eq!(leaves.to_bits(), now.to_bits(), "all is acknowledged");
                } else if before < now {
                    // The distance there and back, and the server's timer.
                    prop_assert!(leaves <= before + 70.0 + 1e-9, "{}", leaves - before);
                }
                before = leaves;
            }
        }

        #[test]
        fn nobody_who_turns_it_off_holds_anything(
            steps in proptest::collection::vec((0.0..40.0_f64, any::<bool>()), 1..300),
        ) {
            let mut ends = Ends::SERVER_AND_EXIT;
            ends.held = [false; 2];
            let mut exit = connection(ends);
            let mut now = 0.0;
            for (gap, server) in steps {
                now += gap;
                let way = if server { Direction::Up } else { Direction::Down };
                prop_assert_eq!(exit.pass_ms(way, now).to_bits(), now.to_bits());
            }
        }
    }
}
