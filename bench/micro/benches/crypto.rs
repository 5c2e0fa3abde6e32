//! What every packet and every ring costs in cryptography.

use divan::Bencher;
use divan::counter::ItemsCount;
use rand_chacha::ChaCha20Rng;
use rand_core::SeedableRng;
use tacit_crypto::{
    Initiator, PacketOpener, PacketSealer, Prologue, Purpose, Responder, SessionKeys,
    StaticKeypair, Token,
};
use tacit_types::limits::{PACKET_BYTES, PACKET_PLAINTEXT_BYTES};
use tacit_types::{LegIndex, MailboxId, OnionKey, Path, SecretBytes, Timestamp};

/// Packets in one timed step.
const BATCH: usize = 1000;

const PATH: Path = Path {
    sender: LegIndex(0),
    receiver: LegIndex(0),
};

const NOW: Timestamp = Timestamp::from_micros(1);

fn main() {
    divan::main();
}

/// The four steps of a ring's handshake, in one.
fn handshake() -> (SessionKeys, SessionKeys) {
    let mut rng = ChaCha20Rng::from_seed([1; 32]);
    let (a, b) = (
        StaticKeypair::generate(&mut rng),
        StaticKeypair::generate(&mut rng),
    );
    let psk = SecretBytes::new([5; 32]);
    let prologue = Prologue {
        purpose: Purpose::Call,
        hello_nonce: [1; 32],
        server: OnionKey([2; 32]),
        mailbox: MailboxId([3; 16]),
        token: Token {
            generation: 0,
            index: 1,
            tag: [4; 16],
        },
    };
    let mut initiator = Initiator::call(&prologue, &a, &b.public(), &psk, &mut rng);
    let message_1 = initiator.write(&[0; 390]).expect("fits");
    let responder = Responder::call(&prologue, &b, &a.public(), &psk);
    let (_, answer) = responder.read(&message_1).expect("genuine");
    let (message_2, callee) = answer.write(&[0; 427], &mut rng).expect("fits");
    let Ok((_, caller)) = initiator.read(&message_2) else {
        unreachable!("genuine")
    };
    (caller, callee)
}

#[divan::bench]
fn handshake_both_sides() -> (SessionKeys, SessionKeys) {
    handshake()
}

#[divan::bench]
fn seal_packets(bencher: Bencher<'_, '_>) {
    let (caller, _) = handshake();
    let mut sealer = PacketSealer::new(&caller.media(), NOW);
    let plaintext = [7; PACKET_PLAINTEXT_BYTES];
    let mut out = [0; PACKET_BYTES];
    bencher.counter(ItemsCount::new(BATCH)).bench_local(|| {
        for _ in 0..BATCH {
            sealer
                .seal(PATH, &plaintext, NOW, &mut out)
                .expect("far from the counter's end");
        }
    });
}

#[divan::bench(sample_count = 100, sample_size = 1)]
fn open_packets(bencher: Bencher<'_, '_>) {
    let (caller, callee) = handshake();
    let mut sealer = PacketSealer::new(&caller.media(), NOW);
    let mut opener = PacketOpener::new(&callee.media(), NOW);
    let plaintext = [7; PACKET_PLAINTEXT_BYTES];
    bencher
        .counter(ItemsCount::new(BATCH))
        .with_inputs(|| {
            let mut packets = vec![[0; PACKET_BYTES]; BATCH];
            for packet in &mut packets {
                sealer
                    .seal(PATH, &plaintext, NOW, packet)
                    .expect("far from the counter's end");
            }
            packets
        })
        .bench_local_values(|packets| {
            let mut out = [0; PACKET_PLAINTEXT_BYTES];
            for packet in &packets {
                opener
                    .open(PATH, packet, NOW, &mut out)
                    .expect("genuine and in order");
            }
        });
}
