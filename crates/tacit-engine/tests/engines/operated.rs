//! Calls to people whose mailbox is on somebody's server: they ring there, and talk over TURN legs.

use std::sync::Arc;
use std::time::{Duration, Instant};

use tacit_engine::memory::MemoryNetwork;
use tacit_engine::network::Network as _;
use tacit_engine::{CallState, Command, Event, PathChange, Side};
use tacit_legs::coturn::Coturn;
use tacit_legs::shell::{LegHandle, LegOutput, TurnSecurity, Wiring, open_turn_leg};
use tacit_legs::tls::SpkiPin;
use tacit_legs::{CandidatePolicy, Failure, LegEvent, TurnConfig, TurnCredentials};
use tacit_mailbox_server::client::fetch_credentials;
use tacit_mailbox_server::io::{read_frame, write_frame};
use tacit_signaling::frame::{Cred, Frame};
use tacit_signaling::payload::{Hosting, PipeMessage};
use tacit_signaling::{CalleeEvent, CallerEvent};
use tacit_tor::Target;
use tacit_types::limits::ONION_PORT_LEGS;
use tacit_types::{LegIndex, LegKind, Reason};
use tokio::sync::mpsc;

use crate::common::{
    ATTACH, Impostor, MailboxServer, PATIENCE, Person, RESUME_WITHIN, Setup, World, connect_over,
    coturn, eventually, meet, share_of, signaling_stream,
};
use crate::recovery::without_tokens;

/// People, a mailbox server and the TURN server beside it.
pub(crate) struct Town {
    pub(crate) world: World,
    coturn: Coturn,
    pub(crate) server: MailboxServer,
}

impl Town {
    pub(crate) async fn new() -> Option<Self> {
        let coturn = coturn()?;
        let world = World::new();
        let server = MailboxServer::start(&world.network, &coturn).await;
        Some(Self {
            world,
            coturn,
            server,
        })
    }

    /// Somebody who speaks a tone, and whose mailbox is on the server.
    pub(crate) fn operated(&self, hertz: f32) -> Setup {
        let mut setup = self.embedded(hertz);
        setup.mailbox_server = Some(self.server.key());
        setup
    }

    /// Somebody who speaks a tone, and whose mailbox is on the own device.
    pub(crate) fn embedded(&self, hertz: f32) -> Setup {
        let mut setup = self.world.setup();
        setup.tone = Some(hertz);
        // An operated mailbox takes a few seconds to be attached again.
        setup.resume_within = Duration::from_secs(60);
        setup
    }

    /// Alice and Bob, who know each other; both can be reached.
    pub(crate) async fn alice_and_bob(&self, alice: Setup, bob: Setup) -> (Person, Person) {
        let mut alice = self.world.person_with("alice", alice);
        let mut bob = self.world.person_with("bob", bob);
        meet(&mut bob, "Bob", &mut alice, "Alice").await;
        // The invite's address goes, the lasting one stays.
        bob.reachable(1).await;
        (alice, bob)
    }

    async fn stream(&self) -> tacit_engine::network::BoxStream {
        signaling_stream(&self.world.network, self.server.key(), None).await
    }
}

fn onion_leg_writes(person: &Person) -> usize {
    let writes = person.tap.writes();
    writes.iter().filter(|w| w.port == ONION_PORT_LEGS).count()
}

