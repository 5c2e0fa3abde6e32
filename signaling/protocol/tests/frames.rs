//! Frames and payloads: what decodes encodes to the same bytes, and no bytes make a panic.
#![allow(clippy::unwrap_used)]

mod common;

use core::net::IpAddr;
use proptest::prelude::*;
use tacit_crypto::{
    AttachSecret, BatchNumber, Generation, Purpose, Refill, SpentBitmap, Token, TokenKey,
};
use tacit_signaling::frame::*;
use tacit_signaling::limits::*;
use tacit_signaling::payload::*;
use tacit_signaling::{Frame, Handle, Malformed, Opening, PipeMessage, Rate, Response};
use tacit_types::{LegKind, MailboxId, OnionKey, SecretBytes};

fn bytes<const N: usize>() -> impl Strategy<Value = [u8; N]> {
    any::<[u8; 32]>().prop_map(|seed| core::array::from_fn(|i| seed[i % 32] ^ (i / 32) as u8))
}

fn purpose() -> impl Strategy<Value = Purpose> {
    (1_u8..5).prop_map(|b| Purpose::from_byte(b).unwrap())
}

fn token() -> impl Strategy<Value = Token> {
    bytes::<20>().prop_map(|b| Token::from_bytes(&b))
}

fn refill(room: usize) -> impl Strategy<Value = Option<Refill>> {
    let some = (
        1..u32::MAX,
        any::<u32>(),
        any::<[u8; 4]>(),
        prop::collection::vec(token(), 1..=room),
    );
    prop::option::of(some.prop_map(|(batch, after, check, tokens)| Refill {
        batch: BatchNumber(batch),
        after: BatchNumber(after),
        check,
        tokens,
    }))
}

fn candidates() -> impl Strategy<Value = Candidates> {
    (any::<IpAddr>(), prop::collection::vec(1_u16.., 1..=16))
        .prop_map(|(address, ports)| Candidates::new(address, ports).unwrap())
}

fn address() -> impl Strategy<Value = AddressMove> {
    let fields = (any::<u32>(), any::<bool>(), bytes::<32>(), bytes::<16>());
    (
        fields,
        prop::option::of(bytes::<32>()),
        prop::option::of(token()),
    )
        .prop_map(
            |((sequence, embedded, server, mailbox), discovery, resync)| AddressMove {
                sequence,
                address: ContactAddress {
                    hosting: if embedded {
                        Hosting::Embedded
                    } else {
                        Hosting::Operated
                    },
                    server: OnionKey(server),
                    mailbox: MailboxId(mailbox),
                    discovery: discovery.map(SecretBytes::new),
                },
                resync,
            },
        )
}

fn media() -> impl Strategy<Value = (LegKind, Option<Candidates>)> {
    prop_oneof![
        Just((LegKind::Onion, None)),
        prop::option::of(candidates()).prop_map(|c| (LegKind::Turn, c)),
    ]
}

fn opening() -> impl Strategy<Value = Opening> {
    let offer = (
        1_u8..,
        media(),
        1_u8..17,
        any::<[u8; 4]>(),
        any::<u32>(),
        refill(8),
        prop::option::of(address()),
    )
        .prop_map(
            |(highest_version, (leg_kind, candidates), legs, codec, last, refill, address)| Offer {
                highest_version,
                leg_kind,
                legs,
                codec: CodecParameters {
                    codec: codec[0],
                    frame_ms: codec[1],
                    frame_bytes: codec[2],
                    repeated: codec[3],
                },
                candidates,
                last_batch: BatchNumber(last),
                refill,
                address,
            },
        );
    let join =
        (1_u8.., address(), refill(8)).prop_map(|(highest_version, address, refill)| JoinOffer {
            highest_version,
            address,
            refill,
        });
    let resync = (1_u8.., any::<u32>(), refill(16), prop::option::of(token())).prop_map(
        |(highest_version, last, refill, resync)| ResyncOffer {
            highest_version,
            last_batch: BatchNumber(last),
            refill,
            resync,
        },
    );
    prop_oneof![
        (offer, any::<bool>()).prop_map(|(offer, resume)| {
            if resume {
                Opening::Resume(offer)
            } else {
                Opening::Call(offer)
            }
        }),
        join.prop_map(Opening::Join),
        resync.prop_map(Opening::Resync),
    ]
}

fn status() -> impl Strategy<Value = Status> {
    prop_oneof![
        Just(Status::Ringing),
        Just(Status::Done),
        Just(Status::Used)
    ]
}

