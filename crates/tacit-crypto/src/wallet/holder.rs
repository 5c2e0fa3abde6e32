//! The holder's wallet: tokens that one contact issued to me.

use serde::{Deserialize, Serialize};
use subtle::ConstantTimeEq;
use tacit_types::{MailboxId, Role, SecretBytes};

use super::chain::{BatchSecret, Chain};
use super::{BatchNumber, MAX_HELD_TOKENS, Refill};
use crate::token::{Psk, Token};

/// Tokens that a contact issued to me, with their PSKs.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct HolderWallet {
    chain: Chain,
    last: BatchNumber,
    /// In order of arrival.
    tokens: Vec<Held>,
    disagreed: bool,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
struct Held {
    token: Token,
    psk: Psk,
    batch: BatchNumber,
    tried: u32,
}

/// Why a refill was not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RefillError {
    /// Not newer than the last batch held: a repeat or a latecomer. Harmless.
    #[error("the batch is not newer than the last one")]
    Stale,
    /// The two chains differ, or the gap is too wide; a RESYNC is wanted.
    #[error("the two wallets disagree")]
    Disagree,
}

impl HolderWallet {
    /// An empty wallet on a fresh chain. `issuer` is the contact's role in the handshake that
    /// `first_batch_secret` came from: `session.first_batch_secret(issuer)`.
    #[must_use]
    pub const fn new(first_batch_secret: SecretBytes<32>, issuer: Role) -> Self {
        Self {
            chain: Chain::new(issuer, 1, first_batch_secret),
            last: BatchNumber(0),
            tokens: Vec::new(),
            disagreed: false,
        }
    }

    /// The last batch held, for messages 1 and 2. State it only from saved data.
    #[must_use]
    pub const fn last_batch(&self) -> BatchNumber {
        self.last
    }

    /// Takes a refill for `mailbox`, the contact's mailbox. Tokens of batches that the issuer burnt
    /// go. A refill from message 1 may be taken only with the caller's first authentic PIPE message.
    pub fn accept_refill(
        &mut self,
        mailbox: &MailboxId,
        refill: &Refill,
    ) -> Result<(), RefillError> {
        if refill.batch <= self.last {
            return Err(RefillError::Stale);
        }
        let taken = self
            .chain
            .take(refill.batch)
            .filter(|(secret, _)| genuine(secret, mailbox, refill));
        let Some((secret, chain)) = taken else {
            self.disagreed = true;
            return Err(RefillError::Disagree);
        };
        self.tokens.retain(|held| held.batch <= refill.after);
        self.chain = chain;
        self.take(mailbox, refill, &secret);
        Ok(())
    }

    /// Takes the other side's new start in a RESYNC: every old token goes.
    pub fn accept_resync(
        &mut self,
        mailbox: &MailboxId,
        refill: &Refill,
        first_batch_secret: SecretBytes<32>,
        issuer: Role,
    ) -> Result<(), RefillError> {
        if refill.batch <= self.last {
            return Err(RefillError::Stale);
        }
        let chain = Chain::new(issuer, refill.batch.0, first_batch_secret);
        let taken = chain
            .take(refill.batch)
            .filter(|(secret, _)| genuine(secret, mailbox, refill));
        let (secret, chain) = taken.ok_or(RefillError::Disagree)?;
        self.tokens.clear();
        self.chain = chain;
        self.disagreed = false;
        self.take(mailbox, refill, &secret);
        Ok(())
    }

    fn take(&mut self, mailbox: &MailboxId, refill: &Refill, secret: &BatchSecret) {
        self.last = refill.batch;
        self.drop_dead_generations(refill);
        for token in refill.tokens.iter().copied() {
            let psk = secret.psk(mailbox, &token);
            self.tokens.push(Held {
                token,
                psk,
                batch: refill.batch,
                tried: 0,
            });
        }
        while self.tokens.len() > MAX_HELD_TOKENS {
            let most = self.tokens.iter().map(|held| held.tried).max().unwrap_or(0);
            let at = self.tokens.iter().position(|held| held.tried == most);
            self.tokens.remove(at.expect("some token was tried most"));
        }
    }

    /// A mailbox keeps two generations: tokens older than that are refused there.
    fn drop_dead_generations(&mut self, refill: &Refill) {
        let Some(newest) = refill.tokens.iter().map(|token| token.generation).max() else {
            return;
        };
        self.tokens
            .retain(|held| held.token.generation >= newest.saturating_sub(1));
    }

    /// The token to ring with next, marked as tried: the least tried, and among those the oldest.
    /// A refusal or silence does not delete it. Save before ringing.
    pub fn next_token(&mut self) -> Option<(Token, Psk)> {
        let held = self.tokens.iter_mut().min_by_key(|held| held.tried)?;
        held.tried = held.tried.saturating_add(1);
        Some((held.token, held.psk.clone()))
    }

    /// Deletes a token whose ring was answered authentically. False if it was not held.
    pub fn consumed(&mut self, token: &Token) -> bool {
        let before = self.tokens.len();
        self.tokens.retain(|held| held.token != *token);
        self.tokens.len() != before
    }

    /// Tokens held, tried or not.
    #[must_use]
    pub fn remaining(&self) -> usize {
        self.tokens.len()
    }

    /// Whether only a RESYNC helps: nothing left to try, every token tried twice without an answer,
    /// or the two chains were found to differ.
    #[must_use]
    pub fn wants_resync(&self) -> bool {
        self.disagreed || self.tokens.iter().all(|held| held.tried >= 2)
    }
}

fn genuine(secret: &BatchSecret, mailbox: &MailboxId, refill: &Refill) -> bool {
    secret
        .check(refill.batch, mailbox)
        .ct_eq(&refill.check)
        .into()
}
