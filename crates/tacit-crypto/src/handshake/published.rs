//! The three patterns in use, against the published vectors of the cacophony project (as shipped with
//! snow 0.10): handshake messages, handshake hash and the first transport message each way.

use rand_chacha::rand_core::{CryptoRng, RngCore};
use tacit_types::{Role, SecretBytes};

use super::resolver::ChaChaPoly;
use super::state::{Pattern, Setup, State};
use crate::keys::{StaticKeypair, StaticPublic};
use snow::types::Cipher;

const PROLOGUE: &[u8] = b"John Galt";
const PSK: &[u8; 32] = b"This is my Austrian perspective!";
const CALLER_STATIC: &str = "e61ef9919cde45dd5f82166404bd08e38bceb5dfdfded0a34c8df7ed542214d1";
const CALLER_EPHEMERAL: &str = "893e28b9dc6ca8d611ab664754b8ceb7bac5117349a4439a6b0569da977c464a";
const CALLEE_STATIC: &str = "4a3acbfdb163dec651dfa3194dece676d437029c62a408b4c5ea9114246e4893";
const CALLEE_EPHEMERAL: &str = "bbdb4cdbd309f1a1f2e1456967fe288cadd6f712d65dc7b7793d5e63da6b375b";
const PAYLOADS: [&str; 4] = [
    "4c756477696720766f6e204d69736573",
    "4d757272617920526f746862617264",
    "462e20412e20486179656b",
    "4361726c204d656e676572",
];

struct Published {
    pattern: Pattern,
    psk: bool,
    hash: &'static str,
    messages: [&'static str; 4],
}

const PUBLISHED: [Published; 3] = [
    Published {
        pattern: Pattern::KkPsk0,
        psk: true,
        hash: "cb6446644ec2b5f98feac9826aadfc558ed504e3c4b44395b7ad37c773962a96",
        messages: [
            "ca35def5ae56cec33dc2036731ab14896bc4c75dbb07a61f879f8e3afa4c794416088e45dd5bcdb9bee7037e09be96e5c9750d48aded34648f0663750995e4fa",
            "95ebc60d2b1fa672c1f46a8aa265ef51bfe38e7ccb39ec5be34069f144808843fcf5c1d990871f224ffe090498a03bd50db64dcf448db09194f5a93e1aa73b",
            "4703888dd8d47d781af6a5c61ba22562e2f657883f13d29817d1b6",
            "930c11f54ccb098a7f851e6026aaab4c56ec9100f356d95a9543cd",
        ],
    },
    Published {
        pattern: Pattern::IkPsk1,
        psk: true,
        hash: "a02debd3baac76b19863f7d1175927193fcee661e9f7ae87b6d086cb4926c783",
        messages: [
            "ca35def5ae56cec33dc2036731ab14896bc4c75dbb07a61f879f8e3afa4c794498e192a0a94102bd8fa1a182979c012f4fa2558d899e2e58d4d4aba041a56b35297560de33bf7fe93f8e567791039539f59e76a00721ea7c1095fbccf10a13df79f3b5605bfb0617c309698737c73429",
            "95ebc60d2b1fa672c1f46a8aa265ef51bfe38e7ccb39ec5be34069f1448088434523a21bc9f1ce57af3dc28365e1e33c25f577fc4aa2149d5d6a2ab0911beb",
            "dc15d1ceff592ff648bba38f9bc63c0049600307fba700ba2a0b2b",
            "85f1e8c573c0d9fd188080532a0ad1a6d457974c91f2ff0f21ecaf",
        ],
    },
    Published {
        pattern: Pattern::Kk,
        psk: false,
        hash: "1362b8627a00907ce11e558aba8ce7cbca88e83f0e84ce7db5159b1c3e25ab59",
        messages: [
            "ca35def5ae56cec33dc2036731ab14896bc4c75dbb07a61f879f8e3afa4c7944266a5f53784aa3becb0f7485c2759c328937867a4cbaafef07422b0725e098be",
            "95ebc60d2b1fa672c1f46a8aa265ef51bfe38e7ccb39ec5be34069f144808843008aeea5d76d6abcbab87a18502c8a8352d9933ac11e2a7d228038d721e31e",
            "5f92113edf78c3e56e6d67201f5f9e0c8f2930c3e1ffb64ede0358",
            "30ebbd9cdcef7f40d99c8cd11e880dac28f5c9e5032c1059b3b56a",
        ],
    },
];

/// Hands out one ephemeral key.
struct Fixed(Vec<u8>);

impl RngCore for Fixed {
    fn next_u32(&mut self) -> u32 {
        unreachable!("only bytes are drawn")
    }
    fn next_u64(&mut self) -> u64 {
        unreachable!("only bytes are drawn")
    }
    fn fill_bytes(&mut self, dest: &mut [u8]) {
        dest.copy_from_slice(&self.0);
    }
    fn try_fill_bytes(&mut self, dest: &mut [u8]) -> Result<(), rand_core::Error> {
        self.fill_bytes(dest);
        Ok(())
    }
}
impl CryptoRng for Fixed {}

fn hex(text: &str) -> Vec<u8> {
    (0..text.len())
        .step_by(2)
        .map(|at| u8::from_str_radix(&text[at..at + 2], 16).unwrap())
        .collect()
}

fn keypair(secret: &str) -> StaticKeypair {
    StaticKeypair::from_secret(SecretBytes::new(hex(secret).try_into().unwrap()))
}

fn side(role: Role, published: &Published) -> State {
    let psk = SecretBytes::new(*PSK);
    let (local, remote) = match role {
        Role::Caller => (keypair(CALLER_STATIC), keypair(CALLEE_STATIC)),
        Role::Callee => (keypair(CALLEE_STATIC), keypair(CALLER_STATIC)),
    };
    let remote: StaticPublic = remote.public();
    let unknown = matches!((published.pattern, role), (Pattern::IkPsk1, Role::Callee));
    State::new(&Setup {
        pattern: published.pattern,
        role,
        prologue: PROLOGUE,
        local: &local,
        remote: (!unknown).then_some(&remote),
        psk: published.psk.then_some(&psk),
    })
}

#[test]
fn the_published_vectors_come_out() {
    for published in &PUBLISHED {
        let (mut caller, mut callee) =
            (side(Role::Caller, published), side(Role::Callee, published));
        caller.draw_ephemeral(&mut Fixed(hex(CALLER_EPHEMERAL)));
        callee.draw_ephemeral(&mut Fixed(hex(CALLEE_EPHEMERAL)));
        let message1 = caller.write(&hex(PAYLOADS[0])).unwrap();
        assert_eq!(message1, hex(published.messages[0]));
        assert_eq!(callee.read(&message1).unwrap(), hex(PAYLOADS[0]));
        let message2 = callee.write(&hex(PAYLOADS[1])).unwrap();
        assert_eq!(message2, hex(published.messages[1]));
        assert_eq!(caller.read(&message2).unwrap(), hex(PAYLOADS[1]));
        let (k1, k2) = caller.raw_split();
        assert_eq!(callee.raw_split(), (k1, k2));
        for (at, key) in [(2, k1), (3, k2)] {
            let mut cipher = ChaChaPoly::default();
            cipher.set(&key);
            let mut out = [0; 64];
            let length = cipher.encrypt(0, &[], &hex(PAYLOADS[at]), &mut out);
            assert_eq!(out[..length], hex(published.messages[at]));
        }
        let hash = hex(published.hash);
        assert_eq!(caller.finish().handshake_hash()[..], hash);
        assert_eq!(callee.finish().handshake_hash()[..], hash);
    }
}
