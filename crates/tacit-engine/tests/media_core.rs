//! The media core and the legs below it: what is sent where, and what it costs.
#![expect(clippy::unwrap_used, reason = "a test may")]

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use rand_chacha::ChaCha20Rng;
use rand_core::SeedableRng as _;
use tacit_crypto::{Initiator, Prologue, Purpose, Responder, SessionKeys, StaticKeypair, Token};
use tacit_engine::core::{MediaCore, MediaEvent, Outgoing, Terms};
use tacit_legs::shell::{LegHandle, LegOutput, OnionEnd, Wiring, spawn_onion_leg};
use tacit_legs::{CandidatePolicy, LegEvent};
use tacit_packet::ControlMessage;
use tacit_playout::{Playout, Pull};
use tacit_types::{
    Cells, EncodedFrame, FramePayload, LegIndex, LegKind, MailboxId, OnionKey, Path, Reach,
    Redacted, SecretBytes, Timestamp,
};
use tokio::sync::mpsc;

const SLOT: Duration = Duration::from_millis(20);
const START: Timestamp = Timestamp::from_micros(1_000_000);

fn handshake() -> (SessionKeys, SessionKeys) {
    let mut rng = ChaCha20Rng::from_seed([1; 32]);
    let mut keypair = || StaticKeypair::generate(&mut rng);
    let (a, b) = (keypair(), keypair());
    let psk = SecretBytes::new([5; 32]);
    let prologue = Prologue {
        purpose: Purpose::Call,
        hello_nonce: [1; 32],
        server: OnionKey([2; 32]),
        mailbox: MailboxId([3; 16]),
        token: Token {
            generation: 0,
            index: 1,
            tag: [4; 16],
        },
    };
    let mut initiator = Initiator::call(&prologue, &a, &b.public(), &psk, &mut rng);
    let message_1 = initiator.write(&[0; 390]).unwrap();
    let responder = Responder::call(&prologue, &b, &a.public(), &psk);
    let (_, answer) = responder.read(&message_1).unwrap();
    let (message_2, callee) = answer.write(&[0; 427], &mut rng).unwrap();
    let Ok((_, caller)) = initiator.read(&message_2) else {
        panic!("it is genuine")
    };
    (caller, callee)
}

fn cores(kind: LegKind) -> [MediaCore; 2] {
    cores_that_send(kind, [Cells::Fifty; 2])
}

fn cores_that_send(kind: LegKind, [of_a, of_b]: [Cells; 2]) -> [MediaCore; 2] {
    let (a, b) = handshake();
    let core = |keys, seed, cells| {
        let playout = Playout::new(tacit_playout::Config::default());
        let terms = Terms {
            kind,
            candidates: CandidatePolicy::public_only(),
            cells,
        };
        let mut core = MediaCore::new(&keys, terms, playout, u64::from(seed), [seed; 32], START);
        core.begin_peers([9, 9, 9, 9].into(), &[2000, 2001, 2002, 2003]);
        core
    };
    [core(a, 1, of_a), core(b, 2, of_b)]
}

const fn path(sender: u8, receiver: u8) -> Path {
    Path {
        sender: LegIndex(sender),
        receiver: LegIndex(receiver),
    }
}

fn slot(number: u32) -> Timestamp {
    START + SLOT * number
}

/// Sends one packet over the first leg that `takes` it.
fn send(core: &mut MediaCore, now: Timestamp, takes: impl Fn(Path) -> bool) -> Option<Outgoing> {
    let mut next = core.next_packet(now);
    while let Some(outgoing) = next {
        if takes(outgoing.path) {
            core.on_sent(&outgoing, now);
            return Some(outgoing);
        }
        next = core.reroute(&outgoing, now);
    }
    None
}

/// Two sides with four TURN legs each, all bound but where `refused` says.
fn bound(refused: impl Fn(Path) -> bool) -> [MediaCore; 2] {
    let mut cores = cores(LegKind::Turn);
    for core in &mut cores {
        for pair in (0..16).map(|n| path(n / 4, n % 4)) {
            core.add_path(pair);
            if refused(pair) {
                core.remove_path(pair);
            }
        }
    }
    cores
}

