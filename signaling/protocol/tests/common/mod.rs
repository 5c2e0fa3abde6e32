//! A world in memory: one server, any number of streams, virtual time. After every step it asserts
//! the contract of deadlines: none, or later than now.
#![allow(
    dead_code,
    missing_docs,
    unreachable_pub,
    reason = "each test binary uses a part of it"
)]

use core::time::Duration;
use rand_chacha::ChaCha20Rng;
use rand_core::SeedableRng;
use std::collections::BTreeMap;
use tacit_crypto::{
    Generation, HolderWallet, IssuerWallet, Mailbox, StaticKeypair, StaticPublic, Token,
};
use tacit_signaling::frame::{Attach, Frame, FrameBytes, Ring};
use tacit_signaling::payload::{CodecParameters, Offer, Reply, Status};
use tacit_signaling::*;
use tacit_types::{LegKind, OnionKey, SecretBytes, Timestamp};

pub const SERVER: OnionKey = OnionKey([0x5e; 32]);

pub fn seed(n: u8) -> [u8; 32] {
    [n; 32]
}

pub fn rng(n: u8) -> ChaCha20Rng {
    ChaCha20Rng::from_seed(seed(n))
}

pub fn secs(n: u64) -> Duration {
    Duration::from_secs(n)
}

pub const FAST: Rate = Rate {
    burst: 1000,
    interval: Duration::from_secs(1),
};

/// A mailbox with its contact's wallets on both sides, as after a join.
pub struct Pair {
    pub mailbox: Mailbox,
    pub issuer: IssuerWallet,
    pub holder: HolderWallet,
    pub callee: StaticKeypair,
    pub caller: StaticKeypair,
}

impl Pair {
    pub fn new(n: u8) -> Self {
        let mut rng = rng(n);
        let mut mailbox = Mailbox::generate(&mut rng);
        let first = || SecretBytes::new([n; 32]);
        let mut issuer = IssuerWallet::new(first(), tacit_types::Role::Callee);
        let mut holder = HolderWallet::new(first(), tacit_types::Role::Callee);
        let refill = issuer
            .refill(&mut mailbox, holder.last_batch(), 16, 16)
            .unwrap();
        holder.accept_refill(&mailbox.id(), &refill).unwrap();
        let caller = StaticKeypair::generate(&mut rng);
        Self {
            mailbox,
            issuer,
            holder,
            callee: StaticKeypair::generate(&mut rng),
            caller,
        }
    }

    pub fn attaches(&self) -> Vec<Attach> {
        attaches(&self.mailbox, FAST)
    }

    /// What message 1 of a call under `token` looks like to a server that does not read it.
    pub fn ring_frame(&self, token: Token) -> FrameBytes {
        ring_frame(&self.mailbox, token)
    }

    pub fn authenticate(&self, ring: IncomingRing) -> Result<AuthenticatedRing, DropReason> {
        let (generation, index) = ring.slot();
        let (token, psk) = self
            .issuer
            .authorise(generation, index)
            .ok_or(DropReason::BadIndex)?;
        ring.authenticate(&Authority {
            server: SERVER,
            mailbox: self.mailbox.id(),
            token,
            local: &self.callee,
            remote: Some(&self.caller.public()),
            psk: Some(&psk),
        })
    }
}

/// A pair on an operated server, and a token that the caller may ring with.
pub struct Scene {
    pub pair: Pair,
    pub world: World,
    pub callee: ConnectionId,
    pub caller: ConnectionId,
    pub token: Token,
    pub psk: tacit_crypto::Psk,
}

impl Scene {
    pub fn new() -> Self {
        let mut pair = Pair::new(1);
        let mut world = World::new(ServerConfig::operated());
        let callee = world.add_callee(pair.attaches());
        let caller = world.add_caller();
        let (token, psk) = pair.holder.next_token().unwrap();
        Self {
            pair,
            world,
            callee,
            caller,
            token,
            psk,
        }
    }

