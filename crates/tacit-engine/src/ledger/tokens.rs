//! Call tokens: to ring, to be rung, and to start over.

use tacit_crypto::{BatchNumber, Generation, Refill, SessionKeys, Token};
use tacit_types::limits::WALLET_TOKENS;
use tacit_types::{Reason, Role};

use super::{
    AnswerMaterials, Contact, ContactId, Ledger, OFFER_TOKENS, RESYNC_SLOT, ResyncMaterials,
    ResyncState, RingMaterials,
};

impl Ledger {
    // ---- ringing ------------------------------------------------------------------------------

    /// Takes a token for a ring, marked as tried.
    ///
    /// # Errors
    /// [`Reason::PeerNoToken`] when the wallet is empty.
    pub(crate) fn begin_ring(&mut self, id: ContactId) -> Result<RingMaterials, Reason> {
        self.change(id, |c| {
            let (token, psk) = c.held.next_token().ok_or(Reason::PeerNoToken)?;
            let refill = c.issued.offer(&mut c.own.mailbox, OFFER_TOKENS);
            Ok(RingMaterials {
                local: c.local.clone(),
                remote: c.remote,
                token,
                psk,
                address: c.peer.address.clone(),
                last_batch: c.held.last_batch(),
                refill,
            })
        })
    }

    /// Message 2 authenticated: the token is gone, new ones may have come.
    ///
    /// # Errors
    /// If it cannot be stored.
    pub(crate) fn ring_answered(
        &mut self,
        id: ContactId,
        token: &Token,
        peer_last_batch: BatchNumber,
        refill: Option<&Refill>,
    ) -> Result<(), Reason> {
        self.change(id, |c| {
            c.held.consumed(token);
            take_refill(c, peer_last_batch, refill);
            Ok(())
        })
    }

    /// Tokens and a batch number that came by PIPE, or that a caller's first PIPE message released.
    ///
    /// # Errors
    /// If it cannot be stored.
    pub(crate) fn refilled(
        &mut self,
        id: ContactId,
        peer_last_batch: BatchNumber,
        refill: Option<&Refill>,
    ) -> Result<(), Reason> {
        self.change(id, |c| {
            take_refill(c, peer_last_batch, refill);
            Ok(())
        })
    }

    /// The last batch that we hold from a contact.
    #[must_use]
    pub(crate) fn last_batch(&self, id: ContactId) -> BatchNumber {
        self.get(id)
            .map(|c| c.held.last_batch())
            .unwrap_or_default()
    }

    /// Whether only a RESYNC can renew the tokens.
    #[must_use]
    pub(crate) fn wants_resync(&self, id: ContactId) -> bool {
        self.get(id).is_ok_and(|c| c.held.wants_resync())
    }

    // ---- being rung ---------------------------------------------------------------------------

    /// What message 1 must authenticate against. Changes nothing.
    #[must_use]
    pub(crate) fn authorise(
        &self,
        id: ContactId,
        generation: u16,
        index: u16,
    ) -> Option<AnswerMaterials> {
        let c = self.get(id).ok()?;
        let (token, psk) = c.issued.authorise(Generation(generation), index)?;
        Some(AnswerMaterials {
            local: c.local.clone(),
            remote: c.remote,
            token,
            psk,
        })
    }

    /// Spends a token whose message 1 has authenticated and makes the tokens that message 2 brings.
    ///
    /// # Errors
    /// [`Reason::PeerNoToken`] if the token was spent meanwhile; or if it cannot be stored.
    pub(crate) fn spend(
        &mut self,
        id: ContactId,
        token: &Token,
        peer_last_batch: BatchNumber,
        max_tokens: usize,
    ) -> Result<(BatchNumber, Option<Refill>), Reason> {
        self.change(id, |c| {
            if !c.issued.spend(
                &mut c.own.mailbox,
                Generation(token.generation),
                token.index,
            ) {
                return Err(Reason::PeerNoToken);
            }
            let refill = c.issued.refill(
                &mut c.own.mailbox,
                peer_last_batch,
                WALLET_TOKENS,
                max_tokens,
            );
            Ok((c.held.last_batch(), refill))
        })
    }

    // ---- RESYNC -------------------------------------------------------------------------------

    /// Contacts whose tokens only a RESYNC can renew. Ghosts are not rung, silently or otherwise.
    #[must_use]
    pub(crate) fn wanting_resync(&self) -> Vec<ContactId> {
        let wanting = |c: &&Contact| !c.ghost && c.held.wants_resync();
        let found = self.state.contacts.iter().filter(wanting);
        found.map(|c| c.id).collect()
    }

