//! The two wallets under any loss, crash and reordering: no token is accepted twice, no two batches
//! share a slot, and once messages get through again the wallets recover.
#![allow(clippy::unwrap_used)]

use std::collections::BTreeSet;

use proptest::prelude::*;
use serde::{Serialize, de::DeserializeOwned};
use tacit_crypto::mailbox::SpentBitmap;
use tacit_crypto::{
    BatchNumber, Generation, HolderWallet, IssuerWallet, Mailbox, MailboxSecret, Psk, Refill, Token,
};
use tacit_types::{Role, SecretBytes};

const TARGET: usize = 16;

/// A process: what it has in memory, and what it would find on disk after a crash.
struct Device<T> {
    memory: T,
    disk: Vec<u8>,
}

impl<T: Serialize + DeserializeOwned> Device<T> {
    fn new(state: T) -> Self {
        let disk = postcard::to_stdvec(&state).unwrap();
        Self {
            memory: state,
            disk,
        }
    }
    fn save(&mut self) {
        self.disk = postcard::to_stdvec(&self.memory).unwrap();
    }
    fn crash(&mut self) {
        self.memory = postcard::from_bytes(&self.disk).unwrap();
    }
}

#[derive(Clone)]
enum Message {
    Ring {
        token: Token,
        psk: Psk,
        last: BatchNumber,
    },
    Answer {
        token: Token,
        refill: Option<Refill>,
    },
    Offer {
        refill: Refill,
    },
    Resync1 {
        session: u64,
        last: BatchNumber,
    },
    Resync2 {
        session: u64,
        refill: Refill,
    },
    State {
        last: BatchNumber,
    },
    /// A RESYNC that the issuer began: it learns the holder's state, then sends its batch third.
    Back1 {
        session: u64,
    },
    Back2 {
        session: u64,
        last: BatchNumber,
    },
}

/// Where a device dies while it handles something.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Crash {
    No,
    BeforeSave,
    AfterSave,
}

#[derive(Clone, Debug)]
enum Step {
    Ring(Crash),
    Offer(Crash),
    Resync,
    ResyncBack,
    Deliver(usize, Crash),
    Lose(usize),
    Repeat(usize),
    Reattach,
}

struct World {
    holder: Device<HolderWallet>,
    issuer: Device<(IssuerWallet, Mailbox)>,
    /// The mailbox server's memory: one bit a slot of each generation.
    server: Vec<(Generation, SpentBitmap)>,
    wire: Vec<Message>,
    accepted: BTreeSet<(u16, u16)>,
    issued: BTreeSet<(u16, u16)>,
    sessions: u64,
}

fn secret_of(session: u64) -> SecretBytes<32> {
    let mut bytes = [7; 32];
    bytes[..8].copy_from_slice(&session.to_be_bytes());
    SecretBytes::new(bytes)
}

impl World {
    fn new() -> Self {
        let mailbox = Mailbox::new(MailboxSecret::from_secret(SecretBytes::new([3; 32])));
        let mut world = Self {
            holder: Device::new(HolderWallet::new(secret_of(0), Role::Callee)),
            issuer: Device::new((IssuerWallet::new(secret_of(0), Role::Callee), mailbox)),
            server: Vec::new(),
            wire: Vec::new(),
            accepted: BTreeSet::new(),
            issued: BTreeSet::new(),
            sessions: 0,
        };
        world.reattach();
        world
    }

    /// The callee's connection is new: the server knows what the callee tells it.
    fn reattach(&mut self) {
        let mailbox = &self.issuer.memory.1;
        let live = mailbox.live_generations().into_iter();
        self.server = live
            .map(|(g, _)| (g, mailbox.spent_bitmap(g).unwrap().clone()))
            .collect();
    }

    /// ATTACH on the running connection: new generations appear, no bit is cleared.
    fn follow_generations(&mut self) {
        let old = core::mem::take(&mut self.server);
        self.reattach();
        for (generation, bits) in &mut self.server {
            let before = old.iter().find(|(g, _)| g == generation);
            for (byte, earlier) in bits.0.iter_mut().zip(before.iter().flat_map(|(_, b)| b.0)) {
                *byte |= earlier;
            }
        }
    }

    fn send_refill(&mut self, refill: Option<&Refill>) {
        self.follow_generations();
        for token in refill.iter().flat_map(|refill| &refill.tokens) {
            assert!(
                self.issued.insert((token.generation, token.index)),
                "a slot issued twice"
            );
        }
    }

