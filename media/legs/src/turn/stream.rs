//! Cuts a TURN stream into messages (RFC 8656 §12.5), without allocation: every packet passes here.
//!
//! ```text
//! STUN         00…… | length (16) | cookie, id | attributes     20 + length bytes
//! ChannelData  01…… | length (16) | data, padding                4 + length, to a multiple of 4
//! ```

use crate::limits::{CHANNEL_DATA_HEADER_BYTES, MAX_TURN_MESSAGE};

/// STUN header: type, length, magic cookie, transaction id (RFC 8489 §5).
const STUN_HEADER_BYTES: usize = 20;

/// The stream holds something that is not TURN, or a message over the limit; there is no way to find
/// the next message after it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct NotTurn;

/// Holds at most one message.
pub(super) struct TurnStream {
    buffer: Box<[u8; MAX_TURN_MESSAGE]>,
    filled: usize,
    whole: bool,
}

impl Default for TurnStream {
    fn default() -> Self {
        Self {
            buffer: Box::new([0; MAX_TURN_MESSAGE]),
            filled: 0,
            whole: false,
        }
    }
}

impl TurnStream {
    /// Takes bytes up to the end of a message; true once one is whole, and then
    /// [`message`](Self::message) is it until the next call.
    pub(super) fn take(&mut self, bytes: &mut &[u8]) -> Result<bool, NotTurn> {
        if core::mem::take(&mut self.whole) {
            self.filled = 0;
        }
        self.fill(bytes, CHANNEL_DATA_HEADER_BYTES);
        if self.filled < CHANNEL_DATA_HEADER_BYTES {
            return Ok(false);
        }
        let total = self.total()?;
        self.fill(bytes, total);
        self.whole = self.filled == total;
        Ok(self.whole)
    }

    /// The message that [`take`](Self::take) has made whole.
    pub(super) fn message(&self) -> &[u8] {
        &self.buffer[..self.filled]
    }

    /// Forgets what it holds.
    pub(super) const fn clear(&mut self) {
        self.filled = 0;
        self.whole = false;
    }

    fn fill(&mut self, bytes: &mut &[u8], end: usize) {
        let taken = bytes.len().min(end.saturating_sub(self.filled));
        let (head, rest) = bytes.split_at(taken);
        self.buffer[self.filled..self.filled + taken].copy_from_slice(head);
        self.filled += taken;
        *bytes = rest;
    }

    fn total(&self) -> Result<usize, NotTurn> {
        let length = usize::from(u16::from_be_bytes([self.buffer[2], self.buffer[3]]));
        let total = match self.buffer[0] >> 6 {
            0b00 => STUN_HEADER_BYTES + length,
            0b01 => CHANNEL_DATA_HEADER_BYTES + length.next_multiple_of(4),
            _ => return Err(NotTurn),
        };
        if total > MAX_TURN_MESSAGE {
            return Err(NotTurn);
        }
        Ok(total)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use rtc_shared::turn_framing::TurnStreamDecoder;

    fn ours(bytes: &[u8], cuts: &[usize]) -> (Vec<Vec<u8>>, bool) {
        let (mut stream, mut messages, mut at) = (TurnStream::default(), Vec::new(), 0);
        for cut in cuts.iter().cycle() {
            let end = (at + cut).min(bytes.len());
            let mut piece = &bytes[at..end];
            at = end;
            while !piece.is_empty() {
                match stream.take(&mut piece) {
                    Ok(true) => messages.push(stream.message().to_vec()),
                    Ok(false) => {}
                    Err(NotTurn) => return (messages, false),
                }
            }
            if at == bytes.len() {
                return (messages, true);
            }
        }
        (messages, true)
    }

    fn familys(bytes: &[u8]) -> (Vec<Vec<u8>>, bool) {
        let mut decoder = TurnStreamDecoder::new();
        decoder.extend_from_slice(bytes);
        let mut messages = Vec::new();
        loop {
            match decoder.next_message() {
                Ok(Some(message)) => messages.push(message),
                Ok(None) => return (messages, true),
                Err(_) => return (messages, false),
            }
        }
    }

    proptest! {
        #[test]
        fn it_cuts_as_the_family_cuts(
            messages in prop::collection::vec((0u8..=0x7f, any::<u8>(), 0u16..2000), 0..6),
            tail in prop::collection::vec(any::<u8>(), 0..3),
            cuts in prop::collection::vec(1usize..700, 1..20),
        ) {
            let mut bytes = Vec::new();
            for (first, second, length) in messages {
                let [high, low] = length.to_be_bytes();
                bytes.extend([first, second, high, low]);
                let rest = if first >> 6 == 0 { 16 + length } else { length.next_multiple_of(4) };
                bytes.extend(core::iter::repeat_n(second, usize::from(rest)));
            }
            bytes.extend(tail);
            prop_assert_eq!(ours(&bytes, &cuts), familys(&bytes));
        }
    }

    #[test]
    fn a_message_over_the_limit_is_refused_at_its_header() {
        let mut stream = TurnStream::default();
        let mut header: &[u8] = &[0x01, 0x01, 0x07, 0xf0];
        assert_eq!(stream.take(&mut header), Err(NotTurn));
    }
}
