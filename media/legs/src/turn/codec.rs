//! STUN messages to and from bytes, by the family's codec.

use core::time::Duration;
use std::net::SocketAddr;

use rtc_stun::attributes::{
    ATTR_MESSAGE_INTEGRITY, ATTR_NONCE, ATTR_REALM, ATTR_USERNAME, ATTR_XOR_RELAYED_ADDRESS,
    AttrType,
};
use rtc_stun::crypto::{RTCCryptoProvider, default_provider};
use rtc_stun::error_code::ErrorCodeAttribute;
use rtc_stun::integrity::MessageIntegrity;
use rtc_stun::message::{
    CLASS_ERROR_RESPONSE, CLASS_REQUEST, CLASS_SUCCESS_RESPONSE, Getter, METHOD_ALLOCATE,
    METHOD_CHANNEL_BIND, METHOD_REFRESH, Message, MessageType, Method, Setter, TransactionId,
};
use rtc_stun::textattrs::TextAttribute;
use rtc_turn::proto::PROTO_UDP;
use rtc_turn::proto::channum::ChannelNumber;
use rtc_turn::proto::lifetime::Lifetime;
use rtc_turn::proto::peeraddr::PeerAddress;
use rtc_turn::proto::relayaddr::RelayedAddress;
use rtc_turn::proto::reqtrans::RequestedTransport;
use std::sync::Arc;
use tacit_types::LegIndex;
use zeroize::Zeroizing;

use super::TurnCredentials;
use crate::leg::{DropReason, Failure};
use crate::limits::MAX_TEXT;

/// What we ask a server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Request {
    /// An Allocate without credentials, to learn realm and nonce.
    Probe,
    Allocate,
    Bind {
        leg: LegIndex,
        channel: u16,
        addr: SocketAddr,
    },
    Refresh,
    /// A Refresh with lifetime 0: gives the allocation back.
    Release,
}

impl Request {
    const fn method(&self) -> Method {
        match self {
            Self::Probe | Self::Allocate => METHOD_ALLOCATE,
            Self::Bind { .. } => METHOD_CHANNEL_BIND,
            Self::Refresh | Self::Release => METHOD_REFRESH,
        }
    }
}

/// What long-term credentials (RFC 8489 §9.2) become once realm and nonce are known.
pub(super) struct Login {
    username: TextAttribute,
    realm: TextAttribute,
    nonce: TextAttribute,
    key: Zeroizing<Vec<u8>>,
}

impl Login {
    pub(super) fn set_nonce(&mut self, nonce: String) {
        self.nonce.text = nonce;
    }
}

/// The family's codec with the cryptography that it wants to be handed.
pub(super) struct Codec {
    crypto: Arc<dyn RTCCryptoProvider>,
}

/// How much a response proves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Integrity {
    Absent,
    Wrong,
    Valid,
}

/// A response, reduced to what this client reads. Attributes that come after MESSAGE-INTEGRITY are
/// not part of it: nothing vouches for them.
#[derive(Debug)]
pub(super) struct Response {
    pub(super) id: TransactionId,
    pub(super) method: Method,
    pub(super) integrity: Integrity,
    pub(super) outcome: Outcome,
}

#[derive(Debug)]
pub(super) enum Outcome {
    Success {
        relayed: Option<SocketAddr>,
        lifetime: Option<Duration>,
    },
    Error {
        code: u16,
        realm: Option<String>,
        nonce: Option<String>,
    },
}

impl Response {
    pub(super) fn answers(&self, request: &Request) -> bool {
        self.method == request.method()
    }
}

impl Codec {
    pub(super) fn new() -> Self {
        let crypto = default_provider().expect("the crate's manifest enables one provider");
        Self { crypto }
    }

    /// The key for a realm and its first nonce.
    pub(super) fn login(
        &self,
        credentials: &TurnCredentials,
        realm: String,
        nonce: String,
    ) -> Result<Login, Failure> {
        let key = MessageIntegrity::long_term_integrity_key(
            credentials.username.to_string(),
            realm.clone(),
            credentials.password.to_string(),
            self.crypto.crypto(),
        );
        Ok(Login {
            username: TextAttribute::new(ATTR_USERNAME, credentials.username.to_string()),
            realm: TextAttribute::new(ATTR_REALM, realm),
            nonce: TextAttribute::new(ATTR_NONCE, nonce),
            key: Zeroizing::new(key.map_err(|_| Failure::Encoding)?),
        })
    }

