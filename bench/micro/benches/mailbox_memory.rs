//! What an attached mailbox takes, without its connection.

use divan::AllocProfiler;
use rand_chacha::ChaCha20Rng;
use rand_core::SeedableRng;
use std::time::Duration;
use tacit_crypto::{Generation, MailboxSecret, SpentBitmap};
use tacit_signaling::server::MAILBOX_BYTES;
use tacit_signaling::{Attach, ConnectionId, Frame, Rate, Server, ServerConfig};
use tacit_types::Timestamp;

#[global_allocator]
static ALLOC: AllocProfiler = AllocProfiler::system();

/// Enough that chunks, tree nodes and pages average out.
const MAILBOXES: u64 = 100_000;

/// The promise of docs/protocol.md.
const MOST_BYTES: u64 = 700;

const NOW: Timestamp = Timestamp::from_micros(1);

fn main() {
    let mut server = connected();
    let before = resident_bytes();
    attach_all(&mut server);
    let bytes = (resident_bytes() - before) / MAILBOXES;
    println!(
        "mailbox_bytes {bytes} resident (two generations each, {MAILBOXES} mailboxes; accounted \
         {MAILBOX_BYTES}, goal at most {MOST_BYTES})"
    );
    assert!(
        bytes <= MOST_BYTES,
        "an attached mailbox takes {bytes} bytes"
    );
    drop(server);
    divan::main();
}

/// The allocator's view: divide "alloc" minus "dealloc" and "grow" by the number of mailboxes.
#[divan::bench(sample_count = 1, sample_size = 1)]
fn attach_100_000_mailboxes(bencher: divan::Bencher<'_, '_>) {
    bencher.with_inputs(connected).bench_local_refs(attach_all);
}

fn connected() -> Server {
    let config = ServerConfig::Operated {
        max_connections: usize::MAX,
        credentials: false,
    };
    let mut server = Server::new(config, [1; 32]);
    for conn in 0..MAILBOXES {
        server.connect(ConnectionId(conn), NOW);
        drain(&mut server);
    }
    server
}

fn attach_all(server: &mut Server) {
    let mut rng = ChaCha20Rng::from_seed([2; 32]);
    for conn in 0..MAILBOXES {
        let secret = MailboxSecret::generate(&mut rng);
        for generation in [Generation(0), Generation(1)] {
            let attach = Attach {
                secret: secret.attach_secret(),
                generation,
                token_key: secret.token_key(generation),
                ring_rate: Rate {
                    burst: 6,
                    interval: Duration::from_secs(30),
                },
                spent: SpentBitmap::EMPTY,
            };
            server.handle_input(ConnectionId(conn), &Frame::Attach(attach).encode(), NOW);
            drain(server);
        }
    }
    assert_eq!(server.mailboxes() as u64, MAILBOXES);
}

fn drain(server: &mut Server) {
    while server.poll_transmit().is_some() {}
}

/// The second field of /proc/self/statm, in pages of 4096 bytes.
fn resident_bytes() -> u64 {
    let statm = std::fs::read_to_string("/proc/self/statm").expect("Linux has /proc");
    let pages = statm
        .split(' ')
        .nth(1)
        .and_then(|field| field.parse::<u64>().ok());
    pages.expect("statm has seven numbers") * 4096
}
