//! After hang-up: the clock goes on for a random while, leg by leg, so that the end of the call is
//! not the moment when its circuits fall silent.

use std::collections::BTreeMap;
use std::time::Duration;

use tacit_legs::LegEvent;
use tacit_packet::ControlMessage;
use tacit_signaling::payload::PipeMessage;
use tacit_types::{LegIndex, Reason, Timestamp};

use super::legs::random_up_to;
use super::session::Session;
use crate::clock::now;

/// Shortest cover of a leg after hang-up.
const COVER_MIN: Duration = Duration::from_secs(2);
/// Longest cover of a leg after hang-up.
const COVER_MAX: Duration = Duration::from_secs(30);

/// Tells the peer and covers the end.
pub(super) async fn wind_down(s: &mut Session, reason: Reason) {
    // Both sides know when a ring has rung out; a callee that said so would tell that it is there.
    if !matches!(reason, Reason::PeerHungUp | Reason::PeerNoAnswer) {
        s.core.send_control(ControlMessage::HangUp);
        // The legs carry it, unseen by any server, unless none is known to work.
        if s.handles.is_empty() || !s.had_packet {
            s.pipe(PipeMessage::Bye);
        }
    }
    s.core.stop_frames();
    let start = now();
    let mut ends: BTreeMap<LegIndex, Timestamp> = s
        .handles
        .keys()
        .map(|leg| {
            (
                *leg,
                start + COVER_MIN + random_up_to(COVER_MAX - COVER_MIN),
            )
        })
        .collect();
    while !s.handles.is_empty() {
        tokio::select! {
            () = tokio::time::sleep(s.next_slot_in()) => {}
            Some(output) = s.outputs.recv() => match output.event {
                LegEvent::Closed(_) => s.drop_leg(output.leg),
                LegEvent::Packet(packet) => {
                    let path = tacit_types::Path { sender: packet.peer, receiver: output.leg };
                    s.core.handle_packet(path, &packet.bytes, packet.arrived_at);
                    while s.core.poll_event().is_some() {}
                }
                _ => {}
            },
        }
        let at = now();
        s.pass_over(at);
        while s.core.is_due(at) {
            s.send_slot(at, None);
        }
        ends.retain(|leg, end| {
            let over = *end <= at;
            if over {
                s.drop_leg(*leg);
            }
            !over
        });
        // Legs that came up after hang-up have no end of their own.
        s.handles.retain(|leg, _| ends.contains_key(leg));
    }
}
