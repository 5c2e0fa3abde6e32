//! The exchange that ends in two words, and the word list.

use serde_json::{Value, json};
use tacit_crypto::{Sas, SasMessage, vectors};
use tacit_types::Role;

use crate::fixed::{counting, hex};

/// Three exchanges and all 1024 words.
#[must_use]
pub fn vectors() -> Value {
    let exchanges: Vec<_> = [0x01, 0x55, 0xa7].map(exchange).into();
    let words: Vec<_> = (0..1024).map(vectors::word).collect();
    json!({ "exchanges": exchanges, "words": words })
}

fn exchange(first: u8) -> Value {
    let keys = |role| {
        vectors::session(
            role,
            counting(first),
            &counting(first ^ 0x20),
            &counting(first ^ 0x40),
        )
        .sas()
    };
    let (caller_nonce, callee_nonce) = (counting(first ^ 0x0f), counting(first ^ 0xf0));
    let mut caller = Sas::start(keys(Role::Caller), caller_nonce);
    let mut callee = Sas::start(keys(Role::Callee), callee_nonce);
    let commit = caller.poll_transmit().expect("the caller begins");
    callee.handle_input(commit).expect("in turn");
    let reveal = callee.poll_transmit().expect("the callee reveals");
    caller.handle_input(reveal).expect("in turn");
    let reveal = caller.poll_transmit().expect("the caller reveals");
    callee
        .handle_input(reveal)
        .expect("in turn, and as committed");
    assert_eq!(caller.words(), callee.words(), "both see the same words");
    let SasMessage::Commit(commitment) = commit else {
        unreachable!("the caller commits")
    };
    json!({
        "handshake_hash": hex(counting::<32>(first)),
        "sas_secret": hex(vectors::sas(&keys(Role::Caller))),
        "caller_nonce": hex(caller_nonce), "callee_nonce": hex(callee_nonce),
        "commitment": hex(commitment),
        "words": caller.words(),
    })
}
