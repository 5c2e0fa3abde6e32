//! Which legs are suspect, from the packets that are overdue.
//!
//! With onion legs an overdue packet accuses one leg. With TURN legs it accuses two, and one of them
//! is most often innocent: a half on which something sent later has arrived is cleared; of the rest,
//! the leg that explains most is blamed first, and only where nothing tells them apart are both.

use crate::limits::LEGS;

/// Overdue pairs of a local and a peer leg, by position; with onion legs the diagonal.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Accusations {
    /// Bit j of row i: a packet over local leg i and peer leg j is overdue and accuses both.
    pairs: [u16; LEGS],
    /// Legs accused alone: local, peer.
    alone: [u16; 2],
}

const _: () = assert!(LEGS <= 16, "a row has 16 bits");

impl Accusations {
    /// A packet is overdue, and these can be at fault.
    pub(crate) const fn accuse(&mut self, local: Option<usize>, peer: Option<usize>) {
        match (local, peer) {
            (Some(local), Some(peer)) => self.pairs[local] |= 1 << peer,
            (Some(local), None) => self.alone[0] |= 1 << local,
            (None, Some(peer)) => self.alone[1] |= 1 << peer,
            (None, None) => {}
        }
    }

    /// The local and the peer legs to be suspected, as bits by position.
    pub(crate) fn blame(self) -> [u16; 2] {
        let [mut local, mut peer] = self.alone;
        if self.pairs == [0; LEGS] {
            return [local, peer];
        }
        loop {
            let open = |row: usize| {
                if local & (1 << row) != 0 {
                    0
                } else {
                    self.pairs[row] & !peer
                }
            };
            let row = |row: usize| (open(row).count_ones(), row);
            let column = |column: usize| {
                let accusers = (0..LEGS).filter(|&row| open(row) & (1 << column) != 0);
                (accusers.count(), column)
            };
            let (rows, worst_row) = (0..LEGS).map(row).max().unwrap_or_default();
            let (columns, worst_column) = (0..LEGS).map(column).max().unwrap_or_default();
            if rows == 0 {
                return [local, peer];
            }
            let columns = u32::try_from(columns).unwrap_or(u32::MAX);
            // Equal: both, for instance the only leg of either side that the packet can accuse.
            let (row_too, column_too) = (rows >= columns, columns >= rows);
            if row_too {
                local |= 1 << worst_row;
            }
            if column_too {
                let column = if row_too && rows == 1 {
                    self.pairs[worst_row].trailing_zeros()
                } else {
                    u32::try_from(worst_column).unwrap_or(0)
                };
                peer |= 1 << column;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_leg_that_explains_most_is_blamed() {
        let mut accusations = Accusations::default();
        accusations.accuse(Some(3), Some(0));
        accusations.accuse(Some(3), Some(1));
        assert_eq!(accusations.blame(), [1 << 3, 0]);
        accusations.accuse(Some(4), Some(2));
        assert_eq!(
            accusations.blame(),
            [1 << 3 | 1 << 4, 1 << 2],
            "nothing tells 4 from 2"
        );
        accusations.accuse(None, Some(2));
        assert_eq!(accusations.blame(), [1 << 3, 1 << 2], "2 alone explains it");
    }

    #[test]
    fn it_always_ends() {
        let mut accusations = Accusations::default();
        for local in 0..LEGS {
            for peer in 0..LEGS {
                accusations.accuse(Some(local), Some(peer));
            }
        }
        let [local, peer] = accusations.blame();
        assert!(local == u16::MAX || peer == u16::MAX);
    }
}