    /// What a RESYNC needs, at the side that rings. Changes nothing: its token is never spent.
    ///
    /// # Errors
    /// [`Reason::PeerNoToken`] if the contact has given us no reserved slot.
    pub(crate) fn begin_resync(&self, id: ContactId) -> Result<ResyncMaterials, Reason> {
        let c = self.get(id)?;
        Ok(ResyncMaterials {
            local: c.local.clone(),
            remote: c.remote,
            token: c.peer.resync.ok_or(Reason::PeerNoToken)?,
            address: c.peer.address.clone(),
            last_batch: c.held.last_batch(),
            ours: c.own.mailbox.reserved_token(RESYNC_SLOT),
        })
    }

    /// What a RESYNC's message 1 must authenticate against, if it shows the contact's slot.
    #[must_use]
    pub(crate) fn authorise_resync(
        &self,
        id: ContactId,
        generation: u16,
        index: u16,
    ) -> Option<ResyncMaterials> {
        let c = self.get(id).ok()?;
        let ours = c.own.mailbox.reserved_token(RESYNC_SLOT);
        ((ours.generation, ours.index) == (generation, index)).then(|| ResyncMaterials {
            local: c.local.clone(),
            remote: c.remote,
            token: ours,
            address: c.peer.address.clone(),
            last_batch: c.held.last_batch(),
            ours,
        })
    }

    /// We answered a RESYNC: our tokens start over on this handshake's chain, once the contact shows
    /// that it holds them.
    ///
    /// # Errors
    /// If it cannot be stored.
    pub(crate) fn resync_answered(
        &mut self,
        id: ContactId,
        keys: &SessionKeys,
        peer_last_batch: BatchNumber,
    ) -> Result<Option<Refill>, Reason> {
        self.change(id, |c| {
            c.issued.acknowledge(&mut c.own.mailbox, peer_last_batch);
            Ok(restart(c, keys, Role::Callee, peer_last_batch))
        })
    }

    /// The answering side's new tokens came: they replace the old ones, and ours start over, too.
    /// Returns what the third message says.
    ///
    /// # Errors
    /// [`Reason::PeerNoToken`] if the tokens are not of this handshake; or if it cannot be stored.
    pub(crate) fn resync_taken(
        &mut self,
        id: ContactId,
        keys: &SessionKeys,
        peer: &ResyncState,
    ) -> Result<(BatchNumber, Option<Refill>), Reason> {
        self.change(id, |c| {
            take_resync(c, keys, Role::Callee, peer)?;
            let refill = restart(c, keys, Role::Caller, peer.last_batch);
            Ok((c.held.last_batch(), refill))
        })
    }

    /// The third message came: both directions are on the new chains. Returns the last batch that
    /// we hold now.
    ///
    /// # Errors
    /// [`Reason::PeerNoToken`] if the tokens are not of this handshake; or if it cannot be stored.
    pub(crate) fn resync_closed(
        &mut self,
        id: ContactId,
        keys: &SessionKeys,
        peer: &ResyncState,
    ) -> Result<BatchNumber, Reason> {
        self.change(id, |c| {
            take_resync(c, keys, Role::Caller, peer)?;
            Ok(c.held.last_batch())
        })
    }
}

fn take_refill(c: &mut Contact, peer_last_batch: BatchNumber, refill: Option<&Refill>) {
    c.issued.acknowledge(&mut c.own.mailbox, peer_last_batch);
    if let Some(refill) = refill {
        let mailbox = c.peer.address.mailbox;
        // A stale batch is a repeat; a batch from another chain makes the wallet want a RESYNC.
        let _ = c.held.accept_refill(&mailbox, refill);
    }
}

/// Starts our tokens over on the chain of a RESYNC's handshake, in which we have the role `ours`.
fn restart(
    c: &mut Contact,
    keys: &SessionKeys,
    ours: Role,
    peer_last_batch: BatchNumber,
) -> Option<Refill> {
    let secret = keys.first_batch_secret(ours);
    c.issued.begin_resync(
        &mut c.own.mailbox,
        secret,
        ours,
        peer_last_batch,
        WALLET_TOKENS,
    )
}

/// Takes what the other side of a RESYNC, which has the role `theirs`, said.
fn take_resync(
    c: &mut Contact,
    keys: &SessionKeys,
    theirs: Role,
    peer: &ResyncState,
) -> Result<(), Reason> {
    c.issued.acknowledge(&mut c.own.mailbox, peer.last_batch);
    c.peer.resync = peer.resync.or(c.peer.resync);
    let Some(refill) = &peer.refill else {
        return Ok(());
    };
    let mailbox = c.peer.address.mailbox;
    let secret = keys.first_batch_secret(theirs);
    c.held
        .accept_resync(&mailbox, refill, secret, theirs)
        .map_err(|_| Reason::PeerNoToken)
}
