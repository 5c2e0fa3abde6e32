//! Being reachable: hosts every address of ours and answers what arrives there.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use tacit_crypto::{BatchNumber, Generation, Purpose, Refill, SessionKeys, StaticPublic, Token};
use tacit_mailbox_server::{BoxedStream, serve_embedded};
use tacit_signaling::callee::{AuthenticatedRing, Authority, CalleeEvent, IncomingRing};
use tacit_signaling::frame::{Attach, Handle};
use tacit_signaling::glare::{Glare, resolve};
use tacit_signaling::limits::{PROTOCOL_VERSION, REFILL_TOKENS};
use tacit_signaling::payload::{JoinReply, Offer, Opening, PipeMessage, Reply, Response, Status};
use tacit_signaling::{Callee, Rate};
use tacit_tor::{Audience, OnionHost, Target};
use tacit_types::limits::{ONION_PORT_LEGS, ONION_PORT_SIGNALING};
use tacit_types::{LegKind, Reason, Role, Timestamp};
use tokio::sync::{mpsc, watch};

use crate::api::{CallId, Event, Timing};
use crate::call::{CallCommand, Handshake, LegPlan, Link, LinkEvent, fresh_seed, random_up_to};
use crate::clock::{now, unix_now};
use crate::dial::LINK_QUEUE;
use crate::frames::FrameIo;
use crate::ledger::{ContactId, JoinOutcome, OwnAddress, Reachable, ResyncState};
use crate::network::{BoxStream, Host};
use crate::ringer::Attended;
use crate::shared::{OurRing, Shared};

/// Rings that a mailbox takes at once, and how long until one more.
const RING_RATE: Rate = Rate {
    burst: 8,
    interval: Duration::from_secs(15),
};
/// Leg streams that may wait for a call.
const LEG_STREAMS: usize = 32;
/// How long to wait before an address that could not be hosted is tried again.
const RETRY: Duration = Duration::from_secs(20);
/// A joined invite stays reachable this long, for an honest retry of a lost answer.
const INVITE_LINGER: Duration = Duration::from_secs(5);

type Key = (tacit_types::OnionKey, tacit_types::MailboxId);

/// Hosts whatever the ledger says, until the engine ends.
pub(crate) async fn attend_all(shared: Arc<Shared>, mut stop: watch::Receiver<bool>) {
    let mut changed = shared.watch_addresses();
    let mut running: BTreeMap<Key, Running> = BTreeMap::new();
    let mut told = (0, 0);
    crate::resync::renew_all(&shared);
    let (reached_sender, mut reached) = mpsc::channel::<(Key, bool)>(16);
    loop {
        // A disk that cannot be written must not withdraw what is reachable.
        let wanted = shared.with_ledger(|l| l.reachable(unix_now()));
        let keys: BTreeMap<Key, Reachable> = wanted
            .iter()
            .flatten()
            .map(|r| ((r.own.server, r.own.mailbox.id()), r.clone()))
            .collect();
        running.retain(|key, r| {
            let keep = wanted.is_err() || keys.contains_key(key);
            if !keep {
                r.task.abort();
            }
            keep
        });
        for (key, reachable) in keys {
            running.entry(key).or_insert_with(|| {
                let address = Address::new(Arc::clone(&shared), reachable);
                let reached = reached_sender.clone();
                Running {
                    up: false,
                    invite: address.invite,
                    task: tokio::spawn(address.attend(reached, key)),
                }
            });
        }
        let up = running.values().filter(|r| r.up).count();
        if std::mem::replace(&mut told, (up, running.len())) != (up, running.len()) {
            shared.event(Event::Listening {
                reachable: up,
                total: running.len(),
            });
        }
        tokio::select! {
            change = changed.changed() => if change.is_err() { break },
            () = next_expiry(&shared) => {}
            Some((key, up)) = reached.recv() => {
                if let Some(r) = running.get_mut(&key) {
                    r.up = up;
                    if r.invite && up {
                        shared.event(Event::InviteReachable);
                    }
                }
            }
            _ = stop.wait_for(|s| *s) => break,
        }
    }
    for r in running.into_values() {
        r.task.abort();
    }
}

