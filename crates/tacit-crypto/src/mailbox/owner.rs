//! What the owner of a mailbox remembers: slots handed out and slots spent.

use rand_core::CryptoRngCore;
use serde::{Deserialize, Serialize};
use tacit_types::MailboxId;

use super::{AttachSecret, BITMAP_BYTES, LIVE_GENERATIONS, MailboxSecret, TokenKey};
use crate::slots::SlotOrder;
use crate::token::{Generation, Token};

/// One bit a slot of a generation; set means spent, burnt or otherwise refused.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Vec<u8>", into = "Vec<u8>")]
pub struct SpentBitmap(pub [u8; BITMAP_BYTES]);

impl SpentBitmap {
    /// No slot spent.
    pub const EMPTY: Self = Self([0; BITMAP_BYTES]);

    /// Whether the slot is spent. Slots past the end count as spent.
    #[must_use]
    pub fn get(&self, index: u16) -> bool {
        self.0
            .get(usize::from(index / 8))
            .is_none_or(|byte| byte >> (index % 8) & 1 == 1)
    }

    /// Marks the slot and says whether it was free before.
    pub fn set(&mut self, index: u16) -> bool {
        let Some(byte) = self.0.get_mut(usize::from(index / 8)) else {
            return false;
        };
        let free = *byte >> (index % 8) & 1 == 0;
        *byte |= 1 << (index % 8);
        free
    }
}

impl From<SpentBitmap> for Vec<u8> {
    fn from(bitmap: SpentBitmap) -> Self {
        bitmap.0.to_vec()
    }
}

impl TryFrom<Vec<u8>> for SpentBitmap {
    type Error = &'static str;
    fn try_from(bytes: Vec<u8>) -> Result<Self, Self::Error> {
        bytes
            .try_into()
            .map(Self)
            .map_err(|_| "a spent bitmap is 256 bytes")
    }
}

/// A mailbox with what its owner must remember about it: which slots were handed out and which are
/// spent. One for each embedded address; an operated mailbox may serve many contacts' wallets.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Mailbox {
    secret: MailboxSecret,
    /// Oldest first; never empty, at most [`LIVE_GENERATIONS`].
    live: Vec<LiveGeneration>,
    /// The newest generation's order, once computed: 2048 hashes are too many for every refill.
    #[serde(skip)]
    order: Option<(Generation, SlotOrder)>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
struct LiveGeneration {
    number: Generation,
    handed_out: u16,
    spent: SpentBitmap,
}

impl LiveGeneration {
    const fn new(number: Generation) -> Self {
        Self {
            number,
            handed_out: 0,
            spent: SpentBitmap::EMPTY,
        }
    }
}

impl Mailbox {
    /// A mailbox whose generation 0 is live and untouched.
    #[must_use]
    pub fn new(secret: MailboxSecret) -> Self {
        Self {
            secret,
            live: vec![LiveGeneration::new(Generation(0))],
            order: None,
        }
    }

    /// Draws a fresh mailbox.
    #[must_use]
    pub fn generate(rng: &mut impl CryptoRngCore) -> Self {
        Self::new(MailboxSecret::generate(rng))
    }

    /// The mailbox's public name.
    #[must_use]
    pub fn id(&self) -> MailboxId {
        self.secret.mailbox_id()
    }

    /// What an ATTACH shows the server.
    #[must_use]
    pub fn attach_secret(&self) -> AttachSecret {
        self.secret.attach_secret()
    }

    /// The live generations with their token keys, oldest first: one ATTACH each.
    #[must_use]
    pub fn live_generations(&self) -> Vec<(Generation, TokenKey)> {
        self.live
            .iter()
            .map(|live| (live.number, self.secret.token_key(live.number)))
            .collect()
    }

    /// The spent slots of a live generation, for its ATTACH.
    #[must_use]
    pub fn spent_bitmap(&self, generation: Generation) -> Option<&SpentBitmap> {
        self.live
            .iter()
            .find(|live| live.number == generation)
            .map(|live| &live.spent)
    }

    /// A token that no server marks as spent: for a contact's RESYNC slot or an invite.
    #[must_use]
    pub fn reserved_token(&self, index: u16) -> Token {
        self.secret
            .token_key(Generation::RESERVED)
            .token(&self.id(), Generation::RESERVED, index)
    }

    /// Whether a generation is still live.
    #[must_use]
    pub fn is_live(&self, generation: Generation) -> bool {
        self.live.iter().any(|live| live.number == generation)
    }

    /// Opens the next generation; the oldest goes, and the tokens in it with it.
    ///
    /// For use after a restored backup, where slots may have been handed out that the backup does
    /// not know of. Returns false when the generation numbers have run out (the mailbox must move).
    pub fn open_generation(&mut self) -> bool {
        let newest = self.newest().number;
        if newest.0 + 1 == Generation::RESERVED.0 {
            return false;
        }
        self.live
            .push(LiveGeneration::new(Generation(newest.0 + 1)));
        if self.live.len() > LIVE_GENERATIONS {
            self.live.remove(0);
        }
        true
    }

    /// Hands out the next `count` slots, never one twice. Shorter only when the mailbox is used up.
    pub(crate) fn draw(&mut self, count: usize) -> Vec<Token> {
        let id = self.id();
        let mut tokens = Vec::with_capacity(count);
        while tokens.len() < count {
            let generation = self.newest().number;
            let key = self.secret.token_key(generation);
            while let Some(slot) = self.next_slot(generation) {
                tokens.push(key.token(&id, generation, slot));
                if tokens.len() == count {
                    return tokens;
                }
            }
            if !self.open_generation() {
                break;
            }
        }
        tokens
    }

    /// Takes the next slot of the newest generation, `None` at its end.
    fn next_slot(&mut self, generation: Generation) -> Option<u16> {
        if self.order.as_ref().is_none_or(|(of, _)| *of != generation) {
            self.order = Some((generation, self.secret.slot_order(generation)));
        }
        let newest = self
            .live
            .last_mut()
            .expect("a mailbox has a live generation");
        let (_, order) = self.order.as_ref().expect("computed above");
        let slot = order.slot(newest.handed_out)?;
        newest.handed_out += 1;
        Some(slot)
    }

    /// Marks a slot as spent and says whether it was free before. A dead generation is not free.
    pub(crate) fn mark_spent(&mut self, generation: Generation, index: u16) -> bool {
        self.live
            .iter_mut()
            .find(|live| live.number == generation)
            .is_some_and(|live| live.spent.set(index))
    }

    fn newest(&self) -> &LiveGeneration {
        self.live.last().expect("a mailbox has a live generation")
    }
}