#[test]
fn a_pair_whose_bind_was_refused_carries_nothing() {
    let [mut a, mut b] = bound(|pair| pair == path(1, 2));
    let mut used = BTreeMap::<Path, u32>::new();
    for number in 0..500 {
        let now = slot(number);
        for (from, to) in [(0, 1), (1, 0)] {
            let sides = [&mut a, &mut b];
            let sent = send(sides[from], now, |_| true).expect("there is always another pair");
            assert!(
                sides[to]
                    .handle_packet(sent.path, &sent.packet, now)
                    .authentic
            );
            *used.entry(sent.path).or_default() += 1;
        }
    }
    assert!(!used.contains_key(&path(1, 2)));
    // Neither of its legs is given up for it.
    for leg in (0..4).map(LegIndex) {
        let carried = |of: fn(&Path) -> LegIndex| used.keys().any(|pair| of(pair) == leg);
        assert!(carried(|pair| pair.sender), "{leg:?} {used:?}");
        assert!(carried(|pair| pair.receiver), "{leg:?} {used:?}");
    }
}

#[test]
fn a_candidate_that_never_answers_gets_three_packets_in_all() {
    let [mut a, mut b] = bound(|_| false);
    let mut got = [0; 4];
    for number in 0..2000 {
        let now = slot(number);
        // Lost and bound again: that is no new candidate.
        if number % 100 == 99 {
            for leg in 0..4 {
                a.remove_path(path(leg, 2));
                a.add_path(path(leg, 2));
            }
        }
        if let Some(sent) = send(&mut a, now, |pair| pair.sender != LegIndex(3)) {
            got[usize::from(sent.path.receiver.0)] += 1;
            b.handle_packet(sent.path, &sent.packet, now);
        }
        // Legs 2 and 3 of b say nothing, whoever they are.
        if let Some(sent) = send(&mut b, now, |pair| pair.sender < LegIndex(2)) {
            a.handle_packet(sent.path, &sent.packet, now);
        }
    }
    assert_eq!(got[2..], [3, 3]);
    assert!(got[0] > 900 && got[1] > 900, "{got:?}");
}

#[test]
fn what_no_leg_takes_spends_nothing() {
    let [mut a, mut b] = bound(|_| false);
    for number in 0..100 {
        assert!(send(&mut a, slot(number), |_| false).is_none());
    }
    assert!(a.scheduler().legs().all(|leg| leg.sent == 0));
    // Every candidate still has its three.
    let mut got = [0; 4];
    while let Some(sent) = send(&mut a, slot(100 + got.iter().sum::<u32>()), |_| true) {
        got[usize::from(sent.path.receiver.0)] += 1;
    }
    assert_eq!(got, [3; 4]);
    // One answers, and all the rest goes there.
    let now = slot(200);
    let answer = send(&mut b, now, |pair| pair.sender == LegIndex(1)).unwrap();
    assert!(a.handle_packet(answer.path, &answer.packet, now).authentic);
    for number in 201..300 {
        let sent = send(&mut a, slot(number), |_| true).unwrap();
        assert_eq!(sent.path.receiver, LegIndex(1));
    }
}

/// As long as in speech, with DRED.
fn frame() -> EncodedFrame {
    EncodedFrame {
        full: FramePayload::new(&[7; 102]).unwrap(),
        short: FramePayload::new(&[7; 53]).unwrap(),
        reach: Reach::new(1, 24),
    }
}

/// A core with its legs, as a call has them.
struct End {
    core: MediaCore,
    handles: Vec<LegHandle>,
    outputs: mpsc::Receiver<LegOutput>,
    sender: mpsc::Sender<LegOutput>,
}

impl End {
    fn new(core: MediaCore) -> Self {
        let (sender, outputs) = mpsc::channel(1024);
        Self {
            core,
            handles: Vec::new(),
            outputs,
            sender,
        }
    }

    fn open(&mut self, leg: u8, stream: tokio::io::DuplexStream) {
        let wiring = Wiring {
            leg: LegIndex(leg),
            clock: Arc::new(|| START),
            outputs: self.sender.clone(),
        };
        let handle = spawn_onion_leg(stream, OnionEnd::Accepted, wiring);
        self.handles.push(handle);
        self.core.add_path(path(leg, leg));
    }

