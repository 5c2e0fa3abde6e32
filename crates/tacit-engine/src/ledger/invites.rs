//! Invites: ours, which somebody takes, and theirs, which we take.

use rand_core::{CryptoRngCore, OsRng};
use tacit_crypto::{
    BatchNumber, Generation, HolderWallet, Invite, IssuerWallet, Mailbox, Psk, Refill, SessionKeys,
    StaticKeypair, StaticPublic, Token,
};
use tacit_signaling::payload::AddressMove;
use tacit_types::limits::WALLET_TOKENS;
use tacit_types::{MailboxId, OnionKey, Reason, Redacted, Role, UnixTime};

use super::{
    Contact, ContactId, INVITE_SLOT, JoinOutcome, Ledger, MAX_JOINS, MAX_TAKEN, MAX_USED_INVITES,
    OpenInvite, OpenJoin, OwnAddress, TakenInvite, Trust,
};
use crate::api::InviteInfo;
use crate::clock::unix_now;

impl Ledger {
    /// Makes an invite for a person of that name.
    ///
    /// # Errors
    /// If the name is taken or it cannot be stored.
    pub(crate) fn invite(
        &mut self,
        name: &str,
        expires: UnixTime,
        server: Option<OnionKey>,
    ) -> Result<(ContactId, Invite), Reason> {
        self.check_new_name(name)?;
        let rng = &mut OsRng;
        let id = ContactId(self.state.next_id);
        let made = OpenInvite {
            id,
            name: Redacted::new(name.to_owned()),
            expires,
            local: StaticKeypair::generate(rng),
            // The invite's own address is always embedded: it lives for a day at most.
            at: OwnAddress::generate(None, rng),
            psk: random_psk(rng),
            lasting: OwnAddress::generate(server, rng),
            taken_by: None,
            complete: false,
        };
        let invite = made.link();
        let mut state = self.state.clone();
        state.next_id += 1;
        state.invites.push(made);
        self.commit(state)?;
        Ok((id, invite))
    }

    /// The open invite for a name, as it was given.
    ///
    /// # Errors
    /// [`Reason::InviteNone`].
    pub(crate) fn open_invite(&self, name: &str) -> Result<Invite, Reason> {
        self.open_invite_of(name).map(OpenInvite::link)
    }

    /// Forgets the open invite for a name: its address is to be withdrawn.
    ///
    /// # Errors
    /// [`Reason::InviteNone`], or why it could not be stored.
    pub(crate) fn withdraw_invite(&mut self, name: &str) -> Result<(), Reason> {
        let id = self.open_invite_of(name)?.id;
        let mut state = self.state.clone();
        state.invites.retain(|i| i.id != id);
        self.commit(state)
    }

    fn open_invite_of(&self, name: &str) -> Result<&OpenInvite, Reason> {
        let found = self.open_invites().find(|i| i.name.reveal() == name);
        found.ok_or(Reason::InviteNone)
    }

    /// All open invites, by name.
    #[must_use]
    pub(crate) fn invites(&self) -> Vec<InviteInfo> {
        let shown = self.open_invites().map(|i| InviteInfo {
            name: i.name.clone(),
            expires: i.expires,
            begun: i.taken_by.is_some(),
        });
        let mut all: Vec<_> = shown.collect();
        all.sort_by(|a, b| a.name.reveal().cmp(b.name.reveal()));
        all
    }

    /// What a join's message 1 must authenticate against.
    #[must_use]
    pub(crate) fn invite_materials(
        &self,
        id: ContactId,
        now: UnixTime,
    ) -> Option<(StaticKeypair, Token, Psk)> {
        let invite = self
            .state
            .invites
            .iter()
            .find(|i| i.id == id && i.expires > now)?;
        let token = invite.at.mailbox.reserved_token(INVITE_SLOT);
        Some((invite.local.clone(), token, invite.psk.clone()))
    }

    /// Invites that have neither made a contact nor expired.
    pub(super) fn open_invites(&self) -> impl Iterator<Item = &OpenInvite> {
        let now = unix_now();
        let open = move |i: &&OpenInvite| !i.complete && i.expires > now;
        let contacts = &self.state.contacts;
        let invites = self.state.invites.iter().filter(open);
        invites.filter(|i| !contacts.iter().any(|c| c.id == i.id))
    }

    /// Somebody else tried a taken invite: the name to warn of, and a mark on the contact that is
    /// made already, for whoever looks later. Nothing for a ghost, which is never shown.
    ///
    /// # Errors
    /// If it cannot be stored.
    pub(crate) fn invite_reused(
        &mut self,
        id: ContactId,
    ) -> Result<Option<Redacted<String>>, Reason> {
        let Some(contact) = self.state.contacts.iter().find(|c| c.id == id) else {
            let invite = self.state.invites.iter().find(|i| i.id == id);
            return Ok(invite.map(|i| i.name.clone()));
        };
        let (name, shown) = (contact.name.clone(), !contact.ghost);
        // Written once: whoever has the invite must not keep our disk busy.
        if !contact.invite_reused {
            self.change(id, |c| {
                c.invite_reused = true;
                Ok(())
            })?;
        }
        Ok(shown.then_some(name))
    }

