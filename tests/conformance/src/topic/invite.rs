//! An invite's binary form and link, and links that are refused.

use serde_json::{Value, json};
use tacit_crypto::{Invite, InviteError, MailboxSecret, StaticKeypair, Token, vectors};
use tacit_types::{MailboxId, OnionKey, UnixTime};

use crate::fixed::{counting, hex, secret};

/// One good invite and what can be wrong with one.
#[must_use]
pub fn vectors() -> Value {
    let mailbox = MailboxSecret::from_secret(secret(0x01));
    let reserved = mailbox.attach_secret().reserved_key();
    let invite = Invite {
        expires: UnixTime(1_900_000_000),
        server: OnionKey(counting(0x21)),
        mailbox: mailbox.mailbox_id(),
        discovery: secret(0x41),
        inviter: StaticKeypair::from_secret(secret(0x61)).public(),
        token: reserved.token(&mailbox.mailbox_id(), tacit_crypto::Generation::RESERVED, 0),
        psk: secret(0x81),
    };
    json!({ "good": good(&invite), "refused": refused(&invite) })
}

fn good(invite: &Invite) -> Value {
    let MailboxId(mailbox) = invite.mailbox;
    let token: &Token = &invite.token;
    json!({
        "expires": invite.expires.0, "server": hex(invite.server.0), "mailbox_id": hex(mailbox),
        "discovery": hex(invite.discovery.expose()), "inviter": hex(invite.inviter.0),
        "token": hex(token.to_bytes()), "psk": hex(invite.psk.expose()),
        "bytes": hex(invite.to_bytes()), "link": invite.to_link(),
    })
}

/// Bytes with a right checksum after them.
fn summed(mut body: Vec<u8>) -> Vec<u8> {
    let sum = vectors::hash("tacit/1 invite", &body);
    body.extend_from_slice(&sum[..4]);
    body
}

fn refused(invite: &Invite) -> Value {
    let bytes = invite.to_bytes();
    let body = bytes[..173].to_vec();
    let mut damaged = bytes.to_vec();
    damaged[100] ^= 4;
    let mut newer = body.clone();
    newer[0] = 2;
    let cases = [
        ("one bit flipped", damaged),
        ("cut short", bytes[..176].to_vec()),
        ("one byte too long", summed([&body[..], &[0]].concat())),
        ("one byte too short", summed(body[..172].to_vec())),
        ("version 2 of the same length", summed(newer.clone())),
        ("version 2, longer", summed([&newer[..], &[0; 40]].concat())),
        ("nothing", Vec::new()),
    ];
    cases
        .map(|(what, bytes)| {
            let error = match Invite::from_bytes(&bytes) {
                Err(InviteError::Malformed) => "malformed",
                Err(InviteError::Version(_)) => "version",
                other => unreachable!("{what}: {other:?}"),
            };
            json!({ "what": what, "bytes": hex(bytes), "error": error })
        })
        .into()
}
