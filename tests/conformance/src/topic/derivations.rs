//! The primitives under everything else, and the keys of a session.

use serde_json::{Value, json};
use tacit_crypto::vectors;
use tacit_types::{LegIndex, Role};

use crate::fixed::{counting, hex};

/// Hash, extract, expand, and everything derived from one root.
#[must_use]
pub fn vectors() -> Value {
    let (key, salt) = (counting::<32>(0x10), counting::<32>(0x40));
    json!({
        "hash": { "label": "tacit/1 example", "data": hex(b"some data"),
            "out": hex(vectors::hash("tacit/1 example", b"some data")) },
        "extract": { "salt": hex(salt), "ikm": hex(counting::<64>(0x80)),
            "out": hex(vectors::extract(&salt, &counting::<64>(0x80))) },
        "expand": { "key": hex(key), "label": "tacit/1 example", "context": "0102",
            "out": hex(vectors::expand(key, "tacit/1 example", &[1, 2])) },
        "session": session(),
    })
}

fn session() -> Value {
    let (hash, k1, k2) = (counting(0x01), counting(0x21), counting(0x41));
    let caller = vectors::session(Role::Caller, hash, &k1, &k2);
    let callee = vectors::session(Role::Callee, hash, &k1, &k2);
    let (caller_media, callee_media) = (
        vectors::media(&caller.media()),
        vectors::media(&callee.media()),
    );
    let legs: Vec<_> = [0, 1, 7, 255]
        .map(|leg| json!({ "leg": leg, "secret": hex(caller.leg_secret(LegIndex(leg)).expose()) }))
        .into();
    json!({
        "handshake_hash": hex(hash), "k1": hex(k1), "k2": hex(k2),
        "root": hex(vectors::extract(&hash, &[k1, k2].concat())),
        "pipe_caller": hex(vectors::pipe(&caller.pipe()).0),
        "pipe_callee": hex(vectors::pipe(&callee.pipe()).0),
        "media_caller": hex(caller_media.0), "media_callee": hex(callee_media.0),
        "mask_caller": hex(caller_media.1), "mask_callee": hex(callee_media.1),
        "sas_secret": hex(vectors::sas(&caller.sas())),
        "first_batch_caller": hex(caller.first_batch_secret(Role::Caller).expose()),
        "first_batch_callee": hex(caller.first_batch_secret(Role::Callee).expose()),
        "leg_secrets": legs,
    })
}
