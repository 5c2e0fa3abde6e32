//! When frames are played faster or slower: in pauses if that can wait, for there nobody hears it.

use core::time::Duration;

use tacit_types::Timestamp;

use crate::config::Config;
use crate::playout::micros;
use crate::types::{Loudness, Pace};

/// So many quiet frames in a row are a pause, 120 ms: in speech itself there are shorter ones.
const PAUSE: u32 = 6;

/// What is known of the way to the target.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Pacer {
    /// Quiet frames in a row.
    quiet: u32,
    /// Since when the delay has been above the target by more than the slack, or below it by more
    /// than the lack.
    surplus_since: Option<Timestamp>,
    lack_since: Option<Timestamp>,
    /// A large surplus is being taken back, in speech too.
    hurries: bool,
}

impl Pacer {
    /// The last frame was this loud.
    pub(crate) const fn heard(&mut self, loudness: Loudness) {
        self.quiet = match loudness {
            Loudness::Quiet => self.quiet.saturating_add(1),
            Loudness::Loud => 0,
        };
    }

    /// With such a surplus over the target, microseconds.
    pub(crate) fn pace(
        &mut self,
        config: &Config,
        surplus: i64,
        early: bool,
        now: Timestamp,
    ) -> Pace {
        let (slack, lack) = (micros(config.slack), micros(config.lack));
        // Outputs pull in blocks: a lasting surplus dips with every second pull.
        let above = lasts(&mut self.surplus_since, surplus, slack, now);
        let below = lasts(&mut self.lack_since, -surplus, lack, now);
        let large = if early {
            config.early_large
        } else {
            config.large
        };
        // In speech one long change is heard less than several short ones.
        self.hurries = surplus > if self.hurries { slack } else { micros(large) };
        let least = |at_once: bool| {
            if at_once || self.quiet >= PAUSE {
                config.steady
            } else {
                config.patience
            }
        };
        if below.is_some_and(|time| time >= least(surplus < -micros(config.deep))) {
            Pace::Slower
        } else if above.is_some_and(|time| time >= least(self.hurries)) {
            Pace::Faster
        } else {
            Pace::Even
        }
    }
}

/// For how long there has been more than nothing since there was more than `least`; `None` while there
/// is less than that.
fn lasts(
    since: &mut Option<Timestamp>,
    amount: i64,
    least: i64,
    now: Timestamp,
) -> Option<Duration> {
    let much = amount > least;
    *since = match since {
        Some(since) if amount > 0 => Some(*since),
        _ => much.then_some(now),
    };
    since
        .filter(|_| much)
        .map(|since| now.saturating_since(since))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Paces of the frames of some seconds, with the same surplus in milliseconds all the time.
    fn paces(surplus: i64, early: bool, loudness: impl Fn(u64) -> Loudness) -> Vec<Pace> {
        let (config, mut pacer) = (Config::default(), Pacer::default());
        let frame = |number: u64| {
            pacer.heard(loudness(number));
            let now = Timestamp::from_micros(number * 20_000);
            pacer.pace(&config, surplus * 1_000, early, now)
        };
        (0..400).map(frame).collect()
    }

    /// The first frame that is not played as it is.
    fn first(paces: &[Pace]) -> Option<usize> {
        paces.iter().position(|pace| *pace != Pace::Even)
    }

    const fn loud(_: u64) -> Loudness {
        Loudness::Loud
    }

    /// Half a second of each in turn.
    const fn pauses(number: u64) -> Loudness {
        if number % 50 < 25 {
            Loudness::Loud
        } else {
            Loudness::Quiet
        }
    }

    /// Quiet for 100 ms now and then, as within words.
    const fn gaps(number: u64) -> Loudness {
        if number % 25 < 20 {
            Loudness::Loud
        } else {
            Loudness::Quiet
        }
    }

    #[test]
    fn what_is_small_waits_for_a_pause_and_not_for_ever() {
        for (surplus, pace) in [(20, Pace::Faster), (-15, Pace::Slower)] {
            let paces = |loudness: fn(u64) -> Loudness| paces(surplus, false, loudness);
            let in_pauses = paces(pauses);
            assert_eq!(first(&in_pauses), Some(30), "the sixth frame of the first");
            assert_eq!(in_pauses[30], pace);
            assert!(in_pauses[50..75].iter().all(|pace| *pace == Pace::Even));
            assert_eq!(first(&paces(gaps)), Some(250));
            assert_eq!(first(&paces(loud)), Some(250), "after 5 s");
        }
        assert_eq!(first(&paces(4, false, pauses)), None);
        assert_eq!(first(&paces(-4, false, pauses)), None);
    }

    /// A regression: what dips with every second pull had never lasted.
    #[test]
    fn an_output_that_pulls_in_blocks_is_no_excuse() {
        for (sign, pace) in [(1, Pace::Faster), (-1, Pace::Slower)] {
            let (config, mut pacer) = (Config::default(), Pacer::default());
            let sawing = (0..300).map(|number| {
                let now = Timestamp::from_micros(number * 20_000);
                let surplus = if number % 2 == 0 { 14_000 } else { 4_000 };
                pacer.pace(&config, sign * surplus, false, now)
            });
            let paces: Vec<Pace> = sawing.collect();
            assert_eq!(first(&paces), Some(250));
            assert_eq!(paces[250], pace);
        }
    }

    #[test]
    fn what_is_large_does_not_wait_but_in_the_first_seconds() {
        assert_eq!(first(&paces(45, false, loud)), Some(3), "after 60 ms");
        assert_eq!(first(&paces(-25, false, loud)), Some(3));
        assert_eq!(first(&paces(-25, true, loud)), Some(3));
        assert_eq!(first(&paces(45, true, loud)), Some(250));
        assert_eq!(first(&paces(105, true, loud)), Some(3));
    }

    #[test]
    fn what_was_large_is_taken_back_to_the_end() {
        let (config, mut pacer) = (Config::default(), Pacer::default());
        let falling = (0..20).map(|number| {
            let now = Timestamp::from_micros(number * 20_000);
            let surplus = 60_000 - 4_000 * i64::try_from(number).expect("few");
            pacer.pace(&config, surplus, false, now)
        });
        let paces: Vec<Pace> = falling.collect();
        assert!(paces[3..14].iter().all(|pace| *pace == Pace::Faster));
        assert!(paces[14..].iter().all(|pace| *pace != Pace::Faster));
    }
}
