//! The shell over real tokio streams: whole exchanges, hostile peers, clean shutdown. Time is
//! tokio's paused clock, so that waiting costs nothing.
#![allow(clippy::unwrap_used)]

use core::time::Duration;
use rand_chacha::ChaCha20Rng;
use rand_core::SeedableRng;
use std::collections::BTreeSet;
use tacit_crypto::{
    BatchNumber, Generation, HolderWallet, IssuerWallet, Mailbox, Purpose, StaticKeypair, Token,
};
use tacit_mailbox_server::client::{FetchError, fetch_credentials};
use tacit_mailbox_server::io::{read_frame, write_frame};
use tacit_mailbox_server::limits::CONNECTION_QUEUE;
use tacit_mailbox_server::{
    BoxedStream, CredentialMint, MailboxHandle, OperatedConfig, ServerTask, serve_embedded,
    serve_operated,
};
use tacit_signaling::frame::{Hello, Opaque, Ping, Ring, Transport};
use tacit_signaling::payload::{CodecParameters, Offer, Reply, Status};
use tacit_signaling::*;
use tacit_types::{LegKind, OnionKey, Role, SecretBytes, Timestamp};
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex};
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep, timeout};
use zeroize::Zeroizing;

const SERVER: OnionKey = OnionKey([0x5e; 32]);

struct Net {
    streams: mpsc::Sender<BoxedStream>,
    task: ServerTask,
}

impl Net {
    fn operated(config: OperatedConfig) -> Self {
        let (streams, incoming) = mpsc::channel(8);
        Self {
            streams,
            task: serve_operated(config, incoming),
        }
    }

    fn embedded(attaches: Vec<Attach>) -> (Self, MailboxHandle) {
        let (streams, incoming) = mpsc::channel(8);
        let (handle, task) = serve_embedded(attaches, incoming);
        (Self { streams, task }, handle)
    }

    /// A stream with a buffer like a circuit's, before its greeting.
    async fn dial(&self) -> DuplexStream {
        let (ours, theirs) = duplex(32 * 1024);
        self.streams.send(Box::new(theirs)).await.unwrap();
        ours
    }

    async fn greeted(&self) -> (DuplexStream, Hello) {
        let mut stream = self.dial().await;
        let Frame::Hello(hello) = frame(&mut stream).await else {
            panic!("no HELLO first")
        };
        (stream, hello)
    }
}

async fn frame(stream: &mut DuplexStream) -> Frame {
    Frame::decode(&read_frame(stream).await.unwrap()).unwrap()
}

fn mailbox() -> (Mailbox, Token) {
    let mut mailbox = Mailbox::generate(&mut ChaCha20Rng::from_seed([1; 32]));
    let mut issuer = IssuerWallet::new(SecretBytes::new([2; 32]), Role::Callee);
    let refill = issuer.refill(&mut mailbox, BatchNumber(0), 16, 16).unwrap();
    let token = refill.tokens[0];
    (mailbox, token)
}

fn attaches(mailbox: &Mailbox) -> Vec<Attach> {
    let rate = Rate {
        burst: 100,
        interval: Duration::from_secs(1),
    };
    let live = mailbox.live_generations().into_iter();
    live.map(|(generation, token_key)| Attach {
        secret: mailbox.attach_secret(),
        generation,
        token_key,
        ring_rate: rate,
        spent: mailbox.spent_bitmap(generation).unwrap().clone(),
    })
    .collect()
}

fn ring(mailbox: &Mailbox, token: Token) -> FrameBytes {
    let message_1 = Opaque([7; 438]);
    let mailbox = mailbox.id();
    Frame::Ring(Ring {
        mailbox,
        purpose: Purpose::Call,
        token,
        message_1,
    })
    .encode()
}

fn now(origin: Instant) -> Timestamp {
    Timestamp::from_micros(origin.elapsed().as_micros().try_into().unwrap())
}

