//! A token is never accepted twice, whatever is lost, replayed, restarted or attached again.
#![allow(clippy::unwrap_used)]

mod common;

use common::{Pair, World, offer, reply};
use core::time::Duration;
use proptest::prelude::*;
use std::collections::BTreeMap;
use tacit_crypto::{BatchNumber, Generation};
use tacit_signaling::{
    CalleeEvent, ConnectionId, Frame, FrameBytes, IncomingRing, Opening, Response, ServerConfig,
};

#[derive(Clone, Debug)]
enum Step {
    /// The caller rings with its next token.
    Ring,
    /// Somebody sends a RING again that was seen before.
    Replay(usize),
    /// The server sends the callee a RING-IN again that it has seen before.
    ReplayInside(usize),
    /// The server loses its memory; the callee attaches again.
    Restart,
    /// The callee loses its connection and attaches again.
    Reattach,
    /// A second device, or a thief of the attach secret, attaches with an empty bitmap.
    AttachEmpty,
    /// The callee's process dies before it has handled what arrived, and comes back from its disk.
    Crash,
    /// The callee handles what arrived.
    Handle,
    /// Time passes.
    Wait(u16),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => Just(Step::Ring),
        4 => any::<usize>().prop_map(Step::Replay),
        2 => any::<usize>().prop_map(Step::ReplayInside),
        1 => Just(Step::Restart),
        1 => Just(Step::Reattach),
        1 => Just(Step::AttachEmpty),
        1 => Just(Step::Crash),
        4 => Just(Step::Handle),
        2 => (0..5000_u16).prop_map(Step::Wait),
    ]
}

struct Model {
    world: World,
    pair: Pair,
    callee: ConnectionId,
    /// Rings that arrived and are not handled.
    inbox: Vec<IncomingRing>,
    seen: Vec<IncomingRing>,
    sent: Vec<FrameBytes>,
    accepted: BTreeMap<(u16, u16), u32>,
    streams: u8,
}

impl Model {
    fn new() -> Self {
        let pair = Pair::new(1);
        let mut world = World::new(ServerConfig::operated());
        let callee = world.add_callee(pair.attaches());
        Self {
            world,
            pair,
            callee,
            inbox: Vec::new(),
            seen: Vec::new(),
            sent: Vec::new(),
            accepted: BTreeMap::new(),
            streams: 0,
        }
    }

    fn step(&mut self, step: &Step) {
        match step {
            Step::Ring => self.ring(),
            Step::Replay(n) if !self.sent.is_empty() => {
                let frame = self.sent[n % self.sent.len()];
                let conn = self.world.add_raw();
                self.world.inject(conn, &frame);
            }
            Step::ReplayInside(n) if !self.seen.is_empty() => {
                self.inbox.push(self.seen[n % self.seen.len()].clone());
            }
            Step::Restart => {
                let now = self.world.now;
                self.world = World::new(ServerConfig::operated());
                self.world.now = now;
                self.callee = self.world.add_callee(self.pair.attaches());
            }
            Step::Reattach => {
                self.world.leave(self.callee);
                self.callee = self.world.add_callee(self.pair.attaches());
            }
            Step::AttachEmpty => {
                let mut attach = self.pair.attaches().remove(0);
                attach.spent = tacit_crypto::SpentBitmap::EMPTY;
                let thief = self.world.add_raw();
                self.world.inject(thief, &Frame::Attach(attach).encode());
                self.collect();
                self.world.leave(self.callee);
                self.callee = self.world.add_callee(self.pair.attaches());
            }
            Step::Crash => {
                self.collect();
                self.inbox.clear();
                self.world.leave(self.callee);
                self.callee = self.world.add_callee(self.pair.attaches());
            }
            Step::Handle => self.handle(),
            Step::Wait(ms) => self.world.advance(Duration::from_millis((*ms).into())),
            Step::Replay(_) | Step::ReplayInside(_) => {}
        }
        self.collect();
    }

