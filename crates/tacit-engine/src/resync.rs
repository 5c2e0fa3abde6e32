//! RESYNC: both wallets of a contact start over, silently, when tokens are used up or disagree.
//!
//! ```text
//!   ringing side                        answering side
//!     1  last batch held      ────────▶   (Noise KK on the contact's reserved slot)
//!     2                       ◀────────   last batch held
//!     3                       ◀─ PIPE ─   its new batch
//!        takes it ─── PIPE ──▶            its own new batch, and the number that it now holds
//!     4                       ◀─ PIPE ─   takes it; the number that it now holds
//! ```
//!
//! Nothing is sent before it is stored. A batch takes effect at its issuer when the other side shows
//! that it holds it, so an exchange may break off anywhere.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use tacit_crypto::SessionKeys;
use tacit_signaling::limits::PROTOCOL_VERSION;
use tacit_signaling::payload::{Opening, PipeMessage, Response, ResyncOffer, ResyncReply};
use tacit_signaling::{Caller, CallerEvent, RingTo};
use tacit_tor::Target;
use tacit_types::limits::ONION_PORT_SIGNALING;
use tacit_types::{Reason, Timestamp};
use tokio::time::Instant;

use crate::call::random_up_to;
use crate::clock::now;
use crate::frames::FrameIo;
use crate::ledger::{ContactId, ResyncMaterials, ResyncState};
use crate::ringer::Ringer;
use crate::shared::Shared;

/// Shortest time between two RESYNCs with one contact, in either role.
const INTERVAL: Duration = Duration::from_secs(3600);
/// At an engine's start, RESYNCs are spread over this time.
const SPREAD: Duration = Duration::from_secs(600);
/// A RESYNC that takes longer is given up.
const LIMIT: Duration = Duration::from_secs(90);

/// When RESYNCs took place. In memory: a restart may ask again, and the other side still limits it.
#[derive(Debug, Default)]
pub(crate) struct ResyncTimes {
    asked: BTreeMap<ContactId, Timestamp>,
    answered: BTreeMap<ContactId, Timestamp>,
    turns: BTreeMap<ContactId, Arc<tokio::sync::Mutex<()>>>,
}

impl ResyncTimes {
    /// Takes the hour's RESYNC with a contact; false if there was one.
    pub(crate) fn ask(&mut self, contact: ContactId, now: Timestamp) -> bool {
        take(&mut self.asked, contact, now)
    }

    /// No ring reached the contact: the hour's RESYNC was not used.
    pub(crate) fn give_back(&mut self, contact: ContactId) {
        self.asked.remove(&contact);
    }

    /// Held while a RESYNC with the contact is under way. There is one for each contact at most.
    fn turn(&mut self, contact: ContactId) -> Arc<tokio::sync::Mutex<()>> {
        Arc::clone(self.turns.entry(contact).or_default())
    }

    /// Takes the hour's answer to a contact; false if there was one.
    pub(crate) fn answer(&mut self, contact: ContactId, now: Timestamp) -> bool {
        take(&mut self.answered, contact, now)
    }
}

fn take(times: &mut BTreeMap<ContactId, Timestamp>, contact: ContactId, now: Timestamp) -> bool {
    // Only the last hour counts, so the map stays as small as the number of contacts.
    times.retain(|_, at| now.saturating_since(*at) < INTERVAL);
    if times.contains_key(&contact) {
        return false;
    }
    times.insert(contact, now);
    true
}

/// Renews the tokens of every contact that is short of them, each at a random moment within
/// [`SPREAD`]: rings that leave together, whether to people's own devices or to mailbox servers, would
/// show whoever sees two of them that these are contacts of one person. Whoever places a call
/// meanwhile does not wait: a call renews the tokens that it needs.
pub(crate) async fn renew_all(shared: Arc<Shared>) {
    shared.network_started().await;
    let start = Instant::now();
    for (after, contact) in spread(shared.with_ledger(|l| l.wanting_resync())) {
        tokio::time::sleep_until(start + after).await;
        renew(&shared, contact);
    }
}

