//! PIPE messages in order.

use serde_json::{Value, json};
use tacit_crypto::pipe::PIPE_PLAINTEXT_BYTES;
use tacit_crypto::{PipeOpener, PipeSealer, vectors};
use tacit_types::Role;

use crate::fixed::{counting, hex};

/// Three messages each way.
#[must_use]
pub fn vectors() -> Value {
    let session =
        |role| vectors::session(role, counting(0x01), &counting(0x21), &counting(0x41)).pipe();
    let directions = [("caller", Role::Caller), ("callee", Role::Callee)].map(|(name, role)| {
        let mut sealer = PipeSealer::new(&session(role));
        let mut opener = PipeOpener::new(&session(role.peer()));
        let messages: Vec<_> = (0..3u8)
            .map(|n| {
                let plaintext = counting::<PIPE_PLAINTEXT_BYTES>(n * 16);
                let sealed = sealer
                    .seal(&plaintext)
                    .expect("the counter is far from its end");
                assert_eq!(opener.open(&sealed), Ok(plaintext), "the peer opens it");
                json!({ "counter": n, "plaintext": hex(plaintext), "sealed": hex(sealed) })
            })
            .collect();
        json!({ "sender": name, "key": hex(vectors::pipe(&session(role)).0), "messages": messages })
    });
    directions.into()
}
