//! How many cells a second a side of a call sends.

use core::fmt;

/// Packets, so cells, a second and direction. Fixed for a call: nothing that is said changes it.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize,
)]
#[serde(try_from = "u8", into = "u8")]
pub enum Cells {
    /// One in each slot, with one new frame.
    #[default]
    Fifty,
    /// One in every other slot, with two.
    TwentyFive,
}

impl Cells {
    /// Slots from one packet to the next, so new frames in each.
    #[must_use]
    pub const fn slots(self) -> u32 {
        match self {
            Self::Fifty => 1,
            Self::TwentyFive => 2,
        }
    }

    /// Whether a packet is sent in this slot: when all of its frames are there.
    #[must_use]
    pub const fn sends_in(self, slot: crate::SlotNumber) -> bool {
        slot.0 % self.slots() == self.slots() - 1
    }
}

impl From<Cells> for u8 {
    fn from(cells: Cells) -> Self {
        match cells {
            Cells::Fifty => 50,
            Cells::TwentyFive => 25,
        }
    }
}

/// There is no such rate.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("must be 50 or 25")]
pub struct NoSuchRate;

impl TryFrom<u8> for Cells {
    type Error = NoSuchRate;

    fn try_from(a_second: u8) -> Result<Self, NoSuchRate> {
        match a_second {
            50 => Ok(Self::Fifty),
            25 => Ok(Self::TwentyFive),
            _ => Err(NoSuchRate),
        }
    }
}

impl fmt::Display for Cells {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&u8::from(*self), f)
    }
}

impl core::str::FromStr for Cells {
    type Err = NoSuchRate;

    fn from_str(text: &str) -> Result<Self, NoSuchRate> {
        let a_second: u8 = text.parse().map_err(|_| NoSuchRate)?;
        a_second.try_into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::SlotNumber;

    #[test]
    fn there_are_two_rates() {
        for number in 0..=u8::MAX {
            let text = number.to_string();
            match Cells::try_from(number) {
                Ok(cells) => {
                    assert_eq!((u8::from(cells), cells.to_string()), (number, text.clone()));
                    assert_eq!(text.parse(), Ok(cells));
                    let sent = (0..50).filter(|slot| cells.sends_in(SlotNumber(*slot)));
                    assert_eq!(sent.count(), usize::from(number));
                }
                Err(NoSuchRate) => {
                    assert!(![25, 50].contains(&number));
                    assert_eq!(text.parse::<Cells>(), Err(NoSuchRate));
                }
            }
        }
        assert_eq!("fifty".parse::<Cells>(), Err(NoSuchRate));
        assert_eq!(u8::from(Cells::default()), 50);
    }
}