#[tokio::test(start_paused = true)]
async fn a_call_through_an_embedded_server() {
    let mut rng = ChaCha20Rng::from_seed([3; 32]);
    let (alice, bob) = (
        StaticKeypair::generate(&mut rng),
        StaticKeypair::generate(&mut rng),
    );
    let mut mailbox = Mailbox::generate(&mut rng);
    let first = || SecretBytes::new([2; 32]);
    let mut issuer = IssuerWallet::new(first(), Role::Callee);
    let mut holder = HolderWallet::new(first(), Role::Callee);
    let refill = issuer.refill(&mut mailbox, BatchNumber(0), 16, 16).unwrap();
    holder.accept_refill(&mailbox.id(), &refill).unwrap();
    let (net, mut handle) = Net::embedded(attaches(&mailbox));
    let origin = Instant::now();
    let mut callee = Callee::embedded([9; 32]);
    let mut caller = Caller::new([8; 32], 0, now(origin));
    let mut stream = net.dial().await;
    caller.handle_input(&read_frame(&mut stream).await.unwrap(), now(origin));
    assert!(matches!(caller.poll_event(), Some(CallerEvent::Ready(_))));

    let (token, psk) = holder.next_token().unwrap();
    let offer = Offer {
        highest_version: 1,
        leg_kind: LegKind::Onion,
        legs: 8,
        codec: CodecParameters::VERSION_1,
        candidates: None,
        last_batch: BatchNumber(1),
        refill: None,
        address: None,
    };
    let opening = Opening::Call(offer);
    let remote = bob.public();
    let to = RingTo {
        server: SERVER,
        mailbox: mailbox.id(),
        token,
        local: &alice,
        remote: &remote,
        psk: Some(&psk),
        opening: &opening,
    };
    caller.ring(&to, now(origin)).unwrap();
    write_frame(&mut stream, &caller.poll_transmit().unwrap())
        .await
        .unwrap();

    callee.handle_input(&handle.recv().await.unwrap(), now(origin));
    let Some(CalleeEvent::Ring(incoming)) = callee.poll_event() else {
        panic!()
    };
    let (generation, index) = incoming.slot();
    let (token, psk) = issuer.authorise(generation, index).unwrap();
    let remote = alice.public();
    let authenticated = incoming
        .authenticate(&Authority {
            server: SERVER,
            mailbox: mailbox.id(),
            token,
            local: &bob,
            remote: Some(&remote),
            psk: Some(&psk),
        })
        .unwrap();
    let pipe = authenticated.handle();
    let reply = Reply {
        status: Status::Ringing,
        highest_version: 1,
        leg_kind: LegKind::Onion,
        legs: 8,
        candidates: None,
        last_batch: BatchNumber(0),
        refill: None,
    };
    callee
        .answer(authenticated, &Response::Call(reply), now(origin))
        .unwrap();
    callee.send(pipe, &PipeMessage::Accept);
    while let Some(frame) = callee.poll_transmit() {
        handle.send(frame).await.unwrap();
    }
    for _ in 0..2 {
        caller.handle_input(&read_frame(&mut stream).await.unwrap(), now(origin));
    }
    assert!(matches!(
        caller.poll_event(),
        Some(CallerEvent::Answered { .. })
    ));
    assert!(matches!(
        caller.poll_event(),
        Some(CallerEvent::Message(PipeMessage::Accept))
    ));
    let summary = net.task.stop().await;
    assert_eq!(
        (summary.streams, summary.drops.total(), summary.overflows),
        (1, 0, 0)
    );
    assert!(
        handle.recv().await.is_none(),
        "the owner learns that it has stopped"
    );
    assert_eq!(
        stream.read(&mut [0; 1]).await.unwrap(),
        0,
        "and so does the stream"
    );
}

#[tokio::test(start_paused = true)]
async fn a_callee_attaches_to_an_operated_server() {
    let (mailbox, token) = mailbox();
    let net = Net::operated(OperatedConfig::default());
    let (mut callee, _) = net.greeted().await;
    write_frame(
        &mut callee,
        &Frame::Attach(attaches(&mailbox).remove(0)).encode(),
    )
    .await
    .unwrap();
    assert!(
        matches!(frame(&mut callee).await, Frame::Attached(a) if a.generation == Generation(0))
    );
    let (mut caller, hello) = net.greeted().await;
    write_frame(&mut caller, &ring(&mailbox, token))
        .await
        .unwrap();
    let Frame::RingIn(ring_in) = frame(&mut callee).await else {
        panic!()
    };
    assert_eq!((ring_in.nonce, ring_in.index), (hello.nonce, token.index));
    drop(callee);
    assert_eq!(
        caller.read(&mut [0; 1]).await.unwrap(),
        0,
        "the callee left in mid-ring"
    );
    let _ = net.task.stop().await;
}

