//! What the simulator says of the same packets: two circuits in series without spread, queues or
//! stalls, with the model's waits for acknowledgements.

use core::time::Duration;

use tacit_circuits::random::derive;
use tacit_circuits::{Circuit, Direction, Mode, Params, Place, Seeds, Setting};
use tacit_types::Timestamp;

use crate::options::NagleOff;

/// Simulated pairs of circuits: the model's acknowledgements differ from hop to hop.
const CIRCUITS: u64 = 100;
/// Packets on each.
const PACKETS: u64 = 200;
const SEED: u64 = 20;

/// What is to be predicted.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Question {
    pub(crate) mode: Mode,
    pub(crate) nagle_off: NagleOff,
    /// Whether the TURN server's own connections can hold a packet.
    pub(crate) server_holds: bool,
    pub(crate) spacing: Duration,
    /// One-way distance of each half.
    pub(crate) floors: [Duration; 2],
}

/// Delays of all packets, in ms.
pub(crate) fn predict(question: Question) -> Vec<f64> {
    let mut delays = Vec::new();
    for pair in 0..CIRCUITS {
        // Both directions: the halves change places.
        for way in 0..2 {
            let half = |at: usize, direction| {
                let label = derive(SEED, pair * 4 + way * 2 + at as u64);
                let seeds = Seeds {
                    guard: derive(label, 0),
                    circuit: derive(label, 1),
                };
                let floor = question.floors[(at + way as usize) % 2];
                Circuit::new(
                    &Params::idle(floor),
                    seeds,
                    direction,
                    &setting(question, direction),
                )
            };
            let halves = [half(0, Direction::Up), half(1, Direction::Down)];
            send(halves, question.spacing, &mut delays);
        }
    }
    delays
}

fn send([mut up, mut down]: [Circuit; 2], spacing: Duration, delays: &mut Vec<f64>) {
    let mut at = Timestamp::ZERO;
    for _ in 0..PACKETS {
        let arrived = down.send(up.send(at));
        delays.push(arrived.saturating_since(at).as_secs_f64() * 1e3);
        at += spacing;
    }
}

/// As [`tacit_circuits::Nagle::NotAtClient`] has it: the model takes connections between relays to be
/// busy, so that a half's first and last hop can hold a packet. Arti's own never do, and the server's
/// only if they really do. A guard whose client acknowledges at once counts as one that does not hold.
fn setting(question: Question, direction: Direction) -> Setting {
    let Question {
        nagle_off,
        server_holds,
        ..
    } = question;
    let relays = nagle_off != NagleOff::All;
    let turn = question.mode == Mode::Turn;
    let mut setting = Setting::between(Place::De, Place::De);
    setting.nagle = match direction {
        Direction::Up => [false, relays && turn],
        Direction::Down => [
            relays && turn && server_holds,
            relays && nagle_off != NagleOff::Acked,
        ],
    };
    setting
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ask(nagle_off: NagleOff, spacing: u64) -> Vec<f64> {
        predict(Question {
            mode: Mode::Turn,
            nagle_off,
            server_holds: false,
            spacing: Duration::from_millis(spacing),
            floors: [20, 30].map(Duration::from_millis),
        })
    }

    #[test]
    fn nothing_is_below_the_floor_and_without_nagle_nothing_above() {
        assert!(
            ask(NagleOff::All, 20)
                .iter()
                .all(|ms| (ms - 50.0).abs() < 0.1)
        );
        let held = ask(NagleOff::None, 20);
        assert!(held.iter().all(|ms| *ms > 49.9));
        let mean = held.iter().sum::<f64>() / held.len() as f64;
        assert!(mean > 60.0, "{mean}");
    }

    #[test]
    fn sparse_packets_wait_less() {
        let mean = |spacing| {
            let held = ask(NagleOff::Inner, spacing);
            held.iter().sum::<f64>() / held.len() as f64
        };
        assert!(mean(160) < mean(20));
    }
}