fn response() -> impl Strategy<Value = (Purpose, Response)> {
    let call = (
        status(),
        1_u8..,
        media(),
        1_u8..17,
        any::<u32>(),
        refill(16),
    )
        .prop_map(
            |(status, highest_version, (leg_kind, candidates), legs, last, refill)| Reply {
                status,
                highest_version,
                leg_kind,
                legs,
                candidates,
                last_batch: BatchNumber(last),
                refill,
            },
        );
    let join = (status(), 1_u8.., prop::option::of(address()), refill(15)).prop_map(
        |(status, highest_version, address, refill)| JoinReply {
            status,
            highest_version,
            address,
            refill,
        },
    );
    let resync = (
        status(),
        1_u8..,
        any::<u32>(),
        refill(16),
        prop::option::of(token()),
    )
        .prop_map(
            |(status, highest_version, last, refill, resync)| ResyncReply {
                status,
                highest_version,
                last_batch: BatchNumber(last),
                refill,
                resync,
            },
        );
    prop_oneof![
        call.prop_map(|r| (Purpose::Call, Response::Call(r))),
        join.prop_map(|r| (Purpose::Join, Response::Join(r))),
        resync.prop_map(|r| (Purpose::Resync, Response::Resync(r))),
    ]
}

fn pipe_message() -> impl Strategy<Value = PipeMessage> {
    prop_oneof![
        Just(PipeMessage::Cover),
        Just(PipeMessage::Accept),
        Just(PipeMessage::Bye),
        any::<u32>().prop_map(|b| PipeMessage::Confirm {
            last_batch: BatchNumber(b)
        }),
        candidates().prop_map(PipeMessage::Candidates),
        (any::<u32>(), refill(16)).prop_map(|(b, refill)| PipeMessage::Refill {
            last_batch: BatchNumber(b),
            refill
        }),
        address().prop_map(PipeMessage::Address),
    ]
}

fn cred() -> impl Strategy<Value = Frame> {
    let text = || "[!-~]{1,32}".prop_map(|t| CredentialText::new(&t).unwrap());
    let credential = (text(), text()).prop_map(|(user, password)| Credential { user, password });
    (
        any::<bool>(),
        any::<IpAddr>(),
        1_u16..,
        bytes(),
        any::<u32>(),
        prop::collection::vec(credential, 0..=6),
    )
        .prop_map(|(tls, ip, port, key_pin, lifetime_seconds, credentials)| {
            Frame::Cred(Cred {
                transport: if tls {
                    Transport::Tls
                } else {
                    Transport::DangerousPlainTcp
                },
                server: (ip, port).into(),
                key_pin,
                lifetime_seconds,
                credentials,
            })
        })
}

fn attach() -> impl Strategy<Value = Frame> {
    (bytes(), 0..u16::MAX, bytes(), any::<(u16, u16)>(), bytes()).prop_map(
        |(secret, generation, key, (burst, interval), spent)| {
            Frame::Attach(Attach {
                secret: AttachSecret::new(secret),
                generation: Generation(generation),
                token_key: TokenKey::new(key),
                ring_rate: Rate {
                    burst,
                    interval: core::time::Duration::from_secs(interval.into()),
                },
                spent: SpentBitmap(spent),
            })
        },
    )
}

fn hello() -> impl Strategy<Value = Frame> {
    (
        1_u8..9,
        0_u8..9,
        any::<[bool; 2]>(),
        bytes(),
        any::<[u16; 3]>(),
    )
        .prop_map(
            |(lowest, more, [attach, credentials], nonce, [idle, frame, handles])| {
                Frame::Hello(Hello {
                    lowest,
                    highest: lowest + more,
                    services: Services {
                        attach,
                        credentials,
                    },
                    nonce,
                    idle_seconds: idle,
                    frame_seconds: frame,
                    handles,
                })
            },
        )
}

fn frame() -> impl Strategy<Value = Frame> {
    let ring = (bytes(), purpose(), token(), bytes()).prop_map(|(mailbox, purpose, token, m)| {
        Frame::Ring(Ring {
            mailbox: MailboxId(mailbox),
            purpose,
            token,
            message_1: Opaque(m),
        })
    });
    let ring_in = (any::<(u32, u16, u16)>(), purpose(), bytes(), bytes()).prop_map(
        |((handle, generation, index), purpose, nonce, m)| {
            Frame::RingIn(RingIn {
                handle: Handle(handle),
                generation: Generation(generation),
                index,
                purpose,
                nonce,
                message_1: Opaque(m),
            })
        },
    );
    prop_oneof![
        hello(),
        attach(),
        (0..3_usize, any::<u16>()).prop_map(|(status, generation)| Frame::Attached(Attached {
            status: [
                AttachStatus::Accepted,
                AttachStatus::Refused,
                AttachStatus::Replaced
            ][status],
            generation: Generation(generation),
        })),
        Just(Frame::CredGet),
        cred(),
        ring,
        ring_in,
        (any::<u32>(), bytes()).prop_map(|(h, m)| Frame::Answer(Answer {
            handle: Handle(h),
            message_2: Opaque(m)
        })),
        (any::<u32>(), bytes()).prop_map(|(h, m)| Frame::Pipe(Pipe {
            handle: Handle(h),
            ciphertext: Opaque(m)
        })),
        Just(Frame::Nak),
        any::<(bool, u64)>().prop_map(|(echo, number)| Frame::Ping(Ping { echo, number })),
    ]
}

