//! One packet's plaintext, encoded and decoded.

use tacit_types::limits::{PACKET_PLAINTEXT_BYTES, REPEATED_FRAMES_MAX};
use tacit_types::{FrameNumber, FramePayload, LegIndex, Path, Reach, SlotNumber};

use crate::control::ControlBlock;
use crate::layout;
use crate::limits::{CONTROL_BODY_BYTES, REPORTS_IN_PACKET};
use crate::packing::fitting;
use crate::report::{ArrivalReport, Reports};
use crate::time::MediaTime;

/// The current frame and the most repeats of those before it.
pub const FRAMES_IN_PACKET: usize = 1 + REPEATED_FRAMES_MAX;

/// Why an authentic plaintext was dropped. Only a peer that breaks the protocol can cause it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
#[non_exhaustive]
pub enum Malformed {
    /// The nearest frame that DRED restores lies behind the farthest, or only one of them is none.
    #[error("the reach at offset 12 is not nearest ≤ farthest")]
    Reach,
    /// A frame is longer than frames are, or reaches beyond the packet.
    #[error("a frame's length is above 140 or beyond the packet's end")]
    FrameLength,
    /// A present frame has a number below zero.
    #[error("a frame would have a number below zero")]
    FrameNumber,
    /// More arrival reports than there is room for.
    #[error("report count at offset 14 is above 10")]
    ReportCount,
    /// A control body longer than its room.
    #[error("control length at offset 20 is above 40")]
    ControlLength,
}

/// What one packet says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Content {
    /// Slot in which the packet was sent.
    pub slot: SlotNumber,
    /// Sender's media clock when the packet was sent; gives reports their hold time.
    pub sent_at: MediaTime,
    /// Number of `payloads[0]`.
    pub newest: FrameNumber,
    /// What the DRED of `payloads[0]` restores.
    pub reach: Reach,
    /// Frames `newest`, `newest − 1`, …; any of them may be absent. The first is in full, with DRED,
    /// if `reach` says so, the others are short.
    pub payloads: [Option<FramePayload>; FRAMES_IN_PACKET],
    /// Arrivals at the sender of packets from us.
    pub reports: Reports,
    /// The reliable lane's share of this packet.
    pub control: ControlBlock,
}

/// A frame that a packet brought.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Arrived<'a> {
    /// Its number.
    pub number: FrameNumber,
    /// Its bytes.
    pub payload: &'a FramePayload,
    /// What its DRED restores.
    pub reach: Reach,
}

impl Content {
    /// The frames that are present, newest first.
    pub fn frames(&self) -> impl Iterator<Item = Arrived<'_>> {
        let reaches = core::iter::once(self.reach).chain(core::iter::repeat(Reach::NONE));
        (0..)
            .zip(&self.payloads)
            .zip(reaches)
            .filter_map(|((back, payload), reach)| {
                Some(Arrived {
                    number: FrameNumber(self.newest.0.checked_sub(back)?),
                    payload: payload.as_ref()?,
                    reach,
                })
            })
    }

    /// Writes the packet's plaintext; every byte of `out` is set. Frames for which there is no room
    /// are left out; the newest always fits.
    pub fn encode(&self, out: &mut [u8; PACKET_PLAINTEXT_BYTES]) {
        out.fill(0);
        put_u32(out, layout::SLOT, self.slot.0);
        put_u32(out, layout::SENT_AT, self.sent_at.0);
        put_u32(out, layout::NEWEST, self.newest.0);
        out[layout::REACH_NEAREST] = self.reach.nearest();
        out[layout::REACH_FARTHEST] = self.reach.farthest();
        put_u16(out, layout::CONTROL_SEQUENCE, self.control.sequence);
        put_u16(out, layout::CONTROL_ACKNOWLEDGED, self.control.acknowledged);
        out[layout::CONTROL_KIND] = self.control.kind;
        out[layout::CONTROL_LENGTH] = self.control.length;
        let body_at = self.encode_reports(out);
        let body = self.control.body();
        let frames_at = body_at + body.len();
        out[body_at..frames_at].copy_from_slice(body);
        encode_frames(&self.payloads, &mut out[frames_at..]);
    }

    /// Bytes for frames and their lengths.
    pub(crate) fn room(&self) -> usize {
        let reports = self.reports.as_slice().len() * layout::REPORT_BYTES;
        PACKET_PLAINTEXT_BYTES - layout::REPORTS - reports - self.control.body().len()
    }

    /// Where the reports end.
    fn encode_reports(&self, out: &mut [u8; PACKET_PLAINTEXT_BYTES]) -> usize {
        let mut at = layout::REPORTS;
        for report in self.reports.iter() {
            out[layout::REPORT_COUNT] += 1;
            put_u16(out, at, report.slot);
            out[at + 2] = report.path.sender.0;
            out[at + 3] = report.path.receiver.0;
            put_u16(out, at + 4, report.hold_ticks(self.sent_at));
            at += layout::REPORT_BYTES;
        }
        at
    }

    /// Reads a packet's plaintext.
    ///
    /// # Errors
    /// [`Malformed`] for a value outside its range; the packet is then to be dropped and counted.
    pub fn decode(plain: &[u8; PACKET_PLAINTEXT_BYTES]) -> Result<Self, Malformed> {
        let sent_at = MediaTime(get_u32(plain, layout::SENT_AT));
        let newest = FrameNumber(get_u32(plain, layout::NEWEST));
        let reports = decode_reports(plain, sent_at)?;
        let body_at = layout::REPORTS + reports.as_slice().len() * layout::REPORT_BYTES;
        let control = decode_control(plain, body_at)?;
        let frames_at = body_at + control.body().len();
        Ok(Self {
            slot: SlotNumber(get_u32(plain, layout::SLOT)),
            sent_at,
            newest,
            reach: decode_reach(plain)?,
            payloads: decode_frames(&plain[frames_at..], newest)?,
            reports,
            control,
        })
    }
}

