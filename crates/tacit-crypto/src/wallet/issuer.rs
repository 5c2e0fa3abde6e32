//! The issuer's wallet: tokens of my mailbox that one contact may hold.

use serde::{Deserialize, Serialize};
use tacit_types::{Role, SecretBytes};

use super::chain::Chain;
use super::{BatchNumber, MAX_REFILL_TOKENS, Refill};
use crate::mailbox::Mailbox;
use crate::token::{Generation, Psk, Token};

/// Tokens that I issued to one contact, with their PSKs.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct IssuerWallet {
    chain: Chain,
    /// Highest batch number ever issued, on any chain.
    issued: u32,
    /// Last batch that the contact is known to have.
    acknowledged: BatchNumber,
    /// Tokens of acknowledged batches, not spent yet.
    held: Vec<Issued>,
    /// The one batch that the contact may or may not have.
    pending: Option<Batch>,
    /// A whole new start that takes effect when the contact shows that it has it.
    resync: Option<Restart>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
struct Issued {
    token: Token,
    psk: Psk,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
struct Batch {
    number: BatchNumber,
    tokens: Vec<Issued>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
struct Restart {
    chain: Chain,
    batch: Batch,
}

impl IssuerWallet {
    /// An empty wallet on a fresh chain. `issuer` is this side's role in the handshake that
    /// `first_batch_secret` came from: `session.first_batch_secret(issuer)`.
    #[must_use]
    pub const fn new(first_batch_secret: SecretBytes<32>, issuer: Role) -> Self {
        Self {
            chain: Chain::new(issuer, 1, first_batch_secret),
            issued: 0,
            acknowledged: BatchNumber(0),
            held: Vec::new(),
            pending: None,
            resync: None,
        }
    }

    /// Takes note of the last batch that the contact holds, from an authentic message. A RESYNC's
    /// third message is that, too: it makes the new start take effect.
    pub fn acknowledge(&mut self, mailbox: &mut Mailbox, peer_last_batch: BatchNumber) {
        if self
            .resync
            .as_ref()
            .is_some_and(|restart| peer_last_batch >= restart.batch.number)
        {
            self.commit_resync(mailbox);
        }
        if self
            .pending
            .as_ref()
            .is_some_and(|batch| peer_last_batch >= batch.number)
        {
            self.commit_pending();
        }
    }

    /// A batch for message 1, where the contact's state is not known: only when the contact may be
    /// short of tokens, so that ringing somebody who is away does not use up slots. What is still
    /// missing follows by [`Self::refill`] once the contact has stated its last batch.
    pub fn offer(&mut self, mailbox: &mut Mailbox, max_tokens: usize) -> Option<Refill> {
        if self.outstanding() >= max_tokens {
            return None;
        }
        self.refill(mailbox, self.acknowledged, max_tokens, max_tokens)
    }

    /// The last batch that the contact is known to have.
    #[must_use]
    pub const fn acknowledged(&self) -> BatchNumber {
        self.acknowledged
    }

    /// A batch that brings the contact's wallet up to `target` tokens, with at most `max_tokens`
    /// in it; `None` if it is full, or while a RESYNC waits for its third message.
    ///
    /// Burns the pending batch if `peer_last_batch` does not cover it. Save before sending.
    pub fn refill(
        &mut self,
        mailbox: &mut Mailbox,
        peer_last_batch: BatchNumber,
        target: usize,
        max_tokens: usize,
    ) -> Option<Refill> {
        self.acknowledge(mailbox, peer_last_batch);
        if self.resync.is_some() {
            return None;
        }
        self.burn_pending(mailbox);
        self.held
            .retain(|issued| mailbox.is_live(Generation(issued.token.generation)));
        let count = target
            .saturating_sub(self.held.len())
            .min(max_tokens)
            .min(MAX_REFILL_TOKENS);
        if count == 0 {
            return None;
        }
        let (refill, batch, after) = make_batch(
            &self.chain,
            mailbox,
            BatchNumber(self.chain.next),
            self.acknowledged,
            count,
        )?;
        self.chain = after;
        self.issued = refill.batch.0;
        self.pending = Some(batch);
        Some(refill)
    }

    /// Starts over on a new chain, in a RESYNC: a full batch under a higher number than either side
    /// has seen. Old tokens stay good until the contact shows that it has the new ones.
    ///
    /// A contact that is ahead of this wallet means that a backup was restored here: then slots may
    /// have been handed out that this wallet does not know of, and a new generation is opened.
    pub fn begin_resync(
        &mut self,
        mailbox: &mut Mailbox,
        first_batch_secret: SecretBytes<32>,
        issuer: Role,
        peer_last_batch: BatchNumber,
        target: usize,
    ) -> Option<Refill> {
        self.drop_resync(mailbox);
        if peer_last_batch.0 > self.issued {
            mailbox.open_generation();
        }
        let before = BatchNumber(self.issued.max(peer_last_batch.0));
        let number = BatchNumber(before.0.checked_add(1)?);
        let chain = Chain::new(issuer, number.0, first_batch_secret);
        let count = target.min(MAX_REFILL_TOKENS);
        let (refill, batch, chain) = make_batch(&chain, mailbox, number, before, count)?;
        self.issued = number.0;
        self.resync = Some(Restart { chain, batch });
        Some(refill)
    }

