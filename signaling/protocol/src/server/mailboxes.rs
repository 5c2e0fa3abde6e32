//! Attached mailboxes: who takes their rings, which tokens have rung, how fast they may be rung.
//! Everything here lives in memory and only as long as the owner's connection.

use super::ConnectionId;
use super::slab::{Slab, Slot};
use crate::bucket::{Bucket, Rate};
use crate::dropped::DropReason;
use crate::frame::Attach;
use core::time::Duration;
use std::collections::BTreeMap;
use tacit_crypto::handshake::Purpose;
use tacit_crypto::mailbox::{SpentBitmap, TokenKey};
use tacit_crypto::token::{Generation, Token};
use tacit_types::{MailboxId, Timestamp};

/// A B-tree entry: key 16, slot 4, and a half more because nodes are two thirds full on average,
/// and the nodes' own pointers.
const INDEX_BYTES: usize = 42;

/// Upper bound of what one attached mailbox with two generations takes, without its connection.
pub const MAILBOX_BYTES: usize =
    Slab::<Row>::ROW_BYTES + 2 * Slab::<GenerationRow>::ROW_BYTES + INDEX_BYTES;

const _: () = assert!(MAILBOX_BYTES <= 700, "the promise of docs/protocol.md");

#[derive(Debug)]
struct Row {
    owner: ConnectionId,
    reserved_key: TokenKey,
    bucket: Bucket,
    burst: u16,
    interval_seconds: u16,
    /// The older generation, then the newer one if there is one.
    first: Slot,
    second: Option<Slot>,
}

#[derive(Debug)]
struct GenerationRow {
    key: TokenKey,
    spent: SpentBitmap,
    number: Generation,
}

impl GenerationRow {
    fn new(attach: &Attach) -> Self {
        Self {
            key: attach.token_key.clone(),
            spent: attach.spent.clone(),
            number: attach.generation,
        }
    }

    /// Adds what is known to be spent; what is set stays set.
    fn merge(&mut self, spent: &SpentBitmap) {
        for (ours, theirs) in self.spent.0.iter_mut().zip(&spent.0) {
            *ours |= theirs;
        }
    }
}

/// What an ATTACH did.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Attachment {
    /// Taken; nobody else had the mailbox.
    Taken,
    /// Taken from this connection, which has to be told.
    TakenFrom(ConnectionId),
    /// Not taken: nothing changed.
    Refused,
}

/// All mailboxes of a server.
#[derive(Debug, Default)]
pub(super) struct Mailboxes {
    index: BTreeMap<MailboxId, Slot>,
    rows: Slab<Row>,
    generations: Slab<GenerationRow>,
}

impl Mailboxes {
    pub(super) fn len(&self) -> usize {
        self.index.len()
    }

    /// Gives the mailbox's rings to `owner`.
    pub(super) fn attach(
        &mut self,
        owner: ConnectionId,
        id: MailboxId,
        attach: &Attach,
    ) -> Attachment {
        let Some(slot) = self.index.get(&id).copied() else {
            let first = self.generations.insert(GenerationRow::new(attach));
            let row = Row {
                owner,
                reserved_key: attach.secret.reserved_key(),
                bucket: Bucket::default(),
                burst: attach.ring_rate.burst,
                interval_seconds: seconds(attach.ring_rate.interval),
                first,
                second: None,
            };
            self.index.insert(id, self.rows.insert(row));
            return Attachment::Taken;
        };
        let row = self.rows.get_mut(slot).expect("indexed rows are there");
        if !add_generation(row, &mut self.generations, attach) {
            return Attachment::Refused;
        }
        row.burst = attach.ring_rate.burst;
        row.interval_seconds = seconds(attach.ring_rate.interval);
        let before = core::mem::replace(&mut row.owner, owner);
        if before == owner {
            Attachment::Taken
        } else {
            Attachment::TakenFrom(before)
        }
    }

