//! tacit-signaling: frames, payloads, and the machines that take them.

use tacit_crypto::{Generation, MailboxSecret, Purpose, SpentBitmap};
use tacit_signaling::frame::Attach;
use tacit_signaling::limits::{
    JOIN_OFFER_BYTES, OFFER_BYTES, PIPE_PLAINTEXT_BYTES, REPLY_BYTES, SIGNALING_FRAME_BYTES,
};
use tacit_signaling::{
    Callee, Caller, ConnectionId, Frame, Malformed, Opening, PipeMessage, Rate, Response, Server,
    ServerConfig, ServerEvent,
};
use tacit_types::{SecretBytes, Timestamp};

use crate::rand::padded;

/// Most operations on a machine in one run.
const MAX_STEPS: usize = 200;

/// A frame from anybody.
pub(crate) fn frame(bytes: &[u8]) {
    if bytes.len() != SIGNALING_FRAME_BYTES {
        assert_eq!(Frame::decode(bytes), Err(Malformed::Length));
    }
    let bytes = padded::<SIGNALING_FRAME_BYTES>(bytes);
    if let Ok(frame) = Frame::decode(&bytes) {
        assert_eq!(frame.encode(), bytes, "a frame has one form: {frame:?}");
    }
}

/// Payloads of both handshake messages and of PIPE. The first byte chooses.
pub(crate) fn payload(bytes: &[u8]) {
    let Some((choice, body)) = bytes.split_first() else {
        return;
    };
    let purpose = Purpose::from_byte(choice & 0x7f).unwrap_or(Purpose::Call);
    let offer = match purpose {
        Purpose::Join => padded::<JOIN_OFFER_BYTES>(body).to_vec(),
        _ => padded::<OFFER_BYTES>(body).to_vec(),
    };
    if let Ok(opening) = Opening::decode(purpose, &offer) {
        assert_eq!(opening.encode(), offer, "an opening has one form");
    }
    let reply = padded::<REPLY_BYTES>(body);
    if let Ok(response) = Response::decode(purpose, &reply) {
        assert_eq!(response.encode(), reply, "a response has one form");
    }
    let plain = padded::<PIPE_PLAINTEXT_BYTES>(body);
    match PipeMessage::decode(&plain) {
        Ok(PipeMessage::Unknown(_)) | Err(_) => {}
        Ok(message) => assert_eq!(message.encode(), plain, "a message has one form"),
    }
}

/// Connections come, send, go and wait, at a server for many and at one for its owner.
pub(crate) fn server(bytes: &[u8]) {
    for config in [ServerConfig::operated(), ServerConfig::Embedded] {
        drive_server(Server::new(config, [9; 32]), bytes);
    }
}

fn drive_server(mut server: Server, bytes: &[u8]) {
    let owner = ConnectionId(1000);
    let mut now = Timestamp::ZERO;
    server.attach_local(owner, &attach(), now);
    let mut rest = bytes;
    for _ in 0..MAX_STEPS {
        let Some(([op, who, length], tail)) = rest.split_first_chunk() else {
            break;
        };
        let (body, tail) = tail.split_at(tail.len().min(usize::from(*length) * 2));
        rest = tail;
        let conn = ConnectionId(u64::from(who % 12));
        match op % 6 {
            0 => server.connect(conn, now),
            1 | 2 => server.handle_input(conn, &padded(body), now),
            3 => server.disconnect(conn, now),
            4 => server.frame_started(conn, now),
            _ => {
                now += core::time::Duration::from_millis(u64::from(*who) * 100);
                server.handle_timeout(now);
                assert!(
                    server.poll_timeout().is_none_or(|(at, _)| at > now),
                    "deadlines lie ahead"
                );
            }
        }
        drain(&mut server);
    }
    assert!(server.connections() <= 13, "one for each that came");
}

fn drain(server: &mut Server) {
    while let Some((_, frame)) = server.poll_transmit() {
        Frame::decode(&frame).expect("a server sends whole frames");
    }
    while let Some(event) = server.poll_event() {
        let (ServerEvent::Close { .. } | ServerEvent::CredentialsWanted { .. }) = event;
    }
}

fn attach() -> Attach {
    let secret = MailboxSecret::from_secret(SecretBytes::new([3; 32]));
    Attach {
        secret: secret.attach_secret(),
        generation: Generation(0),
        token_key: secret.token_key(Generation(0)),
        ring_rate: Rate {
            burst: 8,
            interval: core::time::Duration::from_secs(1),
        },
        spent: SpentBitmap::EMPTY,
    }
}

/// Feeds a machine that has one stream; caller and callee have the same verbs.
macro_rules! drive_client {
    ($client:expr, $bytes:expr) => {
        let mut client = $client;
        let mut now = Timestamp::ZERO;
        for chunk in $bytes.chunks(SIGNALING_FRAME_BYTES).take(MAX_STEPS) {
            client.handle_input(&padded(chunk), now);
            while let Some(frame) = client.poll_transmit() {
                Frame::decode(&frame).expect("a client sends whole frames");
            }
            while client.poll_event().is_some() {}
            now += core::time::Duration::from_secs(1);
            client.handle_timeout(now);
            assert!(
                client.poll_timeout().is_none_or(|(at, _)| at > now),
                "deadlines lie ahead"
            );
        }
    };
}

/// A hostile server, seen from the caller.
pub(crate) fn caller(bytes: &[u8]) {
    drive_client!(Caller::new([9; 32], 2, Timestamp::ZERO), bytes);
}

/// A hostile server, seen from the callee, elsewhere and in process.
pub(crate) fn callee(bytes: &[u8]) {
    drive_client!(
        Callee::operated(vec![attach()], [9; 32], Timestamp::ZERO),
        bytes
    );
    drive_client!(Callee::embedded([9; 32]), bytes);
}