    fn ring(&mut self, crash: Crash) {
        let last = self.holder.memory.last_batch();
        let Some((token, psk)) = self.holder.memory.next_token() else {
            return;
        };
        match crash {
            Crash::BeforeSave => return self.holder.crash(),
            Crash::AfterSave => {
                self.holder.save();
                return self.holder.crash();
            }
            Crash::No => self.holder.save(),
        }
        self.wire.push(Message::Ring { token, psk, last });
    }

    fn offer(&mut self, crash: Crash) {
        let (wallet, mailbox) = &mut self.issuer.memory;
        let refill = wallet.offer(mailbox, 8);
        if self.settle_issuer(crash) {
            return;
        }
        self.send_refill(refill.as_ref());
        self.wire
            .extend(refill.map(|refill| Message::Offer { refill }));
    }

    fn resync(&mut self) {
        self.sessions += 1;
        let last = self.holder.memory.last_batch();
        self.wire.push(Message::Resync1 {
            session: self.sessions,
            last,
        });
    }

    /// Saves, and crashes where told; true if nothing may be sent any more.
    fn settle_issuer(&mut self, crash: Crash) -> bool {
        if crash != Crash::BeforeSave {
            self.issuer.save();
        }
        if crash != Crash::No {
            self.issuer.crash();
        }
        crash != Crash::No
    }

    fn settle_holder(&mut self, crash: Crash) -> bool {
        if crash != Crash::BeforeSave {
            self.holder.save();
        }
        if crash != Crash::No {
            self.holder.crash();
        }
        crash != Crash::No
    }

    fn deliver(&mut self, message: Message, crash: Crash) {
        match message {
            Message::Ring { token, psk, last } => self.deliver_ring(token, &psk, last, crash),
            Message::Answer { token, refill } => {
                self.holder.memory.consumed(&token);
                self.take_refill(refill.as_ref(), crash);
            }
            Message::Offer { refill } => self.take_refill(Some(&refill), crash),
            Message::Back1 { session } => {
                let last = self.holder.memory.last_batch();
                self.wire.push(Message::Back2 { session, last });
            }
            Message::Resync1 { session, last } | Message::Back2 { session, last } => {
                let (wallet, mailbox) = &mut self.issuer.memory;
                let secret = secret_of(session);
                let refill = wallet.begin_resync(mailbox, secret, Role::Callee, last, TARGET);
                if self.settle_issuer(crash) {
                    return;
                }
                self.send_refill(refill.as_ref());
                self.wire
                    .extend(refill.map(|refill| Message::Resync2 { session, refill }));
            }
            Message::Resync2 { session, refill } => {
                let mailbox = self.issuer.memory.1.id();
                let taken = self.holder.memory.accept_resync(
                    &mailbox,
                    &refill,
                    secret_of(session),
                    Role::Callee,
                );
                if !self.settle_holder(crash) && taken.is_ok() {
                    self.wire.push(Message::State {
                        last: self.holder.memory.last_batch(),
                    });
                }
            }
            Message::State { last } => {
                let (wallet, mailbox) = &mut self.issuer.memory;
                wallet.acknowledge(mailbox, last);
                self.settle_issuer(crash);
            }
        }
    }

    fn take_refill(&mut self, refill: Option<&Refill>, crash: Crash) {
        let mailbox = self.issuer.memory.1.id();
        if let Some(refill) = refill {
            let _ = self.holder.memory.accept_refill(&mailbox, refill);
        }
        self.settle_holder(crash);
    }

    fn deliver_ring(&mut self, token: Token, psk: &Psk, last: BatchNumber, crash: Crash) {
        let generation = Generation(token.generation);
        let Some((_, bits)) = self.server.iter_mut().find(|(g, _)| *g == generation) else {
            return;
        };
        if !bits.set(token.index) {
            return;
        }
        let (wallet, mailbox) = &mut self.issuer.memory;
        let Some((known, known_psk)) = wallet.authorise(generation, token.index) else {
            return;
        };
        if known != token || known_psk != *psk || !wallet.spend(mailbox, generation, token.index) {
            return;
        }
        let refill = wallet.refill(mailbox, last, TARGET, TARGET);
        if self.settle_issuer(crash) {
            return;
        }
        assert!(
            self.accepted.insert((token.generation, token.index)),
            "accepted twice"
        );
        self.send_refill(refill.as_ref());
        self.wire.push(Message::Answer { token, refill });
    }

