//! What the engine remembers: contacts, addresses, wallets, invites. Every method that changes
//! something returns only after the change is stored.

use rand_core::{CryptoRngCore, OsRng};
use serde::{Deserialize, Serialize};
use tacit_crypto::{
    BatchNumber, Generation, HolderWallet, Invite, IssuerWallet, Mailbox, Psk, Refill, SessionKeys,
    StaticKeypair, StaticPublic, Token,
};
use tacit_signaling::payload::{AddressMove, ContactAddress, Hosting};
use tacit_tor::{DiscoveryKeypair, OnionIdentity};
use tacit_types::limits::WALLET_TOKENS;
use tacit_types::{MailboxId, OnionKey, Reason, Redacted, Role, UnixTime};

use crate::api::{ContactInfo, Removal};
use crate::store::Store;

/// Version of the snapshot.
const SNAPSHOT_VERSION: u16 = 1;
/// Longest contact name, in bytes.
const MAX_NAME_BYTES: usize = 64;
/// Most contacts and open invites.
const MAX_CONTACTS: usize = 256;
/// Most invites that are being taken; more drop the oldest.
const MAX_JOINS: usize = 16;
/// Tokens that message 1 has room for.
const OFFER_TOKENS: usize = 8;
/// Reserved slot of an invite's only token.
const INVITE_SLOT: u16 = 0;
/// Reserved slot for a contact's RESYNC.
const RESYNC_SLOT: u16 = 1;

/// A contact, for as long as the profile exists.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub(crate) struct ContactId(pub u64);

/// An address of ours: given to one contact, or inside one invite.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct OwnAddress {
    /// Who runs the mailbox server.
    pub hosting: Hosting,
    /// The onion service's identity, if this engine hosts it.
    pub identity: Option<OnionIdentity>,
    /// The mailbox server's onion key.
    pub server: OnionKey,
    /// The mailbox, with its spent tokens.
    pub mailbox: Mailbox,
    /// The contact gets the secret half.
    pub discovery: DiscoveryKeypair,
}

impl OwnAddress {
    /// A fresh address, embedded or on `server`.
    pub(crate) fn generate(server: Option<OnionKey>, rng: &mut impl CryptoRngCore) -> Self {
        let identity = server.is_none().then(|| OnionIdentity::generate(rng));
        Self {
            hosting: if identity.is_some() {
                Hosting::Embedded
            } else {
                Hosting::Operated
            },
            server: identity
                .as_ref()
                .map(OnionIdentity::public)
                .or(server)
                .expect("one of the two is there"),
            identity,
            mailbox: Mailbox::generate(rng),
            discovery: DiscoveryKeypair::generate(rng),
        }
    }

    /// The address as the contact is told.
    #[must_use]
    pub(crate) fn to_move(&self) -> AddressMove {
        AddressMove {
            sequence: 1,
            address: ContactAddress {
                hosting: self.hosting,
                server: self.server,
                mailbox: self.mailbox.id(),
                discovery: self
                    .identity
                    .as_ref()
                    .map(|_| self.discovery.secret().clone()),
            },
            resync: Some(self.mailbox.reserved_token(RESYNC_SLOT)),
        }
    }
}

/// Everything about one contact.
#[derive(Clone, Serialize, Deserialize)]
struct Contact {
    id: ContactId,
    name: Redacted<String>,
    verified: bool,
    ghost: bool,
    local: StaticKeypair,
    remote: StaticPublic,
    own: OwnAddress,
    peer: StoredAddress,
    issued: IssuerWallet,
    held: HolderWallet,
}

/// [`AddressMove`] as it is stored.
#[derive(Clone, Serialize, Deserialize)]
struct StoredAddress {
    sequence: u32,
    address: ContactAddress,
    resync: Option<Token>,
}

impl From<AddressMove> for StoredAddress {
    fn from(m: AddressMove) -> Self {
        Self {
            sequence: m.sequence,
            address: m.address,
            resync: m.resync,
        }
    }
}

#[derive(Clone, Serialize, Deserialize)]
struct OpenInvite {
    id: ContactId,
    name: Redacted<String>,
    expires: UnixTime,
    local: StaticKeypair,
    at: OwnAddress,
    psk: Psk,
    /// The address that the new contact will get.
    lasting: OwnAddress,
    taken_by: Option<StaticPublic>,
    /// The contact has shown that the join went through; only a late retry is still waited for.
    complete: bool,
}

/// An invite that we are taking.
#[derive(Clone, Serialize, Deserialize)]
struct OpenJoin {
    mailbox: MailboxId,
    local: StaticKeypair,
    own: OwnAddress,
}

