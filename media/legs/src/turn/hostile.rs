//! A TURN server that knows the password and means no good, for fuzzing and the unit tests. It
//! answers requests as the caller chooses, signed as a real one would.

use core::time::Duration;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use rtc_shared::turn_framing::TurnStreamDecoder;
use rtc_stun::attributes::{ATTR_NONCE, ATTR_REALM, ATTR_USERNAME};
use rtc_stun::crypto::default_provider;
use rtc_stun::error_code::{ErrorCode, ErrorCodeAttribute};
use rtc_stun::integrity::MessageIntegrity;
use rtc_stun::message::{
    CLASS_ERROR_RESPONSE, CLASS_SUCCESS_RESPONSE, METHOD_ALLOCATE, METHOD_REFRESH, Message,
    MessageClass, MessageType, Setter,
};
use rtc_stun::textattrs::TextAttribute;
use rtc_turn::proto::lifetime::Lifetime;
use rtc_turn::proto::relayaddr::RelayedAddress;
use tacit_types::Timestamp;

use super::TurnLeg;
use crate::leg::Leg;

/// The relayed address that this server gives.
pub(crate) const RELAYED: SocketAddr =
    SocketAddr::new(IpAddr::V4(Ipv4Addr::new(203, 0, 113, 9)), 50_000);

const REALM: &str = "tacit";
const USER: &str = "user";
const PASSWORD: &str = "password";

/// How a request is answered.
#[derive(Clone, Debug)]
pub(crate) enum Answer {
    /// As asked, with this lifetime.
    Grant(Duration),
    /// As asked, but not signed.
    Unsigned,
    /// As asked, but signed with another password.
    Forged,
    /// A success without what must be in it.
    Empty,
    /// An error with this code, and a nonce where one belongs.
    Error(u16),
    /// An error with this code that is signed, as coturn does after it knows the user.
    SignedError(u16),
    /// Not at all.
    Silence,
}

/// Whole STUN requests in what a client wrote; ChannelData is skipped.
pub(crate) fn requests(written: &[u8]) -> Vec<Message> {
    let mut decoder = TurnStreamDecoder::new();
    decoder.extend_from_slice(written);
    let messages = core::iter::from_fn(|| decoder.next_message().ok().flatten());
    messages
        .filter(|bytes| bytes[0] >> 6 == 0)
        .filter_map(|bytes| {
            let mut message = Message::new();
            message.unmarshal_binary(&bytes).ok()?;
            Some(message)
        })
        .collect()
}

/// Whether a request carries credentials.
pub(crate) fn is_signed(request: &Message) -> bool {
    request.contains(ATTR_USERNAME)
}

/// The bytes of one answer.
pub(crate) fn respond(request: &Message, answer: &Answer) -> Vec<u8> {
    let (class, setters, password) = match answer {
        Answer::Silence => return Vec::new(),
        Answer::Grant(lifetime) => (
            CLASS_SUCCESS_RESPONSE,
            granted(request, *lifetime),
            PASSWORD,
        ),
        Answer::Unsigned => (
            CLASS_SUCCESS_RESPONSE,
            granted(request, Duration::from_secs(600)),
            "",
        ),
        Answer::Forged => (
            CLASS_SUCCESS_RESPONSE,
            granted(request, Duration::from_secs(600)),
            "other",
        ),
        Answer::Empty => (CLASS_SUCCESS_RESPONSE, Vec::new(), PASSWORD),
        Answer::Error(code) => (CLASS_ERROR_RESPONSE, error(*code), ""),
        Answer::SignedError(code) => (CLASS_ERROR_RESPONSE, error(*code), PASSWORD),
    };
    build(request, class, setters, password)
}

fn granted(request: &Message, lifetime: Duration) -> Vec<Box<dyn Setter>> {
    match request.typ.method {
        METHOD_ALLOCATE => {
            let relayed = RelayedAddress {
                ip: RELAYED.ip(),
                port: RELAYED.port(),
            };
            vec![Box::new(relayed), Box::new(Lifetime(lifetime))]
        }
        METHOD_REFRESH => vec![Box::new(Lifetime(lifetime))],
        _ => Vec::new(),
    }
}

fn error(code: u16) -> Vec<Box<dyn Setter>> {
    let mut setters: Vec<Box<dyn Setter>> = vec![Box::new(ErrorCodeAttribute {
        code: ErrorCode(code),
        reason: b"no".to_vec(),
    })];
    if matches!(code, 401 | 438) {
        setters.push(Box::new(TextAttribute::new(ATTR_REALM, REALM.to_owned())));
        setters.push(Box::new(TextAttribute::new(
            ATTR_NONCE,
            format!("nonce{code}"),
        )));
    }
    setters
}

fn build(
    request: &Message,
    class: MessageClass,
    setters: Vec<Box<dyn Setter>>,
    password: &str,
) -> Vec<u8> {
    let crypto = default_provider().expect("the crate's manifest enables one provider");
    let mut all: Vec<Box<dyn Setter + '_>> = vec![
        Box::new(MessageType::new(request.typ.method, class)),
        Box::new(request.transaction_id),
    ];
    for setter in setters {
        all.push(setter);
    }
    if !password.is_empty() {
        let integrity = MessageIntegrity::new_long_term_integrity_with_provider(
            USER.to_owned(),
            REALM.to_owned(),
            password.to_owned(),
            crypto.crypto(),
        );
        all.push(Box::new(integrity.expect("the provider has MD5")));
    }
    let mut message = Message::new();
    message.build(&all).expect("these attributes are short");
    message.raw
}

/// Answers the 401 probe as it must be and everything else as asked.
pub(crate) fn serve(written: &[u8], answer: &Answer) -> Vec<u8> {
    let answer_to = |request: &Message| {
        let answer = if is_signed(request) {
            answer
        } else {
            &Answer::Error(401)
        };
        respond(request, answer)
    };
    requests(written).iter().flat_map(answer_to).collect()
}

/// Takes a leg to where it relays.
pub(crate) fn let_in(leg: &mut TurnLeg, now: Timestamp) {
    let grant = Answer::Grant(Duration::from_secs(600));
    let mut written = Vec::new();
    while leg.poll_transmit(now, &mut written).is_some() {
        leg.handle_input(&serve(&written, &grant), now);
    }
}

/// Answers what a client wrote in the way that one byte chooses.
pub(crate) fn answer(written: &[u8], choice: u8) -> Vec<u8> {
    let answer = match choice >> 1 {
        0..40 => Answer::Grant(Duration::from_secs(u64::from(choice) * 37)),
        40..50 => Answer::Silence,
        50..54 => Answer::Unsigned,
        54..58 => Answer::Forged,
        58..62 => Answer::Empty,
        62..80 => Answer::Error(438),
        80..90 => Answer::SignedError(437),
        90..100 => Answer::SignedError(400),
        low => Answer::Error(300 + u16::from(low) * 2),
    };
    serve(written, &answer)
}
