//! Writes the corpora's seeds to tests/fuzz/corpus: what honest programs send, for fuzzers to start
//! from. The same files every time.
#![forbid(unsafe_code)]

use std::fs;
use std::net::{IpAddr, Ipv4Addr};
use std::path::Path;

use rand_chacha::ChaCha20Rng;
use rand_core::SeedableRng;
use tacit_crypto::{
    BatchNumber, Generation, Invite, MailboxSecret, Psk, Purpose, Refill, SpentBitmap,
    StaticPublic, Token,
};
use tacit_packet::{Content, ControlBlock, ControlMessage, MediaTime};
use tacit_profile::{KdfParams, PROFILE_FILE, Profile};
use tacit_signaling::frame::{
    Answer, Attach, AttachStatus, Attached, Cred, Credential, CredentialText, Hello, Opaque, Ping,
    Pipe, Ring, RingIn, Services, Transport,
};
use tacit_signaling::payload::{
    AddressMove, Candidates, CodecParameters, ContactAddress, Hosting, JoinOffer, JoinReply, Offer,
    Reply, ResyncOffer, ResyncReply, Status,
};
use tacit_signaling::{Frame, Handle, Opening, PipeMessage, Rate, Response};
use tacit_types::limits::{FRAME_SAMPLES, PACKET_PLAINTEXT_BYTES};
use tacit_types::{
    Cells, FrameNumber, FramePayload, LegIndex, LegKind, MailboxId, OnionKey, Reach, SecretBytes,
    SlotNumber, UnixTime,
};

type Seeds = Vec<(&'static str, &'static str, Vec<u8>)>;

fn main() -> std::io::Result<()> {
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fuzz/corpus");
    let mut seeds = Seeds::new();
    crypto(&mut seeds);
    frames(&mut seeds);
    payloads(&mut seeds);
    machines(&mut seeds);
    media(&mut seeds);
    files(&mut seeds)?;
    for (target, name, bytes) in seeds {
        let folder = corpus.join(target);
        fs::create_dir_all(&folder)?;
        fs::write(folder.join(name), bytes)?;
    }
    Ok(())
}

fn token() -> Token {
    Token {
        generation: 1,
        index: 77,
        tag: [4; 16],
    }
}

fn a_refill() -> Refill {
    Refill {
        batch: BatchNumber(2),
        after: BatchNumber(1),
        check: [9; 4],
        tokens: vec![token(); 3],
    }
}

fn crypto(seeds: &mut Seeds) {
    let mut rng = ChaCha20Rng::from_seed([1; 32]);
    let invite = Invite {
        expires: UnixTime(1_800_000_000),
        server: OnionKey([2; 32]),
        mailbox: MailboxId([3; 16]),
        discovery: SecretBytes::new([5; 32]),
        inviter: StaticPublic([6; 32]),
        token: token(),
        psk: Psk::new([7; 32]),
    };
    let _ = MailboxSecret::generate(&mut rng);
    seeds.push(("invite", "file", invite.to_bytes().to_vec()));
    seeds.push(("invite", "link", invite.to_link().into_bytes()));
    seeds.push(("token", "token", token().to_bytes().to_vec()));
    seeds.push(("refill", "three", a_refill().encode()));
    for (name, purpose) in [
        ("call", Purpose::Call),
        ("join", Purpose::Join),
        ("resync", Purpose::Resync),
        ("resume", Purpose::Resume),
    ] {
        let mut bytes = vec![purpose.to_byte()];
        bytes.resize(1 + 438, 0x5a);
        seeds.push(("handshake", name, bytes));
    }
    seeds.push(("packet_opener", "two", vec![0x5a; 2 * 448]));
    seeds.push(("pipe_opener", "one", vec![0x5a; 475]));
}

