//! Refill batches, their PSKs, what is burnt and what a RESYNC starts.

use serde_json::{Value, json};
use tacit_crypto::{
    BatchNumber, Generation, HolderWallet, IssuerWallet, Mailbox, MailboxSecret, Refill,
};
use tacit_types::Role;

use crate::fixed::{hex, secret};

/// A short history of one direction of a contact, each batch with its PSKs as the issuer and the
/// holder derived them.
#[must_use]
pub fn vectors() -> Value {
    let mut mailbox = Mailbox::new(MailboxSecret::from_secret(secret(0x01)));
    let mut issuer = IssuerWallet::new(secret(0x30), Role::Callee);
    let mut holder = HolderWallet::new(secret(0x30), Role::Callee);
    let mut steps = Vec::new();
    let first = issuer
        .refill(&mut mailbox, BatchNumber(0), 16, 8)
        .expect("the wallet is empty");
    steps.push(step(
        "first batch of eight",
        &issuer,
        &mailbox,
        &mut holder,
        &first,
    ));
    let lost = issuer
        .refill(&mut mailbox, BatchNumber(1), 16, 16)
        .expect("eight are missing");
    steps.push(record("second batch, never received", &issuer, &lost));
    let third = issuer
        .refill(&mut mailbox, BatchNumber(1), 16, 16)
        .expect("eight are missing");
    steps.push(step(
        "third batch, in place of the second",
        &issuer,
        &mailbox,
        &mut holder,
        &third,
    ));
    let (rung, _) = holder.next_token().expect("the holder has sixteen");
    let spent = issuer.spend(&mut mailbox, Generation(rung.generation), rung.index);
    assert!(spent && holder.consumed(&rung), "the ring goes through");
    let restart = issuer
        .begin_resync(&mut mailbox, secret(0x60), Role::Caller, BatchNumber(3), 4)
        .expect("there are slots left");
    steps.push(record(
        "RESYNC, whose first batch is the fourth",
        &issuer,
        &restart,
    ));
    holder
        .accept_resync(&mailbox.id(), &restart, secret(0x60), Role::Caller)
        .expect("both are on the new chain");
    issuer.acknowledge(&mut mailbox, holder.last_batch());
    json!({
        "mailbox_secret": hex(secret(0x01).expose()),
        "first_batch_secret": hex(secret(0x30).expose()), "issuer": "callee",
        "resync_batch_secret": hex(secret(0x60).expose()), "resync_issuer": "caller",
        "steps": steps,
        "rung": hex(rung.to_bytes()),
        "spent_bitmap": hex(mailbox.spent_bitmap(Generation(0)).expect("live").0),
        "outstanding": issuer.outstanding(),
    })
}

fn step(
    what: &str,
    issuer: &IssuerWallet,
    mailbox: &Mailbox,
    holder: &mut HolderWallet,
    refill: &Refill,
) -> Value {
    holder
        .accept_refill(&mailbox.id(), refill)
        .expect("both are on one chain");
    record(what, issuer, refill)
}

fn record(what: &str, issuer: &IssuerWallet, refill: &Refill) -> Value {
    let psks: Vec<_> = refill
        .tokens
        .iter()
        .filter_map(|token| issuer.authorise(Generation(token.generation), token.index))
        .map(|(_, psk)| hex(psk.expose()))
        .collect();
    json!({
        "what": what, "batch": refill.batch.0, "after": refill.after.0,
        "refill": hex(refill.encode()), "psks": psks,
    })
}