    /// Fixes the first joiner of an invite.
    ///
    /// # Errors
    /// If there is no such invite or it cannot be stored.
    pub(crate) fn fix_joiner(
        &mut self,
        id: ContactId,
        joiner: StaticPublic,
    ) -> Result<JoinOutcome, Reason> {
        let mut state = self.state.clone();
        let invite = state
            .invites
            .iter_mut()
            .find(|i| i.id == id)
            .ok_or(Reason::InviteExpired)?;
        if invite.taken_by.is_some_and(|first| first != joiner) {
            return Ok(JoinOutcome::Taken);
        }
        if invite.complete {
            return Ok(JoinOutcome::Again);
        }
        invite.taken_by = Some(joiner);
        let lasting = Box::new(invite.lasting.clone());
        self.commit(state)?;
        Ok(JoinOutcome::Ours(lasting))
    }

    /// The joiner's keys and address are authentic: the contact exists from now on, and the first
    /// tokens are made. The invite stays until it expires: until the join has gone through for an
    /// honest retry, and then to tell others that it was used.
    ///
    /// # Errors
    /// If there is no such invite or it cannot be stored.
    pub(crate) fn join_answered(
        &mut self,
        id: ContactId,
        joiner: StaticPublic,
        peer: AddressMove,
        keys: &SessionKeys,
    ) -> Result<Option<Refill>, Reason> {
        let mut state = self.state.clone();
        let invite = state
            .invites
            .iter()
            .find(|i| i.id == id)
            .ok_or(Reason::InviteExpired)?
            .clone();
        let mut contact = new_contact(
            id,
            invite.name,
            invite.local,
            joiner,
            invite.lasting,
            peer,
            keys,
            Role::Callee,
        );
        let refill = contact.issued.refill(
            &mut contact.own.mailbox,
            BatchNumber(0),
            WALLET_TOKENS,
            WALLET_TOKENS,
        );
        // What the person has decided about the contact since an earlier try holds.
        if let Some(before) = state.contacts.iter().find(|c| c.id == id) {
            contact.invite_reused = before.invite_reused;
            contact.ghost = before.ghost;
            contact.name = before.name.clone();
        }
        state.contacts.retain(|c| c.id != id);
        state.contacts.push(contact);
        self.commit(state)?;
        Ok(refill)
    }

    /// The new contact has shown that the join went through. Returns its name the first time, unless
    /// it is a ghost by now.
    ///
    /// # Errors
    /// If it cannot be stored.
    pub(crate) fn complete_invite(
        &mut self,
        id: ContactId,
    ) -> Result<Option<Redacted<String>>, Reason> {
        if !self.state.invites.iter().any(|i| i.id == id && !i.complete) {
            return Ok(None);
        }
        let mut state = self.state.clone();
        let invite = state.invites.iter_mut().find(|i| i.id == id);
        let invite = invite.ok_or(Reason::InviteExpired)?;
        invite.complete = true;
        let contact = state.contacts.iter().find(|c| c.id == id && !c.ghost);
        let name = contact.map(|c| c.name.clone());
        withdraw_surplus(&mut state.invites);
        self.commit(state)?;
        Ok(name)
    }

    /// When the next invite expires.
    #[must_use]
    pub(crate) fn next_expiry(&self) -> Option<UnixTime> {
        self.state.invites.iter().map(|i| i.expires).min()
    }

    /// The live generations of one of our mailboxes.
    #[must_use]
    pub(crate) fn generations(&self, id: ContactId, mailbox: MailboxId) -> Vec<Generation> {
        let found = self.own_mailbox(id, mailbox);
        let live = found.iter().flat_map(Mailbox::live_generations);
        live.map(|(number, _)| number).collect()
    }

    /// Checks that a person invited us under a new name, before anything is sent. A contact that an
    /// earlier try of the same invite left behind is in nobody's way.
    ///
    /// # Errors
    /// If this invite has made a contact already, or the name is taken.
    pub(crate) fn check_join(&self, invite: &Invite, name: &str) -> Result<(), Reason> {
        if self.state.taken.iter().any(|t| t.mailbox == invite.mailbox) {
            return Err(Reason::InviteTaken);
        }
        let tried = self.joined_by(invite.mailbox);
        if tried.is_some_and(|id| self.name(id).reveal() == name) {
            return Ok(());
        }
        self.check_new_name(name)
    }

    /// The contact that an unfinished join has made.
    pub(crate) fn joined_by(&self, invite: MailboxId) -> Option<ContactId> {
        let join = self.state.joins.iter().find(|j| j.mailbox == invite)?;
        let own = join.own.mailbox.id();
        let made = self
            .state
            .contacts
            .iter()
            .find(|c| c.own.mailbox.id() == own);
        made.map(|c| c.id)
    }