    pub(super) fn encode(
        &self,
        request: &Request,
        id: TransactionId,
        login: Option<&Login>,
    ) -> Result<Vec<u8>, Failure> {
        let kind = MessageType::new(request.method(), CLASS_REQUEST);
        let mut setters: Vec<Box<dyn Setter + '_>> = vec![Box::new(kind), Box::new(id)];
        match *request {
            Request::Probe | Request::Allocate => {
                setters.push(Box::new(RequestedTransport {
                    protocol: PROTO_UDP,
                }));
            }
            Request::Bind { channel, addr, .. } => {
                setters.push(Box::new(ChannelNumber(channel)));
                setters.push(Box::new(PeerAddress {
                    ip: addr.ip(),
                    port: addr.port(),
                }));
            }
            Request::Refresh => {}
            Request::Release => setters.push(Box::new(Lifetime(Duration::ZERO))),
        }
        if let Some(login) = login {
            setters.push(Box::new(login.username.clone()));
            setters.push(Box::new(login.realm.clone()));
            setters.push(Box::new(login.nonce.clone()));
            setters.push(Box::new(MessageIntegrity::new_raw_integrity_with_provider(
                login.key.to_vec(),
                self.crypto.crypto(),
            )));
        }
        let mut message = Message::new();
        message.build(&setters).map_err(|_| Failure::Encoding)?;
        Ok(message.raw)
    }

    pub(super) fn decode(
        &self,
        bytes: &[u8],
        login: Option<&Login>,
    ) -> Result<Response, DropReason> {
        let mut message = Message::new();
        message
            .unmarshal_binary(bytes)
            .map_err(|_| DropReason::Malformed)?;
        let success = match message.typ.class {
            CLASS_SUCCESS_RESPONSE => true,
            CLASS_ERROR_RESPONSE => false,
            _ => return Err(DropReason::Unexpected),
        };
        let integrity = self.take_integrity(&mut message, login);
        let outcome = if success {
            Outcome::Success {
                relayed: relayed_address(&message),
                lifetime: get::<Lifetime>(&message).map(|lifetime| lifetime.0),
            }
        } else {
            let code = get::<ErrorCodeAttribute>(&message)
                .ok_or(DropReason::Malformed)?
                .code
                .0;
            let (realm, nonce) = (text(&message, ATTR_REALM), text(&message, ATTR_NONCE));
            Outcome::Error { code, realm, nonce }
        };
        Ok(Response {
            id: message.transaction_id,
            method: message.typ.method,
            integrity,
            outcome,
        })
    }

    /// Checks MESSAGE-INTEGRITY and cuts off what comes after it.
    fn take_integrity(&self, message: &mut Message, login: Option<&Login>) -> Integrity {
        let position = message
            .attributes
            .0
            .iter()
            .position(|a| a.typ == ATTR_MESSAGE_INTEGRITY);
        let (Some(position), Some(login)) = (position, login) else {
            return Integrity::Absent;
        };
        let checked = MessageIntegrity::check(message, &login.key, self.crypto.crypto());
        message.attributes.0.truncate(position);
        if checked.is_ok() {
            Integrity::Valid
        } else {
            Integrity::Wrong
        }
    }
}

fn get<T: Getter + Default>(message: &Message) -> Option<T> {
    let mut value = T::default();
    value.get_from(message).is_ok().then_some(value)
}

fn text(message: &Message, attribute: AttrType) -> Option<String> {
    let text = TextAttribute::get_from_as(message, attribute).ok()?.text;
    (!text.is_empty() && text.len() < MAX_TEXT).then_some(text)
}

/// XOR-RELAYED-ADDRESS, if it has exactly the length of its family: the codec itself would fill up
/// a short one with zeros.
fn relayed_address(message: &Message) -> Option<SocketAddr> {
    let length = message.get(ATTR_XOR_RELAYED_ADDRESS).ok()?.len();
    let relayed = get::<RelayedAddress>(message)?;
    let whole = if relayed.ip.is_ipv4() { 8 } else { 20 };
    (length == whole).then(|| SocketAddr::new(relayed.ip, relayed.port))
}

/// The channel that a ChannelBind request names.
#[cfg(test)]
pub(super) fn channel_of(request: &Message) -> u16 {
    get::<ChannelNumber>(request)
        .expect("a ChannelBind names its channel")
        .0
}