/// Waits until an invite expires, for ever without one.
async fn next_expiry(shared: &Shared) {
    match shared.with_ledger(|l| l.next_expiry()) {
        Some(at) => {
            let left = at.0.saturating_sub(unix_now().0).max(1);
            tokio::time::sleep(Duration::from_secs(left)).await;
        }
        None => std::future::pending().await,
    }
}

struct Running {
    up: bool,
    invite: bool,
    task: tokio::task::JoinHandle<()>,
}

/// One address of ours.
struct Address {
    shared: Arc<Shared>,
    id: ContactId,
    invite: bool,
    own: OwnAddress,
    /// By ring.
    links: BTreeMap<Handle, Ringing>,
    /// Where leg streams go: to the newest call.
    legs: Option<mpsc::Sender<BoxStream>>,
    outbox: (mpsc::Sender<Outbound>, mpsc::Receiver<Outbound>),
    /// Generations that the server knows.
    attached: Vec<Generation>,
}

/// An answered ring.
struct Ringing {
    purpose: Purpose,
    events: Option<mpsc::Sender<LinkEvent>>,
    /// Tokens of message 1, released by the caller's first authentic message.
    held_back: Option<(BatchNumber, Option<Refill>)>,
    /// A RESYNC that waits for its third message.
    resync: Option<AnsweredResync>,
}

/// What a RESYNC's third message needs.
struct AnsweredResync {
    keys: SessionKeys,
    /// Opens the other side's reserved slot from now on.
    slot: Option<Token>,
}

impl Ringing {
    const fn new(purpose: Purpose) -> Self {
        Self {
            purpose,
            events: None,
            held_back: None,
            resync: None,
        }
    }
}

/// What calls want of the mailbox.
struct Outbound {
    handle: Handle,
    /// `None`: the call is over.
    message: Option<PipeMessage>,
}

impl Address {
    fn new(shared: Arc<Shared>, reachable: Reachable) -> Self {
        let Reachable { id, own, invite } = reachable;
        Self {
            shared,
            id,
            invite,
            own,
            links: BTreeMap::new(),
            legs: None,
            outbox: mpsc::channel(LINK_QUEUE),
            attached: Vec::new(),
        }
    }

    /// Hosts the address again and again until the task is ended.
    async fn attend(mut self, reached: mpsc::Sender<(Key, bool)>, key: Key) {
        if self.own.identity.is_none() {
            // Mailboxes that attach in one instant would be seen to be one person's.
            tokio::time::sleep(random_up_to(RETRY)).await;
        }
        loop {
            let end = if self.own.identity.is_some() {
                self.attend_embedded(&reached, key).await
            } else {
                self.attend_operated(&reached, key).await
            };
            tracing::debug!(
                code = end.code(),
                "an address is not reachable; it is tried again"
            );
            let _ = reached.send((key, false)).await;
            self.forget_rings();
            tokio::time::sleep(RETRY + random_up_to(RETRY)).await;
        }
    }

    /// The server is gone, and its handles with it: the next one counts them from the start.
    fn forget_rings(&mut self) {
        for link in std::mem::take(&mut self.links).into_values() {
            // A call that does not listen is over.
            let _ = link.events.map(|events| events.try_send(LinkEvent::Lost));
        }
        self.outbox = mpsc::channel(LINK_QUEUE);
    }