#[derive(Clone, Serialize, Deserialize)]
struct State {
    version: u16,
    next_id: u64,
    contacts: Vec<Contact>,
    invites: Vec<OpenInvite>,
    joins: Vec<OpenJoin>,
}

/// What a ring needs.
#[derive(Debug)]
pub(crate) struct RingMaterials {
    /// Our pairwise key.
    pub local: StaticKeypair,
    /// The contact's.
    pub remote: StaticPublic,
    /// The token to spend.
    pub token: Token,
    /// Its one-time key.
    pub psk: Psk,
    /// Where to ring.
    pub address: ContactAddress,
    /// The last batch that we hold.
    pub last_batch: BatchNumber,
    /// Tokens for the way back.
    pub refill: Option<Refill>,
}

/// What answering a ring needs, before it is authenticated.
#[derive(Debug)]
pub(crate) struct AnswerMaterials {
    /// Our pairwise key.
    pub local: StaticKeypair,
    /// The contact's.
    pub remote: StaticPublic,
    /// The whole token.
    pub token: Token,
    /// Its one-time key.
    pub psk: Psk,
}

/// What a RESYNC needs, at either side.
#[derive(Debug)]
pub(crate) struct ResyncMaterials {
    /// Our pairwise key.
    pub local: StaticKeypair,
    /// The contact's.
    pub remote: StaticPublic,
    /// The reserved token that is shown.
    pub token: Token,
    /// Where the contact is rung.
    pub address: ContactAddress,
    /// The last batch that we hold.
    pub last_batch: BatchNumber,
    /// Opens our own reserved slot.
    pub ours: Token,
}

/// What the other side of a RESYNC said.
#[derive(Debug)]
pub(crate) struct ResyncState {
    /// The last batch that it holds.
    pub last_batch: BatchNumber,
    /// Its new tokens for us, if it has any left to give.
    pub refill: Option<Refill>,
    /// Opens its reserved slot from now on.
    pub resync: Option<Token>,
}

/// An address of ours that should be reachable.
#[derive(Clone, Debug)]
pub(crate) struct Reachable {
    /// The contact, or the invite's future contact.
    pub id: ContactId,
    /// The address.
    pub own: OwnAddress,
    /// It is an invite's own address.
    pub invite: bool,
}

/// What a joiner showed, to be fixed before it is answered.
#[derive(Debug)]
pub(crate) enum JoinOutcome {
    /// The joiner is the first, or the same again.
    Ours(Box<OwnAddress>),
    /// Another key was first.
    Taken,
}

/// The state and its store.
pub(crate) struct Ledger {
    state: State,
    store: Box<dyn Store>,
    /// A mailbox has a generation that its server may not know of.
    generation_opened: bool,
}

impl core::fmt::Debug for Ledger {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Ledger")
            .field("contacts", &self.state.contacts.len())
            .finish_non_exhaustive()
    }
}

impl Ledger {
    /// Reads a snapshot, or starts empty.
    ///
    /// # Errors
    /// [`Reason::ProfileCorrupt`] if the snapshot is not one of ours.
    pub(crate) fn open(store: Box<dyn Store>, snapshot: Option<&[u8]>) -> Result<Self, Reason> {
        let mut state = match snapshot {
            None => State {
                version: SNAPSHOT_VERSION,
                next_id: 1,
                contacts: Vec::new(),
                invites: Vec::new(),
                joins: Vec::new(),
            },
            Some(bytes) => {
                postcard::from_bytes::<State>(bytes).map_err(|_| Reason::ProfileCorrupt)?
            }
        };
        if state.version != SNAPSHOT_VERSION {
            return Err(Reason::ProfileCorrupt);
        }
        // Nobody closed these any more before the last end of the engine.
        state.invites.retain(|i| !i.complete);
        Ok(Self {
            state,
            store,
            generation_opened: false,
        })
    }

    /// Stores `state` and only then makes it current.
    fn commit(&mut self, state: State) -> Result<(), Reason> {
        let bytes =
            zeroize::Zeroizing::new(postcard::to_stdvec(&state).map_err(|_| Reason::Internal)?);
        self.store.save(&bytes)?;
        self.state = state;
        Ok(())
    }

    /// Applies `change` to a contact and stores the outcome.
    fn change<T>(
        &mut self,
        id: ContactId,
        change: impl FnOnce(&mut Contact) -> Result<T, Reason>,
    ) -> Result<T, Reason> {
        let mut state = self.state.clone();
        let contact = state
            .contacts
            .iter_mut()
            .find(|c| c.id == id)
            .ok_or(Reason::ContactUnknown)?;
        let before = newest_generation(&contact.own.mailbox);
        let out = change(contact)?;
        let opened = newest_generation(&contact.own.mailbox) != before;
        self.commit(state)?;
        self.generation_opened |= opened;
        Ok(out)
    }