async fn hang_up(by: &mut Person, call: tacit_engine::CallId, other: &mut Person) {
    by.command(Command::HangUp(call)).unwrap();
    assert_eq!(by.ended().await, Reason::HungUp);
    assert_eq!(other.ended().await, Reason::PeerHungUp);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_rings_through_an_operated_mailbox_and_carries_sound_both_ways() {
    let Some(town) = Town::new().await else {
        return;
    };
    let (alice, bob) = (town.embedded(440.0), town.operated(660.0));
    let (mut alice, mut bob) = town.alice_and_bob(alice, bob).await;
    assert!(alice.contact("Bob").unwrap().needs_turn);
    assert!(!bob.contact("Alice").unwrap().needs_turn);

    let (writes, tokens) = (
        alice.tap.writes().len(),
        alice.contact("Bob").unwrap().tokens,
    );
    alice.dial("Bob").unwrap();
    assert_eq!(alice.ended().await, Reason::NeedsTurn);
    assert_eq!(alice.tap.writes().len(), writes, "nothing was sent");
    assert_eq!(alice.contact("Bob").unwrap().tokens, tokens);

    let (ours, _) = connect_over(LegKind::Turn, &mut alice, "Bob", &mut bob).await;
    assert_eq!(alice.words().await, bob.words().await);
    alice.hears(3).await;
    bob.hears(3).await;
    hang_up(&mut alice, ours, &mut bob).await;
    assert!(
        share_of(&alice.heard, 660.0) > 0.5,
        "Alice hears Bob's tone"
    );
    assert!(share_of(&bob.heard, 440.0) > 0.5, "Bob hears Alice's tone");
    assert_eq!(onion_leg_writes(&alice) + onion_leg_writes(&bob), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn legs_that_fail_while_they_are_opened_cost_only_themselves() {
    let Some(town) = Town::new().await else {
        return;
    };
    let (alice, bob) = (town.embedded(440.0), town.operated(660.0));
    let (mut alice, mut bob) = town.alice_and_bob(alice, bob).await;
    // Two of eight break off during TLS; the caller tells the callee of the others without a gap.
    let mut limits = [usize::MAX; 8];
    limits[0] = 600;
    limits[4] = 600;
    alice.tap.end_exit_streams_after(&limits);
    let (call, _) = connect_over(LegKind::Turn, &mut alice, "Bob", &mut bob).await;
    let six = |e| match e {
        Event::Quality(_, quality) => (quality.of_side(Side::Local).count() == 6).then_some(()),
        _ => None,
    };
    alice.until("six legs", six).await;
    alice.hears(2).await;
    bob.hears(2).await;
    hang_up(&mut alice, call, &mut bob).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn somebody_without_a_turn_server_answers_an_operated_caller_with_onion_legs() {
    let Some(town) = Town::new().await else {
        return;
    };
    let (alice, bob) = (town.embedded(440.0), town.operated(660.0));
    let (mut alice, mut bob) = town.alice_and_bob(alice, bob).await;
    for legs in [LegKind::Turn, LegKind::Onion] {
        let before = onion_leg_writes(&alice);
        let (ours, _) = connect_over(legs, &mut bob, "Alice", &mut alice).await;
        alice.hears(2).await;
        bob.hears(2).await;
        assert!(onion_leg_writes(&alice) > before);
        hang_up(&mut bob, ours, &mut alice).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn calls_over_turn_legs_come_back_whoever_is_operated() {
    for callee_is_operated in [true, false] {
        let Some(town) = Town::new().await else {
            return;
        };
        let (mut alice, mut bob) = (town.operated(440.0), town.embedded(660.0));
        if callee_is_operated {
            (alice, bob) = (town.embedded(440.0), town.operated(660.0));
        } else {
            bob.credentials = Some(town.server.key());
        }
        let (mut alice, mut bob) = town.alice_and_bob(alice, bob).await;
        connect_over(LegKind::Turn, &mut alice, "Bob", &mut bob).await;
        alice.hears(1).await;
        bob.hears(1).await;
        town.world.network.break_streams();
        for person in [&mut alice, &mut bob] {
            let lost = |e| matches!(e, Event::Interrupted(_)).then_some(());
            person.until("interruption", lost).await;
        }
        for person in [&mut alice, &mut bob] {
            let back = |e| matches!(e, Event::Resumed(_)).then_some(());
            person.until("resumption", back).await;
        }
        alice.hears(2).await;
        bob.hears(2).await;
        assert_eq!(onion_leg_writes(&alice) + onion_leg_writes(&bob), 0);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restarted_server_learns_again_which_tokens_are_spent() {
    let Some(mut town) = Town::new().await else {
        return;
    };
    let (alice, bob) = (town.embedded(440.0), town.operated(660.0));
    let (mut alice, mut bob) = town.alice_and_bob(alice, bob).await;
    let (ours, _) = connect_over(LegKind::Turn, &mut alice, "Bob", &mut bob).await;
    let ring = alice.tap.rings().pop().unwrap();
    town.server.crash().await;
    bob.reachable_of(0, 1).await;
    // The call does not need it.
    alice.hears(2).await;
    bob.hears(2).await;
    hang_up(&mut alice, ours, &mut bob).await;
    alice.dial_over(LegKind::Turn, "Bob").unwrap();
    assert_eq!(alice.ended().await, Reason::TurnUnreachable);
    town.server.run(&town.coturn).await;
    bob.all_reachable().await;

    // The very frame that rang before: its token is refused before it gets to Bob.
    let mut stream = town.stream().await;
    assert!(matches!(next_frame(&mut stream).await, Frame::Hello(_)));
    write_frame(&mut stream, &ring.try_into().unwrap())
        .await
        .unwrap();
    assert!(matches!(next_frame(&mut stream).await, Frame::Nak));
    connect_over(LegKind::Turn, &mut alice, "Bob", &mut bob).await;
    alice.hears(1).await;
}

async fn next_frame(stream: &mut tacit_engine::network::BoxStream) -> Frame {
    let frame = tokio::time::timeout(PATIENCE, read_frame(stream)).await;
    Frame::decode(&frame.expect("a frame in time").unwrap()).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_is_gone_in_mid_ring_ends_the_ring_on_both_sides() {
    let Some(mut town) = Town::new().await else {
        return;
    };
    // Of its own, so that Bob's legs are still on their way when the other one is gone.
    let credentials = MailboxServer::start(&town.world.network, &town.coturn).await;
    let (alice, mut bob) = (town.embedded(440.0), town.operated(660.0));
    bob.credentials = Some(credentials.key());
    let (mut alice, mut bob) = town.alice_and_bob(alice, bob).await;
    alice.dial_over(LegKind::Turn, "Bob").unwrap();
    alice.state(CallState::Ringing).await;
    town.server.crash().await;
    bob.incoming().await;
    assert_eq!(alice.ended().await, Reason::ServerLost);
    assert_eq!(bob.ended().await, Reason::ServerLost);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_empty_wallet_is_filled_again_over_an_operated_mailbox() {
    let Some(town) = Town::new().await else {
        return;
    };
    let (mut alice, mut bob) = without_tokens(&town.world, town.operated(660.0), &[]).await;
    let (ours, _) = connect_over(LegKind::Turn, &mut alice, "Bob", &mut bob).await;
    assert!(alice.contact("Bob").unwrap().tokens >= 8);
    hang_up(&mut alice, ours, &mut bob).await;
}

/// Mallory, who has taken an invite of `of`.
pub(crate) async fn mallory(town: &Town, of: &mut Person, hosting: Hosting) -> Impostor {
    impostor(town, of, "Mallory", hosting).await
}

async fn impostor(town: &Town, of: &mut Person, name: &str, hosting: Hosting) -> Impostor {
    let invite = of.invite(name);
    of.until("invite", |e| {
        matches!(e, Event::InviteReachable).then_some(())
    })
    .await;
    let mallory = Impostor::join(&town.world.network, &invite, town.server.key(), hosting).await;
    of.until("contact", |e| {
        matches!(e, Event::ContactAdded(_)).then_some(())
    })
    .await;
    mallory
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_with_legs_that_cannot_be_ends_the_call() {
    let stories = [
        (Hosting::Operated, LegKind::Turn, LegKind::Onion),
        // What exposes more than was offered.
        (Hosting::Embedded, LegKind::Onion, LegKind::Turn),
    ];
    for (hosting, offer, answer) in stories {
        let Some(town) = Town::new().await else {
            return;
        };
        let mut setup = town.embedded(440.0);
        setup.credentials = Some(town.server.key());
        let mut alice = town.world.person_with("alice", setup);
        let mallory = mallory(&town, &mut alice, hosting).await;
        let mut line = mallory.attach().await;
        alice.dial_over(offer, "Mallory").unwrap();
        let handle = mallory.answer(&mut line, answer).await;
        let told = loop {
            match line.next().await {
                CalleeEvent::Message { handle: h, message } if h == handle => match message {
                    PipeMessage::Confirm { .. } => {}
                    other => break other,
                },
                CalleeEvent::Closed(_) => panic!("Mallory is told nothing"),
                _ => {}
            }
        };
        assert_eq!(told, PipeMessage::Bye);
        assert_eq!(alice.ended().await, Reason::NoCommonLegs);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_that_cannot_be_read_is_one_of_another_version() {
    let Some(town) = Town::new().await else {
        return;
    };
    let mut alice = town.world.person_with("alice", town.embedded(440.0));
    let mallory = mallory(&town, &mut alice, Hosting::Embedded).await;
    let mut line = mallory.attach().await;
    alice.dial("Mallory").unwrap();
    // No call of version 1 has no legs.
    mallory.answer_with(&mut line, LegKind::Onion, 0).await;
    line.flush().await;
    assert_eq!(alice.ended().await, Reason::PeerVersion);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_offer_of_onion_legs_to_an_operated_mailbox_is_not_answered() {
    let Some(town) = Town::new().await else {
        return;
    };
    let mut bob = town.world.person_with("bob", town.operated(660.0));
    let mut mallory = mallory(&town, &mut bob, Hosting::Operated).await;
    bob.reachable(1).await;
    // Kept open, so that it is not the end of its stream that keeps Bob from ringing.
    let unanswered = mallory.ring(LegKind::Onion).await;
    let mut answered = mallory.ring(LegKind::Turn).await;
    let next = answered.next().await;
    assert!(matches!(next, CallerEvent::Answered { .. }), "{next:?}");
    bob.incoming().await;
    let rang = |e: &&Event| matches!(e, Event::Incoming { .. });
    assert_eq!(bob.seen.iter().filter(rang).count(), 1);
    drop(unanswered);
}

/// Bob, each of whose contacts has a mailbox of its own on the server, and how many they are.
async fn bob_with_four_contacts(town: &Town) -> (Person, usize) {
    let mut bob = town.world.person_with("bob", town.operated(660.0));
    let names = ["Carol", "Dave", "Erin", "Frank"];
    for name in names {
        impostor(town, &mut bob, name, Hosting::Embedded).await;
    }
    (bob, names.len())
}

#[tokio::test(flavor = "multi_thread")]
async fn the_mailboxes_of_one_person_leave_at_times_of_their_own() {
    let Some(town) = Town::new().await else {
        return;
    };
    let (mut bob, names) = bob_with_four_contacts(&town).await;
    bob.reachable(names).await;
    let mut attached = bob.tap.writes();
    attached.retain(|w| w.first == ATTACH);
    let begun = Instant::now();
    bob.engine.shutdown().await;
    assert!(begun.elapsed() < Duration::from_secs(30));
    let ends = || attached.iter().map(|w| bob.tap.end_of(w.stream));
    eventually("all have left", || ends().all(|at| at.is_some())).await;
    let (first, last) = (ends().min().unwrap(), ends().max().unwrap());
    // Of 20 seconds, as when they attach.
    let apart = last.unwrap().duration_since(first.unwrap());
    assert!(apart > Duration::from_millis(200), "{apart:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn who_takes_over_a_mailbox_is_noticed() {
    let Some(town) = Town::new().await else {
        return;
    };
    let (alice, bob) = (town.operated(440.0), town.embedded(660.0));
    let (mut alice, _bob) = town.alice_and_bob(alice, bob).await;
    // What a restored backup, a second device or a thief would send.
    let attach = alice.tap.attaches().pop().unwrap();
    let mut stream = town.stream().await;
    assert!(matches!(next_frame(&mut stream).await, Frame::Hello(_)));
    write_frame(&mut stream, &attach.try_into().unwrap())
        .await
        .unwrap();
    assert!(matches!(next_frame(&mut stream).await, Frame::Attached(_)));
    let lost = |e| match e {
        Event::MailboxLost(reason) => Some(reason),
        _ => None,
    };
    assert_eq!(alice.until("loss", lost).await, Reason::ServerReplaced);
    alice.reachable_of(0, 1).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_for_which_there_can_be_no_turn_legs_does_not_ring() {
    let Some(mut town) = Town::new().await else {
        return;
    };
    let minting = MailboxServer::start(&town.world.network, &town.coturn).await;
    town.server = MailboxServer::start_without_turn(&town.world.network).await;
    let (mut alice, bob) = (town.embedded(440.0), town.operated(660.0));
    alice.credentials = Some(minting.key());
    let (mut alice, mut bob) = town.alice_and_bob(alice, bob).await;
    alice.dial_over(LegKind::Turn, "Bob").unwrap();
    assert_eq!(alice.ended().await, Reason::PeerNoAnswer);
    // Whatever Bob was told came before this.
    bob.invite("Carol");
    bob.all_reachable().await;
    assert!(!bob.saw(|e| matches!(e, Event::Incoming { .. })));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_mailboxes_of_one_person_attach_at_times_of_their_own() {
    let Some(town) = Town::new().await else {
        return;
    };
    let (bob, names) = bob_with_four_contacts(&town).await;
    let mut setup = town.world.setup();
    setup.disk = bob.crash().await;
    setup.tap.hold();
    let mut bob = town.world.person_with("bob", setup);
    let starting = |e| matches!(e, Event::TorProgress { percent: 0, .. }).then_some(());
    bob.until("start of the network", starting).await;
    bob.tap.start();
    bob.reachable(names).await;
    let mut writes = bob.tap.writes();
    writes.retain(|w| w.first == ATTACH);
    assert_eq!(writes.len(), names);
    // Of 20 seconds: four random moments are as close as that once in 250,000 runs.
    let apart = writes[3].at.duration_since(writes[0].at);
    assert!(apart > Duration::from_millis(200), "{apart:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_drops_everybody_cannot_tell_who_is_in_a_call() {
    let Some(mut town) = Town::new().await else {
        return;
    };
    let (alice, bob) = (town.embedded(440.0), town.operated(660.0));
    let (mut alice, mut bob) = town.alice_and_bob(alice, bob).await;
    impostor(&town, &mut bob, "Carol", Hosting::Embedded).await;
    bob.reachable(2).await;
    connect_over(LegKind::Turn, &mut alice, "Bob", &mut bob).await;
    let dropped = Instant::now();
    town.server.crash().await;
    town.server.run(&town.coturn).await;
    bob.reachable_of(0, 2).await;
    bob.reachable(2).await;
    let mut writes = bob.tap.writes();
    writes.retain(|w| w.first == ATTACH && w.at > dropped);
    assert!(writes.len() >= 2);
    for write in writes {
        let after = write.at.duration_since(dropped);
        let expected = Duration::from_secs(5)..Duration::from_secs(19);
        assert!(expected.contains(&after), "{after:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_allocation_takes_a_credential_that_the_server_minted_and_nobody_uses() {
    let Some(town) = Town::new().await else {
        return;
    };
    let minted = fetch_credentials(&mut town.stream().await, 1)
        .await
        .unwrap();
    let [user, password] = {
        let first = &minted[0].credentials[0];
        [first.user.reveal(), first.password.reveal()]
    };
    let good = TurnCredentials::new(user, password);
    let (leg, allocated) = allocate(&town, &minted[0], good.clone()).await;
    assert!(allocated.is_ok(), "{allocated:?}");
    let (_, used) = allocate(&town, &minted[0], good.clone()).await;
    assert_eq!(used.unwrap_err(), Failure::Quota { code: 486 });
    let made_up = TurnCredentials::new(user, "made up");
    let (_, refused) = allocate(&town, &minted[0], made_up).await;
    assert_eq!(
        refused.unwrap_err(),
        Failure::WrongCredentials { code: 401 }
    );
    drop(leg);

    // The network in memory leads to this computer if it is told to, and nowhere else.
    let exit = |network: &MemoryNetwork, addr: &str| {
        let addr = addr.parse().unwrap();
        network.connect(Target::Exit { addr })
    };
    let here = town.coturn.tls_addr().to_string();
    for (network, addr) in [
        (&MemoryNetwork::default(), here.as_str()),
        (&town.world.network, "192.0.2.1:443"),
    ] {
        let refused = exit(network, addr).await.err();
        assert_eq!(refused, Some(Reason::TurnUnreachable));
    }
}

/// A leg closes when either is dropped.
type OpenLeg = (LegHandle, mpsc::Receiver<LegOutput>);

/// Opens a leg through an exit and waits for its relayed address, or for why there is none.
async fn allocate(
    town: &Town,
    minted: &Cred,
    credentials: TurnCredentials,
) -> (OpenLeg, Result<(), Failure>) {
    let target = Target::Exit {
        addr: minted.server,
    };
    let stream = town.world.network.connect(target).await.unwrap();
    let (outputs, mut events) = mpsc::channel(64);
    let wiring = Wiring {
        leg: LegIndex(0),
        clock: Arc::new(tacit_engine::clock::now),
        outputs,
    };
    let config = TurnConfig {
        credentials,
        peers: Vec::new(),
        candidates: CandidatePolicy::dangerous_allow_local_candidates(),
        seed: [7; 32],
    };
    let security = TurnSecurity::Pinned(SpkiPin(minted.key_pin));
    let leg = open_turn_leg(stream, security, config, wiring)
        .await
        .unwrap();
    loop {
        let event = tokio::time::timeout(PATIENCE, events.recv()).await;
        match event.expect("an event in time").unwrap().event {
            LegEvent::Allocated(_) => return ((leg, events), Ok(())),
            LegEvent::Failed(failure) => return ((leg, events), Err(failure)),
            LegEvent::Closed(end) => panic!("{end}"),
            _ => {}
        }
    }
}

/// All allocations end at once and no new ones are to be had: both people see it at once, while the
/// call tries for as long as it may.
#[tokio::test(flavor = "multi_thread")]
async fn a_turn_server_that_is_gone_is_told_at_once_and_ends_the_call_in_time() {
    let Some(mut town) = Town::new().await else {
        return;
    };
    let (mut alice, mut bob) = (town.operated(440.0), town.operated(660.0));
    (alice.resume_within, bob.resume_within) = (RESUME_WITHIN, RESUME_WITHIN);
    let (mut alice, mut bob) = town.alice_and_bob(alice, bob).await;
    connect_over(LegKind::Turn, &mut alice, "Bob", &mut bob).await;
    alice.hears(1).await;
    // Sound comes before or after the first report of what has gone well.
    let first =
        |e: &Event| matches!(e, Event::PathChanged { reason, .. } if *reason == PathChange::First);
    if !alice.saw(first) {
        alice.until("best path", |e| first(&e).then_some(())).await;
    }
    town.coturn.kill();
    let gone = Instant::now();
    for person in [&mut alice, &mut bob] {
        let lost = |e| matches!(e, Event::Interrupted(_)).then_some(());
        person.until("interruption", lost).await;
        assert!(gone.elapsed() < Duration::from_secs(4));
    }
    for person in [&mut alice, &mut bob] {
        assert_eq!(person.ended().await, Reason::LegsLost);
        let elapsed = gone.elapsed();
        assert!(
            elapsed > RESUME_WITHIN && elapsed < RESUME_WITHIN * 2,
            "{elapsed:?}"
        );
    }
}