    fn commit_resync(&mut self, mailbox: &mut Mailbox) {
        let Some(restart) = self.resync.take() else {
            return;
        };
        self.burn_pending(mailbox);
        for issued in core::mem::take(&mut self.held) {
            mailbox.mark_spent(Generation(issued.token.generation), issued.token.index);
        }
        self.chain = restart.chain;
        self.acknowledged = restart.batch.number;
        self.held = restart.batch.tokens;
    }

    /// The token and PSK of a slot, if this contact may still use it. Changes nothing: whoever
    /// rings is not known until message 1 has authenticated under this PSK.
    #[must_use]
    pub fn authorise(&self, generation: Generation, index: u16) -> Option<(Token, Psk)> {
        self.all()
            .find(|issued| issued.token.generation == generation.0 && issued.token.index == index)
            .map(|issued| (issued.token, issued.psk.clone()))
    }

    /// Spends a slot whose message 1 has authenticated: the PSK is deleted and the bit set. False
    /// if it was not there to spend, and then the ring must not go on. Save before ringing.
    pub fn spend(&mut self, mailbox: &mut Mailbox, generation: Generation, index: u16) -> bool {
        let is = |issued: &Issued| {
            issued.token.generation == generation.0 && issued.token.index == index
        };
        if self
            .resync
            .as_ref()
            .is_some_and(|restart| restart.batch.tokens.iter().any(is))
        {
            self.commit_resync(mailbox);
        }
        if self
            .pending
            .as_ref()
            .is_some_and(|batch| batch.tokens.iter().any(is))
        {
            self.commit_pending();
        }
        let Some(at) = self.held.iter().position(is) else {
            return false;
        };
        self.held.remove(at);
        mailbox.mark_spent(generation, index)
    }

    /// Tokens that the contact may use, acknowledged or not.
    #[must_use]
    pub fn outstanding(&self) -> usize {
        self.all().count()
    }

    /// Burns everything: the contact can ring no more. For *drop*; a ghost keeps its wallet.
    pub fn burn_all(&mut self, mailbox: &mut Mailbox) {
        self.drop_resync(mailbox);
        self.burn_pending(mailbox);
        for issued in core::mem::take(&mut self.held) {
            mailbox.mark_spent(Generation(issued.token.generation), issued.token.index);
        }
    }

    fn all(&self) -> impl Iterator<Item = &Issued> {
        let pending = self.pending.iter().flat_map(|batch| &batch.tokens);
        let resync = self.resync.iter().flat_map(|restart| &restart.batch.tokens);
        self.held.iter().chain(pending).chain(resync)
    }

    fn commit_pending(&mut self) {
        if let Some(batch) = self.pending.take() {
            self.acknowledged = batch.number;
            self.held.extend(batch.tokens);
        }
    }

    fn burn_pending(&mut self, mailbox: &mut Mailbox) {
        burn(mailbox, self.pending.take());
    }

    fn drop_resync(&mut self, mailbox: &mut Mailbox) {
        burn(mailbox, self.resync.take().map(|restart| restart.batch));
    }
}

fn burn(mailbox: &mut Mailbox, batch: Option<Batch>) {
    for issued in batch.into_iter().flat_map(|batch| batch.tokens) {
        mailbox.mark_spent(Generation(issued.token.generation), issued.token.index);
    }
}

/// Draws slots, derives their PSKs and steps the chain. `None` when chain or mailbox is used up.
fn make_batch(
    chain: &Chain,
    mailbox: &mut Mailbox,
    number: BatchNumber,
    after: BatchNumber,
    count: usize,
) -> Option<(Refill, Batch, Chain)> {
    let (secret, stepped) = chain.take(number)?;
    let tokens = mailbox.draw(count);
    if tokens.is_empty() {
        return None;
    }
    let id = mailbox.id();
    let issued = tokens.iter().map(|token| Issued {
        token: *token,
        psk: secret.psk(&id, token),
    });
    let batch = Batch {
        number,
        tokens: issued.collect(),
    };
    let check = secret.check(number, &id);
    Some((
        Refill {
            batch: number,
            after,
            check,
            tokens,
        },
        batch,
        stepped,
    ))
}
