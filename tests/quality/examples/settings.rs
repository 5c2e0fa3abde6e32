//! What the codec's settings cost and give, on recorded speech:
//!
//! ```console
//! $ cargo run --release -p tacit-quality --example settings
//! ```
//!
//! Prints one line for each: the table of docs/decisions/0015-codec-and-repair.md.
#![forbid(unsafe_code)]

use std::error::Error;
use std::time::{Duration, Instant};

use tacit_codec::{Bandwidth, Decoder, Encoder, Enhancement, FrameSamples, Settings, lookahead};
use tacit_quality::RATE;
use tacit_quality::pesq::Scorer;
use tacit_quality::speech::{Text, assemble};
use tacit_types::EncodedFrame;
use tacit_types::limits::{FRAME_SAMPLES, REPEATED_FRAMES_MAX};

const SECONDS: usize = 25;
const FROM: usize = RATE;
/// P.862.3: 8 to 12 s.
const SEGMENT: usize = 8 * RATE;
/// A frame is speech above this mean square, −50 dBFS.
const LOUD: f32 = 1e-5;
/// Bytes for frames in a packet with eight reports and no message.
const ROOM: usize = 355;

/// Name, settings, how it is decoded.
fn candidates() -> Vec<(&'static str, Settings, Enhancement)> {
    let chosen = Settings::default();
    let plain = Settings {
        bit_rate: 24_000,
        variable: false,
        loss: 0,
        dred: 0,
        ..chosen
    };
    let constant = Settings {
        bit_rate: 48_000,
        variable: false,
        dred: 100,
        ..chosen
    };
    let at = |bit_rate| Settings { bit_rate, ..chosen };
    let lace = Enhancement::Lace;
    vec![
        ("no DRED, CBR", plain, lace),
        ("CBR", constant, lace),
        (
            "CBR, DRED 480 ms",
            Settings {
                dred: 48,
                ..constant
            },
            lace,
        ),
        ("VBR", at(38_000), lace),
        ("VBR, chosen", chosen, lace),
        ("VBR, chosen, NoLACE", chosen, Enhancement::NoLace),
        ("VBR", at(42_000), lace),
        ("VBR", at(44_000), lace),
        ("VBR, loss 12", Settings { loss: 12, ..chosen }, lace),
        ("VBR, DRED 320 ms", Settings { dred: 32, ..chosen }, lace),
        (
            "VBR, wideband",
            Settings {
                bandwidth: Bandwidth::Wide,
                ..at(42_000)
            },
            lace,
        ),
    ]
}

/// One candidate on one text.
struct Run {
    frames: Vec<(EncodedFrame, bool)>,
    heard: Vec<f32>,
    encode: Duration,
    decode: Duration,
}

fn run(
    spoken: &[f32],
    settings: Settings,
    enhancement: Enhancement,
) -> Result<Run, Box<dyn Error>> {
    let mut encoder = Encoder::with(settings)?;
    let mut decoder = Decoder::with(enhancement)?;
    let mut run = Run {
        frames: Vec::new(),
        heard: Vec::new(),
        encode: Duration::ZERO,
        decode: Duration::ZERO,
    };
    for samples in spoken.chunks_exact(FRAME_SAMPLES) {
        let samples: &FrameSamples = samples.try_into()?;
        let started = Instant::now();
        let frame = encoder.encode(samples)?;
        run.encode += started.elapsed();
        let mut out = [0.0; FRAME_SAMPLES];
        let started = Instant::now();
        decoder.decode(&frame.short, &mut out)?;
        run.decode += started.elapsed();
        run.heard.extend(out);
        let power = samples.iter().map(|s| s * s).sum::<f32>() / FRAME_SAMPLES as f32;
        run.frames.push((frame, power > LOUD));
    }
    run.heard.drain(..lookahead());
    run.heard.resize(spoken.len(), 0.0);
    Ok(run)
}

/// Share of the packets of speech in which four repeats find room.
fn four_repeats(runs: &[Run]) -> f64 {
    let (mut fits, mut all) = (0_u32, 0_u32);
    for run in runs {
        for window in run.frames.windows(1 + REPEATED_FRAMES_MAX) {
            let Some(((newest, true), before)) = window.split_last() else {
                continue;
            };
            let repeats = before.iter().rev().take(4);
            let short: usize = repeats.map(|(f, _)| 1 + f.short.as_slice().len()).sum();
            all += 1;
            fits += u32::from(1 + newest.full.as_slice().len() + short <= ROOM);
        }
    }
    f64::from(fits) / f64::from(all) * 100.0
}

/// At 10 %, the median and 90 %, of frames of speech.
fn spread(runs: &[Run], value: impl Fn(&EncodedFrame) -> u8) -> String {
    let mut values: Vec<u8> = runs
        .iter()
        .flat_map(|run| run.frames.iter().filter(|(_, loud)| *loud))
        .map(|(frame, _)| value(frame))
        .collect();
    values.sort_unstable();
    let at = |share: usize| values[(values.len() - 1) * share / 100];
    format!("{} {} {}", at(10), at(50), at(90))
}

fn main() -> Result<(), Box<dyn Error>> {
    let scorer = Scorer::prepare()?;
    let texts = [assemble(Text::A, SECONDS)?, assemble(Text::B, SECONDS)?];
    println!(
        "| settings | kb/s | PESQ-WB | full, bytes | short, bytes | reach, frames | four repeats fit | encode, decode, ms |"
    );
    println!("|---|---|---|---|---|---|---|---|");
    for (name, settings, enhancement) in candidates() {
        let runs = texts
            .iter()
            .map(|spoken| run(spoken, settings, enhancement))
            .collect::<Result<Vec<_>, _>>()?;
        let mut scores = Vec::new();
        for (spoken, run) in texts.iter().zip(&runs) {
            for at in (FROM..=spoken.len() - SEGMENT).step_by(SEGMENT) {
                let part = at..at + SEGMENT;
                scores.push(scorer.score(&spoken[part.clone()], &run.heard[part])?);
            }
        }
        let frames = runs.iter().map(|r| r.frames.len()).sum::<usize>() as f64;
        let millis = |time: fn(&Run) -> Duration| {
            runs.iter().map(|r| time(r).as_secs_f64()).sum::<f64>() * 1e3 / frames
        };
        println!(
            "| {name} | {} | {:.2} | {} | {} | {} | {:.0} % | {:.2}, {:.2} |",
            settings.bit_rate / 1000,
            scores.iter().sum::<f64>() / scores.len() as f64,
            spread(&runs, |f| f.full.length()),
            spread(&runs, |f| f.short.length()),
            spread(&runs, |f| f.reach.farthest()),
            four_repeats(&runs),
            millis(|r| r.encode),
            millis(|r| r.decode),
        );
    }
    Ok(())
}
