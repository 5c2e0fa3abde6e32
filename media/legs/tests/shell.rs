//! The tokio shell over streams in memory.
#![expect(clippy::unwrap_used, reason = "a test may")]

mod common;

use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};
use std::time::Duration;

use common::{PATIENCE, clock, config, packet, seed};
use tacit_legs::shell::{
    LegHandle, LegOutput, OnionEnd, Wiring, Written, accept_join, spawn_onion_leg, spawn_turn_leg,
};
use tacit_legs::{
    DropReason, JoinAcceptor, JoinRefusal, LegEnd, LegEvent, Packet, SendError, TurnCredentials,
};
use tacit_types::limits::PACKET_BYTES;
use tacit_types::{LegIndex, SecretBytes, Timestamp};
use tokio::io::{
    AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, DuplexStream, ReadBuf, duplex,
};
use tokio::sync::mpsc;

const LEG: LegIndex = LegIndex(2);

fn secret() -> SecretBytes<32> {
    SecretBytes::new([42; 32])
}

fn joining() -> OnionEnd {
    OnionEnd::Joining {
        secret: secret(),
        fill_seed: seed(),
    }
}

fn acceptor() -> Mutex<JoinAcceptor> {
    let mut acceptor = JoinAcceptor::new(Timestamp::ZERO);
    acceptor.expect(LEG, secret());
    Mutex::new(acceptor)
}

fn spawn<S>(stream: S, end: OnionEnd, room: usize) -> (LegHandle, mpsc::Receiver<LegOutput>)
where
    S: AsyncRead + AsyncWrite + Send + 'static,
{
    let (outputs, receiver) = mpsc::channel(room);
    let wiring = Wiring {
        leg: LEG,
        clock: clock(),
        outputs,
    };
    (spawn_onion_leg(stream, end, wiring), receiver)
}

async fn next(outputs: &mut mpsc::Receiver<LegOutput>) -> LegEvent {
    let next = tokio::time::timeout(PATIENCE, outputs.recv()).await;
    let output = next
        .expect("an event in time")
        .expect("the leg still reports");
    assert_eq!(output.leg, LEG);
    output.event
}

async fn next_packet(outputs: &mut mpsc::Receiver<LegOutput>) -> Packet {
    match next(outputs).await {
        LegEvent::Packet(packet) => packet,
        other => panic!("expected a packet, got {other:?}"),
    }
}

async fn end(outputs: &mut mpsc::Receiver<LegOutput>) -> LegEnd {
    loop {
        if let LegEvent::Closed(end) = next(outputs).await {
            assert!(outputs.recv().await.is_none(), "nothing follows Closed");
            return end;
        }
    }
}

#[tokio::test]
async fn an_onion_leg_joins_and_carries_packets_both_ways_until_it_is_closed() {
    let (ours, mut theirs) = duplex(1 << 16);
    let (a, mut from_a) = spawn(ours, joining(), 64);
    assert_eq!(
        accept_join(&mut theirs, &acceptor(), &clock()).await,
        Ok(LEG)
    );
    let (b, mut from_b) = spawn(theirs, OnionEnd::Accepted, 64);
    for outputs in [&mut from_a, &mut from_b] {
        assert_eq!(next(outputs).await, LegEvent::Bound(LEG));
    }
    for number in 0..250 {
        a.try_send(LEG, &packet(1, 2, number)).unwrap();
        assert_eq!(next_packet(&mut from_b).await.bytes, packet(1, 2, number));
        b.try_send(LEG, &packet(2, 1, number)).unwrap();
        assert_eq!(next_packet(&mut from_a).await.bytes, packet(2, 1, number));
    }
    a.close();
    assert_eq!(end(&mut from_a).await, LegEnd::Local);
    assert_eq!(end(&mut from_b).await, LegEnd::Remote);
    assert_eq!(b.try_send(LEG, &packet(2, 1, 0)), Err(SendError::Closed));
}

