//! Two words that both people read out: short authentication with commit and reveal.
//!
//! ```text
//!   caller                          callee
//!     | commit H(h, caller, nA)       |
//!     | ----------------------------> |
//!     |               reveal nB       |
//!     | <---------------------------- |
//!     | reveal nA                     |
//!     | ----------------------------> |   checks nA against the commitment
//!   words(sas secret, nA, nB)       words(sas secret, nA, nB)
//! ```
//!
//! The commitment leaves somebody in the middle one guess in 2^20 instead of a search. The messages
//! travel in the media control lane, in order and exactly once.

use core::fmt;

use subtle::ConstantTimeEq;
use tacit_types::Role;

use crate::kdf::{self, label, role_byte};
use crate::session::SasKeys;
use crate::words::word;

/// A message of the exchange, for the control lane.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SasMessage {
    /// The caller's commitment.
    Commit([u8; 32]),
    /// Either side's nonce.
    Reveal([u8; 32]),
}

/// The exchange failed: show it, count it, and do not show words.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SasError {
    /// A message that does not belong at this point.
    #[error("a word-comparison message came out of turn")]
    OutOfTurn,
    /// The revealed nonce is not the one committed to.
    #[error("the revealed nonce does not match its commitment")]
    BrokenCommitment,
}

enum State {
    AwaitCommit,
    AwaitReveal { commitment: Option<[u8; 32]> },
    Done([&'static str; 2]),
    Failed,
}

/// One side of the exchange.
pub struct Sas {
    keys: SasKeys,
    nonce: [u8; 32],
    state: State,
    outgoing: Option<SasMessage>,
}

impl Sas {
    /// Starts the exchange with a nonce drawn for this purpose.
    #[must_use]
    pub fn start(keys: SasKeys, nonce: [u8; 32]) -> Self {
        let (state, outgoing) = match keys.role {
            Role::Caller => {
                let commitment = commitment(&keys.handshake_hash, Role::Caller, &nonce);
                (
                    State::AwaitReveal { commitment: None },
                    Some(SasMessage::Commit(commitment)),
                )
            }
            Role::Callee => (State::AwaitCommit, None),
        };
        Self {
            keys,
            nonce,
            state,
            outgoing,
        }
    }

    /// The next message to send, once.
    pub fn poll_transmit(&mut self) -> Option<SasMessage> {
        self.outgoing.take()
    }

    /// Takes the peer's next message. After an error the exchange stays failed.
    pub fn handle_input(&mut self, message: SasMessage) -> Result<(), SasError> {
        let state = core::mem::replace(&mut self.state, State::Failed);
        self.state = match (state, message, self.keys.role) {
            (State::AwaitCommit, SasMessage::Commit(commitment), _) => {
                self.outgoing = Some(SasMessage::Reveal(self.nonce));
                State::AwaitReveal {
                    commitment: Some(commitment),
                }
            }
            (State::AwaitReveal { commitment: None }, SasMessage::Reveal(theirs), Role::Caller) => {
                self.outgoing = Some(SasMessage::Reveal(self.nonce));
                State::Done(self.derive(&self.nonce, &theirs))
            }
            (
                State::AwaitReveal {
                    commitment: Some(promised),
                },
                SasMessage::Reveal(theirs),
                _,
            ) => {
                let shown = commitment(&self.keys.handshake_hash, Role::Caller, &theirs);
                if !bool::from(shown.ct_eq(&promised)) {
                    return Err(SasError::BrokenCommitment);
                }
                State::Done(self.derive(&theirs, &self.nonce))
            }
            _ => return Err(SasError::OutOfTurn),
        };
        Ok(())
    }

    /// The two words, once both sides have revealed.
    #[must_use]
    pub const fn words(&self) -> Option<[&'static str; 2]> {
        match self.state {
            State::Done(words) => Some(words),
            _ => None,
        }
    }

    /// Whether the exchange failed or was broken by the peer.
    #[must_use]
    pub const fn failed(&self) -> bool {
        matches!(self.state, State::Failed)
    }

    /// Whether the peer committed itself, or spoke out of turn, and never brought the exchange to its
    /// end. A peer that has seen our nonce knows the words: if it stops there, it may have been
    /// unhappy with them. An exchange that has not begun, or whose words are there, is not broken
    /// off.
    #[must_use]
    pub const fn broken_off(&self) -> bool {
        matches!(
            self.state,
            State::Failed
                | State::AwaitReveal {
                    commitment: Some(_)
                }
        )
    }

    /// The first 20 bits of the derived value, ten a word.
    fn derive(&self, caller: &[u8; 32], callee: &[u8; 32]) -> [&'static str; 2] {
        let value = kdf::expand(&self.keys.secret, label::SAS_WORDS, &[caller, callee]);
        let bytes = value.expose();
        let bits = u32::from_be_bytes([0, bytes[0], bytes[1], bytes[2]]) >> 4;
        [word(bits >> 10), word(bits & 1023)]
    }
}

fn commitment(handshake_hash: &[u8; 32], role: Role, nonce: &[u8; 32]) -> [u8; 32] {
    kdf::hash(
        label::SAS_COMMIT,
        &[handshake_hash, &[role_byte(role)], nonce],
    )
}

impl fmt::Debug for Sas {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Sas")
    }
}