    fn send(&mut self, now: Timestamp) {
        let number = self.core.next_frame_number();
        self.core.push_frame(number, &frame());
        let handles = &self.handles;
        let mut next = self.core.next_packet(now);
        while let Some(outgoing) = next {
            let handle = &handles[usize::from(outgoing.path.sender.0)];
            if handle
                .try_send(outgoing.path.receiver, &outgoing.packet)
                .is_ok()
            {
                return self.core.on_sent(&outgoing, now);
            }
            next = self.core.reroute(&outgoing, now);
        }
        panic!("no leg took a packet");
    }

    async fn hear(&mut self, now: Timestamp) {
        loop {
            let output = self.outputs.recv().await.unwrap();
            if let LegEvent::Packet(packet) = output.event {
                let path = Path {
                    sender: packet.peer,
                    receiver: output.leg,
                };
                assert!(self.core.handle_packet(path, &packet.bytes, now).authentic);
                break;
            }
        }
        while let Pull::Skip { .. } = self.core.pull(now) {}
    }
}

/// A frame that no packet brought in time is restored from the packets after it.
#[test]
fn frames_that_never_came_are_repaired_from_later_packets() {
    let [mut alice, mut bob] = cores(LegKind::Onion);
    for core in [&mut alice, &mut bob] {
        core.add_path(path(0, 0));
    }
    for number in 0..300 {
        let now = slot(number);
        alice.push_frame(alice.next_frame_number(), &frame());
        let sent = send(&mut alice, now, |_| true).unwrap();
        // Seven packets in a row are lost: three frames more than the repeats make good.
        if !(200..207).contains(&number) {
            bob.handle_packet(sent.path, &sent.packet, now);
        }
        while let Pull::Skip { .. } = bob.pull(now) {}
    }
    let stats = bob.playout().stats(slot(300));
    assert!((1..=3).contains(&stats.repaired), "{stats:?}");
    assert_eq!(stats.concealed, 0, "{stats:?}");
}

/// From the frame to the stream and from the stream to the playout, over more than one step of the
/// ratchet.
#[test]
fn a_settled_call_allocates_nothing() {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .build()
        .unwrap();
    let [mut a, mut b] = cores(LegKind::Onion).map(End::new);
    runtime.block_on(async {
        for leg in 0..4 {
            let (ours, theirs) = tokio::io::duplex(1 << 16);
            a.open(leg, ours);
            b.open(leg, theirs);
        }
    });
    let mut number = 0;
    let mut step = || {
        let now = slot(number);
        number += 1;
        a.send(now);
        b.send(now);
        runtime.block_on(async {
            b.hear(now).await;
            a.hear(now).await;
        });
        while a.core.poll_event().is_some() || b.core.poll_event().is_some() {}
    };
    (0..2000).for_each(|_| step());
    let counted = allocation_counter::measure(|| (0..5000).for_each(|_| step()));
    assert_eq!(counted.count_total, 0);
}

#[test]
fn a_call_given_up_while_words_are_exchanged_breaks_nothing_off() {
    let [mut alice, mut bob] = cores(LegKind::Onion);
    for core in [&mut alice, &mut bob] {
        core.add_path(path(0, 0));
    }
    let mut given_up = false;
    for number in 0..20 {
        let now = slot(number);
        let packet = send(&mut alice, now, |_| true).unwrap();
        bob.handle_packet(packet.path, &packet.packet, now);
        // Bob has revealed, and Alice does not know it yet.
        if bob.words_broken_off() && !given_up {
            alice.send_control(ControlMessage::HangUp);
            given_up = true;
        }
        let packet = send(&mut bob, now, |_| true).unwrap();
        alice.handle_packet(packet.path, &packet.packet, slot(number + 1));
    }
    assert!(given_up);
    assert!(!bob.words_broken_off());
}

fn events(core: &mut MediaCore) -> Vec<MediaEvent> {
    std::iter::from_fn(|| core.poll_event()).collect()
}

