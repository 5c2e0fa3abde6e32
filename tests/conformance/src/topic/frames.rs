//! Every signaling frame, and every payload that handshakes and PIPE carry.

use core::time::Duration;
use serde_json::{Value, json};
use tacit_crypto::{
    AttachSecret, BatchNumber, Generation, Purpose, Refill, SpentBitmap, Token, TokenKey,
};
use tacit_signaling::frame::{
    Answer, Attach, AttachStatus, Attached, Cred, Credential, CredentialText, Hello, Opaque, Ping,
    Pipe, Ring, RingIn, Services, Transport,
};
use tacit_signaling::payload::{
    AddressMove, Candidates, CodecParameters, ContactAddress, Hosting, JoinOffer, JoinReply, Offer,
    Reply, ResyncOffer, ResyncReply, Status,
};
use tacit_signaling::{Frame, Handle, Opening, PipeMessage, Rate, Response};
use tacit_types::{LegKind, MailboxId, OnionKey, SecretBytes};

use crate::fixed::{counting, hex};

/// Frames by what they hold, payloads likewise.
#[must_use]
pub fn vectors() -> Value {
    json!({ "frames": frames(), "payloads": payloads() })
}

fn frame(name: &str, fields: Value, frame: &Frame) -> Value {
    let bytes = frame.encode();
    assert_eq!(
        Frame::decode(&bytes).as_ref(),
        Ok(frame),
        "{name} comes back"
    );
    json!({ "name": name, "fields": fields, "bytes": hex(bytes) })
}

fn token(first: u8) -> Token {
    Token::from_bytes(&counting(first))
}

fn frames() -> Vec<Value> {
    let mut all = greeting_frames();
    all.extend(ring_frames());
    all.push(cred_frame());
    all
}

fn greeting_frames() -> Vec<Value> {
    let hello = Hello {
        lowest: 1,
        highest: 2,
        services: Services {
            attach: true,
            credentials: false,
        },
        nonce: counting(0x10),
        idle_seconds: 60,
        frame_seconds: 5,
        handles: 32,
    };
    let attach = Attach {
        secret: AttachSecret::new(counting(0x20)),
        generation: Generation(0x0102),
        token_key: TokenKey::new(counting(0x40)),
        ring_rate: Rate {
            burst: 6,
            interval: Duration::from_secs(300),
        },
        spent: SpentBitmap(counting(0x60)),
    };
    let attached = |status| {
        Frame::Attached(Attached {
            status,
            generation: Generation(0x0102),
        })
    };
    vec![
        frame(
            "HELLO",
            json!({ "lowest": 1, "highest": 2, "attach": true, "credentials": false,
                "nonce": hex(hello.nonce), "idle_seconds": 60, "frame_seconds": 5, "handles": 32 }),
            &Frame::Hello(hello),
        ),
        frame(
            "ATTACH",
            json!({ "attach_secret": hex(attach.secret.expose()), "generation": 0x0102,
                "token_key": hex(attach.token_key.expose()), "ring_burst": 6,
                "ring_interval_seconds": 300, "spent": hex(attach.spent.0) }),
            &Frame::Attach(attach),
        ),
        frame(
            "ATTACHED",
            json!({ "status": "accepted", "generation": 0x0102 }),
            &attached(AttachStatus::Accepted),
        ),
        frame(
            "ATTACHED",
            json!({ "status": "refused", "generation": 0x0102 }),
            &attached(AttachStatus::Refused),
        ),
        frame(
            "ATTACHED",
            json!({ "status": "replaced", "generation": 0x0102 }),
            &attached(AttachStatus::Replaced),
        ),
        frame("CRED-GET", json!({}), &Frame::CredGet),
        frame("NAK", json!({}), &Frame::Nak),
        frame(
            "PING",
            json!({ "echo": true, "number": 0x0102_0304_0506_0708_u64 }),
            &Frame::Ping(Ping {
                echo: true,
                number: 0x0102_0304_0506_0708,
            }),
        ),
    ]
}