    fn ring(&mut self) {
        let Some((token, psk)) = self.pair.holder.next_token() else {
            return;
        };
        if self.streams > 100 {
            return;
        }
        self.streams += 1;
        let conn = self.world.add_caller();
        let (now, remote) = (self.world.now, self.pair.callee.public());
        let opening = Opening::Call(offer(BatchNumber(1)));
        let to = tacit_signaling::RingTo {
            server: common::SERVER,
            mailbox: self.pair.mailbox.id(),
            token,
            local: &self.pair.caller,
            remote: &remote,
            psk: Some(&psk),
            opening: &opening,
        };
        self.world.caller(conn).ring(&to, now).unwrap();
        let frame = self.world.caller(conn).poll_transmit().unwrap();
        self.sent.push(frame);
        self.world.inject(conn, &frame);
    }

    fn collect(&mut self) {
        for event in self.world.callee_events(self.callee) {
            if let CalleeEvent::Ring(ring) = event {
                self.seen.push(ring.clone());
                self.inbox.push(ring);
            }
        }
    }

    /// Reads, spends (this is where the real callee writes its disk), answers.
    fn handle(&mut self) {
        for ring in core::mem::take(&mut self.inbox) {
            let (Generation(generation), index) = ring.slot();
            let Ok(ring) = self.pair.authenticate(ring) else {
                continue;
            };
            if !self
                .pair
                .issuer
                .spend(&mut self.pair.mailbox, Generation(generation), index)
            {
                continue;
            }
            *self.accepted.entry((generation, index)).or_default() += 1;
            let now = self.world.now;
            let callee = self.world.callee(self.callee);
            callee.answer(ring, &Response::Call(reply()), now).unwrap();
            self.world.settle();
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn a_token_is_never_accepted_twice(steps in prop::collection::vec(step(), 1..60)) {
        let mut model = Model::new();
        for step in &steps {
            model.step(step);
            for (slot, times) in &model.accepted {
                prop_assert!(*times <= 1, "{slot:?} accepted {times} times");
            }
        }
    }

    /// Junk on any stream, mixed with honest rings: no panic, no deadline in the past, and the
    /// server's state stays bounded by its connections.
    #[test]
    fn junk_on_every_stream_does_no_harm(
        frames in prop::collection::vec((0..6_usize, any::<[u8; 32]>(), prop::sample::select(vec![
            0x03_u8, 0x05, 0x06, 0x09, 0x0a, 0x0c, 0x0f, 0x11, 0x12, 0x14, 0x17, 0x00, 0xff,
        ]), any::<bool>(), 0..30_000_u16), 1..80),
    ) {
        let pair = Pair::new(1);
        let mut world = World::new(ServerConfig::operated());
        world.add_callee(pair.attaches());
        let streams: Vec<_> = (0..6).map(|_| world.add_raw()).collect();
        for (stream, seed, kind, zero, wait) in frames {
            let mut frame: FrameBytes = core::array::from_fn(|i| if zero { 0 } else { seed[i % 32] });
            frame[0] = kind;
            frame[1] = 1;
            world.inject(streams[stream], &frame);
            world.advance(Duration::from_millis(wait.into()));
            prop_assert!(world.server.connections() <= 7);
            prop_assert!(world.server.mailboxes() <= world.server.connections());
        }
    }
}

/// The model does accept, and does refuse: the property above is not empty.
#[test]
fn the_model_accepts_once_and_then_refuses() {
    let mut model = Model::new();
    let again = [
        Step::Replay(0),
        Step::ReplayInside(0),
        Step::Restart,
        Step::AttachEmpty,
    ];
    model.step(&Step::Ring);
    model.step(&Step::Handle);
    for step in again
        .iter()
        .flat_map(|step| [step, &Step::Replay(0), &Step::Handle])
    {
        model.step(step);
    }
    assert_eq!(model.accepted.values().collect::<Vec<_>>(), [&1]);
}