    /// True once after a mailbox has opened a generation, which its server must be told.
    pub(crate) const fn take_generation_opened(&mut self) -> bool {
        core::mem::replace(&mut self.generation_opened, false)
    }

    fn get(&self, id: ContactId) -> Result<&Contact, Reason> {
        self.state
            .contacts
            .iter()
            .find(|c| c.id == id)
            .ok_or(Reason::ContactUnknown)
    }

    /// All contacts that are shown, by name.
    #[must_use]
    pub(crate) fn contacts(&self) -> Vec<ContactInfo> {
        let mut all: Vec<_> = self
            .state
            .contacts
            .iter()
            .filter(|c| !c.ghost)
            .map(|c| ContactInfo {
                name: c.name.clone(),
                verified: c.verified,
                tokens: c.held.remaining(),
                embedded: c.own.hosting == Hosting::Embedded,
            })
            .collect();
        all.sort_by(|a, b| a.name.reveal().cmp(b.name.reveal()));
        all
    }

    /// The contact of a name.
    ///
    /// # Errors
    /// [`Reason::ContactUnknown`].
    pub(crate) fn find(&self, name: &str) -> Result<ContactId, Reason> {
        let found = self
            .state
            .contacts
            .iter()
            .find(|c| !c.ghost && c.name.reveal() == name);
        found.map(|c| c.id).ok_or(Reason::ContactUnknown)
    }

    /// A contact's name.
    #[must_use]
    pub(crate) fn name(&self, id: ContactId) -> Redacted<String> {
        self.get(id).map(|c| c.name.clone()).unwrap_or_default()
    }

    /// Whether the contact is a ghost: never shown, never answered.
    #[must_use]
    pub(crate) fn is_ghost(&self, id: ContactId) -> bool {
        self.get(id).is_ok_and(|c| c.ghost)
    }

    /// Whether the two words were confirmed.
    #[must_use]
    pub(crate) fn is_verified(&self, id: ContactId) -> bool {
        self.get(id).is_ok_and(|c| c.verified)
    }

    fn check_new_name(&self, name: &str) -> Result<(), Reason> {
        let fits = !name.trim().is_empty()
            && name.len() <= MAX_NAME_BYTES
            && !name.contains(char::is_control);
        if !fits {
            return Err(Reason::ContactExists);
        }
        let used = self
            .state
            .contacts
            .iter()
            .any(|c| !c.ghost && c.name.reveal() == name)
            || self.state.invites.iter().any(|i| i.name.reveal() == name);
        let full = self.state.contacts.len() + self.state.invites.len() >= MAX_CONTACTS;
        if used || full {
            Err(Reason::ContactExists)
        } else {
            Ok(())
        }
    }

    /// Gives a contact another name.
    ///
    /// # Errors
    /// If there is no such contact, or the new name is taken.
    pub(crate) fn rename(&mut self, name: &str, to: &str) -> Result<(), Reason> {
        let id = self.find(name)?;
        self.check_new_name(to)?;
        self.change(id, |c| {
            c.name = Redacted::new(to.to_owned());
            Ok(())
        })
    }

    /// Removes a contact; for a drop its address is to be withdrawn.
    ///
    /// # Errors
    /// If there is no such contact.
    pub(crate) fn remove(&mut self, name: &str, how: Removal) -> Result<ContactId, Reason> {
        let id = self.find(name)?;
        match how {
            Removal::Ghost => {
                self.change(id, |c| {
                    c.ghost = true;
                    Ok(())
                })?;
            }
            Removal::Drop => {
                let mut state = self.state.clone();
                state.contacts.retain(|c| c.id != id);
                // A join that is just being completed goes with its contact.
                state.invites.retain(|i| i.id != id);
                self.commit(state)?;
            }
        }
        Ok(id)
    }

    /// Notes that the two people confirmed the words.
    ///
    /// # Errors
    /// If it cannot be stored.
    pub(crate) fn set_verified(&mut self, id: ContactId) -> Result<(), Reason> {
        self.change(id, |c| {
            c.verified = true;
            Ok(())
        })
    }

    /// Every address of ours that should be reachable now. Expired invites are removed.
    ///
    /// # Errors
    /// If the removal cannot be stored.
    pub(crate) fn reachable(&mut self, now: UnixTime) -> Result<Vec<Reachable>, Reason> {
        if self.state.invites.iter().any(|i| i.expires <= now) {
            let mut state = self.state.clone();
            state.invites.retain(|i| i.expires > now);
            self.commit(state)?;
        }
        let contacts = self.state.contacts.iter().map(|c| (c.id, &c.own, false));
        let invites = self
            .state
            .invites
            .iter()
            .flat_map(|i| [(i.id, &i.at, true), (i.id, &i.lasting, false)]);
        let listed = contacts.chain(invites);
        let mut all: Vec<Reachable> = listed
            .map(|(id, own, invite)| Reachable {
                id,
                own: own.clone(),
                invite,
            })
            .collect();
        // A taken invite and its contact share the lasting address.
        let mut seen = std::collections::BTreeSet::new();
        all.retain(|r| seen.insert((r.own.server, r.own.mailbox.id())));
        Ok(all)
    }

