//! A contact without an engine, which can say what no engine says.

use std::time::Duration;

use rand_core::{OsRng, RngCore as _};
use tacit_crypto::{
    BatchNumber, HolderWallet, Invite, IssuerWallet, Mailbox, SpentBitmap, StaticKeypair,
};
use tacit_engine::clock::now;
use tacit_engine::memory::MemoryNetwork;
use tacit_engine::network::{BoxStream, Network as _};
use tacit_mailbox_server::io::{read_frame, write_frame};
use tacit_signaling::callee::{AuthenticatedRing, Authority, IncomingRing};
use tacit_signaling::frame::{Attach, FrameBytes, Handle};
use tacit_signaling::glare::{Glare, RingRank, resolve};
use tacit_signaling::limits::PROTOCOL_VERSION;
use tacit_signaling::payload::{
    AddressMove, CodecParameters, ContactAddress, Hosting, JoinOffer, Offer, Opening, PipeMessage,
    Reply, Response, Status,
};
use tacit_signaling::{Callee, CalleeEvent, Caller, CallerEvent, Rate, RingTo};
use tacit_tor::Target;
use tacit_types::limits::{ONION_PORT_SIGNALING, WALLET_TOKENS};
use tacit_types::{LegKind, OnionKey, Role, SecretBytes};

use super::PATIENCE;

fn seed() -> [u8; 32] {
    let mut seed = [0; 32];
    OsRng.fill_bytes(&mut seed);
    seed
}

/// Opens a stream to a mailbox server.
pub(crate) async fn signaling_stream(
    network: &MemoryNetwork,
    key: OnionKey,
    discovery: Option<SecretBytes<32>>,
) -> BoxStream {
    let port = ONION_PORT_SIGNALING;
    let target = Target::Onion {
        key,
        port,
        discovery,
    };
    network.connect(target).await.unwrap()
}

/// What the two signaling machines have in common here.
pub(crate) trait Machine {
    type Event;
    fn transmit(&mut self) -> Option<FrameBytes>;
    fn event(&mut self) -> Option<Self::Event>;
    fn input(&mut self, frame: &FrameBytes);
}

macro_rules! machine {
    ($machine:ty, $event:ty) => {
        impl Machine for $machine {
            type Event = $event;
            fn transmit(&mut self) -> Option<FrameBytes> {
                self.poll_transmit()
            }
            fn event(&mut self) -> Option<$event> {
                self.poll_event()
            }
            fn input(&mut self, frame: &FrameBytes) {
                self.handle_input(frame, now());
            }
        }
    };
}
machine!(Caller, CallerEvent);
machine!(Callee, CalleeEvent);

/// A machine on its stream. It never looks at the clock: these stories are short.
pub(crate) struct Line<M> {
    stream: BoxStream,
    pub(crate) machine: M,
}

impl<M: Machine> Line<M> {
    pub(crate) async fn flush(&mut self) {
        while let Some(frame) = self.machine.transmit() {
            write_frame(&mut self.stream, &frame).await.unwrap();
        }
    }

    pub(crate) async fn next(&mut self) -> M::Event {
        loop {
            self.flush().await;
            if let Some(event) = self.machine.event() {
                return event;
            }
            let frame = tokio::time::timeout(PATIENCE, read_frame(&mut self.stream)).await;
            let frame = frame.expect("a frame in time").unwrap();
            self.machine.input(&frame);
        }
    }
}

/// The contact.
pub(crate) struct Impostor {
    network: MemoryNetwork,
    server: OnionKey,
    local: StaticKeypair,
    mailbox: Mailbox,
    inviter: Invite,
    /// Where the inviter is rung.
    peer: ContactAddress,
    issued: IssuerWallet,
    held: HolderWallet,
}

impl Impostor {
    /// Takes an invite and says that its own mailbox is at `server`, of this kind.
    pub(crate) async fn join(
        network: &MemoryNetwork,
        invite: &Invite,
        server: OnionKey,
        hosting: Hosting,
    ) -> Self {
        let local = StaticKeypair::generate(&mut OsRng);
        let mut mailbox = Mailbox::generate(&mut OsRng);
        let address = ContactAddress {
            hosting,
            server,
            mailbox: mailbox.id(),
            discovery: None,
        };
        let opening = Opening::Join(JoinOffer {
            highest_version: PROTOCOL_VERSION,
            address: AddressMove {
                sequence: 1,
                address,
                resync: Some(mailbox.reserved_token(1)),
            },
            refill: None,
        });
        let discovery = Some(invite.discovery.clone());
        let mut line = ready(network, invite.server, discovery).await;
        let to = RingTo {
            server: invite.server,
            mailbox: invite.mailbox,
            token: invite.token,
            local: &local,
            remote: &invite.inviter,
            psk: Some(&invite.psk),
            opening: &opening,
        };
        line.machine.ring(&to, now()).unwrap();
        let (peer, keys) = loop {
            if let CallerEvent::Answered { response, keys } = line.next().await {
                let Response::Join(reply) = *response else {
                    panic!("a join is answered with a join");
                };
                break (reply.address.unwrap().address, keys);
            }
        };
        let (ours, theirs) = (Role::Caller, Role::Callee);
        let mut issued = IssuerWallet::new(keys.first_batch_secret(ours), ours);
        let mut held = HolderWallet::new(keys.first_batch_secret(theirs), theirs);
        let none = BatchNumber(0);
        let refill = issued.refill(&mut mailbox, none, WALLET_TOKENS, WALLET_TOKENS);
        line.machine.send(&PipeMessage::Refill {
            last_batch: none,
            refill,
        });
        loop {
            match line.next().await {
                CallerEvent::Message(PipeMessage::Refill { refill, .. }) => {
                    held.accept_refill(&peer.mailbox, &refill.unwrap()).unwrap();
                }
                CallerEvent::Message(PipeMessage::Confirm { .. }) => break,
                _ => {}
            }
        }
        Self {
            network: network.clone(),
            server,
            local,
            mailbox,
            inviter: invite.clone(),
            peer,
            issued,
            held,
        }
    }

