use std::sync::Arc;
use std::time::Duration;

use tacit_audio::{Sink, Source};
use tacit_engine::memory::MemoryNetwork;
use tacit_engine::store::MemoryStore;
use tacit_engine::{CallState, DialOptions, Engine, EngineConfig, EventStream};
use tacit_types::LegKind;

use super::*;

const ALICE: CallId = CallId(1);
const CAROL: CallId = CallId(2);
const DAVE: CallId = CallId(3);

fn incoming(call: CallId, name: &str) -> Event {
    Event::Incoming {
        call,
        contact: ContactName::new(name.to_owned()),
        busy: false,
        legs: LegKind::Onion,
    }
}

fn words(notes: &[Note]) -> String {
    notes
        .iter()
        .map(|n| n.words.as_str())
        .collect::<Vec<_>>()
        .join("\n")
}

fn events(notes: &[Note]) -> Vec<&str> {
    let values = notes.iter().filter_map(|n| n.value.as_ref());
    values.filter_map(|v| v["event"].as_str()).collect()
}

/// What a key asks of the engine.
fn asked(line: &Line, key: Key) -> Command {
    match line.on_key(key).unwrap() {
        Asked::Engine(command) => command,
        Asked::Legs => panic!("nothing is asked of the engine"),
    }
}

/// A key that must mean something, taken by the engine.
fn press(line: &mut Line, key: Key) -> Command {
    let command = asked(line, key);
    line.sent(&command);
    command
}

/// In a call with Alice while Carol and then Dave ring.
fn in_a_call() -> Line {
    let mut line = Line::default();
    line.on_event(&incoming(ALICE, "alice"));
    assert!(matches!(
        press(&mut line, Key::Accept),
        Command::Accept(ALICE)
    ));
    for (call, name) in [(CAROL, "carol"), (DAVE, "dave")] {
        let told = line.on_event(&incoming(call, name));
        assert!(words(&told).contains(&format!("answer {name}")), "{told:?}");
    }
    line
}

#[test]
fn who_may_answer_a_call_over_a_turn_server_is_told_so() {
    let mut line = in_a_call();
    line.on_event(&Event::Incoming {
        call: CallId(4),
        contact: ContactName::new("erin".to_owned()),
        busy: true,
        legs: LegKind::Turn,
    });
    let told = line.on_event(&Event::Ended(ALICE, Reason::PeerHungUp));
    let told = words(&told);
    assert!(told.contains("erin still rings, over a TURN server."));
    assert!(told.contains("carol still rings. Type a"), "{told}");
}

#[test]
fn nobody_can_be_answered_while_the_program_ends() {
    let mut line = in_a_call();
    line.leave();
    let told = line.on_event(&Event::Ended(ALICE, Reason::HungUp));
    assert!(!words(&told).contains("still rings"), "{told:?}");
}

#[test]
fn who_rings_during_a_call_is_answered_after_it_the_oldest_first() {
    let mut line = in_a_call();
    let refused = line.on_key(Key::Accept).unwrap_err();
    assert_eq!(refused.value.unwrap()["reason"], "call.busy");
    assert!(refused.words.contains("already in a call"));
    assert!(refused.words.contains("carol"), "{}", refused.words);
    let told = line.on_event(&Event::Ended(ALICE, Reason::PeerHungUp));
    assert_eq!(events(&told), ["still_rings", "still_rings"]);
    assert!(words(&told).contains("carol still rings. Type a to answer"));
    assert!(matches!(
        press(&mut line, Key::Accept),
        Command::Accept(CAROL)
    ));
    assert_eq!(line.current(), Some(CAROL));
    let told = line.on_event(&Event::Ended(CAROL, Reason::HungUp));
    assert!(words(&told).contains("dave still rings"));
    assert!(matches!(
        press(&mut line, Key::Accept),
        Command::Accept(DAVE)
    ));
    let told = line.on_event(&Event::Ended(DAVE, Reason::HungUp));
    assert!(events(&told).is_empty() && line.is_idle());
    assert_eq!(line.over(), 3);
}

#[test]
fn a_ring_that_ends_meanwhile_is_told_as_missed() {
    let mut line = in_a_call();
    for reason in [Reason::PeerHungUp, Reason::PeerNoAnswer] {
        let call = if reason == Reason::PeerHungUp {
            CAROL
        } else {
            DAVE
        };
        let told = line.on_event(&Event::Ended(call, reason));
        assert_eq!(events(&told), ["missed"]);
        assert!(words(&told).contains("missed a call"));
        assert!(
            !words(&told).contains("ended the call"),
            "it is not this call"
        );
    }
    assert_eq!(line.current(), Some(ALICE));
    let told = line.on_event(&Event::Ended(ALICE, Reason::HungUp));
    assert_eq!(words(&told), "You ended the call. [call.hung_up]");
    assert!(line.is_idle());
}