/// One packet each way, which arrives; tells over which paths.
fn exchange(a: &mut MediaCore, b: &mut MediaCore, now: Timestamp) -> [Path; 2] {
    let mut paths = [path(0, 0); 2];
    for forth in [true, false] {
        let (from, to) = if forth {
            (&mut *a, &mut *b)
        } else {
            (&mut *b, &mut *a)
        };
        let sent = send(from, now, |_| true).expect("there is a leg");
        assert!(to.handle_packet(sent.path, &sent.packet, now).authentic);
        paths[usize::from(!forth)] = sent.path;
    }
    paths
}

/// Ours is told to the peer and carries packets once the peer has used it; then the old one rests on
/// both sides, is closed on ours and forgotten on the peer's.
#[test]
fn a_turn_leg_gives_way_to_a_new_one_on_both_sides() {
    let [mut a, mut b] = bound(|_| false);
    let (old, new) = (LegIndex(1), LegIndex(4));
    for number in 0..100 {
        exchange(&mut a, &mut b, slot(number));
    }
    a.expect_leg(new);
    for receiver in 0..4 {
        a.add_path(path(4, receiver));
    }
    assert!(a.introduce_leg(new, 2004, slot(100)));
    let (mut told, mut heard) = (None, None);
    for number in 100..200 {
        let [forth, back] = exchange(&mut a, &mut b, slot(number));
        assert!(
            forth.sender != new || heard.is_some(),
            "before it was bound"
        );
        heard = heard.or((back.receiver == new).then_some(number));
        for event in events(&mut b) {
            let MediaEvent::PeerLegAdded(peer) = event else {
                continue;
            };
            assert_eq!((peer.leg, peer.addr.reveal().port()), (new, 2004));
            told = Some(number);
            for sender in 0..4 {
                b.add_path(path(sender, 4));
            }
        }
    }
    assert_eq!(told, Some(100), "in the first packet that arrives");
    assert!(heard.is_some_and(|n| n < 130), "{heard:?}");
    let works = |l: &tacit_paths::LegStatus| l.index == new && l.acknowledged > 0;
    assert!(a.scheduler().legs().any(|l| works(&l)));

    a.rest_leg(old, slot(200));
    let (mut rested, mut gone) = (None, None);
    for number in 200..400 {
        let [forth, back] = exchange(&mut a, &mut b, slot(number));
        assert_ne!(forth.sender, old);
        assert!(back.receiver != old || number == 200);
        if events(&mut a).contains(&MediaEvent::LegRested(old)) {
            rested = Some(number);
            a.remove_leg(old);
        }
        if events(&mut b).contains(&MediaEvent::PeerLegGone(old)) {
            gone = Some(number);
        }
        // Bound again, for whatever reason: it is gone all the same.
        b.add_path(path(0, 1));
    }
    assert_eq!((rested, gone), (Some(300), Some(300)), "after two seconds");
    let legs: Vec<u8> = b.peers().iter().map(|peer| peer.leg.0).collect();
    assert_eq!(legs, [0, 2, 3, 4]);
    assert_eq!(a.drops(), b.drops());
    assert_eq!(b.drops(), tacit_engine::core::DropCounts::default());
}

/// The peer says nothing over it, perhaps because it waits for us: after three seconds it is tried.
#[test]
fn a_new_leg_over_which_nothing_comes_is_tried_in_the_end() {
    let [mut a, mut b] = bound(|_| false);
    a.expect_leg(LegIndex(4));
    a.add_path(path(4, 0));
    assert!(a.introduce_leg(LegIndex(4), 2004, slot(10)));
    let tried = (10..400).find(|n| exchange(&mut a, &mut b, slot(*n))[0].sender == LegIndex(4));
    assert!(tried.is_some_and(|n| (160..180).contains(&n)), "{tried:?}");
}

/// Nor is it waited for where nothing else is left; one that the peer does not know is of no use.
#[test]
fn a_new_leg_is_tried_at_once_where_no_other_is_left() {
    let [mut a, mut b] = bound(|_| false);
    for number in 0..100 {
        exchange(&mut a, &mut b, slot(number));
    }
    for (leg, told) in [(4, true), (5, false)] {
        a.expect_leg(LegIndex(leg));
        a.add_path(path(leg, 0));
        assert!(!told || a.introduce_leg(LegIndex(leg), 2004, slot(100)));
    }
    let [forth, _] = exchange(&mut a, &mut b, slot(100));
    assert!(forth.sender < LegIndex(4));
    for leg in 0..4 {
        a.remove_leg(LegIndex(leg));
    }
    for number in 101..300 {
        let sent = send(&mut a, slot(number), |_| true).expect("one is left");
        assert_eq!(sent.path, path(4, 0));
        let arrivals = b.handle_packet(sent.path, &sent.packet, slot(number));
        assert!(arrivals.authentic);
    }
}