    /// The caller has rung.
    pub fn rung() -> Self {
        let mut scene = Self::new();
        let (token, last) = ((scene.token, &scene.psk), scene.pair.holder.last_batch());
        scene
            .world
            .ring_call(scene.caller, &scene.pair, token, last);
        scene
    }
}

/// An invite's own mailbox, and what is in the invite.
pub struct Invite {
    pub inviter: StaticKeypair,
    pub mailbox: Mailbox,
    pub token: Token,
    pub psk: tacit_crypto::Psk,
}

impl Invite {
    pub fn new(rng: &mut ChaCha20Rng) -> Self {
        let inviter = StaticKeypair::generate(rng);
        let mailbox = Mailbox::generate(rng);
        Self {
            inviter,
            token: mailbox.reserved_token(0),
            psk: SecretBytes::new([6; 32]),
            mailbox,
        }
    }

    /// `joiner` rings for a join; the inviter's end of that.
    pub fn join(
        &self,
        world: &mut World,
        (owner, conn): (ConnectionId, ConnectionId),
        joiner: &StaticKeypair,
        opening: &Opening,
    ) -> AuthenticatedRing {
        let (now, remote) = (world.now, self.inviter.public());
        let to = RingTo {
            server: SERVER,
            mailbox: self.mailbox.id(),
            token: self.token,
            local: joiner,
            remote: &remote,
            psk: Some(&self.psk),
            opening,
        };
        world.caller(conn).ring(&to, now).unwrap();
        world.settle();
        let authority = Authority {
            server: SERVER,
            mailbox: self.mailbox.id(),
            token: self.token,
            local: &self.inviter,
            remote: None,
            psk: Some(&self.psk),
        };
        world.the_ring(owner).authenticate(&authority).unwrap()
    }
}

pub fn attaches(mailbox: &Mailbox, ring_rate: Rate) -> Vec<Attach> {
    let attach = |(generation, token_key): (Generation, _)| Attach {
        secret: mailbox.attach_secret(),
        generation,
        token_key,
        ring_rate,
        spent: mailbox.spent_bitmap(generation).unwrap().clone(),
    };
    mailbox.live_generations().into_iter().map(attach).collect()
}

pub fn ring_frame(mailbox: &Mailbox, token: Token) -> FrameBytes {
    Frame::Ring(Ring {
        mailbox: mailbox.id(),
        purpose: tacit_crypto::Purpose::Call,
        token,
        message_1: frame::Opaque([0xab; 438]),
    })
    .encode()
}

pub fn offer(last_batch: tacit_crypto::BatchNumber) -> Offer {
    Offer {
        highest_version: 1,
        leg_kind: LegKind::Onion,
        legs: 8,
        codec: CodecParameters::VERSION_1,
        candidates: None,
        last_batch,
        refill: None,
        address: None,
    }
}

pub fn reply() -> Reply {
    Reply {
        status: Status::Ringing,
        highest_version: 1,
        leg_kind: LegKind::Onion,
        legs: 8,
        candidates: None,
        last_batch: tacit_crypto::BatchNumber(0),
        refill: None,
    }
}

pub fn psk_of(pair: &Pair, token: &Token) -> tacit_crypto::Psk {
    pair.issuer
        .authorise(Generation(token.generation), token.index)
        .unwrap()
        .1
}

#[derive(Debug)]
pub enum Peer {
    Caller(Caller),
    Callee(Callee),
    /// Speaks raw frames: what arrived, and when.
    Raw(Vec<(Timestamp, FrameBytes)>),
}

pub struct World {
    pub now: Timestamp,
    pub server: Server,
    pub peers: BTreeMap<ConnectionId, Peer>,
    pub closed: BTreeMap<ConnectionId, (Timestamp, CloseReason)>,
    pub credentials_wanted: Vec<ConnectionId>,
    next: u64,
}