/// A random moment for each, the earliest first.
fn spread(contacts: Vec<ContactId>) -> Vec<(Duration, ContactId)> {
    let moment = |contact| (random_up_to(SPREAD), contact);
    let mut moments: Vec<_> = contacts.into_iter().map(moment).collect();
    moments.sort_unstable();
    moments
}

/// Renews a contact's tokens in the background if only a RESYNC can.
pub(crate) fn renew(shared: &Arc<Shared>, contact: ContactId) {
    if !shared.with_ledger(|l| l.wants_resync(contact)) {
        return;
    }
    let shared = Arc::clone(shared);
    tokio::spawn(async move {
        if let Err(reason) = resync(&shared, contact).await {
            tracing::debug!(code = reason.code(), "tokens were not renewed");
        }
    });
}

/// Rings a contact for a RESYNC; afterwards there are tokens.
///
/// # Errors
/// [`Reason::PeerNoToken`] if there was one within the hour or it came to nothing, or why the contact
/// could not be rung.
pub(crate) async fn resync(shared: &Arc<Shared>, contact: ContactId) -> Result<(), Reason> {
    let turn = shared.with_resyncs(|r| r.turn(contact));
    let _turn = turn.lock().await;
    if !shared.with_ledger(|l| l.wants_resync(contact)) {
        // Somebody else's RESYNC has just helped.
        return Ok(());
    }
    let materials = shared.with_ledger(|l| l.begin_resync(contact))?;
    if !shared.with_resyncs(|r| r.ask(contact, now())) {
        return Err(Reason::PeerNoToken);
    }
    let exchange = async {
        let give_back = || shared.with_resyncs(|r| r.give_back(contact));
        let reached = reach(shared, &materials).await;
        let mut ringer = reached.inspect_err(|_| give_back())?;
        let rung = ring(&mut ringer, &materials).await;
        if matches!(rung, Err(Reason::PeerUnreachable)) {
            give_back();
        }
        let (reply, keys) = rung?;
        let renewed = third_message(shared, contact, &mut ringer, &reply, &keys).await;
        linger(ringer);
        renewed
    };
    tokio::time::timeout(LIMIT, exchange)
        .await
        .map_err(|_| Reason::PeerNoToken)?
}

/// Opens the stream to the contact's mailbox server and waits for its greeting.
async fn reach(shared: &Arc<Shared>, materials: &ResyncMaterials) -> Result<Ringer, Reason> {
    let target = Target::Onion {
        key: materials.address.server,
        port: ONION_PORT_SIGNALING,
        discovery: materials.address.discovery.clone(),
    };
    let stream = shared.network().connect(target).await?;
    let machine = Caller::new(crate::call::fresh_seed(), 0, now());
    let mut ringer = Ringer {
        machine,
        io: FrameIo::over(stream),
    };
    loop {
        match ringer.next().await {
            Some(CallerEvent::Ready(_)) => return Ok(ringer),
            Some(CallerEvent::ServerLost | CallerEvent::Close) | None => {
                return Err(Reason::PeerUnreachable);
            }
            Some(_) => {}
        }
    }
}

/// Messages 1 and 2.
///
/// # Errors
/// [`Reason::PeerUnreachable`] if the contact did not get the ring.
async fn ring(
    ringer: &mut Ringer,
    materials: &ResyncMaterials,
) -> Result<(ResyncReply, Box<SessionKeys>), Reason> {
    let opening = Opening::Resync(ResyncOffer {
        highest_version: PROTOCOL_VERSION,
        last_batch: materials.last_batch,
        refill: None,
        resync: Some(materials.ours),
    });
    let to = RingTo {
        server: materials.address.server,
        mailbox: materials.address.mailbox,
        token: materials.token,
        local: &materials.local,
        remote: &materials.remote,
        psk: None,
        opening: &opening,
    };
    ringer
        .machine
        .ring(&to, now())
        .map_err(|_| Reason::Internal)?;
    loop {
        match ringer.next().await.ok_or(Reason::PeerNoToken)? {
            CallerEvent::Answered { response, keys } => {
                let Response::Resync(reply) = *response else {
                    return Err(Reason::Internal);
                };
                return Ok((reply, keys));
            }
            // Their server answers, they are not there: an operated one outlives its people.
            CallerEvent::Refused => return Err(Reason::PeerUnreachable),
            CallerEvent::NoAnswer
            | CallerEvent::ServerLost
            | CallerEvent::Unreadable
            | CallerEvent::Close => return Err(Reason::PeerNoToken),
            _ => {}
        }
    }
}

