//! What is heard of arrivals that were written by hand.
#![allow(clippy::unwrap_used)]

use std::time::Duration;

use tacit_bench::hearing::{Buffer, CAPTURE, Heard, Hearing, LOOK_AHEAD, OUTPUT};
use tacit_bench::speech::Spoken;
use tacit_circuits::strategies::{Contents, Older, Packed};
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
    let mut hearing = Hearing::new(buffer, LENGTH, [Spoken::new(1), Spoken::new(2)]);
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
                    packed: Packed::default(),
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

/// 40 ms and 20 ms streams whose delays are known, packet by packet.
#[test]
fn percentiles_are_those_of_the_delays_that_were_put_in() {
    for interval in [20, 40].map(Duration::from_millis) {
        // Nine packets in ten take 100 ms, one takes 180, which the buffer holds.
        let delay =
            |packet: u32| NETWORK + Duration::from_millis(if packet % 10 == 9 { 80 } else { 0 });
        let heard = heard(Buffer::DONAR, interval, delay);
        let stages =
            CAPTURE + interval + LOOK_AHEAD + NETWORK + Duration::from_millis(150) + OUTPUT;
        let all = [0.0, 0.5, 0.95, 1.0].map(|p| heard.mouth_to_ear.quantile(p));
        // Everything is played at its time. What was spoken in the last second need not be.
        assert_eq!(all, [Some(ms(stages)); 4], "{interval:?}");
        let first = [0.0, 0.5, 1.0].map(|p| heard.first.quantile(p));
        assert_eq!(first, [Some(ms(stages)); 3], "{interval:?}");
        assert_eq!(heard.first.total(), 2 * 250);
        assert!(heard.speech.total() < heard.mouth_to_ear.total());
        assert!(heard.speech.total() * 2 > heard.mouth_to_ear.total());
    }
}

/// What is not heard is missed: of all, of speech, of the first 5 s.
#[test]
fn silence_is_infinitely_late() {
    // Nothing comes but what was sent from second 2 to 6 and from 10 on.
    let never = Duration::from_secs(60);
    let delay = |packet: u32| match packet {
        100..300 | 500.. => NETWORK,
        _ => never,
    };
    let heard = heard(Buffer::DONAR, Duration::from_millis(20), delay);
    let share = |delays: &tacit_circuits::Delays| {
        let late = delays.above(Duration::from_secs(19));
        late as f64 / delays.total() as f64
    };
    assert!(
        (share(&heard.first) - 0.4).abs() < 0.01,
        "{}",
        share(&heard.first)
    );
    // Seconds 6 to 10 of 5 to 19, and a buffer's length of the end.
    let all = share(&heard.mouth_to_ear);
    assert!((all - 4.0 / 14.0).abs() < 0.02, "{all}");
    let speech = share(&heard.speech);
    assert!((speech - 4.0 / 14.0).abs() < 0.15, "{speech}");
    assert_eq!(heard.longest_gap, Duration::from_secs(4));
}

#[test]
fn a_call_of_which_nothing_comes_is_missed_as_a_whole() {
    let heard = heard(Buffer::Tacit, Duration::from_millis(20), |_| {
        Duration::from_secs(60)
    });
    assert_eq!(heard.mouth_to_ear.total(), 2 * 14 * 50);
    let never = Some(tacit_circuits::LONGEST);
    assert_eq!(heard.mouth_to_ear.quantile(0.0), never);
    assert_eq!(heard.first.quantile(0.0), never);
    assert!((heard.mos(None) - 1.0).abs() < 1e-9);
}

#[test]
fn a_buffer_that_waits_loses_nothing_but_gets_later_and_comes_down_again() {
    // The network stands still for 300 ms at second 8.
    let stall = |packet: u32| {
        let left = 415_u32.saturating_sub(packet).min(15) * u32::from(packet >= 400);
        NETWORK + Duration::from_millis(20) * left
    };
    let heard = heard(Buffer::TELEPHONE, Duration::from_millis(20), stall);
    assert!(heard.concealed() > 0.0 && heard.concealed() < 0.03);
    let at = |p| heard.mouth_to_ear.quantile(p).unwrap();
    let stages = ms(CAPTURE + Duration::from_millis(20) + LOOK_AHEAD + NETWORK + OUTPUT);
    assert!(at(0.1) <= stages + 20, "{}", at(0.1));
    assert!(at(0.9) >= stages + 200, "{}", at(0.9));
    assert!(heard.skipped > 0, "it comes down");
    // Longer than it holds: the rest is thrown away.
    let long = |packet: u32| {
        let left = 500_u32.saturating_sub(packet).min(100) * u32::from(packet >= 400);
        NETWORK + Duration::from_millis(20) * left
    };
    let stalled = self::heard(Buffer::TELEPHONE, Duration::from_millis(20), long);
    assert!(stalled.skipped > heard.skipped + 100, "{}", stalled.skipped);
}