fn some_frames() -> Vec<(&'static str, Frame)> {
    let secret = MailboxSecret::from_secret(SecretBytes::new([3; 32]));
    let text = |t| CredentialText::new(t).expect("it is short");
    vec![
        (
            "hello",
            Frame::Hello(Hello {
                lowest: 1,
                highest: 1,
                services: Services {
                    attach: true,
                    credentials: true,
                },
                nonce: [1; 32],
                idle_seconds: 60,
                frame_seconds: 5,
                handles: 8,
            }),
        ),
        (
            "attach",
            Frame::Attach(Attach {
                secret: secret.attach_secret(),
                generation: Generation(0),
                token_key: secret.token_key(Generation(0)),
                ring_rate: Rate {
                    burst: 4,
                    interval: core::time::Duration::from_secs(30),
                },
                spent: SpentBitmap::EMPTY,
            }),
        ),
        (
            "attached",
            Frame::Attached(Attached {
                generation: Generation(0),
                status: AttachStatus::Accepted,
            }),
        ),
        ("cred_get", Frame::CredGet),
        (
            "cred",
            Frame::Cred(Cred {
                transport: Transport::Tls,
                server: (Ipv4Addr::new(203, 0, 113, 7), 443).into(),
                key_pin: [8; 32],
                lifetime_seconds: 7200,
                credentials: vec![Credential {
                    user: text("1800000000:abcdef"),
                    password: text("c2VjcmV0"),
                }],
            }),
        ),
        (
            "ring",
            Frame::Ring(Ring {
                mailbox: secret.attach_secret().mailbox_id(),
                purpose: Purpose::Call,
                token: token(),
                message_1: Opaque([0x11; 438]),
            }),
        ),
        (
            "ring_in",
            Frame::RingIn(RingIn {
                handle: Handle(7),
                generation: Generation(0),
                index: 77,
                purpose: Purpose::Join,
                nonce: [1; 32],
                message_1: Opaque([0x11; 438]),
            }),
        ),
        (
            "answer",
            Frame::Answer(Answer {
                handle: Handle(7),
                message_2: Opaque([0x22; 475]),
            }),
        ),
        (
            "pipe",
            Frame::Pipe(Pipe {
                handle: Handle(7),
                ciphertext: Opaque([0x33; 475]),
            }),
        ),
        ("nak", Frame::Nak),
        (
            "ping",
            Frame::Ping(Ping {
                echo: false,
                number: 5,
            }),
        ),
    ]
}

fn frames(seeds: &mut Seeds) {
    for (name, frame) in some_frames() {
        seeds.push(("frame", name, frame.encode().to_vec()));
    }
}

fn payloads(seeds: &mut Seeds) {
    let candidates = Candidates::new(IpAddr::from([203, 0, 113, 7]), vec![50_000, 50_001])
        .expect("it is public");
    let address = AddressMove {
        sequence: 1,
        address: ContactAddress {
            hosting: Hosting::Embedded,
            server: OnionKey([2; 32]),
            mailbox: MailboxId([3; 16]),
            discovery: Some(SecretBytes::new([5; 32])),
        },
        resync: Some(token()),
    };
    let (last_batch, refill) = (BatchNumber(1), Some(a_refill()));
    let openings = [
        (
            "offer",
            Opening::Call(Offer {
                highest_version: 1,
                leg_kind: LegKind::Turn,
                legs: 8,
                codec: CodecParameters {
                    codec: 1,
                    frame_ms: 20,
                    frame_bytes: 60,
                    repeated: 4,
                },
                candidates: Some(candidates.clone()),
                last_batch,
                refill: None,
                address: None,
            }),
        ),
        (
            "join",
            Opening::Join(JoinOffer {
                highest_version: 1,
                address: address.clone(),
                refill: refill.clone(),
            }),
        ),
        (
            "resync",
            Opening::Resync(ResyncOffer {
                highest_version: 1,
                last_batch,
                refill: refill.clone(),
                resync: Some(token()),
            }),
        ),
    ];
    for (name, opening) in openings {
        let purpose = opening.purpose().to_byte();
        seeds.push((
            "payload",
            name,
            [&[purpose][..], &opening.encode()].concat(),
        ));
    }
    let status = Status::Ringing;
    let responses = [
        (
            "reply",
            Purpose::Call,
            Response::Call(Reply {
                status,
                highest_version: 1,
                leg_kind: LegKind::Onion,
                legs: 8,
                candidates: Some(candidates.clone()),
                last_batch,
                refill: refill.clone(),
            }),
        ),
        (
            "join_reply",
            Purpose::Join,
            Response::Join(JoinReply {
                status: Status::Used,
                highest_version: 1,
                address: None,
                refill: None,
            }),
        ),
        (
            "resync_reply",
            Purpose::Resync,
            Response::Resync(ResyncReply {
                status: Status::Done,
                highest_version: 1,
                last_batch,
                refill: refill.clone(),
                resync: Some(token()),
            }),
        ),
    ];
    for (name, purpose, response) in responses {
        seeds.push((
            "payload",
            name,
            [&[purpose.to_byte()][..], &response.encode()].concat(),
        ));
    }
    let messages = [
        ("confirm", PipeMessage::Confirm { last_batch }),
        ("accept", PipeMessage::Accept),
        ("candidates", PipeMessage::Candidates(candidates)),
        ("pipe_refill", PipeMessage::Refill { last_batch, refill }),
        ("address", PipeMessage::Address(address)),
    ];
    for (name, message) in messages {
        seeds.push((
            "payload",
            name,
            [&[Purpose::Call.to_byte()][..], &message.encode()].concat(),
        ));
    }
}