/// Takes the other side's batch, sends ours and waits until it was taken.
async fn third_message(
    shared: &Arc<Shared>,
    contact: ContactId,
    ringer: &mut Ringer,
    reply: &ResyncReply,
    keys: &SessionKeys,
) -> Result<(), Reason> {
    let mut renewed = false;
    while let Some(event) = ringer.next().await {
        match event {
            CallerEvent::Message(PipeMessage::Refill { last_batch, refill }) if !renewed => {
                let peer = ResyncState {
                    last_batch: last_batch.max(reply.last_batch),
                    refill,
                    resync: reply.resync,
                };
                let (last_batch, refill) =
                    shared.with_ledger(|l| l.resync_taken(contact, keys, &peer))?;
                renewed = peer.refill.is_some();
                ringer
                    .machine
                    .send(&PipeMessage::Refill { last_batch, refill });
            }
            CallerEvent::Message(message @ PipeMessage::Confirm { .. }) => {
                shared.on_contact_message(contact, message);
                break;
            }
            CallerEvent::ServerLost | CallerEvent::Close => break,
            _ => {}
        }
    }
    // Without the last message the new tokens are good all the same: using one shows that we have it.
    renewed.then_some(()).ok_or(Reason::PeerNoToken)
}

/// Keeps the stream for the random while after which it may close.
fn linger(mut ringer: Ringer) {
    tokio::spawn(async move {
        ringer.machine.close_later(now());
        while let Some(event) = ringer.next().await {
            if matches!(event, CallerEvent::Close | CallerEvent::ServerLost) {
                break;
            }
        }
    });
}

/// What the answering side says in message 2.
pub(crate) const fn reply(materials: &ResyncMaterials) -> Response {
    Response::Resync(ResyncReply {
        status: tacit_signaling::payload::Status::Done,
        highest_version: PROTOCOL_VERSION,
        last_batch: materials.last_batch,
        refill: None,
        resync: Some(materials.ours),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_resync_an_hour_and_contact() {
        let (a, b) = (ContactId(1), ContactId(2));
        let start = Timestamp::from_micros(1);
        let mut times = ResyncTimes::default();
        assert!(times.ask(a, start));
        assert!(!times.ask(a, start + INTERVAL - Duration::from_micros(1)));
        assert!(times.ask(b, start));
        assert!(times.answer(a, start), "the other role counts apart");
        assert!(times.ask(a, start + INTERVAL));
        assert!(!times.answer(a, start + INTERVAL / 2));
    }

    #[test]
    fn resyncs_are_spread_and_none_is_left_out() {
        let contacts: Vec<_> = (0..200).map(ContactId).collect();
        let moments = spread(contacts.clone());
        assert!(moments.is_sorted());
        assert!(moments.iter().all(|(after, _)| *after <= SPREAD));
        let early = moments.iter().filter(|(after, _)| *after < SPREAD / 2);
        // Fewer or more than these of 200 fair coins: once in 10^16 runs.
        assert!((40..160).contains(&early.count()));
        let order: Vec<_> = moments.iter().map(|(_, contact)| *contact).collect();
        assert_ne!(order, contacts, "not in the order in which they were made");
        let mut found = order;
        found.sort_unstable();
        assert_eq!(found, contacts);
    }

    #[test]
    fn a_resync_that_never_rang_costs_nothing() {
        let mut times = ResyncTimes::default();
        let at = Timestamp::from_micros(1);
        assert!(times.ask(ContactId(1), at));
        times.give_back(ContactId(1));
        assert!(times.ask(ContactId(1), at));
    }
}