/// `room` is zero, which is how an absent frame is written.
fn encode_frames(payloads: &[Option<FramePayload>; FRAMES_IN_PACKET], room: &mut [u8]) {
    let sizes = payloads.map(|payload| payload.map(|payload| usize::from(payload.length())));
    let fitting = fitting(&sizes, room.len());
    let mut at = 0;
    for (number, payload) in payloads.iter().enumerate() {
        let payload = payload.as_ref().filter(|_| fitting >> number & 1 == 1);
        let bytes = payload.map_or(&[][..], FramePayload::as_slice);
        if let Some([length, rest @ ..]) = room.get_mut(at..=at + bytes.len()) {
            rest.copy_from_slice(bytes);
            *length = payload.map_or(0, FramePayload::length);
        }
        at += 1 + bytes.len();
    }
}

fn decode_reach(plain: &[u8; PACKET_PLAINTEXT_BYTES]) -> Result<Reach, Malformed> {
    match (plain[layout::REACH_NEAREST], plain[layout::REACH_FARTHEST]) {
        (0, 0) => Ok(Reach::NONE),
        (nearest, farthest) if nearest > 0 && nearest <= farthest => {
            Ok(Reach::new(nearest, farthest))
        }
        _ => Err(Malformed::Reach),
    }
}

fn decode_frames(
    mut rest: &[u8],
    newest: FrameNumber,
) -> Result<[Option<FramePayload>; FRAMES_IN_PACKET], Malformed> {
    let mut payloads = [None; FRAMES_IN_PACKET];
    for (back, payload) in (0..).zip(&mut payloads) {
        let Some((&length, behind)) = rest.split_first() else {
            break;
        };
        let (bytes, behind) = behind
            .split_at_checked(usize::from(length))
            .ok_or(Malformed::FrameLength)?;
        rest = behind;
        if bytes.is_empty() {
            continue;
        }
        if newest.0 < back {
            return Err(Malformed::FrameNumber);
        }
        *payload = Some(FramePayload::new(bytes).ok_or(Malformed::FrameLength)?);
    }
    Ok(payloads)
}

fn decode_reports(
    plain: &[u8; PACKET_PLAINTEXT_BYTES],
    sent_at: MediaTime,
) -> Result<Reports, Malformed> {
    let count = usize::from(plain[layout::REPORT_COUNT]);
    if count > REPORTS_IN_PACKET {
        return Err(Malformed::ReportCount);
    }
    let mut reports = Reports::default();
    for at in (layout::REPORTS..)
        .step_by(layout::REPORT_BYTES)
        .take(count)
    {
        let path = Path {
            sender: LegIndex(plain[at + 2]),
            receiver: LegIndex(plain[at + 3]),
        };
        let arrived_at = sent_at.ticks_earlier(get_u16(plain, at + 4).into());
        reports.push(ArrivalReport {
            slot: get_u16(plain, at),
            path,
            arrived_at,
        });
    }
    Ok(reports)
}

fn decode_control(
    plain: &[u8; PACKET_PLAINTEXT_BYTES],
    body_at: usize,
) -> Result<ControlBlock, Malformed> {
    let length = usize::from(plain[layout::CONTROL_LENGTH]);
    if length > CONTROL_BODY_BYTES {
        return Err(Malformed::ControlLength);
    }
    let mut block = ControlBlock::message(
        get_u16(plain, layout::CONTROL_SEQUENCE),
        plain[layout::CONTROL_KIND],
        &plain[body_at..body_at + length],
    );
    block.acknowledged = get_u16(plain, layout::CONTROL_ACKNOWLEDGED);
    Ok(block)
}

fn put_u16(out: &mut [u8], at: usize, value: u16) {
    out[at..at + 2].copy_from_slice(&value.to_be_bytes());
}

fn put_u32(out: &mut [u8], at: usize, value: u32) {
    out[at..at + 4].copy_from_slice(&value.to_be_bytes());
}

fn get_u16(plain: &[u8], at: usize) -> u16 {
    u16::from_be_bytes([plain[at], plain[at + 1]])
}

fn get_u32(plain: &[u8], at: usize) -> u32 {
    u32::from_be_bytes([plain[at], plain[at + 1], plain[at + 2], plain[at + 3]])
}
