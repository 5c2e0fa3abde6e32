//! Arrival reports: which of the peer's packets came, on which legs and when.

use core::time::Duration;

use tacit_types::{Cells, LegIndex, Path, SlotNumber};

use crate::limits::{PENDING_REPORTS, REPORT_HOLD_MAX, REPORT_SLOTS, REPORTS_IN_PACKET};
use crate::time::MediaTime;

/// One packet's arrival, as its receiver saw it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ArrivalReport {
    /// Low 16 bits of the packet's slot number.
    pub slot: u16,
    /// Legs that the packet took, named from its sender's side.
    pub path: Path,
    /// Reporter's media clock at the arrival. On the wire it is a hold time: how long before the
    /// reporting packet's `sent_at` that was.
    pub arrived_at: MediaTime,
}

impl ArrivalReport {
    const EMPTY: Self = Self {
        slot: 0,
        path: Path {
            sender: LegIndex(0),
            receiver: LegIndex(0),
        },
        arrived_at: MediaTime(0),
    };

    /// Time between the arrival and `sent_at`, in 1/8 ms, limited to what the wire can state.
    #[must_use]
    pub fn hold_ticks(&self, sent_at: MediaTime) -> u16 {
        let ticks = sent_at.0.wrapping_sub(self.arrived_at.0).cast_signed();
        u16::try_from(ticks.max(0)).unwrap_or(u16::MAX)
    }
}

/// The reports of one packet: at most [`REPORTS_IN_PACKET`], without allocation.
#[derive(Clone, Copy, Debug)]
pub struct Reports {
    entries: [ArrivalReport; REPORTS_IN_PACKET],
    len: usize,
}

impl Default for Reports {
    fn default() -> Self {
        Self {
            entries: [ArrivalReport::EMPTY; REPORTS_IN_PACKET],
            len: 0,
        }
    }
}

impl PartialEq for Reports {
    fn eq(&self, other: &Self) -> bool {
        self.as_slice() == other.as_slice()
    }
}
impl Eq for Reports {}

impl Reports {
    /// Adds a report; false when there is no room.
    pub fn push(&mut self, report: ArrivalReport) -> bool {
        let Some(entry) = self.entries.get_mut(self.len) else {
            return false;
        };
        *entry = report;
        self.len += 1;
        true
    }

    /// The reports in use.
    #[must_use]
    pub fn as_slice(&self) -> &[ArrivalReport] {
        &self.entries[..self.len]
    }

    /// The reports in use.
    pub fn iter(&self) -> core::slice::Iter<'_, ArrivalReport> {
        self.as_slice().iter()
    }
}

#[derive(Clone, Copy, Debug)]
struct Pending {
    report: ArrivalReport,
    sent: u8,
    chosen: bool,
}

/// Arrivals on our side, waiting to be told to the peer several times over.
///
/// Least told first, then newest first: a burst after a stall goes out once as a whole before
/// anything is repeated.
#[derive(Clone, Debug)]
pub struct ReportCollector {
    /// Oldest first.
    pending: Vec<Pending>,
    /// In how many packets each goes out.
    repeats: u8,
    dropped: u64,
}

impl ReportCollector {
    /// Nothing has come, and packets are to be sent so often.
    #[must_use]
    pub fn new(cells: Cells) -> Self {
        let packets = REPORT_SLOTS / cells.slots();
        Self {
            pending: Vec::with_capacity(PENDING_REPORTS),
            repeats: u8::try_from(packets).unwrap_or(u8::MAX),
            dropped: 0,
        }
    }

    /// Notes that the peer's packet of `slot` came over `path` at `arrived_at` on our media clock.
    pub fn record(&mut self, slot: SlotNumber, path: Path, arrived_at: MediaTime) {
        if self.pending.len() == PENDING_REPORTS {
            self.pending.remove(0);
            self.dropped += 1;
        }
        #[expect(clippy::cast_possible_truncation, reason = "low bits by definition")]
        let slot = slot.0 as u16;
        self.pending.push(Pending {
            report: ArrivalReport {
                slot,
                path,
                arrived_at,
            },
            sent: 0,
            chosen: false,
        });
    }

    /// Chooses the reports of the packet that is sent at `sent_at`.
    pub fn take(&mut self, sent_at: MediaTime) -> Reports {
        let longest = i64::try_from(REPORT_HOLD_MAX.as_micros()).unwrap_or(i64::MAX);
        self.pending.retain(|pending| {
            let hold = sent_at.signed_micros_since(pending.report.arrived_at);
            pending.sent < self.repeats && hold <= longest
        });
        let mut reports = Reports::default();
        for told in 0..self.repeats {
            // What this packet already carries counts as told once more.
            for pending in self
                .pending
                .iter_mut()
                .rev()
                .filter(|p| p.sent == told && !p.chosen)
            {
                pending.chosen = reports.push(pending.report);
            }
        }
        for pending in self.pending.iter_mut().filter(|pending| pending.chosen) {
            pending.chosen = false;
            pending.sent += 1;
        }
        reports
    }

    /// Arrivals that found no room and were never reported, or not as often as wanted.
    #[must_use]
    pub const fn dropped(&self) -> u64 {
        self.dropped
    }

    /// How long an arrival may wait before it is no longer worth a report.
    #[must_use]
    pub const fn longest_hold() -> Duration {
        REPORT_HOLD_MAX
    }
}