/// Operations as the targets read them: what, who, half the length, the bytes.
fn machines(seeds: &mut Seeds) {
    let mut script = Vec::new();
    for (who, (_, frame)) in (0_u8..).zip(some_frames()) {
        script.extend([0, who, 0]);
        script.extend([1, who, 240]);
        script.extend(frame.encode());
        script.extend([5, 10, 0]);
    }
    seeds.push(("server", "every_frame", script));
    let conversation = |names: &[&str]| -> Vec<u8> {
        let frames = some_frames();
        let of = |name: &&str| {
            frames
                .iter()
                .find(|(n, _)| n == name)
                .expect("it is there")
                .1
                .encode()
        };
        names.iter().flat_map(of).collect()
    };
    seeds.push(("caller", "refused", conversation(&["hello", "ping", "nak"])));
    seeds.push((
        "caller",
        "answered",
        conversation(&["hello", "answer", "pipe", "cred"]),
    ));
    seeds.push((
        "callee",
        "rung",
        conversation(&["hello", "attached", "ring_in", "ping", "pipe"]),
    ));
    // 401 with REALM "r" and NONCE "n" (RFC 8656), then ChannelData.
    let mut turn =
        b"\x01\x13\x00\x18\x21\x12\xa4\x42tttttttttttt\x00\x09\x00\x04\x00\x00\x04\x01".to_vec();
    turn.extend(b"\x00\x14\x00\x01r\0\0\0\x00\x15\x00\x01n\0\0\0\x40\x00\x00\x04data");
    seeds.push(("turn", "unauthorised_and_data", turn));
    let mut packet = vec![0x40, 0x00, 0x01, 0xc0];
    packet.resize(4 + 448, 0x5a);
    seeds.push(("turn", "packet", packet));
    seeds.push(("turn_answers", "each", (0..=u8::MAX).collect()));
    seeds.push(("onion", "join", vec![1; 448]));
    seeds.push((
        "onion",
        "three",
        (0..448 * 3).map(|i| (i % 251) as u8).collect(),
    ));
}