    /// Forgets the mailbox, if `owner` still has it.
    pub(super) fn detach(&mut self, owner: ConnectionId, id: MailboxId) {
        let Some(slot) = self.index.get(&id).copied() else {
            return;
        };
        let row = self.rows.get_mut(slot).expect("indexed rows are there");
        if row.owner != owner {
            return;
        }
        let (first, second) = (row.first, row.second);
        self.generations.remove(first);
        if let Some(second) = second {
            self.generations.remove(second);
        }
        self.rows.remove(slot);
        self.index.remove(&id);
    }

    /// Who takes the mailbox's rings; the tag must be right before anything else is looked at.
    pub(super) fn find(
        &mut self,
        id: MailboxId,
        purpose: Purpose,
        token: &Token,
    ) -> Result<Candidate<'_>, DropReason> {
        let slot = self
            .index
            .get(&id)
            .copied()
            .ok_or(DropReason::UnknownMailbox)?;
        let row = self.rows.get_mut(slot).expect("indexed rows are there");
        let silent = matches!(purpose, Purpose::Join | Purpose::Resync);
        if token.is_reserved() != silent {
            return Err(DropReason::BadIndex);
        }
        if token.is_reserved() {
            let genuine = row.reserved_key.verify(&id, token);
            return if genuine {
                Ok(Candidate { row, spent: None })
            } else {
                Err(DropReason::BadTag)
            };
        }
        let generation = generation_slot(row, &mut self.generations, Generation(token.generation))
            .ok_or(DropReason::UnknownGeneration)?;
        let generation = self
            .generations
            .get_mut(generation)
            .expect("rows name live generations");
        if !generation.key.verify(&id, token) {
            return Err(DropReason::BadTag);
        }
        Ok(Candidate {
            row,
            spent: Some(&mut generation.spent),
        })
    }
}

/// A ring whose tag is right.
pub(super) struct Candidate<'a> {
    row: &'a mut Row,
    spent: Option<&'a mut SpentBitmap>,
}

impl Candidate<'_> {
    pub(super) const fn owner(&self) -> ConnectionId {
        self.row.owner
    }

    /// Takes from the bucket, **then** tests and sets the bit: a flood must not burn honest tokens.
    pub(super) fn admit(self, token: &Token, now: Timestamp) -> Result<(), DropReason> {
        let interval = Duration::from_secs(self.row.interval_seconds.into());
        let rate = Rate {
            burst: self.row.burst,
            interval,
        };
        if !self.row.bucket.take(rate, now) {
            return Err(DropReason::BucketEmpty);
        }
        let Some(spent) = self.spent else {
            return Ok(());
        };
        if spent.set(token.index) {
            Ok(())
        } else {
            Err(DropReason::SpentToken)
        }
    }
}

fn generation_slot(
    row: &Row,
    generations: &mut Slab<GenerationRow>,
    number: Generation,
) -> Option<Slot> {
    [Some(row.first), row.second]
        .into_iter()
        .flatten()
        .find(|slot| {
            generations
                .get_mut(*slot)
                .is_some_and(|g| g.number == number)
        })
}

/// Merges a live generation, or opens one newer than all: the oldest of three goes. An older one
/// never comes back, so that no ATTACH can clear a bit.
fn add_generation(row: &mut Row, generations: &mut Slab<GenerationRow>, attach: &Attach) -> bool {
    if let Some(slot) = generation_slot(row, generations, attach.generation) {
        let generation = generations.get_mut(slot).expect("just found");
        let same_key = generation.key == attach.token_key;
        if same_key {
            generation.merge(&attach.spent);
        }
        return same_key;
    }
    let newest = row.second.unwrap_or(row.first);
    let newest = generations
        .get_mut(newest)
        .expect("rows name live generations")
        .number;
    if attach.generation < newest {
        return false;
    }
    let added = generations.insert(GenerationRow::new(attach));
    if let Some(second) = row.second.replace(added) {
        generations.remove(row.first);
        row.first = second;
    }
    true
}

fn seconds(interval: Duration) -> u16 {
    u16::try_from(interval.as_secs()).unwrap_or(u16::MAX)
}