#[tokio::test]
async fn a_dropped_handle_or_receiver_closes_the_leg() {
    let (ours, theirs) = duplex(1 << 16);
    let (a, mut from_a) = spawn(ours, OnionEnd::Accepted, 64);
    let (_b, from_b) = spawn(theirs, OnionEnd::Accepted, 64);
    drop(from_b);
    assert_eq!(end(&mut from_a).await, LegEnd::Remote);
    drop(a);
    let (ours, mut theirs) = duplex(1 << 16);
    let (c, mut from_c) = spawn(ours, OnionEnd::Accepted, 64);
    drop(c);
    assert_eq!(end(&mut from_c).await, LegEnd::Local);
    assert!(theirs.write_all(&[0]).await.is_err());
}

#[tokio::test]
async fn strangers_are_closed_and_read_no_further_than_their_join_packet() {
    let acceptor = acceptor();
    let (mut ours, mut theirs) = duplex(1 << 16);
    ours.write_all(&[1; PACKET_BYTES]).await.unwrap();
    let refused = accept_join(&mut theirs, &acceptor, &clock()).await;
    assert_eq!(refused, Err(JoinRefusal::UnknownSecret));
    // Ended before its join packet was complete.
    let (mut ours, mut theirs) = duplex(1 << 16);
    ours.write_all(secret().expose()).await.unwrap();
    drop(ours);
    let refused = accept_join(&mut theirs, &acceptor, &clock()).await;
    assert_eq!(refused, Err(JoinRefusal::Incomplete));
    assert_eq!(acceptor.lock().unwrap().refused(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_stream_that_does_not_finish_its_join_packet_is_closed_after_five_seconds() {
    let (mut ours, mut theirs) = duplex(1 << 16);
    ours.write_all(secret().expose()).await.unwrap();
    let started = tokio::time::Instant::now();
    let refused = accept_join(&mut theirs, &acceptor(), &clock()).await;
    assert_eq!(refused, Err(JoinRefusal::Incomplete));
    assert_eq!(started.elapsed(), Duration::from_secs(5));
}

/// Counts writes and flushes.
struct Counted {
    stream: DuplexStream,
    calls: Arc<Mutex<Vec<Call>>>,
}

#[derive(Debug, PartialEq, Eq)]
enum Call {
    Write(usize),
    Flush,
}

impl AsyncRead for Counted {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, buf)
    }
}

impl AsyncWrite for Counted {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.calls.lock().unwrap().push(Call::Write(buf.len()));
        Pin::new(&mut self.stream).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.calls.lock().unwrap().push(Call::Flush);
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

#[tokio::test]
async fn every_packet_is_one_write_and_one_flush() {
    let (ours, theirs) = duplex(1 << 16);
    let calls = Arc::new(Mutex::new(Vec::new()));
    let (a, _from_a) = spawn(
        Counted {
            stream: ours,
            calls: Arc::clone(&calls),
        },
        OnionEnd::Accepted,
        64,
    );
    let (_b, mut from_b) = spawn(theirs, OnionEnd::Accepted, 64);
    assert_eq!(next(&mut from_b).await, LegEvent::Bound(LEG));
    for number in 0..3 {
        a.try_send(LEG, &packet(1, 2, number)).unwrap();
        next_packet(&mut from_b).await;
    }
    let (write, flush) = (Call::Write(PACKET_BYTES), Call::Flush);
    let calls = calls.lock().unwrap();
    assert_eq!(
        calls.chunks(2).filter(|c| c[0] == write).count(),
        3,
        "{calls:?}"
    );
    assert!(calls.chunks_exact(2).all(|c| c[1] == flush), "{calls:?}");
}

#[tokio::test]
async fn a_stalled_circuit_holds_up_neither_the_sender_nor_what_comes_in() {
    // Room for one packet towards the peer, which does not read.
    let (ours, mut theirs) = duplex(PACKET_BYTES);
    let (a, mut from_a) = spawn(ours, OnionEnd::Accepted, 64);
    assert_eq!(next(&mut from_a).await, LegEvent::Bound(LEG));
    // One in the stream, one in the writer's hands, four in the queue; the rest is refused.
    let sent = (0..100).map(|number| a.try_send(LEG, &packet(1, 2, number)));
    let sent: Vec<_> = sent.collect();
    let taken = sent.iter().filter(|sent| sent.is_ok()).count();
    assert!((4..=6).contains(&taken), "{taken}");
    assert_eq!(sent.last(), Some(&Err(SendError::Full)));
    assert_eq!(a.drops().total(), 0);
    theirs.write_all(&packet(2, 1, 7)).await.unwrap();
    assert_eq!(next_packet(&mut from_a).await.bytes, packet(2, 1, 7));
}

#[tokio::test]
async fn a_packets_wait_is_known_while_it_lasts_and_after() {
    // Room for one packet; the second one waits in the writer's hands.
    let (ours, mut theirs) = duplex(PACKET_BYTES);
    let (a, mut from_a) = spawn(ours, OnionEnd::Accepted, 64);
    assert_eq!(next(&mut from_a).await, LegEvent::Bound(LEG));
    for number in 0..2 {
        a.try_send(LEG, &packet(1, 2, number)).unwrap();
    }
    let leg = &a;
    let written = |enough: fn(&Written) -> bool| {
        let look = async move {
            let mut all = Written::default();
            while !enough(&all) {
                tokio::task::yield_now().await;
                let new = leg.take_written();
                all.packets += new.packets;
                all.waited += new.waited;
                all.in_hand = new.in_hand;
            }
            all
        };
        tokio::time::timeout(PATIENCE, look)
    };
    let during = written(|w| w.in_hand.is_some_and(|w| w > Duration::from_millis(5)));
    let during = during.await.unwrap();
    assert_eq!(during.packets, 1);
    let mut read = [0; 2 * PACKET_BYTES];
    theirs.read_exact(&mut read).await.unwrap();
    let after = written(|w| w.packets == 1).await.unwrap();
    assert!(after.waited >= Duration::from_millis(5), "{after:?}");
    assert_eq!(after.in_hand, None);
}

#[tokio::test]
async fn an_engine_that_does_not_listen_loses_the_oldest_packets_only() {
    let (ours, mut theirs) = duplex(1 << 20);
    let (a, mut from_a) = spawn(ours, OnionEnd::Accepted, 1);
    for number in 0..2000 {
        theirs.write_all(&packet(2, 1, number)).await.unwrap();
    }
    drop(theirs);
    // The reader has taken everything once it has seen the end; only then do we listen.
    while a.try_send(LEG, &packet(1, 2, 0)) != Err(SendError::Closed)
        && a.drops().of(DropReason::EventsFull) < 1700
    {
        tokio::task::yield_now().await;
    }
    let mut numbers = Vec::new();
    let ended = loop {
        match next(&mut from_a).await {
            LegEvent::Packet(p) => {
                numbers.push(u32::from_be_bytes(p.bytes[2..6].try_into().unwrap()))
            }
            LegEvent::Closed(ended) => break ended,
            _ => {}
        }
    };
    assert!(matches!(ended, LegEnd::Remote | LegEnd::Io(_)), "{ended:?}");
    assert!(
        numbers.is_sorted() && numbers.ends_with(&[1998, 1999]),
        "{numbers:?}"
    );
    assert!(numbers.len() < 400);
}

#[tokio::test(start_paused = true)]
async fn a_turn_server_that_says_nothing_ends_the_leg_in_time() {
    let (ours, _theirs) = duplex(1 << 16);
    let (outputs, mut receiver) = mpsc::channel(8);
    let origin = tokio::time::Instant::now();
    let clock: tacit_legs::shell::Clock =
        Arc::new(move || Timestamp::from_micros(origin.elapsed().as_micros() as u64));
    let wiring = Wiring {
        leg: LEG,
        clock,
        outputs,
    };
    let config = config(TurnCredentials::new("user", "password"), &[]);
    let _handle = spawn_turn_leg(ours, config, wiring);
    assert_eq!(
        receiver.recv().await.unwrap().event,
        LegEvent::Failed(tacit_legs::Failure::Timeout)
    );
    let ended = LegEnd::Failed(tacit_legs::Failure::Timeout);
    assert_eq!(
        receiver.recv().await.unwrap().event,
        LegEvent::Closed(ended)
    );
}
