//! Handshakes by purpose: keys agree, everything is bound, nothing hostile gets through.
#![allow(clippy::unwrap_used)]

use proptest::prelude::*;
use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::SeedableRng;
use tacit_crypto::handshake::glare_rank;
use tacit_crypto::pipe::PIPE_PLAINTEXT_BYTES;
use tacit_crypto::{
    BatchNumber, Generation, HandshakeError, HolderWallet, Initiator, IssuerWallet, Mailbox,
    PipeOpener, PipeSealer, Prologue, Psk, Purpose, Responder, ResponderAnswer, SessionKeys,
    StaticKeypair, StaticPublic, Token,
};
use tacit_types::{LegIndex, MailboxId, OnionKey, Role, SecretBytes};

struct Pair {
    caller: StaticKeypair,
    callee: StaticKeypair,
    psk: Psk,
    prologue: Prologue,
}

impl Pair {
    fn new(purpose: Purpose) -> Self {
        let mut rng = ChaCha20Rng::seed_from_u64(1);
        Self {
            caller: StaticKeypair::generate(&mut rng),
            callee: StaticKeypair::generate(&mut rng),
            psk: SecretBytes::new([5; 32]),
            prologue: Prologue {
                purpose,
                hello_nonce: [1; 32],
                server: OnionKey([2; 32]),
                mailbox: MailboxId([3; 16]),
                token: Token {
                    generation: 4,
                    index: 5,
                    tag: [6; 16],
                },
            },
        }
    }

    fn initiator(&self, seed: u64) -> Initiator {
        let mut rng = ChaCha20Rng::seed_from_u64(seed);
        let (local, remote) = (&self.caller, self.callee.public());
        match self.prologue.purpose {
            Purpose::Join => Initiator::join(&self.prologue, local, &remote, &self.psk, &mut rng),
            Purpose::Resync => Initiator::resync(&self.prologue, local, &remote, &mut rng),
            _ => Initiator::call(&self.prologue, local, &remote, &self.psk, &mut rng),
        }
    }

    fn responder(&self) -> Responder {
        let (local, remote) = (&self.callee, self.caller.public());
        match self.prologue.purpose {
            Purpose::Join => Responder::join(&self.prologue, local, &self.psk),
            Purpose::Resync => Responder::resync(&self.prologue, local, &remote),
            _ => Responder::call(&self.prologue, local, &remote, &self.psk),
        }
    }
}

const PURPOSES: [Purpose; 4] = [
    Purpose::Call,
    Purpose::Join,
    Purpose::Resync,
    Purpose::Resume,
];

fn finish(pair: &Pair) -> (SessionKeys, SessionKeys) {
    let mut initiator = pair.initiator(2);
    let message1 = initiator.write(b"offer").unwrap();
    let (payload, answer): (_, ResponderAnswer) = pair.responder().read(&message1).unwrap();
    assert_eq!(payload, b"offer");
    assert_eq!(answer.remote_static(), pair.caller.public());
    let (message2, callee) = answer
        .write(b"reply", &mut ChaCha20Rng::seed_from_u64(3))
        .unwrap();
    let (payload, caller) = initiator.read(&message2).unwrap();
    assert_eq!(payload, b"reply");
    (caller, callee)
}

#[test]
fn both_sides_get_the_same_keys_for_every_purpose() {
    for purpose in PURPOSES {
        let (caller, callee) = finish(&Pair::new(purpose));
        assert_eq!((caller.role(), callee.role()), (Role::Caller, Role::Callee));
        assert_eq!(caller.handshake_hash(), callee.handshake_hash());
        for leg in [0, 1, 255] {
            assert_eq!(
                caller.leg_secret(LegIndex(leg)),
                callee.leg_secret(LegIndex(leg))
            );
        }
        assert_ne!(
            caller.leg_secret(LegIndex(0)),
            caller.leg_secret(LegIndex(1))
        );
        for role in [Role::Caller, Role::Callee] {
            assert_eq!(
                caller.first_batch_secret(role),
                callee.first_batch_secret(role)
            );
        }
        assert_ne!(
            caller.first_batch_secret(Role::Caller),
            caller.first_batch_secret(Role::Callee)
        );
    }
}