fn media(seeds: &mut Seeds) {
    let mut payloads = [FramePayload::new(&[0x5a; 50]); 7];
    payloads[0] = FramePayload::new(&[0x5a; 104]);
    let content = Content {
        slot: SlotNumber(7),
        sent_at: MediaTime(1120),
        newest: FrameNumber(7),
        reach: Reach::new(1, 24),
        payloads,
        reports: Default::default(),
        control: ControlBlock::message(1, 3, &[0xaa; 32]),
    };
    let encoded = |content: &Content| {
        let mut plain = [0; PACKET_PLAINTEXT_BYTES];
        content.encode(&mut plain);
        plain
    };
    let lane = |content: &Content| {
        let control = &encoded(content)[tacit_packet::layout::CONTROL_SEQUENCE..][..46];
        control.to_vec()
    };
    seeds.push(("packet_content", "full", encoded(&content).to_vec()));
    seeds.push(("control", "commit", lane(&content)));
    let legs = [
        ControlMessage::LegAdded {
            leg: LegIndex(12),
            port: 50_012.into(),
        },
        ControlMessage::LegGone(LegIndex(3)),
        ControlMessage::Cells(Cells::TwentyFive),
    ];
    let legs = legs.iter().zip(1..).flat_map(|(message, sequence)| {
        lane(&Content {
            control: message.block(sequence),
            payloads: [None; 7],
            ..content.clone()
        })
    });
    seeds.push(("control", "legs", legs.collect()));
    seeds.push(("codec", "voice", voice()));
    // As playout's steps have it: a call, a frame that is lost, a stall, repeats, a jump of the clock.
    let call: &[u8] = &[0xf6, 1, 24];
    let lost = [1, 1, 24, 2];
    let stall = [[0x27, 0, 0], [0xf8, 1, 24], [0xf8, 1, 24]].concat();
    let jump = [&[4, 0, 0][..], &9_000_000_u64.to_be_bytes()].concat();
    let moved = [&[10, 1, 24][..], &70_000_u32.to_be_bytes()].concat();
    let steps = [
        call, call, &lost, call, &stall, call, &jump, call, &moved, call,
    ];
    seeds.push(("playout", "call", steps.concat()));
    let rows: String = (0..60).map(|n| format!("{},{}\n", 20 * n, n % 7)).collect();
    let trace = format!("at_ms,extra_delay_ms\n{rows}");
    seeds.push(("trace", "calm", trace.into_bytes()));
    // A regression: distinct, but not as times since the first.
    let together = "at_ms,extra_delay_ms\n-1,0\n1e-300,0\n2e-300,0\n1000,0\n";
    seeds.push(("trace", "times_that_fall_together", together.into()));
}

/// A buzz, encoded: the last frames of a second, each behind how far back it is asked to repair and
/// its length.
fn voice() -> Vec<u8> {
    let mut encoder = tacit_codec::Encoder::new().expect("libopus starts");
    let mut bytes = Vec::new();
    for frame in 0..50 {
        let samples = core::array::from_fn(|i| {
            let place = (frame * FRAME_SAMPLES + i) % 400;
            0.3 - place as f32 / 800.0
        });
        let encoded = encoder.encode(&samples).expect("any sound encodes");
        if frame >= 46 {
            let payload = if frame % 2 == 0 {
                encoded.full
            } else {
                encoded.short
            };
            bytes.extend([20, payload.length()]);
            bytes.extend(payload.as_slice());
        }
    }
    bytes
}

fn files(seeds: &mut Seeds) -> std::io::Result<()> {
    let folder = tempfile::tempdir()?;
    let made = Profile::create_with(folder.path(), "p", b"content", KdfParams::dangerous_fast());
    drop(made.map_err(std::io::Error::other)?);
    // Only the header is read without a passphrase; the whole file would be 64 KiB of noise. Salt
    // and nonce differ each time, so an older seed stays.
    let kept = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fuzz/corpus/profile/header");
    if !kept.exists() {
        let file = fs::read(folder.path().join(PROFILE_FILE))?;
        seeds.push(("profile", "header", file[..160].to_vec()));
    }
    let path = folder.path().join("tone.wav");
    for (name, channels, rate) in [("mono_8k", 1, 8_000), ("stereo_44k", 2, 44_100)] {
        let spec = hound::WavSpec {
            channels,
            sample_rate: rate,
            bits_per_sample: 16,
            sample_format: hound::SampleFormat::Int,
        };
        let mut writer = hound::WavWriter::create(&path, spec).map_err(std::io::Error::other)?;
        for i in 0..400_i16 {
            writer.write_sample(i * 50).map_err(std::io::Error::other)?;
        }
        writer.finalize().map_err(std::io::Error::other)?;
        seeds.push(("wav", name, fs::read(&path)?));
    }
    let config = "[tor]\nmode = \"system\"\nsocks = \"127.0.0.1:9050\"\n\n[calls]\nlegs = 4\n\n[audio]\ninput = \"x\"\n";
    seeds.push(("config", "some", config.into()));
    Ok(())
}
