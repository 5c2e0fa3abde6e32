//! Calls with oneself: `tacit echo` through Tor, `tacit demo` without it.

use std::sync::Arc;
use std::time::Duration;

use serde_json::json;
use tacit_audio::{Sink, Source};
use tacit_engine::memory::MemoryNetwork;
use tacit_engine::network::Network;
use tacit_engine::store::MemoryStore;
use tacit_engine::{CallState, Command, DialOptions, Engine, EngineConfig, Event, EventStream};
use tacit_types::{LegKind, Reason};

use crate::Failure;
use crate::args::{Audio, Demo, Echo, Global};
use crate::calls::talk;
use crate::interact::{Keys, ctrl_c};
use crate::line::Line;
use crate::output::Output;
use crate::session::Session;
use crate::setup::{self, Wishes};

/// How long the two made-up people may take to find each other.
const PATIENCE: Duration = Duration::from_secs(180);

/// A call to oneself through Tor: what is said comes back.
pub(crate) async fn echo(global: &Global, args: &Echo, output: &mut Output) -> Result<(), Failure> {
    setup::check_audio(global, &args.audio).await?;
    let config = setup::config(global)?;
    let tor = setup::launch_tor(global, &config)?;
    setup::tor_ready(&tor, output).await?;
    practise(Arc::new(tor), &config, &args.audio, args.duration, output).await
}

/// The same inside this process, over a made-up network.
pub(crate) async fn demo(global: &Global, args: &Demo, output: &mut Output) -> Result<(), Failure> {
    setup::check_audio(global, &args.audio).await?;
    let config = setup::config(global)?;
    let words = "Two made-up people inside this program, no Tor: the network is simulated.";
    output.say(&json!({"event": "demo", "simulated": true}), words);
    let network = MemoryNetwork::new(Duration::from_millis(args.delay_ms));
    practise(
        Arc::new(network),
        &config,
        &args.audio,
        args.duration,
        output,
    )
    .await
}

async fn practise(
    network: Arc<dyn Network>,
    config: &crate::config::Config,
    audio: &Audio,
    seconds: u64,
    output: &mut Output,
) -> Result<(), Failure> {
    let (mut mirror, mut mirror_events) = mirror(Arc::clone(&network), config)?;
    let store = Box::new(MemoryStore::default());
    let wishes = Wishes {
        audio: Some(audio),
        lab: None,
        cells: None,
    };
    let (engine, events) = setup::start_engine(network, (store, None), config, &wishes)?;
    let mut s = Session {
        engine,
        events,
        keys: Keys::new(),
        line: Line::default(),
    };
    let outcome = tokio::select! {
        met = meet(&mut mirror, &mut mirror_events, &s.engine) => match met {
            Ok(()) => reflect(&mut s, mirror, mirror_events, seconds, output).await,
            Err(reason) => Err(reason.into()),
        },
        () = ctrl_c() => Err(Reason::Interrupted.into()),
    };
    s.end(output).await;
    outcome
}

/// The other person: hears with one hand and speaks with the other.
fn mirror(
    network: Arc<dyn Network>,
    config: &crate::config::Config,
) -> Result<(Engine, EventStream), Failure> {
    let mut engine = EngineConfig::new(network, Box::new(MemoryStore::default()));
    engine.legs = config.calls.legs;
    engine.cells = config.calls.cells;
    engine.audio = Box::new(|_| {
        let (mut microphone, source) = tacit_audio::host_source();
        let (mut speaker, sink) = tacit_audio::host_sink();
        tokio::spawn(async move {
            let mut samples = [0.0; tacit_types::limits::BLOCK_SAMPLES];
            let mut tick = tokio::time::interval(Duration::from_millis(10));
            // The rings' other ends vanish with the call; what is written then goes nowhere.
            for _ in 0..360_000 {
                tick.tick().await;
                if speaker.available() >= samples.len() {
                    speaker.read(&mut samples);
                    microphone.write(&samples);
                }
            }
        });
        (Source::Host(source), Sink::Host(sink))
    });
    Ok(Engine::start(engine)?)
}

async fn meet(mirror: &mut Engine, events: &mut EventStream, me: &Engine) -> Result<(), Reason> {
    let met = async {
        let invite = mirror.invite("me", Duration::from_secs(3600))?;
        loop {
            match events.next().await {
                Some(Event::Listening { reachable: 2, .. }) => break,
                Some(_) => {}
                None => return Err(Reason::Internal),
            }
        }
        Ok(me.accept_invite(&invite, "echo").await?)
    };
    tokio::time::timeout(PATIENCE, met)
        .await
        .map_err(|_| Reason::PeerUnreachable)?
}

async fn reflect(
    s: &mut Session,
    mirror: Engine,
    mut events: EventStream,
    seconds: u64,
    output: &mut Output,
) -> Result<(), Failure> {
    let answering = tokio::spawn(async move {
        while let Some(event) = events.next().await {
            match event {
                Event::Incoming { call, .. } => {
                    // Over already: then the caller is told.
                    let _ = mirror.send(Command::Accept(call));
                }
                Event::State(_, CallState::Connected) | Event::Words { .. } => {}
                Event::Ended(..) => break,
                _ => {}
            }
        }
        mirror
    });
    let call = s.engine.dial(
        "echo",
        DialOptions {
            legs: LegKind::Onion,
        },
    )?;
    s.line = Line::alone(call);
    let outcome = talk(s, call, Some(seconds), output).await;
    answering.abort();
    outcome
}