/// Everything of this arrives, in order.
fn tell(a: &mut MediaCore, b: &mut MediaCore, number: &mut u32, message: ControlMessage) {
    assert!(a.send_control(message));
    while !a.control_is_idle() {
        *number += 1;
        exchange(a, b, slot(*number));
    }
}

#[test]
fn nonsense_about_turn_legs_is_counted_and_changes_nothing() {
    let [mut a, mut b] = bound(|_| false);
    let (peers, mut number) = (b.peers(), 0);
    let added = |leg, port| ControlMessage::LegAdded {
        leg: LegIndex(leg),
        port: Redacted::new(port),
    };
    let nonsense = [
        added(0, 3000),
        added(3, 3000),
        added(9, 2001),
        added(9, 22),
        ControlMessage::LegGone(LegIndex(9)),
        ControlMessage::LegGone(LegIndex(255)),
    ];
    for (message, drops) in nonsense.into_iter().zip(1..) {
        tell(&mut a, &mut b, &mut number, message);
        assert_eq!(b.drops().legs, drops, "{message:?}");
    }
    assert_eq!(b.peers(), peers);
    let of_legs =
        |e: &MediaEvent| matches!(e, MediaEvent::PeerLegAdded(_) | MediaEvent::PeerLegGone(_));
    assert!(!events(&mut b).iter().any(of_legs));

    // Ten at once are taken, and no more than sixteen live.
    for leg in 10..40 {
        tell(
            &mut a,
            &mut b,
            &mut number,
            added(leg, 4000 + u16::from(leg)),
        );
    }
    let taken = events(&mut b).into_iter().filter(of_legs).count();
    assert_eq!((taken, b.peers().len()), (10, 14));
    let gone = |leg| ControlMessage::LegGone(LegIndex(leg));
    for leg in 1..4 {
        tell(&mut a, &mut b, &mut number, gone(leg));
    }
    assert!(a.send_control(gone(0)));
    let packet = send(&mut a, slot(number + 1), |_| true).unwrap();
    b.handle_packet(packet.path, &packet.packet, slot(number + 1));
    // Of what is left nothing was bound: nothing is sent any more, and nothing breaks.
    assert_eq!(b.peers().len(), 10);
    assert!(send(&mut b, slot(number + 1), |_| true).is_none());
}

#[test]
fn an_onion_leg_that_rests_is_used_by_neither_side() {
    let [mut a, mut b] = cores(LegKind::Onion);
    for leg in 0..3 {
        a.add_path(path(leg, leg));
        b.add_path(path(leg, leg));
    }
    let old = LegIndex(2);
    for number in 0..300 {
        if number == 50 {
            a.rest_leg(old, slot(number));
        }
        let used = exchange(&mut a, &mut b, slot(number));
        assert!(number <= 50 || used.iter().all(|p| p.sender != old));
        for core in [&mut a, &mut b] {
            let rested = events(core).contains(&MediaEvent::LegRested(old));
            assert_eq!(rested, number == 150);
        }
    }
    // Neither is there a leg of that number any more, nor one elsewhere.
    let mut number = 300;
    let added = ControlMessage::LegAdded {
        leg: LegIndex(3),
        port: 2003.into(),
    };
    for (message, drops) in [(ControlMessage::LegGone(old), 1), (added, 2)] {
        tell(&mut a, &mut b, &mut number, message);
        assert_eq!(b.drops().legs, drops);
    }
}