#[test]
fn the_pipe_works_both_ways_in_order_only() {
    let (caller, callee) = finish(&Pair::new(Purpose::Call));
    let mut sealer = PipeSealer::new(&caller.pipe());
    let mut opener = PipeOpener::new(&callee.pipe());
    let messages: Vec<_> = (0..3u8)
        .map(|n| sealer.seal(&[n; PIPE_PLAINTEXT_BYTES]).unwrap())
        .collect();
    assert!(opener.open(&messages[1]).is_err(), "out of order");
    assert_eq!(opener.open(&messages[0]).unwrap()[0], 0);
    assert!(opener.open(&messages[0]).is_err(), "replay");
    assert!(
        PipeOpener::new(&caller.pipe()).open(&messages[0]).is_err(),
        "reflection"
    );
    let mut flipped = messages[1];
    flipped[474] ^= 1;
    assert!(opener.open(&flipped).is_err());
    assert_eq!(
        opener.open(&messages[1]).unwrap()[0],
        1,
        "a forgery moves nothing"
    );
    assert_eq!(opener.open(&messages[2]).unwrap()[0], 2);
    let back = PipeSealer::new(&callee.pipe())
        .seal(&[9; PIPE_PLAINTEXT_BYTES])
        .unwrap();
    assert_eq!(PipeOpener::new(&caller.pipe()).open(&back).unwrap()[0], 9);
}

#[test]
fn every_flipped_bit_of_either_message_is_refused() {
    for purpose in PURPOSES {
        let pair = Pair::new(purpose);
        let message1 = pair.initiator(2).write(b"o").unwrap();
        for bit in 0..message1.len() * 8 {
            let mut bad = message1.clone();
            bad[bit / 8] ^= 1 << (bit % 8);
            // X25519 ignores the top bit of a public key, but the transcript does not.
            assert!(
                pair.responder().read(&bad).is_err(),
                "{purpose:?} message 1 bit {bit}"
            );
        }
        let (_, answer) = pair.responder().read(&message1).unwrap();
        let (message2, _) = answer
            .write(b"r", &mut ChaCha20Rng::seed_from_u64(3))
            .unwrap();
        let mut initiator = pair.initiator(2);
        assert_eq!(initiator.write(b"o").unwrap(), message1);
        for bit in 0..message2.len() * 8 {
            let mut bad = message2.clone();
            bad[bit / 8] ^= 1 << (bit % 8);
            initiator = initiator.read(&bad).unwrap_err().0;
        }
        initiator
            .read(&message2)
            .expect("forged answers leave the handshake as it was");
    }
}

#[test]
fn the_prologue_the_psk_and_the_keys_all_bind() {
    for purpose in PURPOSES {
        let pair = Pair::new(purpose);
        let message1 = pair.initiator(2).write(b"offer").unwrap();
        let refused = |change: &dyn Fn(&mut Pair)| {
            let mut other = Pair::new(purpose);
            change(&mut other);
            assert!(other.responder().read(&message1).is_err(), "{purpose:?}");
        };
        refused(&|p| p.prologue.hello_nonce[0] ^= 1);
        refused(&|p| p.prologue.server.0[31] ^= 1);
        refused(&|p| p.prologue.mailbox.0[0] ^= 1);
        refused(&|p| p.prologue.token.generation ^= 1);
        refused(&|p| p.prologue.token.index ^= 1);
        refused(&|p| p.prologue.token.tag[15] ^= 1);
        refused(&|p| p.callee = StaticKeypair::from_secret(SecretBytes::new([8; 32])));
        if purpose != Purpose::Resync {
            refused(&|p| p.psk = SecretBytes::new([6; 32]));
        }
        if purpose != Purpose::Join {
            refused(&|p| p.caller = StaticKeypair::from_secret(SecretBytes::new([8; 32])));
        }
    }
    // Call and resume share a pattern; only the prologue keeps them apart.
    let message1 = Pair::new(Purpose::Call)
        .initiator(2)
        .write(b"offer")
        .unwrap();
    assert!(
        Pair::new(Purpose::Resume)
            .responder()
            .read(&message1)
            .is_err()
    );
}

#[test]
fn a_reflected_message_1_is_not_an_answer() {
    for purpose in PURPOSES {
        let mut initiator = Pair::new(purpose).initiator(2);
        let message1 = initiator.write(b"offer").unwrap();
        assert!(initiator.read(&message1).is_err());
    }
}

/// Encodings of the points of small order on Curve25519 and its twist, canonical and not.
fn low_order_points() -> Vec<[u8; 32]> {
    let hex = |text: &str| {
        let mut out = [0; 32];
        for (byte, pair) in out.iter_mut().zip(text.as_bytes().chunks(2)) {
            *byte = u8::from_str_radix(core::str::from_utf8(pair).unwrap(), 16).unwrap();
        }
        out
    };
    [
        "0000000000000000000000000000000000000000000000000000000000000000",
        "0100000000000000000000000000000000000000000000000000000000000000",
        "e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800",
        "5f9c95bca3508c24b1d0b1559c83ef5b04445cc4581c8e86d8224eddd09f1157",
        "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
        "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
        "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
        "0000000000000000000000000000000000000000000000000000000000000080",
        "0100000000000000000000000000000000000000000000000000000000000080",
    ]
    .map(hex)
    .to_vec()
}

