//! A refill batch on the wire.

use super::BatchNumber;
use crate::token::{TOKEN_BYTES, Token};

/// Bytes of an encoded refill in front of its tokens: batch 4, after 4, check 4, count 1.
pub const REFILL_HEADER_BYTES: usize = 13;

/// Tokens in one refill at most.
pub const MAX_REFILL_TOKENS: usize = 16;

/// New tokens. Their PSKs are not in it: both sides derive them from the batch's secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refill {
    /// Number of this batch; higher than every earlier one.
    pub batch: BatchNumber,
    /// The last batch that the issuer knows the holder to have. Everything issued between the two
    /// was burnt.
    pub after: BatchNumber,
    /// Shows that both sides stand on the same chain.
    pub check: [u8; 4],
    /// At most [`MAX_REFILL_TOKENS`].
    pub tokens: Vec<Token>,
}

impl Refill {
    /// Bytes that a refill of `tokens` tokens takes.
    #[must_use]
    pub const fn encoded_len(tokens: usize) -> usize {
        REFILL_HEADER_BYTES + tokens * TOKEN_BYTES
    }

    /// The wire form: `batch u32 ‖ after u32 ‖ check[4] ‖ count u8 ‖ tokens`.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(Self::encoded_len(self.tokens.len()));
        out.extend_from_slice(&self.batch.0.to_be_bytes());
        out.extend_from_slice(&self.after.0.to_be_bytes());
        out.extend_from_slice(&self.check);
        out.push(u8::try_from(self.tokens.len()).expect("a refill holds at most 16 tokens"));
        for token in &self.tokens {
            out.extend_from_slice(&token.to_bytes());
        }
        out
    }

    /// Reads the wire form from the front of `bytes` and gives back what follows it.
    #[must_use]
    pub fn decode(bytes: &[u8]) -> Option<(Self, &[u8])> {
        let (head, rest) = bytes.split_first_chunk::<REFILL_HEADER_BYTES>()?;
        let word = |at: usize| [head[at], head[at + 1], head[at + 2], head[at + 3]];
        let count = usize::from(head[12]);
        if count > MAX_REFILL_TOKENS || rest.len() < count * TOKEN_BYTES {
            return None;
        }
        let (tokens, rest) = rest.split_at(count * TOKEN_BYTES);
        let (tokens, _) = tokens.as_chunks::<TOKEN_BYTES>();
        let refill = Self {
            batch: BatchNumber(u32::from_be_bytes(word(0))),
            after: BatchNumber(u32::from_be_bytes(word(4))),
            check: word(8),
            tokens: tokens.iter().map(Token::from_bytes).collect(),
        };
        Some((refill, rest))
    }
}
