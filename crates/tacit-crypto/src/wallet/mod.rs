//! Two wallets for each direction of a contact: what I issued, and what was issued to me.
//!
//! ```text
//!   issuer (callee)                          holder (caller)
//!     refill(last batch held) ── Refill ──►  accept_refill
//!     authorise, spend        ◄── token ───  next_token, consumed
//! ```
//!
//! Refills come in numbered batches on a chain of batch secrets. A batch is *pending* until the
//! holder states that number (or uses one of its tokens); a refill that finds one pending burns it
//! and issues a higher number. So nothing is ever added to an unknown, and a lost message costs
//! slots, never a token that the other side believes good.
//!
//! **The rule for whoever stores wallets: save before you send.**
//! - holder: save after [`HolderWallet::next_token`], before the ring leaves; save after
//!   [`HolderWallet::accept_refill`], before [`HolderWallet::last_batch`] is stated to anybody;
//! - issuer: save wallet and mailbox after [`IssuerWallet::refill`], before the batch leaves; save
//!   after [`IssuerWallet::spend`], before the device rings or answers.
//!
//! Under it, any loss, reordering or crash leaves wallets that never accept a token twice and that
//! recover: by the next refill, or by a RESYNC when [`HolderWallet::wants_resync`] says so.

mod chain;
mod holder;
mod issuer;
mod refill;

pub use self::holder::{HolderWallet, RefillError};
pub use self::issuer::IssuerWallet;
pub use self::refill::{MAX_REFILL_TOKENS, REFILL_HEADER_BYTES, Refill};

use serde::{Deserialize, Serialize};

/// Steps that a batch chain is advanced at once at most; a wider gap needs a RESYNC.
pub const MAX_BATCH_GAP: u32 = 1024;

/// Tokens that a holder keeps at most; beyond it the most tried, then the oldest, go first.
pub const MAX_HELD_TOKENS: usize = 64;

/// Number of a refill batch within one direction of a contact; 0 means none yet.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
pub struct BatchNumber(pub u32);