    async fn attend_embedded(&mut self, reached: &mpsc::Sender<(Key, bool)>, key: Key) -> Reason {
        let Some(identity) = self.own.identity.clone() else {
            return Reason::Internal;
        };
        let host = OnionHost {
            identity,
            audience: Audience::Only(vec![self.own.discovery.public()]),
            ports: vec![ONION_PORT_SIGNALING, ONION_PORT_LEGS],
        };
        let host = match self.shared.network().host(host).await {
            Ok(host) => host,
            Err(reason) => return reason,
        };
        let (streams, incoming) = mpsc::channel::<BoxedStream>(LEG_STREAMS);
        let (mut mailbox, server) = serve_embedded(self.attaches(), incoming);
        let (outgoing, mut queued) = mpsc::channel(LINK_QUEUE);
        let (arrived, frames) = mpsc::channel(LINK_QUEUE);
        let sender = mailbox.sender();
        tokio::spawn(async move {
            while let Some(frame) = queued.recv().await {
                if sender.send(frame).await.is_err() {
                    break;
                }
            }
        });
        tokio::spawn(async move {
            while let Some(frame) = mailbox.recv().await {
                if arrived.send(frame).await.is_err() {
                    break;
                }
            }
            // Dropping the last handle would leave the server running for nobody.
            server.stop().await;
        });
        let io = FrameIo {
            incoming: frames,
            outgoing,
        };
        let attended = Attended {
            machine: Callee::embedded(fresh_seed()),
            io,
        };
        tell_when_reachable(&*host, reached.clone(), key);
        self.serve(attended, Some((host, streams))).await
    }

    async fn attend_operated(&mut self, reached: &mpsc::Sender<(Key, bool)>, key: Key) -> Reason {
        let target = Target::Onion {
            key: self.own.server,
            port: ONION_PORT_SIGNALING,
            discovery: None,
        };
        let stream = match self.shared.network().connect(target).await {
            Ok(stream) => stream,
            Err(reason) => return reason,
        };
        let machine = Callee::operated(self.attaches(), fresh_seed(), now());
        let mut attended = Attended {
            machine,
            io: FrameIo::over(stream),
        };
        loop {
            match attended.next().await {
                Some(CalleeEvent::Attached(_)) => break,
                Some(CalleeEvent::AttachRefused(_) | CalleeEvent::ServerLost) | None => {
                    return Reason::ServerLost;
                }
                Some(_) => {}
            }
        }
        let _ = reached.send((key, true)).await;
        self.serve(attended, None).await
    }

    /// One ATTACH a live generation, with what is spent now.
    fn attaches(&mut self) -> Vec<Attach> {
        if let Some(fresh) = self
            .shared
            .with_ledger(|l| l.own_mailbox(self.id, self.own.mailbox.id()))
        {
            self.own.mailbox = fresh;
        }
        let mailbox = &self.own.mailbox;
        let live = mailbox.live_generations();
        self.attached = live.iter().map(|(number, _)| *number).collect();
        let one = |(generation, token_key)| {
            Some(Attach {
                secret: mailbox.attach_secret(),
                generation,
                token_key,
                ring_rate: RING_RATE,
                spent: mailbox.spent_bitmap(generation)?.clone(),
            })
        };
        live.into_iter().filter_map(one).collect()
    }

    /// Tells the server of generations that were opened since the last ATTACH.
    fn attach_opened(&mut self, callee: &mut Callee) {
        let (id, mailbox) = (self.id, self.own.mailbox.id());
        if self.shared.with_ledger(|l| l.generations(id, mailbox)) == self.attached {
            return;
        }
        let known = std::mem::take(&mut self.attached);
        for attach in self.attaches() {
            if !known.contains(&attach.generation) {
                callee.attach(&attach);
            }
        }
    }

