//! Transits of the last seconds and what is wanted to know of them.

/// Samples kept: 20 s of frames.
const LONG: usize = 1000;
/// The recent ones: 4 s.
const RECENT: usize = 200;
/// What a call starts with is forgotten here, 3 s on: few legs were up, none was measured.
const FIRST: u64 = 150;
/// The last half second, and how many of it may be later than what counts as lasting.
const LASTING: usize = 25;
const LASTING_BUT: usize = 5;

/// Recent transits, microseconds.
#[derive(Clone, Debug)]
pub(crate) struct Transits {
    /// Newest at `next − 1`, wrapping.
    samples: Vec<i64>,
    next: usize,
    total: u64,
    /// For order statistics, so that none of them allocates.
    scratch: Vec<i64>,
    summary: Option<Summary>,
}

/// Order statistics, kept up to date with every sample.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Summary {
    /// Smallest of the last 20 s.
    pub(crate) smallest: i64,
    /// 99th percentile of the last 20 s.
    pub(crate) p99: i64,
    /// Largest but one of the last 4 s.
    pub(crate) recent: i64,
    /// Largest but five of the last half second: more than one packet's frames were as late.
    pub(crate) lasting: i64,
}

impl Transits {
    pub(crate) fn new() -> Self {
        Self {
            samples: Vec::with_capacity(LONG),
            next: 0,
            total: 0,
            scratch: Vec::with_capacity(LONG),
            summary: None,
        }
    }

    pub(crate) fn clear(&mut self) {
        self.samples.clear();
        self.next = 0;
        self.total = 0;
        self.summary = None;
    }

    pub(crate) fn record(&mut self, transit: i64) {
        if self.samples.len() < LONG {
            self.samples.push(transit);
        } else {
            self.samples[self.next] = transit;
        }
        self.next = (self.next + 1) % LONG;
        self.total += 1;
        if self.total == FIRST {
            self.samples.clear();
            self.samples.push(transit);
            self.next = 1;
        }
        self.summary = Some(self.summarise(transit));
    }

    fn summarise(&mut self, newest: i64) -> Summary {
        let count = self.samples.len();
        let recent = self
            .last(RECENT)
            .fold([i64::MIN; 2], |[first, second], value| {
                if value > first {
                    [value, first]
                } else {
                    [first, second.max(value)]
                }
            });
        let mut lasting = [i64::MIN; LASTING_BUT + 1];
        for mut value in self.last(LASTING) {
            for place in &mut lasting {
                if value > *place {
                    core::mem::swap(place, &mut value);
                }
            }
        }
        self.scratch.clear();
        self.scratch.extend_from_slice(&self.samples);
        let (_, &mut p99, _) = self
            .scratch
            .select_nth_unstable((count * 99).div_ceil(100) - 1);
        Summary {
            smallest: self.scratch.iter().copied().min().unwrap_or(newest),
            p99,
            recent: if count > 1 { recent[1] } else { newest },
            lasting: lasting[LASTING_BUT],
        }
    }

    /// The last samples, newest first.
    fn last(&self, wanted: usize) -> impl Iterator<Item = i64> {
        let wanted = wanted.min(self.samples.len());
        (1..=wanted).map(|back| self.samples[(self.next + LONG - back) % LONG])
    }

    /// `None` before the first sample.
    pub(crate) const fn summary(&self) -> Option<Summary> {
        self.summary
    }

    /// Samples ever taken.
    pub(crate) const fn total(&self) -> u64 {
        self.total
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn statistics_are_those_of_the_last_seconds() {
        let mut transits = Transits::new();
        assert!(transits.summary().is_none());
        transits.record(500);
        for value in 0..10 {
            transits.record(value);
        }
        let early = transits.summary().expect("has samples");
        assert_eq!((early.smallest, early.p99, early.recent), (0, 500, 9));
        for _ in 0..2 * LONG {
            transits.record(50);
        }
        let later = transits.summary().expect("has samples");
        assert_eq!((later.smallest, later.p99, later.recent), (50, 50, 50));
        transits.record(90);
        transits.record(80);
        assert_eq!(transits.summary().expect("has samples").recent, 80);
    }
}