    fn step(&mut self, step: Step) {
        let count = self.wire.len();
        match step {
            Step::Ring(crash) => self.ring(crash),
            Step::Offer(crash) => self.offer(crash),
            Step::Resync => self.resync(),
            Step::ResyncBack => {
                self.sessions += 1;
                self.wire.push(Message::Back1 {
                    session: self.sessions,
                });
            }
            Step::Deliver(at, crash) if count > 0 => {
                let message = self.wire.remove(at % count);
                self.deliver(message, crash);
            }
            Step::Lose(at) if count > 0 => drop(self.wire.remove(at % count)),
            Step::Repeat(at) if count > 0 => self.wire.push(self.wire[at % count].clone()),
            Step::Reattach => self.reattach(),
            Step::Deliver(..) | Step::Lose(_) | Step::Repeat(_) => {}
        }
    }

    fn drain(&mut self) {
        while !self.wire.is_empty() {
            let message = self.wire.remove(0);
            self.deliver(message, Crash::No);
        }
    }

    /// With messages that get through: how many rings until `wanted` were accepted.
    fn recover(&mut self, wanted: usize) -> usize {
        self.wire.clear();
        self.reattach();
        let goal = self.accepted.len() + wanted;
        for rings in 0.. {
            if self.accepted.len() >= goal {
                return rings;
            }
            assert!(rings < 400 + wanted * 2, "the wallets did not recover");
            if self.holder.memory.wants_resync() {
                self.resync();
            } else {
                self.ring(Crash::No);
            }
            self.drain();
        }
        unreachable!("the range has no end")
    }
}

fn crashes() -> impl Strategy<Value = Crash> {
    prop_oneof![8 => Just(Crash::No), 1 => Just(Crash::BeforeSave), 1 => Just(Crash::AfterSave)]
}

fn steps() -> impl Strategy<Value = Step> {
    prop_oneof![
        6 => crashes().prop_map(Step::Ring),
        2 => crashes().prop_map(Step::Offer),
        1 => Just(Step::Resync),
        1 => Just(Step::ResyncBack),
        9 => (any::<usize>(), crashes()).prop_map(|(at, crash)| Step::Deliver(at, crash)),
        2 => any::<usize>().prop_map(Step::Lose),
        2 => any::<usize>().prop_map(Step::Repeat),
        1 => Just(Step::Reattach),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, ..ProptestConfig::default() })]
    #[test]
    fn never_twice_and_always_recovers(steps in proptest::collection::vec(steps(), 0..120)) {
        let mut world = World::new();
        for step in steps {
            world.step(step);
        }
        world.recover(1);
        // Settled: every ring is answered from here on, and the wallet is full again.
        world.recover(40);
        prop_assert_eq!(world.recover(40), 40);
        prop_assert!(world.holder.memory.remaining() >= TARGET);
        prop_assert!(world.issuer.memory.0.outstanding() <= TARGET);
    }
}

#[test]
fn a_wallet_whose_every_answer_is_lost_comes_back_by_resync() {
    let mut world = World::new();
    world.offer(Crash::No);
    world.drain();
    while !world.holder.memory.wants_resync() {
        world.ring(Crash::No);
        let ring = world.wire.remove(0);
        world.deliver(ring, Crash::No);
        world.wire.clear();
    }
    assert!(world.recover(20) <= 21);
}

#[test]
fn an_issuer_restored_from_an_old_backup_opens_a_new_generation() {
    let mut world = World::new();
    let backup = world.issuer.disk.clone();
    world.resync();
    world.drain();
    world.recover(30);
    world.issuer.disk = backup;
    world.issuer.crash();
    world.accepted.clear();
    world.issued.clear();
    while !world.holder.memory.wants_resync() {
        world.ring(Crash::No);
        world.wire.clear();
    }
    world.recover(20);
    assert!(world.issuer.memory.1.is_live(Generation(1)));
    assert!(
        world
            .accepted
            .iter()
            .all(|(generation, _)| *generation == 1)
    );
}

#[test]
fn generations_roll_and_no_slot_comes_twice() {
    let mut world = World::new();
    world.resync();
    world.drain();
    assert_eq!(world.recover(4200), 4200);
    assert!(world.issuer.memory.1.is_live(Generation(2)));
    assert!(!world.issuer.memory.1.is_live(Generation(0)));
}

/// The control: an issuer that rings before it saves does accept a token twice, and the model says so.
#[test]
#[should_panic(expected = "accepted twice")]
fn an_issuer_that_does_not_save_first_is_caught() {
    let mut world = World::new();
    world.offer(Crash::No);
    world.drain();
    world.ring(Crash::No);
    let ring = world.wire.remove(0);
    let before = world.issuer.disk.clone();
    world.deliver(ring.clone(), Crash::No);
    world.issuer.disk = before;
    world.issuer.crash();
    world.reattach();
    world.deliver(ring, Crash::No);
}
