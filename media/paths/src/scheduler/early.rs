//! Whether all legs are faster than they were by as much.

use tacit_types::LegKind;

use crate::leg_set::LegSet;
use crate::sent::Sent;

/// Earlier than expected by so much, in microseconds and in usual distances from what is expected, does a
/// packet come only by rare chance over a leg that is no faster than it was, and several in a row over
/// several legs never. The second counts no further than to the third: congestion seems to be noise, too,
/// when it begins.
const EARLY: f64 = 150_000.0;
const EARLY_NOISE: f64 = 5.0;
const EARLY_MAX: f64 = 250_000.0;
/// Packets in a row; and so many that every leg has been measured meanwhile, however slow it seems: then
/// what comes is believed.
const PACKETS: usize = 5;
const PACKETS_MAX: usize = 300;
/// The newest ones, which are kept.
const KEPT: usize = 8;
/// Legs that they took, unless there are fewer: onion legs, or TURN legs of either side.
const ONION_LEGS: usize = 3;
const TURN_LEGS: usize = 2;

/// A packet and what it took, microseconds above the constant that is in all delays.
pub(super) type Measured = (Sent, f64);

/// Packets that came early, one after the other, and nobody has learnt from yet; and the one after them.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Early {
    packets: [Option<Measured>; KEPT],
    /// By how much they were early, microseconds.
    by: [f64; KEPT],
    count: usize,
    /// Which legs of either side they took.
    legs: [LegSet; 2],
}

/// What to make of a packet.
#[derive(Clone, Copy, Debug)]
pub(super) enum Verdict {
    /// Nothing yet.
    Wait,
    /// These show what legs really take.
    Believe(Early),
    /// All legs are faster by so many microseconds, as these show.
    AllAreFaster(f64, Early),
}

impl Early {
    /// Whether a packet is early that came so much earlier than expected over legs of so much noise.
    pub(super) fn is_early(by: f64, noise: f64) -> bool {
        by >= (EARLY_NOISE * noise).clamp(EARLY, EARLY_MAX)
    }

    /// Whether the last packet was an ordinary one.
    pub(super) const fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// Takes a packet that was earlier than expected by so much, if it was. There are so many legs of
    /// either side.
    pub(super) fn note(
        &mut self,
        packet: Measured,
        by: Option<f64>,
        kind: LegKind,
        legs: [usize; 2],
    ) -> Verdict {
        self.packets[self.count % KEPT] = Some(packet);
        self.count += 1;
        let Some(by) = by else {
            return Verdict::Believe(core::mem::take(self));
        };
        self.by[(self.count - 1) % KEPT] = by;
        let path = packet.0.path;
        for (legs, leg) in self.legs.iter_mut().zip([path.sender, path.receiver]) {
            legs.insert(leg);
        }
        if self.count < PACKETS {
            return Verdict::Wait;
        }
        let taken = self.legs.map(|legs| legs.len());
        let several = match kind {
            LegKind::Onion => taken[0] >= ONION_LEGS.min(legs[0]),
            LegKind::Turn => {
                let of_side = |side: usize| taken[side] >= TURN_LEGS.min(legs[side]);
                of_side(0) && of_side(1)
            }
        };
        if several {
            let early = core::mem::take(self);
            Verdict::AllAreFaster(early.median(), early)
        } else if self.count < PACKETS_MAX {
            Verdict::Wait
        } else {
            Verdict::Believe(core::mem::take(self))
        }
    }

    /// By how much the packets were early.
    fn median(mut self) -> f64 {
        let by = &mut self.by[..self.count.min(KEPT)];
        by.sort_unstable_by(f64::total_cmp);
        by.get(by.len() / 2).copied().unwrap_or(0.0)
    }

    /// The newest packets, in the order in which they were told of.
    pub(super) fn packets(mut self) -> impl Iterator<Item = Measured> {
        self.packets.rotate_left(self.count % KEPT);
        self.packets.into_iter().flatten()
    }
}