fn ring_frames() -> Vec<Value> {
    let handle = Handle(0x0a0b_0c0d);
    let (message_1, message_2) = (counting(0x01), counting(0x02));
    let ring = Ring {
        mailbox: MailboxId(counting(0x30)),
        purpose: Purpose::Call,
        token: token(0x50),
        message_1: Opaque(message_1),
    };
    let ring_in = RingIn {
        handle,
        generation: Generation(0x0102),
        index: 0x0304,
        purpose: Purpose::Resync,
        nonce: counting(0x10),
        message_1: Opaque(message_1),
    };
    vec![
        frame(
            "RING",
            json!({ "mailbox_id": hex(ring.mailbox.0), "purpose": 1,
                "token": hex(ring.token.to_bytes()), "message1": hex(message_1) }),
            &Frame::Ring(ring),
        ),
        frame(
            "RING-IN",
            json!({ "handle": handle.0, "generation": 0x0102, "index": 0x0304, "purpose": 3,
                "nonce": hex(ring_in.nonce), "message1": hex(message_1) }),
            &Frame::RingIn(ring_in),
        ),
        frame(
            "ANSWER",
            json!({ "handle": handle.0, "message2": hex(message_2) }),
            &Frame::Answer(Answer {
                handle,
                message_2: Opaque(message_2),
            }),
        ),
        frame(
            "PIPE",
            json!({ "handle": handle.0, "ciphertext": hex(message_2) }),
            &Frame::Pipe(Pipe {
                handle,
                ciphertext: Opaque(message_2),
            }),
        ),
    ]
}

fn cred_frame() -> Value {
    let text = |text: &str| CredentialText::new(text).expect("short ASCII");
    let pairs = [
        (
            "1763826000:00112233445566778899",
            "pRXmAHYZjmEh6YAkjUQNf+fcP80=",
        ),
        ("1763826000:0a0b0c", "b3RoZXI="),
    ];
    let cred = Cred {
        transport: Transport::Tls,
        server: ([192, 0, 2, 33], 5349).into(),
        key_pin: counting(0x70),
        lifetime_seconds: 7200,
        credentials: pairs
            .map(|(user, password)| Credential {
                user: text(user),
                password: text(password),
            })
            .into(),
    };
    let fields = json!({ "transport": "tls", "address": "192.0.2.33", "port": 5349,
        "key_pin": hex(cred.key_pin), "lifetime_seconds": 7200, "credentials": pairs });
    frame("CRED", fields, &Frame::Cred(cred))
}

fn candidates() -> (Candidates, Value) {
    let ports = vec![49_160, 49_161, 65_535];
    let fields = json!({ "address": "2001:db8::7", "ports": ports });
    let address = [0x2001, 0xdb8, 0, 0, 0, 0, 0, 7_u16].into();
    (
        Candidates::new(address, ports).expect("three ports"),
        fields,
    )
}

fn refill(tokens: u8) -> (Refill, Value) {
    let tokens: Vec<Token> = (0..tokens).map(|n| token(0x80 + n)).collect();
    let (batch, after, check) = (BatchNumber(7), BatchNumber(5), counting(0xd0));
    let fields = json!({ "batch": 7, "after": 5, "check": hex(check),
        "tokens": tokens.iter().map(|t| hex(t.to_bytes())).collect::<Vec<_>>() });
    (
        Refill {
            batch,
            after,
            check,
            tokens,
        },
        fields,
    )
}

fn address(hosting: Hosting, discovery: bool) -> (AddressMove, Value) {
    let discovery = discovery.then(|| SecretBytes::new(counting(0xa0)));
    let address = ContactAddress {
        hosting,
        server: OnionKey(counting(0x90)),
        mailbox: MailboxId(counting(0x30)),
        discovery,
    };
    let resync = address.discovery.is_some().then(|| token(0xc0));
    let fields = json!({ "sequence": 3,
        "hosting": if hosting == Hosting::Embedded { "embedded" } else { "operated" },
        "server": hex(address.server.0), "mailbox_id": hex(address.mailbox.0),
        "discovery": address.discovery.as_ref().map(|secret| hex(secret.expose())),
        "resync": resync.map(|t| hex(t.to_bytes())) });
    (
        AddressMove {
            sequence: 3,
            address,
            resync,
        },
        fields,
    )
}

fn payloads() -> Vec<Value> {
    let mut all = opening_payloads();
    all.extend(response_payloads());
    all.extend(pipe_payloads());
    all
}

fn opening(name: &str, fields: Value, opening: &Opening) -> Value {
    let bytes = opening.encode();
    let back = Opening::decode(opening.purpose(), &bytes);
    assert_eq!(back.as_ref(), Ok(opening), "{name} comes back");
    json!({ "name": name, "fields": fields, "bytes": hex(bytes) })
}

fn response(name: &str, purpose: Purpose, fields: Value, response: &Response) -> Value {
    let bytes = response.encode();
    let back = Response::decode(purpose, &bytes);
    assert_eq!(back.as_ref(), Ok(response), "{name} comes back");
    json!({ "name": name, "fields": fields, "bytes": hex(bytes) })
}