    /// The join is complete: there will be no further try of this invite. It is remembered for as
    /// long as it would have been good, so that nobody is bothered by one.
    ///
    /// # Errors
    /// If it cannot be stored.
    pub(crate) fn join_complete(&mut self, invite: &Invite) -> Result<(), Reason> {
        let now = unix_now();
        let mut state = self.state.clone();
        state.joins.retain(|j| j.mailbox != invite.mailbox);
        state.taken.retain(|t| t.expires > now);
        if state.taken.len() == MAX_TAKEN {
            state.taken.remove(0);
        }
        state.taken.push(TakenInvite {
            mailbox: invite.mailbox,
            expires: invite.expires,
        });
        self.commit(state)
    }

    /// The key and address for taking an invite: the same ones at every try, so that a retry after a
    /// lost answer is recognised.
    ///
    /// # Errors
    /// If it cannot be stored.
    pub(crate) fn joining(
        &mut self,
        invite: &Invite,
        server: Option<OnionKey>,
    ) -> Result<(StaticKeypair, OwnAddress), Reason> {
        let found = self
            .state
            .joins
            .iter()
            .find(|j| j.mailbox == invite.mailbox);
        if let Some(join) = found {
            return Ok((join.local.clone(), join.own.clone()));
        }
        let (local, own) = crate::join::fresh(server);
        let mut state = self.state.clone();
        if state.joins.len() == MAX_JOINS {
            state.joins.remove(0);
        }
        state.joins.push(OpenJoin {
            mailbox: invite.mailbox,
            local: local.clone(),
            own: own.clone(),
        });
        self.commit(state)?;
        Ok((local, own))
    }

    /// We joined: the inviter is a contact from now on, in place of what an earlier try has made.
    /// Returns our first tokens for them.
    ///
    /// # Errors
    /// If the name is taken or it cannot be stored.
    pub(crate) fn joined(
        &mut self,
        invite: &Invite,
        name: &str,
        ours: (StaticKeypair, OwnAddress),
        peer: AddressMove,
        keys: &SessionKeys,
    ) -> Result<(ContactId, Option<Refill>), Reason> {
        self.check_join(invite, name)?;
        let before = self.joined_by(invite.mailbox);
        let mut state = self.state.clone();
        let id = before.unwrap_or(ContactId(state.next_id));
        state.next_id = state.next_id.max(id.0 + 1);
        state.contacts.retain(|c| c.id != id);
        let name = Redacted::new(name.to_owned());
        let (local, own) = ours;
        let role = Role::Caller;
        let mut contact = new_contact(id, name, local, invite.inviter, own, peer, keys, role);
        let refill = contact.issued.refill(
            &mut contact.own.mailbox,
            BatchNumber(0),
            WALLET_TOKENS,
            WALLET_TOKENS,
        );
        state.contacts.push(contact);
        self.commit(state)?;
        Ok((id, refill))
    }
}

impl OpenInvite {
    /// What is given to the person invited.
    fn link(&self) -> Invite {
        Invite {
            expires: self.expires,
            server: self.at.server,
            mailbox: self.at.mailbox.id(),
            discovery: self.at.discovery.secret().clone(),
            inviter: self.local.public(),
            token: self.at.mailbox.reserved_token(INVITE_SLOT),
            psk: self.psk.clone(),
        }
    }
}

/// Of more used invites than may stay, those go that would go first.
fn withdraw_surplus(invites: &mut Vec<OpenInvite>) {
    let used = invites.iter().filter(|i| i.complete);
    let surplus = used.count().saturating_sub(MAX_USED_INVITES);
    for _ in 0..surplus {
        let used = invites.iter().enumerate().filter(|(_, i)| i.complete);
        if let Some((first, _)) = used.min_by_key(|(_, i)| i.expires) {
            invites.remove(first);
        }
    }
}

#[expect(
    clippy::too_many_arguments,
    reason = "it is the list of what a contact consists of"
)]
fn new_contact(
    id: ContactId,
    name: Redacted<String>,
    local: StaticKeypair,
    remote: StaticPublic,
    own: OwnAddress,
    peer: AddressMove,
    keys: &SessionKeys,
    role: Role,
) -> Contact {
    Contact {
        id,
        name,
        trust: Trust::default(),
        invite_reused: false,
        ghost: false,
        local,
        remote,
        own,
        peer: peer.into(),
        issued: IssuerWallet::new(keys.first_batch_secret(role), role),
        held: HolderWallet::new(keys.first_batch_secret(role.peer()), role.peer()),
    }
}

fn random_psk(rng: &mut impl CryptoRngCore) -> Psk {
    let mut bytes = [0; 32];
    rng.fill_bytes(&mut bytes);
    Psk::new(bytes)
}
