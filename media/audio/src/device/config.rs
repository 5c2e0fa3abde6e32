//! Which of a device's configurations to use: 48 kHz if it can, few channels, a common format.

use super::Direction;
use crate::limits::{CALLBACK_FRAMES, MAX_RATE, MIN_RATE};
use cpal::traits::DeviceTrait;
use cpal::{
    BufferSize, Error, ErrorKind, SampleFormat, StreamConfig, SupportedBufferSize,
    SupportedStreamConfigRange,
};
use tacit_types::limits::SAMPLE_RATE;

/// The best configuration of a device for speech.
pub(super) fn choose(
    device: &cpal::Device,
    direction: Direction,
) -> Result<(StreamConfig, SampleFormat), Error> {
    let ranges: Vec<_> = match direction {
        Direction::Input => device.supported_input_configs()?.collect(),
        Direction::Output => device.supported_output_configs()?.collect(),
    };
    let best = ranges
        .into_iter()
        .filter(|r| r.min_sample_rate() <= MAX_RATE && r.max_sample_rate() >= MIN_RATE)
        .filter(|r| format_rank(r.sample_format()).is_some())
        .min_by_key(|r| rank(r, direction))
        .ok_or(Error::new(ErrorKind::UnsupportedConfig))?;
    Ok((stream_config(&best), best.sample_format()))
}

fn nearest_rate(range: &SupportedStreamConfigRange) -> u32 {
    SAMPLE_RATE.clamp(range.min_sample_rate(), range.max_sample_rate())
}

/// Smaller is better: rate first, then channels, then format.
fn rank(range: &SupportedStreamConfigRange, direction: Direction) -> (u32, u16, u8) {
    let wanted = match direction {
        Direction::Input => 1,
        // Some systems play a mono stream on the left side only.
        Direction::Output => 2,
    };
    (
        nearest_rate(range).abs_diff(SAMPLE_RATE),
        range.channels().abs_diff(wanted),
        format_rank(range.sample_format()).unwrap_or(u8::MAX),
    )
}

/// The formats that `stream` builds, best first.
const fn format_rank(format: SampleFormat) -> Option<u8> {
    match format {
        SampleFormat::F32 => Some(0),
        SampleFormat::I32 => Some(1),
        SampleFormat::I16 => Some(2),
        SampleFormat::I24 => Some(3),
        SampleFormat::F64 => Some(4),
        SampleFormat::U16 => Some(5),
        SampleFormat::U8 => Some(6),
        _ => None,
    }
}

fn stream_config(range: &SupportedStreamConfigRange) -> StreamConfig {
    let sample_rate = nearest_rate(range);
    let wanted = CALLBACK_FRAMES * sample_rate / SAMPLE_RATE;
    let buffer_size = match *range.buffer_size() {
        SupportedBufferSize::Range { min, max } => BufferSize::Fixed(wanted.clamp(min, max)),
        SupportedBufferSize::Unknown => BufferSize::Default,
    };
    StreamConfig {
        channels: range.channels(),
        sample_rate,
        buffer_size,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn range(channels: u16, rates: (u32, u32), format: SampleFormat) -> SupportedStreamConfigRange {
        let buffers = SupportedBufferSize::Range { min: 64, max: 4096 };
        SupportedStreamConfigRange::new(channels, rates.0, rates.1, buffers, format)
    }

    fn best(ranges: &[SupportedStreamConfigRange], direction: Direction) -> StreamConfig {
        stream_config(ranges.iter().min_by_key(|r| rank(r, direction)).unwrap())
    }

    #[test]
    fn the_rate_counts_more_than_channels_and_format() {
        let ranges = [
            range(1, (44_100, 44_100), SampleFormat::F32),
            range(8, (48_000, 48_000), SampleFormat::I16),
            range(2, (8_000, 192_000), SampleFormat::I16),
        ];
        let chosen = best(&ranges, Direction::Input);
        assert_eq!((chosen.channels, chosen.sample_rate), (2, 48_000));
        assert_eq!(chosen.buffer_size, BufferSize::Fixed(480));
    }

    #[test]
    fn a_device_without_48_khz_gets_ten_millisecond_callbacks_at_its_own_rate() {
        let chosen = best(
            &[range(2, (44_100, 44_100), SampleFormat::I16)],
            Direction::Output,
        );
        assert_eq!(chosen.sample_rate, 44_100);
        assert_eq!(chosen.buffer_size, BufferSize::Fixed(441));
    }
}
