//! The two words, invites, and a mailbox's bookkeeping.
#![allow(clippy::unwrap_used)]

use proptest::prelude::*;
use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::{RngCore, SeedableRng};
use tacit_crypto::invite::INVITE_BYTES;
use tacit_crypto::sas::SasError;
use tacit_crypto::{
    AttachSecret, Generation, Initiator, Invite, InviteError, Mailbox, MailboxSecret, Prologue,
    Purpose, Refill, Responder, Sas, SasKeys, SasMessage, StaticKeypair, Token, TokenKey,
};
use tacit_types::{MailboxId, OnionKey, Reason, SecretBytes, UnixTime};

fn sas_keys(seed: u64) -> (SasKeys, SasKeys) {
    let mut rng = ChaCha20Rng::seed_from_u64(seed);
    let (a, b) = (
        StaticKeypair::generate(&mut rng),
        StaticKeypair::generate(&mut rng),
    );
    let prologue = Prologue {
        purpose: Purpose::Resync,
        hello_nonce: [1; 32],
        server: OnionKey([2; 32]),
        mailbox: MailboxId([3; 16]),
        token: Token {
            generation: 4,
            index: 5,
            tag: [6; 16],
        },
    };
    let mut caller = Initiator::resync(&prologue, &a, &b.public(), &mut rng);
    let message1 = caller.write(&[]).unwrap();
    let (_, answer) = Responder::resync(&prologue, &b, &a.public())
        .read(&message1)
        .unwrap();
    let (message2, callee) = answer.write(&[], &mut rng).unwrap();
    (caller.read(&message2).unwrap().1.sas(), callee.sas())
}

/// Runs the exchange, with somebody in between who may change messages.
fn exchange(
    caller: &mut Sas,
    callee: &mut Sas,
    mut between: impl FnMut(SasMessage) -> SasMessage,
) -> Result<(), SasError> {
    loop {
        let (up, down) = (caller.poll_transmit(), callee.poll_transmit());
        if up.is_none() && down.is_none() {
            return Ok(());
        }
        if let Some(message) = up {
            callee.handle_input(between(message))?;
        }
        if let Some(message) = down {
            caller.handle_input(between(message))?;
        }
    }
}

#[test]
fn both_people_see_the_same_two_words() {
    let (a, b) = sas_keys(1);
    let (mut caller, mut callee) = (Sas::start(a, [1; 32]), Sas::start(b, [2; 32]));
    assert_eq!((caller.words(), callee.words()), (None, None));
    exchange(&mut caller, &mut callee, |message| message).unwrap();
    assert!(caller.words().is_some());
    assert_eq!(caller.words(), callee.words());
}

#[test]
fn words_spread_over_the_list() {
    let mut seen = std::collections::BTreeSet::new();
    for seed in 0..200 {
        let (a, b) = sas_keys(1);
        let mut nonce = [0; 32];
        ChaCha20Rng::seed_from_u64(seed).fill_bytes(&mut nonce);
        let (mut caller, mut callee) = (Sas::start(a, nonce), Sas::start(b, [2; 32]));
        exchange(&mut caller, &mut callee, |message| message).unwrap();
        seen.extend(caller.words().unwrap());
    }
    assert!(seen.len() > 280, "{} words in 400 draws", seen.len());
}

#[test]
fn a_nonce_other_than_the_committed_one_is_caught() {
    let (a, b) = sas_keys(1);
    let (mut caller, mut callee) = (Sas::start(a, [1; 32]), Sas::start(b, [2; 32]));
    let mut reveals = 0;
    let result = exchange(&mut caller, &mut callee, |message| match message {
        SasMessage::Reveal(mut nonce) => {
            reveals += 1;
            nonce[0] ^= u8::from(reveals == 2);
            SasMessage::Reveal(nonce)
        }
        SasMessage::Commit(_) => message,
    });
    assert_eq!(result, Err(SasError::BrokenCommitment));
    assert!(callee.failed() && callee.words().is_none());
}

