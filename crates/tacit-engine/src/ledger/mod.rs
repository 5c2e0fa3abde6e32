//! What the engine remembers: contacts, addresses, wallets, invites. Every method that changes
//! something returns only after the change is stored.

mod invites;
mod materials;
mod tokens;
mod words;

use rand_core::CryptoRngCore;
use serde::{Deserialize, Serialize};
use tacit_crypto::{
    Generation, HolderWallet, IssuerWallet, Mailbox, Psk, StaticKeypair, StaticPublic, Token,
};
use tacit_signaling::payload::{AddressMove, ContactAddress, Hosting};
use tacit_tor::{DiscoveryKeypair, OnionIdentity};
use tacit_types::{MailboxId, OnionKey, Reason, Redacted, UnixTime};

use crate::api::{ContactInfo, Removal};
use crate::store::Store;

pub(crate) use materials::{
    AnswerMaterials, For, JoinOutcome, Reachable, ResyncMaterials, ResyncState, RingMaterials,
    Trust,
};

/// Version of the snapshot.
const SNAPSHOT_VERSION: u16 = 1;
/// Longest contact name, in bytes.
const MAX_NAME_BYTES: usize = 64;
/// Most contacts and open invites. Each has an onion service of its own: see decision 0013.
const MAX_CONTACTS: usize = 256;
/// Most used invites whose addresses stay up until they expire; of more, those that expire first
/// are withdrawn. See decision 0012.
const MAX_USED_INVITES: usize = 16;
/// Most invites that are being taken; more drop the oldest.
const MAX_JOINS: usize = 16;
/// Most invites that are remembered as taken by us; more drop the oldest.
const MAX_TAKEN: usize = 256;
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
    trust: Trust,
    /// Somebody else tried the invite that this contact came by.
    invite_reused: bool,
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
    /// The contact has shown that the join went through: whoever comes now is told that the invite
    /// was used.
    complete: bool,
}

/// An invite that we are taking.
#[derive(Clone, Serialize, Deserialize)]
struct OpenJoin {
    mailbox: MailboxId,
    local: StaticKeypair,
    own: OwnAddress,
}

/// An invite that has made a contact for us, until it expires.
#[derive(Clone, Serialize, Deserialize)]
struct TakenInvite {
    mailbox: MailboxId,
    expires: UnixTime,
}

#[derive(Clone, Serialize, Deserialize)]
struct State {
    version: u16,
    next_id: u64,
    contacts: Vec<Contact>,
    invites: Vec<OpenInvite>,
    joins: Vec<OpenJoin>,
    taken: Vec<TakenInvite>,
}

impl State {
    /// Reads a snapshot. Its version is the first thing in it, whatever follows.
    fn decode(bytes: &[u8]) -> Result<Self, Reason> {
        let corrupt = |_| Reason::ProfileCorrupt;
        let (version, _) = postcard::take_from_bytes::<u16>(bytes).map_err(corrupt)?;
        if version != SNAPSHOT_VERSION {
            return Err(Reason::ProfileVersion);
        }
        match postcard::take_from_bytes::<Self>(bytes).map_err(corrupt)? {
            (state, []) => Ok(state),
            _ => Err(Reason::ProfileCorrupt),
        }
    }
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
    /// [`Reason::ProfileVersion`] if another version of Tacit wrote the snapshot,
    /// [`Reason::ProfileCorrupt`] if it is none.
    pub(crate) fn open(store: Box<dyn Store>, snapshot: Option<&[u8]>) -> Result<Self, Reason> {
        let state = match snapshot {
            None => State {
                version: SNAPSHOT_VERSION,
                next_id: 1,
                contacts: Vec::new(),
                invites: Vec::new(),
                joins: Vec::new(),
                taken: Vec::new(),
            },
            Some(bytes) => State::decode(bytes)?,
        };
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
                verified: c.trust.verified,
                peer_verified: c.trust.peer_verified,
                broken_off: c.trust.broken_off,
                invite_reused: c.invite_reused,
                tokens: c.held.remaining(),
                embedded: c.own.hosting == Hosting::Embedded,
                needs_turn: c.peer.address.hosting == Hosting::Operated,
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

    /// Whether somebody can be added by this name.
    pub(crate) fn check_new_name(&self, name: &str) -> Result<(), Reason> {
        let fits = !name.trim().is_empty()
            && name.len() <= MAX_NAME_BYTES
            && !name.contains(char::is_control);
        if !fits {
            return Err(Reason::ContactBadName);
        }
        let full = self.state.contacts.len() + self.open_invites().count() >= MAX_CONTACTS;
        if self.find(name).is_ok() {
            Err(Reason::ContactExists)
        } else if self.open_invite(name).is_ok() {
            Err(Reason::InviteOpen)
        } else if full {
            Err(Reason::ContactsFull)
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
        let contacts = self
            .state
            .contacts
            .iter()
            .map(|c| (c.id, &c.own, For::Contact));
        let invites = self.state.invites.iter().flat_map(|i| {
            let own = if i.complete {
                For::UsedInvite
            } else {
                For::Invite
            };
            [(i.id, &i.at, own), (i.id, &i.lasting, For::Contact)]
        });
        let listed = contacts.chain(invites);
        let mut all: Vec<Reachable> = listed
            .map(|(id, own, purpose)| Reachable {
                id,
                own: own.clone(),
                purpose,
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

    /// The operated servers of our mailbox for a contact, and of the contact's for us.
    #[must_use]
    pub(crate) fn mailbox_servers(&self, id: ContactId) -> (Option<OnionKey>, Option<OnionKey>) {
        let operated = |hosting, server| (hosting == Hosting::Operated).then_some(server);
        match self.get(id) {
            Ok(c) => (
                operated(c.own.hosting, c.own.server),
                operated(c.peer.address.hosting, c.peer.address.server),
            ),
            Err(_) => (None, None),
        }
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
}

fn newest_generation(mailbox: &Mailbox) -> Option<Generation> {
    mailbox.live_generations().last().map(|(number, _)| *number)
}