impl World {
    pub fn new(config: ServerConfig) -> Self {
        Self {
            now: Timestamp::from_micros(1_000_000),
            server: Server::new(config, seed(0x77)),
            peers: BTreeMap::new(),
            closed: BTreeMap::new(),
            credentials_wanted: Vec::new(),
            next: 1,
        }
    }

    fn add(&mut self, peer: Peer) -> ConnectionId {
        let id = self.id();
        self.peers.insert(id, peer);
        self.server.connect(id, self.now);
        self.settle();
        id
    }

    pub fn id(&mut self) -> ConnectionId {
        self.next += 1;
        ConnectionId(self.next)
    }

    pub fn add_caller(&mut self) -> ConnectionId {
        let seed = seed(u8::try_from(self.next).unwrap_or(0x99));
        let caller = Caller::new(seed, 0, self.now);
        self.add(Peer::Caller(caller))
    }

    pub fn add_raw(&mut self) -> ConnectionId {
        self.add(Peer::Raw(Vec::new()))
    }

    pub fn add_callee(&mut self, attaches: Vec<Attach>) -> ConnectionId {
        let seed = seed(u8::try_from(self.next).unwrap_or(0x98));
        let callee = Callee::operated(attaches, seed, self.now);
        self.add(Peer::Callee(callee))
    }

    /// The owner of an embedded server.
    pub fn add_owner(&mut self, attaches: &[Attach]) -> ConnectionId {
        let id = self.id();
        self.peers
            .insert(id, Peer::Callee(Callee::embedded(seed(0x44))));
        for attach in attaches {
            assert!(self.server.attach_local(id, attach, self.now));
        }
        id
    }

    pub fn caller(&mut self, id: ConnectionId) -> &mut Caller {
        match self.peers.get_mut(&id) {
            Some(Peer::Caller(caller)) => caller,
            other => panic!("{other:?}"),
        }
    }

    pub fn callee(&mut self, id: ConnectionId) -> &mut Callee {
        match self.peers.get_mut(&id) {
            Some(Peer::Callee(callee)) => callee,
            other => panic!("{other:?}"),
        }
    }

    pub fn raw(&mut self, id: ConnectionId) -> &mut Vec<(Timestamp, FrameBytes)> {
        match self.peers.get_mut(&id) {
            Some(Peer::Raw(frames)) => frames,
            other => panic!("{other:?}"),
        }
    }

    /// Writes raw bytes of one frame and lets everything that follows at once happen.
    pub fn inject(&mut self, id: ConnectionId, frame: &FrameBytes) {
        self.server.handle_input(id, frame, self.now);
        self.settle();
    }

    pub fn leave(&mut self, id: ConnectionId) {
        self.peers.remove(&id);
        self.server.disconnect(id, self.now);
        self.settle();
    }

    /// Delivers until nothing moves any more.
    pub fn settle(&mut self) {
        loop {
            let mut moved = false;
            while let Some((id, frame)) = self.server.poll_transmit() {
                moved = true;
                assert_eq!(frame.len(), 480);
                let decoded = Frame::decode(&frame).expect("the server sends valid frames");
                assert_eq!(decoded.encode(), frame);
                match self.peers.get_mut(&id) {
                    Some(Peer::Caller(caller)) => caller.handle_input(&frame, self.now),
                    Some(Peer::Callee(callee)) => callee.handle_input(&frame, self.now),
                    Some(Peer::Raw(frames)) => frames.push((self.now, frame)),
                    None => {}
                }
            }
            while let Some(event) = self.server.poll_event() {
                moved = true;
                match event {
                    ServerEvent::Close { conn, reason } => {
                        self.closed.insert(conn, (self.now, reason));
                    }
                    ServerEvent::CredentialsWanted { conn } => self.credentials_wanted.push(conn),
                }
            }
            for (id, peer) in &mut self.peers {
                let next = match peer {
                    Peer::Caller(caller) => caller.poll_transmit(),
                    Peer::Callee(callee) => callee.poll_transmit(),
                    Peer::Raw(_) => None,
                };
                if let Some(frame) = next {
                    moved = true;
                    Frame::decode(&frame).expect("clients send valid frames");
                    self.server.handle_input(*id, &frame, self.now);
                }
            }
            if !moved {
                return;
            }
        }
    }

