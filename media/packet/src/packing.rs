//! Which frames find room in a packet, and in which form its newest goes.

use crate::content::FRAMES_IN_PACKET;

/// Of a packet with two new frames, so many of the newest come before DRED: then each frame is in
/// three packets. (docs/decisions/0015)
const BEFORE_DRED: usize = 6;

/// Bytes of the frames that a packet may hold, the newest first; `None` for those that are missing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sizes {
    /// The newest with its DRED.
    pub full: Option<usize>,
    /// Short forms.
    pub short: [Option<usize>; FRAMES_IN_PACKET],
}

/// What goes into a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Packing {
    /// Bit `k`: the frame that is `k` before the newest.
    pub frames: u8,
    /// The newest goes in full.
    pub in_full: bool,
}

impl Packing {
    /// Packs a packet that has `room` bytes for frames, `new` of which are in no packet before it.
    ///
    /// With one new frame the newest is in full. With two it is so where that costs none of the six
    /// newest its place.
    #[must_use]
    pub fn new(sizes: &Sizes, room: usize, new: u32) -> Self {
        let of = |newest| {
            let mut all = sizes.short;
            all[0] = newest;
            fitting(&all, room)
        };
        let with_dred = of(sizes.full);
        let without = of(sizes.short[0]);
        let first = (1 << BEFORE_DRED) - 1;
        let lost = without & !with_dred & first;
        let in_full = new <= 1 || lost == 0;
        Self {
            frames: if in_full { with_dred } else { without },
            in_full,
        }
    }
}

/// Which of these frames, each behind a byte for its length, find room in this order: one that does
/// not is left out, and its length is there, 0. Bit `k` is frame `k`.
pub(crate) fn fitting(sizes: &[Option<usize>; FRAMES_IN_PACKET], room: usize) -> u8 {
    let (mut at, mut frames) = (0, 0);
    for (number, size) in sizes.iter().enumerate() {
        if let Some(size) = size.filter(|size| at + size < room) {
            at += size;
            frames |= 1 << number;
        }
        at += 1;
    }
    frames
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sizes(full: usize, short: usize) -> Sizes {
        Sizes {
            full: Some(full),
            short: [Some(short); FRAMES_IN_PACKET],
        }
    }

    #[test]
    fn with_two_new_frames_dred_gives_way_to_the_sixth_and_not_to_the_seventh() {
        let count = |packing: Packing| (packing.frames.count_ones(), packing.in_full);
        // 102 + 5 · 54 and six lengths are 378, 102 + 4 · 54 and five are 323, 6 · 54 and six 330.
        let sizes = sizes(102, 54);
        for (room, new, expected) in [
            (378, 1, (6, true)),
            (377, 1, (5, true)),
            (378, 2, (6, true)),
            (377, 2, (6, false)),
            (330, 2, (6, false)),
            (329, 2, (5, true)),
            (323, 2, (5, true)),
            (322, 2, (5, false)),
            (385, 2, (6, true)),
        ] {
            let packing = Packing::new(&sizes, room, new);
            assert_eq!(count(packing), expected, "{room} {new}");
        }
    }

    #[test]
    fn dred_takes_no_frame_the_place_that_a_smaller_older_one_would_find() {
        let mut sizes = sizes(102, 54);
        sizes.short[4] = Some(90);
        sizes.short[5] = Some(40);
        // In full it would be frames 0 to 3 and 5, which are five too.
        assert_eq!(
            Packing::new(&sizes, 340, 2),
            Packing {
                frames: 0b1_1111,
                in_full: false,
            }
        );
        assert_eq!(Packing::new(&sizes, 340, 1).frames, 0b10_1111);
    }

    #[test]
    fn what_is_missing_or_too_large_takes_one_byte() {
        let mut sizes = [Some(10); FRAMES_IN_PACKET];
        sizes[1] = None;
        sizes[2] = Some(100);
        // 11 + 1 + 1 + 4 · 11.
        assert_eq!(fitting(&sizes, 57), 0b111_1001);
        assert_eq!(fitting(&sizes, 56), 0b011_1001);
        assert_eq!(fitting(&sizes, 0), 0);
    }
}