    /// Answers until the server or the network is gone.
    async fn serve(
        &mut self,
        mut attended: Attended,
        mut hosted: Option<(Box<dyn Host>, mpsc::Sender<BoxedStream>)>,
    ) -> Reason {
        let mut changed = self.shared.watch_addresses();
        self.attach_opened(&mut attended.machine);
        loop {
            tokio::select! {
                // The engine's end closes this channel, and then this task is ended, too.
                Ok(()) = changed.changed() => self.attach_opened(&mut attended.machine),
                event = attended.next() => match event {
                    None | Some(CalleeEvent::ServerLost) => return Reason::ServerLost,
                    Some(event) => self.on_event(&mut attended.machine, event),
                },
                Some(out) = self.outbox.1.recv() => self.on_outbound(&mut attended.machine, out),
                stream = accept(&mut hosted) => match stream {
                    None => return Reason::TorLost,
                    Some((ONION_PORT_LEGS, stream)) => self.on_leg_stream(stream),
                    Some((_, stream)) => {
                        let streams = hosted.as_ref().map(|(_, s)| s.clone());
                        // A full queue means a flood: the stream is dropped.
                        let _ = streams.map(|s| s.try_send(Box::new(stream)));
                    }
                },
            }
        }
    }

    fn on_leg_stream(&self, stream: BoxStream) {
        // Without a call, or with a flood, the stream is dropped.
        let _ = self.legs.as_ref().map(|legs| legs.try_send(stream));
    }

    fn on_outbound(&mut self, callee: &mut Callee, out: Outbound) {
        match out.message {
            Some(message) => {
                callee.send(out.handle, &message);
            }
            None => {
                if let Some(link) = self.links.get_mut(&out.handle) {
                    link.events = None;
                }
                callee.close_later(out.handle, now());
            }
        }
    }

    fn on_event(&mut self, callee: &mut Callee, event: CalleeEvent) {
        match event {
            CalleeEvent::Ring(ring) => self.on_ring(callee, ring),
            CalleeEvent::Message { handle, message } => self.on_message(callee, handle, message),
            CalleeEvent::RingEnded(handle) => self.tell(handle, LinkEvent::NoAnswer),
            CalleeEvent::Closed(handle) => {
                self.tell(handle, LinkEvent::Lost);
                self.links.remove(&handle);
            }
            CalleeEvent::Replaced => {
                tracing::warn!("another device took over one of our mailboxes")
            }
            _ => {}
        }
    }

    fn tell(&self, handle: Handle, event: LinkEvent) {
        if let Some(events) = self.links.get(&handle).and_then(|l| l.events.as_ref()) {
            // A call that does not listen is over.
            let _ = events.try_send(event);
        }
    }

    fn on_ring(&mut self, callee: &mut Callee, ring: IncomingRing) {
        let done = match (self.invite, ring.purpose()) {
            (true, Purpose::Join) => self.on_join(callee, ring),
            (false, Purpose::Call | Purpose::Resume) => self.on_call(callee, ring),
            (false, Purpose::Resync) => self.on_resync(callee, ring),
            _ => None,
        };
        if done.is_none() {
            tracing::debug!("a ring was dropped: not authentic, or not ours to answer");
        }
    }

    fn on_message(&mut self, callee: &mut Callee, handle: Handle, message: PipeMessage) {
        let Some(link) = self.links.get_mut(&handle) else {
            return;
        };
        if let Some((last_batch, refill)) = link.held_back.take() {
            let message = PipeMessage::Refill { last_batch, refill };
            self.shared.on_contact_message(self.id, message);
        }
        match link.purpose {
            Purpose::Call | Purpose::Resume => self.tell(handle, LinkEvent::Pipe(message)),
            Purpose::Join => self.on_join_message(callee, handle, message),
            Purpose::Resync => self.on_resync_message(callee, handle, message),
        }
    }

    // ---- RESYNC -------------------------------------------------------------------------------

