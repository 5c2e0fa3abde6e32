//! Packets both ways at a pattern's pace, and how long each took.

use core::time::Duration;

use futures::future::try_join_all;
use tacit_legs::LegEvent;
use tacit_legs::shell::{Clock, LegHandle, LegOutput};
use tacit_types::Timestamp;
use tacit_types::limits::PACKET_BYTES;
use tokio::sync::mpsc;
use tokio::time::{Instant, MissedTickBehavior, interval_at, timeout_at};

use crate::Error;
use crate::legs::{End, Pair};
use crate::options::{Pattern, SLOT, in_slots};

/// What the first packets meet, such as acknowledgements that are not delayed yet, is left out.
const WARM_UP: Duration = Duration::from_secs(1);
/// After the last packet, so much time is left for it to arrive.
const LINGER: Duration = Duration::from_secs(3);

/// How packets are sent in one measurement.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Plan {
    pub(crate) pattern: Pattern,
    pub(crate) spacing: Duration,
    pub(crate) length: Duration,
}

impl Plan {
    /// Legs that take turns.
    pub(crate) fn legs(&self) -> usize {
        match self.pattern {
            Pattern::Alone => 1,
            Pattern::Call => in_slots(self.spacing),
        }
    }

    /// Time between two packets of one direction.
    pub(crate) const fn slot(&self) -> Duration {
        match self.pattern {
            Pattern::Alone => self.spacing,
            Pattern::Call => SLOT,
        }
    }

    /// Packets of one direction before any counts, and those that count.
    pub(crate) fn packets(&self) -> (usize, usize) {
        let in_time = |time: Duration| {
            usize::try_from(time.as_millis() / self.slot().as_millis()).unwrap_or(usize::MAX)
        };
        (in_time(WARM_UP), in_time(self.length).max(1))
    }
}

/// What one measurement has seen.
#[derive(Clone, Debug, Default)]
pub(crate) struct Measured {
    /// Delays of all packets that counted and arrived, in ms.
    pub(crate) delays: Vec<f64>,
    /// Packets that did not arrive.
    pub(crate) lost: usize,
}

/// Sends packets over the first legs, both ways at once.
pub(crate) async fn measure(
    pairs: &mut [Pair],
    clock: &Clock,
    plan: Plan,
) -> Result<Measured, Error> {
    let (first, counted) = plan.packets();
    let total = first + counted;
    let begun = Instant::now();
    let slots = u32::try_from(total).unwrap_or(u32::MAX);
    let until = begun + plan.slot() * (slots + 16) + LINGER;
    let (mut handles, mut receivers) = ([Vec::new(), Vec::new()], Vec::new());
    let legs = plan.legs().min(pairs.len());
    for (index, pair) in pairs.iter_mut().take(legs).enumerate() {
        let expected = (0..total).filter(|packet| packet % legs == index).count();
        for (side, end) in pair.ends.iter_mut().enumerate() {
            let End { handle, outputs } = end;
            handles[side].push(&*handle);
            receivers.push(receive(outputs, expected, first, until));
        }
    }
    // An acknowledgement goes along with the next packet the other way, so the phase between the two
    // directions matters, and in calls it is whatever it is. The second clock loses one turn of all legs
    // in the course of the measurement, so that every phase occurs.
    let turn = plan.slot() * u32::try_from(legs).unwrap_or(1);
    let slow = plan.slot() + turn / slots;
    let send = |side: usize, slot| send(&handles[side], clock, slot, total, begun);
    let (received, (), ()) =
        futures::join!(try_join_all(receivers), send(0, plan.slot()), send(1, slow));
    let delays: Vec<f64> = received?.into_iter().flatten().collect();
    Ok(Measured {
        lost: (2 * counted).saturating_sub(delays.len()),
        delays,
    })
}

async fn send(handles: &[&LegHandle], clock: &Clock, slot: Duration, total: usize, begin: Instant) {
    let mut slots = interval_at(begin, slot);
    // After a hiccup of this machine, packets keep their distance.
    slots.set_missed_tick_behavior(MissedTickBehavior::Delay);
    for (number, handle) in (0..total).zip(handles.iter().cycle()) {
        slots.tick().await;
        let packet = packet(number, clock());
        // One that is not taken never arrives, and counts as lost.
        let _ = handle.try_send(handle.leg(), &packet);
    }
}

/// A packet with its number and when it was handed to its leg.
fn packet(number: usize, at: Timestamp) -> [u8; PACKET_BYTES] {
    let mut packet = [0x5a; PACKET_BYTES];
    packet[..8].copy_from_slice(&(number as u64).to_be_bytes());
    packet[8..16].copy_from_slice(&at.as_micros().to_be_bytes());
    packet
}

/// The number in a packet, and when it was sent.
fn parse(packet: &[u8; PACKET_BYTES]) -> (u64, Timestamp) {
    let word = |at: usize| {
        let mut word = [0; 8];
        word.copy_from_slice(&packet[at..at + 8]);
        u64::from_be_bytes(word)
    };
    (word(0), Timestamp::from_micros(word(8)))
}

/// Delays of packets from number `first` on, until as many as are expected have come or time is up.
async fn receive(
    outputs: &mut mpsc::Receiver<LegOutput>,
    expected: usize,
    first: usize,
    until: Instant,
) -> Result<Vec<f64>, Error> {
    let (mut seen, mut delays) = (0, Vec::new());
    while seen < expected {
        let Ok(output) = timeout_at(until, outputs.recv()).await else {
            break;
        };
        match output.map(|output| output.event) {
            Some(LegEvent::Packet(packet)) => {
                seen += 1;
                let (number, sent_at) = parse(&packet.bytes);
                if number >= first as u64 {
                    let delay = packet.arrived_at.saturating_since(sent_at);
                    delays.push(delay.as_secs_f64() * 1e3);
                }
            }
            Some(LegEvent::Closed(end)) => {
                return Err(Error::leg("a leg in use", format!("{end:?}")));
            }
            None => return Err(Error::leg("a leg in use", "it has ended")),
            Some(_) => {}
        }
    }
    Ok(delays)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn packets_say_when_they_were_sent() {
        let at = Timestamp::from_micros(123_456_789);
        assert_eq!(parse(&packet(77, at)), (77, at));
    }

    #[test]
    fn a_call_keeps_its_pace_on_any_number_of_legs() {
        let plan = |pattern| Plan {
            pattern,
            spacing: Duration::from_millis(80),
            length: Duration::from_secs(4),
        };
        let call = plan(Pattern::Call);
        assert_eq!((call.legs(), call.slot()), (4, SLOT));
        assert_eq!(call.packets(), (50, 200));
        let alone = plan(Pattern::Alone);
        assert_eq!((alone.legs(), alone.packets()), (1, (12, 50)));
    }
}
