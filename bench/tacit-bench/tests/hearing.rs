//! What is heard of arrivals that were written by hand.
#![allow(clippy::unwrap_used)]

use std::time::Duration;

use tacit_bench::hearing::{Buffer, CAPTURE, Heard, Hearing, LOOK_AHEAD, OUTPUT};
use tacit_bench::speech::Spoken;
use tacit_circuits::strategies::{Contents, Older};
use tacit_circuits::{Arrival, Observer as _, Side};
use tacit_types::{LegIndex, Path, Timestamp};

const LENGTH: Duration = Duration::from_secs(20);
const NETWORK: Duration = Duration::from_millis(100);
const LEG: Path = Path {
    sender: LegIndex(0),
    receiver: LegIndex(0),
};

/// Both directions alike: a packet every `interval`, `delay` says how long each takes.
fn heard(buffer: Buffer, interval: Duration, delay: impl Fn(u32) -> Duration) -> Heard {
    let mut hearing = Hearing::new(buffer, false, LENGTH, [Spoken::new(1), Spoken::new(2)]);
    let contents = Contents {
        interval,
        new: 1,
        older: Some(Older::NONE),
    };
    for side in Side::BOTH {
        hearing.begins(side, &contents);
    }
    let packets = u32::try_from(LENGTH.as_millis() / interval.as_millis()).unwrap();
    let mut arrivals: Vec<Arrival> = Side::BOTH
        .into_iter()
        .flat_map(|from| {
            let delay = &delay;
            (0..packets).map(move |packet| {
                let sent_at = Timestamp::ZERO + interval * packet;
                Arrival {
                    from,
                    packet,
                    path: LEG,
                    older: Older::NONE,
                    sent_at,
                    arrived_at: sent_at + delay(packet),
                }
            })
        })
        .collect();
    arrivals.sort_by_key(|arrival| arrival.arrived_at);
    for arrival in &arrivals {
        hearing.arrived(arrival);
    }
    hearing.finish().0
}

fn ms(duration: Duration) -> usize {
    usize::try_from(duration.as_millis()).unwrap()
}

#[test]
fn a_fixed_buffer_adds_up_to_the_stages() {
    for interval in [20, 40].map(Duration::from_millis) {
        let heard = heard(Buffer::DONAR, interval, |_| NETWORK);
        let stages =
            CAPTURE + interval + LOOK_AHEAD + NETWORK + Duration::from_millis(150) + OUTPUT;
        for p in [0.01, 0.5, 0.99] {
            assert_eq!(
                heard.mouth_to_ear.quantile(p),
                Some(ms(stages)),
                "{interval:?}"
            );
        }
        assert!(heard.concealed() < 1e-9);
    }
}

#[test]
fn what_is_late_for_a_fixed_buffer_is_concealed_and_never_heard() {
    // Every fiftieth packet takes 200 ms more than the buffer holds.
    let late =
        |packet: u32| NETWORK + Duration::from_millis(if packet % 50 == 49 { 350 } else { 0 });
    let heard = heard(Buffer::DONAR, Duration::from_millis(20), late);
    assert!(
        (heard.concealed() - 0.02).abs() < 0.002,
        "{}",
        heard.concealed()
    );
    assert_eq!(heard.longest_gap, Duration::from_millis(20));
    let p99 = heard.mouth_to_ear.quantile(0.99);
    assert_eq!(
        p99,
        Some(tacit_circuits::LONGEST),
        "two of a hundred are infinitely late"
    );
}

#[test]
fn the_production_playout_waits_less_where_nothing_is_late() {
    let interval = Duration::from_millis(20);
    let heard = heard(Buffer::Tacit, interval, |_| NETWORK);
    let stages = CAPTURE + interval + LOOK_AHEAD + NETWORK + OUTPUT;
    let p99 = heard.mouth_to_ear.quantile(0.99).unwrap();
    assert!((ms(stages)..=ms(stages) + 80).contains(&p99), "{p99}");
    assert!(
        heard.concealed() < 1e-3 && heard.mos(None) > 3.9,
        "{}",
        heard.mos(None)
    );
}
