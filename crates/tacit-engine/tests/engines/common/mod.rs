//! People with engines of their own, each on a runtime of its own, so that one can crash.

mod disk;
mod impostor;
mod server;
mod sound;
mod tap;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use tacit_audio::{Sink, Source};
use tacit_engine::memory::MemoryNetwork;
use tacit_engine::{
    CallId, CallState, Command, ContactInfo, DialOptions, Engine, EngineConfig, Event, EventStream,
    Invite,
};
use tacit_types::{Cells, LegKind, OnionKey, Reason};
use tokio::runtime::Runtime;

pub(crate) use disk::Disk;
pub(crate) use impostor::{Impostor, Line, signaling_stream};
pub(crate) use server::{MailboxServer, coturn};
pub(crate) use sound::share_of;
pub(crate) use tap::{ATTACH, Tap, Write};

/// An event that has not come by then will not come.
pub(crate) const PATIENCE: Duration = Duration::from_secs(90);
/// How long the engines of these tests try to resume.
pub(crate) const RESUME_WITHIN: Duration = Duration::from_secs(8);

/// What an engine under test is given.
pub(crate) struct Setup {
    pub(crate) disk: Disk,
    pub(crate) tap: Tap,
    /// Hertz of the tone that the person speaks; silence without.
    pub(crate) tone: Option<f32>,
    pub(crate) legs: u8,
    pub(crate) cells: Cells,
    pub(crate) mailbox_server: Option<OnionKey>,
    pub(crate) credentials: Option<OnionKey>,
    pub(crate) resume_within: Duration,
}

/// A network and a folder.
pub(crate) struct World {
    pub(crate) network: MemoryNetwork,
    dir: tempfile::TempDir,
}

impl World {
    pub(crate) fn new() -> Self {
        Self {
            network: MemoryNetwork::new(Duration::from_millis(60)).with_dangerous_loopback_exits(),
            dir: tempfile::tempdir().unwrap(),
        }
    }

    pub(crate) fn setup(&self) -> Setup {
        Setup {
            disk: Disk::default(),
            tap: Tap::on(&self.network),
            tone: None,
            legs: 8,
            cells: Cells::default(),
            mailbox_server: None,
            credentials: None,
            resume_within: RESUME_WITHIN,
        }
    }

    pub(crate) fn person(&self, name: &str) -> Person {
        self.person_with(name, self.setup())
    }

    pub(crate) fn person_with(&self, name: &str, setup: Setup) -> Person {
        let Setup {
            disk, tap, tone, ..
        } = setup;
        let heard = self.dir.path().join(format!("{name}-heard.wav"));
        let trace = self.dir.path().join(format!("{name}-trace.txt"));
        let spoken = self.dir.path().join(format!("{name}-spoken.wav"));
        if let Some(hertz) = tone {
            sound::tone(&spoken, hertz, 60);
        }
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .enable_all()
            .build()
            .unwrap();
        let mut config = EngineConfig::new(Arc::new(tap.clone()), Box::new(disk.clone()));
        config.snapshot = disk.snapshot();
        config.resume_within = setup.resume_within;
        config.legs = setup.legs;
        config.cells = setup.cells;
        config.mailbox_server = setup.mailbox_server;
        config.credentials = setup.credentials;
        config.dangerous_allow_local_candidates = true;
        let written = trace.clone();
        config.trace = Box::new(move |_| Some(written.clone()));
        let sink = heard.clone();
        config.audio = Box::new(move |_| {
            let source = tone.map_or(Source::Silence, |_| Source::Wav(spoken.clone()));
            (source, Sink::Wav(sink.clone()))
        });
        let (engine, events) = {
            let _inside = runtime.enter();
            Engine::start(config).unwrap()
        };
        Person {
            name: name.to_owned(),
            engine,
            events,
            heard,
            trace,
            disk,
            tap,
            seen: Vec::new(),
            runtime: Some(runtime),
        }
    }

