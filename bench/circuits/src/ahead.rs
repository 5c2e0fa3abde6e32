//! What packets take at least on each half, in times to come: who looks for the earliest path begins with
//! the halves that may be fast, and need not look at most of the others.

use tacit_types::LegIndex;

/// Intervals that are remembered.
const KNOTS: usize = 8;

/// One interval: between two knots of the queues' fast noise.
#[derive(Clone, Debug)]
pub(crate) struct Interval {
    knot: i64,
    /// In ms, shortest first.
    sorted: Vec<(f64, LegIndex)>,
    by_leg: Vec<f64>,
}

impl Interval {
    /// The halves by what they take at least, in ms, shortest first.
    pub(crate) fn sorted(&self) -> &[(f64, LegIndex)] {
        &self.sorted
    }

    /// What the shortest half takes at least, if there is one.
    pub(crate) fn shortest(&self) -> Option<f64> {
        self.sorted.first().map(|(ms, _)| *ms)
    }

    /// What this leg's half takes at least.
    pub(crate) fn of(&self, leg: LegIndex) -> f64 {
        let ms = self.by_leg.get(usize::from(leg.0));
        ms.copied().unwrap_or(f64::INFINITY)
    }
}

/// All halves of one side and direction.
#[derive(Clone, Debug)]
pub(crate) struct Ahead([Interval; KNOTS]);

impl Ahead {
    pub(crate) const NOTHING: Self = {
        const NONE: Interval = Interval {
            knot: i64::MIN,
            sorted: Vec::new(),
            by_leg: Vec::new(),
        };
        Self([NONE; KNOTS])
    };

    /// A circuit is another one now.
    pub(crate) fn forget(&mut self) {
        for interval in &mut self.0 {
            interval.knot = i64::MIN;
        }
    }

    /// The interval that begins at this knot; `all` tells each leg's, if it is not known.
    pub(crate) fn interval<I>(&mut self, knot: i64, all: impl FnOnce() -> I) -> &Interval
    where
        I: Iterator<Item = f64>,
    {
        let place = knot.rem_euclid(KNOTS as i64).cast_unsigned() as usize;
        let interval = &mut self.0[place];
        if interval.knot != knot {
            interval.knot = knot;
            interval.by_leg.clear();
            interval.by_leg.extend(all());
            let legs = (0..=u8::MAX).map(LegIndex);
            interval.sorted.clear();
            interval
                .sorted
                .extend(interval.by_leg.iter().copied().zip(legs));
            interval.sorted.sort_unstable_by(|a, b| a.0.total_cmp(&b.0));
        }
        interval
    }
}