#[test]
fn a_ring_can_be_declined_during_a_call() {
    let mut line = in_a_call();
    assert!(matches!(
        press(&mut line, Key::Decline),
        Command::Decline(CAROL)
    ));
    let told = line.on_event(&Event::Ended(CAROL, Reason::HungUp));
    assert_eq!(events(&told), ["declined"]);
    assert!(matches!(
        press(&mut line, Key::Decline),
        Command::Decline(DAVE)
    ));
    assert_eq!(line.current(), Some(ALICE));
}

#[test]
fn keys_belong_to_the_call_that_goes_on_and_never_to_a_ring() {
    let mut line = Line::default();
    let asks = [
        Key::HangUp,
        Key::ToggleMute,
        Key::Verify(true),
        Key::Verify(false),
        Key::Legs,
    ];
    for key in [Key::Accept, Key::Decline].iter().chain(&asks) {
        assert!(line.on_key(*key).is_err());
    }
    line.on_event(&incoming(ALICE, "alice"));
    for key in asks {
        // Hanging up a ring would tell the caller that somebody is there.
        assert!(line.on_key(key).unwrap_err().words.contains("Type a"));
    }
    let told = line.on_event(&incoming(CAROL, "carol"));
    assert!(words(&told).contains("alice rang first"));
    press(&mut line, Key::Accept);
    assert!(matches!(
        press(&mut line, Key::ToggleMute),
        Command::SetMuted(ALICE, true)
    ));
    assert!(matches!(
        press(&mut line, Key::ToggleMute),
        Command::SetMuted(ALICE, false)
    ));
    assert!(matches!(
        press(&mut line, Key::HangUp),
        Command::HangUp(ALICE)
    ));
    assert!(
        line.on_key(Key::Unknown)
            .unwrap_err()
            .words
            .contains("a answer")
    );
}

#[test]
fn a_call_by_itself_is_answered_when_it_has_its_legs_and_no_other_goes_on() {
    let leg = |call, live| Event::LegUp {
        call,
        leg: 0,
        live,
        hops: None,
    };
    let mut line = Line::answering(Some(4));
    let told = words(&line.on_event(&incoming(ALICE, "alice")));
    assert!(told.contains("answered by itself"), "{told}");
    assert!(!told.contains("Type a"), "{told}");
    line.on_event(&leg(ALICE, 3));
    assert!(line.to_answer().is_none());
    line.on_event(&leg(ALICE, 4));
    let accept = line.to_answer().unwrap();
    assert!(matches!(accept, Command::Accept(ALICE)));
    line.sent(&accept);
    let told = words(&line.on_event(&incoming(CAROL, "carol")));
    assert!(told.contains("when this call has ended"), "{told}");
    line.on_event(&leg(CAROL, 8));
    assert!(line.is_aside(&leg(CAROL, 8)) && !line.is_aside(&leg(ALICE, 8)));
    assert!(line.to_answer().is_none());
    let told = words(&line.on_event(&Event::Ended(ALICE, Reason::HungUp)));
    assert!(told.contains("carol still rings. It is answered by itself"));
    assert!(matches!(line.to_answer(), Some(Command::Accept(CAROL))));
}

#[test]
fn who_is_called_back_does_not_ring_any_more_and_the_queue_is_bounded() {
    let mut line = Line::with(ALICE);
    assert!(line.on_event(&incoming(ALICE, "alice")).is_empty());
    for n in 0..100 {
        line.on_event(&incoming(CallId(100 + n), "somebody"));
    }
    assert_eq!(line.ringing.len(), MAX_RINGING);
    line.on_event(&Event::Ended(ALICE, Reason::HungUp));
    assert!(matches!(
        line.on_key(Key::Accept),
        Ok(Asked::Engine(Command::Accept(CallId(168))))
    ));
}

#[test]
fn muting_is_told_and_ends_with_the_call() {
    let mut line = in_a_call();
    for muted in [true, false, true] {
        let command = asked(&line, Key::ToggleMute);
        let told = line.sent(&command).unwrap();
        assert_eq!(told.words, if muted { "Muted." } else { "Unmuted." });
        assert_eq!(told.value.unwrap()["muted"], muted);
        assert_eq!(line.is_muted(), muted);
    }
    line.on_event(&Event::Ended(ALICE, Reason::HungUp));
    assert!(!line.is_muted());
}

