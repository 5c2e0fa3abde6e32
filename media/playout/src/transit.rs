//! Transits of the last seconds: their extremes, without storing all of them.

/// Samples in one bucket: half a second of frames.
const BUCKET: u32 = 25;
/// Buckets kept: with the one being filled, 4 to 4.5 s.
const BUCKETS: usize = 9;
/// Largest transits kept a bucket.
const TOP: usize = 3;

#[derive(Clone, Copy, Debug)]
struct Bucket {
    count: u32,
    smallest: i64,
    /// Descending.
    largest: [i64; TOP],
}

const EMPTY: Bucket = Bucket {
    count: 0,
    smallest: i64::MAX,
    largest: [i64::MIN; TOP],
};

/// Extremes of the recent transits, microseconds.
#[derive(Clone, Debug)]
pub(crate) struct Transits {
    buckets: [Bucket; BUCKETS],
    current: usize,
    total: u64,
}

impl Default for Transits {
    fn default() -> Self {
        Self {
            buckets: [EMPTY; BUCKETS],
            current: 0,
            total: 0,
        }
    }
}

impl Transits {
    pub(crate) fn record(&mut self, transit: i64) {
        if self.buckets[self.current].count == BUCKET {
            self.current = (self.current + 1) % BUCKETS;
            self.buckets[self.current] = EMPTY;
        }
        let bucket = &mut self.buckets[self.current];
        bucket.count += 1;
        bucket.smallest = bucket.smallest.min(transit);
        insert_descending(&mut bucket.largest, transit);
        self.total += 1;
    }

    /// Smallest recent transit.
    pub(crate) fn smallest(&self) -> Option<i64> {
        self.in_use().map(|bucket| bucket.smallest).min()
    }

    /// Largest recent transit but `over`.
    pub(crate) fn largest_but(&self, over: usize) -> Option<i64> {
        let mut top = [i64::MIN; TOP];
        for value in self.in_use().flat_map(|bucket| bucket.largest) {
            insert_descending(&mut top, value);
        }
        let count: u32 = self.in_use().map(|bucket| bucket.count).sum();
        let rank = over
            .min(TOP - 1)
            .min(usize::try_from(count).ok()?.checked_sub(1)?);
        Some(top[rank])
    }

    /// Samples ever taken.
    pub(crate) const fn total(&self) -> u64 {
        self.total
    }

    fn in_use(&self) -> impl Iterator<Item = &Bucket> {
        self.buckets.iter().filter(|bucket| bucket.count > 0)
    }
}

fn insert_descending(top: &mut [i64; TOP], mut value: i64) {
    for place in top {
        if value > *place {
            core::mem::swap(place, &mut value);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn extremes_are_those_of_the_last_seconds() {
        let mut transits = Transits::default();
        assert_eq!((transits.smallest(), transits.largest_but(1)), (None, None));
        transits.record(500);
        assert_eq!(transits.largest_but(1), Some(500));
        for value in 0..10 {
            transits.record(value);
        }
        assert_eq!(
            (transits.largest_but(0), transits.largest_but(1)),
            (Some(500), Some(9))
        );
        for _ in 0..u32::try_from(BUCKETS).expect("small") * BUCKET {
            transits.record(50);
        }
        assert_eq!(
            (transits.smallest(), transits.largest_but(0)),
            (Some(50), Some(50))
        );
    }
}