/// Two new frames in each packet, and each frame in more than one.
#[test]
fn at_25_packets_a_second_every_frame_comes_and_one_lost_packet_in_two_loses_none() {
    let [mut alice, mut bob] = cores_that_send(LegKind::Onion, [Cells::TwentyFive, Cells::Fifty]);
    for core in [&mut alice, &mut bob] {
        for leg in 0..4 {
            core.add_path(path(leg, leg));
        }
    }
    let (mut packets, mut firsts) = ([0, 0], Vec::new());
    for number in 0..500 {
        let now = slot(number);
        alice.push_frame(alice.next_frame_number(), &frame());
        if let Some(sent) = send(&mut alice, now, |_| true) {
            assert_eq!(number % 2, 1, "when both frames are there");
            packets[0] += 1;
            let lost = (200..300).contains(&number) && number % 4 == 1;
            if !lost {
                let arrivals = bob.handle_packet(sent.path, &sent.packet, now);
                firsts.extend(arrivals.as_slice().iter().map(|frame| frame.0));
            }
        }
        let sent = send(&mut bob, now, |_| true).unwrap();
        packets[1] += 1;
        alice.handle_packet(sent.path, &sent.packet, now);
    }
    assert_eq!(packets, [250, 500]);
    firsts.sort_unstable();
    assert_eq!(firsts, (0..500).collect::<Vec<_>>());
    assert_eq!(
        [alice.peer_cells(), bob.peer_cells()],
        [Cells::Fifty, Cells::TwentyFive]
    );
    // A rate is for a whole call.
    let changed = ControlMessage::Cells(Cells::Fifty);
    assert!(alice.send_control(changed));
    for number in 500..510 {
        if let Some(sent) = send(&mut alice, slot(number), |_| true) {
            bob.handle_packet(sent.path, &sent.packet, slot(number));
        }
    }
    assert_eq!(bob.peer_cells(), Cells::TwentyFive);
    assert_eq!(bob.drops().malformed, 1);
}

/// Two sides that speak all the time over four legs.
struct Talk {
    alice: MediaCore,
    bob: MediaCore,
}

impl Talk {
    fn new() -> Self {
        let [mut alice, mut bob] = cores(LegKind::Onion);
        for core in [&mut alice, &mut bob] {
            for leg in 0..4 {
                core.add_path(path(leg, leg));
            }
        }
        Self { alice, bob }
    }

    /// What one side does when it looks at the clock: sends what is due, and plays one frame. That the
    /// peer takes a packet says that its nonce was never used before.
    fn tick(from: &mut MediaCore, to: &mut MediaCore, now: Timestamp) -> Vec<u32> {
        from.pass_over(now);
        let mut sent = Vec::new();
        while from.is_due(now) {
            from.push_frame(from.next_frame_number(), &frame());
            let packet = send(from, now, |_| true).expect("there are legs");
            assert!(to.handle_packet(packet.path, &packet.packet, now).authentic);
            sent.push(packet.slot.0);
        }
        while let Pull::Skip { .. } = from.pull(now) {}
        sent
    }

    /// Both sides for these slots; each sends one packet in each.
    fn go_on(&mut self, slots: core::ops::Range<u32>) {
        for number in slots {
            let now = slot(number);
            assert_eq!(Self::tick(&mut self.alice, &mut self.bob, now), [number]);
            assert_eq!(Self::tick(&mut self.bob, &mut self.alice, now), [number]);
        }
    }

    /// That speech is heard from these slots on both sides, without repair and soon.
    fn is_heard(&mut self, slots: core::ops::Range<u32>) {
        let end = slot(slots.end);
        let len = u64::from(slots.end - slots.start);
        let stats = |t: &Self| [&t.alice, &t.bob].map(|core| core.playout().stats(end));
        let before = stats(self);
        self.go_on(slots);
        for (before, after) in before.into_iter().zip(stats(self)) {
            let played = after.played - before.played;
            assert!(played + 5 >= len, "{before:?} {after:?}");
            assert_eq!(after.repaired, before.repaired);
            assert!(after.delay < Duration::from_millis(200), "{after:?}");
        }
    }
}