/// Every hostile opening on a real stream: a NAK at 50 ms with the same bytes, or a close.
#[tokio::test(start_paused = true)]
async fn malformed_and_replayed_frames_over_real_streams() {
    let (mailbox, token) = mailbox();
    let (net, mut handle) = Net::embedded(attaches(&mailbox));
    let good = ring(&mailbox, token);
    let (mut first, _) = net.greeted().await;
    write_frame(&mut first, &good).await.unwrap();
    assert!(handle.recv().await.is_some());
    drop(first);
    let mut naks = BTreeSet::new();
    let mut hostile: Vec<FrameBytes> = vec![good, [0; 480], [0xff; 480]];
    for byte in 0..39 {
        let mut flipped = good;
        flipped[byte] ^= 0x80;
        hostile.push(flipped);
    }
    hostile.push(Frame::Attach(attaches(&mailbox).remove(0)).encode());
    for frame in &hostile {
        let (mut stream, _) = net.greeted().await;
        let start = Instant::now();
        write_frame(&mut stream, frame).await.unwrap();
        let nak = read_frame(&mut stream).await.unwrap();
        let after = start.elapsed();
        assert!((50..53).contains(&after.as_millis()), "{after:?}");
        naks.insert(nak);
    }
    assert_eq!(naks.into_iter().collect::<Vec<_>>(), [Frame::Nak.encode()]);
    let summary = net.task.stop().await;
    assert_eq!(summary.drops.total(), hostile.len() as u64);
    assert!(handle.recv().await.is_none(), "not one more ring arrived");
}

#[tokio::test(start_paused = true)]
async fn short_and_long_frames_are_cut_off_after_five_seconds() {
    let (mailbox, token) = mailbox();
    let (net, mut handle) = Net::embedded(attaches(&mailbox));
    let (mut short, _) = net.greeted().await;
    let start = Instant::now();
    short
        .write_all(&ring(&mailbox, token)[..479])
        .await
        .unwrap();
    assert_eq!(short.read(&mut [0; 1]).await.unwrap(), 0);
    assert!(
        (5000..5003).contains(&start.elapsed().as_millis()),
        "{:?}",
        start.elapsed()
    );

    let (mut drip, _) = net.greeted().await;
    let start = Instant::now();
    for _ in 0..4 {
        drip.write_all(&[0x0c]).await.unwrap();
        sleep(Duration::from_secs(1)).await;
    }
    assert_eq!(drip.read(&mut [0; 1]).await.unwrap(), 0);
    assert!(
        (5000..5003).contains(&start.elapsed().as_millis()),
        "counted from the first byte"
    );

    let (mut long, _) = net.greeted().await;
    let mut bytes = ring(&mailbox, token).to_vec();
    bytes.push(0);
    let start = Instant::now();
    long.write_all(&bytes).await.unwrap();
    assert!(
        handle.recv().await.is_some(),
        "the first 480 bytes are a frame"
    );
    assert_eq!(long.read(&mut [0; 1]).await.unwrap(), 0);
    assert!((5000..5003).contains(&start.elapsed().as_millis()));

    let (mut silent, _) = net.greeted().await;
    let start = Instant::now();
    assert_eq!(silent.read(&mut [0; 1]).await.unwrap(), 0);
    assert!((60_000..60_003).contains(&start.elapsed().as_millis()));
    let _ = net.task.stop().await;
}

