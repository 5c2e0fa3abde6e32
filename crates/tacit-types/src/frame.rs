//! An encoded frame on its way from the codec to the codec, and what it can repair.

use crate::limits::FRAME_MAX_BYTES;

/// One encoded Opus frame: 1 to [`FRAME_MAX_BYTES`] bytes, without allocation.
///
/// A frame exists in two forms: in *full*, with DRED for the frames before it, and *short*, the
/// same speech without it, for repeats.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct FramePayload {
    length: u8,
    /// Zero beyond `length`.
    bytes: [u8; FRAME_MAX_BYTES],
}

const _: () = assert!(FRAME_MAX_BYTES <= u8::MAX as usize);

impl FramePayload {
    /// `None` when there are no bytes, or more than [`FRAME_MAX_BYTES`].
    #[must_use]
    pub fn new(bytes: &[u8]) -> Option<Self> {
        let length = u8::try_from(bytes.len()).ok().filter(|&l| l > 0)?;
        let mut room = [0; FRAME_MAX_BYTES];
        room.get_mut(..bytes.len())?.copy_from_slice(bytes);
        Some(Self {
            length,
            bytes: room,
        })
    }

    /// The bytes; at least one.
    #[must_use]
    pub fn as_slice(&self) -> &[u8] {
        &self.bytes[..usize::from(self.length)]
    }

    /// How many bytes, as on the wire.
    #[must_use]
    pub const fn length(&self) -> u8 {
        self.length
    }
}

/// Speech never appears in logs, not even encoded.
impl core::fmt::Debug for FramePayload {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "FramePayload({} bytes)", self.length)
    }
}

/// Which frames before a frame its DRED restores: those from `nearest` to `farthest` before it.
///
/// What is nearer than `nearest` was silence when it was encoded.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Reach {
    nearest: u8,
    farthest: u8,
}

impl Reach {
    /// No DRED.
    pub const NONE: Self = Self {
        nearest: 0,
        farthest: 0,
    };

    /// [`Reach::NONE`] unless 1 ≤ `nearest` ≤ `farthest`.
    #[must_use]
    pub const fn new(nearest: u8, farthest: u8) -> Self {
        if nearest == 0 || nearest > farthest {
            return Self::NONE;
        }
        Self { nearest, farthest }
    }

    /// Frames back to the nearest one that is restored; 0 for none.
    #[must_use]
    pub const fn nearest(self) -> u8 {
        self.nearest
    }

    /// Frames back to the farthest one that is restored; 0 for none.
    #[must_use]
    pub const fn farthest(self) -> u8 {
        self.farthest
    }

    /// Whether the frame `back` frames before is restored.
    #[must_use]
    pub const fn covers(self, back: u32) -> bool {
        back > 0 && back >= self.nearest as u32 && back <= self.farthest as u32
    }
}

/// One frame as its encoder gives it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EncodedFrame {
    /// With DRED: for the packet in which the frame is the current one.
    pub full: FramePayload,
    /// The same speech without DRED: for repeats. Never longer than `full`.
    pub short: FramePayload,
    /// What the DRED of `full` restores.
    pub reach: Reach,
}

impl EncodedFrame {
    /// A frame without DRED.
    #[must_use]
    pub const fn plain(payload: FramePayload) -> Self {
        Self {
            full: payload,
            short: payload,
            reach: Reach::NONE,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_payload_has_one_byte_to_the_most() {
        assert_eq!(FramePayload::new(&[]), None);
        assert_eq!(FramePayload::new(&[0; FRAME_MAX_BYTES + 1]), None);
        assert_eq!(FramePayload::new(&[0; 300]), None);
        for length in [1, 60, FRAME_MAX_BYTES] {
            let payload = FramePayload::new(&vec![7; length]).expect("it fits");
            assert_eq!(payload.as_slice(), vec![7; length]);
            assert!(format!("{payload:?}").ends_with(" bytes)"));
        }
    }

    #[test]
    fn a_reach_covers_what_lies_between_its_ends() {
        let reach = Reach::new(2, 5);
        let covered: Vec<u32> = (0..300).filter(|&back| reach.covers(back)).collect();
        assert_eq!(covered, [2, 3, 4, 5]);
        for none in [Reach::NONE, Reach::new(0, 5), Reach::new(6, 5)] {
            assert_eq!(none, Reach::NONE);
            assert!((0..300).all(|back| !none.covers(back)));
        }
    }
}