    /// Attaches the mailbox at its server.
    pub(crate) async fn attach(&self) -> Line<Callee> {
        let (generation, token_key) = self.mailbox.live_generations().remove(0);
        let attach = Attach {
            secret: self.mailbox.attach_secret(),
            generation,
            token_key,
            ring_rate: Rate {
                burst: 8,
                interval: Duration::from_secs(15),
            },
            spent: SpentBitmap::EMPTY,
        };
        let mut line = Line {
            stream: signaling_stream(&self.network, self.server, None).await,
            machine: Callee::operated(vec![attach], seed(), now()),
        };
        while !matches!(line.next().await, CalleeEvent::Attached(_)) {}
        line
    }

    /// Waits for a ring.
    pub(crate) async fn rung(&self, line: &mut Line<Callee>) -> AuthenticatedRing {
        let ring: IncomingRing = loop {
            if let CalleeEvent::Ring(ring) = line.next().await {
                break ring;
            }
        };
        let (generation, index) = ring.slot();
        let (token, psk) = self.issued.authorise(generation, index).unwrap();
        let authority = Authority {
            server: self.server,
            mailbox: self.mailbox.id(),
            token,
            local: &self.local,
            remote: Some(&self.inviter.inviter),
            psk: Some(&psk),
        };
        ring.authenticate(&authority).unwrap()
    }

    /// Answers the next ring with legs of this kind, whatever was offered.
    pub(crate) async fn answer(&self, line: &mut Line<Callee>, leg_kind: LegKind) -> Handle {
        self.answer_with(line, leg_kind, 4).await
    }

    /// Answers the next ring with legs of this kind and number, whatever was offered.
    pub(crate) async fn answer_with(
        &self,
        line: &mut Line<Callee>,
        leg_kind: LegKind,
        legs: u8,
    ) -> Handle {
        let ring = self.rung(line).await;
        let handle = ring.handle();
        let reply = Reply {
            status: Status::Ringing,
            highest_version: PROTOCOL_VERSION,
            leg_kind,
            legs,
            candidates: None,
            last_batch: self.held.last_batch(),
            refill: None,
        };
        let response = Response::Call(reply);
        line.machine.answer(ring, &response, now()).unwrap();
        handle
    }

    fn offer(&self, leg_kind: LegKind) -> Offer {
        Offer {
            highest_version: PROTOCOL_VERSION,
            leg_kind,
            legs: 4,
            codec: CodecParameters::VERSION_1,
            candidates: None,
            last_batch: self.held.last_batch(),
            refill: None,
            address: None,
        }
    }

    /// Rings the inviter and offers legs of this kind.
    pub(crate) async fn ring(&mut self, leg_kind: LegKind) -> Line<Caller> {
        let mut line = self.prepared(Opening::Call(self.offer(leg_kind))).await;
        line.flush().await;
        line
    }

    /// Rings to go on with a call, and offers legs of this kind.
    pub(crate) async fn resume(&mut self, leg_kind: LegKind) -> Line<Caller> {
        let mut line = self.prepared(Opening::Resume(self.offer(leg_kind))).await;
        line.flush().await;
        line
    }

    /// As [`ring`](Self::ring), with a ring that wins against the inviter's.
    pub(crate) async fn ring_above(
        &mut self,
        theirs: &RingRank,
        leg_kind: LegKind,
    ) -> Line<Caller> {
        loop {
            let mut line = self.prepared(Opening::Call(self.offer(leg_kind))).await;
            let ours = line.machine.rank().unwrap();
            if matches!(resolve(&ours, theirs), Glare::OursWins) {
                line.flush().await;
                return line;
            }
        }
    }

    /// A ring that is ready to be sent.
    async fn prepared(&mut self, opening: Opening) -> Line<Caller> {
        let mut line = ready(&self.network, self.peer.server, self.peer.discovery.clone()).await;
        let (token, psk) = self.held.next_token().unwrap();
        let to = RingTo {
            server: self.peer.server,
            mailbox: self.peer.mailbox,
            token,
            local: &self.local,
            remote: &self.inviter.inviter,
            psk: Some(&psk),
            opening: &opening,
        };
        line.machine.ring(&to, now()).unwrap();
        line
    }
}

/// A caller's line to a server that has greeted.
async fn ready(
    network: &MemoryNetwork,
    server: OnionKey,
    discovery: Option<SecretBytes<32>>,
) -> Line<Caller> {
    let mut line = Line {
        stream: signaling_stream(network, server, discovery).await,
        machine: Caller::new(seed(), 0, now()),
    };
    while !matches!(line.next().await, CallerEvent::Ready(_)) {}
    line
}