    /// A contact's address.
    ///
    /// # Errors
    /// [`Reason::ContactUnknown`].
    pub(crate) fn peer_address(&self, id: ContactId) -> Result<ContactAddress, Reason> {
        self.get(id).map(|c| c.peer.address.clone())
    }

    /// The contact can be rung at another address from now on.
    ///
    /// # Errors
    /// If it cannot be stored.
    pub(crate) fn peer_moved(&mut self, id: ContactId, to: AddressMove) -> Result<(), Reason> {
        self.change(id, |c| {
            if to.sequence > c.peer.sequence {
                c.peer = to.into();
            }
            Ok(())
        })
    }

    /// The present state of one of our mailboxes.
    #[must_use]
    pub(crate) fn own_mailbox(&self, id: ContactId, mailbox: MailboxId) -> Option<Mailbox> {
        let contact = self.get(id).ok().map(|c| &c.own.mailbox);
        let invites = self.state.invites.iter().filter(|i| i.id == id);
        let invites = invites.flat_map(|i| [&i.at.mailbox, &i.lasting.mailbox]);
        contact
            .into_iter()
            .chain(invites)
            .find(|m| m.id() == mailbox)
            .cloned()
    }

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

    // ---- invites ------------------------------------------------------------------------------

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
        let open = OpenInvite {
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
        let invite = Invite {
            expires,
            server: open.at.server,
            mailbox: open.at.mailbox.id(),
            discovery: open.at.discovery.secret().clone(),
            inviter: open.local.public(),
            token: open.at.mailbox.reserved_token(INVITE_SLOT),
            psk: open.psk.clone(),
        };
        let mut state = self.state.clone();
        state.next_id += 1;
        state.invites.push(open);
        self.commit(state)?;
        Ok((id, invite))
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

    /// The name that an invite's person will have.
    #[must_use]
    pub(crate) fn invite_name(&self, id: ContactId) -> Redacted<String> {
        let found = self.state.invites.iter().find(|i| i.id == id);
        found.map(|i| i.name.clone()).unwrap_or_default()
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
        invite.taken_by = Some(joiner);
        let lasting = Box::new(invite.lasting.clone());
        self.commit(state)?;
        Ok(JoinOutcome::Ours(lasting))
    }

    /// The joiner's keys and address are authentic: the contact exists from now on, and the first
    /// tokens are made. The invite stays for an honest retry until it is closed.
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
        state.contacts.retain(|c| c.id != id);
        state.contacts.push(contact);
        self.commit(state)?;
        Ok(refill)
    }

    /// The new contact has shown that the join went through. Returns its name the first time.
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
        let name = invite.name.clone();
        self.commit(state)?;
        Ok(Some(name))
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

    /// The join is complete: the invite's address is withdrawn.
    ///
    /// # Errors
    /// If it cannot be stored.
    pub(crate) fn close_invite(&mut self, id: ContactId) -> Result<(), Reason> {
        let mut state = self.state.clone();
        state.invites.retain(|i| i.id != id);
        self.commit(state)
    }

    /// Checks that a person invited us under a new name, before anything is sent. A contact that an
    /// earlier try of the same invite left behind is in nobody's way.
    ///
    /// # Errors
    /// If the name is taken.
    pub(crate) fn check_join(&self, invite: &Invite, name: &str) -> Result<(), Reason> {
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

    /// The join is complete: there will be no further try of this invite.
    ///
    /// # Errors
    /// If it cannot be stored.
    pub(crate) fn join_complete(&mut self, invite: MailboxId) -> Result<(), Reason> {
        let mut state = self.state.clone();
        state.joins.retain(|j| j.mailbox != invite);
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
        verified: false,
        ghost: false,
        local,
        remote,
        own,
        peer: peer.into(),
        issued: IssuerWallet::new(keys.first_batch_secret(role), role),
        held: HolderWallet::new(keys.first_batch_secret(role.peer()), role.peer()),
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

fn newest_generation(mailbox: &Mailbox) -> Option<Generation> {
    mailbox.live_generations().last().map(|(number, _)| *number)
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

fn random_psk(rng: &mut impl CryptoRngCore) -> Psk {
    let mut bytes = [0; 32];
    rng.fill_bytes(&mut bytes);
    Psk::new(bytes)
}