#[test]
fn the_end_of_a_call_says_what_to_do_next_once() {
    let failed = Event::Ended(ALICE, Reason::LegsLost);
    let mut listening = in_a_call();
    let told = words(&listening.on_event(&failed));
    let first = told.lines().next().unwrap();
    let action = Reason::LegsLost.next_action();
    assert!(
        first.contains(action) && first.ends_with("[call.legs_lost]"),
        "{told}"
    );
    // `tacit call` says on standard error why its own call failed, as every command does.
    let mut calling = Line::with(ALICE);
    assert!(calling.on_event(&failed).is_empty());
    assert!(calling.is_idle());
    let mut calling = Line::with(ALICE);
    let told = words(&calling.on_event(&Event::Ended(ALICE, Reason::PeerHungUp)));
    assert_eq!(told, "The other person ended the call. [call.peer_hung_up]");
}

#[test]
fn who_calls_themselves_is_not_asked_to_compare_words() {
    let words_event = Event::Words {
        call: ALICE,
        words: ["one".into(), "two".into()],
        verified: false,
        broken_off: 0,
    };
    let connected = Event::State(ALICE, CallState::Connected);
    let mut alone = Line::alone(ALICE);
    assert!(alone.is_aside(&words_event) && alone.is_aside(&connected));
    assert!(words(&alone.on_event(&connected)).contains("come back"));
    let other = Line::with(ALICE);
    assert!(!other.is_aside(&words_event) && !other.is_aside(&connected));
}

#[test]
fn the_end_of_the_input_is_told() {
    let line = in_a_call();
    for key in [Key::CtrlD, Key::Closed] {
        let told = line.on_key(key).unwrap_err();
        assert!(told.words.contains("Ctrl-C"), "{}", told.words);
    }
}

/// A person on the network in memory.
struct Person {
    engine: Engine,
    events: EventStream,
}

impl Person {
    fn on(network: &MemoryNetwork) -> Self {
        let network = Arc::new(network.clone());
        let mut config = EngineConfig::new(network, Box::new(MemoryStore::default()));
        config.audio = Box::new(|_| (Source::Silence, Sink::Discard));
        let (engine, events) = Engine::start(config).unwrap();
        Self { engine, events }
    }

    /// Waits for an event, with the line, if there is one, taking all that come before.
    async fn until(&mut self, mut line: Option<&mut Line>, wanted: impl Fn(&Event) -> bool) {
        let search = async {
            loop {
                let event = self.events.next().await.unwrap();
                if let Some(line) = &mut line {
                    line.on_event(&event);
                }
                if wanted(&event) {
                    return;
                }
            }
        };
        tokio::time::timeout(Duration::from_secs(60), search)
            .await
            .unwrap();
    }

    fn press(&self, line: &mut Line, key: Key) {
        let command = asked(line, key);
        self.engine.send(command.clone()).unwrap();
        line.sent(&command);
    }
}

const fn connected(event: &Event) -> bool {
    matches!(event, Event::State(_, CallState::Connected))
}

#[tokio::test(flavor = "multi_thread")]
async fn two_people_ring_one_and_both_are_answered() {
    let network = MemoryNetwork::default();
    let mut bob = Person::on(&network);
    let mut others = [Person::on(&network), Person::on(&network)];
    for (name, other) in ["alice", "carol"].into_iter().zip(&mut others) {
        let invite = bob.engine.invite(name, Duration::from_secs(60)).unwrap();
        bob.until(None, |e| matches!(e, Event::InviteReachable))
            .await;
        other.engine.accept_invite(&invite, "bob").await.unwrap();
    }
    let legs = LegKind::Onion;
    let mut line = Line::default();
    let [alice, carol] = &mut others;
    for caller in [&*alice, &*carol] {
        caller.engine.dial("bob", DialOptions { legs }).unwrap();
        bob.until(Some(&mut line), |e| matches!(e, Event::Incoming { .. }))
            .await;
    }
    bob.press(&mut line, Key::Accept);
    alice.until(None, connected).await;
    bob.until(Some(&mut line), connected).await;
    assert!(line.on_key(Key::Accept).is_err());
    bob.press(&mut line, Key::HangUp);
    let ended = |e: &Event| matches!(e, Event::Ended(..));
    bob.until(Some(&mut line), ended).await;
    alice.until(None, ended).await;
    bob.press(&mut line, Key::Accept);
    carol.until(None, connected).await;
    bob.until(Some(&mut line), connected).await;
    bob.press(&mut line, Key::HangUp);
    bob.until(Some(&mut line), ended).await;
    assert!(line.is_idle());
}