/// A frame may arrive in any pieces.
#[tokio::test(start_paused = true)]
async fn frames_in_pieces_are_whole_frames() {
    let net = Net::operated(OperatedConfig::default());
    let (mut stream, _) = net.greeted().await;
    let ping = Frame::Ping(Ping {
        echo: false,
        number: 5,
    })
    .encode();
    for piece in ping.chunks(100) {
        stream.write_all(piece).await.unwrap();
        sleep(Duration::from_millis(100)).await;
    }
    assert_eq!(
        frame(&mut stream).await,
        Frame::Ping(Ping {
            echo: true,
            number: 5
        })
    );
    let _ = net.task.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_ninth_stream_pushes_out_the_oldest_silent_one() {
    let (mailbox, _) = mailbox();
    let (net, _handle) = Net::embedded(attaches(&mailbox));
    let mut streams = Vec::new();
    for _ in 0..9 {
        streams.push(net.greeted().await.0);
    }
    let start = Instant::now();
    assert_eq!(streams[0].read(&mut [0; 1]).await.unwrap(), 0);
    assert!(start.elapsed() < Duration::from_secs(1));
    let still = timeout(Duration::from_secs(1), streams[1].read(&mut [0; 1])).await;
    assert!(still.is_err(), "the second oldest is still there");
    let _ = net.task.stop().await;
}

/// Somebody who does not read gets closed; the server and everybody else go on.
#[tokio::test(start_paused = true)]
async fn a_peer_that_does_not_read_is_cut_off() {
    let (mailbox, token) = mailbox();
    let net = Net::operated(OperatedConfig::default());
    let (ours, theirs) = duplex(480);
    net.streams.send(Box::new(theirs)).await.unwrap();
    let (mut reading, mut writing) = tokio::io::split(ours);
    assert!(matches!(
        Frame::decode(&read_frame(&mut reading).await.unwrap()),
        Ok(Frame::Hello(_))
    ));
    // It attaches, and then reads nothing while rings pile up.
    let attach = Frame::Attach(attaches(&mailbox).remove(0)).encode();
    write_frame(&mut writing, &attach).await.unwrap();
    let (mut caller, _) = net.greeted().await;
    write_frame(&mut caller, &ring(&mailbox, token))
        .await
        .unwrap();
    let start = Instant::now();
    assert_eq!(
        caller.read(&mut [0; 1]).await.unwrap(),
        0,
        "its caller is let go"
    );
    assert!(start.elapsed() <= Duration::from_secs(21));
    let (mut other, _) = net.greeted().await;
    let ping = Frame::Ping(Ping {
        echo: false,
        number: 1,
    });
    write_frame(&mut other, &ping.encode()).await.unwrap();
    assert!(matches!(frame(&mut other).await, Frame::Ping(_)));
    const { assert!(CONNECTION_QUEUE >= 16) };
    let _ = net.task.stop().await;
}

fn mint() -> Option<CredentialMint> {
    let secret = Zeroizing::new(b"north".to_vec());
    Some(CredentialMint::new(
        Transport::Tls,
        ([192, 0, 2, 1], 5349).into(),
        [4; 32],
        secret,
    ))
}

#[tokio::test]
async fn credentials_are_fetched_once_each() {
    let net = Net::operated(OperatedConfig {
        mint: mint(),
        ..OperatedConfig::default()
    });
    let mut users = BTreeSet::new();
    for _ in 0..2 {
        let mut stream = net.dial().await;
        let creds = fetch_credentials(&mut stream, 24).await.unwrap();
        assert_eq!(creds.len(), 4);
        for cred in creds {
            assert_eq!((cred.server.port(), cred.key_pin), (5349, [4; 32]));
            users.extend(cred.credentials.iter().map(|c| c.user.reveal().to_owned()));
        }
        assert!(
            matches!(fetch_again(&mut stream).await, Frame::Nak),
            "rationed"
        );
    }
    assert_eq!(users.len(), 48, "no user name twice");
    let _ = net.task.stop().await;
}

async fn fetch_again(stream: &mut DuplexStream) -> Frame {
    write_frame(stream, &Frame::CredGet.encode()).await.unwrap();
    frame(stream).await
}

#[tokio::test(start_paused = true)]
async fn fetching_fails_in_words_where_there_are_no_credentials() {
    let net = Net::operated(OperatedConfig::default());
    let mut stream = net.dial().await;
    assert!(matches!(
        fetch_credentials(&mut stream, 1).await,
        Err(FetchError::Refused)
    ));
    let (mut silent, _other) = duplex(480);
    assert!(matches!(
        fetch_credentials(&mut silent, 1).await,
        Err(FetchError::Timeout)
    ));
    let (mut gone, other) = duplex(480);
    drop(other);
    assert!(matches!(
        fetch_credentials(&mut gone, 1).await,
        Err(FetchError::Stream(_))
    ));
    let _ = net.task.stop().await;
}

#[tokio::test(start_paused = true)]
async fn dropping_the_task_stops_the_server() {
    let (mailbox, _) = mailbox();
    let (net, mut handle) = Net::embedded(attaches(&mailbox));
    let (mut stream, _) = net.greeted().await;
    let Net { streams, task } = net;
    drop(task);
    assert_eq!(stream.read(&mut [0; 1]).await.unwrap(), 0);
    assert!(handle.recv().await.is_none());
    assert!(streams.is_closed());
}

#[tokio::test(start_paused = true)]
async fn an_owner_that_is_gone_is_an_absent_callee() {
    let (mailbox, token) = mailbox();
    let (net, handle) = Net::embedded(attaches(&mailbox));
    drop(handle);
    let (mut first, _) = net.greeted().await;
    write_frame(&mut first, &ring(&mailbox, token))
        .await
        .unwrap();
    assert_eq!(
        first.read(&mut [0; 1]).await.unwrap(),
        0,
        "its callee has gone"
    );
    let (mut second, _) = net.greeted().await;
    write_frame(&mut second, &ring(&mailbox, token))
        .await
        .unwrap();
    assert_eq!(frame(&mut second).await, Frame::Nak);
    let _ = net.task.stop().await;
}