#[test]
fn low_order_points_are_refused_wherever_they_appear() {
    for point in low_order_points() {
        for purpose in PURPOSES {
            let mut pair = Pair::new(purpose);
            // As the ephemeral of message 1.
            let mut message1 = pair.initiator(2).write(b"offer").unwrap();
            message1[..32].copy_from_slice(&point);
            let error = pair.responder().read(&message1).unwrap_err();
            assert_eq!(error, HandshakeError::LowOrderKey);
            // As the ephemeral of message 2.
            let mut initiator = pair.initiator(2);
            initiator.write(b"offer").unwrap();
            let mut message2 = [0; 80];
            message2[..32].copy_from_slice(&point);
            assert_eq!(
                initiator.read(&message2).unwrap_err().1,
                HandshakeError::LowOrderKey
            );
            // As the callee's static key.
            let mut rng = ChaCha20Rng::seed_from_u64(2);
            let bad = StaticPublic(point);
            pair.prologue.purpose = Purpose::Call;
            let mut initiator =
                Initiator::call(&pair.prologue, &pair.caller, &bad, &pair.psk, &mut rng);
            assert_eq!(
                initiator.write(b"offer").unwrap_err(),
                HandshakeError::LowOrderKey
            );
        }
    }
}

#[test]
fn equal_inputs_give_equal_bytes_and_fresh_ephemerals_do_not() {
    let pair = Pair::new(Purpose::Call);
    let one = |seed| pair.initiator(seed).write(b"offer").unwrap();
    assert_eq!(one(2), one(2));
    assert_ne!(one(2), one(3));
    assert_ne!(glare_rank(&one(2)), glare_rank(&one(3)));
}

#[test]
fn nothing_prints_a_key() {
    let (keys, _) = finish(&Pair::new(Purpose::Call));
    let pair = Pair::new(Purpose::Call);
    let shown = format!(
        "{keys:?} {:?} {:?} {:?} {:?} {:?}",
        keys.pipe(),
        keys.media(),
        pair.prologue,
        pair.caller,
        pair.initiator(1)
    );
    assert!(
        !shown.contains("5, 5") && !shown.contains("2, 2"),
        "{shown}"
    );
}

#[test]
fn a_join_fills_wallets_whose_tokens_then_ring() {
    let mut rng = ChaCha20Rng::seed_from_u64(7);
    let (joiner, inviter) = finish(&Pair::new(Purpose::Join));
    let mut mailbox = Mailbox::generate(&mut rng);
    let first = inviter.first_batch_secret(Role::Callee);
    let mut issuer = IssuerWallet::new(first, Role::Callee);
    let mut holder = HolderWallet::new(joiner.first_batch_secret(Role::Callee), Role::Callee);
    let refill = issuer.refill(&mut mailbox, BatchNumber(0), 16, 16).unwrap();
    holder.accept_refill(&mailbox.id(), &refill).unwrap();
    for _ in 0..16 {
        let (token, psk) = holder.next_token().unwrap();
        let generation = Generation(token.generation);
        let (_, key) = mailbox.live_generations()[0].clone();
        assert!(key.verify(&mailbox.id(), &token));
        let mut pair = Pair::new(Purpose::Call);
        pair.prologue.token = token;
        pair.psk = psk;
        let message1 = pair.initiator(2).write(b"offer").unwrap();
        let (known, psk) = issuer.authorise(generation, token.index).unwrap();
        (pair.prologue.token, pair.psk) = (known, psk);
        pair.responder().read(&message1).unwrap();
        assert!(issuer.spend(&mut mailbox, generation, token.index));
        assert!(issuer.authorise(generation, token.index).is_none());
        assert!(
            !issuer.spend(&mut mailbox, generation, token.index),
            "twice"
        );
        assert!(mailbox.spent_bitmap(generation).unwrap().get(token.index));
        assert!(holder.consumed(&token));
    }
    assert!(holder.next_token().is_none() && holder.wants_resync());
}

proptest! {
    #[test]
    fn any_bytes_are_refused_without_panic(bytes in proptest::collection::vec(any::<u8>(), 0..600)) {
        for purpose in PURPOSES {
            let pair = Pair::new(purpose);
            prop_assert!(pair.responder().read(&bytes).is_err());
            let mut initiator = pair.initiator(2);
            initiator.write(b"offer").unwrap();
            prop_assert!(initiator.read(&bytes).is_err());
        }
    }

    #[test]
    fn payloads_of_every_length_that_fits_travel(length in 0usize..433) {
        let pair = Pair::new(Purpose::Call);
        let message1 = pair.initiator(2).write(&vec![7; length]).unwrap();
        prop_assert_eq!(message1.len(), length + 48);
        let (payload, _) = pair.responder().read(&message1).unwrap();
        prop_assert_eq!(payload, vec![7; length]);
    }
}