#[test]
fn different_handshakes_do_not_pass_each_others_commitments() {
    let ((a, _), (_, b)) = (sas_keys(1), sas_keys(2));
    let (mut caller, mut callee) = (Sas::start(a, [1; 32]), Sas::start(b, [2; 32]));
    assert!(exchange(&mut caller, &mut callee, |message| message).is_err());
}

#[test]
fn messages_out_of_turn_fail_for_good() {
    let (a, b) = sas_keys(1);
    let mut callee = Sas::start(b, [2; 32]);
    assert_eq!(
        callee.handle_input(SasMessage::Reveal([1; 32])),
        Err(SasError::OutOfTurn)
    );
    assert_eq!(
        callee.handle_input(SasMessage::Commit([1; 32])),
        Err(SasError::OutOfTurn)
    );
    let mut caller = Sas::start(a, [2; 32]);
    assert_eq!(
        caller.handle_input(SasMessage::Commit([1; 32])),
        Err(SasError::OutOfTurn)
    );
    assert!(caller.failed() && callee.failed());
    assert!(caller.broken_off() && callee.broken_off());
}

#[test]
fn only_what_the_peer_began_is_broken_off() {
    let (a, b) = sas_keys(1);
    let (mut caller, mut callee) = (Sas::start(a, [1; 32]), Sas::start(b, [2; 32]));
    assert!(!caller.broken_off() && !callee.broken_off());
    let commit = caller.poll_transmit().unwrap();
    assert!(
        !caller.broken_off(),
        "our own commitment asks nothing of us"
    );
    callee.handle_input(commit).unwrap();
    assert!(callee.broken_off(), "the caller could know the words now");
    caller
        .handle_input(callee.poll_transmit().unwrap())
        .unwrap();
    callee
        .handle_input(caller.poll_transmit().unwrap())
        .unwrap();
    assert!(!caller.broken_off() && !callee.broken_off());
    assert_eq!(caller.words(), callee.words());
}

fn example() -> (Mailbox, Invite) {
    let mut rng = ChaCha20Rng::seed_from_u64(9);
    let mailbox = Mailbox::generate(&mut rng);
    let invite = Invite {
        expires: UnixTime(1_000_000),
        server: OnionKey([7; 32]),
        mailbox: mailbox.id(),
        discovery: SecretBytes::new([8; 32]),
        inviter: StaticKeypair::generate(&mut rng).public(),
        token: mailbox.reserved_token(0),
        psk: SecretBytes::new([9; 32]),
    };
    (mailbox, invite)
}

#[test]
fn a_link_survives_case_white_space_and_nothing_else() {
    let (_, invite) = example();
    let link = invite.to_link();
    assert_eq!(link.len(), 6 + 284);
    assert_eq!(Invite::from_link(&link), Ok(invite.clone()));
    assert_eq!(Invite::from_link(&link.to_uppercase()), Ok(invite.clone()));
    let wrapped = format!(" {}\r\n {}\n", &link[..70], &link[70..]);
    assert_eq!(Invite::from_link(&wrapped), Ok(invite));
    for cut in 0..link.len() {
        assert_eq!(
            Invite::from_link(&link[..cut]),
            Err(InviteError::Malformed),
            "cut at {cut}"
        );
    }
    for at in 0..link.len() {
        let mut bad = link.clone().into_bytes();
        bad[at] = if bad[at] == b'a' { b'b' } else { b'a' };
        let bad = String::from_utf8(bad).unwrap();
        assert_eq!(
            Invite::from_link(&bad),
            Err(InviteError::Malformed),
            "changed at {at}"
        );
    }
    for other in ["", "tacit:", "http://x", "taci\u{e9}:", &"a".repeat(5000)] {
        assert_eq!(Invite::from_link(other), Err(InviteError::Malformed));
    }
}

