//! Both messages of every purpose's handshake, with fixed keys, ephemerals and payloads.

use serde_json::{Value, json};
use tacit_crypto::handshake::glare_rank;
use tacit_crypto::{
    Initiator, Prologue, Purpose, Responder, SessionKeys, StaticKeypair, Token, vectors,
};
use tacit_types::{LegIndex, MailboxId, OnionKey, Role};

use crate::fixed::{Fixed, counting, hex, secret};

/// The four purposes.
#[must_use]
pub fn vectors() -> Value {
    let purposes = [
        ("call", "KKpsk0", Purpose::Call),
        ("join", "IKpsk1", Purpose::Join),
        ("resync", "KK", Purpose::Resync),
        ("resume", "KKpsk0", Purpose::Resume),
    ];
    purposes
        .map(|(name, pattern, purpose)| handshake(name, pattern, purpose))
        .into()
}

fn prologue_of(purpose: Purpose) -> Prologue {
    Prologue {
        purpose,
        hello_nonce: counting(0x11),
        server: OnionKey(counting(0x31)),
        mailbox: MailboxId(counting(0x51)),
        token: Token {
            generation: 0x0102,
            index: 0x0304,
            tag: counting(0x61),
        },
    }
}

fn handshake(name: &str, pattern: &str, purpose: Purpose) -> Value {
    let prologue = prologue_of(purpose);
    let caller = StaticKeypair::from_secret(secret(0x70));
    let callee = StaticKeypair::from_secret(secret(0x90));
    let psk = secret(0xb0);
    let (caller_ephemeral, callee_ephemeral) = (counting(0xc0), counting(0xe0));
    let rng = &mut Fixed(caller_ephemeral);
    let mut initiator = match purpose {
        Purpose::Join => Initiator::join(&prologue, &caller, &callee.public(), &psk, rng),
        Purpose::Resync => Initiator::resync(&prologue, &caller, &callee.public(), rng),
        _ => Initiator::call(&prologue, &caller, &callee.public(), &psk, rng),
    };
    let responder = match purpose {
        Purpose::Join => Responder::join(&prologue, &callee, &psk),
        Purpose::Resync => Responder::resync(&prologue, &callee, &caller.public()),
        _ => Responder::call(&prologue, &callee, &caller.public(), &psk),
    };
    let (payload1, payload2) = (counting::<100>(0), counting::<77>(0x80));
    let message1 = initiator.write(&payload1).expect("it fits");
    let (read, answer) = responder.read(&message1).expect("it is genuine");
    assert_eq!(read, payload1, "payload 1 arrives");
    let (message2, callee_keys) = answer
        .write(&payload2, &mut Fixed(callee_ephemeral))
        .expect("it fits");
    let (read, keys) = initiator.read(&message2).expect("it is genuine");
    assert_eq!(read, payload2, "payload 2 arrives");
    assert_eq!(
        keys.handshake_hash(),
        callee_keys.handshake_hash(),
        "both sides agree"
    );
    json!({
        "name": name, "pattern": pattern, "purpose": purpose.to_byte(),
        "hello_nonce": hex(prologue.hello_nonce), "server": hex(prologue.server.0),
        "mailbox_id": hex(prologue.mailbox.0), "token": hex(prologue.token.to_bytes()),
        "prologue": hex(prologue.to_bytes()),
        "caller_static": hex(secret(0x70).expose()), "caller_public": hex(caller.public().0),
        "callee_static": hex(secret(0x90).expose()), "callee_public": hex(callee.public().0),
        "caller_ephemeral": hex(caller_ephemeral), "callee_ephemeral": hex(callee_ephemeral),
        "psk": if purpose == Purpose::Resync { Value::Null } else { hex(psk.expose()).into() },
        "payload1": hex(payload1), "message1": hex(&message1),
        "payload2": hex(payload2), "message2": hex(&message2),
        "glare_rank": hex(glare_rank(&message1)),
        "keys": keys_of(&keys),
    })
}

fn keys_of(keys: &SessionKeys) -> Value {
    json!({
        "handshake_hash": hex(keys.handshake_hash()),
        "pipe_caller": hex(vectors::pipe(&keys.pipe()).0),
        "pipe_callee": hex(vectors::pipe(&keys.pipe()).1),
        "media_caller": hex(vectors::media(&keys.media()).0),
        "mask_caller": hex(vectors::media(&keys.media()).1),
        "sas_secret": hex(vectors::sas(&keys.sas())),
        "first_batch_callee": hex(keys.first_batch_secret(Role::Callee).expose()),
        "leg_secret_0": hex(keys.leg_secret(LegIndex(0)).expose()),
    })
}