proptest! {
    #[test]
    fn every_frame_is_480_bytes_and_comes_back(frame in frame()) {
        let bytes = frame.encode();
        prop_assert_eq!(bytes.len(), 480);
        prop_assert_eq!(Frame::decode(&bytes), Ok(frame));
        prop_assert_eq!(Frame::decode(&bytes[..479]), Err(Malformed::Length));
    }

    #[test]
    fn a_flipped_bit_is_refused_or_another_value(frame in frame(), at in 0..480_usize, bit in 0..8) {
        let mut bytes = frame.encode();
        bytes[at] ^= 1_u8 << bit;
        if let Ok(other) = Frame::decode(&bytes) {
            prop_assert_ne!(&other, &frame);
            prop_assert_eq!(other.encode(), bytes);
            prop_assert_eq!(core::mem::discriminant(&other), core::mem::discriminant(&frame));
        }
    }

    #[test]
    fn any_bytes_are_a_frame_or_not(mut bytes in bytes::<480>(), kind in any::<u8>(), zeros in 0..480_usize) {
        bytes[0] = kind;
        bytes[zeros..].fill(0);
        if let Ok(frame) = Frame::decode(&bytes) {
            prop_assert_eq!(frame.encode(), bytes);
        }
    }

    #[test]
    fn openings_fill_their_room_and_come_back(opening in opening()) {
        let purpose = opening.purpose();
        let payload = opening.encode();
        let room = if purpose == Purpose::Join { JOIN_OFFER_BYTES } else { OFFER_BYTES };
        prop_assert_eq!(payload.len(), room);
        prop_assert_eq!(Opening::decode(purpose, &payload), Ok(opening));
        prop_assert_eq!(Opening::decode(purpose, &payload[1..]), Err(Malformed::Length));
    }

    #[test]
    fn responses_fill_their_room_and_come_back((purpose, response) in response()) {
        let payload = response.encode();
        prop_assert_eq!(payload.len(), REPLY_BYTES);
        prop_assert!(response.answers(purpose));
        prop_assert_eq!(Response::decode(purpose, &payload), Ok(response));
    }

    #[test]
    fn pipe_messages_fill_their_room_and_come_back(message in pipe_message()) {
        let plaintext = message.encode();
        prop_assert_eq!(plaintext.len(), PIPE_PLAINTEXT_BYTES);
        prop_assert_eq!(PipeMessage::decode(&plaintext), Ok(message));
    }

    #[test]
    fn payloads_of_any_bytes_do_not_panic(mut bytes in bytes::<459>(), kind in any::<u8>(), zeros in 1..459_usize) {
        bytes[0] = kind % 8;
        bytes[zeros..].fill(0);
        for purpose in (1..5).filter_map(Purpose::from_byte) {
            for room in [OFFER_BYTES, JOIN_OFFER_BYTES] {
                if let Ok(opening) = Opening::decode(purpose, &bytes[..room]) {
                    prop_assert_eq!(&opening.encode()[..], &bytes[..room]);
                }
            }
            if let Ok(response) = Response::decode(purpose, &bytes[..REPLY_BYTES]) {
                prop_assert_eq!(&response.encode()[..], &bytes[..REPLY_BYTES]);
            }
        }
        if let Ok(message) = PipeMessage::decode(&bytes)
            && !matches!(message, PipeMessage::Unknown(_))
        {
            prop_assert_eq!(message.encode(), bytes);
        }
    }
}

#[test]
fn malformed_candidates_are_refused() {
    let good = Candidates::new([192, 0, 2, 1].into(), vec![1024, 1025]).unwrap();
    let plain = PipeMessage::Candidates(good).encode();
    let cases: [(usize, u8, Malformed); 6] = [
        (1, 5, Malformed::Value),
        (1, 0, Malformed::Value),
        (6, 1, Malformed::Padding),
        (18, 0, Malformed::Padding),
        (18, 17, Malformed::Value),
        (18, 3, Malformed::Value),
    ];
    for (at, value, error) in cases {
        let mut changed = plain;
        changed[at] = value;
        assert_eq!(PipeMessage::decode(&changed), Err(error), "byte {at}");
    }
    assert!(Candidates::new([192, 0, 2, 1].into(), vec![]).is_err());
    assert!(Candidates::new([192, 0, 2, 1].into(), vec![1024; 17]).is_err());
}

#[test]
fn onion_legs_have_no_candidates() {
    let mut offer = common::offer(BatchNumber(0));
    offer.leg_kind = LegKind::Turn;
    offer.candidates = Some(Candidates::new([192, 0, 2, 1].into(), vec![1024]).unwrap());
    let mut payload = Opening::Call(offer).encode();
    assert!(Opening::decode(Purpose::Call, &payload).is_ok());
    payload[1] = 1;
    assert_eq!(
        Opening::decode(Purpose::Call, &payload),
        Err(Malformed::Value)
    );
}