#[test]
fn a_newer_version_and_an_expired_invite_have_their_own_errors() {
    let (_, invite) = example();
    let mut newer = invite.to_bytes().to_vec();
    newer[0] = 2;
    assert_eq!(
        Invite::from_bytes(&newer),
        Err(InviteError::Malformed),
        "the checksum covers the version (tests/conformance has one with a right checksum)"
    );
    assert_eq!(invite.check_expiry(UnixTime(999_999)), Ok(()));
    assert_eq!(
        invite.check_expiry(UnixTime(1_000_000)),
        Err(InviteError::Expired)
    );
    assert_eq!(InviteError::Expired.reason(), Reason::InviteExpired);
    assert_eq!(InviteError::Version(2).reason(), Reason::InviteVersion);
    assert_eq!(InviteError::Malformed.reason(), Reason::InviteMalformed);
}

#[test]
fn an_invites_token_is_checked_with_the_reserved_key() {
    let (mailbox, invite) = example();
    let attach = mailbox.attach_secret();
    assert!(invite.token.is_reserved());
    assert!(attach.reserved_key().verify(&invite.mailbox, &invite.token));
    assert_eq!(
        AttachSecret::new(*attach.expose()).mailbox_id(),
        invite.mailbox
    );
    assert!(!format!("{invite:?}").contains('9'));
}

#[test]
fn a_token_is_good_at_one_mailbox_one_generation_one_slot() {
    let secret = MailboxSecret::from_secret(SecretBytes::new([1; 32]));
    let other = MailboxSecret::from_secret(SecretBytes::new([2; 32]));
    let (id, key) = (secret.mailbox_id(), secret.token_key(Generation(3)));
    let token = key.token(&id, Generation(3), 2047);
    assert!(key.verify(&id, &token));
    assert!(TokenKey::new(*key.expose()).verify(&id, &token));
    assert!(!key.verify(&other.mailbox_id(), &token));
    assert!(!other.token_key(Generation(3)).verify(&id, &token));
    assert!(!secret.token_key(Generation(4)).verify(&id, &token));
    let changed = |change: fn(&mut Token)| {
        let mut bad = token;
        change(&mut bad);
        assert!(!key.verify(&id, &bad));
    };
    changed(|token| token.generation = 4);
    changed(|token| token.index = 0);
    changed(|token| token.tag[0] ^= 1);
    changed(|token| token.tag[15] ^= 0x80);
    assert!(
        !key.verify(&id, &key.token(&id, Generation(3), 2048)),
        "index out of range"
    );
}

#[test]
fn a_mailbox_keeps_two_generations_and_survives_saving() {
    let mut mailbox = Mailbox::new(MailboxSecret::from_secret(SecretBytes::new([1; 32])));
    assert_eq!(mailbox.live_generations().len(), 1);
    assert!(mailbox.open_generation() && mailbox.open_generation());
    let numbers: Vec<_> = mailbox
        .live_generations()
        .iter()
        .map(|(number, _)| *number)
        .collect();
    assert_eq!(numbers, [Generation(1), Generation(2)]);
    assert!(mailbox.spent_bitmap(Generation(0)).is_none());
    let saved = postcard::to_stdvec(&mailbox).unwrap();
    let back: Mailbox = postcard::from_bytes(&saved).unwrap();
    assert_eq!(postcard::to_stdvec(&back).unwrap(), saved);
}

proptest! {
    #[test]
    fn any_text_and_any_bytes_are_refused_without_panic(
        text in ".{0,300}",
        bytes in proptest::collection::vec(any::<u8>(), 0..400),
        refill in proptest::collection::vec(any::<u8>(), 0..400),
    ) {
        prop_assert!(Invite::from_link(&text).is_err());
        let scheme_and_text = format!("tacit:{text}");
        prop_assert!(Invite::from_link(&scheme_and_text).is_err());
        prop_assert!(Invite::from_bytes(&bytes).is_err());
        if let Some((decoded, rest)) = Refill::decode(&refill) {
            let taken = refill.len() - rest.len();
            prop_assert_eq!(decoded.encode(), &refill[..taken]);
        }
    }

    #[test]
    fn every_flipped_bit_of_an_invite_is_malformed(bit in 0..INVITE_BYTES * 8) {
        let mut bytes = example().1.to_bytes();
        bytes[bit / 8] ^= 1 << (bit % 8);
        prop_assert_eq!(Invite::from_bytes(&bytes), Err(InviteError::Malformed));
    }
}
