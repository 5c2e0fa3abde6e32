//! Events as JSON: one object an event. Fields are described in docs/cli.md.

use serde_json::{Map, Value, json};
use tacit_engine::{
    CallState, Event, LatencyBreakdown, LegQuality, LegState, Quality, Side, Timing,
};

fn state_name(state: CallState) -> &'static str {
    match state {
        CallState::OpeningCircuits => "opening_circuits",
        CallState::Reaching => "reaching",
        CallState::Ringing => "ringing",
        CallState::Securing => "securing",
        CallState::Connected => "connected",
    }
}

pub(crate) fn json_of(event: &Event) -> Value {
    match event {
        Event::Listening { reachable, total } => {
            json!({"event": "listening", "reachable": reachable, "total": total})
        }
        Event::Incoming {
            call,
            contact,
            busy,
            legs,
        } => {
            json!({"event": "incoming", "call": call.0, "contact": contact.reveal(), "busy": busy,
                "legs": legs})
        }
        Event::State(call, state) => {
            json!({"event": "state", "call": call.0, "state": state_name(*state)})
        }
        Event::Timing(call, timing) => timing_json(call.0, *timing),
        Event::LegUp {
            call,
            leg,
            live,
            hops,
        } => {
            json!({"event": "leg_up", "call": call.0, "leg": leg, "live": live, "hops": hops})
        }
        Event::LegDown { call, leg, live } => {
            json!({"event": "leg_down", "call": call.0, "leg": leg, "live": live})
        }
        Event::LegReplaced {
            call,
            leg,
            by,
            reason,
        } => {
            json!({"event": "leg_replaced", "call": call.0, "leg": leg, "by": by,
                "reason": reason.to_string()})
        }
        Event::Words {
            call,
            words,
            verified,
            broken_off,
        } => {
            json!({"event": "words", "call": call.0, "words": words, "verified": verified,
                "broken_off": broken_off})
        }
        Event::Verified(call) => json!({"event": "verified", "call": call.0}),
        Event::PeerVerified(call) => json!({"event": "peer_verified", "call": call.0}),
        Event::Quality(call, q) => quality_json(call.0, q),
        Event::PathChanged {
            call,
            sender,
            receiver,
            reason,
        } => {
            json!({"event": "path", "call": call.0, "sender": sender, "receiver": receiver,
                "reason": reason.to_string()})
        }
        Event::Interrupted(call) => json!({"event": "interrupted", "call": call.0}),
        Event::Resumed(call) => json!({"event": "resumed", "call": call.0}),
        Event::AudioChanged(call, reason) => {
            json!({"event": "audio", "call": call.0, "reason": reason.code()})
        }
        Event::SourceEnded(call) => json!({"event": "source_ended", "call": call.0}),
        Event::Ended(call, reason) => {
            json!({"event": "ended", "call": call.0, "reason": reason.code(), "text": reason.text()})
        }
        Event::InviteReachable => json!({"event": "invite_reachable"}),
        Event::ContactAdded(name) => json!({"event": "contact_added", "name": name.reveal()}),
        Event::InviteReused(name) => json!({"event": "invite_reused", "name": name.reveal()}),
        Event::MailboxLost(reason) => json!({"event": "mailbox_lost", "reason": reason.code()}),
        Event::Stopped(reason) => json!({"event": "stopped", "reason": reason.code()}),
        _ => json!({"event": "other"}),
    }
}

fn timing_json(call: u64, timing: Timing) -> Value {
    let (what, at_us) = match timing {
        Timing::OnionRoundTrip(rtt) => {
            return json!({"event": "onion_rtt", "call": call, "ms": rtt.as_secs_f64() * 1e3});
        }
        Timing::RingSent(at) => ("ring_sent", at),
        Timing::RingSeen(at) => ("ring_seen", at),
        Timing::AnswerSeen(at) => ("answer_seen", at),
        Timing::Accepted(at) => ("accepted", at),
        Timing::FirstAudio(at) => ("first_audio", at),
        _ => ("other", 0),
    };
    json!({"event": "timing", "call": call, "what": what, "at_us": at_us})
}

