//! One packet's plaintext, encoded and decoded.

use tacit_types::limits::{OPUS_FRAME_BYTES, PACKET_PLAINTEXT_BYTES, REPEATED_FRAMES};
use tacit_types::{FrameNumber, LegIndex, Path, SlotNumber};

use crate::control::ControlBlock;
use crate::layout;
use crate::limits::{CONTROL_BODY_BYTES, REPORTS_IN_PACKET};
use crate::report::{ArrivalReport, Reports};
use crate::time::MediaTime;

/// One encoded Opus frame.
pub type Frame = [u8; OPUS_FRAME_BYTES];

/// The current frame and the repeats of those before it.
pub const FRAMES_IN_PACKET: usize = 1 + REPEATED_FRAMES;

/// Why an authentic plaintext was dropped. Only a peer that breaks the protocol can cause it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
#[non_exhaustive]
pub enum Malformed {
    /// The frame mask names more than five frames.
    #[error("frame mask at offset 12 has a bit above 4 set")]
    FrameMask,
    /// A present frame has a number below zero.
    #[error("a frame at offset 14 would have a number below zero")]
    FrameNumber,
    /// More arrival reports than there is room for.
    #[error("report count at offset 13 is above 10")]
    ReportCount,
    /// A control body longer than its room.
    #[error("control length at offset 379 is above 40")]
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
    /// Frames `newest`, `newest − 1`, …; any of them may be absent.
    pub payloads: [Option<Frame>; FRAMES_IN_PACKET],
    /// Arrivals at the sender of packets from us.
    pub reports: Reports,
    /// The reliable lane's share of this packet.
    pub control: ControlBlock,
}

impl Content {
    /// The frames that are present, with their numbers, newest first.
    pub fn frames(&self) -> impl Iterator<Item = (FrameNumber, &Frame)> {
        self.payloads
            .iter()
            .enumerate()
            .filter_map(|(back, payload)| {
                let back = u32::try_from(back).ok()?;
                Some((
                    FrameNumber(self.newest.0.checked_sub(back)?),
                    payload.as_ref()?,
                ))
            })
    }

    /// Writes the packet's plaintext; every byte of `out` is set.
    pub fn encode(&self, out: &mut [u8; PACKET_PLAINTEXT_BYTES]) {
        out.fill(0);
        put_u32(out, layout::SLOT, self.slot.0);
        put_u32(out, layout::SENT_AT, self.sent_at.0);
        put_u32(out, layout::NEWEST, self.newest.0);
        for (index, payload) in self.payloads.iter().enumerate() {
            if let Some(payload) = payload {
                out[layout::FRAME_MASK] |= 1 << index;
                let at = layout::FRAMES + index * OPUS_FRAME_BYTES;
                out[at..at + OPUS_FRAME_BYTES].copy_from_slice(payload);
            }
        }
        self.encode_reports(out);
        put_u16(out, layout::CONTROL_SEQUENCE, self.control.sequence);
        put_u16(out, layout::CONTROL_ACKNOWLEDGED, self.control.acknowledged);
        out[layout::CONTROL_KIND] = self.control.kind;
        let body = self.control.body();
        out[layout::CONTROL_LENGTH] = self.control.length;
        out[layout::CONTROL_BODY..layout::CONTROL_BODY + body.len()].copy_from_slice(body);
    }

    fn encode_reports(&self, out: &mut [u8; PACKET_PLAINTEXT_BYTES]) {
        for (report, at) in self
            .reports
            .iter()
            .zip((layout::REPORTS..).step_by(layout::REPORT_BYTES))
        {
            out[layout::REPORT_COUNT] += 1;
            put_u16(out, at, report.slot);
            out[at + 2] = report.path.sender.0;
            out[at + 3] = report.path.receiver.0;
            put_u16(out, at + 4, report.hold_ticks(self.sent_at));
        }
    }

    /// Reads a packet's plaintext.
    ///
    /// # Errors
    /// [`Malformed`] for a value outside its range; the packet is then to be dropped and counted.
    pub fn decode(plain: &[u8; PACKET_PLAINTEXT_BYTES]) -> Result<Self, Malformed> {
        let sent_at = MediaTime(get_u32(plain, layout::SENT_AT));
        Ok(Self {
            slot: SlotNumber(get_u32(plain, layout::SLOT)),
            sent_at,
            newest: FrameNumber(get_u32(plain, layout::NEWEST)),
            payloads: decode_frames(plain)?,
            reports: decode_reports(plain, sent_at)?,
            control: decode_control(plain)?,
        })
    }
}

fn decode_frames(
    plain: &[u8; PACKET_PLAINTEXT_BYTES],
) -> Result<[Option<Frame>; FRAMES_IN_PACKET], Malformed> {
    let mask = plain[layout::FRAME_MASK];
    if mask >> FRAMES_IN_PACKET != 0 {
        return Err(Malformed::FrameMask);
    }
    if get_u32(plain, layout::NEWEST)
        .checked_sub(mask.checked_ilog2().unwrap_or(0))
        .is_none()
    {
        return Err(Malformed::FrameNumber);
    }
    let mut payloads = [None; FRAMES_IN_PACKET];
    for (index, payload) in payloads.iter_mut().enumerate() {
        if mask & (1 << index) != 0 {
            let at = layout::FRAMES + index * OPUS_FRAME_BYTES;
            let mut frame = [0; OPUS_FRAME_BYTES];
            frame.copy_from_slice(&plain[at..at + OPUS_FRAME_BYTES]);
            *payload = Some(frame);
        }
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
        let arrived_at = sent_at.ticks_earlier(get_u16(plain, at + 4));
        reports.push(ArrivalReport {
            slot: get_u16(plain, at),
            path,
            arrived_at,
        });
    }
    Ok(reports)
}

fn decode_control(plain: &[u8; PACKET_PLAINTEXT_BYTES]) -> Result<ControlBlock, Malformed> {
    let length = usize::from(plain[layout::CONTROL_LENGTH]);
    if length > CONTROL_BODY_BYTES {
        return Err(Malformed::ControlLength);
    }
    let body = &plain[layout::CONTROL_BODY..layout::CONTROL_BODY + length];
    let mut block = ControlBlock::message(
        get_u16(plain, layout::CONTROL_SEQUENCE),
        plain[layout::CONTROL_KIND],
        body,
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
