//! Taking somebody's invite.

use std::sync::Arc;
use std::time::Duration;

use rand_core::OsRng;
use tacit_crypto::{BatchNumber, Invite, SessionKeys, StaticKeypair};
use tacit_signaling::limits::PROTOCOL_VERSION;
use tacit_signaling::payload::{JoinOffer, JoinReply, Opening, PipeMessage, Response, Status};
use tacit_signaling::{Caller, CallerEvent, RingTo};
use tacit_tor::Target;
use tacit_types::Reason;
use tacit_types::limits::ONION_PORT_SIGNALING;

use crate::api::{ContactName, Event};
use crate::clock::{now, unix_now};
use crate::frames::FrameIo;
use crate::ledger::{ContactId, OwnAddress};
use crate::ringer::{Ringer, until};
use crate::shared::Shared;

/// A join that takes longer is given up; it can be tried again with the same invite.
const LIMIT: Duration = Duration::from_secs(90);
/// The inviter's confirmation is waited for no longer once we have its tokens: it may have been lost,
/// and that the stream is gone shows only after a ping.
const CONFIRMED_WITHIN: Duration = Duration::from_secs(6);
/// Streams that one join uses at most.
const TRIES: u32 = 3;

/// Takes the invite: afterwards the inviter is a contact of that name.
pub(crate) async fn join(shared: Arc<Shared>, invite: &Invite, name: &str) -> Result<(), Reason> {
    shared.with_ledger(|l| l.check_join(invite, name))?;
    if invite.expires <= unix_now() {
        return Err(Reason::InviteExpired);
    }
    let joined = tokio::time::timeout(LIMIT, tries(&shared, invite, name)).await;
    // Whatever came of it: the inviter may have our lasting address by now.
    shared.addresses_changed();
    joined.map_err(|_| Reason::PeerUnreachable)??;
    shared.with_ledger(|l| l.join_complete(invite))?;
    shared.event(Event::ContactAdded(ContactName::new(name.to_owned())));
    Ok(())
}

/// A stream that breaks in the middle is no reason to bother the person: with the same key the
/// inviter takes another try for what it is.
async fn tries(shared: &Arc<Shared>, invite: &Invite, name: &str) -> Result<(), Reason> {
    if known(shared, invite, name).is_some_and(|id| shared.last_batch(id) > BatchNumber(0)) {
        // An earlier try went through and broke off in its very last step.
        return Ok(());
    }
    let mut outcome = exchange(shared, invite, name).await;
    for _ in 1..TRIES {
        if outcome != Err(Reason::ServerLost) {
            break;
        }
        outcome = exchange(shared, invite, name).await;
    }
    match (outcome, known(shared, invite, name)) {
        // An earlier try went through at the inviter's side, so the invite is used, by us, or has
        // been withdrawn since.
        (Err(reason), Some(id)) => {
            let resynced = crate::resync::resync(shared, id).await;
            resynced.map_err(|why| match reason {
                Reason::InviteUsed => why,
                _ => reason,
            })
        }
        (outcome, _) => outcome,
    }
}

/// The contact of that name that an earlier try has made.
fn known(shared: &Shared, invite: &Invite, name: &str) -> Option<ContactId> {
    let made = shared.with_ledger(|l| l.joined_by(invite.mailbox))?;
    (shared.name(made).reveal() == name).then_some(made)
}

async fn exchange(shared: &Arc<Shared>, invite: &Invite, name: &str) -> Result<(), Reason> {
    // The same key is used for every try of this invite, so that a retry is an honest one.
    let (local, own) = shared.with_ledger(|l| l.joining(invite, shared.mailbox_server()))?;
    let target = Target::Onion {
        key: invite.server,
        port: ONION_PORT_SIGNALING,
        discovery: Some(invite.discovery.clone()),
    };
    let stream = shared.network().connect(target).await?;
    let machine = Caller::new(crate::call::fresh_seed(), 0, now());
    let mut ringer = Ringer {
        machine,
        io: FrameIo::over(stream),
    };
    let (reply, keys) = ring(&mut ringer, invite, &local, &own).await?;
    let address = match (reply.status, reply.address) {
        (Status::Done, Some(address)) => address,
        (Status::Used, _) => return Err(Reason::InviteUsed),
        _ => return Err(Reason::InviteVersion),
    };
    let ours = (local, own);
    let (id, refill) = shared.with_ledger(|l| l.joined(invite, name, ours, address, &keys))?;
    ringer.machine.send(&PipeMessage::Refill {
        last_batch: BatchNumber(0),
        refill,
    });
    // Our first tokens come by PIPE, then the inviter's confirmation.
    let mut enough = None;
    loop {
        let event = tokio::select! {
            event = ringer.next() => event,
            () = until(enough) => break,
        };
        match event {
            Some(CallerEvent::Message(message @ PipeMessage::Confirm { .. })) => {
                shared.on_contact_message(id, message);
                return Ok(());
            }
            Some(CallerEvent::Message(message)) => {
                shared.on_contact_message(id, message);
                enough = Some(now() + CONFIRMED_WITHIN);
            }
            Some(CallerEvent::ServerLost | CallerEvent::Close) | None => break,
            Some(_) => {}
        }
    }
    // With their tokens in hand only the confirmation is missing: the first ring takes its place.
    if shared.last_batch(id) > BatchNumber(0) {
        Ok(())
    } else {
        Err(Reason::ServerLost)
    }
}

async fn ring(
    ringer: &mut Ringer,
    invite: &Invite,
    local: &StaticKeypair,
    own: &OwnAddress,
) -> Result<(JoinReply, SessionKeys), Reason> {
    let opening = Opening::Join(JoinOffer {
        highest_version: PROTOCOL_VERSION,
        address: own.to_move(),
        refill: None,
    });
    loop {
        match ringer.next().await.ok_or(Reason::ServerLost)? {
            CallerEvent::Ready(_) => {
                let to = RingTo {
                    server: invite.server,
                    mailbox: invite.mailbox,
                    token: invite.token,
                    local,
                    remote: &invite.inviter,
                    psk: Some(&invite.psk),
                    opening: &opening,
                };
                ringer
                    .machine
                    .ring(&to, now())
                    .map_err(|_| Reason::Internal)?;
            }
            CallerEvent::Answered { response, keys } => {
                let Response::Join(reply) = *response else {
                    return Err(Reason::InviteVersion);
                };
                return Ok((reply, *keys));
            }
            // The mailbox is just being withdrawn, or was rung too often.
            CallerEvent::Refused => return Err(Reason::PeerUnreachable),
            // By the inviter's clock it is too late, though not by ours.
            CallerEvent::NoAnswer => return Err(Reason::InviteExpired),
            CallerEvent::ServerLost | CallerEvent::Close => return Err(Reason::ServerLost),
            CallerEvent::Unreadable => return Err(Reason::InviteVersion),
            _ => {}
        }
    }
}

/// A fresh pairwise key and address for an invite that is tried for the first time.
pub(crate) fn fresh(server: Option<tacit_types::OnionKey>) -> (StaticKeypair, OwnAddress) {
    (
        StaticKeypair::generate(&mut OsRng),
        OwnAddress::generate(server, &mut OsRng),
    )
}
