//! Ring admission through the whole of the mailbox server: decode, find, tag, bucket, bit, forward.

use divan::Bencher;
use divan::counter::ItemsCount;
use rand_chacha::ChaCha20Rng;
use rand_core::SeedableRng;
use std::cell::RefCell;
use std::collections::VecDeque;
use std::time::Duration;
use tacit_crypto::{Generation, MailboxSecret, Purpose, SpentBitmap, TokenKey};
use tacit_signaling::frame::{Opaque, Ring};
use tacit_signaling::{Attach, ConnectionId, Frame, FrameBytes, Rate, Server, ServerConfig};
use tacit_types::{MailboxId, Timestamp};

/// Mailboxes that the rings are spread over: their rows fit no cache.
const MAILBOXES: u64 = 50_000;

/// Callers' streams that stay open behind the newest.
const OPEN_STREAMS: usize = 10_000;

/// Rings in one timed step.
const BATCH: usize = 1000;

fn main() {
    divan::main();
}

/// A server with many mailboxes, and callers that each ring once.
struct Load {
    server: Server,
    mailboxes: Vec<(MailboxId, TokenKey)>,
    open: VecDeque<ConnectionId>,
    rung: u64,
    now: Timestamp,
}

impl Load {
    fn new() -> Self {
        let config = ServerConfig::Operated {
            max_connections: usize::MAX,
            credentials: false,
        };
        let mut load = Self {
            server: Server::new(config, [1; 32]),
            mailboxes: Vec::new(),
            open: VecDeque::new(),
            rung: 0,
            now: Timestamp::from_micros(1),
        };
        let mut rng = ChaCha20Rng::from_seed([2; 32]);
        for conn in 0..MAILBOXES {
            let secret = MailboxSecret::generate(&mut rng);
            let token_key = secret.token_key(Generation(0));
            load.mailboxes
                .push((secret.mailbox_id(), token_key.clone()));
            let attach = Attach {
                secret: secret.attach_secret(),
                generation: Generation(0),
                token_key,
                ring_rate: Rate {
                    burst: u16::MAX,
                    interval: Duration::from_secs(1),
                },
                spent: SpentBitmap::EMPTY,
            };
            load.server.connect(ConnectionId(conn), load.now);
            let frame = Frame::Attach(attach).encode();
            load.server
                .handle_input(ConnectionId(conn), &frame, load.now);
            load.drain();
        }
        load
    }

    fn drain(&mut self) -> usize {
        core::iter::from_fn(|| self.server.poll_transmit()).count()
    }

    /// Streams that are greeted, each with its RING.
    fn prepare(&mut self, good_tag: bool) -> Vec<(ConnectionId, FrameBytes)> {
        self.now += Duration::from_millis(1);
        while self.open.len() > OPEN_STREAMS {
            let oldest = self.open.pop_front().expect("not empty");
            self.server.disconnect(oldest, self.now);
        }
        let rings = (0..BATCH).map(|_| {
            let (n, conn) = (self.rung, ConnectionId(MAILBOXES + self.rung));
            self.rung += 1;
            // A stride that is coprime to the number of mailboxes: neighbours are far apart.
            let at = (n * 7919) % MAILBOXES;
            let (mailbox, key) = &self.mailboxes[usize::try_from(at).expect("small")];
            let index = u16::try_from(n / MAILBOXES).expect("2048 rings a mailbox are enough");
            let mut token = key.token(mailbox, Generation(0), index);
            token.tag[0] ^= u8::from(!good_tag);
            self.server.connect(conn, self.now);
            self.open.push_back(conn);
            let message_1 = Opaque([7; 438]);
            let ring = Ring {
                mailbox: *mailbox,
                purpose: Purpose::Call,
                token,
                message_1,
            };
            (conn, Frame::Ring(ring).encode())
        });
        let rings: Vec<_> = rings.collect();
        self.drain();
        rings
    }

    /// What is timed: frames in, frames out, one by one.
    fn run(&mut self, rings: &[(ConnectionId, FrameBytes)]) -> usize {
        let mut out = 0;
        for (conn, frame) in rings {
            self.server.handle_input(*conn, frame, self.now);
            out += self.drain();
        }
        out
    }
}

/// The goal is 300,000 items a second on one core.
#[divan::bench(sample_count = 100, sample_size = 1)]
fn ring_admission(bencher: Bencher<'_, '_>) {
    let load = RefCell::new(Load::new());
    bencher
        .counter(ItemsCount::new(BATCH))
        .with_inputs(|| load.borrow_mut().prepare(true))
        .bench_local_values(|rings| {
            assert_eq!(
                load.borrow_mut().run(&rings),
                BATCH,
                "every ring goes through"
            );
        });
}

/// A flood of wrong tags, up to the queued NAK.
#[divan::bench(sample_count = 100, sample_size = 1)]
fn ring_refusal(bencher: Bencher<'_, '_>) {
    let load = RefCell::new(Load::new());
    bencher
        .counter(ItemsCount::new(BATCH))
        .with_inputs(|| {
            let mut load = load.borrow_mut();
            let rings = load.prepare(false);
            let now = load.now;
            load.server.handle_timeout(now);
            load.drain();
            rings
        })
        .bench_local_values(|rings| {
            assert_eq!(load.borrow_mut().run(&rings), 0, "no ring goes through");
        });
}
