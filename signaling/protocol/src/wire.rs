//! Cursors over fixed-size buffers: big-endian fields in, canonical padding checked on the way out.

use crate::frame::Malformed;

/// Writes fields one after another into a zeroed buffer of `N` bytes; the rest stays zero.
pub(crate) struct Writer<const N: usize> {
    bytes: [u8; N],
    at: usize,
}

impl<const N: usize> Writer<N> {
    pub(crate) const fn new() -> Self {
        Self {
            bytes: [0; N],
            at: 0,
        }
    }

    /// Appends `field`. The layouts are constants, so running out of room is a bug of ours.
    pub(crate) fn put(&mut self, field: &[u8]) {
        self.bytes[self.at..self.at + field.len()].copy_from_slice(field);
        self.at += field.len();
    }

    pub(crate) fn u8(&mut self, value: u8) {
        self.put(&[value]);
    }

    pub(crate) fn u16(&mut self, value: u16) {
        self.put(&value.to_be_bytes());
    }

    pub(crate) fn u32(&mut self, value: u32) {
        self.put(&value.to_be_bytes());
    }

    /// Leaves `count` bytes zero.
    pub(crate) fn skip(&mut self, count: usize) {
        self.at += count;
        assert!(self.at <= N, "layouts are constants that fit");
    }

    pub(crate) const fn finish(self) -> [u8; N] {
        self.bytes
    }
}

/// Reads fields one after another from untrusted bytes.
pub(crate) struct Reader<'a> {
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    pub(crate) const fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes }
    }

    pub(crate) fn take(&mut self, count: usize) -> Result<&'a [u8], Malformed> {
        let (field, rest) = self.rest.split_at_checked(count).ok_or(Malformed::Length)?;
        self.rest = rest;
        Ok(field)
    }

    pub(crate) fn array<const N: usize>(&mut self) -> Result<[u8; N], Malformed> {
        let (field, rest) = self
            .rest
            .split_first_chunk::<N>()
            .ok_or(Malformed::Length)?;
        self.rest = rest;
        Ok(*field)
    }

    /// The next byte, without taking it.
    pub(crate) fn peek(&self) -> Result<u8, Malformed> {
        self.rest.first().copied().ok_or(Malformed::Length)
    }

    pub(crate) fn u8(&mut self) -> Result<u8, Malformed> {
        Ok(u8::from_be_bytes(self.array()?))
    }

    pub(crate) fn u16(&mut self) -> Result<u16, Malformed> {
        Ok(u16::from_be_bytes(self.array()?))
    }

    pub(crate) fn u32(&mut self) -> Result<u32, Malformed> {
        Ok(u32::from_be_bytes(self.array()?))
    }

    /// A byte that must be 0 or 1.
    pub(crate) fn flag(&mut self) -> Result<bool, Malformed> {
        match self.u8()? {
            0 => Ok(false),
            1 => Ok(true),
            _ => Err(Malformed::Value),
        }
    }

    /// The next `count` bytes must be zero: one value has one encoding, and nothing rides in gaps.
    pub(crate) fn zeros(&mut self, count: usize) -> Result<(), Malformed> {
        if self.take(count)?.iter().all(|&b| b == 0) {
            Ok(())
        } else {
            Err(Malformed::Padding)
        }
    }

    /// All that is left must be zero.
    pub(crate) fn padding(mut self) -> Result<(), Malformed> {
        let left = self.rest.len();
        self.zeros(left)
    }
}
