//! A check of speech along simulated circuits: calls as they were measured over live Tor.
//!
//! "Tor Turns Talk Choppy" (2025–26) had 54.9 % of its Opus calls of 30 s over one exit circuit above
//! PESQ 3.0. Here the same load goes over one circuit of today's model, 50 packets a second with one
//! frame each. What its client did is in the project's repository: PJSUA 2.6 as it comes, whose buffer
//! waits for what is late and holds 500 ms at most ([`Buffer::TELEPHONE`]), at 8 kHz, scored with PESQ's
//! narrowband mode.

use core::time::Duration;

use rayon::prelude::*;
use serde::{Deserialize, Serialize};
use tacit_circuits::fit::Harness;
use tacit_circuits::random::{self, Random};
use tacit_circuits::strategies::{Contents, Older, Packed};
use tacit_circuits::{Arrival, Circuit, Direction, MODEL, Observer as _, Seeds, Setting, Side};
use tacit_types::limits::FRAME_DURATION;
use tacit_types::{LegIndex, Path, Timestamp};

use crate::audio::{AudioError, Band, Studio};
use crate::hearing::{Buffer, Hearing};
use crate::speech::Spoken;

/// What was published: share of Opus calls at 3.0 or more.
pub const PUBLISHED: f64 = 0.549;
/// With what calls are played: as theirs were, as most programs do it, and by our playout.
pub const BUFFERS: [Buffer; 6] = [
    Buffer::TELEPHONE,
    Buffer::Fixed(Duration::from_millis(150)),
    Buffer::Fixed(Duration::from_millis(300)),
    Buffer::Fixed(Duration::from_millis(500)),
    Buffer::Fixed(Duration::from_millis(800)),
    Buffer::Tacit,
];
/// Length of those calls.
const LENGTH: Duration = Duration::from_secs(30);
const PATH: Path = Path {
    sender: LegIndex(0),
    receiver: LegIndex(0),
};

/// One frame in each packet.
const CONTENTS: Contents = Contents {
    interval: FRAME_DURATION,
    new: 1,
    older: Some(Older::NONE),
};

/// What one call scored.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Scored {
    /// PESQ on the narrowband scale, which was published.
    pub narrow: f64,
    /// PESQ-WB, which our goals are about.
    pub wide: f64,
}

/// So many calls, rounded up to an even number, with this buffer.
///
/// # Errors
/// A call cannot be scored.
pub fn scores(
    studio: &Studio,
    buffer: Buffer,
    calls: u32,
    seed: u64,
) -> Result<Vec<Scored>, AudioError> {
    let two = |pair: u32| score(studio, buffer, random::derive(seed, u64::from(pair)));
    let pairs = (0..calls.div_ceil(2)).into_par_iter().map(two);
    Ok(pairs.collect::<Result<Vec<_>, _>>()?.concat())
}

/// Two calls: each direction has a circuit of its own, and is scored for itself.
fn score(studio: &Studio, buffer: Buffer, seed: u64) -> Result<Vec<Scored>, AudioError> {
    let spoken = [0, 1].map(|side| Spoken::new(random::derive(seed, 0x5bea_0000 + side)));
    let mut hearing = Hearing::new(buffer, LENGTH, studio.listeners(spoken, LENGTH)?);
    let mut arrivals: Vec<Arrival> = Side::BOTH
        .into_iter()
        .flat_map(|side| stream(side, random::derive(seed, side as u64)))
        .collect();
    arrivals.sort_by_key(|arrival| arrival.arrived_at);
    for side in Side::BOTH {
        hearing.begins(side, &CONTENTS);
    }
    for arrival in arrivals {
        hearing.arrived(&arrival);
    }
    let (_, listeners) = hearing.finish();
    let score = |listener| -> Result<Scored, AudioError> {
        Ok(Scored {
            narrow: studio.score(&[listener], Band::Narrow)?,
            wide: studio.score(&[listener], Band::Wide)?,
        })
    };
    listeners.each_ref().map(score).into_iter().collect()
}

/// One direction.
fn stream(side: Side, seed: u64) -> Vec<Arrival> {
    let mut random = Random::new(seed);
    let seeds = Seeds {
        guard: random.bits(),
        circuit: random.bits(),
    };
    let harness = Harness::FITTED;
    let ends = [random.unit(), random.unit()].map(|unit| harness.place(unit));
    let mut setting = Setting::between(ends[0], ends[1]);
    setting.in_segment = harness.in_segment;
    let mut circuit = Circuit::new(&MODEL, seeds, Direction::Up, &setting);
    let packets = u32::try_from(LENGTH.as_millis() / FRAME_DURATION.as_millis()).unwrap_or(0);
    (0..packets)
        .map(|packet| {
            let sent_at = Timestamp::ZERO + FRAME_DURATION * packet;
            Arrival {
                from: side,
                packet,
                path: PATH,
                packed: Packed::default(),
                sent_at,
                arrived_at: circuit.send(sent_at),
            }
        })
        .collect()
}