    fn on_resync(&mut self, callee: &mut Callee, ring: IncomingRing) -> Option<()> {
        let (generation, index) = ring.slot();
        let ours = self
            .shared
            .with_ledger(|l| l.authorise_resync(self.id, generation.0, index))?;
        let handle = ring.handle();
        let authority = Authority {
            server: self.own.server,
            mailbox: self.own.mailbox.id(),
            token: ours.token,
            local: &ours.local,
            remote: Some(&ours.remote),
            psk: None,
        };
        let ring = ring.authenticate(&authority).ok()?;
        let Opening::Resync(offer) = ring.opening().clone() else {
            return None;
        };
        if !self.shared.with_resyncs(|r| r.answer(self.id, now())) {
            return None;
        }
        let keys = callee
            .answer(ring, &crate::resync::reply(&ours), now())
            .ok()?;
        let refill = self
            .shared
            .with_ledger(|l| l.resync_answered(self.id, &keys, offer.last_batch))
            .ok()?;
        let last_batch = ours.last_batch;
        callee.send(handle, &PipeMessage::Refill { last_batch, refill });
        let slot = offer.resync;
        let mut link = Ringing::new(Purpose::Resync);
        link.resync = Some(AnsweredResync { keys, slot });
        self.links.insert(handle, link);
        Some(())
    }

    /// The third message: both wallets have started over.
    fn on_resync_message(&mut self, callee: &mut Callee, handle: Handle, message: PipeMessage) {
        let PipeMessage::Refill { last_batch, refill } = message else {
            return;
        };
        let Some(answered) = self.links.get_mut(&handle).and_then(|l| l.resync.take()) else {
            return;
        };
        let peer = ResyncState {
            last_batch,
            refill,
            resync: answered.slot,
        };
        let closed = self
            .shared
            .with_ledger(|l| l.resync_closed(self.id, &answered.keys, &peer));
        match closed {
            Ok(last_batch) => {
                callee.send(handle, &PipeMessage::Confirm { last_batch });
            }
            Err(reason) => tracing::debug!(code = reason.code(), "a RESYNC came to nothing"),
        }
        callee.close_later(handle, now());
    }

    // ---- calls --------------------------------------------------------------------------------

    fn on_call(&mut self, callee: &mut Callee, ring: IncomingRing) -> Option<()> {
        let (generation, index) = ring.slot();
        let ours = self
            .shared
            .with_ledger(|l| l.authorise(self.id, generation.0, index))?;
        let handle = ring.handle();
        let authority = Authority {
            server: self.own.server,
            mailbox: self.own.mailbox.id(),
            token: ours.token,
            local: &ours.local,
            remote: Some(&ours.remote),
            psk: Some(&ours.psk),
        };
        let ring = ring.authenticate(&authority).ok()?;
        let (Opening::Call(offer) | Opening::Resume(offer)) = ring.opening().clone() else {
            return None;
        };
        let resume = matches!(ring.opening(), Opening::Resume(_));
        let crossed = if resume { None } else { self.glare(&ring)? };
        // Durable before anything shows that the ring arrived.
        let spent = self
            .shared
            .with_ledger(|l| l.spend(self.id, &ours.token, offer.last_batch, REFILL_TOKENS));
        let (last_batch, refill) = spent.ok()?;
        // If the join's last message was lost, this ring says as much.
        self.joined();
        let seen = now();
        self.answer_call(
            callee,
            ring,
            Answering {
                handle,
                offer,
                last_batch,
                refill,
                resume,
                crossed,
                seen,
            },
        )
    }

    /// Both rang at once: `None` if our ring goes on and this one is not answered, else our call
    /// that this ring takes the place of, if there is one.
    fn glare(&self, ring: &AuthenticatedRing) -> Option<Option<CallId>> {
        match self.shared.our_ring(self.id, now()) {
            OurRing::None => Some(None),
            // Theirs was there first.
            OurRing::NotSent(call) => Some(Some(call)),
            // They have answered ours and will notice; this ring was on its way before that.
            OurRing::Answered => None,
            OurRing::Sent(call, ours) => match resolve(&ours, &ring.rank()) {
                Glare::OursWins => None,
                Glare::TheirsWins => Some(Some(call)),
            },
        }
    }

