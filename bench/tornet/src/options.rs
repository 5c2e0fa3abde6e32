//! What to measure.

use core::fmt;
use core::str::FromStr;
use core::time::Duration;

use serde::Serialize;
use tacit_circuits::Mode;
use tacit_types::limits::MAX_LEGS;

use crate::Error;

/// One packet each so often makes a call of 50 packets a second and direction.
pub(crate) const SLOT: Duration = Duration::from_millis(20);

/// Where relays have TCP_NODELAY. As in calls, Arti's own connections have it always, and acknowledge
/// at once but where it says so.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum NagleOff {
    /// Nowhere: as tor is. Without other traffic, every connection can hold a packet.
    None,
    /// As `Inner`, but the two people's computers acknowledge when their kernels like, as other Tor
    /// clients' do.
    Late,
    /// On connections between relays: these stand for connections of the public network, which other
    /// people's traffic keeps busy. What is left is what the simulator models.
    Inner,
    /// Everywhere, and at coturn.
    All,
}

/// How packets are spread in time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Pattern {
    /// One leg, which gets a packet each spacing, and nothing else.
    Alone,
    /// 50 packets a second, by turns on as many legs as make the spacing of each.
    Call,
}

/// What to measure; `Options::default()` takes about fifteen minutes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Options {
    /// TURN legs, onion legs, or one after the other.
    pub modes: Vec<Mode>,
    /// Added delay of each link, one way.
    pub link: Duration,
    /// Mean of the exponentially distributed extra of each link.
    pub jitter: Duration,
    /// Times between two packets of a leg: multiples of 20 ms.
    pub spacings: Vec<Duration>,
    /// Patterns of packets.
    pub patterns: Vec<Pattern>,
    /// Where TCP_NODELAY is set.
    pub nagle_off: Vec<NagleOff>,
    /// How long each measurement takes.
    pub length: Duration,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            modes: vec![Mode::Turn, Mode::Onion],
            // Four links then take what the model's median circuit in Germany takes.
            link: Duration::from_millis(5),
            jitter: Duration::ZERO,
            spacings: [20, 40, 80, 160].map(Duration::from_millis).to_vec(),
            patterns: Pattern::ALL.to_vec(),
            nagle_off: NagleOff::ALL.to_vec(),
            length: Duration::from_secs(12),
        }
    }
}

impl Options {
    /// Legs that the widest spacing of a call needs.
    pub(crate) fn legs(&self) -> u8 {
        let widest = self.spacings.iter().map(|s| in_slots(*s)).max();
        let legs = if self.patterns.contains(&Pattern::Call) {
            widest.unwrap_or(1)
        } else {
            1
        };
        u8::try_from(legs).unwrap_or(u8::MAX)
    }

    pub(crate) fn check(&self) -> Result<(), Error> {
        let wrong = |what: String| Err(Error::Options(what));
        let lists = [
            ("mode", self.modes.is_empty()),
            ("spacing", self.spacings.is_empty()),
            ("pattern", self.patterns.is_empty()),
            ("TCP_NODELAY setting", self.nagle_off.is_empty()),
        ];
        if let Some((what, _)) = lists.iter().find(|(_, empty)| *empty) {
            return wrong(format!("at least one {what} is needed"));
        }
        let longest = SLOT * u32::try_from(MAX_LEGS).unwrap_or(1);
        let bad = |spacing: &&Duration| {
            let in_slots = spacing.as_millis().is_multiple_of(SLOT.as_millis());
            spacing.is_zero() || !in_slots || **spacing > longest
        };
        if let Some(spacing) = self.spacings.iter().find(bad) {
            return wrong(format!(
                "a spacing of {} ms: multiples of {} ms up to {} ms can be had",
                spacing.as_millis(),
                SLOT.as_millis(),
                longest.as_millis()
            ));
        }
        if self.length < Duration::from_secs(2) || self.length > Duration::from_secs(3600) {
            return wrong("a measurement takes from 2 s to an hour".into());
        }
        Ok(())
    }
}

/// A spacing in slots of a call.
pub(crate) fn in_slots(spacing: Duration) -> usize {
    usize::try_from(spacing.as_millis() / SLOT.as_millis()).unwrap_or(usize::MAX)
}

/// A word that stands for nothing here.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("'{word}' is none of {known}")]
pub struct Unknown {
    word: String,
    known: &'static str,
}

impl NagleOff {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::None, Self::Late, Self::Inner, Self::All];
}

impl fmt::Display for NagleOff {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::None => "none",
            Self::Late => "late",
            Self::Inner => "inner",
            Self::All => "all",
        })
    }
}

impl FromStr for NagleOff {
    type Err = Unknown;
    fn from_str(word: &str) -> Result<Self, Unknown> {
        let known = Self::ALL.into_iter().find(|one| one.to_string() == word);
        known.ok_or_else(|| Unknown {
            word: word.to_owned(),
            known: "none, late, inner, all",
        })
    }
}

impl Pattern {
    /// Both.
    pub const ALL: [Self; 2] = [Self::Alone, Self::Call];
}

impl fmt::Display for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Alone => "alone",
            Self::Call => "call",
        })
    }
}

impl FromStr for Pattern {
    type Err = Unknown;
    fn from_str(word: &str) -> Result<Self, Unknown> {
        let known = Self::ALL.into_iter().find(|one| one.to_string() == word);
        known.ok_or_else(|| Unknown {
            word: word.to_owned(),
            known: "alone, call",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with_spacings(ms: &[u64]) -> Options {
        Options {
            spacings: ms.iter().map(|ms| Duration::from_millis(*ms)).collect(),
            ..Options::default()
        }
    }

    #[test]
    fn what_cannot_be_measured_is_refused() {
        assert!(Options::default().check().is_ok());
        for spacings in [&[][..], &[0], &[30], &[20, 1_000_000]] {
            let refused = with_spacings(spacings).check();
            assert!(matches!(refused, Err(Error::Options(_))), "{spacings:?}");
        }
        let short = Options {
            length: Duration::ZERO,
            ..Options::default()
        };
        assert!(short.check().is_err());
    }

    #[test]
    fn a_call_has_as_many_legs_as_its_widest_spacing_needs() {
        assert_eq!(with_spacings(&[20, 160, 40]).legs(), 8);
        let mut alone = with_spacings(&[160]);
        alone.patterns = vec![Pattern::Alone];
        assert_eq!(alone.legs(), 1);
    }

    #[test]
    fn words_are_read_back() {
        for one in NagleOff::ALL {
            assert_eq!(one.to_string().parse(), Ok(one));
        }
        for one in Pattern::ALL {
            assert_eq!(one.to_string().parse(), Ok(one));
        }
        let error = "off".parse::<NagleOff>().expect_err("no such word");
        assert_eq!(error.to_string(), "'off' is none of none, late, inner, all");
    }
}
