//! Being reachable: hosts an address of ours and answers what arrives there.

mod addresses;
mod calls;
mod joins;
mod resyncs;
mod start;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use tacit_crypto::{
    BatchNumber, Generation, Psk, Purpose, Refill, SessionKeys, StaticKeypair, StaticPublic, Token,
};
use tacit_mailbox_server::{BoxedStream, serve_embedded};
use tacit_signaling::callee::{Authority, CalleeEvent, IncomingRing};
use tacit_signaling::frame::{Attach, Handle};
use tacit_signaling::payload::PipeMessage;
use tacit_signaling::{Callee, Rate};
use tacit_tor::{Audience, OnionHost, Target};
use tacit_types::limits::{ONION_PORT_LEGS, ONION_PORT_SIGNALING};
use tacit_types::{Reason, Timestamp};
use tokio::sync::mpsc;

use crate::api::Event;
use crate::call::{LinkEvent, fresh_seed, random_up_to};
use crate::clock::now;
use crate::dial::LINK_QUEUE;
use crate::frames::FrameIo;
use crate::ledger::{ContactId, For, OwnAddress, Reachable};
use crate::network::{BoxStream, Host};
use crate::ringer::{Attended, until};
use crate::shared::Shared;
use start::{Gate, Reached, tell_when_reachable};

/// Rings that a mailbox takes at once, and how long until one more.
const RING_RATE: Rate = Rate {
    burst: 8,
    interval: Duration::from_secs(15),
};
/// Leg streams that may wait for a call.
const LEG_STREAMS: usize = 32;
/// How long to wait at least before an address that was lost is tried again, and by how much longer
/// that may be by chance. The same for all: a mailbox that came back sooner because its contact is
/// in a call would tell the server which two are. Short enough for a resume, which is tried for a
/// minute.
const RETRY: Duration = Duration::from_secs(5);
const RETRY_SPREAD: Duration = Duration::from_secs(10);
/// The same for a mailbox that another device has taken over. Two honest devices of one person must
/// not take it from each other all the time; and somebody with a stolen secret is told of again.
const RETRY_REPLACED: Duration = Duration::from_secs(5 * 60);
const RETRY_REPLACED_SPREAD: Duration = RETRY_REPLACED;
/// What was under way at a mailbox when it was taken over goes on so long at most: then the server
/// has closed the last handle.
const HANDLE_LIFE: Duration = Duration::from_secs(180);
/// Mailboxes that attach or leave in one instant would be seen to be one person's, so at the start
/// they attach, and at the end they leave, within this time.
const SPREAD: Duration = Duration::from_secs(20);
/// After a join the engine runs on for this long at least: its last message is on its way, and who
/// tried the same invite at the same time is told.
const JOIN_LINGER: Duration = Duration::from_secs(5);

pub(crate) use addresses::{Phase, attend_all};

type Key = (tacit_types::OnionKey, tacit_types::MailboxId);

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
    /// Whether others of ours attach at the same time.
    spread: bool,
    gate: Gate,
    reached: Reached,
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
    fn new(
        shared: Arc<Shared>,
        reachable: Reachable,
        gate: Gate,
        spread: bool,
        reached: Reached,
    ) -> Self {
        let Reachable { id, own, purpose } = reachable;
        Self {
            shared,
            id,
            invite: purpose != For::Contact,
            own,
            links: BTreeMap::new(),
            legs: None,
            outbox: mpsc::channel(LINK_QUEUE),
            attached: Vec::new(),
            spread,
            gate,
            reached,
        }
    }

    /// What a ring to this address must authenticate against.
    fn authority<'a>(
        &self,
        token: Token,
        local: &'a StaticKeypair,
        remote: Option<&'a StaticPublic>,
        psk: Option<&'a Psk>,
    ) -> Authority<'a> {
        Authority {
            server: self.own.server,
            mailbox: self.own.mailbox.id(),
            token,
            local,
            remote,
            psk,
        }
    }

    /// Hosts the address again and again until the task is ended.
    async fn attend(mut self) {
        if self.spread && self.own.identity.is_none() {
            self.shared.network_started().await;
            tokio::time::sleep(random_up_to(SPREAD)).await;
        }
        loop {
            let end = if self.own.identity.is_some() {
                self.attend_embedded().await
            } else {
                self.attend_operated().await
            };
            tracing::debug!(
                code = end.code(),
                "an address is not reachable; it is tried again"
            );
            self.reached.tell(false).await;
            self.forget_rings();
            let (at_least, spread) = retry_after(end);
            tokio::time::sleep(at_least + random_up_to(spread)).await;
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

    async fn attend_embedded(&mut self) -> Reason {
        let Some(identity) = self.own.identity.clone() else {
            return Reason::Internal;
        };
        let host = OnionHost {
            identity,
            audience: Audience::Only(vec![self.own.discovery.public()]),
            ports: vec![ONION_PORT_SIGNALING, ONION_PORT_LEGS],
        };
        let starting = self.gate.enter().await;
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
        tell_when_reachable(&*host, self.reached.clone(), starting);
        self.serve(attended, Some((host, streams))).await
    }

    async fn attend_operated(&mut self) -> Reason {
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
                Some(CalleeEvent::Replaced) => {
                    self.taken_over().await;
                    return Reason::ServerReplaced;
                }
                Some(_) => {}
            }
        }
        self.shared
            .note_mint(self.own.server, attended.machine.mints());
        self.reached.tell(true).await;
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
        let mut taken_over: Option<Timestamp> = None;
        loop {
            if taken_over.is_some() && self.links.is_empty() {
                return Reason::ServerReplaced;
            }
            tokio::select! {
                // The engine's end closes this channel, and then this task is ended, too.
                Ok(()) = changed.changed(), if taken_over.is_none() => {
                    self.attach_opened(&mut attended.machine);
                }
                event = attended.next() => match event {
                    None | Some(CalleeEvent::ServerLost) if taken_over.is_some() => {
                        return Reason::ServerReplaced;
                    }
                    None | Some(CalleeEvent::ServerLost) => return Reason::ServerLost,
                    Some(CalleeEvent::Replaced) => {
                        taken_over = Some(now() + HANDLE_LIFE);
                        self.taken_over().await;
                    }
                    Some(event) => self.on_event(&mut attended.machine, event),
                },
                () = until(taken_over) => return Reason::ServerReplaced,
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

    /// Another holder of our secret has the mailbox now. What was under way here goes on.
    async fn taken_over(&self) {
        self.shared
            .event(Event::MailboxLost(Reason::ServerReplaced));
        self.reached.tell(false).await;
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
}

async fn accept(
    hosted: &mut Option<(Box<dyn Host>, mpsc::Sender<BoxedStream>)>,
) -> Option<(u16, BoxStream)> {
    match hosted {
        Some((host, _)) => host.accept().await,
        None => std::future::pending().await,
    }
}

/// How long to wait before an address whose server was lost in this way is tried again: at least, and
/// by how much longer by chance. Nothing but this one address may matter.
const fn retry_after(end: Reason) -> (Duration, Duration) {
    match end {
        Reason::ServerReplaced => (RETRY_REPLACED, RETRY_REPLACED_SPREAD),
        _ => (RETRY, RETRY_SPREAD),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lost_mailbox_is_back_in_time_for_a_resume_and_one_taken_over_is_not_fought_for() {
        let (at_least, spread) = retry_after(Reason::ServerLost);
        assert!(at_least + spread < Duration::from_secs(20));
        let (at_least, _) = retry_after(Reason::ServerReplaced);
        assert!(at_least >= Duration::from_secs(300));
    }
}
