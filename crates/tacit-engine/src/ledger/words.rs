//! What came of comparing the two words with a contact.

use tacit_types::Reason;

use super::{ContactId, Ledger, Trust};

impl Ledger {
    /// What is known of the two words.
    #[must_use]
    pub(crate) fn trust(&self, id: ContactId) -> Trust {
        self.get(id).map(|c| c.trust).unwrap_or_default()
    }

    /// Notes that our person confirmed the words, or that they differed.
    ///
    /// # Errors
    /// If there is no such contact or it cannot be stored.
    pub(crate) fn set_verified(&mut self, id: ContactId, verified: bool) -> Result<(), Reason> {
        self.change(id, |c| {
            c.trust.verified = verified;
            if verified {
                c.trust.broken_off = 0;
            }
            Ok(())
        })
    }

    /// Notes that the contact's person confirmed the words.
    ///
    /// # Errors
    /// If there is no such contact or it cannot be stored.
    pub(crate) fn set_peer_verified(&mut self, id: ContactId) -> Result<(), Reason> {
        self.change(id, |c| {
            c.trust.peer_verified = true;
            Ok(())
        })
    }

    /// Counts a comparison that the contact's side began and broke off.
    ///
    /// # Errors
    /// If there is no such contact or it cannot be stored.
    pub(crate) fn words_broken_off(&mut self, id: ContactId) -> Result<(), Reason> {
        self.change(id, |c| {
            c.trust.broken_off = c.trust.broken_off.saturating_add(1);
            Ok(())
        })
    }
}