fn opening_payloads() -> Vec<Value> {
    let (candidates, candidates_json) = candidates();
    let (eight, eight_json) = refill(8);
    let (moved, moved_json) = address(Hosting::Embedded, true);
    let turn = Offer {
        highest_version: 1,
        leg_kind: LegKind::Turn,
        legs: 3,
        codec: CodecParameters::VERSION_1,
        candidates: Some(candidates),
        last_batch: BatchNumber(9),
        refill: Some(eight),
        address: Some(moved.clone()),
    };
    let onion = Offer {
        leg_kind: LegKind::Onion,
        legs: 8,
        candidates: None,
        refill: None,
        address: None,
        ..turn.clone()
    };
    let join = JoinOffer {
        highest_version: 1,
        address: moved,
        refill: None,
    };
    let resync = ResyncOffer {
        highest_version: 1,
        last_batch: BatchNumber(9),
        refill: None,
        resync: Some(token(0xc0)),
    };
    let codec = json!([1, 20, 140, 6]);
    vec![
        opening(
            "call message 1",
            json!({ "highest_version": 1, "leg_kind": "turn", "legs": 3, "codec": codec,
                "candidates": candidates_json, "last_batch": 9, "refill": eight_json,
                "move": moved_json }),
            &Opening::Call(turn),
        ),
        opening(
            "call message 1",
            json!({ "highest_version": 1, "leg_kind": "onion", "legs": 8, "codec": codec,
                "candidates": null, "last_batch": 9, "refill": null, "move": null }),
            &Opening::Resume(onion),
        ),
        opening(
            "join message 1",
            json!({ "highest_version": 1, "move": moved_json, "refill": null }),
            &Opening::Join(join),
        ),
        opening(
            "resync message 1",
            json!({ "highest_version": 1, "last_batch": 9, "refill": null,
                "resync": hex(token(0xc0).to_bytes()) }),
            &Opening::Resync(resync),
        ),
    ]
}

fn response_payloads() -> Vec<Value> {
    let (sixteen, sixteen_json) = refill(16);
    let (moved, moved_json) = address(Hosting::Operated, false);
    let reply = Reply {
        status: Status::Ringing,
        highest_version: 1,
        leg_kind: LegKind::Onion,
        legs: 6,
        candidates: None,
        last_batch: BatchNumber(8),
        refill: Some(sixteen),
    };
    let join = JoinReply {
        status: Status::Done,
        highest_version: 1,
        address: Some(moved),
        refill: None,
    };
    let resync = ResyncReply {
        status: Status::Done,
        highest_version: 1,
        last_batch: BatchNumber(8),
        refill: None,
        resync: None,
    };
    vec![
        response(
            "call message 2",
            Purpose::Call,
            json!({ "status": 1, "highest_version": 1, "leg_kind": "onion", "legs": 6,
                "candidates": null, "last_batch": 8, "refill": sixteen_json }),
            &Response::Call(reply),
        ),
        response(
            "join message 2",
            Purpose::Join,
            json!({ "status": 2, "highest_version": 1, "move": moved_json, "refill": null }),
            &Response::Join(join),
        ),
        response(
            "join message 2",
            Purpose::Join,
            json!({ "status": 3, "highest_version": 1, "move": null, "refill": null }),
            &Response::Join(JoinReply::used(1)),
        ),
        response(
            "resync message 2",
            Purpose::Resync,
            json!({ "status": 2, "highest_version": 1, "last_batch": 8, "refill": null,
                "resync": null }),
            &Response::Resync(resync),
        ),
    ]
}

fn pipe_payloads() -> Vec<Value> {
    let (candidates, candidates_json) = candidates();
    let (refill, refill_json) = refill(16);
    let (moved, moved_json) = address(Hosting::Embedded, true);
    let last_batch = BatchNumber(7);
    let messages = [
        (json!({ "kind": 0 }), PipeMessage::Cover),
        (
            json!({ "kind": 1, "last_batch": 7 }),
            PipeMessage::Confirm { last_batch },
        ),
        (json!({ "kind": 2 }), PipeMessage::Accept),
        (json!({ "kind": 3 }), PipeMessage::Bye),
        (
            json!({ "kind": 4, "candidates": candidates_json }),
            PipeMessage::Candidates(candidates),
        ),
        (
            json!({ "kind": 5, "last_batch": 7, "refill": refill_json }),
            PipeMessage::Refill {
                last_batch,
                refill: Some(refill),
            },
        ),
        (
            json!({ "kind": 6, "move": moved_json }),
            PipeMessage::Address(moved),
        ),
    ];
    messages
        .into_iter()
        .map(|(fields, message)| {
            let bytes = message.encode();
            assert_eq!(PipeMessage::decode(&bytes), Ok(message), "it comes back");
            json!({ "name": "PIPE plaintext", "fields": fields, "bytes": hex(bytes) })
        })
        .collect()
}