    fn deadline(&self) -> Option<Timestamp> {
        let peers = self.peers.values().filter_map(|peer| match peer {
            Peer::Caller(caller) => caller.poll_timeout(),
            Peer::Callee(callee) => callee.poll_timeout(),
            Peer::Raw(_) => None,
        });
        let server = self.server.poll_timeout().map(|(at, _)| at);
        peers.map(|(at, _)| at).chain(server).min()
    }

    /// Lets time pass, deadline by deadline.
    pub fn advance(&mut self, by: Duration) {
        let end = self.now + by;
        while let Some(at) = self.deadline().filter(|at| *at <= end) {
            self.now = self.now.max(at);
            self.server.handle_timeout(self.now);
            assert!(
                self.server
                    .poll_timeout()
                    .is_none_or(|(at, _)| at > self.now)
            );
            for peer in self.peers.values_mut() {
                let next = match peer {
                    Peer::Caller(caller) => {
                        caller.handle_timeout(self.now);
                        caller.poll_timeout()
                    }
                    Peer::Callee(callee) => {
                        callee.handle_timeout(self.now);
                        callee.poll_timeout()
                    }
                    Peer::Raw(_) => None,
                };
                assert!(next.is_none_or(|(at, _)| at > self.now));
            }
            self.settle();
        }
        self.now = end;
    }

    pub fn caller_events(&mut self, id: ConnectionId) -> Vec<CallerEvent> {
        let caller = self.caller(id);
        core::iter::from_fn(|| caller.poll_event()).collect()
    }

    pub fn callee_events(&mut self, id: ConnectionId) -> Vec<CalleeEvent> {
        let callee = self.callee(id);
        core::iter::from_fn(|| callee.poll_event()).collect()
    }

    /// The one ring that waits at a callee.
    pub fn the_ring(&mut self, id: ConnectionId) -> IncomingRing {
        let mut rings: Vec<_> = self
            .callee_events(id)
            .into_iter()
            .filter_map(|event| match event {
                CalleeEvent::Ring(ring) => Some(ring),
                _ => None,
            })
            .collect();
        assert_eq!(rings.len(), 1);
        rings.remove(0)
    }

    /// Rings as the pair's caller.
    pub fn ring(
        &mut self,
        id: ConnectionId,
        pair: &Pair,
        token: Token,
        psk: &tacit_crypto::Psk,
        opening: &Opening,
    ) {
        let now = self.now;
        let remote: StaticPublic = pair.callee.public();
        let to = RingTo {
            server: SERVER,
            mailbox: pair.mailbox.id(),
            token,
            local: &pair.caller,
            remote: &remote,
            psk: Some(psk),
            opening,
        };
        self.caller(id).ring(&to, now).expect("ready");
        self.settle();
    }

    /// Rings for a call.
    pub fn ring_call(
        &mut self,
        id: ConnectionId,
        pair: &Pair,
        (token, psk): (Token, &tacit_crypto::Psk),
        last_batch: tacit_crypto::BatchNumber,
    ) {
        self.ring(id, pair, token, psk, &Opening::Call(offer(last_batch)));
    }

    /// Answers the one ring that has come in; nothing is carried yet.
    pub fn answer_call(&mut self, id: ConnectionId, pair: &Pair) {
        let ring = self.the_ring(id);
        self.answer_ring(id, pair, ring);
    }

    /// Answers a ring; nothing is carried yet.
    pub fn answer_ring(&mut self, id: ConnectionId, pair: &Pair, ring: IncomingRing) {
        let ring = pair.authenticate(ring).expect("the pair's own");
        let now = self.now;
        self.callee(id)
            .answer(ring, &Response::Call(reply()), now)
            .expect("it was not answered before");
    }
}