    fn answer_call(
        &mut self,
        callee: &mut Callee,
        ring: AuthenticatedRing,
        a: Answering,
    ) -> Option<()> {
        let kind = if self.shared.has_turn() {
            a.offer.leg_kind
        } else {
            LegKind::Onion
        };
        let legs = a.offer.legs.min(self.shared.legs());
        let reply = Reply {
            status: Status::Ringing,
            highest_version: PROTOCOL_VERSION,
            leg_kind: kind,
            legs,
            candidates: None,
            last_batch: a.last_batch,
            refill: a.refill,
        };
        let response = Response::Call(reply);
        let keys = callee.answer(ring, &response, now()).ok()?;
        let link = self.open_link(
            a.handle,
            if a.resume {
                Purpose::Resume
            } else {
                Purpose::Call
            },
        );
        if let Some(link) = self.links.get_mut(&a.handle) {
            link.held_back = Some((a.offer.last_batch, a.offer.refill));
        }
        let plan = match kind {
            LegKind::Turn => LegPlan::TurnLater {
                peers: a.offer.candidates,
            },
            LegKind::Onion => {
                let (sender, streams) = mpsc::channel(LEG_STREAMS);
                self.legs = Some(sender);
                LegPlan::OnionAccept { streams }
            }
        };
        let handshake = Handshake {
            keys,
            kind,
            legs,
            link,
            plan,
        };
        self.hand_over(handshake, a.resume, a.crossed, a.seen);
        Some(())
    }

    /// Gives an answered ring to the call that it belongs to, or to a new one.
    fn hand_over(
        &self,
        handshake: Handshake,
        resume: bool,
        crossed: Option<CallId>,
        seen: Timestamp,
    ) {
        let existing = if resume {
            self.shared.resumable(self.id)
        } else {
            crossed
        };
        if let Some(call) = existing {
            // A call that has just ended leaves the handshake to nobody, and its legs close.
            let _ = self
                .shared
                .command(call, CallCommand::Resume(Box::new(handshake)));
            return;
        }
        if resume {
            // We know of no such call: it is over, and the caller learns so at once.
            let sent = handshake
                .link
                .send
                .map(|send| send.try_send(PipeMessage::Bye));
            if !matches!(sent, Some(Ok(()))) {
                tracing::debug!("an unknown call could not be refused");
            }
            return;
        }
        let busy = self.shared.is_busy();
        let Some((call, commands)) = self.shared.enter(self.id, Role::Callee) else {
            return;
        };
        if self.shared.with_ledger(|l| l.is_ghost(self.id)) {
            self.shared.hide(call);
        }
        let contact = self.shared.name(self.id);
        self.shared.event(Event::Incoming {
            call,
            contact,
            busy,
        });
        self.shared
            .event(Event::Timing(call, Timing::RingSeen(seen.as_micros())));
        self.shared
            .spawn_call(call, self.id, Role::Callee, commands, handshake, false);
    }

    fn open_link(&mut self, handle: Handle, purpose: Purpose) -> Link {
        let (send, mut wanted) = mpsc::channel::<PipeMessage>(LINK_QUEUE);
        let (events_sender, events) = mpsc::channel(LINK_QUEUE);
        let outbox = self.outbox.0.clone();
        tokio::spawn(async move {
            while let Some(message) = wanted.recv().await {
                if outbox
                    .send(Outbound {
                        handle,
                        message: Some(message),
                    })
                    .await
                    .is_err()
                {
                    return;
                }
            }
            // If the address is gone, so is the handle.
            let _ = outbox
                .send(Outbound {
                    handle,
                    message: None,
                })
                .await;
        });
        let mut link = Ringing::new(purpose);
        link.events = Some(events_sender);
        self.links.insert(handle, link);
        Link {
            send: Some(send),
            events,
        }
    }

    // ---- joins --------------------------------------------------------------------------------

