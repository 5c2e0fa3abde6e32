//! Two engines in one process over the in-memory network: invite, call, verify, hang up.

use std::f32::consts::TAU;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use tacit_audio::{Sink, Source};
use tacit_engine::memory::MemoryNetwork;
use tacit_engine::store::MemoryStore;
use tacit_engine::{
    CallId, CallState, Command, DialOptions, Engine, EngineConfig, Event, EventStream,
};
use tacit_types::{LegKind, Reason};

const PATIENCE: Duration = Duration::from_secs(60);

struct Person {
    engine: Engine,
    events: EventStream,
    heard: PathBuf,
}

fn tone(path: &Path, hertz: f32, seconds: u32) {
    let spec = hound::WavSpec {
        channels: 1,
        sample_rate: 48_000,
        bits_per_sample: 16,
        sample_format: hound::SampleFormat::Int,
    };
    let mut wav = hound::WavWriter::create(path, spec).unwrap();
    for n in 0..48_000 * seconds {
        #[expect(clippy::cast_precision_loss, clippy::cast_possible_truncation)]
        wav.write_sample(((n as f32 * hertz * TAU / 48_000.0).sin() * 8000.0) as i16)
            .unwrap();
    }
    wav.finalize().unwrap();
}

/// Energy of a frequency in a recording, relative to all of it.
fn share_of(path: &Path, hertz: f32) -> f32 {
    let samples: Vec<f32> = hound::WavReader::open(path)
        .unwrap()
        .samples::<i16>()
        .map(|s| f32::from(s.unwrap()))
        .collect();
    let (mut re, mut im, mut all) = (0.0_f64, 0.0_f64, 0.0_f64);
    for (n, s) in samples.iter().enumerate() {
        #[expect(clippy::cast_precision_loss)]
        let angle = f64::from(hertz) * std::f64::consts::TAU * n as f64 / 48_000.0;
        re += f64::from(*s) * angle.cos();
        im += f64::from(*s) * angle.sin();
        all += f64::from(*s) * f64::from(*s);
    }
    #[expect(clippy::cast_precision_loss, clippy::cast_possible_truncation)]
    let share = (2.0 * (re * re + im * im) / (samples.len() as f64 * all.max(1.0))) as f32;
    share
}

fn person(network: &MemoryNetwork, dir: &Path, name: &str, hertz: f32) -> Person {
    let spoken = dir.join(format!("{name}-spoken.wav"));
    let heard = dir.join(format!("{name}-heard.wav"));
    tone(&spoken, hertz, 30);
    let mut config = EngineConfig::new(Arc::new(network.clone()), Box::new(MemoryStore::default()));
    let sink = heard.clone();
    config.audio = Box::new(move |_| (Source::Wav(spoken.clone()), Sink::Wav(sink.clone())));
    let (engine, events) = Engine::start(config).unwrap();
    Person {
        engine,
        events,
        heard,
    }
}

impl Person {
    async fn until<T>(&mut self, what: &str, mut pick: impl FnMut(Event) -> Option<T>) -> T {
        let search = async {
            loop {
                let event = self.events.next().await.expect("the engine runs");
                if std::env::var_os("TACIT_TEST_EVENTS").is_some() {
                    eprintln!("{event:?}");
                }
                if let Some(found) = pick(event) {
                    return found;
                }
            }
        };
        tokio::time::timeout(PATIENCE, search)
            .await
            .unwrap_or_else(|_| panic!("no {what}"))
    }

    async fn state(&mut self, wanted: CallState) {
        self.until(&format!("{wanted:?}"), |e| match e {
            Event::State(_, state) if state == wanted => Some(()),
            Event::Ended(_, reason) => panic!("ended early: {reason:?}"),
            _ => None,
        })
        .await;
    }

    async fn ended(&mut self) -> Reason {
        self.until("end", |e| match e {
            Event::Ended(_, reason) => Some(reason),
            _ => None,
        })
        .await
    }
}

async fn meet(network: &MemoryNetwork, dir: &Path) -> (Person, Person) {
    let mut alice = person(network, dir, "alice", 440.0);
    let mut bob = person(network, dir, "bob", 660.0);
    let invite = bob
        .engine
        .invite("Alice", Duration::from_secs(3600))
        .unwrap();
    bob.until("address", |e| match e {
        Event::Listening { reachable: 2, .. } => Some(()),
        _ => None,
    })
    .await;
    let link = invite.to_link();
    let invite = Engine::read_invite(&link).unwrap();
    alice.engine.accept_invite(&invite, "Bob").await.unwrap();
    bob.until("contact", |e| {
        matches!(e, Event::ContactAdded(_)).then_some(())
    })
    .await;
    alice
        .until("address", |e| {
            matches!(e, Event::Listening { reachable: 1, .. }).then_some(())
        })
        .await;
    (alice, bob)
}

async fn connect(alice: &mut Person, bob: &mut Person) -> (CallId, CallId) {
    let ours = alice
        .engine
        .dial(
            "Bob",
            DialOptions {
                legs: LegKind::Onion,
            },
        )
        .unwrap();
    alice.state(CallState::Ringing).await;
    let theirs = bob
        .until("ring", |e| match e {
            Event::Incoming { call, .. } => Some(call),
            _ => None,
        })
        .await;
    bob.engine.send(Command::Accept(theirs)).unwrap();
    alice.state(CallState::Connected).await;
    bob.state(CallState::Connected).await;
    (ours, theirs)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_carries_sound_both_ways_and_the_words_match() {
    let dir = tempfile::tempdir().unwrap();
    let network = MemoryNetwork::new(Duration::from_millis(60));
    let (mut alice, mut bob) = meet(&network, dir.path()).await;
    let (ours, theirs) = connect(&mut alice, &mut bob).await;
    let words = |e| match e {
        Event::Words(_, words) => Some(words),
        _ => None,
    };
    let (at_alice, at_bob) = (
        alice.until("words", words).await,
        bob.until("words", words).await,
    );
    assert_eq!(at_alice, at_bob);
    alice.engine.send(Command::Verify(ours, true)).unwrap();
    bob.engine.send(Command::Verify(theirs, true)).unwrap();
    let mut reports = 0;
    alice
        .until("quality", |e| {
            reports += usize::from(matches!(e, Event::Quality(..)));
            (reports == 4).then_some(())
        })
        .await;
    alice.engine.send(Command::HangUp(ours)).unwrap();
    assert_eq!(alice.ended().await, Reason::HungUp);
    assert_eq!(bob.ended().await, Reason::PeerHungUp);
    assert!(
        share_of(&alice.heard, 660.0) > 0.5,
        "Alice hears Bob's tone"
    );
    assert!(share_of(&bob.heard, 440.0) > 0.5, "Bob hears Alice's tone");
    assert!(alice.engine.contacts()[0].verified);
}