    /// The same person again, from what was stored last.
    pub(crate) fn restart(&self, name: &str, disk: Disk) -> Person {
        disk.repair();
        let mut setup = self.setup();
        setup.disk = disk;
        self.person_with(name, setup)
    }
}

/// Somebody with an engine.
pub(crate) struct Person {
    name: String,
    pub(crate) engine: Engine,
    events: EventStream,
    pub(crate) heard: PathBuf,
    /// When each frame of the last call was captured and played.
    pub(crate) trace: PathBuf,
    pub(crate) disk: Disk,
    pub(crate) tap: Tap,
    /// Every event that was read so far.
    pub(crate) seen: Vec<Event>,
    runtime: Option<Runtime>,
}

impl Drop for Person {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

impl Person {
    fn runtime(&self) -> &Runtime {
        self.runtime.as_ref().expect("only a crash takes it")
    }

    /// Everything of this engine stops where it is; what was stored stays.
    pub(crate) async fn crash(mut self) -> Disk {
        let runtime = self.runtime.take().expect("only a crash takes it");
        tokio::task::spawn_blocking(move || runtime.shutdown_timeout(PATIENCE))
            .await
            .unwrap();
        self.disk.clone()
    }

    pub(crate) async fn next(&mut self) -> Event {
        let event = self.events.next().await.expect("the engine runs");
        if std::env::var_os("TACIT_TEST_EVENTS").is_some() {
            eprintln!("{}: {event:?}", self.name);
        }
        self.seen.push(event.clone());
        event
    }

    pub(crate) async fn until<T>(
        &mut self,
        what: &str,
        mut pick: impl FnMut(Event) -> Option<T>,
    ) -> T {
        let search = async {
            loop {
                if let Some(found) = pick(self.next().await) {
                    return found;
                }
            }
        };
        match tokio::time::timeout(PATIENCE, search).await {
            Ok(found) => found,
            Err(_) => panic!("{} saw no {what}; {:#?}", self.name, self.seen),
        }
    }

    pub(crate) async fn state(&mut self, wanted: CallState) {
        self.until(&format!("{wanted:?}"), |e| match e {
            Event::State(_, state) if state == wanted => Some(()),
            Event::Ended(_, reason) => panic!("ended early: {reason:?}"),
            _ => None,
        })
        .await;
    }

    pub(crate) async fn ended(&mut self) -> Reason {
        self.until("end", |e| match e {
            Event::Ended(_, reason) => Some(reason),
            _ => None,
        })
        .await
    }

    pub(crate) async fn incoming(&mut self) -> (CallId, bool) {
        self.until("ring", |e| match e {
            Event::Incoming { call, busy, .. } => Some((call, busy)),
            _ => None,
        })
        .await
    }

    pub(crate) async fn words(&mut self) -> [String; 2] {
        self.until("words", |e| match e {
            Event::Words { words, .. } => Some(words),
            _ => None,
        })
        .await
    }

    pub(crate) async fn reachable(&mut self, addresses: usize) {
        self.reachable_of(addresses, addresses).await;
    }

    /// Waits until so many addresses of so many can be reached.
    pub(crate) async fn reachable_of(&mut self, up: usize, all: usize) {
        self.until("address", |e| match e {
            Event::Listening { reachable, total } => {
                (reachable == up && total == all).then_some(())
            }
            _ => None,
        })
        .await;
    }

    /// Waits until every address can be reached.
    pub(crate) async fn all_reachable(&mut self) {
        self.until("addresses", |e| match e {
            Event::Listening { reachable, total } => {
                (total > 0 && reachable == total).then_some(())
            }
            _ => None,
        })
        .await;
    }

    /// Whether such an event was read so far.
    pub(crate) fn saw(&self, wanted: impl Fn(&Event) -> bool) -> bool {
        self.seen.iter().any(wanted)
    }

