//! tacit-crypto: what comes from strangers.

use std::sync::OnceLock;

use tacit_crypto::token::TOKEN_BYTES;
use tacit_crypto::{
    Generation, Initiator, Invite, MailboxSecret, PacketOpener, PipeOpener, Prologue, Psk, Purpose,
    Refill, Responder, SessionKeys, StaticKeypair, Token,
};
use tacit_types::limits::{PACKET_BYTES, PACKET_PLAINTEXT_BYTES};
use tacit_types::{LegIndex, MailboxId, OnionKey, Path, SecretBytes, Timestamp};

use crate::rand::{fixed, padded};

/// An invite as a link and as a file.
pub(crate) fn invite(bytes: &[u8]) {
    if let Ok(invite) = Invite::from_bytes(bytes) {
        assert_eq!(
            invite.to_bytes().as_slice(),
            bytes,
            "an invite has one form"
        );
    }
    if let Ok(text) = core::str::from_utf8(bytes)
        && let Ok(invite) = Invite::from_link(text)
    {
        let again = Invite::from_link(&invite.to_link()).expect("what was read can be written");
        assert_eq!(again.to_bytes(), invite.to_bytes());
    }
}

/// A token at a server.
pub(crate) fn token(bytes: &[u8]) {
    let bytes = padded::<TOKEN_BYTES>(bytes);
    let token = Token::from_bytes(&bytes);
    assert_eq!(token.to_bytes(), bytes);
    let secret = MailboxSecret::from_secret(SecretBytes::new([3; 32]));
    let key = secret.token_key(Generation(token.generation));
    let genuine = key.verify(&secret.attach_secret().mailbox_id(), &token);
    assert!(!genuine, "nobody forges a tag of 16 bytes");
}

/// A refill, in front of other bytes.
pub(crate) fn refill(bytes: &[u8]) {
    if let Some((refill, rest)) = Refill::decode(bytes) {
        assert_eq!(refill.encode(), &bytes[..bytes.len() - rest.len()]);
    }
}

/// Message 1 of each kind, at the callee; message 2, at the caller. The first byte chooses.
pub(crate) fn handshake(bytes: &[u8]) {
    let Some((choice, message)) = bytes.split_first() else {
        return;
    };
    let purpose = Purpose::from_byte(*choice).unwrap_or(Purpose::Call);
    let prologue = prologue(purpose);
    let (caller, callee) = people();
    let psk = Psk::new([5; 32]);
    let responder = match purpose {
        Purpose::Call | Purpose::Resume => {
            Responder::call(&prologue, &callee, &caller.public(), &psk)
        }
        Purpose::Join => Responder::join(&prologue, &callee, &psk),
        Purpose::Resync => Responder::resync(&prologue, &callee, &caller.public()),
    };
    assert!(responder.read(message).is_err(), "nobody forges message 1");
    let mut initiator = Initiator::call(
        &prologue_of_calls(),
        &caller,
        &callee.public(),
        &psk,
        &mut fixed(),
    );
    initiator
        .write(&[])
        .expect("the first message can be written");
    assert!(initiator.read(message).is_err(), "nobody forges message 2");
}

/// Packets on a few paths, a second apart.
pub(crate) fn packet_opener(bytes: &[u8]) {
    let mut opener = PacketOpener::new(&keys().media(), Timestamp::ZERO);
    let mut plain = [0; PACKET_PLAINTEXT_BYTES];
    for (chunk, number) in bytes.chunks(PACKET_BYTES).zip(0_u64..8) {
        let packet = padded::<PACKET_BYTES>(chunk);
        let path = Path {
            sender: LegIndex(packet[0]),
            receiver: LegIndex(packet[1]),
        };
        let now = Timestamp::from_micros(number * 1_000_000);
        assert!(
            opener.open(path, &packet, now, &mut plain).is_err(),
            "nobody forges a packet"
        );
        assert_eq!(
            plain, [0; PACKET_PLAINTEXT_BYTES],
            "what does not authenticate is not shown"
        );
    }
}

/// PIPE frames.
pub(crate) fn pipe_opener(bytes: &[u8]) {
    let mut opener = PipeOpener::new(&keys().pipe());
    for chunk in bytes.chunks(475).take(8) {
        assert!(
            opener.open(&padded(chunk)).is_err(),
            "nobody forges a frame"
        );
    }
}

fn people() -> (StaticKeypair, StaticKeypair) {
    let mut rng = fixed();
    (
        StaticKeypair::generate(&mut rng),
        StaticKeypair::generate(&mut rng),
    )
}

fn prologue_of_calls() -> Prologue {
    prologue(Purpose::Call)
}

fn prologue(purpose: Purpose) -> Prologue {
    Prologue {
        purpose,
        hello_nonce: [1; 32],
        server: OnionKey([2; 32]),
        mailbox: MailboxId([3; 16]),
        token: Token::from_bytes(&[4; TOKEN_BYTES]),
    }
}

/// Keys of a finished handshake.
fn keys() -> SessionKeys {
    static KEYS: OnceLock<SessionKeys> = OnceLock::new();
    KEYS.get_or_init(|| {
        let (caller, callee) = people();
        let psk = Psk::new([5; 32]);
        let prologue = prologue_of_calls();
        let mut initiator =
            Initiator::call(&prologue, &caller, &callee.public(), &psk, &mut fixed());
        let message_1 = initiator
            .write(&[])
            .expect("the first message can be written");
        let responder = Responder::call(&prologue, &callee, &caller.public(), &psk);
        let (_, answer) = responder.read(&message_1).expect("both sides are honest");
        answer
            .write(&[], &mut fixed())
            .expect("the answer can be written")
            .1
    })
    .clone()
}
