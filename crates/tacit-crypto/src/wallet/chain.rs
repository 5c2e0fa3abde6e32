//! The chain of batch secrets of one direction.

use serde::{Deserialize, Serialize};
use tacit_types::{MailboxId, Role};

use super::{BatchNumber, MAX_BATCH_GAP};
use crate::kdf::{self, Key, label, role_byte};
use crate::token::{Psk, Token};

/// Stands at the next batch to issue or to accept. Stepping forward wipes what is left behind.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Chain {
    pub(super) issuer: Role,
    pub(super) next: u32,
    secret: Key,
}

/// The secret of one batch, taken off the chain.
pub(super) struct BatchSecret {
    issuer: Role,
    secret: Key,
}

impl Chain {
    pub(super) const fn new(issuer: Role, next: u32, secret: Key) -> Self {
        Self {
            issuer,
            next,
            secret,
        }
    }

    /// The secret of batch `number`, with the chain standing after it; `None` if that batch is
    /// behind or too far ahead. The chain itself is unchanged.
    pub(super) fn take(&self, number: BatchNumber) -> Option<(BatchSecret, Self)> {
        let steps = number
            .0
            .checked_sub(self.next)
            .filter(|steps| *steps < MAX_BATCH_GAP)?;
        let mut secret = self.secret.clone();
        for _ in 0..steps {
            secret = step(&secret);
        }
        let after = Self::new(self.issuer, number.0.checked_add(1)?, step(&secret));
        Some((
            BatchSecret {
                issuer: self.issuer,
                secret,
            },
            after,
        ))
    }
}

impl BatchSecret {
    /// `HKDF-Expand(batch secret, "tacit/1 psk", issuer ‖ mailbox ‖ generation ‖ index)`.
    pub(super) fn psk(&self, mailbox: &MailboxId, token: &Token) -> Psk {
        let (generation, index) = (token.generation.to_be_bytes(), token.index.to_be_bytes());
        let context: [&[u8]; 4] = [&[role_byte(self.issuer)], &mailbox.0, &generation, &index];
        kdf::expand(&self.secret, label::PSK, &context)
    }

    /// Four bytes that only somebody on the same chain can make: two sides whose chains differ
    /// notice before a token is wasted.
    pub(super) fn check(&self, number: BatchNumber, mailbox: &MailboxId) -> [u8; 4] {
        let context: [&[u8]; 3] = [
            &[role_byte(self.issuer)],
            &mailbox.0,
            &number.0.to_be_bytes(),
        ];
        let value = kdf::expand(&self.secret, label::BATCH_CHECK, &context);
        let mut check = [0; 4];
        check.copy_from_slice(&value.expose()[..4]);
        check
    }
}

fn step(secret: &Key) -> Key {
    kdf::expand(secret, label::NEXT_BATCH, &[])
}
