//! Why a frame was thrown away. Hostile input is counted, never an error and never a panic.

macro_rules! drop_reasons {
    ($($variant:ident, $text:literal;)*) => {
        /// Why a frame was dropped. None of these is told to the other side.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[non_exhaustive]
        pub enum DropReason {
            $(#[doc = $text] $variant,)*
        }

        impl DropReason {
            /// Every reason, in order.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)*];
        }
    };
}

drop_reasons! {
    Malformed, "Not a frame of this version: length, type, version, value or padding.";
    Unexpected, "A valid frame that this side or this state does not take.";
    UnknownConnection, "A connection that is not open.";
    UnknownMailbox, "No such mailbox, or its owner is away.";
    UnknownGeneration, "The mailbox has no such generation.";
    BadIndex, "A token index outside the generation, or a slot of another purpose.";
    BadTag, "The token's tag is wrong.";
    SpentToken, "The token's bit was already set.";
    BucketEmpty, "The mailbox's ring bucket is empty.";
    HandlesFull, "The mailbox has too many open handles.";
    UnknownHandle, "No such handle on this connection.";
    RateLimited, "The connection's or handle's own rate is used up.";
    Busy, "A second ring on a connection whose first is still open.";
    AttachRefused, "An ATTACH that this server or this mailbox does not take.";
    NotAuthentic, "The handshake or the transport message failed to authenticate.";
    Version, "No common protocol version.";
    Offline, "Credentials were asked of a server that has none.";
}

/// How often each [`DropReason`] arose.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DropCounts([u64; DropReason::ALL.len()]);

impl DropCounts {
    /// Counts one.
    pub fn count(&mut self, reason: DropReason) {
        let slot = &mut self.0[reason as usize];
        *slot = slot.saturating_add(1);
    }

    /// Adds another count to this one.
    pub fn absorb(&mut self, other: Self) {
        for (ours, theirs) in self.0.iter_mut().zip(other.0) {
            *ours = ours.saturating_add(theirs);
        }
    }

    /// How many of one kind.
    #[must_use]
    pub const fn of(&self, reason: DropReason) -> u64 {
        self.0[reason as usize]
    }

    /// How many in all.
    #[must_use]
    pub fn total(&self) -> u64 {
        self.0.iter().fold(0, |sum, n| sum.saturating_add(*n))
    }

    /// Every reason that arose at least once, with its count.
    pub fn iter(&self) -> impl Iterator<Item = (DropReason, u64)> + '_ {
        DropReason::ALL
            .iter()
            .map(|r| (*r, self.of(*r)))
            .filter(|(_, n)| *n > 0)
    }
}