    fn on_join(&mut self, callee: &mut Callee, ring: IncomingRing) -> Option<()> {
        let (local, token, psk) = self
            .shared
            .with_ledger(|l| l.invite_materials(self.id, unix_now()))?;
        let handle = ring.handle();
        let authority = Authority {
            server: self.own.server,
            mailbox: self.own.mailbox.id(),
            token,
            local: &local,
            remote: None,
            psk: Some(&psk),
        };
        let ring = ring.authenticate(&authority).ok()?;
        let joiner: StaticPublic = ring.remote_static();
        let Opening::Join(offer) = ring.opening().clone() else {
            return None;
        };
        // Fixed durably before anything is answered.
        match self
            .shared
            .with_ledger(|l| l.fix_joiner(self.id, joiner))
            .ok()?
        {
            JoinOutcome::Taken => {
                let used = Response::Join(JoinReply::used(PROTOCOL_VERSION));
                callee.answer(ring, &used, now()).ok()?;
                callee.close_later(handle, now());
                let name = self.shared.with_ledger(|l| l.invite_name(self.id));
                self.shared.event(Event::InviteReused(name));
            }
            JoinOutcome::Ours(lasting) => {
                let reply = JoinReply {
                    status: Status::Done,
                    highest_version: PROTOCOL_VERSION,
                    address: Some(lasting.to_move()),
                    refill: None,
                };
                let keys = callee.answer(ring, &Response::Join(reply), now()).ok()?;
                let refill = self
                    .shared
                    .with_ledger(|l| l.join_answered(self.id, joiner, offer.address, &keys))
                    .ok()?;
                self.links.insert(handle, Ringing::new(Purpose::Join));
                let last_batch = BatchNumber(0);
                callee.send(handle, &PipeMessage::Refill { last_batch, refill });
            }
        }
        Some(())
    }

    /// The joiner's first transport message: the join went through.
    fn on_join_message(&mut self, callee: &mut Callee, handle: Handle, message: PipeMessage) {
        let PipeMessage::Refill { .. } = &message else {
            return;
        };
        self.shared.on_contact_message(self.id, message);
        let last_batch = self.shared.last_batch(self.id);
        callee.send(handle, &PipeMessage::Confirm { last_batch });
        callee.close_later(handle, now());
        self.joined();
    }

    /// The new contact has shown that the join went through at its side.
    fn joined(&self) {
        let done = self.shared.with_ledger(|l| l.complete_invite(self.id));
        match done {
            Ok(Some(name)) => self.shared.event(Event::ContactAdded(name)),
            Ok(None) => return,
            Err(reason) => {
                return tracing::warn!(code = reason.code(), "a join could not be completed");
            }
        }
        let (shared, id) = (Arc::clone(&self.shared), self.id);
        // The engine does not end before its last word is out.
        let busy = shared.keep_running();
        tokio::spawn(async move {
            // The last message is still on its way.
            tokio::time::sleep(INVITE_LINGER).await;
            if let Err(reason) = shared.with_ledger(|l| l.close_invite(id)) {
                tracing::warn!(code = reason.code(), "an invite could not be closed");
            }
            shared.addresses_changed();
            drop(busy);
        });
    }
}

/// Everything that message 2 of a call depends on.
struct Answering {
    handle: Handle,
    offer: Offer,
    last_batch: BatchNumber,
    refill: Option<Refill>,
    resume: bool,
    crossed: Option<CallId>,
    seen: Timestamp,
}

async fn accept(
    hosted: &mut Option<(Box<dyn Host>, mpsc::Sender<BoxedStream>)>,
) -> Option<(u16, BoxStream)> {
    match hosted {
        Some((host, _)) => host.accept().await,
        None => std::future::pending().await,
    }
}

fn tell_when_reachable(host: &dyn Host, reached: mpsc::Sender<(Key, bool)>, key: Key) {
    let reachable = host.reachable();
    tokio::spawn(async move {
        tokio::select! {
            up = reachable => if up {
                // If the engine has ended nobody wants to know.
                let _ = reached.send((key, true)).await;
            },
            () = reached.closed() => {}
        }
    });
}