#[test]
fn a_clock_that_jumps_by_an_hour_is_not_caught_up_slot_by_slot() {
    let mut talk = Talk::new();
    talk.go_on(0..300);
    // The first that look at the clock again: four packets.
    let Talk { alice, bob } = &mut talk;
    let now = slot(180_300);
    let newest = (180_297..=180_300).collect::<Vec<_>>();
    assert_eq!(Talk::tick(alice, bob, now), newest);
    assert_eq!(Talk::tick(bob, alice, now), newest);
    talk.go_on(180_301..180_400);
    talk.is_heard(180_400..180_600);
    let drops = [talk.alice.drops(), talk.bob.drops()];
    assert_eq!(drops, [tacit_engine::core::DropCounts::default(); 2]);
}

/// The clock is the same on both sides, and one of them was stopped.
#[test]
fn a_side_that_was_stopped_is_heard_again_and_restores_nothing_from_before() {
    for stopped in [120, 500, 900] {
        let mut talk = Talk::new();
        talk.go_on(0..300);
        let Talk { alice, bob } = &mut talk;
        let mut on_their_way = Vec::new();
        for number in 300..300 + stopped {
            let now = slot(number);
            bob.push_frame(bob.next_frame_number(), &frame());
            on_their_way.extend(send(bob, now, |_| true));
            while let Pull::Skip { .. } = bob.pull(now) {}
        }
        let now = slot(300 + stopped);
        let repaired = bob.playout().stats(now).repaired;
        for packet in on_their_way {
            assert!(
                alice
                    .handle_packet(packet.path, &packet.packet, now)
                    .authentic
            );
        }
        let first = Talk::tick(alice, bob, now);
        assert_eq!(first, (297 + stopped..=300 + stopped).collect::<Vec<_>>());
        assert_eq!(Talk::tick(bob, alice, now), [300 + stopped]);
        talk.go_on(301 + stopped..500 + stopped);
        talk.is_heard(500 + stopped..800 + stopped);
        assert_eq!(
            talk.bob.playout().stats(slot(800 + stopped)).repaired,
            repaired
        );
    }
}

#[test]
fn what_was_held_up_for_a_moment_is_caught_up() {
    let mut talk = Talk::new();
    talk.go_on(0..100);
    let now = slot(103);
    for _ in 0..2 {
        let sent = Talk::tick(&mut talk.alice, &mut talk.bob, now);
        assert_eq!(sent, [100, 101, 102, 103]);
        core::mem::swap(&mut talk.alice, &mut talk.bob);
    }
    talk.go_on(104..300);
}

/// One leg that takes no more than its queue holds: all that is caught up finds room in it.
#[test]
fn what_is_caught_up_is_no_more_than_one_leg_takes() {
    let [mut alice, _] = cores(LegKind::Onion);
    alice.add_path(path(0, 0));
    let now = slot(1000);
    alice.pass_over(now);
    let mut queued = 0;
    while alice.is_due(now) {
        let sent = send(&mut alice, now, |_| {
            queued < tacit_legs::limits::MAX_QUEUED_PACKETS
        });
        assert!(sent.is_some());
        queued += 1;
    }
    assert_eq!(queued, tacit_legs::limits::MAX_QUEUED_PACKETS);
}

#[test]
fn at_25_packets_a_second_a_clock_that_jumps_leaves_every_other_slot_to_packets() {
    for jump in [1000, 1001] {
        let rates = [Cells::TwentyFive, Cells::Fifty];
        let [mut alice, mut bob] = cores_that_send(LegKind::Onion, rates);
        alice.add_path(path(0, 0));
        bob.add_path(path(0, 0));
        let mut arrived = Vec::new();
        for number in (0..100).chain(jump..jump + 100) {
            let now = slot(number);
            alice.pass_over(now);
            while alice.is_due(now) {
                alice.push_frame(alice.next_frame_number(), &frame());
                if let Some(sent) = send(&mut alice, now, |_| true) {
                    assert_eq!(sent.slot.0 % 2, 1);
                    let arrivals = bob.handle_packet(sent.path, &sent.packet, now);
                    arrived.extend(arrivals.as_slice().iter().map(|frame| frame.0));
                }
            }
        }
        arrived.sort_unstable();
        // Frame 997 is in none of the packets that make the playout believe in other numbers.
        let all = (0..100).chain(998..jump + 100 - (jump + 100) % 2);
        assert_eq!(arrived, all.collect::<Vec<_>>());
    }
}
