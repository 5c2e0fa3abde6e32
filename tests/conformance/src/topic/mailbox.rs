//! A mailbox's secrets, token keys, slot orders and tokens.

use serde_json::{Value, json};
use tacit_crypto::slots::SlotOrder;
use tacit_crypto::{Generation, MailboxSecret, Token, TokenKey};
use tacit_types::MailboxId;

use crate::fixed::{hex, secret};

/// Two mailboxes, and tokens that are and are not good at the first.
#[must_use]
pub fn vectors() -> Value {
    let first = MailboxSecret::from_secret(secret(0x01));
    let other = MailboxSecret::from_secret(secret(0x81));
    json!({
        "mailboxes": [mailbox(0x01), mailbox(0x81)],
        "tokens": tokens(&first, &other),
    })
}

fn mailbox(first: u8) -> Value {
    let secret_bytes = secret(first);
    let mailbox = MailboxSecret::from_secret(secret_bytes.clone());
    let generations: Vec<_> = [0, 1, 0x1234]
        .map(|n| generation(&mailbox, Generation(n)))
        .into();
    json!({
        "mailbox_secret": hex(secret_bytes.expose()),
        "attach_secret": hex(mailbox.attach_secret().expose()),
        "mailbox_id": hex(mailbox.mailbox_id().0),
        "reserved_key": hex(mailbox.attach_secret().reserved_key().expose()),
        "generations": generations,
    })
}

fn generation(mailbox: &MailboxSecret, generation: Generation) -> Value {
    let slot_key = mailbox.slot_key(generation);
    let order = SlotOrder::new(&slot_key);
    let slots = (0..2048).filter_map(|position| order.slot(position));
    let slots: Vec<u8> = slots.flat_map(u16::to_be_bytes).collect();
    json!({
        "generation": generation.0,
        "token_key": hex(mailbox.token_key(generation).expose()),
        "slot_key": hex(slot_key.expose()),
        "slot_order": hex(slots),
    })
}

fn tokens(mailbox: &MailboxSecret, other: &MailboxSecret) -> Value {
    let id = mailbox.mailbox_id();
    let key = mailbox.token_key(Generation(1));
    let good = key.token(&id, Generation(1), 1234);
    let reserved = mailbox.attach_secret().reserved_key();
    let flipped = Token {
        tag: core::array::from_fn(|n| good.tag[n] ^ u8::from(n == 15)),
        ..good
    };
    let foreign = other
        .token_key(Generation(1))
        .token(&other.mailbox_id(), Generation(1), 1234);
    json!([
        case("good", &key, &id, &good),
        case("last slot", &key, &id, &key.token(&id, Generation(1), 2047)),
        case(
            "reserved",
            &reserved,
            &id,
            &reserved.token(&id, Generation::RESERVED, 0)
        ),
        case("one bit of the tag flipped", &key, &id, &flipped),
        case(
            "another index",
            &key,
            &id,
            &Token {
                index: 1235,
                ..good
            }
        ),
        case(
            "another generation",
            &key,
            &id,
            &Token {
                generation: 2,
                ..good
            }
        ),
        case("another mailbox's token", &key, &id, &foreign),
        case(
            "index out of range",
            &key,
            &id,
            &key.token(&id, Generation(1), 2048)
        ),
    ])
}

fn case(what: &str, key: &TokenKey, id: &MailboxId, token: &Token) -> Value {
    json!({
        "what": what,
        "token_key": hex(key.expose()),
        "mailbox_id": hex(id.0),
        "token": hex(token.to_bytes()),
        "good": key.verify(id, token),
    })
}