    /// Waits for so many reports with sound from the other side in them.
    pub(crate) async fn hears(&mut self, reports: usize) {
        let mut heard = 0;
        self.until("sound", |e| match e {
            Event::Quality(_, quality) => {
                heard += usize::from(quality.output_level > -40.0 && quality.concealed < 0.2);
                (heard == reports).then_some(())
            }
            Event::Ended(_, reason) => panic!("ended early: {reason:?}"),
            _ => None,
        })
        .await;
    }

    pub(crate) fn dial(&self, name: &str) -> Result<CallId, Reason> {
        self.dial_over(LegKind::Onion, name)
    }

    pub(crate) fn dial_over(&self, legs: LegKind, name: &str) -> Result<CallId, Reason> {
        let _inside = self.runtime().enter();
        Ok(self.engine.dial(name, DialOptions { legs })?)
    }

    pub(crate) fn command(&self, command: Command) -> Result<(), Reason> {
        Ok(self.engine.send(command)?)
    }

    pub(crate) async fn join(&self, invite: &Invite, name: &str) -> Result<(), Reason> {
        let (engine, invite, name) = (self.engine.clone(), invite.clone(), name.to_owned());
        let join = async move { Ok(engine.accept_invite(&invite, &name).await?) };
        self.runtime().spawn(join).await.unwrap()
    }

    pub(crate) fn invite(&self, name: &str) -> Invite {
        let invite = self.engine.invite(name, Duration::from_secs(3600));
        Engine::read_invite(&invite.unwrap().to_link()).unwrap()
    }

    pub(crate) fn contact(&self, name: &str) -> Option<ContactInfo> {
        let all = self.engine.contacts();
        all.into_iter().find(|c| c.name.reveal() == name)
    }
}

/// Waits until something is so that no event tells.
pub(crate) async fn eventually(what: &str, is_so: impl Fn() -> bool) {
    let look = async {
        let mut often = tokio::time::interval(Duration::from_millis(20));
        while !is_so() {
            often.tick().await;
        }
    };
    if tokio::time::timeout(PATIENCE, look).await.is_err() {
        panic!("never came to be: {what}");
    }
}

/// `host` invites `guest`; both have each other as contacts afterwards and can be reached.
pub(crate) async fn meet(host: &mut Person, host_name: &str, guest: &mut Person, guest_name: &str) {
    let invite = host.invite(guest_name);
    host.until("invite", |e| {
        matches!(e, Event::InviteReachable).then_some(())
    })
    .await;
    guest.join(&invite, host_name).await.unwrap();
    host.until("contact", |e| {
        matches!(e, Event::ContactAdded(_)).then_some(())
    })
    .await;
    let contacts = guest.engine.contacts().len();
    guest.reachable(contacts).await;
}

/// Alice and Bob, who know each other.
pub(crate) async fn alice_and_bob(world: &World) -> (Person, Person) {
    let mut setup = world.setup();
    setup.tone = Some(440.0);
    let mut alice = world.person_with("alice", setup);
    let mut setup = world.setup();
    setup.tone = Some(660.0);
    let mut bob = world.person_with("bob", setup);
    meet(&mut bob, "Bob", &mut alice, "Alice").await;
    (alice, bob)
}

/// `caller` calls `callee`, who accepts.
pub(crate) async fn connect(
    caller: &mut Person,
    name: &str,
    callee: &mut Person,
) -> (CallId, CallId) {
    connect_over(LegKind::Onion, caller, name, callee).await
}

/// `caller` calls `callee` over legs of this kind; the callee accepts.
pub(crate) async fn connect_over(
    legs: LegKind,
    caller: &mut Person,
    name: &str,
    callee: &mut Person,
) -> (CallId, CallId) {
    let ours = caller.dial_over(legs, name).unwrap();
    caller.state(CallState::Ringing).await;
    let (theirs, _) = callee.incoming().await;
    callee.command(Command::Accept(theirs)).unwrap();
    caller.state(CallState::Connected).await;
    callee.state(CallState::Connected).await;
    (ours, theirs)
}