fn quality_json(call: u64, q: &Quality) -> Value {
    let LatencyBreakdown {
        capture,
        frame,
        look_ahead,
        send_queue,
        network,
        playout_wait,
        output,
    } = q.latency;
    let legs: Vec<Value> = q.legs.iter().map(leg_json).collect();
    let choices = q.choices.iter();
    let choices = choices.map(|(reason, count)| (reason.to_string(), json!(count)));
    json!({
        "event": "quality", "call": call, "at_us": q.at_us,
        "mouth_to_ear_ms": q.latency.mouth_to_ear(),
        "stages_ms": {"capture": capture, "frame": frame, "look_ahead": look_ahead,
            "send_queue": send_queue, "network": network, "playout_wait": playout_wait,
            "output": output},
        "round_trip_ms": q.round_trip_ms,
        "repaired": q.repaired, "concealed": q.concealed,
        "frames": {"played": q.frames.played, "repaired": q.frames.repaired,
            "concealed": q.frames.concealed},
        "input_dbfs": q.input_level, "output_dbfs": q.output_level,
        "legs": legs,
        "last_choice": q.last_choice.map(|c| json!({"sender": c.sender, "receiver": c.receiver,
            "reason": c.reason.to_string()})),
        "choices": choices.collect::<Map<_, _>>(),
    })
}

fn leg_json(leg: &LegQuality) -> Value {
    json!({
        "side": match leg.side { Side::Local => "ours", Side::Peer => "theirs" },
        "leg": leg.leg, "state": leg.state.to_string(),
        "suspect": leg.state == LegState::Suspect, "suspected": leg.suspected,
        "relative_delay_ms": leg.relative_delay_ms, "inward_delay_ms": leg.inward_delay_ms,
        "noise_ms": leg.noise_ms, "loss": leg.loss, "overdue_ms": leg.overdue_ms,
        "sent": leg.sent, "received": leg.received, "send_queue_ms": leg.send_queue_ms,
        "last_reason": leg.last_reason.map(|reason| reason.to_string()),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use tacit_engine::{CallId, ChoiceReason, PathChoice};

    #[test]
    fn a_report_is_one_object_with_stages_legs_and_reasons() {
        let mut leg = LegQuality::fresh(Side::Peer, 3);
        leg.state = LegState::Suspect;
        leg.last_reason = Some(ChoiceReason::ProbeSuspect);
        let quality = Quality {
            latency: LatencyBreakdown {
                network: 120.0,
                output: 20.0,
                ..LatencyBreakdown::default()
            },
            legs: vec![leg],
            last_choice: Some(PathChoice {
                sender: 1,
                receiver: 3,
                reason: ChoiceReason::AllSuspect,
            }),
            choices: vec![(ChoiceReason::Best, 7)],
            ..Quality::default()
        };
        let value = json_of(&Event::Quality(CallId(9), Box::new(quality)));
        assert_eq!(value["event"], "quality");
        assert_eq!(value["call"], 9);
        assert_eq!(value["mouth_to_ear_ms"], 140.0);
        let stages = value["stages_ms"].as_object().unwrap();
        let sum: f64 = stages.values().filter_map(Value::as_f64).sum();
        assert!((sum - 140.0).abs() < 1e-3, "{sum}");
        assert_eq!(value["legs"][0]["side"], "theirs");
        assert_eq!(value["legs"][0]["state"], "suspect");
        assert_eq!(value["legs"][0]["last_reason"], "probe_suspect");
        assert_eq!(value["legs"][0]["relative_delay_ms"], Value::Null);
        assert_eq!(value["last_choice"]["reason"], "all_suspect");
        assert_eq!(value["choices"], json!({"best": 7}));
        assert!(!value.to_string().contains('\n'));
    }
}
