//! Tokens on the wire: a numbered batch of them, or a single one that may be missing.

use crate::frame::Malformed;
use crate::wire::{Reader, Writer};
use tacit_crypto::token::{TOKEN_BYTES, Token};
use tacit_crypto::wallet::{REFILL_HEADER_BYTES, Refill};

/// Bytes that a refill block with room for `room` tokens takes, whatever it holds.
pub(super) const fn refill_bytes(room: usize) -> usize {
    REFILL_HEADER_BYTES + room * TOKEN_BYTES
}

/// Writes a refill of 1 to `room` tokens; an absent or empty one is all zeros. Tokens beyond the
/// room are a bug of the caller's, who names the room when it asks the wallet.
pub(super) fn write_refill<const N: usize>(
    w: &mut Writer<N>,
    refill: Option<&Refill>,
    room: usize,
) {
    let Some(refill) = refill.filter(|r| !r.tokens.is_empty()) else {
        return w.skip(refill_bytes(room));
    };
    assert!(
        refill.tokens.len() <= room,
        "the wallet was asked for at most this frame's room"
    );
    w.put(&refill.encode());
    w.skip((room - refill.tokens.len()) * TOKEN_BYTES);
}

pub(super) fn read_refill(r: &mut Reader<'_>, room: usize) -> Result<Option<Refill>, Malformed> {
    let block = r.take(refill_bytes(room))?;
    if block.iter().all(|&b| b == 0) {
        return Ok(None);
    }
    let (refill, padding) = Refill::decode(block).ok_or(Malformed::Value)?;
    Reader::new(padding).padding()?;
    if refill.tokens.is_empty() || refill.batch.0 == 0 {
        return Err(Malformed::Value);
    }
    Ok(Some(refill))
}

pub(super) fn write_token<const N: usize>(w: &mut Writer<N>, token: Option<&Token>) {
    w.u8(u8::from(token.is_some()));
    match token {
        Some(token) => w.put(&token.to_bytes()),
        None => w.skip(TOKEN_BYTES),
    }
}

pub(super) fn read_token(r: &mut Reader<'_>) -> Result<Option<Token>, Malformed> {
    if r.flag()? {
        return Ok(Some(Token::from_bytes(&r.array()?)));
    }
    r.zeros(TOKEN_BYTES).map(|()| None)
}
